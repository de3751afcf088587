/*
 * Ranges of addresses. An address is a number of 128 bits (those of IPv4 in
 * the highest 32), a range its first and last number. CIDR ranges either lie
 * within each other or apart, so once those within others are gone, a family's
 * ranges are sorted by their first as by their last number, and one binary
 * search tells.
 */
#include "policy/access.h"

#include "base/err.h"
#include "policy/mapped.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V4_BITS = 32, V6_BITS = 128 };

struct number {
    uint64_t high, low;
};

struct range {
    struct number first, last;
};

struct access {
    size_t v4_count, v6_count;
    bool has_loopback;     /* 127.0.0.0/8 and ::1, whole */
    struct range ranges[]; /* IPv4's, then IPv6's */
};

static unsigned bits_of(const struct addr *a)
{
    return a->family == 4 ? V4_BITS : V6_BITS;
}

static struct number number_of(const struct addr *a)
{
    uint64_t words[2];

    memcpy(words, a->ip, sizeof(words));
    return (struct number){be64toh(words[0]), be64toh(words[1])};
}

static bool is_less(struct number a, struct number b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static struct range range_of(const struct cidr *c)
{
    unsigned len = c->prefix_len;
    struct number last = number_of(&c->addr);
    struct number first = last;

    /* A shift by all 64 bits has no meaning in C. */
    last.high |= len >= 64 ? 0 : UINT64_MAX >> len;
    last.low |= len >= 128  ? 0
                : len <= 64 ? UINT64_MAX
                            : UINT64_MAX >> (len - 64);
    return (struct range){first, last};
}

/* ---- one range ---- */

/* "0" to most, without leading zeros. */
static int parse_len(const char *text, size_t len, unsigned most, uint8_t *out)
{
    unsigned value = 0;

    if (len == 0 || len > 3 || (text[0] == '0' && len > 1)) {
        return ERR_INVAL;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return ERR_INVAL;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > most) {
        return ERR_INVAL;
    }
    *out = (uint8_t)value;
    return 0;
}

static bool has_bits_below(const struct cidr *c)
{
    unsigned at = c->prefix_len;

    for (size_t i = at / 8; i < addr_ip_len(&c->addr); i++) {
        unsigned below = i == at / 8 ? 0xffu >> at % 8 : 0xffu;
        if ((c->addr.ip[i] & below) != 0) {
            return true;
        }
    }
    return false;
}

int cidr_parse(const char *text, size_t len, struct cidr *out)
{
    const char *slash = len == 0 ? NULL : memchr(text, '/', len);
    size_t addr_len = slash == NULL ? len : (size_t)(slash - text);
    struct cidr c;
    int err = addr_parse_ip(text, addr_len, &c.addr);

    if (err != 0) {
        return err;
    }
    c.prefix_len = (uint8_t)bits_of(&c.addr);
    if (slash != NULL) {
        err = parse_len(slash + 1, len - addr_len - 1, c.prefix_len,
                        &c.prefix_len);
    }
    if (err != 0 || c.addr.scope_id != 0 || has_bits_below(&c)) {
        return ERR_INVAL;
    }
    if (policy_is_mapped(&c.addr) && c.prefix_len >= MAPPED_PREFIX_LEN) {
        c.addr = policy_unmapped(&c.addr);
        c.prefix_len = (uint8_t)(c.prefix_len - MAPPED_PREFIX_LEN);
    }
    *out = c;
    return 0;
}

bool cidr_holds(const struct cidr *c, const struct addr *a)
{
    struct addr plain = policy_unmapped(a);
    struct range range = range_of(c);
    struct number n = number_of(&plain);

    return plain.family == c->addr.family && !is_less(n, range.first) &&
           !is_less(range.last, n);
}

const char *cidr_text(const struct cidr *c, char text[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];

    (void)snprintf(text, ADDR_TEXT_MAX, "%.60s/%u", addr_ip_text(&c->addr, ip),
                   (unsigned)c->prefix_len);
    return text;
}

/* ---- many ---- */

/* By family; by first number; the longer of two that begin together first. */
static int compare(const void *left, const void *right)
{
    const struct cidr *a = left;
    const struct cidr *b = right;
    struct number x = number_of(&a->addr);
    struct number y = number_of(&b->addr);

    if (a->addr.family != b->addr.family) {
        return a->addr.family - b->addr.family;
    }
    if (is_less(x, y) || is_less(y, x)) {
        return is_less(x, y) ? -1 : 1;
    }
    return a->prefix_len - b->prefix_len;
}

/* sorted: as compare() orders them. */
static void add_all(struct access *a, const struct cidr *sorted, size_t count)
{
    const struct cidr *kept = NULL;

    for (size_t i = 0; i < count; i++) {
        if (kept != NULL && cidr_holds(kept, &sorted[i].addr)) {
            continue;
        }
        kept = &sorted[i];
        a->ranges[a->v4_count + a->v6_count] = range_of(kept);
        if (kept->addr.family == 4) {
            a->v4_count++;
        } else {
            a->v6_count++;
        }
    }
}

/* Does one of the ranges hold all of r? */
static bool holds(const struct access *a, uint8_t family, struct range r)
{
    const struct range *at = a->ranges + (family == 4 ? 0 : a->v4_count);
    const struct range *end = a->ranges + a->v4_count;
    size_t count = a->v4_count;

    if (family == 6) {
        count = a->v6_count;
        end += count;
    }
    while (count > 0) { /* to the first that does not end before r does */
        size_t half = count / 2;
        if (is_less(at[half].last, r.last)) {
            at += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return at < end && !is_less(r.first, at->first);
}

static const struct cidr loopbacks[] = {
    {{.ip = {127}, .family = 4}, 8},
    {{.ip = {[15] = 1}, .family = 6}, 128},
};

static bool is_loopback(const struct addr *a)
{
    return a->family == 4 ? a->ip[0] == 127
                          : memcmp(a->ip, loopbacks[1].addr.ip, 16) == 0;
}

int access_create(const struct cidr *ranges, size_t count, struct access **out)
{
    struct access *a = malloc(sizeof(*a) + count * sizeof(a->ranges[0]));
    struct cidr *sorted = malloc((count + 1) * sizeof(*sorted));

    if (a == NULL || sorted == NULL) {
        free(a);
        free(sorted);
        return ERR_NOMEM;
    }
    *a = (struct access){0};
    if (count > 0) {
        memcpy(sorted, ranges, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare);
    }
    add_all(a, sorted, count);
    free(sorted);
    a->has_loopback = true;
    for (size_t i = 0; i < COUNT_OF(loopbacks); i++) {
        a->has_loopback = a->has_loopback && holds(a, loopbacks[i].addr.family,
                                                   range_of(&loopbacks[i]));
    }
    *out = a;
    return 0;
}

void access_destroy(struct access *a)
{
    free(a);
}

size_t access_default(const struct cidr **out)
{
    static const struct cidr ranges[] = {
        {{.ip = {127}, .family = 4}, 8},
        {{.ip = {[15] = 1}, .family = 6}, 128},
        {{.ip = {10}, .family = 4}, 8}, /* RFC 1918 */
        {{.ip = {172, 16}, .family = 4}, 12},
        {{.ip = {192, 168}, .family = 4}, 16},
        {{.ip = {169, 254}, .family = 4}, 16},   /* RFC 3927 */
        {{.ip = {100, 64}, .family = 4}, 10},    /* RFC 6598 */
        {{.ip = {0xfc}, .family = 6}, 7},        /* RFC 4193 */
        {{.ip = {0xfe, 0x80}, .family = 6}, 10}, /* RFC 4291 section 2.5.6 */
    };

    *out = ranges;
    return COUNT_OF(ranges);
}

bool access_allows(const struct access *a, const struct addr *client)
{
    struct addr plain;
    struct number n;

    if (a->has_loopback && is_loopback(client)) {
        return true; /* most clients of most stub resolvers */
    }
    plain = policy_unmapped(client);
    n = number_of(&plain);
    return holds(a, plain.family, (struct range){n, n});
}
