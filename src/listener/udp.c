/*
 * Queries in datagrams. The way of almost all queries, so it allocates and
 * copies nothing: the query lives in an item of the slab, its answer is
 * written where the socket will send it from.
 */
#include "listener/internal.h"

#include "dns/wire.h"

#include <string.h>

/* Send the len octets at out, where the socket reserved room for them. came_us:
 * see struct listener_query. */
static void send_answer(struct listener_socket *s,
                        const struct net_udp_path *path, uint64_t came_us,
                        bool is_proved, uint8_t *out, size_t len)
{
    struct listener *l = s->listener;
    struct listener_stats *stats = &l->stats;

    if (guard_has_answer_limit(l->guard)) {
        struct addr client;
        net_udp_path_peer(path, &client);
        len = guard_filter_answer(l->guard, &client, is_proved, out, len,
                                  net_now_ms(l->loop));
        if (len == 0) {
            return;
        }
    }
    stats->udp_answers++;
    if ((dns_get16(out + 2) & DNS_FLAG_TC) != 0) {
        stats->udp_truncated++;
    }
    if (l->tap != NULL) {
        tap_udp_answer(s, path, came_us, span_of(out, len));
    }
    net_udp_commit(s->udp, path, len);
}

static void close_socket(struct listener_socket *s)
{
    net_udp_close(s->udp); /* sends what was gathered */
    s->udp = NULL;
}

static void on_answer(struct resolver_query *query)
{
    struct listener_query *q =
        CONTAINER_OF(query, struct listener_query, query);
    struct listener_socket *s = q->udp.socket;
    struct listener *l = s->listener;
    uint8_t *out = net_udp_reserve(s->udp);
    size_t len = resolver_write(query, out, NET_UDP_SEND_MAX);

    listener_note_answer(l, query, out, len);
    send_answer(s, &q->udp.path, q->came_us, query->is_proved, out, len);
    list_remove(&q->node);
    slab_give(&l->queries, q);
    s->pending--;
    if (s->pending == 0 && l->is_draining) {
        close_socket(s);
        listener_check_drained(l);
    } else if (s->pending == 0 && !list_is_empty(&s->node)) {
        listener_socket_free(s);
    }
}

static void refuse(struct listener_socket *s, const struct net_udp_datagram *d,
                   uint64_t came_us, const struct addr *client)
{
    struct listener *l = s->listener;
    uint8_t *out = net_udp_reserve(s->udp);
    size_t len = resolver_refuse(l->resolver, d->data, false,
                                 LISTENER_FULL_TEXT, out, NET_UDP_SEND_MAX);

    l->stats.over_max_queries++;
    listener_note_refusal(l, client, false, out, len);
    if (len > 0) {
        send_answer(s, d->path, came_us, false, out, len);
    }
}

/* May client ask now? If not, it is told so, or nothing. */
static bool is_admitted(struct listener_socket *s,
                        const struct net_udp_datagram *d, uint64_t came_us,
                        const struct addr *client)
{
    struct listener *l = s->listener;
    enum guard_verdict v =
        guard_judge(l->guard, client, false, net_now_ms(l->loop));

    if (v == GUARD_NOT_ALLOWED || v == GUARD_OVER_RATE) {
        uint8_t *out = net_udp_reserve(s->udp);
        size_t len = guard_write_refusal(l->guard, v, d->data, false, out,
                                         NET_UDP_SEND_MAX);
        listener_note_refusal(l, client, false, out, len);
        if (len > 0) {
            send_answer(s, d->path, came_us, false, out, len);
        }
    }
    return v == GUARD_ADMIT;
}

static void take(struct listener_socket *s, const struct net_udp_datagram *d,
                 const struct resolver_ahead *ahead)
{
    struct listener *l = s->listener;
    struct listener_query *q;
    struct addr client;
    uint64_t came_us = 0;
    uint8_t *out;
    size_t len;

    l->stats.udp_queries++;
    net_udp_path_peer(d->path, &client);
    if (l->tap != NULL) {
        came_us = tap_udp_query(s, d);
    }
    if (!is_admitted(s, d, came_us, &client)) {
        return;
    }
    q = slab_take(&l->queries);
    if (q == NULL) {
        refuse(s, d, came_us, &client);
        return;
    }
    q->came_us = came_us;
    q->query.on_answer = on_answer;
    q->query.is_tcp = false;
    q->query.trace = NULL;
    q->query.is_proved = false;
    q->query.client = client;
    out = net_udp_reserve(s->udp);
    listener_note_start(l, &q->query);
    switch (resolver_ask_ahead(l->resolver, &q->query, ahead, out,
                               NET_UDP_SEND_MAX, &len)) {
    case RESOLVER_PENDING:
        q->udp.socket = s;
        q->udp.path = *d->path;
        list_push_back(&l->udp_queries, &q->node);
        s->pending++;
        return;
    case RESOLVER_ANSWERED:
        listener_note_answer(l, &q->query, out, len);
        send_answer(s, d->path, came_us, q->query.is_proved, out, len);
        break;
    case RESOLVER_DROPPED:
        break;
    }
    slab_give(&l->queries, q);
}

void udp_on_batch(void *arg, const struct net_udp_datagram *batch, size_t count)
{
    struct listener_socket *s = arg;
    struct resolver *r = s->listener->resolver;
    struct resolver_ahead ahead[NET_UDP_BATCH];

    for (size_t i = 0; i < count; i++) {
        resolver_look_ahead(r, batch[i].data, &ahead[i]);
    }
    for (size_t i = 0; i < count; i++) {
        resolver_look_ahead_more(r, &ahead[i]);
    }
    for (size_t i = 0; i < count && !s->listener->is_draining; i++) {
        take(s, &batch[i], &ahead[i]);
    }
}

void udp_drain(struct listener *l)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        if (l->sockets[i]->pending == 0) {
            close_socket(l->sockets[i]);
        }
    }
}

void udp_retire(struct listener_socket *s)
{
    if (s->pending == 0) {
        listener_socket_free(s);
    } else {
        list_push_back(&s->listener->retired, &s->node);
    }
}

void udp_close(struct listener *l)
{
    LIST_EACH (node, &l->udp_queries) {
        struct listener_query *q =
            CONTAINER_OF(node, struct listener_query, node);

        list_remove(node);
        q->udp.socket->pending--;
        resolver_cancel(&q->query);
        slab_give(&l->queries, q);
    }
    udp_drain(l);
}
