/*
 * The pool of DoT servers: which server takes a query, over which connection,
 * and what happens when it does not answer.
 *
 * A request is given with upstream_ask() and ends exactly once: with its
 * on_done callback, or by upstream_cancel(). In between the pool sends it to
 * one server or several, moves it when a connection is lost, asks the next
 * server when one is slow or answers with an error, and lets it wait while no
 * connection is ready. It knows no deadline: the caller has one and cancels.
 *
 * Files: pool.c (requests), hedge.c (second copies of late ones), set.c (which
 * servers there are, and kept warm), strategy.c (which server takes a query),
 * server.c (one server: health, back-off), latency.c (how fast it is), limits.c
 * (when it ends connections), dial.c (TCP to one of its addresses), conn.c (one
 * connection: TLS, framing), quiet.c (its silence), slots.c (its queries on
 * their way), steady.c (who can be relied on), sleep.c (the machine was
 * suspended, or moved), report.c (what it tells).
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "base/attr.h"
#include "base/list.h"
#include "base/span.h"
#include "base/trace.h"
#include "config/config.h"
#include "dns/message.h"
#include "net/loop.h"
#include "tls/trust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upstream_pool;
struct upstream_conn;
struct upstream_request;

enum {
    UPSTREAM_SERVERS_MAX = 64,
    UPSTREAM_ATTEMPTS_MAX = 8 /* connections that hold one request at once */
};

/* How a request ended; borrowed for the call. */
struct upstream_result {
    int err;                      /* 0: an answer | ERR_NET_OTHER: no server
                                     could be reached (see upstream_explain) */
    struct span message;          /* the answer, with an id of the pool's */
    struct dns_response response; /* its view; question matches the request */
};

/* Called from the loop, never from inside upstream_ask(). The request is the
 * caller's again; it may be freed, and others asked or cancelled. */
typedef void upstream_done_fn(struct upstream_request *req,
                              const struct upstream_result *result);

/* One copy of a request on its way. */
struct upstream_attempt {
    struct upstream_conn *conn;
    uint32_t slot;  /* in conn */
    uint8_t reason; /* enum attempt_reason */
};

/* What a request has besides in a pool of plain servers (plain.h). */
struct upstream_plain {
    struct plain *owner;
    struct list node;   /* in the owner's requests */
    struct list copies; /* those on their way, the oldest first */
    uint8_t copy_count;
    uint8_t round;       /* how often all servers were asked */
    uint8_t vain_rounds; /* … and none took it */
    bool is_tcp;         /* an answer was cut: no more UDP */
};

/* Embedded by the owner. Set the first group, leave the second to the pool. */
struct upstream_request {
    uint8_t *frame; /* length in two octets, then the message;
                                     the id is written by the pool. Borrowed
                                     until done */
    uint32_t frame_len;
    struct dns_question question; /* inside frame */
    upstream_done_fn *on_done;
    struct trace *trace; /* NULL: not traced. Borrowed until done */

    struct upstream_pool *pool;
    struct list node;       /* in the pool's waiting list, or on its own */
    struct net_timer timer; /* ask another server; try again */
    struct upstream_attempt attempts[UPSTREAM_ATTEMPTS_MAX];
    uint64_t asked;   /* bits of servers that were asked (this round) */
    uint64_t refused; /* bits of servers that answered with an error */
    uint64_t started_ms;
    uint64_t asked_at; /* failures that the pool had seen by then */
    uint8_t *fallback; /* the first error answered, if any; owned */
    uint32_t fallback_len;
    uint8_t attempt_count;
    uint8_t copies;        /* sent so far */
    uint8_t error_answers; /* SERVFAIL, REFUSED …, so far */
    uint8_t losses;        /* connections that died holding it */
    bool has_waited;
    struct upstream_plain plain;
};

/*
 * A pool for the servers of set, with the common numbers of config (both
 * outlive the pool, or are replaced with upstream_pool_reconfigure()), with
 * connections being opened. trust: for servers without a ca_file of their own.
 * Returns 0 | ERR_NOMEM | ERR_TLS_SETUP | ERR_NOTFOUND (a server's ca_file;
 * logged).
 */
MUST_USE int upstream_pool_create(struct net_loop *loop,
                                  const struct config *config,
                                  const struct config_pool *set,
                                  struct tls_trust *trust,
                                  struct upstream_pool **out);

/*
 * Go on with another configuration: servers that are the same in both
 * (config_server_equal()) keep their connections, health and place; others
 * come and go; requests on servers that went are moved. On failure the pool is
 * as it was. Returns as upstream_pool_create().
 */
MUST_USE int upstream_pool_reconfigure(struct upstream_pool *p,
                                       const struct config *config,
                                       const struct config_pool *set,
                                       struct tls_trust *trust);

/*
 * The same in two steps: all that may fail first, and nothing changes; then
 * all that may not. Both in one turn of the loop. Returns as
 * upstream_pool_create().
 */
struct upstream_change;
MUST_USE int upstream_pool_prepare(struct upstream_pool *p,
                                   const struct config *config,
                                   const struct config_pool *set,
                                   struct tls_trust *trust,
                                   struct upstream_change **out);
void upstream_pool_commit(struct upstream_change *c); /* and free it */
/* Accepts NULL. */
void upstream_pool_discard(struct upstream_change *c);

/* The machine's network changed (see net/monitor.h). addr: an address that is
 * gone: connections from it are dropped; NULL: something changed, every
 * connection is suspect. Back-off ends, and the pool dials anew. */
void upstream_pool_network_changed(struct upstream_pool *p,
                                   const struct addr *gone);

/* Closes all connections. No request may be under way. Accepts NULL. */
void upstream_pool_destroy(struct upstream_pool *p);

/* Give a request to the pool. on_done comes later, never from inside. */
void upstream_ask(struct upstream_pool *p, struct upstream_request *req);

/* Take it back: on_done will not be called. Only while it is under way. */
void upstream_cancel(struct upstream_request *req);

/* Its time is over: end it now, from inside this call, with the error that a
 * server answered, if one did, or with ERR_NET_OTHER. */
void upstream_give_up(struct upstream_request *req);

/*
 * Why no server answers, for people: "1.1.1.1:853#… refused; 9.9.9.9:853#…
 * certificate expired …"; at most len octets with the NUL. Returns the
 * extended error that fits: DNS_EDE_NO_REACHABLE or DNS_EDE_NETWORK.
 */
int upstream_explain(const struct upstream_pool *p, char *text, size_t len);

/* Is there a verified connection to at least one server? */
bool upstream_is_ready(const struct upstream_pool *p);

/* Is at least one server verified, as far as is known? Pools that nobody asks
 * have no connections (warm_for), so the last ones count if nothing has spoken
 * against their server since; without warm_for, no dial counts as well. */
bool upstream_is_verified(const struct upstream_pool *p);

struct upstream_stats {
    uint64_t requests;        /* upstream_ask() */
    uint64_t sent;            /* copies sent to servers */
    uint64_t answers;         /* answers that matched a copy */
    uint64_t moved;           /* requests moved off a lost connection */
    uint64_t extra;           /* … besides the first of each request */
    uint64_t hedged;          /* … because an earlier one was slow */
    uint64_t hedge_won;       /* … that gave the answer */
    uint64_t hedge_denied;    /* … that the budget did not allow */
    uint64_t retried;         /* copies sent because of an error answered */
    uint64_t waited;          /* requests that found no ready connection */
    uint64_t late;            /* answers to copies no longer wanted */
    uint64_t dials;           /* connections started */
    uint64_t dial_failures;   /* … that were never ready */
    uint64_t handshakes;      /* … that became ready */
    uint64_t resumed;         /* … with a resumed session */
    uint64_t losses;          /* ready connections that ended with queries */
    uint64_t closes;          /* ready connections that ended without */
    uint64_t suspects;        /* connections that fell silent */
    uint64_t successors;      /* dials ahead of a limit of the server */
    uint64_t protocol_errors; /* answers that matched nothing, or garbage */
    uint64_t untrusted;       /* servers that failed verification */
    uint64_t dropped;         /* plain UDP: datagrams not believed */
};

const struct upstream_stats *upstream_pool_stats(const struct upstream_pool *p);

/* How one server does. Plain data: it may be copied and kept. */
enum { UPSTREAM_LABEL_LEN = 96, UPSTREAM_WHY_LEN = 192 };

struct upstream_server_report {
    char label[UPSTREAM_LABEL_LEN]; /* as in the configuration, cut */
    const char *state; /* "up", "suspect", "down", "idle" (no connection, and
                          none is wanted), "connecting"; static */
    unsigned ready;    /* connections */
    unsigned in_flight;
    unsigned failures; /* in a row */
    uint64_t queries, answers, handshakes, resumed;
    uint32_t p50_us, p95_us, p99_us; /* latency; 0: not known */
    uint32_t average_us;
    uint32_t idle_limit_ms;  /* told or learnt; 0: not known */
    uint32_t age_limit_ms;   /* learnt */
    uint32_t query_limit;    /* learnt, for a connection */
    const char *tls_version; /* of the last handshake, static; "": none */
    const char *tls_cipher;
    char why[UPSTREAM_WHY_LEN]; /* its last failure, "" */
};

/* Tell of the first cap servers, in the order of the file. Returns how many
 * there are. */
size_t upstream_pool_report(const struct upstream_pool *p,
                            struct upstream_server_report *out, size_t cap);

/* Requests under way now, and connections that are ready now. */
size_t upstream_pool_pending(const struct upstream_pool *p);
size_t upstream_pool_ready_conns(const struct upstream_pool *p);

#endif
