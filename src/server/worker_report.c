/*
 * A worker's own account: written in its thread, read in the main one.
 */
#include "base/err.h"
#include "base/log.h"
#include "server/worker_inside.h"

#include <stdlib.h>

#define LOG_ROOM "server"

void worker_report_finish(struct worker_report *r)
{
    for (size_t i = 0; i < r->pool_count; i++) {
        free(r->pools[i].servers);
    }
    free(r->pools);
    *r = (struct worker_report){.worker = NULL};
}

static int report_pool(const struct upstream_pool *p,
                       struct worker_pool_report *out)
{
    if (p == NULL) {
        return 0; /* a zone without servers */
    }
    out->stats = *upstream_pool_stats(p);
    size_t count = upstream_pool_report(p, NULL, 0);
    out->servers = calloc(count + 1, sizeof(*out->servers));
    if (out->servers == NULL) {
        return ERR_NOMEM;
    }
    out->server_count = upstream_pool_report(p, out->servers, count);
    return 0;
}

static int report_pools(const struct worker *w, struct worker_report *r)
{
    int err = 0;

    r->pools = calloc(w->pools.count + 1, sizeof(*r->pools));
    if (r->pools == NULL) {
        return ERR_NOMEM;
    }
    r->pool_count = w->pools.count;
    for (size_t i = 0; i < r->pool_count && err == 0; i++) {
        err = report_pool(w->pools.all[i], &r->pools[i]);
    }
    return err;
}

/* In the worker's thread. */
static void on_request(void *arg)
{
    struct worker_report *r = arg;
    struct worker *w = r->worker;

    if (w->listener != NULL && report_pools(w, r) == 0) {
        r->is_complete = true;
        r->is_ready = upstream_is_verified(w->pools.all[0]);
        r->resolver = *resolver_stats(w->resolver);
        r->latency = *resolver_latency(w->resolver);
        listener_stats(w->listener, &r->listener);
        r->tcp_clients = listener_tcp_clients(w->listener);
        r->pending = listener_pending(w->listener);
    }
    if (net_loop_post(w->options.main_loop, r->fn, r->arg) != 0) {
        log_error("out of memory: a report is lost");
    }
}

int worker_ask_report(struct worker *w, struct worker_report *r,
                      net_post_fn *fn, void *arg)
{
    r->worker = w;
    r->fn = fn;
    r->arg = arg;
    return net_loop_post(w->loop, on_request, r);
}
