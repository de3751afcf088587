/*
 * Copies over TCP (RFC 7766): one connection a server, opened when a query
 * needs it, pipelined, closed after some seconds without use. It is closed,
 * too, when it gives no answer for answer_timeout while queries wait.
 *
 * Callbacks of the stream note what happened and close last; a write that
 * fails dooms the connection until the end of the turn.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"
#include "dns/frame.h"

#include <stdlib.h>

#define LOG_ROOM "upstream"

/* ---- time ---- */

/* Answered, connected or used again by then, or closed. */
static void arm(struct plain_stream *t)
{
    const struct config *config = t->server->pool->config;
    uint64_t wait = PLAIN_IDLE_MS;

    if (!t->is_connected) {
        wait = config->connect_timeout_ms;
    } else if (t->copy_count > 0) {
        wait = config->answer_timeout_ms;
    }
    net_timer_start(&t->timer, wait);
}

static void on_timer(struct net_timer *timer)
{
    struct plain_stream *t = CONTAINER_OF(timer, struct plain_stream, timer);
    bool is_idle = t->is_connected && t->copy_count == 0;

    plain_tcp_close(t, is_idle ? 0 : ERR_NET_TIMEOUT);
}

/* ---- receiving ---- */

/* An ID without a copy is that of one taken back: its answer is late. */
static int take_answer(struct plain_stream *t, struct span message)
{
    struct plain *p = t->server->pool;
    struct plain_copy *c = plain_find(&t->copies, message);
    struct dns_response response;

    if (c == NULL) {
        p->stats.late++;
        return message.len < DNS_HEADER_LEN ? ERR_DNS_SHORT : 0;
    }
    int err = plain_message_judge(&c->look, c->question, message, &response);
    if (err != 0) {
        return err;
    }
    t->answers++;
    plain_copy_answered(c, message, &response);
    arm(t);
    return 0;
}

static int take_answers(struct plain_stream *t)
{
    struct span message;
    size_t used = 0;
    int err = 0;

    while (err == 0 && dns_frame_cut(buf_span(&t->in), &message, &used)) {
        err = take_answer(t, message);
        buf_consume(&t->in, used);
    }
    if (err != 0) {
        t->server->pool->stats.protocol_errors++;
        log_warning_limited("%s: answer not understood or not asked for: %s",
                            t->server->config->label, err_text(err));
    }
    buf_shrink(&t->in, 0);
    return err;
}

static void on_read(void *arg, int err, struct span in)
{
    struct plain_stream *t = arg;

    if (err == 0) {
        err = buf_append(&t->in, in);
    }
    if (err == 0) {
        err = take_answers(t);
    }
    if (err != 0) {
        plain_tcp_close(t, err);
    }
}

static void on_connect(void *arg, int err)
{
    struct plain_stream *t = arg;

    if (err != 0) {
        plain_tcp_close(t, err);
        return;
    }
    t->is_connected = true;
    t->server->pool->stats.handshakes++;
    arm(t);
}

static const struct net_stream_events stream_events = {
    .on_connect = on_connect,
    .on_read = on_read,
};

/* ---- life ---- */

static int stream_open(struct plain_server *s)
{
    struct plain *p = s->pool;
    struct plain_stream *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return ERR_NOMEM;
    }
    p->stats.dials++;
    int err = net_stream_connect(p->loop, &s->config->addr, &stream_events, t,
                                 &t->stream);
    if (err != 0) {
        p->stats.dial_failures++;
        free(t);
        return err;
    }
    t->server = s;
    list_init(&t->copies);
    buf_init(&t->in, PLAIN_INPUT_MAX);
    net_timer_init(&t->timer, p->loop, on_timer);
    s->stream = t;
    arm(t);
    return 0;
}

static void count_close(const struct plain_stream *t)
{
    struct upstream_stats *stats = &t->server->pool->stats;

    if (!t->is_connected) {
        stats->dial_failures++;
    } else if (t->copy_count > 0) {
        stats->losses++;
    } else {
        stats->closes++;
    }
}

/* That a server closes a connection which worked is its right; without one
 * answer it is a failure. */
void plain_tcp_close(struct plain_stream *t, int err)
{
    struct plain_server *s = t->server;
    bool has_worked = t->answers > 0;

    count_close(t);
    s->stream = NULL;
    net_stream_close(t->stream);
    while (!list_is_empty(&t->copies)) {
        struct plain_copy *c = LIST_FIRST(&t->copies, struct plain_copy, mate);
        if (err != 0 && !has_worked) {
            plain_server_failed(s, c->sent_us, err,
                                t->is_connected ? "TCP" : "TCP connect");
        }
        plain_copy_lost(c, has_worked);
    }
    net_timer_stop(&t->timer); /* its copies armed it as they went */
    buf_finish(&t->in);
    free(t);
}

/* ---- copies ---- */

static bool has_room(const struct plain_stream *t)
{
    return t->doomed == 0 &&
           t->copy_count < t->server->pool->config->queries_per_connection &&
           net_stream_backlog(t->stream) < PLAIN_BACKLOG_MAX;
}

/* The ID is written into the request's own frame, which is the request's to
 * lend; a query without OPT is written anew if it is short enough. */
static int write_query(struct plain_stream *t, const struct plain_copy *c)
{
    struct upstream_request *req = c->req;
    uint8_t octets[DNS_FRAME_HEAD + PLAIN_QUERY_MAX];

    if (!c->look.is_bare || req->frame_len > sizeof(octets)) {
        dns_put16(req->frame + DNS_FRAME_HEAD, c->look.id);
        return net_stream_write(t->stream, span_of(req->frame, req->frame_len));
    }
    size_t len = plain_message_write(
        &c->look,
        span_of(req->frame + DNS_FRAME_HEAD, req->frame_len - DNS_FRAME_HEAD),
        c->question, octets + DNS_FRAME_HEAD);
    dns_put16(octets, (unsigned)len);
    return net_stream_write(t->stream, span_of(octets, DNS_FRAME_HEAD + len));
}

int plain_tcp_send(struct plain_copy *c)
{
    struct plain_server *s = c->server;
    struct plain *p = s->pool;

    if (s->stream == NULL) {
        int err = stream_open(s);
        if (err != 0) {
            return err;
        }
    }
    struct plain_stream *t = s->stream;
    if (!has_room(t)) {
        return ERR_LIMIT;
    }
    c->look.id = plain_fresh_id(p, &t->copies);
    c->look.has_case = false;
    c->sent_us = net_now_us(p->loop);
    c->stream = t;
    list_push_back(&t->copies, &c->mate);
    if (t->copy_count++ == 0 && t->is_connected) {
        arm(t); /* silence counts from here on */
    }
    t->doomed = write_query(t, c);
    if (t->doomed != 0) {
        plain_review(p);
    }
    return 0;
}

void plain_tcp_detach(struct plain_copy *c)
{
    struct plain_stream *t = c->stream;

    list_remove(&c->mate);
    c->stream = NULL;
    if (--t->copy_count == 0 && t->is_connected) {
        arm(t);
    }
}
