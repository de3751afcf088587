/*
 * A query of the operator's, which goes the way of a client's and tells what
 * happened on it.
 */
#include "base/err.h"
#include "base/log.h"
#include "server/worker_inside.h"

#include <stdlib.h>

#define LOG_ROOM "server"

static void finish(struct worker_explain *e)
{
    list_remove(&e->node);
    TRACE(&e->trace, net_now_us(e->worker->loop), "answered");
    if (net_loop_post(e->worker->options.main_loop, e->fn, e->arg) != 0) {
        log_error("out of memory: an explanation is lost");
    }
}

static void on_answer(struct resolver_query *q)
{
    struct worker_explain *e = CONTAINER_OF(q, struct worker_explain, asked);

    e->answer_len = resolver_write(q, e->answer, DNS_MESSAGE_MAX);
    finish(e);
}

/* In the worker's thread. */
static void on_explain(void *arg)
{
    struct worker_explain *e = arg;
    struct worker *w = e->worker;

    trace_init(&e->trace, net_now_us(w->loop));
    list_push_back(&w->explains, &e->node);
    if (w->resolver == NULL) {
        finish(e);
        return;
    }
    e->asked.on_answer = on_answer;
    e->asked.is_tcp = true;
    e->asked.trace = &e->trace;
    switch (resolver_ask(w->resolver, &e->asked,
                         span_of(e->query, e->query_len), e->answer,
                         DNS_MESSAGE_MAX, &e->answer_len)) {
    case RESOLVER_PENDING:
        return;
    case RESOLVER_DROPPED:
        e->answer_len = 0;
        break;
    case RESOLVER_ANSWERED:
        break;
    }
    finish(e);
}

void worker_cancel_explains(struct worker *w)
{
    LIST_EACH (node, &w->explains) {
        struct worker_explain *e =
            CONTAINER_OF(node, struct worker_explain, node);

        list_remove(node);
        resolver_cancel(&e->asked);
    }
}

int worker_explain(struct worker *w, struct worker_explain *e, net_post_fn *fn,
                   void *arg)
{
    e->worker = w;
    e->fn = fn;
    e->arg = arg;
    e->answer_len = 0;
    e->asked = (struct resolver_query){.on_answer = NULL};
    list_init(&e->node);
    e->answer = malloc(DNS_MESSAGE_MAX);
    if (e->answer == NULL) {
        return ERR_NOMEM;
    }
    int err = net_loop_post(w->loop, on_explain, e);
    if (err != 0) {
        free(e->answer);
        e->answer = NULL;
    }
    return err;
}
