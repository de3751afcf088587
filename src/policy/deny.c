/*
 * Lists of denied names. The table is at most three quarters full and doubles:
 * a million names are 16 MiB, and 24 MiB while it last grew.
 */
#include "policy/deny.h"

#include "base/addr.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLOTS_AT_FIRST = 1024 };

/* ---- the table ---- */

void deny_finish(struct deny *d)
{
    free(d->slots);
    *d = (struct deny){0};
}

/* 0 marks a free slot, so it cannot be a name's. */
static uint64_t mark_of(uint64_t hash)
{
    return hash == 0 ? 1 : hash;
}

/* Where mark is, or the free slot where it would be. */
static size_t seek(const struct deny *d, uint64_t mark)
{
    size_t at = mark & (d->cap - 1);

    while (d->slots[at] != 0 && d->slots[at] != mark) {
        at = (at + 1) & (d->cap - 1);
    }
    return at;
}

static int grow(struct deny *d)
{
    struct deny more = *d;

    more.cap = d->cap == 0 ? SLOTS_AT_FIRST : d->cap * 2;
    more.slots = calloc(more.cap, sizeof(*more.slots));
    if (more.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < d->cap; i++) {
        if (d->slots[i] != 0) {
            more.slots[seek(&more, d->slots[i])] = d->slots[i];
        }
    }
    free(d->slots);
    *d = more;
    return 0;
}

int deny_add(struct deny *d, const struct sip *k, const uint8_t *name,
             size_t len)
{
    struct names_walk w;
    uint64_t mark;
    size_t at;

    names_walk_init(&w, k, name, len);
    names_walk_to(&w, w.labels);
    if (d->count >= d->cap / 4 * 3 && grow(d) != 0) {
        return ERR_NOMEM;
    }
    mark = mark_of(w.hash[w.labels]);
    at = seek(d, mark);
    if (d->slots[at] == 0) {
        d->slots[at] = mark;
        d->count++;
        d->depths |= names_depth_bit(w.labels);
    }
    return 0;
}

bool deny_holds(const struct deny *d, struct names_walk *w)
{
    unsigned last = 0;

    while (last < w->labels && names_depth_bit(last + 1) <= d->depths) {
        last++;
    }
    names_walk_to(w, last);
    /* Every look is a miss of the processor's caches: have them at once. */
    for (unsigned i = 1; i <= last; i++) {
        if ((d->depths & names_depth_bit(i)) != 0) {
            __builtin_prefetch(&d->slots[mark_of(w->hash[i]) & (d->cap - 1)]);
        }
    }
    for (unsigned i = 1; i <= last; i++) {
        if ((d->depths & names_depth_bit(i)) != 0 &&
            d->slots[seek(d, mark_of(w->hash[i]))] != 0) {
            return true;
        }
    }
    return false;
}

/* ---- lines ---- */

/* What hosts files have for the machine itself. */
static bool is_own_name(struct span s)
{
    static const char *const own[] = {
        "localhost",     "localhost.localdomain",
        "localhost4",    "localhost4.localdomain4",
        "localhost6",    "localhost6.localdomain6",
        "local",         "broadcasthost",
        "ip6-localhost", "ip6-loopback",
        "ip6-localnet",  "ip6-mcastprefix",
        "ip6-allnodes",  "ip6-allrouters",
        "ip6-allhosts",  "0.0.0.0",
    };

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (s.len == strlen(own[i]) &&
            strncasecmp((const char *)s.ptr, own[i], s.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Is the address one that leads nowhere: 0.0.0.0, ::, 127.0.0.0/8, ::1? */
static bool is_null_address(const struct addr *a)
{
    static const uint8_t zeros[16];

    if (a->family == 4) {
        return a->ip[0] == 127 || memcmp(a->ip, zeros, 4) == 0;
    }
    return memcmp(a->ip, zeros, 15) == 0 && a->ip[15] <= 1;
}

static int add_text(struct deny *d, const struct sip *k, struct span s)
{
    uint8_t name[DNS_NAME_MAX];
    int len = names_from_host((const char *)s.ptr, s.len, name);

    if (len < 0) {
        return ERR_INVAL;
    }
    return deny_add(d, k, name, (size_t)len);
}

/* The names behind an address. One that is not understood does not keep the
 * others out. */
static int hosts_names(struct deny *d, const struct sip *k,
                       const struct addr *a, struct span line)
{
    int result = 0;

    for (struct span word = lines_word(&line); word.len > 0;
         word = lines_word(&line)) {
        if (!is_own_name(word)) {
            int err = is_null_address(a) ? add_text(d, k, word) : ERR_INVAL;
            if (err == ERR_NOMEM) {
                return err;
            }
            result = err == 0 ? result : err;
        }
    }
    return result;
}

static bool has_prefix(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len > len && memcmp(s.ptr, prefix, len) == 0;
}

int deny_line(struct deny *d, const struct sip *k, struct span line)
{
    struct span word;
    struct addr a;

    if (line.len > 0 && (*line.ptr == '!' || *line.ptr == '[')) {
        return 0;
    }
    line = lines_without_comment(line);
    word = lines_word(&line);
    if (word.len == 0) {
        return 0;
    }
    if (lines_address(word, &a)) {
        return line.len == 0 ? ERR_INVAL : hosts_names(d, k, &a, line);
    }
    if (has_prefix(word, "||") && word.ptr[word.len - 1] == '^') {
        word = span_of(word.ptr + 2, word.len - 3);
    } else if (has_prefix(word, "*.")) {
        word = span_from(word, 2);
    }
    return line.len > 0 ? ERR_INVAL : add_text(d, k, word);
}

int deny_read(struct deny *d, const struct sip *k, struct lines *l)
{
    struct span line;
    int more;

    for (more = lines_next(l, &line); more > 0; more = lines_next(l, &line)) {
        int err = deny_line(d, k, line);

        if (err == ERR_NOMEM) {
            return err;
        }
        if (err != 0) {
            lines_bad(l);
        }
    }
    return more;
}
