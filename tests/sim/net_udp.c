/*
 * net/udp.h on simulated datagrams: each is an event of its own, so that they
 * overtake one another as the link's jitter has it; a socket whose receive
 * buffer is full loses what comes.
 */
#include "net_sim.h"

#include "base/err.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCHES_IN_TURN = 4, /* then others have their turn */
    DATAGRAM_COST = 768  /* octets of a buffer that each takes besides */
};

struct datagram {
    struct list node; /* in the socket's queue, or on its own */
    struct sim_event arrival;
    struct sim_world *world;
    struct list under_way; /* in the world's datagrams, until it arrives */
    struct addr from, to;
    size_t len;
    uint8_t data[];
};

struct answer {
    struct net_udp_path path;
    size_t len;
    uint8_t data[NET_UDP_SEND_MAX];
};

struct net_udp {
    struct list node;   /* in the world's sockets */
    struct list unsent; /* in the loop's, while answers are gathered */
    struct sim_ready ready;
    struct net_loop *loop;
    struct addr addr;
    bool is_shared, is_closed;
    net_udp_recv_fn *fn;
    void *arg;
    struct list queue;        /* struct datagram */
    size_t queued, queue_max; /* octets */
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
    struct addr from = u->addr;

    if (p->local_len != 0) {
        memcpy(from.ip, p->local, p->local_len);
    }
    return from;
}

/* ---- datagrams under way ---- */

static struct net_udp *socket_of(struct sim_world *w, const struct datagram *d)
{
    struct net_udp *found = NULL;
    uint32_t count = 0;

    LIST_EACH (node, &w->sockets) {
        struct net_udp *u = CONTAINER_OF(node, struct net_udp, node);
        if (sim_addr_reaches(&u->addr, &d->to) &&
            rng_below(&w->rng, ++count) == 0) {
            found = u;
        }
    }
    return found;
}

static void on_arrival(struct sim_event *e)
{
    struct datagram *d = CONTAINER_OF(e, struct datagram, arrival);
    struct sim_world *w = d->world;
    struct net_udp *u = socket_of(w, d);

    list_remove(&d->under_way);
    if (u == NULL || u->queued + d->len + DATAGRAM_COST > u->queue_max ||
        !sim_links_pass(sim_link(w, &d->from), sim_link(w, &d->to))) {
        free(d);
        return;
    }
    sim_trace(w, d->data, d->len);
    u->queued += d->len + DATAGRAM_COST;
    list_push_back(&u->queue, &d->node);
    sim_ready_mark(u->loop, &u->ready);
}

static void launch(struct sim_world *w, const struct addr *from,
                   const struct addr *to, struct span data)
{
    struct sim_link *a = sim_link(w, from);
    struct sim_link *b = sim_link(w, to);

    if (!sim_links_pass(a, b) || sim_links_lose(w, a, b)) {
        return;
    }
    struct datagram *d = sim_alloc(sizeof(*d) + data.len);
    list_init(&d->node);
    d->world = w;
    d->from = *from;
    d->to = *to;
    d->len = data.len;
    if (data.len > 0) {
        memcpy(d->data, data.ptr, data.len);
    }
    list_push_back(&w->datagrams, &d->under_way);
    sim_event_init(&d->arrival, on_arrival);
    sim_event_in(w, &d->arrival, sim_links_delay(w, a, b));
}

void sim_udp_finish(struct sim_world *w)
{
    LIST_EACH (node, &w->datagrams) {
        struct datagram *d = CONTAINER_OF(node, struct datagram, under_way);
        sim_event_cancel(w, &d->arrival);
        free(d);
    }
    list_init(&w->datagrams);
}

/* ---- receiving ---- */

static void path_of(const struct net_udp *u, const struct datagram *d,
                    struct net_udp_path *out)
{
    sim_udp_path_to(&d->from, out);
    if (!addr_ip_equal(&u->addr, &d->to)) {
        out->local_len = (uint8_t)addr_ip_len(&d->to);
        memcpy(out->local, d->to.ip, out->local_len);
    }
}

static void receive_one(struct net_udp *u)
{
    struct datagram *d = LIST_FIRST(&u->queue, struct datagram, node);
    struct net_udp_path path;

    list_remove(&d->node);
    u->queued -= d->len + DATAGRAM_COST;
    if (d->len > NET_UDP_RECV_MAX) {
        u->stats.oversized++;
    } else {
        u->stats.received++;
        path_of(u, d, &path);
        u->fn(u->arg, span_of(d->data, d->len), &path);
    }
    free(d);
}

static void on_ready(struct sim_ready *r)
{
    struct net_udp *u = CONTAINER_OF(r, struct net_udp, ready);

    for (int i = 0; i < BATCHES_IN_TURN * NET_UDP_BATCH; i++) {
        if (u->is_closed || list_is_empty(&u->queue)) {
            return;
        }
        if (i % NET_UDP_BATCH == 0) {
            u->stats.recv_calls++;
        }
        receive_one(u);
    }
    if (!u->is_closed && !list_is_empty(&u->queue)) {
        sim_ready_mark(u->loop, &u->ready);
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
        launch(u->loop->world, &from, &to, span_of(a->data, a->len));
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
        list_push_back(&u->loop->unsent, &u->unsent);
    }
    if (!u->loop->is_in_turn) {
        int err = net_loop_post(u->loop, on_nothing, NULL);
        (void)err;
    }
}

/* ---- opening and closing ---- */

static bool is_in_use(struct sim_world *w, const struct addr *a, bool is_shared)
{
    LIST_EACH (node, &w->sockets) {
        struct net_udp *u = CONTAINER_OF(node, struct net_udp, node);
        if (addr_equal(&u->addr, a) && !(u->is_shared && is_shared)) {
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
    u->loop = l;
    u->addr = *addr;
    sim_addr_bind(l->world, &u->addr);
    u->is_shared = is_shared;
    u->fn = fn;
    u->arg = arg;
    u->queue_max = recv_buffer == 0 ? 212992 : recv_buffer;
    if (got_buffer != NULL) {
        *got_buffer = u->queue_max;
    }
    list_init(&u->queue);
    list_init(&u->unsent);
    sim_ready_init(&u->ready, on_ready);
    list_push_back(&l->world->sockets, &u->node);
    l->open_count++;
    *out = u;
    return 0;
}

void net_udp_addr(const struct net_udp *u, struct addr *out)
{
    *out = u->addr;
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
    sim_ready_clear(&u->ready);
    LIST_EACH (node, &u->queue) {
        free(CONTAINER_OF(node, struct datagram, node));
    }
    list_init(&u->queue);
    list_remove(&u->node);
    u->loop->open_count--;
    int err = net_loop_post(u->loop, udp_free, u);
    (void)err;
}
