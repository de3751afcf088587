/*
 * Pages and the directory. Slots of a page are probed linearly; taking one out
 * moves those behind it up, so that no marks of removed ones are needed and
 * probing never gets slower with age.
 */
#include "cache/index.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct cache_index_page) == CACHE_PAGE_LEN,
               "a page is a page");
_Static_assert(CACHE_INDEX_FULL < CACHE_INDEX_SLOTS, "probing must end");

int cache_index_init(struct cache_index *x, const struct cache_arena *arena,
                     void *page)
{
    x->arena = arena;
    x->depth = 0;
    x->pages = malloc(sizeof(*x->pages));
    if (x->pages == NULL) {
        return ERR_NOMEM;
    }
    x->pages[0] = cache_arena_ref(arena, page);
    return 0;
}

void cache_index_finish(struct cache_index *x)
{
    free(x->pages);
    x->pages = NULL;
}

void cache_index_reset(struct cache_index *x, void *page)
{
    x->depth = 0;
    x->pages[0] = cache_arena_ref(x->arena, page);
}

size_t cache_index_len(const struct cache_index *x)
{
    return sizeof(*x->pages) << x->depth;
}

bool cache_index_has_room(const struct cache_index *x, uint32_t hash)
{
    return cache_index_page(x, hash)->count < CACHE_INDEX_FULL;
}

static unsigned slot_after(unsigned at)
{
    return at + 1 == CACHE_INDEX_SLOTS ? 0 : at + 1;
}

static void page_put(struct cache_index_page *page, struct cache_slot slot)
{
    unsigned at = cache_index_home(slot.hash);

    assert(page->count < CACHE_INDEX_SLOTS - 1);
    while (page->slots[at].ref != 0) {
        at = slot_after(at);
    }
    page->slots[at] = slot;
    page->count++;
}

void cache_index_put(struct cache_index *x, uint32_t hash, uint32_t ref)
{
    page_put(cache_index_page(x, hash), (struct cache_slot){hash, ref});
}

/* The slot of an entry that is in the index. */
static unsigned page_seek(const struct cache_index_page *page, uint32_t hash,
                          uint32_t ref)
{
    unsigned at = cache_index_home(hash);

    while (page->slots[at].ref != ref) {
        assert(page->slots[at].ref != 0);
        at = slot_after(at);
    }
    return at;
}

void cache_index_move(struct cache_index *x, uint32_t hash, uint32_t ref,
                      uint32_t to)
{
    struct cache_index_page *page = cache_index_page(x, hash);

    page->slots[page_seek(page, hash, ref)].ref = to;
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

    for (unsigned at = slot_after(hole); page->slots[at].ref != 0;
         at = slot_after(at)) {
        unsigned home = cache_index_home(page->slots[at].hash);

        /* Probing for it passes the hole: it may go there. */
        if (steps(home, at) >= steps(hole, at)) {
            page->slots[hole] = page->slots[at];
            hole = at;
        }
    }
    page->slots[hole] = (struct cache_slot){0, 0};
    page->count--;
}

static int directory_double(struct cache_index *x)
{
    size_t count = (size_t)1 << x->depth;
    uint32_t *pages;

    if (x->depth == CACHE_INDEX_DEPTH_MAX) {
        return ERR_LIMIT;
    }
    pages = malloc(2 * count * sizeof(*pages));
    if (pages == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        pages[2 * i] = x->pages[i];
        pages[2 * i + 1] = x->pages[i];
    }
    free(x->pages);
    x->pages = pages;
    x->depth++;
    return 0;
}

/* Let the second half of the page's entries in the directory name page. */
static void directory_divide(struct cache_index *x, uint32_t hash,
                             unsigned depth, uint32_t page)
{
    size_t span = (size_t)1 << (x->depth - depth);
    size_t first = depth == 0 ? 0 : (size_t)(hash >> (32 - depth)) * span;

    for (size_t i = first + span / 2; i < first + span; i++) {
        x->pages[i] = page;
    }
}

int cache_index_split(struct cache_index *x, uint32_t hash, void *page)
{
    struct cache_index_page *low = cache_index_page(x, hash);
    struct cache_index_page *high = page;
    struct cache_slot slots[CACHE_INDEX_SLOTS];
    uint32_t bit = UINT32_C(0x80000000) >> low->depth;

    if (low->depth == x->depth) {
        int err = directory_double(x);
        if (err != 0) {
            return err;
        }
    }
    directory_divide(x, hash, low->depth, cache_arena_ref(x->arena, page));
    memcpy(slots, low->slots, sizeof(slots));
    memset(low->slots, 0, sizeof(low->slots));
    low->count = 0;
    low->depth++;
    high->depth = low->depth;
    for (unsigned i = 0; i < CACHE_INDEX_SLOTS; i++) {
        if (slots[i].ref != 0) {
            page_put((slots[i].hash & bit) != 0 ? high : low, slots[i]);
        }
    }
    return 0;
}
