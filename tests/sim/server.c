/*
 * Simulated DoT servers. Each query becomes a reply, which waits for its
 * latency by itself: answers leave in any order.
 */
#include "server.h"

#include "base/err.h"
#include "dns/frame.h"
#include "zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAIN_MAX = 1 << 22,
    WIRE_MAX = 1 << 24,
    DRIBBLE_US = 1000,
    LINGER_US = 1000000
};

struct server_conn {
    struct list node; /* in the server's conns */
    struct sim_server *server;
    struct net_stream *stream;
    struct tls_server tls;
    struct buf plain;
    struct buf wire; /* to be dribbled out */
    struct sim_event dribble;
    struct sim_event flight; /* the late answer to HELLO */
    struct sim_event idle, age;
    struct list replies;
    uint64_t queries, sent;
    bool is_leaving; /* when what was asked is answered */
    bool has_left;   /* FIN is sent */
};

struct reply {
    struct list node; /* in the connection's replies */
    struct sim_event due;
    struct server_conn *conn;
    bool is_last; /* the frame is cut and the connection ends */
    size_t len;
    uint8_t frame[];
};

static void drop_replies(struct server_conn *c)
{
    LIST_EACH (node, &c->replies) {
        struct reply *r = CONTAINER_OF(node, struct reply, node);
        sim_event_cancel(c->server->loop->world, &r->due);
        list_remove(&r->node);
        free(r);
    }
}

static void conn_close(struct server_conn *c, bool is_reset)
{
    struct sim_world *w = c->server->loop->world;

    drop_replies(c);
    sim_event_cancel(w, &c->dribble);
    sim_event_cancel(w, &c->flight);
    sim_event_cancel(w, &c->idle);
    sim_event_cancel(w, &c->age);
    if (is_reset) {
        net_stream_reset(c->stream);
    } else {
        net_stream_close(c->stream);
    }
    c->server->stats.early_data += c->tls.early_data;
    if (c->queries > c->tls.data_records) {
        c->server->stats.bundled += c->queries - c->tls.data_records;
    }
    tls_server_finish(&c->tls);
    buf_finish(&c->plain);
    buf_finish(&c->wire);
    list_remove(&c->node);
    free(c);
}

/* ---- sending ---- */

/* Returns false when the connection is gone. */
static bool conn_write(struct server_conn *c, struct span data)
{
    const struct sim_manners *m = &c->server->manners;
    bool is_end = m->die_after != 0 && c->sent + data.len >= m->die_after;

    if (is_end) {
        data.len = m->die_after > c->sent ? m->die_after - c->sent : 0;
    }
    c->sent += data.len;
    int err = data.len == 0 ? 0 : net_stream_write(c->stream, data);
    if (is_end || err != 0) {
        conn_close(c, m->dies_by_reset || err != 0);
        return false;
    }
    return true;
}

static void on_dribble(struct sim_event *e)
{
    struct server_conn *c = CONTAINER_OF(e, struct server_conn, dribble);
    unsigned step = c->server->manners.dribble;
    struct span s = buf_span(&c->wire);

    if (step != 0 && s.len > step) {
        s.len = step;
        sim_event_in(c->server->loop->world, e, DRIBBLE_US);
    }
    uint8_t *octets = sim_alloc(s.len);
    size_t len = s.len;
    if (len > 0) {
        memcpy(octets, s.ptr, len);
    }
    buf_consume(&c->wire, len);
    (void)conn_write(c, span_of(octets, len));
    free(octets);
}

/* Returns false when the connection is gone. */
static bool conn_flush(struct server_conn *c)
{
    struct span s = buf_span(&c->tls.output);

    if (s.len == 0) {
        return true;
    }
    if (c->server->manners.dribble != 0 || buf_len(&c->wire) > 0) {
        int err = buf_append(&c->wire, s);
        assert(err == 0);
        (void)err;
        buf_clear(&c->tls.output);
        if (!sim_event_is_armed(&c->dribble)) {
            sim_event_in(c->server->loop->world, &c->dribble, DRIBBLE_US);
        }
        return true;
    }
    struct buf out = c->tls.output;
    buf_init(&c->tls.output, out.max);
    bool is_alive = conn_write(c, s);
    buf_finish(&out);
    return is_alive;
}

/* close_notify and FIN; what the client still sends is read and dropped, for
 * a while, because a reset would undo the answers on their way. */
static void conn_goodbye(struct server_conn *c)
{
    struct sim_world *w = c->server->loop->world;

    if (c->has_left) {
        conn_close(c, false);
        return;
    }
    drop_replies(c);
    c->is_leaving = true;
    c->has_left = true;
    tls_server_close(&c->tls);
    if (conn_flush(c)) {
        sim_event_cancel(w, &c->dribble);
        net_stream_shutdown(c->stream);
        sim_event_in(w, &c->idle, LINGER_US);
    }
}

static void on_due(struct sim_event *e)
{
    struct reply *r = CONTAINER_OF(e, struct reply, due);
    struct server_conn *c = r->conn;
    bool is_last = r->is_last;

    list_remove(&r->node);
    for (size_t at = 0; at < r->len; at += TLS_RECORD_MAX) {
        size_t len = r->len - at;
        len = len < TLS_RECORD_MAX ? len : TLS_RECORD_MAX;
        tls_server_send(&c->tls, span_of(r->frame + at, len));
    }
    free(r);
    c->server->stats.answers++;
    bool is_end = is_last || (c->is_leaving && list_is_empty(&c->replies));
    if (conn_flush(c) && is_end) {
        conn_goodbye(c);
    }
}

/* ---- answering ---- */

static uint64_t latency_of(struct sim_server *s)
{
    struct sim_world *w = s->loop->world;
    uint64_t us = s->latency_us + rng_below(&w->rng, s->latency_jitter_us + 1);

    if (sim_chance(w, s->manners.slow)) {
        us += s->manners.slow_us;
    }
    return us;
}

static struct reply *reply_add(struct server_conn *c, const uint8_t *message,
                               size_t len)
{
    struct reply *r = sim_alloc(sizeof(*r) + DNS_FRAME_HEAD + len);

    r->conn = c;
    r->len = DNS_FRAME_HEAD + len;
    dns_put16(r->frame, (unsigned)len);
    memcpy(r->frame + DNS_FRAME_HEAD, message, len);
    sim_event_init(&r->due, on_due);
    list_push_back(&c->replies, &r->node);
    sim_event_in(c->server->loop->world, &r->due, latency_of(c->server));
    return r;
}

/* Change the first letter of the name: a question nobody asked. */
static void change_question(uint8_t *message)
{
    message[DNS_HEADER_LEN + 1] =
        message[DNS_HEADER_LEN + 1] == 'q' ? 'z' : 'q';
}

static void spoil(struct server_conn *c, uint8_t *message, size_t *len)
{
    const struct sim_manners *m = &c->server->manners;
    struct sim_world *w = c->server->loop->world;

    if (sim_chance(w, m->wrong_id)) {
        message[0] ^= (uint8_t)sim_between(w, 1, 255);
    }
    if (sim_chance(w, m->wrong_question)) {
        change_question(message);
    }
    if (sim_chance(w, m->garbage)) {
        *len = sim_between(w, 0, (uint32_t)(*len < 100 ? *len : 100));
        for (size_t i = 2; i < *len; i++) {
            message[i] = (uint8_t)rng_next(&w->rng);
        }
    }
}

static void reply_unasked(struct server_conn *c, const uint8_t *message,
                          size_t len)
{
    uint8_t *other = sim_alloc(len);

    memcpy(other, message, len);
    other[1] ^= 0x55;
    change_question(other);
    (void)reply_add(c, other, len);
    free(other);
}

static void answer(struct server_conn *c, struct span query,
                   const struct dns_query *q)
{
    static uint8_t message[ZONE_MESSAGE_MAX];
    const struct sim_manners *m = &c->server->manners;
    struct sim_world *w = c->server->loop->world;

    if (m->is_deaf || sim_chance(w, m->dropped)) {
        return;
    }
    size_t len = sim_chance(w, m->refused)
                     ? zone_error(query, q, m->rcode, message)
                     : zone_answer(query, q, message);
    if (m->tells_idle && q->has_keepalive) {
        len = zone_add_keepalive(message, len, m->idle_close_ms / 100);
    }
    if (sim_chance(w, m->unasked)) {
        reply_unasked(c, message, len);
    }
    if (sim_chance(w, m->duplicated)) {
        (void)reply_add(c, message, len);
    }
    spoil(c, message, &len);
    struct reply *r = reply_add(c, message, len);
    if (sim_chance(w, m->cut)) {
        r->is_last = true;
        r->len = sim_between(w, 1, (uint32_t)r->len - 1);
    }
}

static void take_query(struct server_conn *c, struct span message)
{
    struct sim_server *s = c->server;
    struct dns_query q;

    c->queries++;
    s->stats.queries++;
    s->stats.leaked += s->is_impostor;
    if (dns_query_parse(message, &q) != DNS_QUERY_OK) {
        s->stats.bad_queries++;
        return;
    }
    s->stats.strayed += zone_is_home(&q.question);
    answer(c, message, &q);
}

static void take_plain(struct server_conn *c)
{
    const unsigned max = c->server->manners.close_after;
    struct span message;
    size_t used = 0;

    while (!c->is_leaving &&
           dns_frame_cut(buf_span(&c->plain), &message, &used)) {
        take_query(c, message);
        buf_consume(&c->plain, used);
        c->is_leaving = max != 0 && c->queries >= max;
        c->server->stats.ended += c->is_leaving;
    }
}

/* ---- a connection ---- */

static void end_by_habit(struct server_conn *c)
{
    c->server->stats.ended += !c->has_left;
    conn_goodbye(c);
}

static void on_idle(struct sim_event *e)
{
    end_by_habit(CONTAINER_OF(e, struct server_conn, idle));
}

static void on_age(struct sim_event *e)
{
    end_by_habit(CONTAINER_OF(e, struct server_conn, age));
}

static void on_flight(struct sim_event *e)
{
    (void)conn_flush(CONTAINER_OF(e, struct server_conn, flight));
}

static void arm(struct server_conn *c, struct sim_event *e, uint32_t ms)
{
    if (ms != 0) {
        sim_event_in(c->server->loop->world, e, (uint64_t)ms * 1000);
    }
}

static void take_octets(struct server_conn *c, struct span in)
{
    struct sim_server *s = c->server;
    enum tls_server_state before = c->tls.state;
    int err = tls_server_recv(&c->tls, in, &c->plain);

    if (err != 0) {
        conn_close(c, err != ERR_TLS_CLOSED);
        return;
    }
    if (before != TLS_SERVER_READY && c->tls.state == TLS_SERVER_READY) {
        s->stats.handshakes++;
        s->stats.resumed += c->tls.is_resumed;
        arm(c, &c->age, s->manners.hang_up_ms);
    }
    if (before == TLS_SERVER_HELLO && s->manners.handshake_us != 0) {
        sim_event_in(s->loop->world, &c->flight, s->manners.handshake_us);
        return;
    }
    arm(c, &c->idle, s->manners.idle_close_ms);
    take_plain(c);
    if (conn_flush(c) && c->is_leaving && list_is_empty(&c->replies)) {
        conn_goodbye(c);
    }
}

static void on_read(void *arg, int err, struct span in)
{
    struct server_conn *c = arg;

    if (err != 0) {
        conn_close(c, false);
    } else if (!c->server->manners.is_mute && !c->has_left) {
        take_octets(c, in);
    }
}

static const struct net_stream_events events = {.on_read = on_read};

static void on_accept(void *arg, struct net_stream *stream,
                      const struct addr *peer)
{
    struct sim_server *s = arg;
    struct server_conn *c = sim_alloc(sizeof(*c));

    (void)peer;
    s->stats.connections++;
    c->server = s;
    c->stream = stream;
    tls_server_init(&c->tls, &s->identity);
    buf_init(&c->plain, PLAIN_MAX);
    buf_init(&c->wire, WIRE_MAX);
    sim_event_init(&c->dribble, on_dribble);
    sim_event_init(&c->flight, on_flight);
    sim_event_init(&c->idle, on_idle);
    list_init(&c->replies);
    list_push_back(&s->conns, &c->node);
    sim_event_init(&c->age, on_age);
    arm(c, &c->idle, s->manners.idle_close_ms);
    arm(c, &c->age, s->manners.age_close_ms);
    net_stream_attach(stream, &events, c);
}

/* ---- the server ---- */

void sim_server_close_all(struct sim_server *s, bool is_reset)
{
    LIST_EACH (node, &s->conns) {
        struct server_conn *c = CONTAINER_OF(node, struct server_conn, node);
        if (is_reset) {
            conn_close(c, true);
        } else {
            conn_goodbye(c);
        }
    }
}

bool sim_server_is_running(const struct sim_server *s)
{
    return s->listener != NULL;
}

void sim_server_start(struct sim_server *s)
{
    struct sim_world *w = s->loop->world;

    if (s->listener != NULL) {
        return;
    }
    /* No ticket of an earlier life is good. */
    s->identity.secret = (uint32_t)rng_next(&w->rng);
    int err =
        net_listener_open(s->loop, &s->addr, false, on_accept, s, &s->listener);
    assert(err == 0);
    (void)err;
    if (s->link->state == SIM_LINK_STALLED) {
        sim_link_set(w, s->link, SIM_LINK_UP);
    }
}

void sim_server_stop(struct sim_server *s, enum sim_stop how)
{
    struct sim_world *w = s->loop->world;

    if (s->listener == NULL) {
        return;
    }
    if (how == SIM_STOP_POWER) {
        sim_link_forget(w, s->link);
        sim_link_set(w, s->link, SIM_LINK_STALLED);
    }
    net_listener_close(s->listener);
    s->listener = NULL;
    sim_server_close_all(s, how != SIM_STOP_POLITE);
}

static void conns_finish(struct sim_server *s)
{
    LIST_EACH (node, &s->conns) {
        conn_close(CONTAINER_OF(node, struct server_conn, node), true);
    }
}

struct sim_server *sim_server_create(struct net_loop *loop,
                                     const struct addr *addr, const char *name)
{
    struct sim_server *s = sim_alloc(sizeof(*s));

    s->loop = loop;
    s->addr = *addr;
    s->link = sim_link(loop->world, addr);
    s->identity.version = 13;
    s->identity.tickets = 2;
    s->identity.certificate.addr = *addr;
    snprintf(s->identity.certificate.name, sizeof(s->identity.certificate.name),
             "%s", name);
    memset(s->identity.certificate.key.sha256, addr->ip[3], TLS_PIN_LEN);
    s->latency_us = 500;
    list_init(&s->conns);
    sim_server_start(s);
    return s;
}

void sim_server_destroy(struct sim_server *s)
{
    if (s == NULL) {
        return;
    }
    sim_server_stop(s, SIM_STOP_CRASH);
    conns_finish(s);
    free(s);
}
