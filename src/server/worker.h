/*
 * One worker: a thread with a loop, pools, a resolver and listeners of its
 * own. Everything is opened by the caller's thread; the worker's thread then
 * runs it and takes it down.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "base/addr.h"
#include "base/attr.h"
#include "listener/listener.h"
#include "net/loop.h"
#include "resolver/resolver.h"
#include "server/setup.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

struct worker_options {
    const struct setup *setup;      /* until worker_apply() replaces it */
    struct resolver_shared *shared; /* outlives the worker */
    bool is_shared;                 /* other workers listen there too */
    bool is_first;                  /* no other worker was created yet */
    unsigned index;                 /* among the workers */
    struct net_loop *main_loop;     /* where the calls below come */
    net_post_fn *on_gone;           /* the thread has ended its work */
    net_post_fn *on_applied;        /* see worker_apply() */
    void *arg;
};

/*
 * Open everything: connections to the servers are on their way, and clients
 * can send, when it returns.
 * Returns 0 | ERR_NOMEM | ERR_NET_* | ERR_TLS_SETUP | ERR_NOTFOUND (logged).
 */
MUST_USE int worker_create(const struct worker_options *options,
                           struct worker **out);

/* As listener_addr(). Before worker_start() only. */
bool worker_addr(const struct worker *w, size_t i, struct addr *out);

/* Start the thread. Returns 0 | ERR_NET_OTHER (logged). */
MUST_USE int worker_start(struct worker *w);

/*
 * Go on with setup. on_applied(arg) is called in the main loop when nothing of
 * the setup before is in use any more, or (logged) when this one could not be
 * taken: worker_setup() tells which holds. From the main thread; not again
 * before on_applied(). Returns 0 | ERR_NOMEM.
 */
MUST_USE int worker_apply(struct worker *w, const struct setup *setup);

/* The setup that is in use, from inside on_applied(). */
const struct setup *worker_setup(const struct worker *w);

/* What one worker counts, at one moment. */
struct worker_pool_report {
    struct upstream_stats stats;
    struct upstream_server_report *servers; /* owned */
    size_t server_count;
};

struct worker_report {
    struct worker *worker; /* that writes it */
    net_post_fn *fn;       /* what it calls then */
    void *arg;
    bool is_complete; /* else there was no memory */
    bool is_ready;    /* a server of the default pool is verified */
    struct resolver_stats resolver;
    struct histogram latency;
    struct listener_stats listener;
    size_t tcp_clients, pending;
    struct worker_pool_report *pools; /* owned; as the setup's */
    size_t pool_count;
};

/* Have w write *r, in its thread; fn(arg) comes in the main loop afterwards. *r
 * stays where it is until then, or until w was destroyed: one that ends may not
 * come to it. Returns 0 | ERR_NOMEM. */
MUST_USE int worker_ask_report(struct worker *w, struct worker_report *r,
                               net_post_fn *fn, void *arg);

/* Free what it owns. Accepts a zeroed one. */
void worker_report_finish(struct worker_report *r);

/* One query, asked to be traced. */
struct worker_explain {
    uint8_t query[512]; /* a whole message, as a client would send it */
    size_t query_len;

    /* the worker's */
    struct worker *worker;
    net_post_fn *fn;
    void *arg;
    struct list node;
    struct resolver_query asked;

    /* what came of it */
    struct trace trace;
    uint8_t *answer; /* DNS_MESSAGE_MAX octets, owned */
    size_t answer_len;
};

/* Have w ask e->query, as for a client over TCP; fn(arg) comes in the main loop
 * when it was answered. *e stays where it is until then, or until w was
 * destroyed: one that ends may not come to it. Returns 0 | ERR_NOMEM. */
MUST_USE int worker_explain(struct worker *w, struct worker_explain *e,
                            net_post_fn *fn, void *arg);

/* Take no more queries, answer those in flight, then end (on_gone). From the
 * main thread. Returns 0 | ERR_NOMEM. */
MUST_USE int worker_drain(struct worker *w);

/* Wait for the thread, if it was started, and free everything. A thread that
 * was started must have been told to drain. Accepts NULL. */
void worker_destroy(struct worker *w);

#endif
