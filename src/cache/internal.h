/*
 * The cache itself, and how an answer is put into it. Private to cache.
 */
#ifndef CACHE_INTERNAL_H
#define CACHE_INTERNAL_H

#include "cache/cache.h"
#include "cache/key.h"
#include "cache/shard.h"

#include <stdatomic.h>

struct cache {
    struct cache_options options;
    struct cache_arena arena;
    struct cache_shard *shards;
    unsigned shard_count; /* a power of two */
    atomic_uint references;
};

/* The shard of a key: by bits of the hash that the index does not use. */
static inline struct cache_shard *cache_shard_of(const struct cache *c,
                                                 uint64_t hash)
{
    return &c->shards[(hash >> 32) & (c->shard_count - 1)];
}

/* An answer on its way into the cache. */
struct cache_candidate {
    const struct dns_question *q;
    bool has_do, has_cd;
    struct span message;
    const struct dns_response *r;
    uint64_t now_ms;
    uint64_t age_ms; /* how long ago it came */
    bool is_proven;  /* it was of use before */
    bool is_loaded;  /* what is there already is newer */
    bool is_past;    /* its age is not known: it is just past its TTL */
};

/* See cache_store(). */
enum cache_outcome cache_take(struct cache *c,
                              const struct cache_candidate *candidate);

#endif
