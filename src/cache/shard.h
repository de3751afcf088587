/*
 * One part of the cache, with a lock of its own: an index, and entries in
 * segments that are filled from front to back and emptied whole, so memory
 * never fragments.
 *
 * Which entries go is S3-FIFO's choice (Yang and others, "FIFO queues are all
 * you need for cache eviction", 2023): new entries pass through a small queue;
 * those that answered nobody there are dropped, and only their hashes are
 * remembered for a while ("ghosts"); the others move to the main queue, as do
 * new entries whose ghost is there. What was used in the main queue goes round
 * once more. A scan of names that are asked once sweeps the small queue only.
 *
 * Every function but _init, _finish and those that look ahead wants the lock
 * held. Private to cache.
 */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include "cache/arena.h"
#include "cache/cache.h"
#include "cache/entry.h"
#include "cache/index.h"

#include <pthread.h>

enum { CACHE_SMALL, CACHE_MAIN, CACHE_QUEUES };
enum { CACHE_LINE_LEN = 64 }; /* of the processor's cache, mostly */

/* Segments, oldest first. */
struct cache_queue {
    int32_t first, last;
    int32_t count;
    uint32_t used; /* octets used in the last; the others have it written */
};

/* Apart by two lines of the processor's cache: neighbours are fetched too. The
 * index is apart from what every hit writes, for those who look ahead. */
struct cache_shard {
    _Alignas(128) pthread_mutex_t lock;
    struct cache_queue queues[CACHE_QUEUES];
    uint16_t *ghosts; /* by the lower bits of a hash, its upper ones */
    uint32_t ghost_mask;
    int32_t quota;      /* segments that it may have */
    int32_t taken;      /* of these, has */
    int32_t free_first; /* of its own, empty */
    int32_t free_count;
    int32_t free_touched; /* of these, with memory behind them */
    int32_t small_target; /* segments that the small queue should have */
    int32_t index_first;  /* segments with pages of the index */
    int32_t index_count;
    int32_t index_idle; /* segments that had pages before all was removed, and
                           will have again: nobody else may write there */
    uint32_t page_next; /* of the first of index_first, the next page */
    void *page_spare;   /* taken, and not used */
    uint64_t keep_ms;   /* an entry is of no use so long after its TTL */
    struct cache_stats stats; /* but for octets */
    _Alignas(128) struct cache_index index;
    struct cache_arena *arena;
};

/* quota: segments, at least CACHE_QUOTA_MIN. Returns 0 | ERR_NOMEM. */
enum { CACHE_QUOTA_MIN = 8 };
MUST_USE int cache_shard_init(struct cache_shard *s, struct cache_arena *arena,
                              int32_t quota, uint64_t keep_ms);
void cache_shard_finish(struct cache_shard *s);

/* The entry of a key, or NULL. */
static inline struct cache_entry *cache_shard_find(const struct cache_shard *s,
                                                   const struct cache_key *k)
{
    struct cache_index_probe probe =
        cache_index_probe(&s->index, (uint32_t)k->hash);
    uint32_t ref;

    while ((ref = cache_index_next(&probe)) != 0) {
        struct cache_entry *e = cache_arena_place(s->arena, ref);
        __builtin_prefetch((const uint8_t *)e + CACHE_LINE_LEN);
        if (cache_entry_is(e, k)) {
            return e;
        }
    }
    return NULL;
}

/*
 * Looking ahead, in two steps: in between the processor has time to fetch what
 * the first one named. Needs no lock, and may be wrong.
 */
static inline void cache_shard_fetch_slot(const struct cache_shard *s,
                                          uint64_t hash)
{
    cache_index_fetch(&s->index, (uint32_t)hash);
}

static inline void cache_shard_fetch_entry(const struct cache_shard *s,
                                           uint64_t hash)
{
    uint32_t ref = cache_index_guess(&s->index, (uint32_t)hash);

    if (ref != 0) {
        const uint8_t *e = cache_arena_place(s->arena, ref);
        __builtin_prefetch(e, 1); /* a hit is counted in it */
        __builtin_prefetch(e + CACHE_LINE_LEN);
    }
}

/*
 * Room for an entry of len octets (all) with this key, which is in the index
 * from now on and must be filled in before the lock is given back; hash,
 * units, key_bits, name_len, bits and hits are set. *old (may be NULL) is its
 * entry so far: it is used again if it is long enough, or removed. Others may
 * go or move to make room: pointers to entries are void afterwards. is_proven:
 * it belongs into the main queue.
 * Returns 0 | ERR_LIMIT (len; old is unchanged) | ERR_NOMEM (no room in the
 * index; old is removed).
 */
MUST_USE int cache_shard_put(struct cache_shard *s, const struct cache_key *k,
                             struct cache_entry *old, size_t len,
                             bool is_proven, uint64_t now_ms,
                             struct cache_entry **out);

/* Take an entry out. */
void cache_shard_remove(struct cache_shard *s, struct cache_entry *e);

/* Take all out and give the memory back. */
void cache_shard_clear(struct cache_shard *s);

/* Called with every entry of the shard, oldest of a queue first. It may remove
 * the entry. */
typedef void cache_entry_fn(void *arg, struct cache_shard *s,
                            struct cache_entry *e);
void cache_shard_walk(struct cache_shard *s, cache_entry_fn *fn, void *arg);

/* Octets of memory that were touched, the shard itself aside. */
size_t cache_shard_octets(const struct cache_shard *s);

#endif
