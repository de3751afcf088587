/*
 * net/stream.h on simulated connections: an end tells its owner what happened
 * in a turn of the owner's loop, in the order result of connecting, octets,
 * end or error, drained. After each callback the owner may have closed it.
 */
#include "net_conn.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_MAX = 65536,    /* octets in one on_read */
    READS_IN_TURN = 8,   /* then others have their turn */
    UNREAD_MAX = 1 << 28 /* no bound: the sender's kernel is one */
};

/* ---- telling the owner ---- */

static bool has_news(const struct net_stream *s)
{
    return s->has_connect_result || s->is_drained ||
           (s->is_reading &&
            (buf_len(&s->received) > 0 || (s->has_fin && !s->is_fin_told) ||
             (s->broken != 0 && !s->is_broken_told)));
}

void sim_stream_notify(struct net_stream *s)
{
    if (s->loop != NULL && s->events != NULL && !s->is_closed && has_news(s)) {
        sim_ready_mark(s->loop, &s->ready);
    }
}

static void tell_connect(struct net_stream *s)
{
    s->has_connect_result = false;
    s->events->on_connect(s->arg, s->connect_result);
}

static void tell_octets(struct net_stream *s)
{
    uint8_t octets[READ_MAX];
    size_t len = buf_len(&s->received);

    len = len < READ_MAX ? len : READ_MAX;
    if (s->conn->world->is_chunking) {
        len = sim_between(s->conn->world, 1, (uint32_t)len);
    }
    memcpy(octets, buf_span(&s->received).ptr, len);
    buf_consume(&s->received, len);
    sim_flow_window(s);
    s->events->on_read(s->arg, 0, span_of(octets, len));
}

static bool may_read(const struct net_stream *s)
{
    return !s->is_closed && s->is_reading && !s->has_connect_result;
}

static void tell_end(struct net_stream *s)
{
    if (s->broken != 0) {
        if (!s->is_broken_told) {
            s->is_broken_told = true;
            s->events->on_read(s->arg, s->broken, span_of(NULL, 0));
        }
    } else if (s->has_fin && !s->is_fin_told) {
        s->is_fin_told = true;
        s->events->on_read(s->arg, ERR_NET_EOF, span_of(NULL, 0));
    }
}

static void tell_drained(struct net_stream *s)
{
    bool is_due = s->is_drained && buf_len(&s->backlog) == 0 && s->broken == 0;

    s->is_drained = false;
    if (is_due && s->events->on_drain != NULL) {
        s->events->on_drain(s->arg);
    }
}

static void on_ready(struct sim_ready *r)
{
    struct net_stream *s = CONTAINER_OF(r, struct net_stream, ready);

    if (s->has_connect_result) {
        tell_connect(s);
    }
    int reads = 0;
    while (may_read(s) && buf_len(&s->received) > 0 &&
           reads++ < READS_IN_TURN) {
        tell_octets(s);
    }
    if (may_read(s) && buf_len(&s->received) == 0) {
        tell_end(s);
    }
    if (!s->is_closed && s->is_drained) {
        tell_drained(s);
    }
    sim_stream_notify(s);
}

/* ---- sending ---- */

void sim_stream_advance(struct net_stream *s)
{
    if (!s->is_connected || s->broken != 0) {
        return;
    }
    if (buf_len(&s->backlog) > 0) {
        buf_consume(&s->backlog, sim_flow_push(s, buf_span(&s->backlog)));
        s->is_drained = buf_len(&s->backlog) == 0;
        sim_stream_notify(s);
    }
    if (s->is_shut && !s->is_fin_sent && buf_len(&s->backlog) == 0) {
        s->is_fin_sent = true;
        sim_flow_send(sim_other_end(s), SEGMENT_FIN, span_of(NULL, 0));
    }
}

int net_stream_write(struct net_stream *s, struct span data)
{
    assert(!s->is_closed && !s->is_shut);
    if (s->broken != 0) {
        s->is_broken_told = true;
        return s->broken;
    }
    size_t taken = 0;
    if (s->is_connected && buf_len(&s->backlog) == 0) {
        taken = sim_flow_push(s, data);
    }
    if (taken == data.len) {
        return 0;
    }
    return buf_append(&s->backlog, span_from(data, taken));
}

int net_stream_local(const struct net_stream *s, struct addr *out)
{
    assert(!s->is_closed);
    if (!s->is_connected || s->broken != 0) {
        return ERR_NET_OTHER;
    }
    *out = s->addr;
    return 0;
}

size_t net_stream_backlog(const struct net_stream *s)
{
    assert(!s->is_closed);
    return buf_len(&s->backlog);
}

void net_stream_shutdown(struct net_stream *s)
{
    assert(!s->is_closed);
    s->is_shut = true;
    sim_stream_advance(s);
}

/* ---- reading ---- */

void net_stream_read_stop(struct net_stream *s)
{
    assert(!s->is_closed);
    s->is_reading = false;
}

void net_stream_read_start(struct net_stream *s)
{
    assert(!s->is_closed);
    s->is_reading = true;
    sim_stream_notify(s);
}

/* ---- the end ---- */

void sim_stream_break(struct net_stream *s, int err)
{
    if (s->broken == 0 && !s->is_closed) {
        s->broken = err;
        buf_clear(&s->backlog);
        sim_stream_notify(s);
    }
}

/* What the kernel tells the peer of a process that lets go. */
static void say_goodbye(struct net_stream *s, bool is_reset)
{
    struct net_stream *other = sim_other_end(s);

    if (s->broken != 0 || s->conn->fate != CONN_SOUND ||
        (s == &s->conn->end[0] && !s->conn->is_syn_ack)) {
        return;
    }
    if (is_reset || buf_len(&s->received) > 0 || !s->is_connected) {
        sim_flow_send(other, SEGMENT_RST, span_of(NULL, 0));
    } else if (!s->is_fin_sent) {
        sim_flow_send(other, SEGMENT_FIN, span_of(NULL, 0));
    }
}

void sim_stream_end(struct net_stream *s, bool is_reset)
{
    struct sim_conn *c = s->conn;

    assert(!s->is_closed);
    say_goodbye(s, is_reset);
    if (s == &c->end[0] && !s->is_connected) {
        sim_event_cancel(c->world, &c->syn);
        if (!c->is_syn_ack) {
            c->end[1].is_closed = true;
        }
    }
    s->is_closed = true;
    sim_ready_clear(&s->ready);
    sim_event_cancel(c->world, &s->window);
    buf_finish(&s->received);
    buf_finish(&s->backlog);
    if (s->loop != NULL) {
        s->loop->open_count--;
        s->loop->stream_count--;
    }
    if (sim_other_end(s)->is_closed) {
        sim_event_in(c->world, &c->reap, 0);
    }
}

void net_stream_close(struct net_stream *s)
{
    if (s != NULL) {
        sim_stream_end(s, false);
    }
}

void net_stream_reset(struct net_stream *s)
{
    if (s != NULL) {
        sim_stream_end(s, true);
    }
}

void net_stream_attach(struct net_stream *s,
                       const struct net_stream_events *events, void *arg)
{
    assert(s->events == NULL && !s->is_closed);
    s->events = events;
    s->arg = arg;
    s->is_reading = true;
    sim_stream_notify(s);
}

/* ---- the beginning ---- */

static void end_init(struct sim_conn *c, struct net_stream *s,
                     const struct addr *addr)
{
    s->conn = c;
    s->addr = *addr;
    sim_ready_init(&s->ready, on_ready);
    sim_flow_init(&s->in);
    buf_init(&s->received, UNREAD_MAX);
    buf_init(&s->backlog, UNREAD_MAX);
}

static struct sim_conn *
conn_create(struct sim_world *w, const struct addr *from, const struct addr *to)
{
    struct sim_conn *c = sim_alloc(sizeof(*c));

    c->world = w;
    c->link[0] = sim_link(w, from);
    c->link[1] = sim_link(w, to);
    end_init(c, &c->end[0], from);
    end_init(c, &c->end[1], to);
    list_init(&c->queued);
    sim_event_init(&c->reap, sim_conn_free);
    list_push_back(&w->conns, &c->node);
    return c;
}

void sim_conn_free(struct sim_event *e)
{
    struct sim_conn *c = CONTAINER_OF(e, struct sim_conn, reap);

    sim_event_cancel(c->world, &c->syn);
    sim_event_cancel(c->world, &c->reap);
    for (int i = 0; i < 2; i++) {
        sim_flow_clear(&c->end[i]);
        sim_event_cancel(c->world, &c->end[i].window);
        buf_finish(&c->end[i].received);
        buf_finish(&c->end[i].backlog);
    }
    list_remove(&c->queued);
    list_remove(&c->node);
    free(c);
}

int sim_stream_connect_from(struct net_loop *l, const struct addr *from,
                            const struct addr *to,
                            const struct net_stream_events *events, void *arg,
                            struct net_stream **out)
{
    if (sim_loop_is_full(l)) {
        return ERR_NET_FILES;
    }
    if (sim_link(l->world, to)->state == SIM_LINK_UNREACHABLE) {
        return ERR_NET_UNREACHABLE;
    }
    struct addr local = *from;
    sim_addr_bind(l->world, &local);
    struct sim_conn *c = conn_create(l->world, &local, to);
    struct net_stream *s = &c->end[0];
    s->loop = l;
    s->events = events;
    s->arg = arg;
    s->is_reading = true;
    l->open_count++;
    l->stream_count++;
    sim_conn_start(c);
    *out = s;
    return 0;
}

struct addr sim_addr_usual_source(const struct addr *to)
{
    struct addr from = {.family = to->family};
    const uint8_t v6_outside[16] = {0x20, 1, 0xd, 0xb8, [15] = 2};
    const uint8_t v6_loopback[16] = {[15] = 1};
    bool is_loopback = to->family == 4 ? to->ip[0] == 127
                                       : memcmp(to->ip, v6_loopback, 16) == 0;

    if (is_loopback) {
        memcpy(from.ip, to->ip, 16);
        return from;
    }
    if (to->family == 4) {
        memcpy(from.ip, (const uint8_t[]){10, 0, 0, 2}, 4);
    } else {
        memcpy(from.ip, v6_outside, 16);
    }
    return from;
}

int net_stream_connect(struct net_loop *l, const struct addr *addr,
                       const struct net_stream_events *events, void *arg,
                       struct net_stream **out)
{
    struct addr from = sim_addr_usual_source(addr);
    return sim_stream_connect_from(l, &from, addr, events, arg, out);
}
