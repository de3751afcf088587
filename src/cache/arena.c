/*
 * The reservation. Pages come from the system as they are first written. Huge
 * pages are refused: with them, the first few names would cost megabytes.
 */
#include "cache/arena.h"

#include "base/err.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int cache_arena_init(struct cache_arena *a, uint32_t segment_len, int32_t count)
{
    size_t len = (size_t)segment_len * (size_t)count;
    size_t all = len + sizeof(struct cache_segment) * (size_t)count;
    void *base = mmap(NULL, all, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        return ERR_NOMEM;
    }
    (void)madvise(base, all, MADV_NOHUGEPAGE);
    a->base = base;
    a->segments = (struct cache_segment *)(void *)(a->base + len);
    a->segment_len = segment_len;
    a->count = count;
    a->reserved_len = all;
    atomic_init(&a->taken, 0);
    return 0;
}

void cache_arena_finish(struct cache_arena *a)
{
    if (a->base != NULL) {
        (void)munmap(a->base, a->reserved_len);
        a->base = NULL;
    }
}

int32_t cache_arena_take(struct cache_arena *a, int32_t count)
{
    int32_t first =
        atomic_fetch_add_explicit(&a->taken, count, memory_order_relaxed);

    assert(first + count <= a->count);
    return first;
}

void cache_arena_clear(struct cache_arena *a, int32_t segment)
{
    /* A length that is no multiple would be rounded up, into the next one. */
    if (a->segment_len % (size_t)sysconf(_SC_PAGESIZE) == 0) {
        (void)madvise(cache_arena_at(a, segment), a->segment_len,
                      MADV_DONTNEED);
    }
}
