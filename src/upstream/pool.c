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

enum attempt_reason pool_detach(struct upstream_request *req,
                                const struct upstream_conn *c)
{
    for (unsigned i = 0; i < req->attempt_count; i++) {
        if (req->attempts[i].conn == c) {
            uint8_t reason = req->attempts[i].reason;
            req->attempts[i] = req->attempts[--req->attempt_count];
            return (enum attempt_reason)reason;
        }
    }
    return ATTEMPT_FIRST; /* not reached: a slot's request has its attempt */
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

bool pool_holds(const struct upstream_request *req,
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
 * not asked; may_be_bad: one that failed or is silent will do. */
static bool request_send_to(struct upstream_request *req,
                            enum attempt_reason reason, bool may_be_bad)
{
    struct strategy_choice choice = {
        .req = req, .asked = req->asked, .is_lenient = may_be_bad};
    struct upstream_server *s = NULL;

    if (req->attempt_count == UPSTREAM_ATTEMPTS_MAX) {
        return false;
    }
    while ((s = strategy_pick(req->pool, choice)) != NULL) {
        struct upstream_conn *c = server_conn(s, req);
        if (c != NULL && conn_send(c, req, reason) == 0) {
            return true;
        }
        choice.asked |= UINT64_C(1) << s->bit;
    }
    return false;
}

/* The same, to a good one if there is any. */
static bool request_send_copy(struct upstream_request *req,
                              enum attempt_reason reason)
{
    return request_send_to(req, reason, false) ||
           request_send_to(req, reason, true);
}

/* The same, beginning again with the first server when all were asked. */
static bool request_send_again(struct upstream_request *req,
                               enum attempt_reason reason)
{
    if (request_send_copy(req, reason)) {
        return true;
    }
    if (req->asked == 0) {
        return false;
    }
    req->asked = 0;
    return request_send_copy(req, reason);
}

/* To a server that was asked, over another connection. */
static bool request_send_beside(struct upstream_request *req, bool may_be_bad)
{
    uint64_t asked = req->asked;

    req->asked = 0;
    bool is_sent = request_send_to(req, ATTEMPT_HEDGE, may_be_bad);
    req->asked |= asked;
    return is_sent;
}

/* Good ones first: another server, then another connection. */
bool pool_send_hedge(struct upstream_request *req)
{
    bool is_sent = request_send_to(req, ATTEMPT_HEDGE, false) ||
                   request_send_beside(req, false) ||
                   request_send_to(req, ATTEMPT_HEDGE, true) ||
                   request_send_beside(req, true);

    req->pool->stats.hedged += is_sent;
    return is_sent;
}

static void request_wait(struct upstream_request *req)
{
    struct upstream_pool *p = req->pool;

    /* One that has an error to show waits for something better. */
    if (!req->has_waited && req->fallback == NULL) {
        req->has_waited = true;
        p->stats.waited++;
    }
    told_waiting(req);
    net_timer_stop(&req->timer); /* it may run since an earlier attempt */
    list_push_back(&p->waiting, &req->node);
    pool_dial_for_clients(p);
}

/* Is there a server that works, and whose opinion is not known yet? It may be
 * without a connection just now. */
static bool has_unheard(const struct upstream_request *req)
{
    const struct upstream_pool *p = req->pool;

    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = p->servers[i];
        if (s->failures == 0 && (req->refused >> s->bit & 1) == 0) {
            return true;
        }
    }
    return false;
}

/* Send req where the strategy says; if nowhere, let it wait. */
static void request_send(struct upstream_request *req,
                         enum attempt_reason reason)
{
    unsigned width = strategy_width(req->pool);

    while (req->attempt_count < width && request_send_copy(req, reason)) {
        reason = reason == ATTEMPT_FIRST ? ATTEMPT_NEXT : reason;
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
    if (req->attempt_count == 0 && !request_send_again(req, reason)) {
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

    pool_dial_for_clients(p);
    if (request_send_again(req, ATTEMPT_HEDGE)) {
        p->stats.hedged++;
    } else {
        for (size_t i = 0; i < p->count; i++) {
            server_dial_more(p->servers[i]);
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
        request_send(req, ATTEMPT_MOVED); /* it was held back after losses */
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

    if (may_ask && request_send_copy(req, ATTEMPT_RETRY)) {
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
                 enum attempt_reason reason, struct span message,
                 const struct dns_response *response)
{
    told_answer(req, s, reason, response);
    if (is_error(response)) {
        req->refused |= UINT64_C(1) << s->bit;
        if (request_doubt(req, message)) {
            return;
        }
    }
    req->pool->stats.hedge_won += reason == ATTEMPT_HEDGE;
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
            request_send(req, ATTEMPT_MOVED);
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
        if (p->servers[i]->ready > 0 &&
            server_conn(p->servers[i], NULL) != NULL) {
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
        request_send(req, req->copies == 0 ? ATTEMPT_FIRST : ATTEMPT_MOVED);
    }
    list_splice(&waiting, &p->waiting);
    list_splice(&p->waiting, &waiting);
}

/* ---- no hope ---- */

/* Has every server failed since req came, and not for the first time? */
static bool is_hopeless(const struct upstream_pool *p,
                        const struct upstream_request *req)
{
    if (req->fallback != NULL) {
        return !has_unheard(req);
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = p->servers[i];
        if (s->ready > 0 || s->failures + s->offline < SERVER_DOWN_AFTER ||
            s->failed_at <= req->asked_at) {
            return false;
        }
    }
    return true;
}

void pool_fail_hopeless(struct upstream_pool *p)
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

/* ---- the door ---- */

void upstream_ask(struct upstream_pool *p, struct upstream_request *req)
{
    req->pool = p;
    if (p->plain != NULL) {
        plain_ask(p->plain, req);
        return;
    }
    pool_wake(p);
    p->pending++;
    p->stats.requests++;
    hedge_refill(p);
    req->asked = 0;
    req->refused = 0;
    req->started_ms = p->asked_ms;
    req->asked_at = p->failures;
    req->fallback = NULL;
    req->attempt_count = 0;
    req->copies = 0;
    req->error_answers = 0;
    req->losses = 0;
    req->has_waited = false;
    list_init(&req->node);
    net_timer_init(&req->timer, p->loop, on_request_timer);
    request_send(req, ATTEMPT_FIRST);
}

void upstream_cancel(struct upstream_request *req)
{
    if (req->pool->plain != NULL) {
        plain_cancel(req);
        return;
    }
    request_withdraw(req);
    req->pool->pending--;
    free(req->fallback);
    req->fallback = NULL;
}

void upstream_give_up(struct upstream_request *req)
{
    if (req->pool->plain != NULL) {
        plain_give_up(req);
        return;
    }
    request_fail(req);
}
