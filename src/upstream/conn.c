/*
 * One connection to a DoT server: TCP, TLS, framing, and the table of queries
 * on their way.
 *
 * Every callback of the stream notes what happened and ends in conn_settle(),
 * which alone closes. Outside of such a callback a failure dooms the
 * connection, and it closes at the end of the turn: whoever sends a query
 * never sees a connection vanish under its hands. The same holds for one that
 * is retired, when its last answer is there.
 *
 * Each query is one TLS record, length and message together (some servers
 * answer only the first query of a record; RFC 7766 section 8 asks for one
 * write). All records of a turn leave in one write.
 */
#include "upstream/internal.h"

#include "base/err.h"
#include "dns/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_ROOM "upstream"

/* ---- state ---- */

static const char *state_text(enum conn_state state)
{
    static const char *const names[] = {"connecting", "handshake", "ready",
                                        "closed"};
    return names[state];
}

static void conn_enter(struct upstream_conn *c, enum conn_state next)
{
    assert(next > c->state);
    log_debug("%s: %s to %s", c->server->config->label, state_text(c->state),
              state_text(next));
    c->state = next;
}

void conn_leave(struct upstream_conn *c, int err)
{
    if (c->doomed == 0) {
        c->doomed = err;
        net_turn_defer(c->server->pool->loop, &c->turn);
    }
}

static unsigned *conn_counter(struct upstream_conn *c)
{
    struct upstream_server *s = c->server;

    if (c->is_retired) {
        return &s->retired;
    }
    return c->is_suspect ? &s->suspects : &s->ready;
}

void conn_mark(struct upstream_conn *c, bool is_suspect, bool is_retired)
{
    --*conn_counter(c);
    c->is_suspect = is_suspect;
    c->is_retired = is_retired;
    ++*conn_counter(c);
}

/* ---- sending ---- */

/* Octets that wait to be sent, those of this turn included. */
static size_t conn_unsent(const struct upstream_conn *c)
{
    return net_stream_backlog(c->stream) +
           buf_len(tls_session_output(c->session));
}

/* What is sent beyond the bound is not ours: a peer that does not read can
 * make TLS answer it without end. */
static int conn_flush(struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;
    struct buf *out = tls_session_output(c->session);

    if (buf_len(out) == 0) {
        return 0;
    }
    int err = net_stream_write(c->stream, buf_span(out));
    buf_consume(out, buf_len(out));
    if (err == 0 && net_stream_backlog(c->stream) > 2 * CONN_BACKLOG_MAX) {
        err = ERR_LIMIT;
    }
    if (!list_is_empty(&p->waiting)) {
        pool_review(p); /* there is room again */
    }
    return err;
}

static void on_turn(struct net_turn *t)
{
    struct upstream_conn *c = CONTAINER_OF(t, struct upstream_conn, turn);

    if (c->doomed == 0) {
        c->doomed = conn_flush(c);
    }
    if (c->doomed != 0) {
        conn_close(c, c->doomed);
    } else if (c->is_retired && c->outstanding == 0 && !c->is_lingering) {
        conn_close(c, 0);
    }
}

bool conn_has_room(const struct upstream_conn *c)
{
    return c->state == CONN_READY && c->doomed == 0 && !c->is_suspect &&
           !c->is_retired &&
           c->outstanding < c->server->pool->config->queries_per_connection &&
           conn_unsent(c) < CONN_BACKLOG_MAX;
}

static void conn_encrypt(struct upstream_conn *c, struct span frame)
{
    int err = 0;

    do { /* one record, but for a query that is longer than any */
        size_t len = frame.len < CONN_RECORD_MAX ? frame.len : CONN_RECORD_MAX;
        err = tls_session_send(c->session, span_of(frame.ptr, len));
        frame = span_from(frame, len);
    } while (err == 0 && frame.len > 0);
    if (err != 0) {
        conn_leave(c, err);
    } else {
        net_turn_defer(c->server->pool->loop, &c->turn);
    }
}

void conn_probe(struct upstream_conn *c)
{
    /* ". NS": every resolver knows it, and it tells nothing of anybody. Padded
     * to 128 octets by its OPT, as other queries are, which also asks for the
     * idle limit (RFC 7828). */
    enum { MESSAGE_LEN = 128, OPTION_LEN = 92 };
    /* clang-format off */
    uint8_t frame[DNS_FRAME_HEAD + MESSAGE_LEN] = {
        0, MESSAGE_LEN,                         /* frame */
        0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1,     /* header: RD */
        0, 0, DNS_TYPE_NS, 0, DNS_CLASS_IN,     /* question */
        0, 0, DNS_TYPE_OPT, 4, 208, 0, 0, 0, 0, /* OPT, 1232 octets */
        0, OPTION_LEN + 8, 0, DNS_OPTION_KEEPALIVE, 0, 0,
        0, DNS_OPTION_PADDING, 0, OPTION_LEN,
    };
    /* clang-format on */
    uint32_t slot = 0;

    /* With a table that is full there would be no id for it. */
    if (c->outstanding < c->server->pool->config->queries_per_connection &&
        conn_slot_take(c, NULL, &slot) == 0) {
        dns_put16(frame + DNS_FRAME_HEAD, conn_slot_id(c, slot));
        conn_used(c);
        conn_encrypt(c, span_of(frame, sizeof(frame)));
    }
}

int conn_send(struct upstream_conn *c, struct upstream_request *req,
              enum attempt_reason reason)
{
    struct upstream_stats *stats = &c->server->pool->stats;
    uint32_t slot = 0;

    assert(conn_has_room(c) && req->attempt_count < UPSTREAM_ATTEMPTS_MAX);
    int err = conn_slot_take(c, req, &slot);
    if (err != 0) {
        return err;
    }
    req->attempts[req->attempt_count++] = (struct upstream_attempt){
        .conn = c, .slot = slot, .reason = (uint8_t)reason};
    req->asked |= UINT64_C(1) << c->server->bit;
    stats->extra += req->copies > 0;
    if (req->copies < UINT8_MAX) {
        req->copies++;
    }
    conn_used(c);
    told_sent(c, req, reason);
    dns_put16(req->frame + DNS_FRAME_HEAD, conn_slot_id(c, slot));
    conn_encrypt(c, span_of(req->frame, req->frame_len));
    return 0;
}

/* ---- receiving ---- */

/*
 * A server that could not read the question may leave it out of its error; any
 * other answer without one is not believed.
 */
static bool is_unbelievable(const struct dns_response *r)
{
    return !r->has_question &&
           (r->rcode == DNS_RCODE_NOERROR || r->rcode == DNS_RCODE_NXDOMAIN);
}

/*
 * How long the answer took, or 0 when it must not be measured. Answers that
 * come together were held up together: to count each of them would make a lost
 * segment, which is one event, look like the usual.
 */
static uint64_t conn_measure(struct upstream_conn *c, uint64_t sent_us)
{
    uint64_t now_us = pool_now_us(c->server->pool);
    uint64_t took_us = now_us - sent_us;

    if ((now_us - c->heard_us) * 16 < took_us &&
        ++c->unmeasured < CONN_UNMEASURED_MAX) {
        return 0;
    }
    c->unmeasured = 0;
    return took_us > 0 ? took_us : 1;
}

/* The query in slot was answered, whoever waits for it. */
static void conn_answered(struct upstream_conn *c, uint32_t slot)
{
    uint64_t took_us = conn_measure(c, c->slots[slot].sent_us);

    if (c->slots[slot].is_probe) {
        c->proven = c->slots[slot].serial;
    }
    conn_slot_free(c, slot);
    conn_heard(c);
    c->answers++;
    server_answered(c->server, took_us);
}

/* RFC 7828: how long the server keeps a connection that is not used. */
static void conn_read_keepalive(struct upstream_conn *c,
                                const struct dns_opt *opt)
{
    struct span value;
    size_t cursor = 0;

    if (opt->options.len > 0 &&
        dns_opt_next(opt, DNS_OPTION_KEEPALIVE, &cursor, &value) &&
        value.len == 2) {
        limits_told(c, dns_get16(value.ptr));
    } else if (!c->is_told) {
        limits_not_told(c);
    }
}

/* An answer that no client waits for: late, or to our own question. */
static int conn_answer_to_none(struct upstream_conn *c, uint32_t slot,
                               const struct dns_response *r)
{
    bool is_probe = c->slots[slot].is_probe;

    if (is_probe && (is_unbelievable(r) ||
                     (r->has_question && (r->question.name_len != 1 ||
                                          r->question.type != DNS_TYPE_NS)))) {
        return ERR_DNS_FORM;
    }
    c->server->pool->stats.late += !is_probe;
    conn_answered(c, slot);
    conn_read_keepalive(c, &r->opt);
    return 0;
}

/* Believe an answer only if its id and its question are those of a query on
 * this connection; anything else ends the connection. */
static int conn_answer(struct upstream_conn *c, struct span message)
{
    struct upstream_pool *p = c->server->pool;
    struct dns_response response;

    int err = dns_response_parse(message, &response);
    if (err != 0) {
        return err;
    }
    uint32_t i = conn_slot_find(c, response.id);
    if ((response.flags & DNS_OPCODE_MASK) != 0 || i == CONN_NO_SLOT) {
        return ERR_DNS_FORM;
    }
    if (!c->slots[i].is_used) {
        p->stats.late++; /* the same answer once more: harmless */
        return 0;
    }
    struct upstream_request *req = c->slots[i].req;
    if (req == NULL) {
        return conn_answer_to_none(c, i, &response);
    }
    if (is_unbelievable(&response) ||
        (response.has_question &&
         !dns_question_equal(&response.question, &req->question))) {
        return ERR_DNS_FORM;
    }
    p->stats.answers++;
    enum attempt_reason reason = pool_detach(req, c);
    c->has_served = true;
    conn_answered(c, i);
    conn_read_keepalive(c, &response.opt);
    pool_answer(req, c->server, reason, message, &response);
    return 0;
}

static int conn_cut(struct upstream_conn *c)
{
    struct span message;
    size_t used = 0;
    int err = 0;

    while (err == 0 && dns_frame_cut(buf_span(&c->in), &message, &used)) {
        err = conn_answer(c, message);
        buf_consume(&c->in, used);
    }
    if (err != 0) {
        c->server->pool->stats.protocol_errors++;
        log_warning_limited("%s: answer not understood or not asked for: %s",
                            c->server->config->label, err_text(err));
    }
    buf_shrink(&c->in, 4096);
    return err;
}

static int conn_recv(struct upstream_conn *c, struct span in)
{
    int err = tls_session_recv(c->session, in, &c->in);

    if (c->state == CONN_HANDSHAKE && err == 0 &&
        tls_session_is_ready(c->session)) {
        conn_enter(c, CONN_READY);
        c->ready_ms = net_now_ms(c->server->pool->loop);
        conn_begin_quiet(c);
        limits_begin(c);
        server_conn_ready(c->server, c);
    }
    if (c->state != CONN_READY) {
        return err;
    }
    int cut = conn_cut(c);
    return cut != 0 ? cut : err;
}

/* The last act of every callback of the stream: send what is due, or close. */
static void conn_settle(struct upstream_conn *c, int err)
{
    if (err == 0) {
        err = conn_flush(c);
    } else if (c->state != CONN_CONNECTING) {
        (void)conn_flush(c); /* the alert that says why */
    }
    if (err == 0) {
        err = c->doomed;
    }
    if (err != 0) {
        conn_close(c, err);
    }
}

void conn_connected(struct upstream_conn *c, int err)
{
    if (err == 0) {
        conn_enter(c, CONN_HANDSHAKE);
        if (net_stream_local(c->stream, &c->local) != 0) {
            c->local = (struct addr){0}; /* matches none */
        }
        err = conn_recv(c, span_of(NULL, 0));
    }
    if (err == 0) {
        err = conn_flush(c);
    }
    if (err == 0) {
        /* Until the server answers, there is time. */
        tls_client_prepare(c->server->tls);
    }
    conn_settle(c, err);
}

void conn_read(struct upstream_conn *c, int err, struct span in)
{
    if (err == 0) {
        err = conn_recv(c, in);
    }
    conn_settle(c, err);
}

/* ---- time ---- */

static void on_timer(struct net_timer *t)
{
    struct upstream_conn *c = CONTAINER_OF(t, struct upstream_conn, timer);

    pool_check_sleep(c->server->pool);
    if (c->state == CONN_READY) {
        conn_check_quiet(c);
        return;
    }
    int err = dial_on_timer(c);
    if (err != 0) {
        conn_close(c, err);
    }
}

/* ---- life ---- */

int conn_open(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;
    struct upstream_conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->server = s;
    c->state = CONN_CONNECTING;
    c->free_slot = CONN_NO_SLOT;
    c->oldest = CONN_NO_SLOT;
    c->newest = CONN_NO_SLOT;
    c->started_ms = net_now_ms(p->loop);
    buf_init(&c->in, CONN_INPUT_MAX);
    net_turn_init(&c->turn, on_turn);
    net_timer_init(&c->timer, p->loop, on_timer);
    int err = tls_session_create(s->tls, &c->session);
    if (err != 0) {
        goto fail_conn;
    }
    net_timer_start(&c->timer, p->config->connect_timeout_ms);
    err = dial_next(c);
    if (err != 0) {
        goto fail_session;
    }
    list_push_back(&s->conns, &c->node);
    return 0;

fail_session:
    net_timer_stop(&c->timer);
    tls_session_destroy(c->session);
fail_conn:
    free(c);
    return err;
}

/* Take the requests off the slots; each that is now nowhere goes to lost. */
static void conn_collect(struct upstream_conn *c, struct list *lost)
{
    for (uint32_t i = 0; i < c->slot_count; i++) {
        struct upstream_request *req = c->slots[i].req;
        if (req != NULL) {
            (void)pool_detach(req, c);
            /* One that was there before the request was stale perhaps, and
             * any number of those is survived. */
            if (c->ready_ms > req->started_ms && req->losses < UINT8_MAX) {
                req->losses++;
            }
            if (req->attempt_count == 0) {
                list_push_back(lost, &req->node);
            }
        }
    }
}

void conn_close(struct upstream_conn *c, int err)
{
    struct upstream_server *s = c->server;
    enum conn_state before = c->state;
    struct list lost;
    char why[SERVER_WHY_LEN];

    list_init(&lost);
    told_why(c, err, why);
    if (err == 0 && before == CONN_READY) {
        tls_session_close(c->session);
        (void)conn_flush(c);
    }
    conn_enter(c, CONN_CLOSED);
    list_remove(&c->node);
    net_timer_stop(&c->timer);
    net_turn_cancel(&c->turn);
    dial_stop(c);
    net_stream_close(c->stream);
    conn_collect(c, &lost);
    server_conn_ended(s, c, before, err, why);
    tls_session_destroy(c->session);
    buf_finish(&c->in);
    free(c->slots);
    free(c);
    pool_lost(s->pool, &lost);
}

void conn_drop(struct upstream_conn *c)
{
    c->is_dropped = true;
    conn_close(c, c->state == CONN_READY ? ERR_NET_RESET : 0);
}
