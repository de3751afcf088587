/*
 * Queries in datagrams. The way of almost all queries, so it allocates and
 * copies nothing: the query lives in an item of the slab, its answer is
 * written where the socket will send it from.
 */
#include "listener/internal.h"

#include "dns/wire.h"

#include <string.h>

/* Send the len octets at out, where the socket reserved room for them. */
static void send_answer(struct listener_socket *s,
                        const struct net_udp_path *path, const uint8_t *out,
                        size_t len)
{
    struct listener_stats *stats = &s->listener->stats;

    stats->udp_answers++;
    if ((dns_get16(out + 2) & DNS_FLAG_TC) != 0) {
        stats->udp_truncated++;
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

    send_answer(s, &q->udp.path, out,
                resolver_write(query, out, NET_UDP_SEND_MAX));
    list_remove(&q->node);
    slab_give(&l->queries, q);
    s->pending--;
    if (l->is_draining && s->pending == 0) {
        close_socket(s);
        listener_check_drained(l);
    }
}

static void refuse(struct listener_socket *s, struct span data,
                   const struct net_udp_path *path)
{
    struct listener *l = s->listener;
    uint8_t *out = net_udp_reserve(s->udp);
    size_t len = resolver_refuse(l->resolver, data, false, LISTENER_FULL_TEXT,
                                 out, NET_UDP_SEND_MAX);

    l->stats.over_max_queries++;
    if (len > 0) {
        send_answer(s, path, out, len);
    }
}

void udp_on_datagram(void *arg, struct span data,
                     const struct net_udp_path *path)
{
    struct listener_socket *s = arg;
    struct listener *l = s->listener;
    struct listener_query *q;
    uint8_t *out;
    size_t len;

    if (l->is_draining) {
        return;
    }
    l->stats.udp_queries++;
    q = slab_take(&l->queries);
    if (q == NULL) {
        refuse(s, data, path);
        return;
    }
    q->query.on_answer = on_answer;
    q->query.is_tcp = false;
    out = net_udp_reserve(s->udp);
    switch (resolver_ask(l->resolver, &q->query, data, out, NET_UDP_SEND_MAX,
                         &len)) {
    case RESOLVER_PENDING:
        q->udp.socket = s;
        q->udp.path = *path;
        list_push_back(&l->udp_queries, &q->node);
        s->pending++;
        return;
    case RESOLVER_ANSWERED:
        send_answer(s, path, out, len);
        break;
    case RESOLVER_DROPPED:
        break;
    }
    slab_give(&l->queries, q);
}

void udp_drain(struct listener *l)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        if (l->sockets[i].pending == 0) {
            close_socket(&l->sockets[i]);
        }
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
