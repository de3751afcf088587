/*
 * The memory of a cache: one reservation, cut into segments of one size, which
 * are handed out once and then belong to a shard for good. What was never
 * handed out was never touched, and costs nothing. Private to cache.
 */
#ifndef CACHE_ARENA_H
#define CACHE_ARENA_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CACHE_UNIT = 8, /* places are counted in these: 32 bits reach 32 GiB */
    CACHE_PAGE_LEN = 4096,
    CACHE_SEGMENT_NONE = -1
};

/* What is known of a segment; its shard's lock guards it. */
struct cache_segment {
    int32_t next;  /* in a list of its shard's */
    uint32_t used; /* octets with entries, once no more are added */
};

struct cache_arena {
    uint8_t *base;
    struct cache_segment *segments; /* inside of the reservation, at its end */
    uint32_t segment_len; /* a power of two, CACHE_PAGE_LEN at least */
    int32_t count;        /* segments */
    size_t reserved_len;
    atomic_int taken; /* of these, handed out */
};

/* Reserve count segments. Returns 0 | ERR_NOMEM. */
MUST_USE int cache_arena_init(struct cache_arena *a, uint32_t segment_len,
                              int32_t count);
void cache_arena_finish(struct cache_arena *a);

/* The first of count segments in a row, all zero, for good. There must be as
 * many: quotas see to that. */
int32_t cache_arena_take(struct cache_arena *a, int32_t count);

/* Give the memory behind a segment back, if it is whole pages of the system;
 * what it reads as afterwards is not said. */
void cache_arena_clear(struct cache_arena *a, int32_t segment);

/* Where segment n begins. */
static inline uint8_t *cache_arena_at(const struct cache_arena *a, int32_t n)
{
    return a->base + (size_t)n * a->segment_len;
}

/* A place by its number, and the number of a place. */
static inline void *cache_arena_place(const struct cache_arena *a, uint32_t ref)
{
    return a->base + (size_t)ref * CACHE_UNIT;
}

static inline uint32_t cache_arena_ref(const struct cache_arena *a,
                                       const void *place)
{
    return (uint32_t)((size_t)((const uint8_t *)place - a->base) / CACHE_UNIT);
}

#endif
