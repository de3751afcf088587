/*
 * A pool of items of one size, with a bound. Items come from chunks that are
 * allocated as the pool fills and kept until slab_finish(), so that in steady
 * state taking and giving back an item is a pointer swap.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/attr.h"

#include <stddef.h>

struct slab {
    void *free_items; /* singly linked through the items */
    void *chunks;     /* singly linked through their first word */
    size_t item_len;  /* octets, a multiple of the strictest alignment */
    size_t per_chunk; /* items */
    size_t max;       /* items that may be out at one time */
    size_t used;      /* items out now */
    size_t made;      /* items in all chunks */
};

/* item_len octets each, at most max items. Allocates nothing. */
void slab_init(struct slab *s, size_t item_len, size_t max);

/* Free all chunks. All items must have been given back. */
void slab_finish(struct slab *s);

/* One item, content undefined. NULL: bound reached or out of memory. */
MUST_USE void *slab_take(struct slab *s);

/* Give an item back. */
void slab_give(struct slab *s, void *item);

#endif
