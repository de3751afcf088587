/*
 * Private to the simulated net: datagrams under way, and what net/udp.h and
 * net/dgram.h have in common, a port where they arrive.
 *
 * Each datagram is an event of its own, so that they overtake one another as
 * the links' jitter has it; links lose and double them. A port whose buffer
 * is full loses what comes. A datagram that finds no port, or a server that
 * refuses, is answered by an ICMP error, which connected ports hear of.
 */
#ifndef SIM_NET_PACKET_H
#define SIM_NET_PACKET_H

#include "net_sim.h"

struct sim_packet {
    struct list node; /* in the port's queue, or on its own */
    struct sim_event arrival;
    struct sim_world *world;
    struct list under_way; /* in the world's datagrams, until it arrives */
    struct addr from, to;
    bool is_refusal; /* an ICMP error about a datagram from `to` to `from` */
    size_t len;
    uint8_t data[];
};

struct sim_port {
    struct list node; /* in the world's sockets */
    struct sim_ready ready;
    struct net_loop *loop;
    struct addr addr;
    struct addr peer; /* nothing else comes, when is_connected */
    bool is_connected;
    bool is_refused;          /* an ICMP error came */
    struct list queue;        /* struct sim_packet */
    size_t queued, queue_max; /* octets */
};

/* A port of l at addr, which has a port number; fn hears of arrivals. */
void sim_port_open(struct sim_port *p, struct net_loop *l,
                   const struct addr *addr, sim_ready_fn *fn);
void sim_port_close(struct sim_port *p);

/* The oldest of what arrived; the caller frees it. NULL: there is none. */
struct sim_packet *sim_port_take(struct sim_port *p);

/* Put a datagram on its way. */
void sim_packet_send(struct sim_world *w, const struct addr *from,
                     const struct addr *to, struct span data);

#endif
