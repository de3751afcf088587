/*
 * The simulated src/net: what the headers there cannot say. A loop is one
 * process; several live in one world and talk through its links. What a loop
 * has is that of the headers in src/net, used by the program under test and by
 * its simulated peers alike.
 */
#ifndef SIM_NET_SIM_H
#define SIM_NET_SIM_H

#include "base/addr.h"
#include "base/span.h"
#include "link.h"
#include "net/loop.h"
#include "net/monitor.h"
#include "net/stream.h"
#include "net/udp.h"
#include "world.h"

/* ---- for scenarios ---- */

/*
 * The process stands still for so long, as in a suspended machine; what comes
 * meanwhile waits. is_clock_stopped: its clock stands still too (Linux'
 * CLOCK_MONOTONIC in suspend), else it leaps (a paused virtual machine).
 */
void sim_loop_freeze(struct net_loop *l, uint64_t duration_us,
                     bool is_clock_stopped);

/* Is the process standing still, now? */
bool sim_loop_is_frozen(const struct net_loop *l);

/* At most so many streams are open at a time (file descriptors). 0: any. */
void sim_loop_limit_streams(struct net_loop *l, size_t max);

/* Streams, listeners, UDP sockets … that were opened and not closed. */
size_t sim_loop_open_count(const struct net_loop *l);

/* net_stream_connect() from an address of the caller's choosing. Without it,
 * 127.0.0.1 speaks to loopback and 10.0.0.2 to the rest (::1, 2001:db8::2). */
MUST_USE int sim_stream_connect_from(struct net_loop *l,
                                     const struct addr *from,
                                     const struct addr *to,
                                     const struct net_stream_events *events,
                                     void *arg, struct net_stream **out);

/* Somebody changes the file at path: watches of l for it hear of it. */
void sim_watch_touch(struct net_loop *l, const char *path);

/* The network of l's machine changes: its monitors are told in its next turn.
 * addr is for NET_ADDRESS_GONE alone. */
void sim_monitor_tell(struct net_loop *l, enum net_change change,
                      const struct addr *addr);

/* Where a datagram to peer goes, for those who speak first. */
void sim_udp_path_to(const struct addr *peer, struct net_udp_path *out);

/* ---- between the files of the simulated net ---- */

/* Something has work for the next turn of its loop. */
struct sim_ready;
typedef void sim_ready_fn(struct sim_ready *r);

struct sim_ready {
    struct list node; /* alone: not ready */
    sim_ready_fn *fn;
};

void sim_ready_init(struct sim_ready *r, sim_ready_fn *fn);

/* Call r->fn in the next turn of l. */
void sim_ready_mark(struct net_loop *l, struct sim_ready *r);
void sim_ready_clear(struct sim_ready *r);

struct net_loop {
    struct sim_world *world;
    struct wheel wheel;
    uint64_t now_ms; /* its own clock, as of this turn */
    uint64_t lag_us; /* the world's clock is so much ahead of its own */
    uint64_t frozen_until_us; /* world */
    uint64_t last_turn_us;    /* world */
    struct sim_event turn;
    struct list ready;    /* struct sim_ready */
    struct list deferred; /* struct net_turn */
    struct list posts;    /* struct post */
    struct list unsent;   /* struct net_udp with answers gathered */
    struct list watches;  /* struct net_watch */
    struct list monitors; /* struct net_monitor */
    size_t open_count;
    size_t stream_count, stream_max;
    bool is_in_turn;
    bool is_stopping;
};

/* A stream or listener would be one file descriptor too many. */
bool sim_loop_is_full(const struct net_loop *l);

/* The send at the end of the turn, for net_loop.c. */
void sim_udp_flush(struct list *unsent);

void sim_streams_resume(struct sim_world *w, struct sim_link *l);
void sim_streams_finish(struct sim_world *w);
void sim_packets_finish(struct sim_world *w);

/* Give a port to an address that has none. */
void sim_addr_bind(struct sim_world *w, struct addr *a);

/* Where we speak from, to whom; port 0. */
struct addr sim_addr_usual_source(const struct addr *to);

/* Does a packet to `to` reach a socket bound to `bound`? */
bool sim_addr_reaches(const struct addr *bound, const struct addr *to);

#endif
