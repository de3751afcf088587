/*
 * One worker: a thread with a loop, a pool, a resolver and listeners of its
 * own. Everything is opened by the caller's thread; the worker's thread then
 * runs it and takes it down.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"
#include "net/loop.h"
#include "resolver/resolver.h"
#include "tls/trust.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

struct worker_options {
    const struct config *config;    /* outlives the worker */
    struct tls_trust *trust;        /* outlives the worker */
    struct resolver_shared *shared; /* outlives the worker */
    bool is_shared;                 /* other workers listen there too */
    bool is_first;                  /* no other worker was created yet */
    struct net_loop *main_loop;     /* where on_gone is called */
    net_post_fn *on_gone;           /* the thread has ended its work */
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

/* Take no more queries, answer those in flight, then end (on_gone). From the
 * main thread. Returns 0 | ERR_NOMEM. */
MUST_USE int worker_drain(struct worker *w);

/* Wait for the thread, if it was started, and free everything. A thread that
 * was started must have been told to drain. Accepts NULL. */
void worker_destroy(struct worker *w);

#endif
