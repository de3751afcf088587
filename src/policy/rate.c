/*
 * Token buckets. A table is sets of four buckets of 16 octets, a set one cache
 * line; the keyed hash of who (and what) names the set, and a tag within it.
 * Levels are thousandths of a token, so that a millisecond at n a second adds
 * n: integers only, nothing is lost. A bucket that is not there is full; so
 * forgetting one errs on the client's side, and makes the memory bounded.
 *
 * Sizes: rate 64 KiB, response_rate 128 KiB; pages that are never touched are
 * never there.
 *
 * Limits on answers work as in BIND, NSD and Knot: an account may go below
 * zero, down to what would have been due in WINDOW_S, so that a flood is not
 * let through in slices of per_s while it lasts; and every slip-th answer that
 * is not sent says TC=1 instead, since the address of a real client may be
 * the one that is forged: it gets its answer over TCP.
 */
#include "policy/rate.h"

#include "base/err.h"
#include "base/siphash.h"
#include "dns/name.h"
#include "policy/mapped.h"

#include <stdlib.h>
#include <string.h>

enum {
    WAYS = 4,
    RATE_SETS = 1024,
    RESPONSE_SETS = 2048,
    TOKEN = 1000,
    LEVEL_MAX = INT32_MAX / 2 / TOKEN, /* tokens; differences fit 31 bits */
    WINDOW_S = 15,
    BACK_MAX_MS = 1 << 28, /* three days: so far the clock may go back */
};

struct bucket {
    uint32_t tag;   /* 0: free */
    uint32_t at_ms; /* when level was right; the clock's lower bits */
    int32_t level;
    uint32_t over; /* answers over the limit since the last that was cut */
};

struct set {
    _Alignas(64) struct bucket ways[WAYS];
};

struct table {
    struct set *sets;
    uint32_t set_mask;
    uint32_t per_s;
    int32_t full, empty; /* bounds of a level */
    uint8_t key[SIPHASH_KEY_LEN];
};

/* ---- tables ---- */

/* Thousandths of count tokens. */
static int32_t level_of(uint64_t count)
{
    return (int32_t)(count < LEVEL_MAX ? count : LEVEL_MAX) * TOKEN;
}

static int table_init(struct table *t, size_t set_count, unsigned per_s,
                      const uint8_t *key)
{
    t->sets = aligned_alloc(sizeof(struct set), set_count * sizeof(struct set));
    if (t->sets == NULL) {
        return ERR_NOMEM;
    }
    memset(t->sets, 0, set_count * sizeof(struct set));
    t->set_mask = (uint32_t)set_count - 1;
    t->per_s = per_s;
    memcpy(t->key, key, sizeof(t->key));
    return 0;
}

/* Milliseconds since the bucket was touched, up to 46 days; 0 when the clock
 * went back. */
static uint32_t idle_ms(const struct bucket *b, uint32_t now_ms)
{
    uint32_t ms = now_ms - b->at_ms;

    return ms > UINT32_MAX - BACK_MAX_MS ? 0 : ms;
}

/* The bucket of hash in its set, or the one that it takes: a free one, or the
 * longest untouched. */
static struct bucket *find(const struct table *t, uint64_t hash,
                           uint32_t now_ms)
{
    struct bucket *ways = t->sets[(uint32_t)hash & t->set_mask].ways;
    uint32_t tag = (uint32_t)(hash >> 32) | 1;
    struct bucket *oldest = ways;

    for (size_t i = 0; i < WAYS; i++) {
        if (ways[i].tag == tag) {
            return &ways[i];
        }
        if (oldest->tag != 0 &&
            (ways[i].tag == 0 ||
             idle_ms(&ways[i], now_ms) > idle_ms(oldest, now_ms))) {
            oldest = &ways[i];
        }
    }
    *oldest = (struct bucket){.tag = tag, .at_ms = now_ms, .level = t->full};
    return oldest;
}

/* The bucket of hash, filled up to now. */
static struct bucket *touch(const struct table *t, uint64_t hash,
                            uint64_t now_ms)
{
    struct bucket *b = find(t, hash, (uint32_t)now_ms);
    int32_t room = t->full - b->level;
    uint64_t gained = (uint64_t)idle_ms(b, (uint32_t)now_ms) * t->per_s;

    b->level += gained < (uint64_t)room ? (int32_t)gained : room;
    b->at_ms = (uint32_t)now_ms;
    return b;
}

/* ---- who ---- */

/* What counts as one client, to be hashed. */
struct prefix {
    uint64_t high, low;
};

static bool is_link_local(const struct addr *a)
{
    return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/*
 * The first bits of the address. All clients of a link share fe80::/64 and
 * cannot be far away: they count one by one.
 */
static struct prefix prefix_of(const struct addr *client, unsigned v4_bits,
                               unsigned v6_bits)
{
    struct addr plain = policy_unmapped(client);
    unsigned bits = plain.family == 4 ? v4_bits : v6_bits;
    struct prefix p = {0, plain.family};

    for (size_t i = 0; i < sizeof(p.high); i++) {
        p.high = p.high << 8 | plain.ip[i];
    }
    p.high &= UINT64_MAX << (64 - bits);
    if (is_link_local(&plain)) {
        memcpy(&p.low, plain.ip + 8, sizeof(p.low));
        p.low ^= (uint64_t)plain.scope_id << 32;
    }
    return p;
}

/* ---- queries ---- */

struct rate {
    struct table table;
};

int rate_create(unsigned per_s, unsigned burst, const uint8_t hash_key[16],
                struct rate **out)
{
    struct rate *r = calloc(1, sizeof(*r));
    int err = r == NULL ? ERR_NOMEM
                        : table_init(&r->table, RATE_SETS, per_s, hash_key);

    if (err != 0) {
        free(r);
        return err;
    }
    r->table.full = level_of(burst > 0 ? burst : 1);
    *out = r;
    return 0;
}

void rate_destroy(struct rate *r)
{
    if (r != NULL) {
        free(r->table.sets);
        free(r);
    }
}

bool rate_take(struct rate *r, const struct addr *client, uint64_t now_ms)
{
    struct prefix p = prefix_of(client, RATE_PREFIX_V4, RATE_PREFIX_V6);
    struct bucket *b =
        touch(&r->table, siphash(r->table.key, &p, sizeof(p)), now_ms);

    if (b->level < TOKEN) {
        return false;
    }
    b->level -= TOKEN;
    return true;
}

/* ---- answers ---- */

struct response_rate {
    struct table table;
    unsigned slip;
};

int response_rate_create(unsigned per_s, unsigned slip,
                         const uint8_t hash_key[16], struct response_rate **out)
{
    struct response_rate *r = calloc(1, sizeof(*r));
    int err = r == NULL ? ERR_NOMEM
                        : table_init(&r->table, RESPONSE_SETS, per_s, hash_key);

    if (err != 0) {
        free(r);
        return err;
    }
    r->table.full = level_of(per_s);
    r->table.empty = -level_of((uint64_t)per_s * WINDOW_S);
    r->slip = slip;
    *out = r;
    return 0;
}

void response_rate_destroy(struct response_rate *r)
{
    if (r != NULL) {
        free(r->table.sets);
        free(r);
    }
}

/* What an answer says, as far as it makes answers alike. */
enum kind { KIND_ERROR, KIND_DATA, KIND_NXDOMAIN };

enum {
    AT_KIND = sizeof(struct prefix),
    AT_TYPE, /* 2 octets, and the class */
    AT_NAME = AT_TYPE + 4,
    CLASS_MAX = AT_NAME + DNS_NAME_MAX,
};

/* Octets of the uncompressed question's name; 0: there is none. */
static size_t asked_name_len(struct span answer)
{
    int len = 0;

    if (answer.len > DNS_HEADER_LEN && dns_get16(answer.ptr + 4) == 1) {
        len = dns_name_skip(answer, DNS_HEADER_LEN);
    }
    return len < 0 || DNS_HEADER_LEN + (size_t)len + 4 > answer.len
               ? 0
               : (size_t)len;
}

/*
 * Write what client and answer have in common with those alike (CLASS_MAX
 * octets at most): random names below one domain are all the same NXDOMAIN.
 * Returns the length.
 */
static size_t write_class(struct span answer, const struct addr *client,
                          uint8_t *out)
{
    struct prefix p = prefix_of(client, RESPONSE_PREFIX_V4, RESPONSE_PREFIX_V6);
    unsigned rcode = dns_get16(answer.ptr + 2) & DNS_RCODE_MASK;
    const uint8_t *name = answer.ptr + DNS_HEADER_LEN;
    size_t len = asked_name_len(answer);

    memcpy(out, &p, sizeof(p));
    memset(out + AT_KIND, 0, AT_NAME - AT_KIND);
    if (len == 0 ||
        (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN)) {
        out[AT_KIND] = KIND_ERROR;
        return AT_NAME;
    }
    if (rcode == DNS_RCODE_NOERROR) {
        out[AT_KIND] = KIND_DATA;
        memcpy(out + AT_TYPE, name + len, 4);
    } else {
        out[AT_KIND] = KIND_NXDOMAIN;
        size_t label_len = name[0] == 0 ? 0 : 1u + name[0];
        name += label_len;
        len -= label_len;
    }
    dns_name_lower(out + AT_NAME, name, len);
    return AT_NAME + len;
}

enum response_verdict response_rate_take(struct response_rate *r,
                                         const struct addr *client,
                                         struct span answer, uint64_t now_ms)
{
    uint8_t class[CLASS_MAX];
    size_t len = write_class(answer, client, class);
    struct bucket *b =
        touch(&r->table, siphash(r->table.key, class, len), now_ms);
    bool is_over = b->level < TOKEN;

    b->level =
        b->level - r->table.empty < TOKEN ? r->table.empty : b->level - TOKEN;
    if (!is_over) {
        b->over = 0;
        return RESPONSE_SEND;
    }
    b->over++;
    if (r->slip == 0 || b->over < r->slip) {
        return RESPONSE_DROP;
    }
    b->over = 0;
    return RESPONSE_CUT;
}
