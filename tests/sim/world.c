/*
 * The simulated world: a binary heap of embedded events, each knowing its
 * place, so that arming, moving and cancelling are O(log n). Ties are broken
 * by the order of arming: nothing depends on addresses in memory.
 */
#include "world.h"

#include "net_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_world *current;

void *sim_alloc(size_t len)
{
    void *memory = calloc(1, len == 0 ? 1 : len);
    if (memory == NULL) {
        fprintf(stderr, "sim: out of memory\n");
        abort();
    }
    return memory;
}

struct sim_world *sim_world_create(uint64_t seed)
{
    assert(current == NULL);
    struct sim_world *w = sim_alloc(sizeof(*w));
    rng_seed(&w->rng, seed);
    list_init(&w->links);
    list_init(&w->conns);
    list_init(&w->listeners);
    list_init(&w->sockets);
    list_init(&w->datagrams);
    w->next_port = 40000;
    w->trace = 0xcbf29ce484222325u;
    /* Some hours after boot, at no round number. */
    w->now_us = 1000000u + rng_below(&w->rng, 4000000000u);
    current = w;
    return w;
}

void sim_world_destroy(struct sim_world *w)
{
    if (w == NULL) {
        return;
    }
    sim_streams_finish(w);
    sim_packets_finish(w);
    sim_links_finish(w);
    free(w->heap);
    free(w);
    current = NULL;
}

struct sim_world *sim_world(void)
{
    return current;
}

/* ---- the heap: places count from 1, parent of n is n / 2 ---- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct sim_world *w, size_t place, struct sim_event *e)
{
    w->heap[place] = e;
    e->place = place;
}

static void sift_up(struct sim_world *w, size_t place, struct sim_event *e)
{
    while (place > 1 && is_before(e, w->heap[place / 2])) {
        put(w, place, w->heap[place / 2]);
        place /= 2;
    }
    put(w, place, e);
}

static void sift_down(struct sim_world *w, size_t place, struct sim_event *e)
{
    for (;;) {
        size_t child = place * 2;
        if (child > w->heap_count) {
            break;
        }
        if (child < w->heap_count &&
            is_before(w->heap[child + 1], w->heap[child])) {
            child++;
        }
        if (!is_before(w->heap[child], e)) {
            break;
        }
        put(w, place, w->heap[child]);
        place = child;
    }
    put(w, place, e);
}

static void heap_grow(struct sim_world *w)
{
    size_t cap = w->heap_cap == 0 ? 64 : w->heap_cap * 2;
    struct sim_event **heap = realloc(w->heap, (cap + 1) * sizeof(*heap));
    if (heap == NULL) {
        abort();
    }
    w->heap = heap;
    w->heap_cap = cap;
}

void sim_event_init(struct sim_event *e, sim_event_fn *fn)
{
    *e = (struct sim_event){.fn = fn};
}

void sim_event_cancel(struct sim_world *w, struct sim_event *e)
{
    if (e->place == 0) {
        return;
    }
    struct sim_event *last = w->heap[w->heap_count--];
    size_t place = e->place;
    e->place = 0;
    if (last == e) {
        return;
    }
    if (place > 1 && is_before(last, w->heap[place / 2])) {
        sift_up(w, place, last);
    } else {
        sift_down(w, place, last);
    }
}

void sim_event_at(struct sim_world *w, struct sim_event *e, uint64_t at_us)
{
    sim_event_cancel(w, e);
    e->at_us = at_us < w->now_us ? w->now_us : at_us;
    e->order = w->next_order++;
    if (w->heap_count == w->heap_cap) {
        heap_grow(w);
    }
    sift_up(w, ++w->heap_count, e);
}

void sim_event_in(struct sim_world *w, struct sim_event *e, uint64_t delay_us)
{
    sim_event_at(w, e, w->now_us + delay_us);
}

bool sim_world_step(struct sim_world *w)
{
    if (w->heap_count == 0) {
        return false;
    }
    struct sim_event *e = w->heap[1];
    sim_event_cancel(w, e);
    w->now_us = e->at_us;
    w->events_run++;
    sim_trace_number(w, e->at_us);
    e->fn(e); /* last: it may free itself */
    return true;
}

void sim_world_run_until(struct sim_world *w, uint64_t until_us)
{
    while (w->heap_count > 0 && w->heap[1]->at_us <= until_us) {
        (void)sim_world_step(w);
    }
    if (w->now_us < until_us) {
        w->now_us = until_us;
    }
}

/* ---- trace and chance ---- */

void sim_trace_number(struct sim_world *w, uint64_t number)
{
    w->trace = (w->trace ^ number) * 0x100000001b3u;
    w->trace ^= w->trace >> 29;
}

void sim_trace(struct sim_world *w, const void *data, size_t len)
{
    const uint8_t *octets = data;

    while (len >= 8) {
        uint64_t word;
        memcpy(&word, octets, 8);
        sim_trace_number(w, word);
        octets += 8;
        len -= 8;
    }
    for (size_t i = 0; i < len; i++) {
        sim_trace_number(w, octets[i]);
    }
}

bool sim_chance(struct sim_world *w, unsigned percent)
{
    return percent > 0 && rng_below(&w->rng, 100) < percent;
}

uint32_t sim_between(struct sim_world *w, uint32_t low, uint32_t high)
{
    return low + (high > low ? rng_below(&w->rng, high - low + 1) : 0);
}
