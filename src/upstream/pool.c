/*
 * Requests: from upstream_ask() to their answer, over as many servers and
 * connections as it takes. Start reading at request_send().
 *
 * A request is in one of three places: on connections (attempt_count > 0), in
 * the list of those that wait for a connection, or waiting for its own timer
 * before it is tried again. It ends in request_finish() and nowhere else.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a request's attempts ---- */

void pool_detach(struct upstream_request *req, const struct upstream_conn *c)
{
    for (unsigned i = 0; i < req->attempt_count; i++) {
        if (req->attempts[i].conn == c) {
            req->attempts[i] = req->attempts[--req->attempt_count];
            return;
        }
    }
}

static void request_withdraw(struct upstream_request *req)
{
    for (unsigned i = 0; i < req->attempt_count; i++) {
        conn_abandon(req->attempts[i].conn, req->attempts[i].slot);
    }
    req->attempt_count = 0;
    list_remove(&req->node);
    net_timer_stop(&req->timer);
}

static bool holds(const struct upstream_request *req,
                  const struct upstream_conn *c)
{
    for (unsigned i = 0; i < req->attempt_count; i++) {
        if (req->attempts[i].conn == c) {
            return true;
        }
    }
    return false;
}

/* ---- the end ---- */

static void request_finish(struct upstream_request *req,
                           const struct upstream_result *result)
{
    uint8_t *fallback = req->fallback;

    request_withdraw(req);
    req->fallback = NULL;
    req->pool->pending--;
    req->on_done(req, result);
    free(fallback); /* result may point into it */
}

/* Nobody will answer: the error that a server gave is better than ours. */
static void request_fail(struct upstream_request *req)
{
    struct upstream_result result = {.err = ERR_NET_OTHER};

    if (req->fallback != NULL) {
        result.message = span_of(req->fallback, req->fallback_len);
        result.err = dns_response_parse(result.message, &result.response);
    }
    request_finish(req, &result);
}

/* ---- sending ---- */

/* Send one more copy, over a connection that has none, to a server that was
 * not asked. */
static bool request_send_copy(struct upstream_request *req)
{
    uint64_t skip = req->asked;
    struct upstream_server *s = NULL;

    if (req->attempt_count == UPSTREAM_ATTEMPTS_MAX) {
        return false;
    }
    while ((s = strategy_pick(req->pool, skip)) != NULL) {
        struct upstream_conn *c = server_conn(s);
        if (c != NULL && !holds(req, c) && conn_send(c, req) == 0) {
            return true;
        }
        skip |= UINT64_C(1) << s->index;
    }
    return false;
}

/* The same, beginning again with the first server when all were asked. */
static bool request_send_again(struct upstream_request *req)
{
    if (request_send_copy(req)) {
        return true;
    }
    if (req->asked == 0) {
        return false;
    }
    req->asked = 0;
    return request_send_copy(req);
}

/* A client waits: servers that were set aside may be well again. */
static void dial_for_clients(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        server_dial_if_due(&p->servers[i], true);
    }
}

static void request_wait(struct upstream_request *req)
{
    struct upstream_pool *p = req->pool;

    if (!req->has_waited) {
        req->has_waited = true;
        p->stats.waited++;
    }
    net_timer_stop(&req->timer); /* it may run since an earlier attempt */
    list_push_back(&p->waiting, &req->node);
    dial_for_clients(p);
}

/* Is there a server that works, and whose opinion is not known yet? It may be
 * without a connection just now. */
static bool has_unheard(const struct upstream_request *req)
{
    const struct upstream_pool *p = req->pool;

    for (size_t i = 0; i < p->count; i++) {
        if (p->servers[i].failures == 0 && (req->refused >> i & 1) == 0) {
            return true;
        }
    }
    return false;
}

/* Send req where the strategy says; if nowhere, let it wait. */
static void request_send(struct upstream_request *req)
{
    unsigned width = strategy_width(req->pool);

    while (req->attempt_count < width && request_send_copy(req)) {
    }
    if (req->attempt_count == 0 && req->fallback != NULL) {
        /* Those that can be asked were, and one said no. */
        if (has_unheard(req)) {
            request_wait(req);
        } else {
            request_fail(req);
        }
        return;
    }
    if (req->attempt_count == 0 && !request_send_again(req)) {
        request_wait(req);
        return;
    }
    net_timer_start(&req->timer, req->pool->config->answer_timeout_ms);
}

/* No answer for too long: ask another server, or the same one over another
 * connection. The copies on their way may still be answered. */
static void request_hedge(struct upstream_request *req)
{
    struct upstream_pool *p = req->pool;
    uint64_t again_ms = p->config->answer_timeout_ms;

    dial_for_clients(p);
    if (request_send_again(req)) {
        p->stats.hedged++;
    } else {
        for (size_t i = 0; i < p->count; i++) {
            server_dial_more(&p->servers[i]);
        }
        again_ms = p->config->retry_min_ms;
    }
    net_timer_start(&req->timer, again_ms);
}

static void on_request_timer(struct net_timer *t)
{
    struct upstream_request *req =
        CONTAINER_OF(t, struct upstream_request, timer);

    if (req->attempt_count > 0) {
        request_hedge(req);
    } else {
        request_send(req); /* it was held back after losses */
    }
}

/* ---- what connections tell ---- */

static bool is_error(const struct dns_response *r)
{
    return (r->flags & DNS_FLAG_TC) != 0 || /* over TLS nothing is too long */
           (r->rcode != DNS_RCODE_NOERROR && r->rcode != DNS_RCODE_NXDOMAIN &&
            r->rcode != DNS_RCODE_YXDOMAIN);
}

/* The error that is believed when no better answer comes. */
static void keep_fallback(struct upstream_request *req, struct span message)
{
    if (req->fallback != NULL) {
        return;
    }
    req->fallback = malloc(message.len);
    if (req->fallback != NULL) {
        memcpy(req->fallback, message.ptr, message.len);
        req->fallback_len = (uint32_t)message.len;
    }
}

/*
 * A server answered with an error: ask the next one before it is believed, or
 * wait for one that works and is between two connections. Returns false when
 * there is nobody left to wait for.
 */
static bool request_doubt(struct upstream_request *req, struct span message)
{
    bool may_ask = ++req->error_answers < ERROR_ANSWERS_MAX;

    if (may_ask && request_send_copy(req)) {
        req->pool->stats.retried++;
    }
    bool is_waiting = req->attempt_count == 0 && may_ask && has_unheard(req);
    if (req->attempt_count == 0 && !is_waiting) {
        return false;
    }
    keep_fallback(req, message);
    if (is_waiting) {
        request_wait(req);
    }
    return true;
}

void pool_answer(struct upstream_request *req, const struct upstream_server *s,
                 struct span message, const struct dns_response *response)
{
    if (is_error(response)) {
        req->refused |= UINT64_C(1) << s->index;
        if (request_doubt(req, message)) {
            return;
        }
    }
    const struct upstream_result result = {.message = message,
                                           .response = *response};
    request_finish(req, &result);
}

void pool_lost(struct upstream_pool *p, struct list *requests)
{
    while (!list_is_empty(requests)) {
        struct upstream_request *req =
            LIST_FIRST(requests, struct upstream_request, node);
        list_remove(&req->node);
        p->stats.moved++;
        if (req->losses < LOSSES_BEFORE_WAIT) {
            request_send(req);
        } else {
            unsigned more = req->losses - LOSSES_BEFORE_WAIT;
            net_timer_start(&req->timer,
                            (uint64_t)LOSS_WAIT_MS << (more < 6 ? more : 6));
        }
    }
}

static bool has_room(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->servers[i].ready > 0 && server_conn(&p->servers[i]) != NULL) {
            return true;
        }
    }
    return false;
}

void pool_retry_waiting(struct upstream_pool *p)
{
    struct list waiting;

    list_init(&waiting);
    list_splice(&waiting, &p->waiting);
    while (!list_is_empty(&waiting) && has_room(p)) {
        struct upstream_request *req =
            LIST_FIRST(&waiting, struct upstream_request, node);
        list_remove(&req->node);
        request_send(req);
    }
    list_splice(&waiting, &p->waiting);
    list_splice(&p->waiting, &waiting);
}

/* ---- review: at the end of a turn in which health changed ---- */

/* Has every server failed since req came, and not for the first time? */
static bool is_hopeless(const struct upstream_pool *p,
                        const struct upstream_request *req)
{
    if (req->fallback != NULL) {
        return !has_unheard(req);
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = &p->servers[i];
        if (s->ready > 0 || s->failures < SERVER_DOWN_AFTER ||
            s->failed_at <= req->asked_at) {
            return false;
        }
    }
    return true;
}

static void fail_hopeless(struct upstream_pool *p)
{
    struct list hopeless;

    list_init(&hopeless);
    LIST_EACH (node, &p->waiting) {
        struct upstream_request *req =
            CONTAINER_OF(node, struct upstream_request, node);
        if (is_hopeless(p, req)) {
            list_remove(node);
            list_push_back(&hopeless, node);
        }
    }
    while (!list_is_empty(&hopeless)) {
        request_fail(LIST_FIRST(&hopeless, struct upstream_request, node));
    }
}

static void keep_warm(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count && pool_is_warm(p); i++) {
        if (strategy_wants_warm(p, &p->servers[i])) {
            server_dial_if_due(&p->servers[i], false);
        }
    }
}

static void on_review(struct net_turn *t)
{
    struct upstream_pool *p = CONTAINER_OF(t, struct upstream_pool, turn);

    if (p->is_closing) {
        return;
    }
    if (p->has_slept) {
        p->has_slept = false;
        pool_connect_anew(p);
        if (!list_is_empty(&p->waiting)) {
            dial_for_clients(p);
        }
    }
    keep_warm(p);
    if (!list_is_empty(&p->waiting)) {
        pool_retry_waiting(p);
        fail_hopeless(p);
    }
}

void pool_review(struct upstream_pool *p)
{
    net_turn_defer(p->loop, &p->turn);
}

bool pool_is_warm(const struct upstream_pool *p)
{
    return !p->is_closing && net_now_ms(p->loop) - p->asked_ms <= WARM_FOR_MS;
}

/* ---- the door ---- */

void upstream_ask(struct upstream_pool *p, struct upstream_request *req)
{
    if (!pool_is_warm(p)) {
        pool_review(p);
    }
    pool_check_sleep(p);
    p->asked_ms = net_now_ms(p->loop);
    p->pending++;
    p->stats.requests++;
    req->pool = p;
    req->asked = 0;
    req->refused = 0;
    req->started_ms = p->asked_ms;
    req->asked_at = p->failures;
    req->fallback = NULL;
    req->attempt_count = 0;
    req->error_answers = 0;
    req->losses = 0;
    req->has_waited = false;
    list_init(&req->node);
    net_timer_init(&req->timer, p->loop, on_request_timer);
    request_send(req);
}

void upstream_cancel(struct upstream_request *req)
{
    request_withdraw(req);
    req->pool->pending--;
    free(req->fallback);
    req->fallback = NULL;
}

void upstream_give_up(struct upstream_request *req)
{
    request_fail(req);
}

int upstream_pool_create(struct net_loop *loop, const struct config *config,
                         struct tls_trust *trust, struct upstream_pool **out)
{
    struct upstream_pool *p = calloc(1, sizeof(*p));
    uint64_t seed = 0;
    int err = ERR_NOMEM;

    if (p == NULL) {
        return err;
    }
    p->loop = loop;
    p->config = config;
    p->asked_ms = net_now_ms(loop);
    p->asleep_ms = pool_asleep_ms(p);
    list_init(&p->waiting);
    net_turn_init(&p->turn, on_review);
    net_random(loop, &seed, sizeof(seed));
    rng_seed(&p->rng, seed);
    p->servers = calloc(config->server_count, sizeof(*p->servers));
    if (p->servers == NULL) {
        goto fail;
    }
    for (unsigned i = 0; i < config->server_count; i++) {
        err = server_init(&p->servers[i], p, i, trust);
        p->count = i + 1;
        if (err != 0) {
            goto fail;
        }
    }
    keep_warm(p);
    *out = p;
    return 0;

fail:
    upstream_pool_destroy(p);
    return err;
}

void upstream_pool_destroy(struct upstream_pool *p)
{
    if (p == NULL) {
        return;
    }
    p->is_closing = true;
    for (size_t i = 0; i < p->count; i++) {
        server_finish(&p->servers[i]);
    }
    net_turn_cancel(&p->turn);
    free(p->servers);
    free(p);
}
