/*
 * A pool of equal items. Every chunk starts with the address of the next one;
 * items follow at the strictest alignment. A free item's first word links to
 * the next free one. Under AddressSanitizer the rest of a free item is
 * poisoned, so that use after slab_give() is found as use after free is.
 */
#include "base/slab.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define SLAB_POISONS 1
#    endif
#elif defined(__SANITIZE_ADDRESS__)
#    define SLAB_POISONS 1
#endif
#ifdef SLAB_POISONS
#    include <sanitizer/asan_interface.h>
#else
#    define ASAN_POISON_MEMORY_REGION(addr, size)   ((void)(addr), (void)(size))
#    define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

enum { ALIGN = _Alignof(max_align_t), CHUNK_LEN = 16384 };

static size_t aligned(size_t len)
{
    return (len + ALIGN - 1) / ALIGN * ALIGN;
}

void slab_init(struct slab *s, size_t item_len, size_t max)
{
    size_t len = aligned(item_len > sizeof(void *) ? item_len : sizeof(void *));
    size_t per_chunk = (CHUNK_LEN - aligned(sizeof(void *))) / len;

    if (per_chunk > max) {
        per_chunk = max;
    }
    *s = (struct slab){
        .item_len = len,
        .per_chunk = per_chunk == 0 ? 1 : per_chunk,
        .max = max,
    };
}

void slab_finish(struct slab *s)
{
    void *chunk = s->chunks;

    assert(s->used == 0);
    while (chunk != NULL) {
        void *next = *(void **)chunk;
        free(chunk);
        chunk = next;
    }
    s->chunks = NULL;
    s->free_items = NULL;
    s->made = 0;
}

static void put_free(struct slab *s, void *item)
{
    *(void **)item = s->free_items;
    s->free_items = item;
    ASAN_POISON_MEMORY_REGION((char *)item + sizeof(void *),
                              s->item_len - sizeof(void *));
}

static void add_chunk(struct slab *s)
{
    size_t head = aligned(sizeof(void *));
    char *chunk = malloc(head + s->per_chunk * s->item_len);

    if (chunk == NULL) {
        return;
    }
    *(void **)(void *)chunk = s->chunks;
    s->chunks = chunk;
    for (size_t i = s->per_chunk; i > 0; i--) {
        put_free(s, chunk + head + (i - 1) * s->item_len);
    }
    s->made += s->per_chunk;
}

void *slab_take(struct slab *s)
{
    void *item;

    if (s->used >= s->max) {
        return NULL;
    }
    if (s->free_items == NULL) {
        add_chunk(s);
    }
    item = s->free_items;
    if (item == NULL) {
        return NULL;
    }
    s->free_items = *(void **)item;
    s->used++;
    ASAN_UNPOISON_MEMORY_REGION(item, s->item_len);
    return item;
}

void slab_give(struct slab *s, void *item)
{
    assert(s->used > 0);
    s->used--;
    put_free(s, item);
}
