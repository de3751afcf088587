/*
 * Links: the line between an address and the rest of the world. What passes
 * between two addresses passes both their links; delays add up, and one link
 * that is down is enough to stop it. Ports do not matter.
 *
 * An address without a link of its own has the default: 10-30 microseconds,
 * no faults, as on loopback.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "base/addr.h"
#include "world.h"

enum sim_link_state {
    SIM_LINK_UP,
    SIM_LINK_STALLED,     /* nothing passes, silently */
    SIM_LINK_NO_NEW,      /* connections live on, new ones get no answer */
    SIM_LINK_REFUSING,    /* connections live on, new ones are refused */
    SIM_LINK_UNREACHABLE, /* nothing passes; connecting fails at once */
};

struct sim_link {
    struct list node;
    struct addr addr; /* port 0 */
    enum sim_link_state state;
    uint64_t stalled_at_us;
    uint32_t delay_us, jitter_us; /* one way */
    unsigned loss_percent;        /* streams: the octets come later */
    unsigned twice_percent;       /* datagrams that come twice */
    uint32_t segment_max;         /* streams: pieces of 1 .. so many octets */
    size_t send_buffer;           /* octets that a stream's kernel takes */
};

/* The link of addr, made when there is none. Lives as long as the world. */
struct sim_link *sim_link(struct sim_world *w, const struct addr *addr);

/* The delay of each way, and how much it varies. */
void sim_link_delay(struct sim_link *l, uint32_t delay_us, uint32_t jitter_us);

/* Change the state; streams that were held up go on when it allows. */
void sim_link_set(struct sim_world *w, struct sim_link *l,
                  enum sim_link_state state);

/* All connections through l break: both ends see a reset. */
void sim_link_reset(struct sim_world *w, struct sim_link *l);

/* The peer vanishes: on all connections through l writes are taken, and
 * nothing comes any more, for ever. New connections are not touched. */
void sim_link_vanish(struct sim_world *w, struct sim_link *l);

/* The machine at l loses its memory of all connections: their next octets are
 * answered by a reset, as after a reboot. */
void sim_link_forget(struct sim_world *w, struct sim_link *l);

/* ---- for the sockets ---- */

bool sim_links_pass(const struct sim_link *a, const struct sim_link *b);

/* One way, jitter drawn. */
uint64_t sim_links_delay(struct sim_world *w, const struct sim_link *a,
                         const struct sim_link *b);

/* Is this packet lost? */
bool sim_links_lose(struct sim_world *w, const struct sim_link *a,
                    const struct sim_link *b);

void sim_links_finish(struct sim_world *w);

#endif
