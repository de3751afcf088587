/*
 * What the files of the listener share: its parts and how they are linked.
 *
 * Every query that owes an answer is one item of listener.queries, the slab
 * whose bound is max_queries. It is in the list of the one who must be told
 * when it goes: the UDP queries of the listener, or the queries of a client.
 */
#ifndef LISTENER_INTERNAL_H
#define LISTENER_INTERNAL_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/slab.h"
#include "dnstap/dnstap.h"
#include "listener/guard.h"
#include "listener/listener.h"
#include "listener/peers.h"
#include "listener/query_log.h"
#include "net/stream.h"
#include "net/udp.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stddef.h>

/* One entry of config->listen. udp is NULL once it was closed. */
struct listener_socket {
    struct list node; /* in the listener's retired sockets, or alone */
    struct listener *listener;
    struct addr asked; /* as configured: the port may be 0 */
    struct addr addr;  /* as bound */
    struct net_udp *udp;
    struct net_listener *tcp;
    size_t pending; /* UDP queries that came here and owe an answer */
};

/* A query in flight and the way back to who sent it. */
struct listener_query {
    struct resolver_query query;
    struct list node;
    uint64_t came_us; /* since 1970, where there is a tap; else 0 */
    union {
        struct {
            struct listener_socket *socket;
            struct net_udp_path path;
        } udp;
        struct tcp_client *client;
    };
};

/* A client connected over TCP. Costs no buffer while nothing is under way. */
struct tcp_client {
    struct listener *listener;
    struct net_stream *stream;
    struct list node;    /* in the listener's idle or busy clients */
    struct list queries; /* in flight: struct listener_query */
    unsigned pending;    /* how many */
    bool is_idle;        /* no query in flight, nothing left to send */
    bool is_reading;
    bool is_finishing; /* no more queries: close when all is answered */
    bool is_broken;    /* close at the end of this turn */
    struct buf in;     /* part of a frame, or frames not taken yet */
    struct buf out;    /* answers gathered in this turn */
    struct net_turn turn;
    struct net_timer timer; /* runs while it is idle or does not read */
    struct peer_key peer;
    struct addr addr;
    struct addr local; /* where it came to; family 0: not asked for yet */
};

enum {
    SPARES_MAX = 32,     /* buffers kept from turn to turn */
    SPARE_LEN_MAX = 8192 /* octets of one */
};

struct listener {
    struct net_loop *loop;
    const struct config *config;
    struct resolver *resolver;
    struct query_log *query_log; /* NULL: off */
    struct dnstap_queue *tap;    /* NULL: no dnstap */
    struct guard *guard;
    struct guard_stats guard_before; /* of those that were replaced */
    uint8_t guard_key[16];
    struct slab queries;
    uint8_t *scratch; /* DNS_MESSAGE_MAX octets, for answers given at once */
    struct listener_socket **sockets; /* in the order of the configuration */
    size_t socket_count;
    struct list retired;     /* sockets that are not wanted any more, and owe
                            answers over UDP */
    struct list udp_queries; /* in flight */

    struct buf spares[SPARES_MAX]; /* of clients that have nothing to send */
    size_t spare_count;

    struct list idle_clients; /* the longest idle first */
    struct list busy_clients;
    size_t client_count;
    struct peer_table peers;
    bool is_accept_paused;

    bool is_draining;
    listener_drained_fn *drained;
    void *drained_arg;
    struct net_turn drained_turn;
    struct net_timer drain_timer;

    struct listener_stats stats;
};

/* The text of the extended error when max_queries is reached. */
#define LISTENER_FULL_TEXT "too many queries in flight (max_queries)"

/* Something was closed or answered: if nothing is left of a drain, say so at
 * the end of this turn. */
void listener_check_drained(struct listener *l);

/* q is about to be asked, or its answer (len octets) to be sent: for the query
 * log. */
static inline void listener_note_start(const struct listener *l,
                                       struct resolver_query *q)
{
    if (l->query_log != NULL) {
        q->asked_us = net_now_us(l->loop);
    }
}

static inline void listener_note_answer(const struct listener *l,
                                        const struct resolver_query *q,
                                        const uint8_t *answer, size_t len)
{
    if (l->query_log != NULL) {
        query_log_answer(l->query_log, &q->client, q->is_tcp,
                         span_of(answer, len),
                         net_now_us(l->loop) - q->asked_us, q->source);
    }
}

/* The same for a query that was not asked. */
static inline void listener_note_refusal(const struct listener *l,
                                         const struct addr *client, bool is_tcp,
                                         const uint8_t *answer, size_t len)
{
    if (l->query_log != NULL && len > 0) {
        query_log_answer(l->query_log, client, is_tcp, span_of(answer, len), 0,
                         RESOLVER_FROM_NOBODY);
    }
}

/* Close what is open, and free it. */
void listener_socket_free(struct listener_socket *s);

/* ---- udp.c ---- */

/* Called with the datagrams of a socket (struct listener_socket *). */
void udp_on_batch(void *arg, const struct net_udp_datagram *batch,
                  size_t count);

/* Close the sockets that owe no answer. */
void udp_drain(struct listener *l);

/* Close a socket that is in no array as soon as it owes no answer; it frees
 * itself. */
void udp_retire(struct listener_socket *s);

/* Cancel what is in flight, close all sockets. */
void udp_close(struct listener *l);

/* ---- tcp.c ---- */

/* Serve a connection that the bounds let in. Takes the stream. */
void tcp_client_start(struct listener *l, struct net_stream *s,
                      const struct addr *addr, const struct peer_key *peer);

/* Cancel its queries, close it, free it. */
void tcp_client_close(struct tcp_client *c);

/* Close clients that are idle, let the others have their answers. */
void tcp_drain(struct listener *l);

/* Close all listeners and clients; what was gathered is still sent. */
void tcp_close(struct listener *l);

/* ---- tcp_bounds.c ---- */

/* Called with each connection accepted (arg: struct listener_socket *). */
void tcp_on_accept(void *arg, struct net_stream *s, const struct addr *peer);

/* Accept, or leave connections in the kernel's queue, as the bound of clients
 * asks now. */
void tcp_update_accepting(struct listener *l);

/* Pause sockets that were opened while accepting is paused. */
void tcp_pause_accepting(struct listener *l);

/* ---- tap.c: where there is a tap ---- */

/* Returns came_us (see struct listener_query). */
uint64_t tap_udp_query(const struct listener_socket *s,
                       const struct net_udp_datagram *d);
uint64_t tap_tcp_query(struct tcp_client *c, struct span query);

/* An answer as it will be sent. */
void tap_udp_answer(const struct listener_socket *s,
                    const struct net_udp_path *path, uint64_t came_us,
                    struct span answer);
void tap_tcp_answer(struct tcp_client *c, uint64_t came_us, struct span answer);

#endif
