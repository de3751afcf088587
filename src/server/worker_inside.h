/*
 * The inside of a worker, for its own files.
 */
#ifndef SERVER_WORKER_INSIDE_H
#define SERVER_WORKER_INSIDE_H

#include "server/worker.h"

#include "listener/listener.h"
#include "net/monitor.h"
#include "resolver/resolver.h"
#include "upstream/upstream.h"

#include <pthread.h>

/* The pools of a setup, and those that only finish what they were asked. */
struct pools {
    struct upstream_pool **all; /* as setup->pools; owned */
    size_t count;
};

struct worker {
    struct worker_options options;
    struct net_loop *loop;
    struct pools pools;
    struct pools retired;
    struct net_timer retired_timer;
    struct resolver *resolver;
    struct listener *listener;
    struct net_monitor *monitor; /* NULL: there is none */
    pthread_t thread;
    bool is_started;
    const struct setup *next; /* of worker_apply(), while it is posted */
    struct list explains;     /* struct worker_explain, on their way */
};

/* Have the pools hear of changes of the machine's network. */
void worker_watch_network(struct worker *w);

/* Take back what is explained just now. */
void worker_cancel_explains(struct worker *w);

#endif
