/*
 * Simulated clients of the program: stub resolvers over UDP and TCP, well-
 * behaved and not. What they ask and get is in a ledger.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "ledger.h"
#include "net_sim.h"

enum { SIM_UDP_CLIENTS = 16, SIM_TCP_CLIENTS_MAX = 200, SIM_COMMON_NAMES = 40 };

struct sim_clients {
    struct net_loop *loop;
    struct sim_ledger *ledger;
    struct addr target;      /* where the program listens */
    uint32_t gap_us;         /* between queries, on average */
    unsigned tcp_percent;    /* of the queries' occasions, a TCP client comes */
    unsigned rude_percent;   /* of TCP clients leave, do not read, or send cut
                              frames and stay */
    unsigned burst;          /* queries at once, at most */
    unsigned common_percent; /* of the questions were asked before, or will be
                                again */
    unsigned noise_percent;  /* of the occasions, a datagram that is no query
                               comes besides */
    bool is_tcp_held_up;     /* the program reads TCP clients only bit by bit */
    bool is_by_hand;         /* questions come by sim_clients_ask() alone */
    bool may_be_refused;     /* TCP clients, by a program without descriptors */
    bool is_asking;
    unsigned home_percent; /* of the questions are in ZONE_HOME */
    const char *kinds;     /* ZONE_*, each as often as it is there */
    uint64_t next_name;

    struct udp_client {
        struct sim_clients *all;
        struct net_udp *socket;
        struct list queries; /* struct sim_query */
    } udp[SIM_UDP_CLIENTS];
    uint64_t datagrams; /* that they sent */
    struct list tcp;    /* struct tcp_client */
    unsigned tcp_count;
    struct sim_event next;
};

/* Set the first group before; gap_us and so on may be changed at any time. */
void sim_clients_start(struct sim_clients *c);

/* One occasion, now: a burst. */
void sim_clients_ask(struct sim_clients *c);

/* Ask no more; answers are still taken. */
void sim_clients_stop(struct sim_clients *c);

void sim_clients_finish(struct sim_clients *c);

/* One TCP client arrives now (client_tcp.c). */
void sim_clients_arrive_tcp(struct sim_clients *c);
void sim_clients_finish_tcp(struct sim_clients *c);

/* From now on the program may have no file for a TCP client: none is sure of
 * its answers, those that are there included. */
void sim_clients_may_be_refused(struct sim_clients *c);

/* The next question: its length in out (at least 300 octets), and the EDNS
 * size it announces. */
size_t sim_clients_question(struct sim_clients *c, uint16_t id, uint8_t *out,
                            uint16_t *edns_size);

#endif
