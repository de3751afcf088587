/*
 * A simulated plain DNS server, as in a home's router: it answers from the
 * zone, over UDP (cut where it is too long) and TCP.
 */
#ifndef SIM_PLAIN_SERVER_H
#define SIM_PLAIN_SERVER_H

#include "net_sim.h"

struct sim_plain_server {
    struct net_loop *loop;
    struct addr addr;
    struct sim_link *link;
    struct net_udp *udp; /* NULL: not running */
    struct net_listener *tcp;
    struct list streams, replies;
    uint32_t latency_us;
    unsigned dropped; /* of so many percent of the datagrams nothing comes */
    uint64_t udp_queries, tcp_queries;
    uint64_t strayed; /* for names that are not its own */
};

/* Make one and start it. */
struct sim_plain_server *sim_plain_server_create(struct net_loop *loop,
                                                 const struct addr *addr);
void sim_plain_server_destroy(struct sim_plain_server *s);

/* Does nothing when it runs. */
void sim_plain_server_start(struct sim_plain_server *s);

/* Answers on their way are lost, connections reset. */
void sim_plain_server_stop(struct sim_plain_server *s);

#endif
