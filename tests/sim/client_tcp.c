/*
 * Simulated TCP clients. Each has a number of queries to ask, pipelined, in
 * frames that are cut anywhere, and one way to behave.
 */
#include "client.h"

#include "base/err.h"
#include "dns/frame.h"
#include "dns/wire.h"
#include "zone.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum manner {
    MANNER_PLAIN,      /* asks, waits for all answers, closes */
    MANNER_HALF_CLOSE, /* sends FIN after the last query */
    MANNER_LEAVE,      /* closes some time after asking */
    MANNER_RESET,      /* the same with a reset */
    MANNER_NOT_READ,   /* reads nothing for some seconds */
    MANNER_CUT_FRAME   /* sends half a frame and stays until it is closed */
};

enum { QUERIES_MAX = 12, STAY_US = 30000000 };

struct tcp_client {
    struct list node; /* in the clients' tcp */
    struct sim_clients *all;
    struct net_stream *stream;
    enum manner manner;
    struct list queries; /* struct sim_query */
    struct buf in, out;
    struct sim_event next; /* the next octets to send */
    struct sim_event end;  /* closes, or begins to read */
    unsigned left;         /* queries to ask */
    uint64_t framed, sent; /* octets: put into out, and gone from it */
    uint16_t next_id;
    bool has_shut;
};

static void client_close(struct tcp_client *t, bool is_reset)
{
    sim_event_cancel(t->all->loop->world, &t->next);
    sim_event_cancel(t->all->loop->world, &t->end);
    sim_ledger_excuse(&t->queries);
    if (is_reset) {
        net_stream_reset(t->stream);
    } else {
        net_stream_close(t->stream);
    }
    buf_finish(&t->in);
    buf_finish(&t->out);
    list_remove(&t->node);
    t->all->tcp_count--;
    free(t);
}

static bool is_satisfied(const struct tcp_client *t)
{
    if (t->left > 0 || buf_len(&t->out) > 0) {
        return false;
    }
    LIST_EACH (node, &t->queries) {
        if (CONTAINER_OF(node, struct sim_query, node)->answers == 0) {
            return false;
        }
    }
    return true;
}

/* ---- asking ---- */

static void add_query(struct tcp_client *t)
{
    uint8_t frame[2 + LEDGER_QUERY_MAX];
    uint16_t edns_size = 0;
    size_t len =
        sim_clients_question(t->all, t->next_id++, frame + 2, &edns_size);

    dns_put16(frame, (unsigned)len);
    struct sim_query *q = sim_ledger_ask(
        t->all->ledger, span_of(frame + 2, len), true, edns_size, &t->queries);
    q->is_client_slow = t->manner == MANNER_NOT_READ ||
                        t->all->is_tcp_held_up || t->all->may_be_refused;
    q->is_excused = t->all->may_be_refused;
    t->framed += len + 2;
    q->mark = t->framed;
    int err = buf_append(&t->out, span_of(frame, len + 2));
    assert(err == 0);
    (void)err;
}

/* So many octets leave. A query is asked when its last one does. */
static void note_sent(struct tcp_client *t, size_t len)
{
    uint64_t before = t->sent;

    t->sent += len;
    buf_consume(&t->out, len);
    LIST_EACH (node, &t->queries) {
        struct sim_query *q = CONTAINER_OF(node, struct sim_query, node);
        if (q->mark > before && q->mark <= t->sent) {
            sim_ledger_restart(q);
        }
    }
}

static size_t piece_len(struct tcp_client *t)
{
    struct sim_world *w = t->all->loop->world;
    size_t len = buf_len(&t->out);

    if (t->manner == MANNER_CUT_FRAME && t->left == 0) {
        return len - 1;
    }
    return sim_chance(w, 50) ? len : sim_between(w, 1, (uint32_t)len);
}

static void after_last(struct tcp_client *t)
{
    if (t->manner == MANNER_CUT_FRAME) {
        struct list *last = t->queries.prev;
        CONTAINER_OF(last, struct sim_query, node)->is_excused = true;
        return;
    }
    if (t->manner == MANNER_HALF_CLOSE && !t->has_shut) {
        t->has_shut = true;
        net_stream_shutdown(t->stream);
    }
}

static void on_next(struct sim_event *e)
{
    struct tcp_client *t = CONTAINER_OF(e, struct tcp_client, next);
    struct sim_world *w = t->all->loop->world;

    if (t->left > 0 && (buf_len(&t->out) == 0 || sim_chance(w, 50))) {
        t->left--;
        add_query(t);
    }
    size_t len = piece_len(t);
    if (len > 0 &&
        net_stream_write(t->stream, span_of(buf_span(&t->out).ptr, len)) != 0) {
        client_close(t, false);
        return;
    }
    note_sent(t, len);
    bool is_cut = t->manner == MANNER_CUT_FRAME && t->left == 0;
    if (is_cut || (t->left == 0 && buf_len(&t->out) == 0)) {
        after_last(t);
        return;
    }
    /* Not so slowly that the program may close it as idle. */
    sim_event_in(w, e, sim_between(w, 0, sim_chance(w, 10) ? 300000 : 2000));
}

/* ---- what comes back ---- */

static void take_answers(struct tcp_client *t, struct span in)
{
    struct span message;
    size_t used = 0;
    int err = buf_append(&t->in, in);

    assert(err == 0);
    (void)err;
    while (dns_frame_cut(buf_span(&t->in), &message, &used)) {
        sim_ledger_answer(t->all->ledger, &t->queries, message);
        buf_consume(&t->in, used);
    }
}

/* The program ended the stream: may it? After it stood still it may find its
 * clients idle, before it sees what they asked meanwhile. */
static void take_end(struct tcp_client *t)
{
    struct sim_clients *c = t->all;
    bool is_due = c->is_asking && !c->may_be_refused &&
                  !sim_ledger_was_frozen(c->ledger) &&
                  (t->manner == MANNER_PLAIN || t->manner == MANNER_HALF_CLOSE);

    if (is_due && !is_satisfied(t)) {
        sim_ledger_fault(t->all->ledger,
                         "TCP client closed with answers due to it");
    }
    client_close(t, false);
}

static void on_connect(void *arg, int err)
{
    struct tcp_client *t = arg;

    if (err != 0) {
        client_close(t, false);
        return;
    }
    sim_event_in(t->all->loop->world, &t->next, 0);
}

static void on_read(void *arg, int err, struct span in)
{
    struct tcp_client *t = arg;

    if (err != 0) {
        take_end(t);
        return;
    }
    take_answers(t, in);
    bool stays =
        t->manner == MANNER_CUT_FRAME || t->manner == MANNER_HALF_CLOSE;
    if (!stays && is_satisfied(t)) {
        client_close(t, false);
    }
}

static void on_end(struct sim_event *e)
{
    struct tcp_client *t = CONTAINER_OF(e, struct tcp_client, end);

    if (t->manner == MANNER_NOT_READ && !t->has_shut) {
        t->has_shut = true; /* from now on it reads; then it goes */
        net_stream_read_start(t->stream);
        sim_event_in(t->all->loop->world, e, STAY_US);
        return;
    }
    client_close(t, t->manner == MANNER_RESET);
}

static const struct net_stream_events events = {on_connect, on_read, NULL};

/* ---- coming and going ---- */

static void plan_end(struct tcp_client *t)
{
    struct sim_world *w = t->all->loop->world;

    switch (t->manner) {
    case MANNER_LEAVE:
    case MANNER_RESET:
        sim_event_in(w, &t->end, sim_between(w, 0, 200000));
        break;
    case MANNER_NOT_READ:
        net_stream_read_stop(t->stream);
        sim_event_in(w, &t->end, sim_between(w, 100000, 5000000));
        break;
    case MANNER_PLAIN:
    case MANNER_HALF_CLOSE:
    case MANNER_CUT_FRAME:
        break; /* the program closes it, or it is satisfied */
    }
}

static enum manner manner_of(struct sim_clients *c)
{
    struct sim_world *w = c->loop->world;

    if (sim_chance(w, c->rude_percent)) {
        return (enum manner)sim_between(w, MANNER_LEAVE, MANNER_CUT_FRAME);
    }
    return sim_chance(w, 30) ? MANNER_HALF_CLOSE : MANNER_PLAIN;
}

void sim_clients_arrive_tcp(struct sim_clients *c)
{
    struct sim_world *w = c->loop->world;

    if (c->tcp_count >= SIM_TCP_CLIENTS_MAX) {
        return;
    }
    struct tcp_client *t = sim_alloc(sizeof(*t));
    t->all = c;
    t->manner = manner_of(c);
    t->left = sim_between(w, 1, QUERIES_MAX);
    list_init(&t->queries);
    buf_init(&t->in, 1 << 20);
    buf_init(&t->out, 1 << 16);
    sim_event_init(&t->next, on_next);
    sim_event_init(&t->end, on_end);
    struct addr from = {.ip = {127, 0, 0, 2}, .family = 4};
    from.ip[3] = (uint8_t)(2 + rng_below(&w->rng, 20));
    if (sim_stream_connect_from(c->loop, &from, &c->target, &events, t,
                                &t->stream) != 0) {
        free(t);
        return;
    }
    list_push_back(&c->tcp, &t->node);
    c->tcp_count++;
    plan_end(t);
}

void sim_clients_finish_tcp(struct sim_clients *c)
{
    while (!list_is_empty(&c->tcp)) {
        client_close(LIST_FIRST(&c->tcp, struct tcp_client, node), true);
    }
}

void sim_clients_may_be_refused(struct sim_clients *c)
{
    c->may_be_refused = true;
    if (c->tcp.next == NULL) {
        return; /* they have not started */
    }
    LIST_EACH (node, &c->tcp) {
        struct tcp_client *t = CONTAINER_OF(node, struct tcp_client, node);
        LIST_EACH (query, &t->queries) {
            struct sim_query *q = CONTAINER_OF(query, struct sim_query, node);
            q->is_excused = true;
            q->is_client_slow = true;
        }
    }
}
