/*
 * Segments under way. They arrive in the order they were sent: a lost one
 * holds up those behind it until it is sent again. While a link passes
 * nothing they wait, and go on some time after it does, as TCP's backed-off
 * retransmission would.
 */
#include "net_conn.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRANSMIT_MIN_US = 200000,  /* Linux's lower bound */
    RETRANSMIT_MAX_US = 60000000 /* the backed-off timer is at most so long */
};

bool sim_conn_passes(const struct sim_conn *c)
{
    return sim_links_pass(c->link[0], c->link[1]);
}

uint64_t sim_conn_delay(struct sim_conn *c)
{
    return sim_links_delay(c->world, c->link[0], c->link[1]);
}

static void arm(struct net_stream *to)
{
    struct flow *f = &to->in;

    if (!list_is_empty(&f->segments)) {
        struct segment *first = LIST_FIRST(&f->segments, struct segment, node);
        sim_event_at(to->conn->world, &f->arrival, first->arrives_us);
    }
}

static void segment_free(struct flow *f, struct segment *s)
{
    list_remove(&s->node);
    f->under_way -= s->len;
    free(s);
}

void sim_flow_clear(struct net_stream *to)
{
    LIST_EACH (node, &to->in.segments) {
        segment_free(&to->in, CONTAINER_OF(node, struct segment, node));
    }
    sim_event_cancel(to->conn->world, &to->in.arrival);
}

/* ---- sending ---- */

static uint64_t arrival_of_next(struct net_stream *to)
{
    struct sim_conn *c = to->conn;
    uint64_t delay_us = sim_conn_delay(c);

    if (sim_links_lose(c->world, c->link[0], c->link[1])) {
        /* Found by what follows in a round trip, or by the timer. */
        delay_us += sim_chance(c->world, 50) ? 2 * delay_us
                                             : 2 * delay_us + RETRANSMIT_MIN_US;
    }
    uint64_t at_us = c->world->now_us + delay_us;
    return at_us > to->in.last_us ? at_us : to->in.last_us;
}

void sim_flow_send(struct net_stream *to, enum segment_kind kind,
                   struct span data)
{
    struct flow *f = &to->in;
    struct segment *s = sim_alloc(sizeof(*s) + data.len);

    s->kind = kind;
    s->len = data.len;
    if (data.len > 0) {
        memcpy(s->data, data.ptr, data.len);
    }
    if (kind == SEGMENT_RST) {
        /* Overtakes and undoes what is under way. */
        sim_flow_clear(to);
        f->last_us = to->conn->world->now_us + sim_conn_delay(to->conn);
    } else {
        f->last_us = arrival_of_next(to);
    }
    s->arrives_us = f->last_us;
    f->under_way += s->len;
    list_push_back(&f->segments, &s->node);
    if (f->segments.next == &s->node) {
        arm(to);
    }
}

static size_t segment_len(struct sim_conn *c, size_t left)
{
    uint32_t max = c->link[0]->segment_max < c->link[1]->segment_max
                       ? c->link[0]->segment_max
                       : c->link[1]->segment_max;
    size_t len = max >= 1460 ? 1460 : sim_between(c->world, 1, max);
    return len < left ? len : left;
}

static size_t room(struct net_stream *from)
{
    struct net_stream *to = sim_other_end(from);
    struct sim_conn *c = from->conn;
    size_t max = c->link[0]->send_buffer < c->link[1]->send_buffer
                     ? c->link[0]->send_buffer
                     : c->link[1]->send_buffer;
    size_t used = to->in.under_way + buf_len(&to->received);
    return used < max ? max - used : 0;
}

size_t sim_flow_push(struct net_stream *from, struct span data)
{
    struct net_stream *to = sim_other_end(from);
    size_t free_len = room(from);
    size_t len = data.len < free_len ? data.len : free_len;

    for (size_t at = 0; at < len;) {
        size_t n = segment_len(from->conn, len - at);
        sim_flow_send(to, SEGMENT_DATA, span_of(data.ptr + at, n));
        at += n;
    }
    return len;
}

void sim_flow_window(struct net_stream *by)
{
    struct net_stream *to = sim_other_end(by);

    if (buf_len(&to->backlog) > 0 && !sim_event_is_armed(&to->window)) {
        sim_event_in(by->conn->world, &to->window, sim_conn_delay(by->conn));
    }
}

static void on_window(struct sim_event *e)
{
    struct net_stream *s = CONTAINER_OF(e, struct net_stream, window);

    if (!s->is_closed && s->broken == 0) {
        sim_stream_advance(s);
    }
}

/* ---- arriving ---- */

static void take_data(struct net_stream *to, struct span data)
{
    struct net_stream *from = sim_other_end(to);

    if (to->is_closed || to->broken != 0) {
        /* Nobody is there to read it. */
        if (!from->is_closed && from->broken == 0) {
            sim_flow_send(from, SEGMENT_RST, span_of(NULL, 0));
        }
        return;
    }
    int err = buf_append(&to->received, data);
    assert(err == 0);
    (void)err;
    sim_stream_notify(to);
}

static void take(struct net_stream *to, struct segment *s)
{
    switch (s->kind) {
    case SEGMENT_DATA:
        take_data(to, span_of(s->data, s->len));
        break;
    case SEGMENT_FIN:
        to->has_fin = true;
        sim_stream_notify(to);
        break;
    case SEGMENT_RST:
        sim_stream_break(to, ERR_NET_RESET);
        break;
    }
}

/* One machine does not know the connection: what comes to it is answered by a
 * reset, and of what it sent before nothing arrives. */
static void take_forgotten(struct net_stream *to)
{
    struct sim_conn *c = to->conn;
    struct net_stream *from = sim_other_end(to);

    sim_flow_clear(to);
    if (to == &c->end[c->forgot] && from->broken == 0) {
        sim_flow_send(from, SEGMENT_RST, span_of(NULL, 0));
    }
}

static void on_arrival(struct sim_event *e)
{
    struct flow *f = CONTAINER_OF(e, struct flow, arrival);
    struct net_stream *to = CONTAINER_OF(f, struct net_stream, in);
    struct sim_conn *c = to->conn;

    if (c->fate == CONN_VANISHED || !sim_conn_passes(c)) {
        return; /* sim_streams_resume() goes on, or nobody does */
    }
    struct segment *s = LIST_FIRST(&f->segments, struct segment, node);
    if (c->fate == CONN_FORGOTTEN && s->kind != SEGMENT_RST) {
        take_forgotten(to);
        return;
    }
    if (to == &c->end[0] && !to->is_connected && sim_event_is_armed(&c->syn)) {
        /* Not before the SYN-ACK. */
        sim_event_at(c->world, &f->arrival, c->syn.at_us + 1);
        return;
    }
    list_remove(&s->node);
    f->under_way -= s->len;
    sim_trace_number(c->world, s->kind);
    sim_trace(c->world, s->data, s->len);
    take(to, s);
    free(s);
    arm(to);
}

void sim_flow_init(struct flow *f)
{
    *f = (struct flow){0};
    list_init(&f->segments);
    sim_event_init(&f->arrival, on_arrival);
    struct net_stream *s = CONTAINER_OF(f, struct net_stream, in);
    sim_event_init(&s->window, on_window);
}

/* ---- faults ---- */

static void resume(struct net_stream *to, uint64_t stalled_us)
{
    struct sim_world *w = to->conn->world;

    if (list_is_empty(&to->in.segments)) {
        return;
    }
    uint32_t wait_us = stalled_us > RETRANSMIT_MAX_US ? RETRANSMIT_MAX_US
                                                      : (uint32_t)stalled_us;
    uint64_t at_us =
        w->now_us + sim_conn_delay(to->conn) + rng_below(&w->rng, wait_us + 1);
    LIST_EACH (node, &to->in.segments) {
        struct segment *s = CONTAINER_OF(node, struct segment, node);
        s->arrives_us = at_us > s->arrives_us ? at_us : s->arrives_us;
        to->in.last_us = s->arrives_us;
    }
    arm(to);
}

void sim_streams_resume(struct sim_world *w, struct sim_link *l)
{
    LIST_EACH (node, &w->conns) {
        struct sim_conn *c = CONTAINER_OF(node, struct sim_conn, node);
        if (c->link[0] != l && c->link[1] != l) {
            continue;
        }
        resume(&c->end[0], w->now_us - l->stalled_at_us);
        resume(&c->end[1], w->now_us - l->stalled_at_us);
    }
}

static void set_fate(struct sim_world *w, struct sim_link *l,
                     enum conn_fate fate)
{
    LIST_EACH (node, &w->conns) {
        struct sim_conn *c = CONTAINER_OF(node, struct sim_conn, node);
        if (c->is_syn_ack && (c->link[0] == l || c->link[1] == l)) {
            c->fate = fate;
            c->forgot = c->link[0] == l ? 0 : 1;
            sim_event_cancel(w, &c->syn);
        }
    }
}

void sim_link_vanish(struct sim_world *w, struct sim_link *l)
{
    set_fate(w, l, CONN_VANISHED);
}

void sim_link_forget(struct sim_world *w, struct sim_link *l)
{
    set_fate(w, l, CONN_FORGOTTEN);
}

void sim_link_reset(struct sim_world *w, struct sim_link *l)
{
    LIST_EACH (node, &w->conns) {
        struct sim_conn *c = CONTAINER_OF(node, struct sim_conn, node);
        if ((c->link[0] == l || c->link[1] == l) && c->is_syn_ack) {
            sim_flow_send(&c->end[0], SEGMENT_RST, span_of(NULL, 0));
            sim_flow_send(&c->end[1], SEGMENT_RST, span_of(NULL, 0));
        }
    }
}

void sim_streams_finish(struct sim_world *w)
{
    LIST_EACH (node, &w->conns) {
        struct sim_conn *c = CONTAINER_OF(node, struct sim_conn, node);
        sim_conn_free(&c->reap);
    }
}
