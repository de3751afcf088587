/*
 * Pages and the directory. Slots of a page are probed linearly; taking one out
 * moves those behind it up, so that no marks of removed ones are needed and
 * probing never gets slower with age.
 */
#include "cache/index.h"

#include "base/attr.h"
#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct cache_index_page) == CACHE_PAGE_LEN,
               "a page is a page");
_Static_assert(CACHE_INDEX_FULL < CACHE_INDEX_SLOTS, "probing must end");

/* ---- pages ---- */

static void slot_set(struct cache_slot *slot, uint32_t hash, uint32_t ref)
{
    atomic_store_explicit(&slot->hash, hash, memory_order_relaxed);
    atomic_store_explicit(&slot->ref, ref, memory_order_relaxed);
}

static void page_clear(struct cache_index_page *page, unsigned depth)
{
    page->depth = (uint16_t)depth;
    page->count = 0;
    for (unsigned i = 0; i < CACHE_INDEX_SLOTS; i++) {
        slot_set(&page->slots[i], 0, 0);
    }
}

/* ---- the directory ---- */

static struct cache_directory *directory_of(const struct cache_index *x)
{
    return atomic_load_explicit(&x->directory, memory_order_relaxed);
}

/* Let place n name a page. */
static void directory_set(struct cache_directory *d, size_t n, uint32_t page)
{
    atomic_store_explicit(&d->pages[n], page, memory_order_relaxed);
}

static uint32_t directory_get(const struct cache_directory *d, size_t n)
{
    return atomic_load_explicit(&d->pages[n], memory_order_relaxed);
}

static size_t directory_len(unsigned depth)
{
    return sizeof(struct cache_directory) + (sizeof(uint32_t) << depth);
}

/* The directory of this depth, filled with anything. NULL: no memory. */
static struct cache_directory *directory_at(struct cache_index *x,
                                            unsigned depth)
{
    struct cache_directory *d = x->directories[depth];

    if (d == NULL) {
        d = calloc(1, directory_len(depth));
        if (d != NULL) {
            d->depth = depth;
            x->directories[depth] = d;
        }
    }
    return d;
}

/* From now on, it is this one. */
static void directory_use(struct cache_index *x, struct cache_directory *d)
{
    atomic_store_explicit(&x->directory, d, memory_order_release);
}

static int directory_double(struct cache_index *x)
{
    const struct cache_directory *old = directory_of(x);
    struct cache_directory *d;

    if (old->depth == CACHE_INDEX_DEPTH_MAX) {
        return ERR_LIMIT;
    }
    d = directory_at(x, old->depth + 1);
    if (d == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < (size_t)1 << old->depth; i++) {
        directory_set(d, 2 * i, directory_get(old, i));
        directory_set(d, 2 * i + 1, directory_get(old, i));
    }
    directory_use(x, d);
    return 0;
}

/* Let the second half of the places of a page in the directory name page. */
static void directory_divide(struct cache_directory *d, uint32_t hash,
                             unsigned depth, uint32_t page)
{
    size_t span = (size_t)1 << (d->depth - depth);
    size_t first = depth == 0 ? 0 : (size_t)(hash >> (32 - depth)) * span;

    for (size_t i = first + span / 2; i < first + span; i++) {
        directory_set(d, i, page);
    }
}

/* ---- life ---- */

int cache_index_init(struct cache_index *x, const struct cache_arena *arena,
                     void *page)
{
    memset(x->directories, 0, sizeof(x->directories));
    x->arena = arena;
    if (directory_at(x, 0) == NULL) {
        return ERR_NOMEM;
    }
    cache_index_reset(x, page);
    return 0;
}

void cache_index_finish(struct cache_index *x)
{
    for (size_t i = 0; i < COUNT_OF(x->directories); i++) {
        free(x->directories[i]);
        x->directories[i] = NULL;
    }
}

void cache_index_reset(struct cache_index *x, void *page)
{
    page_clear(page, 0);
    directory_set(x->directories[0], 0, cache_arena_ref(x->arena, page));
    directory_use(x, x->directories[0]);
}

size_t cache_index_len(const struct cache_index *x)
{
    size_t len = 0;

    for (unsigned i = 0; i < COUNT_OF(x->directories); i++) {
        len += x->directories[i] == NULL ? 0 : directory_len(i);
    }
    return len;
}

/* ---- slots ---- */

bool cache_index_has_room(const struct cache_index *x, uint32_t hash)
{
    return cache_index_page(x, hash)->count < CACHE_INDEX_FULL;
}

static unsigned slot_after(unsigned at)
{
    return at + 1 == CACHE_INDEX_SLOTS ? 0 : at + 1;
}

static void page_put(struct cache_index_page *page, uint32_t hash, uint32_t ref)
{
    unsigned at = cache_index_home(hash);

    assert(page->count < CACHE_INDEX_SLOTS - 1);
    while (cache_slot_ref(&page->slots[at]) != 0) {
        at = slot_after(at);
    }
    slot_set(&page->slots[at], hash, ref);
    page->count++;
}

void cache_index_put(struct cache_index *x, uint32_t hash, uint32_t ref)
{
    page_put(cache_index_page(x, hash), hash, ref);
}

/* The slot of an entry that is in the index. */
static unsigned page_seek(const struct cache_index_page *page, uint32_t hash,
                          uint32_t ref)
{
    unsigned at = cache_index_home(hash);

    while (cache_slot_ref(&page->slots[at]) != ref) {
        assert(cache_slot_ref(&page->slots[at]) != 0);
        at = slot_after(at);
    }
    return at;
}

void cache_index_move(struct cache_index *x, uint32_t hash, uint32_t ref,
                      uint32_t to)
{
    struct cache_index_page *page = cache_index_page(x, hash);

    slot_set(&page->slots[page_seek(page, hash, ref)], hash, to);
}

/* Steps from slot a on to slot b. */
static unsigned steps(unsigned a, unsigned b)
{
    return b >= a ? b - a : b + CACHE_INDEX_SLOTS - a;
}

void cache_index_remove(struct cache_index *x, uint32_t hash, uint32_t ref)
{
    struct cache_index_page *page = cache_index_page(x, hash);
    unsigned hole = page_seek(page, hash, ref);

    for (unsigned at = slot_after(hole); cache_slot_ref(&page->slots[at]) != 0;
         at = slot_after(at)) {
        const struct cache_slot *slot = &page->slots[at];
        unsigned home = cache_index_home(cache_slot_hash(slot));

        /* Probing for it passes the hole: it may go there. */
        if (steps(home, at) >= steps(hole, at)) {
            slot_set(&page->slots[hole], cache_slot_hash(slot),
                     cache_slot_ref(slot));
            hole = at;
        }
    }
    slot_set(&page->slots[hole], 0, 0);
    page->count--;
}

/* Move what belongs there from page low to page high, both of one depth. */
static void page_divide(struct cache_index_page *low,
                        struct cache_index_page *high)
{
    uint32_t bit = UINT32_C(0x80000000) >> (low->depth - 1);
    uint32_t hashes[CACHE_INDEX_SLOTS];
    uint32_t refs[CACHE_INDEX_SLOTS];

    for (unsigned i = 0; i < CACHE_INDEX_SLOTS; i++) {
        hashes[i] = cache_slot_hash(&low->slots[i]);
        refs[i] = cache_slot_ref(&low->slots[i]);
    }
    page_clear(low, low->depth);
    for (unsigned i = 0; i < CACHE_INDEX_SLOTS; i++) {
        if (refs[i] != 0) {
            page_put((hashes[i] & bit) != 0 ? high : low, hashes[i], refs[i]);
        }
    }
}

int cache_index_split(struct cache_index *x, uint32_t hash, void *page)
{
    struct cache_index_page *low = cache_index_page(x, hash);

    if (low->depth == directory_of(x)->depth) {
        int err = directory_double(x);
        if (err != 0) {
            return err;
        }
    }
    page_clear(page, low->depth + 1u);
    directory_divide(directory_of(x), hash, low->depth,
                     cache_arena_ref(x->arena, page));
    low->depth++;
    page_divide(low, page);
    return 0;
}
