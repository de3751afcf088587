/*
 * A DoT server that does nothing by itself: it keeps the queries that come,
 * and the test answers them one by one, rightly or wrongly.
 */
#ifndef TESTS_UPSTREAM_PEER_H
#define TESTS_UPSTREAM_PEER_H

#include "base/span.h"
#include "sim/net_sim.h"
#include "sim/tls_server.h"

enum { PEER_CONNS_MAX = 1024, PEER_QUERIES_MAX = 4096 };

enum peer_manner {
    PEER_HOLD,       /* keep queries; the test answers */
    PEER_ANSWER,     /* answer at once, rightly */
    PEER_HANG_UP,    /* close when a query comes */
    PEER_TURN_AWAY,  /* close as soon as the handshake is done */
    PEER_SAY_GARBAGE /* octets that are not TLS, at once */
};

struct peer_conn {
    struct peer *peer;
    struct net_stream *stream; /* NULL: closed */
    struct tls_server tls;
    struct buf plain;
    unsigned queries;
    bool has_said_goodbye; /* close_notify came */
};

struct peer_query {
    unsigned conn;
    size_t len;
    uint8_t *message; /* owned */
};

struct peer {
    struct net_loop *loop;
    struct addr addr;
    struct net_listener *listener;
    struct tls_server_identity identity;
    enum peer_manner manner;
    struct peer_conn conns[PEER_CONNS_MAX];
    unsigned conn_count; /* ever accepted */
    struct peer_query queries[PEER_QUERIES_MAX];
    unsigned query_count; /* ever received */
};

struct peer *peer_create(struct net_loop *loop, const struct addr *addr,
                         const char *name);
void peer_destroy(struct peer *p);

/* Connections that are open now. */
unsigned peer_open_count(const struct peer *p);

/* The id of query n. */
uint16_t peer_id(const struct peer *p, unsigned n);

/* The right answer to query n; returns its length. */
size_t peer_right_answer(const struct peer *p, unsigned n, uint8_t *out);

/* Send that. */
void peer_answer(struct peer *p, unsigned n);

/* Send any message, framed, or any plaintext, over connection conn. */
void peer_send(struct peer *p, unsigned conn, struct span message);
void peer_send_raw(struct peer *p, unsigned conn, struct span plaintext);

/* close_notify and FIN; or a reset. */
void peer_close(struct peer *p, unsigned conn);
void peer_reset(struct peer *p, unsigned conn);

#endif
