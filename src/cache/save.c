/*
 * The cache as a stream, numbers in network order:
 *
 *   header   8 octets "dotstub" and NUL, version (4), 0 (4), time of day (8),
 *            hash of the 24 octets before it (8)
 *   chunks   length (4), 0 (4), hash (8), as many octets of records
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
    VERSION = 1,
    MAGIC_LEN = 8,
    HEADER_LEN = 32,
    HEADER_HASHED_LEN = 24,
    CHUNK_HEAD_LEN = 16,
    RECORD_HEAD_LEN = 16,
};

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

struct saving {
    const struct cache *cache;
    uint64_t now_ms;
    uint8_t *octets; /* a chunk's head and its records */
    size_t len;
    size_t cap;
};

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
    uint8_t *p = w->octets + w->len;
    int len;

    (void)s;
    if (cache_entry_is_failure(e) ||
        age_ms >= (e->ttl_s + (uint64_t)w->cache->options.stale_s) * 1000) {
        return;
    }
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

/* Write what was gathered as chunk n. */
static int save_chunk(struct saving *w, uint64_t n, cache_sink_fn *sink,
                      void *arg)
{
    size_t len = w->len - CHUNK_HEAD_LEN;

    dns_put32(w->octets, (uint32_t)len);
    dns_put32(w->octets + 4, 0);
    put64(w->octets + 8,
          chunk_hash(n, span_of(w->octets + CHUNK_HEAD_LEN, len)));
    return sink(arg, span_of(w->octets, w->len));
}

static int save_shards(struct cache *c, struct saving *w, cache_sink_fn *sink,
                       void *arg)
{
    uint64_t n = 1;

    for (unsigned i = 0; i < c->shard_count; i++) {
        struct cache_shard *s = &c->shards[i];
        int err;

        w->len = CHUNK_HEAD_LEN;
        (void)pthread_mutex_lock(&s->lock);
        cache_shard_walk(s, save_entry, w);
        (void)pthread_mutex_unlock(&s->lock);
        if (w->len == CHUNK_HEAD_LEN) {
            continue;
        }
        err = save_chunk(w, n++, sink, arg);
        if (err != 0) {
            return err;
        }
    }
    w->len = CHUNK_HEAD_LEN;
    return save_chunk(w, n, sink, arg);
}

int cache_save(struct cache *c, uint64_t wall_s, uint64_t now_ms,
               cache_sink_fn *sink, void *arg)
{
    struct saving w = {
        .cache = c,
        .now_ms = now_ms,
        .cap = CHUNK_HEAD_LEN +
               (size_t)c->arena.segment_len * (size_t)c->shards[0].quota,
    };
    int err;

    w.octets = malloc(w.cap);
    if (w.octets == NULL) {
        return ERR_NOMEM;
    }
    err = save_header(wall_s, sink, arg);
    if (err == 0) {
        err = save_shards(c, &w, sink, arg);
    }
    free(w.octets);
    return err;
}

/* ---- loading ---- */

static bool header_is_ours(struct span stream)
{
    const uint8_t *p = stream.ptr;

    return stream.len >= HEADER_LEN && memcmp(p, magic, MAGIC_LEN) == 0 &&
           dns_get32(p + 8) == VERSION &&
           get64(p + HEADER_HASHED_LEN) ==
               chunk_hash(0, span_of(p, HEADER_HASHED_LEN));
}

/*
 * Chunk n at the head of *rest, which moves past it.
 * Returns 0 | ERR_INVAL: damaged, or cut off.
 */
static int chunk_cut(struct span *rest, uint64_t n, struct span *out)
{
    const uint8_t *p = rest->ptr;
    size_t len;

    if (rest->len < CHUNK_HEAD_LEN) {
        return ERR_INVAL;
    }
    len = dns_get32(p);
    if (dns_get32(p + 4) != 0 || len > rest->len - CHUNK_HEAD_LEN) {
        return ERR_INVAL;
    }
    *out = span_of(p + CHUNK_HEAD_LEN, len);
    if (get64(p + 8) != chunk_hash(n, *out)) {
        return ERR_INVAL;
    }
    *rest = span_from(*rest, CHUNK_HEAD_LEN + len);
    return 0;
}

/* Every chunk is whole, the last one is there, and nothing follows it. */
static bool chunks_are_whole(struct span rest)
{
    struct span chunk;
    uint64_t n = 1;

    do {
        if (chunk_cut(&rest, n++, &chunk) != 0) {
            return false;
        }
    } while (chunk.len > 0);
    return rest.len == 0;
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

int cache_load(struct cache *c, struct span stream, uint64_t wall_s,
               uint64_t now_ms, size_t *count)
{
    struct loading l = {.cache = c, .now_ms = now_ms};
    struct span rest = span_from(stream, HEADER_LEN);
    struct span chunk;
    uint64_t saved_s;

    if (!header_is_ours(stream) || !chunks_are_whole(rest)) {
        return ERR_INVAL;
    }
    saved_s = get64(stream.ptr + 16);
    l.is_unknown = wall_s < saved_s;
    if (!l.is_unknown) {
        uint64_t away_s = wall_s - saved_s;
        l.away_ms = (away_s < UINT32_MAX ? away_s : UINT32_MAX) * 1000;
    }
    for (uint64_t n = 1; chunk_cut(&rest, n, &chunk) == 0 && chunk.len > 0;
         n++) {
        load_chunk(&l, chunk);
    }
    if (count != NULL) {
        *count = l.count;
    }
    return 0;
}
