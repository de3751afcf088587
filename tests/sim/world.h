/*
 * The simulated world: one clock, one queue of what will happen, one random
 * source, and a running hash of everything that happened. The same seed gives
 * the same world, to the bit.
 *
 * Loops, sockets and links (net_sim.h, link.h) live in a world. One world at
 * a time: the functions of src/net have no parameter for it.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/list.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something that will happen; embedded in whoever waits for it. */
struct sim_event;
typedef void sim_event_fn(struct sim_event *e);

struct sim_event {
    uint64_t at_us; /* the world's time */
    uint64_t order; /* events of one microsecond run as they were armed */
    size_t place;   /* in the heap, from 1; 0: not armed */
    sim_event_fn *fn;
};

struct sim_world {
    uint64_t now_us;
    struct rng rng;
    uint64_t trace; /* hash of all that happened */
    uint64_t events_run;

    struct sim_event **heap;
    size_t heap_count, heap_cap;
    uint64_t next_order;

    struct list links;     /* struct sim_link */
    struct list conns;     /* struct sim_conn */
    struct list listeners; /* struct net_listener */
    struct list sockets;   /* struct sim_port */
    struct list datagrams; /* under way */
    uint16_t next_port;    /* ephemeral ports are given in turn */
    bool is_chunking;      /* readers see random pieces, not all there is */
};

/* Start a world. Aborts when memory runs out, as everything here does. */
struct sim_world *sim_world_create(uint64_t seed);

/* Loops must be destroyed before; streams nobody closed are freed. */
void sim_world_destroy(struct sim_world *w);

/* The world that is; NULL outside of one. */
struct sim_world *sim_world(void);

void sim_event_init(struct sim_event *e, sim_event_fn *fn);

/* (Re)arm e; a time that is past means now. */
void sim_event_at(struct sim_world *w, struct sim_event *e, uint64_t at_us);
void sim_event_in(struct sim_world *w, struct sim_event *e, uint64_t delay_us);

/* Does nothing when it is not armed. */
void sim_event_cancel(struct sim_world *w, struct sim_event *e);

static inline bool sim_event_is_armed(const struct sim_event *e)
{
    return e->place != 0;
}

/* Let the next event happen. false: nothing will ever happen again. */
bool sim_world_step(struct sim_world *w);

/* Let everything happen up to and including until_us; the clock ends there. */
void sim_world_run_until(struct sim_world *w, uint64_t until_us);

/* Mix octets, or a number, into the trace. */
void sim_trace(struct sim_world *w, const void *data, size_t len);
void sim_trace_number(struct sim_world *w, uint64_t number);

/* true in percent % of the calls. */
bool sim_chance(struct sim_world *w, unsigned percent);

/* Evenly spread in low .. high. */
uint32_t sim_between(struct sim_world *w, uint32_t low, uint32_t high);

/* malloc() and calloc() that abort instead of failing. */
void *sim_alloc(size_t len);

#endif
