/*
 * Answers by question, kept in bounded memory and shared by all workers.
 *
 * The question is the key: name without regard to case, type, class, and the
 * DO and CD of who asks. A hit is written straight into the client's answer.
 * Nothing here reads a clock: now_ms is the caller's, a clock that does not go
 * back; workers' clocks may differ by a little. Every function may be called
 * from any thread.
 *
 * Files: cache.c (answers, flush, counters), store.c (what is kept, for how
 * long), save.c (to and from a stream), shard.c (entries in memory, and which
 * of them go), index.c (where the entry of a key is), entry.h (one entry),
 * key.h (its key), arena.h (the memory).
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/attr.h"
#include "base/siphash.h"
#include "base/span.h"
#include "dns/build.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

enum { CACHE_LEN_MIN = 65536, CACHE_SHARDS_MAX = 256 };

struct cache_options {
    size_t max_len;  /* octets in all, at least CACHE_LEN_MIN; below 32 GiB */
    unsigned shards; /* a power of two; 0: chosen by max_len */
    uint8_t hash_key[SIPHASH_KEY_LEN]; /* random, nobody else's */
    uint32_t min_ttl_s;                /* TTLs below are raised to it */
    uint32_t max_ttl_s;                /* TTLs above are cut to it */
    uint32_t max_negative_ttl_s;       /* … of answers that say "no" */
    uint32_t failure_ttl_s;            /* how long a failure is believed; 0: not
                                          at all */
    uint32_t stale_s; /* how long an answer is kept past its end; 0: not */
};

/* An empty cache with one reference. Memory is reserved, and taken only as it
 * fills. Returns 0 | ERR_INVAL (options) | ERR_NOMEM. */
MUST_USE int cache_create(const struct cache_options *options,
                          struct cache **out);

/* One more reference; returns c. */
struct cache *cache_retain(struct cache *c);

/* Give a reference back; the last one frees the cache. Accepts NULL. */
void cache_release(struct cache *c);

/* ---- answers ---- */

enum cache_state {
    CACHE_MISS,
    CACHE_FRESH, /* within its TTL */
    CACHE_STALE  /* past it: RFC 8767 */
};

/* What was found. */
struct cache_hit {
    enum cache_state state;
    bool has_stale;     /* MISS, but allow_stale would have found a stale one */
    bool wants_refresh; /* ask the server for it anew, in the background: true
                           once for a fresh entry in the last tenth of its TTL
                           that was used before, and every CACHE_RETRY_S at
                           most for a stale one; never without may_refresh */
    uint8_t rcode;
    uint32_t age_s;  /* whole seconds since it was stored */
    size_t need_len; /* with ERR_DNS_SPACE: a cap that suffices */
};

enum {
    CACHE_STALE_TTL_S = 30, /* RFC 8767 section 4 */
    CACHE_RETRY_S = 5
};

/* Who asks, and on what terms. */
struct cache_ask {
    const struct dns_asker *asker; /* its question must have been read */
    const struct dns_extra *extra; /* as for dns_build_answer() */
    uint64_t now_ms;
    uint64_t hash;        /* cache_look_ahead()'s; 0: it was not called */
    bool allow_stale;     /* an answer past its TTL will do */
    uint32_t stale_cut_s; /* so much less than the options' stale_s; of more
                             than that nothing is left */
    bool is_read_back;    /* for whoever it was kept for: neither a use of it
                             nor counted */
    bool may_refresh;     /* if a refresh is wanted, the caller sees to it */
};

/*
 * Answer a client from the cache, as dns_build_answer() would have answered
 * from the server's message, TTLs counted down. The extended error of q->extra
 * is replaced by one that tells a stale answer (3, 19) or a cached failure (13,
 * where the server said none), and its text goes with that.
 *
 * Without allow_stale, an answer past its TTL is given all the same for
 * failure_ttl_s after a failure was stored over it (RFC 8767 section 5:
 * "failure recheck"). Each record of a stale answer has a TTL of
 * CACHE_STALE_TTL_S, and AD is not set.
 *
 * Returns the octets written to out | 0 (hit->state is CACHE_MISS) |
 * ERR_DNS_SPACE (cap too small: nothing was counted; once more, with more).
 * hit is set in every case.
 */
MUST_USE int cache_answer(struct cache *c, const struct cache_ask *q,
                          uint8_t *out, size_t cap, struct cache_hit *hit);

/*
 * Looking ahead: with many questions at hand, the memory of each can be on its
 * way while others are answered. In three passes over some dozens of them:
 * cache_look_ahead() has the processor fetch where the index would have the
 * question, and returns its hash, never 0; cache_look_ahead_more() has it fetch
 * the entry that the index names; then cache_answer(). They take no lock and
 * change nothing. A pass too many or too few costs time alone.
 */
uint64_t cache_look_ahead(const struct cache *c, struct span question,
                          bool has_do, bool has_cd);
void cache_look_ahead_more(const struct cache *c, uint64_t hash);

/* ---- storing ---- */

/* What was done with an answer, and why. */
#define CACHE_OUTCOMES(X) \
    X(CACHE_KEPT, "kept") \
    X(CACHE_KEPT_NEGATIVE, "kept, negative") \
    X(CACHE_KEPT_FAILURE, "kept, failure") \
    X(CACHE_KEPT_OLDER, "failure noted, the good answer before it stays") \
    X(CACHE_NOT_TTL, "TTL is 0") \
    X(CACHE_NOT_SOA, "negative without SOA") \
    X(CACHE_NOT_RCODE, "rcode is not for keeping") \
    X(CACHE_NOT_TRUNCATED, "truncated") \
    X(CACHE_NOT_SCOPED, "for one client subnet") \
    X(CACHE_NOT_QUESTION, "not an answer to the question") \
    X(CACHE_NOT_LEN, "too long") \
    X(CACHE_NOT_NEWER, "out of a file, and of no use any more") \
    X(CACHE_NOT_ROOM, "no room in the index")

enum cache_outcome {
#define CACHE_OUTCOME_ENUM(name, text) name,
    CACHE_OUTCOMES(CACHE_OUTCOME_ENUM)
#undef CACHE_OUTCOME_ENUM
        CACHE_OUTCOME_COUNT
};

/* For people; static. */
const char *cache_outcome_text(enum cache_outcome outcome);

/*
 * Keep a server's answer (message, parsed as r) to the question q that was
 * asked with these DO and CD, if it may be kept:
 *   - answers for the least TTL of their records, negative ones by RFC 2308;
 *   - SERVFAIL for failure_ttl_s (RFC 9520), never in place of a good answer
 *     that can still be given: that one is then given stale, see above.
 *     Other errors are not kept, but mark a good answer in the same way;
 *   - nothing that is truncated, has TTL 0, or is for a client subnet only.
 * A good answer that cannot be kept removes what it makes obsolete.
 * All is copied.
 */
enum cache_outcome cache_store(struct cache *c, const struct dns_question *q,
                               bool has_do, bool has_cd, struct span message,
                               const struct dns_response *r, uint64_t now_ms);

/*
 * Keep that no server answered q in time, as if SERVFAIL with this extended
 * error (DNS_EDE_NONE: none; text may be NULL) had come.
 */
enum cache_outcome cache_store_failure(struct cache *c,
                                       const struct dns_question *q,
                                       bool has_do, bool has_cd, int ede,
                                       const char *ede_text, uint64_t now_ms);

/* ---- removing ---- */

/*
 * Remove what is kept for a wire name (any case), of one type (0: of all), and
 * with_subtree for all names below it too. Walks the whole cache, one shard
 * after the other. Returns the entries removed.
 */
size_t cache_flush_name(struct cache *c, struct span name, uint16_t type,
                        bool with_subtree);

/* Remove everything and give the memory back. Returns the entries removed. */
size_t cache_flush_all(struct cache *c);

/* ---- counters ---- */

struct cache_stats {
    uint64_t entries; /* now, stale ones among them */
    uint64_t octets;  /* now: memory taken, own structures included */
    uint64_t hits;    /* fresh answers */
    uint64_t stale;   /* stale answers */
    uint64_t misses;
    uint64_t refreshes;                     /* hits that wanted a refresh */
    uint64_t evictions;                     /* entries that went to make room */
    uint64_t outcomes[CACHE_OUTCOME_COUNT]; /* of storing */
};

/* The sum over all shards, each looked at in turn. */
void cache_stats(struct cache *c, struct cache_stats *out);

/* ---- surviving a restart ---- */

/* Takes octets of the stream, in order. Returns 0, or an error that ends the
 * saving. Called without a lock held. */
typedef int cache_sink_fn(void *arg, struct span octets);

/*
 * Write all answers that are worth keeping to sink; failures are not. wall_s:
 * the time of day, seconds since 1970. Workers go on meanwhile, but for the
 * shard that is being copied (some milliseconds each).
 * Returns 0 | ERR_NOMEM | what sink returned.
 */
MUST_USE int cache_save(struct cache *c, uint64_t wall_s, uint64_t now_ms,
                        cache_sink_fn *sink, void *arg);

/*
 * Gives octets of a stream: from place at on as many as out has room for,
 * fewer only where the stream ends. Returns how many | an error, which ends the
 * loading.
 */
typedef int cache_source_fn(void *arg, uint64_t at, uint8_t *out, size_t cap);

/*
 * Store what a stream of cache_save() has. TTLs went on counting while it was
 * away; what is past its end is kept as stale or not at all. If the time of day
 * has gone back since, everything is taken as just past its end. The stream is
 * read twice, first to check all of it, some 128 KiB at a time; it must not
 * change meanwhile.
 * *count (may be NULL): entries stored.
 * Returns 0 | ERR_INVAL: not such a stream, of another version, or damaged |
 * ERR_NOMEM | what source returned; then nothing was stored, unless the stream
 * changed.
 */
MUST_USE int cache_load(struct cache *c, cache_source_fn *source, void *arg,
                        uint64_t wall_s, uint64_t now_ms, size_t *count);

/* ---- another size, other rules ---- */

/*
 * A cache does not change its options: make another one, have the answers
 * copied, and let everybody use that one. Both may be in use meanwhile; what
 * `to` has already is newer and stays. Answers are judged anew by its options;
 * failures are not copied, nor are counters. Takes the memory of one shard of
 * `from`, and its lock while that is copied.
 * *count (may be NULL): entries stored.
 * Returns 0 | ERR_NOMEM (nothing was copied).
 */
MUST_USE int cache_copy(struct cache *from, struct cache *to, uint64_t now_ms,
                        size_t *count);

#endif
