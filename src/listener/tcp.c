/*
 * Clients that are connected (RFC 7766, RFC 9210): frames in, answers out.
 *
 * Callbacks record what happened. Everything that follows from it is decided
 * in settle(), which runs after each read and, deferred, at the end of each
 * turn in which an answer was given or the client read its answers: go on
 * reading or stop, idle or busy, close. Only there, in on_timer() and from
 * outside is a client closed, never while a query of its is being answered.
 *
 * Invariant: while the stream is read, no whole frame is kept in client.in.
 * So when the end of the stream comes, all of its queries have been taken.
 */
#include "listener/internal.h"

#include "base/err.h"
#include "dns/frame.h"
#include "dns/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRAME_MAX = DNS_FRAME_HEAD + DNS_MESSAGE_MAX,
    /* A frame without its end, and what one read brought behind it. */
    IN_MAX = 4 * FRAME_MAX,
    /* Answers of one turn are written in pieces of about this size. */
    GATHER_MAX = 65536,
    OUT_MAX = GATHER_MAX + FRAME_MAX,
    /* Answers to what was asked before reading stopped may come to this many
     * times tcp_max_unread; then the client is closed. */
    UNREAD_FACTOR = 4,
};

/* Octets answered that the client has not made room for. */
static size_t unread(const struct tcp_client *c)
{
    return buf_len(&c->out) + net_stream_backlog(c->stream);
}

static bool may_take(const struct tcp_client *c)
{
    const struct config *config = c->listener->config;

    return !c->is_broken && !c->is_finishing &&
           c->pending < config->tcp_max_queries_per_client &&
           unread(c) <= config->tcp_max_unread;
}

/* Look at the client again at the end of this turn. */
static void touch(struct tcp_client *c)
{
    net_turn_defer(c->listener->loop, &c->turn);
}

static void restart_timer(struct tcp_client *c)
{
    net_timer_start(&c->timer, c->listener->config->tcp_idle_timeout_ms);
}

/* ---- answers out ---- */

static void flush(struct tcp_client *c)
{
    size_t backlog = net_stream_backlog(c->stream);

    if (buf_len(&c->out) == 0 || c->is_broken) {
        return;
    }
    c->is_broken = net_stream_write(c->stream, buf_span(&c->out)) != 0;
    buf_clear(&c->out);
    if (!c->is_broken && backlog == 0 && net_stream_backlog(c->stream) > 0) {
        restart_timer(c); /* from now on it is the client's turn to read */
    }
}

/* Gather in a buffer that another client is done with. An idle client holds
 * none, and a turn that answers many allocates none. */
static void borrow_buffer(struct tcp_client *c)
{
    struct listener *l = c->listener;

    if (c->out.data == NULL && l->spare_count > 0) {
        c->out = l->spares[--l->spare_count];
    }
}

static void return_buffer(struct tcp_client *c)
{
    struct listener *l = c->listener;

    if (buf_len(&c->out) > 0 || c->out.data == NULL) {
        return;
    }
    if (l->spare_count < SPARES_MAX && c->out.cap <= SPARE_LEN_MAX) {
        buf_clear(&c->out);
        l->spares[l->spare_count++] = c->out;
        buf_init(&c->out, OUT_MAX);
    } else {
        buf_finish(&c->out);
    }
}

/* Where an answer of up to max octets goes, behind its length. NULL: the
 * client is lost; it will be closed at the end of the turn. */
static uint8_t *reserve(struct tcp_client *c, size_t max)
{
    struct listener *l = c->listener;
    size_t need = DNS_FRAME_HEAD + max;
    uint8_t *frame;

    if (buf_len(&c->out) + need > GATHER_MAX) {
        flush(c);
    }
    if (!c->is_broken &&
        unread(c) > (size_t)l->config->tcp_max_unread * UNREAD_FACTOR) {
        l->stats.tcp_clients_slow_closed++;
        c->is_broken = true;
    }
    if (c->is_broken) {
        return NULL;
    }
    borrow_buffer(c);
    frame = buf_reserve(&c->out, need);
    c->is_broken = frame == NULL;
    return frame == NULL ? NULL : frame + DNS_FRAME_HEAD;
}

/* The len octets written there are an answer. came_us: see struct
 * listener_query. */
static void commit(struct tcp_client *c, uint64_t came_us, uint8_t *answer,
                   size_t len)
{
    dns_put16(answer - DNS_FRAME_HEAD, (unsigned)len);
    buf_commit(&c->out, DNS_FRAME_HEAD + len);
    c->listener->stats.tcp_answers++;
    if (c->listener->tap != NULL) {
        tap_tcp_answer(c, came_us, span_of(answer, len));
    }
}

static void on_answer(struct resolver_query *query)
{
    struct listener_query *q =
        CONTAINER_OF(query, struct listener_query, query);
    struct tcp_client *c = q->client;
    size_t max = resolver_answer_max(query);
    uint8_t *out = reserve(c, max);

    if (out != NULL) {
        size_t len = resolver_write(query, out, max);
        listener_note_answer(c->listener, query, out, len);
        commit(c, q->came_us, out, len);
    }
    list_remove(&q->node);
    slab_give(&c->listener->queries, q);
    c->pending--;
    touch(c);
}

/* An answer that is in the listener's scratch already. */
static void answer_at_once(struct tcp_client *c, uint64_t came_us, size_t len)
{
    uint8_t *out = reserve(c, len);

    if (out != NULL) {
        memcpy(out, c->listener->scratch, len);
        commit(c, came_us, out, len);
    }
    touch(c);
}

/* ---- queries in ---- */

static void refuse(struct tcp_client *c, uint64_t came_us, struct span msg)
{
    struct listener *l = c->listener;
    size_t len = resolver_refuse(l->resolver, msg, true, LISTENER_FULL_TEXT,
                                 l->scratch, DNS_MESSAGE_MAX);

    l->stats.over_max_queries++;
    listener_note_refusal(l, &c->addr, true, l->scratch, len);
    if (len > 0) {
        answer_at_once(c, came_us, len);
    }
}

/* May its client ask now? If not, it is told so. */
static bool is_admitted(struct tcp_client *c, uint64_t came_us, struct span msg)
{
    struct listener *l = c->listener;
    enum guard_verdict v =
        guard_judge(l->guard, &c->addr, true, net_now_ms(l->loop));

    if (v == GUARD_NOT_ALLOWED || v == GUARD_OVER_RATE) {
        size_t len = guard_write_refusal(l->guard, v, msg, true, l->scratch,
                                         DNS_MESSAGE_MAX);
        listener_note_refusal(l, &c->addr, true, l->scratch, len);
        if (len > 0) {
            answer_at_once(c, came_us, len);
        }
    }
    return v == GUARD_ADMIT;
}

static void take_query(struct tcp_client *c, struct span msg)
{
    struct listener *l = c->listener;
    struct listener_query *q;
    uint64_t came_us = 0;
    size_t len;

    l->stats.tcp_queries++;
    if (l->tap != NULL) {
        came_us = tap_tcp_query(c, msg);
    }
    if (!is_admitted(c, came_us, msg)) {
        return;
    }
    q = slab_take(&l->queries);
    if (q == NULL) {
        refuse(c, came_us, msg);
        return;
    }
    q->came_us = came_us;
    q->query.on_answer = on_answer;
    q->query.is_tcp = true;
    q->query.trace = NULL;
    q->query.client = c->addr;
    listener_note_start(l, &q->query);
    switch (resolver_ask(l->resolver, &q->query, msg, l->scratch,
                         DNS_MESSAGE_MAX, &len)) {
    case RESOLVER_PENDING:
        q->client = c;
        list_push_back(&c->queries, &q->node);
        c->pending++;
        return;
    case RESOLVER_ANSWERED:
        listener_note_answer(l, &q->query, l->scratch, len);
        answer_at_once(c, came_us, len);
        break;
    case RESOLVER_DROPPED:
        break;
    }
    slab_give(&l->queries, q);
}

/* Take whole frames from in while the bounds allow; returns the octets used.*/
static size_t take_frames(struct tcp_client *c, struct span in)
{
    struct span msg;
    size_t at = 0;
    size_t used;

    while (may_take(c) && dns_frame_cut(span_from(in, at), &msg, &used)) {
        at += used;
        if (msg.len < DNS_HEADER_LEN) {
            c->listener->stats.tcp_bad_frames++;
            c->is_broken = true;
            break;
        }
        take_query(c, msg);
    }
    return at;
}

/* Take what can be taken of the octets kept and of in; keep the rest. */
static void take(struct tcp_client *c, struct span in)
{
    if (buf_len(&c->in) == 0) {
        in = span_from(in, take_frames(c, in));
    }
    if (!c->is_broken && buf_append(&c->in, in) != 0) {
        c->is_broken = true;
    }
    if (buf_len(&c->in) > 0) {
        buf_consume(&c->in, take_frames(c, buf_span(&c->in)));
    }
    buf_shrink(&c->in, 0);
}

/* ---- the state of a client ---- */

static void update_reading(struct tcp_client *c)
{
    bool should_read = may_take(c);

    if (should_read == c->is_reading) {
        return;
    }
    c->is_reading = should_read;
    if (should_read) {
        net_stream_read_start(c->stream);
        return;
    }
    net_stream_read_stop(c->stream);
    if (!c->is_finishing) {
        c->listener->stats.tcp_paused++;
    }
}

static void update_idle(struct tcp_client *c)
{
    struct listener *l = c->listener;
    bool is_idle = c->pending == 0 && unread(c) == 0;

    if (is_idle == c->is_idle) {
        return;
    }
    c->is_idle = is_idle;
    list_remove(&c->node);
    list_push_back(is_idle ? &l->idle_clients : &l->busy_clients, &c->node);
    tcp_update_accepting(l);
}

/* Draw the conclusions of what happened. c may be gone afterwards. */
static void settle(struct tcp_client *c)
{
    bool is_done = c->is_finishing && c->pending == 0 && unread(c) == 0;

    if (c->is_broken || is_done) {
        tcp_client_close(c);
        return;
    }
    update_reading(c);
    update_idle(c);
}

static void on_turn(struct net_turn *turn)
{
    struct tcp_client *c = CONTAINER_OF(turn, struct tcp_client, turn);

    flush(c);
    return_buffer(c);
    if (c->pending == 0) {
        restart_timer(c);
    }
    take(c, (struct span){NULL, 0});
    settle(c);
}

static void on_read(void *arg, int err, struct span in)
{
    struct tcp_client *c = arg;

    if (err == 0) {
        take(c, in);
    } else if (err == ERR_NET_EOF) {
        c->is_finishing = true;
        buf_finish(&c->in);
    } else {
        c->is_broken = true;
    }
    settle(c);
}

static void on_drain(void *arg)
{
    touch(arg);
}

static void on_timer(struct net_timer *timer)
{
    struct tcp_client *c = CONTAINER_OF(timer, struct tcp_client, timer);
    struct listener_stats *stats = &c->listener->stats;

    if (unread(c) > 0) {
        stats->tcp_clients_slow_closed++;
        tcp_client_close(c);
    } else if (c->pending == 0) {
        stats->tcp_clients_idle_closed++;
        tcp_client_close(c);
    } /* else the answer to its last query starts the timer again */
}

static const struct net_stream_events client_events = {
    .on_read = on_read,
    .on_drain = on_drain,
};

/* ---- coming and going ---- */

void tcp_client_start(struct listener *l, struct net_stream *s,
                      const struct addr *addr, const struct peer_key *peer)
{
    struct tcp_client *c = calloc(1, sizeof(*c));

    if (c == NULL || peers_add(&l->peers, peer) != 0) {
        l->stats.tcp_clients_refused++;
        free(c);
        net_stream_close(s);
        return;
    }
    c->listener = l;
    c->stream = s;
    c->peer = *peer;
    c->addr = *addr;
    c->is_idle = true;
    c->is_reading = true;
    list_init(&c->queries);
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, OUT_MAX);
    net_turn_init(&c->turn, on_turn);
    net_timer_init(&c->timer, l->loop, on_timer);
    restart_timer(c);
    list_init(&c->node);
    list_push_back(&l->idle_clients, &c->node);
    l->client_count++;
    l->stats.tcp_clients_accepted++;
    net_stream_attach(s, &client_events, c);
}

void tcp_client_close(struct tcp_client *c)
{
    struct listener *l = c->listener;

    LIST_EACH (node, &c->queries) {
        struct listener_query *q =
            CONTAINER_OF(node, struct listener_query, node);

        resolver_cancel(&q->query);
        slab_give(&l->queries, q);
    }
    list_remove(&c->node);
    l->client_count--;
    peers_remove(&l->peers, &c->peer);
    net_timer_stop(&c->timer);
    net_turn_cancel(&c->turn);
    net_stream_close(c->stream);
    buf_finish(&c->in);
    buf_finish(&c->out);
    free(c);
    tcp_update_accepting(l);
    listener_check_drained(l);
}

static void close_listeners(struct listener *l)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        net_listener_close(l->sockets[i]->tcp);
        l->sockets[i]->tcp = NULL;
    }
}

void tcp_drain(struct listener *l)
{
    close_listeners(l);
    LIST_EACH (node, &l->idle_clients) {
        tcp_client_close(CONTAINER_OF(node, struct tcp_client, node));
    }
    LIST_EACH (node, &l->busy_clients) {
        struct tcp_client *c = CONTAINER_OF(node, struct tcp_client, node);

        c->is_finishing = true;
        buf_finish(&c->in);
        settle(c);
    }
}

void tcp_close(struct listener *l)
{
    close_listeners(l);
    list_splice(&l->busy_clients, &l->idle_clients);
    LIST_EACH (node, &l->busy_clients) {
        struct tcp_client *c = CONTAINER_OF(node, struct tcp_client, node);

        flush(c);
        tcp_client_close(c);
    }
}
