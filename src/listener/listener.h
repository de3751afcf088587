/*
 * Clients: the UDP and TCP listeners of one worker, and the bounds on what
 * clients may take.
 *
 * UDP: each datagram is a query; the answer is gathered and sent at the end of
 * the turn. TCP (RFC 7766, RFC 9210): pipelined queries, answers in the order
 * in which they are ready, half-close, idle timeout, edns-tcp-keepalive.
 *
 * Bounds, and what happens at them:
 *   max_queries                  SERVFAIL (EDE), at once
 *   tcp_max_clients              the longest idle client is closed to make
 *                                room; if none is idle, accepting pauses
 *   tcp_max_clients_per_address  the new connection is closed
 *   tcp_max_queries_per_client   its stream is not read until some are done
 *   tcp_max_unread               its stream is not read until it reads; if it
 *                                does not for tcp_idle_timeout, or if what it
 *                                had asked before comes to four times as much,
 *                                it is closed
 *
 * Files: listener.c (both, start and stop), udp.c, tcp.c (clients),
 * tcp_bounds.c (who is let in), peers.c (connections by address).
 */
#ifndef LISTENER_LISTENER_H
#define LISTENER_LISTENER_H

#include "base/attr.h"
#include "config/config.h"
#include "dnstap/dnstap.h"
#include "listener/guard.h"
#include "net/loop.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener;

/*
 * Listen on every address of config->listen, UDP and TCP; is_shared when other
 * workers listen there too. With port 0 both get the same free port.
 * On failure nothing stays open, and why (why_len octets) says which address
 * and what to do about it ("127.0.0.1:53 (UDP): permission denied; …"). Only
 * ::1 may be missing (listener_addr() tells) if another address could be
 * opened: machines without IPv6 have none.
 * Returns 0 | ERR_NET_* | ERR_NOMEM.
 */
MUST_USE int listener_open(struct net_loop *loop, const struct config *config,
                           struct resolver *resolver, bool is_shared,
                           struct listener **out, char *why, size_t why_len);

/* Open the file of the query log, if there is one: once the process has only
 * the rights that it keeps, since it opens the file anew with these. Before the
 * loop runs. */
void listener_log(struct listener *l);

/*
 * Take no further query: sockets are closed but for those that still owe an
 * answer. Calls drained(arg) from the loop when the last one has been given
 * (at most config->query_timeout_ms later).
 */
typedef void listener_drained_fn(void *arg);
void listener_drain(struct listener *l, listener_drained_fn *drained,
                    void *arg);

/*
 * Go on with another configuration: addresses that are new are opened, those
 * that are not in it any more are closed as soon as their answers have been
 * given; bounds hold from now on. On failure nothing was changed; why as in
 * listener_open(). Returns as listener_open().
 */
MUST_USE int listener_reconfigure(struct listener *l,
                                  const struct config *config, bool is_shared,
                                  char *why, size_t why_len);

/* Copies of what clients ask and get go there from now on; NULL: nowhere. */
void listener_tap(struct listener *l, struct dnstap_queue *tap);

/* Close everything at once; pending queries are cancelled. Accepts NULL. */
void listener_destroy(struct listener *l);

struct listener_stats {
    uint64_t udp_queries, udp_answers, udp_truncated;
    uint64_t tcp_clients_accepted, tcp_clients_refused, tcp_clients_evicted;
    uint64_t tcp_clients_idle_closed, tcp_clients_slow_closed;
    uint64_t tcp_queries, tcp_answers;
    uint64_t tcp_bad_frames;   /* under 12 octets: the client is closed */
    uint64_t over_max_queries; /* SERVFAIL because of the bound */
    uint64_t tcp_paused;       /* times a client was not read */
    struct guard_stats guard;  /* who was not admitted */
};

/* A copy. */
void listener_stats(const struct listener *l, struct listener_stats *out);

/* Clients connected over TCP now; queries in flight now. */
size_t listener_tcp_clients(const struct listener *l);
size_t listener_pending(const struct listener *l);

/* The address that listen entry i is bound to (ports of 0 resolved). False:
 * it is the IPv6 loopback, and missing. */
bool listener_addr(const struct listener *l, size_t i, struct addr *out);

#endif
