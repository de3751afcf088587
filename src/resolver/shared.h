/*
 * The inside of what all workers' resolvers share. Private to the resolver.
 */
#ifndef RESOLVER_SHARED_H
#define RESOLVER_SHARED_H

#include "cache/cache.h"
#include "policy/cookie.h"
#include "resolver/board.h"
#include "resolver/resolver.h"

struct resolver_shared {
    struct cache *cache;  /* NULL: off */
    struct cache *before; /* used until all resolvers have taken cache */
    struct cache_options options; /* of cache */
    struct board *board;
    uint8_t hash_key[16];
    uint8_t cookie_secret[COOKIE_SECRET_LEN];
};

/* Seconds that the cache keeps answers past their end. */
uint32_t resolver_shared_stale_s(const struct config *config);

#endif
