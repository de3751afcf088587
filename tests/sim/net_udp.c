/*
 * net/udp.h on simulated datagrams (net_packet.h).
 */
#include "net_packet.h"

#include "base/err.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCHES_IN_TURN = 4 /* then others have their turn */
};

struct answer {
    struct net_udp_path path;
    size_t len;
    uint8_t data[NET_UDP_SEND_MAX];
};

struct net_udp {
    struct sim_port port;
    struct list unsent; /* in the loop's, while answers are gathered */
    bool is_shared, is_closed;
    net_udp_recv_fn *fn;
    void *arg;
    struct net_udp_stats stats;
    size_t answer_count;
    struct answer answers[NET_UDP_BATCH];
};

/* ---- addresses in their system form ---- */

void sim_udp_path_to(const struct addr *peer, struct net_udp_path *out)
{
    *out = (struct net_udp_path){0};
    if (peer->family == 4) {
        struct sockaddr_in sa = {.sin_family = AF_INET};
        sa.sin_port = htons(peer->port);
        memcpy(&sa.sin_addr, peer->ip, 4);
        out->peer_len = sizeof(sa);
        memcpy(out->peer, &sa, sizeof(sa));
    } else {
        struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
        sa.sin6_port = htons(peer->port);
        sa.sin6_scope_id = peer->scope_id;
        memcpy(&sa.sin6_addr, peer->ip, 16);
        out->peer_len = sizeof(sa);
        memcpy(out->peer, &sa, sizeof(sa));
    }
}

/* Simulated sockets are bound to one address. */
void net_udp_path_local(const struct net_udp_path *p, struct addr *out)
{
    (void)p;
    (void)out;
}

void net_udp_path_peer(const struct net_udp_path *p, struct addr *out)
{
    *out = (struct addr){0};
    if (p->peer_len == sizeof(struct sockaddr_in)) {
        struct sockaddr_in sa;
        memcpy(&sa, p->peer, sizeof(sa));
        out->family = 4;
        out->port = ntohs(sa.sin_port);
        memcpy(out->ip, &sa.sin_addr, 4);
    } else {
        struct sockaddr_in6 sa;
        memcpy(&sa, p->peer, sizeof(sa));
        out->family = 6;
        out->port = ntohs(sa.sin6_port);
        out->scope_id = sa.sin6_scope_id;
        memcpy(out->ip, &sa.sin6_addr, 16);
    }
}

static struct addr source_of(const struct net_udp *u,
                             const struct net_udp_path *p)
{
    struct addr from = u->port.addr;

    if (p->local_len != 0) {
        memcpy(from.ip, p->local, p->local_len);
    }
    return from;
}

/* ---- receiving ---- */

static void path_of(const struct net_udp *u, const struct sim_packet *d,
                    struct net_udp_path *out)
{
    sim_udp_path_to(&d->from, out);
    if (!addr_ip_equal(&u->port.addr, &d->to)) {
        out->local_len = (uint8_t)addr_ip_len(&d->to);
        memcpy(out->local, d->to.ip, out->local_len);
    }
}

/* Hand up what is there, at most a batch. */
static void receive_batch(struct net_udp *u)
{
    struct sim_packet *packets[NET_UDP_BATCH];
    struct net_udp_path paths[NET_UDP_BATCH];
    struct net_udp_datagram batch[NET_UDP_BATCH];
    size_t taken = 0;
    size_t kept = 0;

    while (taken < NET_UDP_BATCH && !list_is_empty(&u->port.queue)) {
        struct sim_packet *d = sim_port_take(&u->port);

        packets[taken++] = d;
        if (d->len > NET_UDP_RECV_MAX) {
            u->stats.oversized++;
            continue;
        }
        path_of(u, d, &paths[kept]);
        batch[kept].data = span_of(d->data, d->len);
        batch[kept].path = &paths[kept];
        kept++;
    }
    u->stats.recv_calls++;
    u->stats.received += kept;
    if (kept > 0) {
        u->fn(u->arg, batch, kept);
    }
    for (size_t i = 0; i < taken; i++) {
        free(packets[i]);
    }
}

static void on_ready(struct sim_ready *r)
{
    struct net_udp *u = CONTAINER_OF(r, struct net_udp, port.ready);

    for (int i = 0; i < BATCHES_IN_TURN; i++) {
        if (u->is_closed || list_is_empty(&u->port.queue)) {
            return;
        }
        receive_batch(u);
    }
    if (!u->is_closed && !list_is_empty(&u->port.queue)) {
        sim_ready_mark(u->port.loop, &u->port.ready);
    }
}

/* ---- sending ---- */

static void flush(struct net_udp *u)
{
    list_remove(&u->unsent);
    for (size_t i = 0; i < u->answer_count; i++) {
        struct answer *a = &u->answers[i];
        struct addr from = source_of(u, &a->path);
        struct addr to;
        net_udp_path_peer(&a->path, &to);
        sim_packet_send(u->port.loop->world, &from, &to,
                        span_of(a->data, a->len));
        u->stats.sent++;
    }
    u->stats.send_calls += u->answer_count > 0;
    u->answer_count = 0;
}

void sim_udp_flush(struct list *unsent)
{
    while (!list_is_empty(unsent)) {
        flush(LIST_FIRST(unsent, struct net_udp, unsent));
    }
}

uint8_t *net_udp_reserve(struct net_udp *u)
{
    assert(!u->is_closed);
    if (u->answer_count == NET_UDP_BATCH) {
        flush(u);
    }
    return u->answers[u->answer_count].data;
}

/* For one who speaks first, out of any turn of its own. */
static void on_nothing(void *arg)
{
    (void)arg;
}

void net_udp_commit(struct net_udp *u, const struct net_udp_path *to,
                    size_t len)
{
    assert(!u->is_closed && len <= NET_UDP_SEND_MAX);
    struct answer *a = &u->answers[u->answer_count++];
    a->path = *to;
    a->len = len;
    if (list_is_empty(&u->unsent)) {
        list_push_back(&u->port.loop->unsent, &u->unsent);
    }
    if (!u->port.loop->is_in_turn) {
        int err = net_loop_post(u->port.loop, on_nothing, NULL);
        (void)err;
    }
}

/* ---- opening and closing ---- */

/* Only servers have a fixed port, and a server's is not connected. */
static bool is_in_use(struct sim_world *w, const struct addr *a, bool is_shared)
{
    LIST_EACH (node, &w->sockets) {
        struct sim_port *p = CONTAINER_OF(node, struct sim_port, node);
        if (addr_equal(&p->addr, a) &&
            (p->is_connected || !is_shared ||
             !CONTAINER_OF(p, struct net_udp, port)->is_shared)) {
            return true;
        }
    }
    return false;
}

int net_udp_open(struct net_loop *l, const struct addr *addr, bool is_shared,
                 size_t recv_buffer, net_udp_recv_fn *fn, void *arg,
                 size_t *got_buffer, struct net_udp **out)
{
    if (addr->port != 0 && is_in_use(l->world, addr, is_shared)) {
        return ERR_NET_IN_USE;
    }
    struct net_udp *u = sim_alloc(sizeof(*u));
    struct addr bound = *addr;
    sim_addr_bind(l->world, &bound);
    sim_port_open(&u->port, l, &bound, on_ready);
    u->is_shared = is_shared;
    u->fn = fn;
    u->arg = arg;
    if (recv_buffer != 0) {
        u->port.queue_max = recv_buffer;
    }
    if (got_buffer != NULL) {
        *got_buffer = u->port.queue_max;
    }
    list_init(&u->unsent);
    *out = u;
    return 0;
}

void net_udp_addr(const struct net_udp *u, struct addr *out)
{
    *out = u->port.addr;
}

const struct net_udp_stats *net_udp_stats(const struct net_udp *u)
{
    return &u->stats;
}

static void udp_free(void *arg)
{
    free(arg);
}

void net_udp_close(struct net_udp *u)
{
    if (u == NULL) {
        return;
    }
    flush(u);
    u->is_closed = true;
    sim_port_close(&u->port);
    int err = net_loop_post(u->port.loop, udp_free, u);
    (void)err;
}
