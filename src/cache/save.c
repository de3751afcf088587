/*
 * The cache as a stream, numbers in network order:
 *
 *   header   8 octets "dotstub" and NUL, version (4), 0 (4), time of day (8),
 *            hash of the 24 octets before it (8)
 *   chunks   length (4), 0 (4), hash (8), as many octets of records: whole
 *            ones, CHUNK_MAX at most
 *   end      a chunk of length 0, whose hash shows that none is missing
 *   record   message length (4), age in ms (8), bits (4), the message: whole,
 *            with id 0 and the TTLs that it had when it was stored
 *
 * Hashes are SipHash with a key that is made of the chunk's number and length:
 * they find damage, not forgery. Forged records still are parsed and judged as
 * if a server had sent them.
 */
#include "cache/cache.h"

#include "base/err.h"
#include "cache/internal.h"
#include "dns/stored.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 2,
    MAGIC_LEN = 8,
    HEADER_LEN = 32,
    HEADER_HASHED_LEN = 24,
    CHUNK_HEAD_LEN = 16,
    RECORD_HEAD_LEN = 16,
    CHUNK_WANTED =
        65536, /* with so many octets, a chunk gets no more records */
    CHUNK_MAX = CHUNK_WANTED + RECORD_HEAD_LEN + DNS_MESSAGE_MAX,
};

/* What is gathered of a shard is not longer than the shard. */
_Static_assert(offsetof(struct cache_entry, ttl_at) >=
                   RECORD_HEAD_LEN + DNS_HEADER_LEN + DNS_OPT_FIXED_LEN,
               "a record is shorter than its entry");

enum { RECORD_DO = 1, RECORD_CD = 2, RECORD_PROVEN = 4 };

static const uint8_t magic[MAGIC_LEN] = "dotstub";

static void put64(uint8_t *p, uint64_t value)
{
    dns_put32(p, (uint32_t)(value >> 32));
    dns_put32(p + 4, (uint32_t)value);
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)dns_get32(p) << 32 | dns_get32(p + 4);
}

/* The hash of chunk n; the header is number 0. */
static uint64_t chunk_hash(uint64_t n, struct span octets)
{
    uint8_t key[SIPHASH_KEY_LEN];

    put64(key, n);
    put64(key + 8, octets.len);
    return siphash(key, octets.ptr, octets.len);
}

/* ---- saving ---- */

/* What is gathered under a shard's lock: chunks one after the other, whose
 * hashes are made when it was given back. */
struct saving {
    const struct cache *cache;
    uint64_t now_ms;
    uint8_t *octets; /* owned */
    size_t len;
    size_t cap;
    size_t chunk_at; /* the last chunk */
};

static int saving_init(struct saving *w, const struct cache *c, uint64_t now_ms)
{
    size_t len = (size_t)c->arena.segment_len * (size_t)c->shards[0].quota;

    *w = (struct saving){
        .cache = c,
        .now_ms = now_ms,
        .cap = len + CHUNK_HEAD_LEN * (2 + len / CHUNK_WANTED),
    };
    w->octets = malloc(w->cap);
    return w->octets == NULL ? ERR_NOMEM : 0;
}

static void chunk_begin(struct saving *w)
{
    w->chunk_at = w->len;
    w->len += CHUNK_HEAD_LEN;
}

static void chunk_end(struct saving *w)
{
    uint8_t *p = w->octets + w->chunk_at;

    dns_put32(p, (uint32_t)(w->len - w->chunk_at - CHUNK_HEAD_LEN));
    dns_put32(p + 4, 0);
}

/* The chunk at *at, which moves past it. */
static struct span chunk_next(const struct saving *w, size_t *at)
{
    const uint8_t *p = w->octets + *at;
    size_t len = CHUNK_HEAD_LEN + dns_get32(p);

    *at += len;
    return span_of(p, len);
}

static unsigned record_bits(const struct cache_entry *e)
{
    unsigned bits = 0;

    bits |= (e->key_bits & CACHE_KEY_DO) != 0 ? RECORD_DO : 0;
    bits |= (e->key_bits & CACHE_KEY_CD) != 0 ? RECORD_CD : 0;
    bits |=
        (e->bits & CACHE_ENTRY_MAIN) != 0 || e->hits > 0 ? RECORD_PROVEN : 0;
    return bits;
}

static void save_entry(void *arg, struct cache_shard *s, struct cache_entry *e)
{
    struct saving *w = arg;
    const struct dns_stored view = cache_entry_view(e);
    const struct dns_extra extra = {.ede = DNS_EDE_NONE};
    const struct dns_asker as_stored = {
        .question = cache_entry_question(e),
        .question_len = (uint16_t)(e->name_len + 4),
        .flags = DNS_FLAG_AD,
        .limit = DNS_MESSAGE_MAX,
        .has_opt = e->options_len > 0,
    };
    uint64_t age_ms = cache_entry_age_ms(e, w->now_ms);
    uint8_t *p;
    int len;

    (void)s;
    if (cache_entry_is_failure(e) ||
        age_ms >= (e->ttl_s + (uint64_t)w->cache->options.stale_s) * 1000) {
        return;
    }
    if (w->len - w->chunk_at - CHUNK_HEAD_LEN >= CHUNK_WANTED) {
        chunk_end(w);
        chunk_begin(w);
    }
    p = w->octets + w->len;
    len = dns_build_stored(&as_stored, &view, (struct dns_age){0}, &extra,
                           p + RECORD_HEAD_LEN,
                           w->cap - w->len - RECORD_HEAD_LEN);
    assert(len > 0); /* a record is shorter than its entry */
    dns_put32(p, (uint32_t)len);
    put64(p + 4, age_ms);
    dns_put32(p + 12, record_bits(e));
    w->len += RECORD_HEAD_LEN + (size_t)len;
}

static int save_header(uint64_t wall_s, cache_sink_fn *sink, void *arg)
{
    uint8_t header[HEADER_LEN];

    memcpy(header, magic, MAGIC_LEN);
    dns_put32(header + 8, VERSION);
    dns_put32(header + 12, 0);
    put64(header + 16, wall_s);
    put64(header + HEADER_HASHED_LEN,
          chunk_hash(0, span_of(header, HEADER_HASHED_LEN)));
    return sink(arg, span_of(header, sizeof(header)));
}

/* Gather what a shard has; nothing, or chunks that are not empty. */
static void save_shard(struct saving *w, struct cache_shard *s)
{
    w->len = 0;
    chunk_begin(w);
    (void)pthread_mutex_lock(&s->lock);
    cache_shard_walk(s, save_entry, w);
    (void)pthread_mutex_unlock(&s->lock);
    chunk_end(w);
    if (w->len == CHUNK_HEAD_LEN) {
        w->len = 0;
    }
}

/* Write the chunks that were gathered; *n is the number of the next. */
static int save_chunks(const struct saving *w, uint64_t *n, cache_sink_fn *sink,
                       void *arg)
{
    int err = 0;

    for (size_t at = 0; at < w->len && err == 0;) {
        uint8_t *head = w->octets + at;
        struct span chunk = chunk_next(w, &at);

        put64(head + 8, chunk_hash((*n)++, span_from(chunk, CHUNK_HEAD_LEN)));
        err = sink(arg, chunk);
    }
    return err;
}

static int save_all(struct cache *c, struct saving *w, cache_sink_fn *sink,
                    void *arg)
{
    uint64_t n = 1;
    int err = 0;

    for (unsigned i = 0; i < c->shard_count && err == 0; i++) {
        save_shard(w, &c->shards[i]);
        err = save_chunks(w, &n, sink, arg);
    }
    if (err != 0) {
        return err;
    }
    w->len = 0;
    chunk_begin(w);
    chunk_end(w);
    return save_chunks(w, &n, sink, arg);
}

int cache_save(struct cache *c, uint64_t wall_s, uint64_t now_ms,
               cache_sink_fn *sink, void *arg)
{
    struct saving w;
    int err = saving_init(&w, c, now_ms);

    if (err == 0) {
        err = save_header(wall_s, sink, arg);
    }
    if (err == 0) {
        err = save_all(c, &w, sink, arg);
    }
    free(w.octets);
    return err;
}

/* ---- loading ---- */

struct reading {
    cache_source_fn *source;
    void *arg;
    uint64_t at;
    uint8_t *octets; /* of one chunk: room for CHUNK_MAX */
};

/* The next len octets. Returns 0 | ERR_INVAL: there are fewer | what the
 * source returned. */
static int read_octets(struct reading *r, uint8_t *out, size_t len)
{
    int got = r->source(r->arg, r->at, out, len);

    if (got < 0) {
        return got;
    }
    r->at += (size_t)got;
    return (size_t)got == len ? 0 : ERR_INVAL;
}

/* *saved_s: the time of day when it was saved. Returns as read_octets(). */
static int read_header(struct reading *r, uint64_t *saved_s)
{
    uint8_t p[HEADER_LEN];
    int err = read_octets(r, p, sizeof(p));

    if (err != 0) {
        return err;
    }
    *saved_s = get64(p + 16);
    return memcmp(p, magic, MAGIC_LEN) == 0 && dns_get32(p + 8) == VERSION &&
                   get64(p + HEADER_HASHED_LEN) ==
                       chunk_hash(0, span_of(p, HEADER_HASHED_LEN))
               ? 0
               : ERR_INVAL;
}

/* The records of chunk n, which is next. Returns as read_octets(); ERR_INVAL:
 * or it is damaged. */
static int read_chunk(struct reading *r, uint64_t n, struct span *out)
{
    uint8_t head[CHUNK_HEAD_LEN];
    size_t len;
    int err = read_octets(r, head, sizeof(head));

    if (err != 0) {
        return err;
    }
    len = dns_get32(head);
    if (dns_get32(head + 4) != 0 || len > CHUNK_MAX) {
        return ERR_INVAL;
    }
    err = read_octets(r, r->octets, len);
    *out = span_of(r->octets, len);
    if (err == 0 && get64(head + 8) != chunk_hash(n, *out)) {
        err = ERR_INVAL;
    }
    return err;
}

/* Is every chunk whole, the last one there, and nothing behind it? */
static int check_chunks(struct reading *r)
{
    struct span chunk;
    uint8_t more;
    uint64_t n = 1;
    int err;

    do {
        err = read_chunk(r, n++, &chunk);
    } while (err == 0 && chunk.len > 0);
    if (err != 0) {
        return err;
    }
    err = r->source(r->arg, r->at, &more, sizeof(more));
    return err > 0 ? ERR_INVAL : err;
}

struct loading {
    struct cache *cache;
    uint64_t now_ms;
    uint64_t away_ms; /* how long nobody counted */
    bool is_unknown;  /* … and how long that was, nobody knows */
    size_t count;
};

static bool outcome_is_kept(enum cache_outcome outcome)
{
    return outcome == CACHE_KEPT || outcome == CACHE_KEPT_NEGATIVE;
}

static void load_record(struct loading *l, struct span message, uint64_t age_ms,
                        unsigned bits)
{
    struct dns_response r;
    struct cache_candidate candidate = {
        .q = &r.question,
        .has_do = (bits & RECORD_DO) != 0,
        .has_cd = (bits & RECORD_CD) != 0,
        .message = message,
        .r = &r,
        .now_ms = l->now_ms,
        .age_ms = age_ms,
        .is_proven = (bits & RECORD_PROVEN) != 0,
        .is_loaded = true,
        .is_past = l->is_unknown,
    };

    if (dns_response_parse(message, &r) != 0 || !r.has_question) {
        return;
    }
    l->count += outcome_is_kept(cache_take(l->cache, &candidate)) ? 1 : 0;
}

static void load_chunk(struct loading *l, struct span rest)
{
    while (rest.len >= RECORD_HEAD_LEN) {
        size_t len = dns_get32(rest.ptr);
        uint64_t age_ms = get64(rest.ptr + 4);
        unsigned bits = dns_get32(rest.ptr + 12);

        if (len > rest.len - RECORD_HEAD_LEN) {
            return;
        }
        if (age_ms <= (uint64_t)INT64_MAX / 4) {
            load_record(l, span_of(rest.ptr + RECORD_HEAD_LEN, len),
                        age_ms + l->away_ms, bits);
        }
        rest = span_from(rest, RECORD_HEAD_LEN + len);
    }
}

static int load_chunks(struct loading *l, struct reading *r)
{
    struct span chunk;
    uint64_t n = 1;
    int err;

    while ((err = read_chunk(r, n++, &chunk)) == 0 && chunk.len > 0) {
        load_chunk(l, chunk);
    }
    return err;
}

/* Everything is read twice: nothing may be believed before all is checked, and
 * all does not have to fit into memory. */
static int load(struct loading *l, struct reading *r, uint64_t wall_s)
{
    uint64_t saved_s;
    int err = read_header(r, &saved_s);

    if (err == 0) {
        err = check_chunks(r);
    }
    if (err != 0) {
        return err;
    }
    l->is_unknown = wall_s < saved_s;
    if (!l->is_unknown) {
        uint64_t away_s = wall_s - saved_s;
        l->away_ms = (away_s < UINT32_MAX ? away_s : UINT32_MAX) * 1000;
    }
    r->at = HEADER_LEN;
    return load_chunks(l, r);
}

int cache_load(struct cache *c, cache_source_fn *source, void *arg,
               uint64_t wall_s, uint64_t now_ms, size_t *count)
{
    struct loading l = {.cache = c, .now_ms = now_ms};
    struct reading r = {.source = source, .arg = arg};
    int err = ERR_NOMEM;

    r.octets = malloc(CHUNK_MAX);
    if (r.octets != NULL) {
        err = load(&l, &r, wall_s);
    }
    free(r.octets);
    if (err == 0 && count != NULL) {
        *count = l.count;
    }
    return err;
}

/* ---- from one cache to another ---- */

int cache_copy(struct cache *from, struct cache *to, uint64_t now_ms,
               size_t *count)
{
    struct loading l = {.cache = to, .now_ms = now_ms};
    struct saving w;
    int err = saving_init(&w, from, now_ms);

    if (err != 0) {
        return err;
    }
    for (unsigned i = 0; i < from->shard_count; i++) {
        save_shard(&w, &from->shards[i]);
        for (size_t at = 0; at < w.len;) {
            struct span chunk = chunk_next(&w, &at);
            load_chunk(&l, span_from(chunk, CHUNK_HEAD_LEN));
        }
    }
    free(w.octets);
    if (count != NULL) {
        *count = l.count;
    }
    return 0;
}
