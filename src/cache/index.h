/*
 * Where the entry of a key is: a hash table that grows one page at a time
 * (extendible hashing, Fagin and others 1979). A directory is found by the
 * upper bits of the hash and names a page; in the page, slots are probed one
 * after the other from a place that the lower bits say. A page that fills is
 * split in two, so no operation ever moves more than one page of slots.
 *
 * A slot has the whole 32-bit hash: entries are read only when it is equal.
 *
 * Who changes it is alone, by the shard's lock. Who looks ahead holds no lock
 * and may see any mixture of old and new, which costs him a wrong guess and no
 * more: what he reads is atomic and stays mapped. Hence directories are never
 * freed before the end, and a page stays a page.
 * Private to cache.
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "cache/arena.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    CACHE_INDEX_SLOTS = CACHE_PAGE_LEN / 8 - 1,
    CACHE_INDEX_FULL = 400,     /* slots of a page in use: then it is split */
    CACHE_INDEX_DEPTH_MAX = 16, /* upper bits that the directory may use */
    CACHE_INDEX_GUESS_MAX = 24  /* slots that are read when looking ahead */
};

/* Written with the lock held, read without: see cache_index_guess(). */
struct cache_slot {
    _Atomic uint32_t hash;
    _Atomic uint32_t ref; /* of the entry; 0: free: no entry is at place 0,
                             which is the first shard's ghosts' */
};

struct cache_index_page {
    uint16_t depth; /* upper bits that all hashes in it share */
    uint16_t count; /* slots in use */
    uint32_t unused;
    struct cache_slot slots[CACHE_INDEX_SLOTS];
};

struct cache_directory {
    unsigned depth;
    _Atomic uint32_t pages[]; /* 2^depth references to pages */
};

struct cache_index {
    const struct cache_arena *arena;
    struct cache_directory *_Atomic directory; /* one of these: */
    struct cache_directory *directories[CACHE_INDEX_DEPTH_MAX + 1]; /* by depth;
                                   owned; NULL: never needed so far */
};

/* An index of one page (any octets, which become the index's).
 * Returns 0 | ERR_NOMEM. */
MUST_USE int cache_index_init(struct cache_index *x,
                              const struct cache_arena *arena, void *page);
void cache_index_finish(struct cache_index *x);

/* Start anew with one page; the directories are kept for later. */
void cache_index_reset(struct cache_index *x, void *page);

/* Octets beside the pages. */
size_t cache_index_len(const struct cache_index *x);

/* May another one with this hash be put in without a split? */
bool cache_index_has_room(const struct cache_index *x, uint32_t hash);

/* Split the page of this hash in two, with a new page.
 * Returns 0 | ERR_LIMIT (the directory cannot grow) | ERR_NOMEM. */
MUST_USE int cache_index_split(struct cache_index *x, uint32_t hash,
                               void *page);

/* Put in; there must be room. */
void cache_index_put(struct cache_index *x, uint32_t hash, uint32_t ref);

/* Take out, or say that it moved; it must be there. */
void cache_index_remove(struct cache_index *x, uint32_t hash, uint32_t ref);
void cache_index_move(struct cache_index *x, uint32_t hash, uint32_t ref,
                      uint32_t to);

static inline uint32_t cache_slot_ref(const struct cache_slot *slot)
{
    return atomic_load_explicit(&slot->ref, memory_order_relaxed);
}

static inline uint32_t cache_slot_hash(const struct cache_slot *slot)
{
    return atomic_load_explicit(&slot->hash, memory_order_relaxed);
}

static inline struct cache_index_page *
cache_index_page(const struct cache_index *x, uint32_t hash)
{
    /* Acquire: whoever sees a directory sees what was put in it first. */
    const struct cache_directory *d =
        atomic_load_explicit(&x->directory, memory_order_acquire);
    /* Two shifts: by 32 at once would be undefined. */
    uint32_t n = d->depth == 0 ? 0 : hash >> (32 - d->depth);

    return cache_arena_place(
        x->arena, atomic_load_explicit(&d->pages[n], memory_order_relaxed));
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

        uint32_t ref = cache_slot_ref(slot);

        if (ref == 0) {
            return 0; /* a page is never full: the walk ends */
        }
        p->at = p->at + 1 == CACHE_INDEX_SLOTS ? 0 : p->at + 1;
        if (cache_slot_hash(slot) == p->hash) {
            return ref;
        }
    }
}

/* ---- looking ahead: needs no lock ---- */

/* Have the processor fetch the slot where the search for a hash begins. */
static inline void cache_index_fetch(const struct cache_index *x, uint32_t hash)
{
    __builtin_prefetch(
        &cache_index_page(x, hash)->slots[cache_index_home(hash)]);
}

/* Where the entry with this hash most likely is; 0: nothing is known. */
static inline uint32_t cache_index_guess(const struct cache_index *x,
                                         uint32_t hash)
{
    const struct cache_index_page *page = cache_index_page(x, hash);
    unsigned at = cache_index_home(hash);

    for (int i = 0; i < CACHE_INDEX_GUESS_MAX; i++) {
        const struct cache_slot *slot = &page->slots[at];
        uint32_t ref = cache_slot_ref(slot);

        if (ref == 0 || cache_slot_hash(slot) == hash) {
            return ref;
        }
        at = at + 1 == CACHE_INDEX_SLOTS ? 0 : at + 1;
    }
    return 0;
}

#endif
