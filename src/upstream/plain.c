/*
 * Requests to plain servers: from plain_ask() to their one end. Start reading
 * at request_send_some().
 *
 * A request asks one server (or as many as the strategy races); when its time
 * is over the next one is asked, and when all were asked the round begins anew
 * with twice the time, until the caller gives up. Copies that are late are
 * still listened for. A server that says no at once (a closed port) is passed
 * over at once; one that answers with an error is doubted: the next is asked
 * before it is believed. It ends in request_finish() and nowhere else.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"
#include "dns/frame.h"

#include <stdlib.h>
#include <string.h>

enum { VAIN_WAIT_MS = 100 };

/* ---- copies ---- */

void plain_copy_drop(struct plain_copy *c)
{
    if (c->socket != NULL) {
        plain_udp_detach(c);
    } else {
        plain_tcp_detach(c);
    }
    list_remove(&c->node);
    if (c->req != NULL) {
        c->req->plain.copy_count--;
    } else {
        c->server->trial = NULL;
        net_timer_stop(&c->server->trial_timer);
    }
    c->server->in_flight--;
    slab_give(&c->server->pool->copies, c);
}

/* Those that an answer is waited for. */
static unsigned awaited(const struct upstream_request *req)
{
    unsigned count = 0;

    LIST_EACH (node, &req->plain.copies) {
        count += !CONTAINER_OF(node, struct plain_copy, node)->is_late;
    }
    return count;
}

/* Their time is over. */
static void note_late(struct upstream_request *req)
{
    LIST_EACH (node, &req->plain.copies) {
        struct plain_copy *c = CONTAINER_OF(node, struct plain_copy, node);
        if (!c->is_late && c->socket != NULL) {
            plain_server_failed(c->server, c->sent_us, ERR_NET_TIMEOUT, NULL);
        }
        c->is_late = true;
    }
}

/* ---- the end ---- */

static void request_withdraw(struct upstream_request *req)
{
    LIST_EACH (node, &req->plain.copies) {
        struct plain_copy *c = CONTAINER_OF(node, struct plain_copy, node);
        if (plain_server_keep_trial(c->server, c)) {
            list_remove(node);
        } else {
            plain_copy_drop(c);
        }
    }
    list_remove(&req->node);
    list_remove(&req->plain.node);
    net_timer_stop(&req->timer);
    req->plain.owner->pending--;
}

static void request_finish(struct upstream_request *req,
                           const struct upstream_result *result)
{
    uint8_t *fallback = req->fallback;

    request_withdraw(req);
    req->fallback = NULL;
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

static bool is_for_tcp(const struct upstream_request *req,
                       const struct plain_server *s)
{
    return req->plain.is_tcp || s->config->transport == CONFIG_TCP ||
           req->frame_len > DNS_FRAME_HEAD + PLAIN_QUERY_MAX;
}

static void look_init(struct plain_look *look, struct plain_server *s,
                      const struct upstream_request *req)
{
    struct plain *p = s->pool;

    *look = (struct plain_look){
        .is_bare = net_now_ms(p->loop) < s->no_edns_until_ms,
        .has_case = p->set->has_random_case,
    };
    if (look->has_case) {
        plain_random(p, look->flips, (req->question.name_len + 7u) / 8);
    }
}

/* Only a failure of its own counts against a server. */
static bool is_ours(int err)
{
    return err == ERR_LIMIT || err == ERR_NOMEM || err == ERR_NET_FILES;
}

/* Send one more copy, to s. Returns whether that could be done. */
static bool request_send_to(struct upstream_request *req,
                            struct plain_server *s)
{
    struct plain *p = s->pool;
    struct plain_copy *c = NULL;

    if (req->plain.copy_count == UPSTREAM_ATTEMPTS_MAX) {
        plain_copy_drop(
            LIST_FIRST(&req->plain.copies, struct plain_copy, node));
    }
    c = slab_take(&p->copies);
    if (c == NULL) {
        return false;
    }
    *c = (struct plain_copy){
        .req = req,
        .question = &req->question,
        .server = s,
        .sent_us = net_now_us(p->loop),
    };
    list_init(&c->node);
    look_init(&c->look, s, req);
    bool is_tcp = is_for_tcp(req, s);
    int err = is_tcp ? plain_tcp_send(c) : plain_udp_send(c);
    if (err != 0) {
        if (!is_ours(err)) {
            plain_server_failed(s, c->sent_us, err, NULL);
        }
        slab_give(&p->copies, c);
        return false;
    }
    list_push_back(&req->plain.copies, &c->node);
    req->plain.copy_count++;
    TRACE(req->trace, c->sent_us, "sent to %s in clear text%s",
          s->config->label, is_tcp ? " (TCP)" : "");
    p->stats.sent++;
    s->queries++;
    s->in_flight++;
    net_timer_start(&req->timer,
                    plain_server_wait_ms(s, is_tcp, req->plain.round));
    return true;
}

/* Send one to a server that was not asked in this round. NULL: none took it. */
static struct plain_server *request_send_next(struct upstream_request *req)
{
    struct plain *p = req->plain.owner;
    struct plain_server *s = NULL;

    while ((s = plain_server_pick(p, req->asked)) != NULL) {
        req->asked |= plain_server_bit(s);
        if (request_send_to(req, s)) {
            return s;
        }
    }
    return NULL;
}

/* Send as many as the strategy wants, and one more where a server is tried
 * that failed before. Returns whether any was sent. */
static bool request_send_some(struct upstream_request *req)
{
    struct plain *p = req->plain.owner;
    bool is_race = p->set->strategy == CONFIG_RACE;
    unsigned width = is_race ? p->set->race_width : 1;
    bool is_sent = false;

    for (unsigned on_way = awaited(req); on_way < width; on_way++) {
        const struct plain_server *s = request_send_next(req);
        if (s == NULL) {
            break;
        }
        is_sent = true;
        if (plain_server_is_doubtful(s) && width < UPSTREAM_ATTEMPTS_MAX &&
            plain_server_has_sound(p, req->asked)) {
            width++;
        }
    }
    return is_sent;
}

static bool has_unasked(const struct upstream_request *req)
{
    const struct plain *p = req->plain.owner;

    for (size_t i = 0; i < p->count; i++) {
        if ((req->asked & plain_server_bit(p->servers[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Was an answer cut, and is the whole on its way, from s (NULL: from any)? For
 * how long it may be still: as long as a connection and an answer may take,
 * since a part is no answer over TCP. 0: it is not. */
static uint64_t fetch_left_ms(const struct upstream_request *req,
                              const struct plain_server *s)
{
    const struct plain *p = req->plain.owner;
    uint64_t now_us = net_now_us(p->loop);
    uint64_t most_us = 1000 * ((uint64_t)p->config->connect_timeout_ms +
                               p->config->answer_timeout_ms);
    uint64_t left_us = 0;

    LIST_EACH (node, &req->plain.copies) {
        const struct plain_copy *c =
            CONTAINER_OF(node, struct plain_copy, node);
        bool is_it = c->stream != NULL && (s == NULL || c->server == s);
        if (is_it && req->plain.is_tcp && c->sent_us + most_us > now_us &&
            left_us < c->sent_us + most_us - now_us) {
            left_us = c->sent_us + most_us - now_us;
        }
    }
    return (left_us + 999) / 1000;
}

/* Go on with one that may be nowhere. Ends it when nobody is left to ask, and
 * that not for the first time: a server may be restarting. */
static void request_go_on(struct upstream_request *req)
{
    if (request_send_some(req)) {
        return;
    }
    if (req->plain.copy_count > 0) {
        if (!net_timer_is_active(&req->timer)) {
            net_timer_start(&req->timer, PLAIN_WAIT_FIRST_MS);
        }
        return;
    }
    if (req->fallback != NULL ||
        ++req->plain.vain_rounds >= PLAIN_VAIN_ROUNDS_MAX) {
        request_fail(req);
        return;
    }
    req->plain.owner->stats.waited++;
    net_timer_start(&req->timer,
                    (uint64_t)VAIN_WAIT_MS << (req->plain.vain_rounds - 1));
}

static void on_request_timer(struct net_timer *t)
{
    struct upstream_request *req =
        CONTAINER_OF(t, struct upstream_request, timer);
    bool is_late = req->plain.copy_count > 0;

    note_late(req);
    if (!has_unasked(req)) {
        uint64_t left_ms = fetch_left_ms(req, NULL);
        if (left_ms > 0) {
            net_timer_start(t, left_ms);
            return;
        }
        if (req->fallback != NULL) {
            request_fail(req); /* an error is all that came */
            return;
        }
        req->asked = 0;
        if (req->plain.round < UINT8_MAX) {
            req->plain.round++;
        }
    }
    if (is_late && request_send_next(req) != NULL) {
        req->plain.owner->stats.hedged++;
        return;
    }
    request_go_on(req);
}

static void request_go_on_soon(struct upstream_request *req)
{
    struct plain *p = req->plain.owner;

    list_remove(&req->node);
    list_push_back(&p->again, &req->node);
    plain_review(p);
}

void plain_go_on(struct plain *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct plain_stream *t = p->servers[i]->stream;
        if (t != NULL && t->doomed != 0) {
            plain_tcp_close(t, t->doomed);
        }
    }
    struct list again;
    list_init(&again);
    list_splice(&again, &p->again);
    while (!list_is_empty(&again)) {
        struct upstream_request *req =
            LIST_FIRST(&again, struct upstream_request, node);
        list_remove(&req->node);
        request_go_on(req);
    }
}

/* ---- what carriers tell ---- */

void plain_copy_lost(struct plain_copy *c, bool is_stale)
{
    struct upstream_request *req = c->req;
    uint64_t bit = plain_server_bit(c->server);

    plain_copy_drop(c);
    if (req == NULL) {
        return; /* a trial */
    }
    if (is_stale && req->losses < PLAIN_LOSSES_MAX) {
        req->losses++;
        req->asked &= ~bit;
    }
    req->plain.owner->stats.moved++;
    request_go_on_soon(req);
}

static bool is_error(const struct dns_response *r)
{
    return (r->flags & DNS_FLAG_TC) != 0 ||
           (r->rcode != DNS_RCODE_NOERROR && r->rcode != DNS_RCODE_NXDOMAIN &&
            r->rcode != DNS_RCODE_YXDOMAIN);
}

/* What is believed when nothing better comes. */
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

/* Ask the same server again, in another way; if that fails, go on. */
static void request_send_anew(struct upstream_request *req,
                              struct plain_server *s)
{
    s->pool->stats.retried++;
    if (!request_send_to(req, s)) {
        request_go_on_soon(req);
    }
}

/* RFC 6891 section 7: a server that knows no OPT answers FORMERR without one;
 * older ones say NOTIMP. */
static bool may_dislike_opt(const struct dns_response *r)
{
    return !r->opt.is_present &&
           (r->rcode == DNS_RCODE_FORMERR || r->rcode == DNS_RCODE_NOTIMP);
}

/* Is that an answer to a query in which an OPT was? If there is none in the
 * next one, it is that which the server does not like. */
static bool is_about_opt(struct plain_server *s, bool was_bare,
                         const struct dns_response *r)
{
    if (!may_dislike_opt(r)) {
        return false;
    }
    s->no_edns_until_ms =
        was_bare ? 0 : net_now_ms(s->pool->loop) + PLAIN_NO_EDNS_MS;
    return !was_bare;
}

/* A server answered with an error: ask the next one before it is believed.
 * Returns false when nobody is left to wait for. */
static bool request_doubt(struct upstream_request *req, struct span message)
{
    bool may_ask = ++req->error_answers < PLAIN_ERROR_ANSWERS_MAX;

    if (may_ask && request_send_next(req) != NULL) {
        req->plain.owner->stats.retried++;
    }
    if (req->plain.copy_count == 0) {
        return false;
    }
    keep_fallback(req, message);
    return true;
}

void plain_copy_answered(struct plain_copy *c, struct span message,
                         const struct dns_response *response)
{
    struct upstream_request *req = c->req;
    struct plain_server *s = c->server;
    bool was_bare = c->look.is_bare;
    bool is_cut = (response->flags & DNS_FLAG_TC) != 0 && c->socket != NULL;
    char rcode[16];

    plain_server_answered(s, c);
    plain_copy_drop(c);
    if (req == NULL) {
        return; /* a trial */
    }
    s->pool->stats.answers++;
    TRACE(req->trace, net_now_us(s->pool->loop), "%s answered: %s%s",
          s->config->label, dns_rcode_text(response->rcode, rcode),
          is_cut ? ", cut" : "");
    if (is_cut && fetch_left_ms(req, s) > 0) {
        return; /* it was asked twice */
    }
    if (is_cut) {
        req->plain.is_tcp = true;
        keep_fallback(req, message);
    }
    if (is_cut || is_about_opt(s, was_bare, response)) {
        request_send_anew(req, s);
        return;
    }
    if (is_error(response) && request_doubt(req, message)) {
        return;
    }
    const struct upstream_result result = {.message = message,
                                           .response = *response};
    request_finish(req, &result);
}

/* ---- the door ---- */

void plain_ask(struct plain *p, struct upstream_request *req)
{
    p->pending++;
    p->stats.requests++;
    req->plain = (struct upstream_plain){.owner = p};
    list_init(&req->plain.copies);
    list_init(&req->plain.node);
    list_push_back(&p->requests, &req->plain.node);
    req->asked = 0;
    req->fallback = NULL;
    req->error_answers = 0;
    req->losses = 0;
    list_init(&req->node);
    net_timer_init(&req->timer, p->loop, on_request_timer);
    if (!request_send_some(req)) {
        request_go_on_soon(req);
    }
}

void plain_cancel(struct upstream_request *req)
{
    request_withdraw(req);
    free(req->fallback);
    req->fallback = NULL;
}

void plain_give_up(struct upstream_request *req)
{
    request_fail(req);
}
