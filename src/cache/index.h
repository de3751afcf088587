/*
 * Where the entry of a key is: a hash table that grows one page at a time
 * (extendible hashing, Fagin and others 1979). A directory is found by the
 * upper bits of the hash and names a page; in the page, slots are probed one
 * after the other from a place that the lower bits say. A page that fills is
 * split in two, so no operation ever moves more than one page of slots.
 *
 * A slot has the whole 32-bit hash: entries are read only when it is equal.
 * Private to cache.
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "cache/arena.h"

#include <stdbool.h>

enum {
    CACHE_INDEX_SLOTS = CACHE_PAGE_LEN / 8 - 1,
    CACHE_INDEX_FULL = 400,    /* slots of a page in use: then it is split */
    CACHE_INDEX_DEPTH_MAX = 16 /* upper bits that the directory may use */
};

struct cache_slot {
    uint32_t hash;
    uint32_t ref; /* of the entry; 0: free: no entry is at place 0,
                     which is the first shard's ghosts' */
};

struct cache_index_page {
    uint16_t depth; /* upper bits that all hashes in it share */
    uint16_t count; /* slots in use */
    uint32_t unused;
    struct cache_slot slots[CACHE_INDEX_SLOTS];
};

struct cache_index {
    const struct cache_arena *arena;
    uint32_t *pages; /* 2^depth references to pages */
    unsigned depth;
};

/* An index of one page (all zero, which becomes the index's).
 * Returns 0 | ERR_NOMEM. */
MUST_USE int cache_index_init(struct cache_index *x,
                              const struct cache_arena *arena, void *page);
void cache_index_finish(struct cache_index *x);

/* Start anew with one page, all zero. */
void cache_index_reset(struct cache_index *x, void *page);

/* Octets beside the pages. */
size_t cache_index_len(const struct cache_index *x);

/* May another one with this hash be put in without a split? */
bool cache_index_has_room(const struct cache_index *x, uint32_t hash);

/* Split the page of this hash in two, with a new page, all zero.
 * Returns 0 | ERR_LIMIT (the directory cannot grow) | ERR_NOMEM. */
MUST_USE int cache_index_split(struct cache_index *x, uint32_t hash,
                               void *page);

/* Put in; there must be room. */
void cache_index_put(struct cache_index *x, uint32_t hash, uint32_t ref);

/* Take out, or say that it moved; it must be there. */
void cache_index_remove(struct cache_index *x, uint32_t hash, uint32_t ref);
void cache_index_move(struct cache_index *x, uint32_t hash, uint32_t ref,
                      uint32_t to);

static inline struct cache_index_page *
cache_index_page(const struct cache_index *x, uint32_t hash)
{
    /* Two shifts: by 32 at once would be undefined. */
    uint32_t n = x->depth == 0 ? 0 : hash >> (32 - x->depth);

    return cache_arena_place(x->arena, x->pages[n]);
}

static inline unsigned cache_index_home(uint32_t hash)
{
    return (hash & 0xffff) * CACHE_INDEX_SLOTS >> 16;
}

/* A walk over the slots that a hash may be in. */
struct cache_index_probe {
    const struct cache_index_page *page;
    uint32_t hash;
    unsigned at;
};

static inline struct cache_index_probe
cache_index_probe(const struct cache_index *x, uint32_t hash)
{
    return (struct cache_index_probe){cache_index_page(x, hash), hash,
                                      cache_index_home(hash)};
}

/* The place of the next entry with the hash; 0: there is none. */
static inline uint32_t cache_index_next(struct cache_index_probe *p)
{
    for (;;) {
        const struct cache_slot *slot = &p->page->slots[p->at];

        if (slot->ref == 0) {
            return 0; /* a page is never full: the walk ends */
        }
        p->at = p->at + 1 == CACHE_INDEX_SLOTS ? 0 : p->at + 1;
        if (slot->hash == p->hash) {
            return slot->ref;
        }
    }
}

#endif
