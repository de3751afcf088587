/*
 * Invariant: until worker_start() all belongs to the thread that created the
 * worker; from then on the loop and what hangs on it belong to the worker's
 * thread, which closes them before it ends.
 */
#include "server/worker.h"

#include "base/err.h"
#include "base/log.h"
#include "listener/listener.h"
#include "resolver/resolver.h"
#include "upstream/upstream.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "server"

enum { WHY_LEN = 512 };

struct worker {
    struct worker_options options;
    struct net_loop *loop;
    struct upstream_pool *pool;
    struct resolver *resolver;
    struct listener *listener;
    pthread_t thread;
    bool is_started;
};

/* Close what was opened; in the thread that owns the loop. */
static void take_down(struct worker *w)
{
    listener_destroy(w->listener);
    resolver_destroy(w->resolver);
    upstream_pool_destroy(w->pool);
    w->listener = NULL;
    w->resolver = NULL;
    w->pool = NULL;
}

/*
 * Is another program listening there? What lets workers share an address
 * (SO_REUSEPORT) lets in whatever the same user runs, such as a dotstub that
 * was started before, and both would get a part of the queries.
 */
static int probe(struct worker *w, char *why, size_t why_len)
{
    struct listener *probe = NULL;
    int err = listener_open(w->loop, w->options.config, w->resolver, false,
                            &probe, why, why_len);

    listener_destroy(probe);
    return err;
}

static int open_listener(struct worker *w)
{
    const struct worker_options *o = &w->options;
    char why[WHY_LEN];
    int err = 0;

    if (o->is_shared && o->is_first) {
        err = probe(w, why, sizeof(why));
    }
    if (err == 0) {
        err = listener_open(w->loop, o->config, w->resolver, o->is_shared,
                            &w->listener, why, sizeof(why));
    }
    if (err != 0) {
        log_error("cannot listen on %s", why);
    }
    return err;
}

static int bring_up(struct worker *w)
{
    const struct worker_options *o = &w->options;
    int err = upstream_pool_create(w->loop, o->config, o->trust, &w->pool);

    if (err != 0) {
        log_error("servers: %s", err_text(err));
        return err;
    }
    err = resolver_create(w->loop, o->config, w->pool, o->shared, &w->resolver);
    if (err != 0) {
        log_error("resolver: %s", err_text(err));
        return err;
    }
    return open_listener(w);
}

int worker_create(const struct worker_options *options, struct worker **out)
{
    struct worker *w = calloc(1, sizeof(*w));
    int err = ERR_NOMEM;

    if (w == NULL) {
        return err;
    }
    w->options = *options;
    err = net_loop_create(&w->loop);
    if (err != 0) {
        log_error("event loop: %s", err_text(err));
        free(w);
        return err;
    }
    err = bring_up(w);
    if (err != 0) {
        worker_destroy(w);
        return err;
    }
    *out = w;
    return 0;
}

bool worker_addr(const struct worker *w, size_t i, struct addr *out)
{
    return listener_addr(w->listener, i, out);
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct worker *w = arg;

    net_loop_run(w->loop);
    take_down(w);
    if (net_loop_post(w->options.main_loop, w->options.on_gone,
                      w->options.arg) != 0) {
        log_error("out of memory while stopping");
        _Exit(EXIT_FAILURE); /* the main thread would wait for ever */
    }
    return NULL;
}

int worker_start(struct worker *w)
{
    sigset_t all;
    sigset_t before;
    int rc;

    /* Signals are the main thread's; a thread inherits what is blocked. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        log_error("cannot start a thread: %s", strerror(rc));
        return ERR_NET_OTHER;
    }
    w->is_started = true;
    return 0;
}

static void on_drained(void *arg)
{
    struct worker *w = arg;

    net_loop_stop(w->loop);
}

static void drain(void *arg)
{
    struct worker *w = arg;

    listener_drain(w->listener, on_drained, w);
}

int worker_drain(struct worker *w)
{
    return net_loop_post(w->loop, drain, w);
}

void worker_destroy(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    if (w->is_started) {
        (void)pthread_join(w->thread, NULL);
    } else {
        take_down(w);
    }
    net_loop_destroy(w->loop);
    free(w);
}
