/*
 * A plain DNS server, UDP and TCP: it keeps the queries that come, and answers
 * as it is told to, or leaves that to the test.
 */
#ifndef TESTS_UPSTREAM_PLAIN_PEER_H
#define TESTS_UPSTREAM_PLAIN_PEER_H

#include "bed.h"

enum {
    PLAIN_PEER_CONNS_MAX = 1024,
    PLAIN_PEER_QUERIES_MAX = 4096,
    PLAIN_PEER_UDP_LEN = 1232 /* longer answers are cut */
};

struct plain_peer_query {
    bool is_tcp;
    unsigned conn;
    struct net_udp_path path;
    struct addr from; /* over UDP */
    uint64_t came_us;
    size_t len;
    uint8_t *message; /* owned */
    struct dns_query parsed;
};

struct plain_peer {
    struct net_loop *loop;
    struct addr addr;
    struct net_udp *udp;           /* NULL: the port is closed */
    struct net_listener *listener; /* NULL: refused */
    struct plain_peer_conn *conns; /* PLAIN_PEER_CONNS_MAX */
    unsigned conn_count;           /* ever accepted */
    struct plain_peer_query queries[PLAIN_PEER_QUERIES_MAX];
    unsigned query_count, tcp_count; /* ever received */

    /* How it behaves. All zero: the right answer at once. */
    bool is_silent;    /* the test answers */
    unsigned rcode;    /* instead of the right one */
    bool has_no_edns;  /* FORMERR without a question to any OPT */
    bool forgets_case; /* over UDP the question comes back lower */
    bool hangs_up;     /* each query over TCP, halfway through its answer */
    unsigned tcp_max;  /* queries over a connection, then FIN; 0: any */
};

/* One more server of the bed, over UDP and TCP, or TCP alone. */
struct plain_peer *plain_peer_add(struct bed *b, enum config_transport t);
/* It is gone: ports are closed, connections end. Called twice is well. */
void plain_peer_stop(struct plain_peer *p);

/* Teardown of a bed with such servers: the pool first, then they. */
int plain_teardown(void **state);

/* A fresh bed for the next row of a table. */
struct bed *plain_renew(void **state, const char *title);

#define PLAIN_TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, bed_setup, plain_teardown)

/* A server of the bed's configuration where nobody listens. */
void plain_peer_add_nobody(struct bed *b);

/* Octets of the right answer to query n, as it is asked. */
size_t plain_peer_right(const struct plain_peer *p, unsigned n, uint8_t *out);

/* Answer query n rightly; or with any message, over its own transport. */
void plain_peer_answer(struct plain_peer *p, unsigned n);
void plain_peer_send(struct plain_peer *p, unsigned n, struct span message);

/* Send a datagram to who asked query n, from another port or host. */
void plain_peer_forge(struct plain_peer *p, unsigned n, const struct addr *from,
                      struct span message);

/* Is the name of query n spelt as a has it? */
bool plain_peer_is_spelt_as(const struct plain_peer *p, unsigned n,
                            const struct ask *a);

#endif
