/*
 * Invariant: until worker_start() all belongs to the thread that created the
 * worker; from then on the loop and what hangs on it belong to the worker's
 * thread, which closes them before it ends.
 */
#include "server/worker_inside.h"

#include "base/err.h"
#include "base/log.h"
#include "listener/listener.h"
#include "resolver/resolver.h"
#include "upstream/upstream.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "server"

enum {
    WHY_LEN = 512,
    RETIRED_CHECK_MS = 100, /* how often pools that went are looked at */
};

static void pools_destroy(struct pools *p)
{
    for (size_t i = 0; i < p->count; i++) {
        upstream_pool_destroy(p->all[i]);
    }
    free(p->all);
    *p = (struct pools){.all = NULL};
}

/* Close what was opened; in the thread that owns the loop. */
static void take_down(struct worker *w)
{
    net_timer_stop(&w->retired_timer);
    net_monitor_close(w->monitor);
    w->monitor = NULL;
    worker_cancel_explains(w);
    listener_destroy(w->listener);
    resolver_destroy(w->resolver);
    pools_destroy(&w->pools);
    pools_destroy(&w->retired);
    w->listener = NULL;
    w->resolver = NULL;
}

/*
 * Is another program listening there? What lets workers share an address
 * (SO_REUSEPORT) lets in whatever the same user runs, such as a dotstub that
 * was started before, and both would get a part of the queries.
 */
static int probe(struct worker *w, char *why, size_t why_len)
{
    struct listener *probe = NULL;
    int err = listener_open(w->loop, w->options.setup->config, w->resolver,
                            false, &probe, why, why_len);

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
        err = listener_open(w->loop, o->setup->config, w->resolver,
                            o->is_shared, &w->listener, why, sizeof(why));
    }
    if (err != 0) {
        log_error("cannot listen on %s", why);
    }
    return err;
}

static void connect_tap(const struct worker *w, const struct setup *setup)
{
    listener_tap(w->listener,
                 setup->tap == NULL
                     ? NULL
                     : dnstap_queue_of(setup->tap, w->options.index));
}

static void log_pool_error(const struct setup *setup, size_t i, int err)
{
    log_error("servers%s%s: %s", i == 0 ? "" : " of ",
              i == 0 ? "" : setup->config->zones[i - 1].name, err_text(err));
}

/* A pool for the servers of zone i of setup (0: the default pool). */
static int open_pool(struct worker *w, const struct setup *setup, size_t i,
                     struct upstream_pool **out)
{
    int err = upstream_pool_create(w->loop, setup->config, setup->pools[i],
                                   setup->trust, out);
    if (err != 0) {
        log_pool_error(setup, i, err);
    }
    return err;
}

static struct resolver_setup resolver_setup_of(const struct worker *w,
                                               const struct setup *setup)
{
    return (struct resolver_setup){
        .config = setup->config,
        .policy = setup->policy,
        .pools = w->pools.all,
        .pool_count = w->pools.count,
    };
}

static int pools_alloc(struct pools *p, size_t count)
{
    p->all = calloc(count, sizeof(struct upstream_pool *));
    p->count = p->all == NULL ? 0 : count;
    return p->all == NULL ? ERR_NOMEM : 0;
}

static int bring_up(struct worker *w)
{
    const struct setup *setup = w->options.setup;
    int err = pools_alloc(&w->pools, setup->pool_count);

    for (size_t i = 0; i < w->pools.count && err == 0; i++) {
        if (setup->pools[i] != NULL) {
            err = open_pool(w, setup, i, &w->pools.all[i]);
        }
    }
    if (err != 0) {
        return err;
    }
    const struct resolver_setup rs = resolver_setup_of(w, setup);
    err = resolver_create(w->loop, &rs, w->options.shared, &w->resolver);
    if (err != 0) {
        log_error("resolver: %s", err_text(err));
        return err;
    }
    worker_watch_network(w);
    err = open_listener(w);
    if (err == 0) {
        connect_tap(w, setup);
    }
    return err;
}

/* ---- another setup ---- */

static void post_to_main(struct worker *w, net_post_fn *fn)
{
    if (net_loop_post(w->options.main_loop, fn, w->options.arg) != 0) {
        log_error("out of memory");
        _Exit(EXIT_FAILURE); /* the main thread would wait for ever */
    }
}

/* Pools that went live on for what they were asked; its deadlines end it. */
static void on_retired_timer(struct net_timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, retired_timer);

    for (size_t i = 0; i < w->retired.count; i++) {
        struct upstream_pool *p = w->retired.all[i];
        if (p != NULL && upstream_pool_pending(p) > 0) {
            net_timer_start(t, RETIRED_CHECK_MS);
            return;
        }
    }
    pools_destroy(&w->retired);
    if (net_loop_post(w->options.main_loop, w->options.on_applied,
                      w->options.arg) != 0) {
        log_warning_limited("out of memory: a reload waits for it");
        net_timer_start(t, RETIRED_CHECK_MS);
    }
}

/* Which zone of before has the pool that zone i of after goes on with? */
static bool find_zone(const struct setup *before, const struct setup *after,
                      size_t i, size_t *out)
{
    if (i == 0) {
        *out = 0;
        return true;
    }
    for (size_t k = 1; k < before->pool_count; k++) {
        if (strcmp(before->config->zones[k - 1].name,
                   after->config->zones[i - 1].name) == 0) {
            *out = k;
            return true;
        }
    }
    return false;
}

/* What comes of the pools with another setup: each is new, or goes on. */
struct transition {
    struct pools fresh;               /* those that go on are missing yet */
    struct upstream_change **changes; /* of those; NULL: it is new; owned */
};

static void transition_discard(struct transition *t)
{
    for (size_t i = 0; t->changes != NULL && i < t->fresh.count; i++) {
        upstream_pool_discard(t->changes[i]);
    }
    free(t->changes);
    pools_destroy(&t->fresh);
}

/* Pool i of setup. */
static int prepare_pool(struct worker *w, const struct setup *setup, size_t i,
                        struct transition *t)
{
    const struct setup *before = w->options.setup;
    size_t k = 0;
    bool may_go_on = find_zone(before, setup, i, &k) &&
                     w->pools.all[k] != NULL &&
                     before->pools[k]->is_plain == setup->pools[i]->is_plain;

    if (!may_go_on) {
        return open_pool(w, setup, i, &t->fresh.all[i]);
    }
    int err =
        upstream_pool_prepare(w->pools.all[k], setup->config, setup->pools[i],
                              setup->trust, &t->changes[i]);
    if (err != 0) {
        log_pool_error(setup, i, err);
    }
    return err;
}

/* All that may fail. What was begun is in *t, on failure too. */
static int prepare_pools(struct worker *w, const struct setup *setup,
                         struct transition *t)
{
    int err = pools_alloc(&t->fresh, setup->pool_count);

    if (err != 0) {
        return err;
    }
    t->changes = calloc(setup->pool_count, sizeof(struct upstream_change *));
    if (t->changes == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->fresh.count && err == 0; i++) {
        if (setup->pools[i] != NULL) {
            err = prepare_pool(w, setup, i, t);
        }
    }
    return err;
}

/* The pools that go on are moved; the rest is retired. */
static void commit_pools(struct worker *w, const struct setup *setup,
                         struct transition *t)
{
    size_t k = 0;

    for (size_t i = 0; i < t->fresh.count; i++) {
        if (t->changes[i] != NULL) {
            (void)find_zone(w->options.setup, setup, i, &k);
            t->fresh.all[i] = w->pools.all[k];
            w->pools.all[k] = NULL;
            upstream_pool_commit(t->changes[i]);
        }
    }
    free(t->changes);
    w->retired = w->pools;
    w->pools = t->fresh;
}

/* All that may fail, the listener last. */
static int prepare(struct worker *w, const struct setup *setup,
                   struct transition *t)
{
    char why[WHY_LEN];
    int err = prepare_pools(w, setup, t);

    if (err == 0) {
        err = resolver_reserve(w->resolver, setup->pool_count);
    }
    if (err != 0) {
        return err;
    }
    err = listener_reconfigure(w->listener, setup->config, w->options.is_shared,
                               why, sizeof(why));
    if (err != 0) {
        log_error("cannot listen on %s", why);
    }
    return err;
}

/* On failure all is as it was. */
static int take_setup(struct worker *w, const struct setup *setup)
{
    struct transition t = {.changes = NULL};
    int err = prepare(w, setup, &t);

    if (err != 0) {
        transition_discard(&t);
        return err;
    }
    connect_tap(w, setup);
    commit_pools(w, setup, &t);
    const struct resolver_setup rs = resolver_setup_of(w, setup);
    err = resolver_reconfigure(w->resolver, &rs);
    assert(err == 0); /* resolver_reserve() */
    w->options.setup = setup;
    return err;
}

static void apply(void *arg)
{
    struct worker *w = arg;

    if (w->listener == NULL || take_setup(w, w->next) != 0) {
        log_warning("the configuration before stays");
    }
    on_retired_timer(&w->retired_timer);
}

int worker_apply(struct worker *w, const struct setup *setup)
{
    w->next = setup;
    return net_loop_post(w->loop, apply, w);
}

const struct setup *worker_setup(const struct worker *w)
{
    return w->options.setup;
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
    net_timer_init(&w->retired_timer, w->loop, on_retired_timer);
    list_init(&w->explains);
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
    post_to_main(w, w->options.on_gone);
    return NULL;
}

int worker_start(struct worker *w)
{
    sigset_t all;
    sigset_t before;
    int rc;

    listener_log(w->listener);
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
