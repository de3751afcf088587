/*
 * The pool of plain servers of one zone: DNS over UDP and TCP in clear text,
 * for zones that name such servers openly (udp://10.96.0.10). The doors of
 * upstream.h lead here when a pool is plain; the promises made there hold: a
 * request ends exactly once, never from inside plain_ask().
 *
 * Nothing leaves in clear text that no client asked for: servers are not
 * probed and no connection is opened ahead of need. A server that failed is
 * tried again with a client's query, which goes to another server at the same
 * time, so that the client does not pay for it.
 *
 * What an answer over UDP must show to be believed (RFC 5452): address and
 * port (the socket is connected), ID, question, and, where the pool has
 * has_random_case, the spelling. Anything else is dropped and counted, and the
 * query goes on waiting: a forger cannot end it.
 *
 * Files: plain.c (requests), plain_pool.c (life of the pool), plain_server.c
 * (which server, health), plain_udp.c (sockets), plain_tcp.c (connections),
 * plain_message.c (what leaves, what is believed), plain_report.c.
 */
#ifndef UPSTREAM_PLAIN_H
#define UPSTREAM_PLAIN_H

#include "upstream/upstream.h"

struct plain;

/* As upstream_pool_create(); opens nothing. Returns 0 | ERR_NOMEM. */
MUST_USE int plain_create(struct net_loop *loop, const struct config *config,
                          const struct config_pool *set, struct plain **out);

/* As upstream_pool_reconfigure(); set is plain, too. Not from inside on_done.
 * Returns 0 | ERR_NOMEM (nothing changed). */
MUST_USE int plain_reconfigure(struct plain *p, const struct config *config,
                               const struct config_pool *set);

/* The same in two steps, as upstream_pool_prepare() and the like. */
struct plain_change;
MUST_USE int plain_prepare(struct plain *p, const struct config *config,
                           const struct config_pool *set,
                           struct plain_change **out);
void plain_commit(struct plain_change *c);
void plain_discard(struct plain_change *c);

/* As upstream_pool_network_changed(). */
void plain_network_changed(struct plain *p, const struct addr *gone);

/* No request may be under way. Accepts NULL. */
void plain_destroy(struct plain *p);

void plain_ask(struct plain *p, struct upstream_request *req);
void plain_cancel(struct upstream_request *req);
void plain_give_up(struct upstream_request *req);

/* As upstream_explain(): servers, and what is wrong with each. */
int plain_explain(const struct plain *p, char *text, size_t len);

/* Not every server has failed several times in a row. */
bool plain_is_ready(const struct plain *p);

const struct upstream_stats *plain_stats(const struct plain *p);

/* As upstream_pool_report(); a server is "up" or "down". */
size_t plain_report(const struct plain *p, struct upstream_server_report *out,
                    size_t cap);

/* Requests under way now, and TCP connections that are open now. */
size_t plain_pending(const struct plain *p);
size_t plain_ready_conns(const struct plain *p);

#endif
