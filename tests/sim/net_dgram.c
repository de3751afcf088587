/*
 * net/dgram.h on simulated datagrams (net_packet.h). They reach servers of
 * net/udp.h, and the answers of those come back here.
 */
#include "net_packet.h"

#include "base/err.h"
#include "net/dgram.h"

#include <assert.h>
#include <stdlib.h>

enum { RECV_MAX = 4096, RECEIVES_IN_TURN = 64 };

struct net_dgram {
    struct sim_port port;
    net_dgram_fn *fn;
    void *arg;
    bool is_closed;
};

static void receive_one(struct net_dgram *d)
{
    struct sim_packet *p = sim_port_take(&d->port);

    if (p->len <= RECV_MAX) {
        d->fn(d->arg, 0, span_of(p->data, p->len));
    }
    free(p);
}

static void on_ready(struct sim_ready *r)
{
    struct net_dgram *d = CONTAINER_OF(r, struct net_dgram, port.ready);

    if (d->port.is_refused) {
        d->port.is_refused = false;
        d->fn(d->arg, ERR_NET_REFUSED, span_of(NULL, 0));
    }
    for (int i = 0; i < RECEIVES_IN_TURN; i++) {
        if (d->is_closed || list_is_empty(&d->port.queue)) {
            return;
        }
        receive_one(d);
    }
    if (!d->is_closed && !list_is_empty(&d->port.queue)) {
        sim_ready_mark(d->port.loop, &d->port.ready);
    }
}

static bool is_unreachable(struct net_loop *l, const struct addr *peer)
{
    return sim_link(l->world, peer)->state == SIM_LINK_UNREACHABLE;
}

int net_dgram_send(struct net_dgram *d, struct span data)
{
    struct sim_port *p = &d->port;

    assert(!d->is_closed);
    if (is_unreachable(p->loop, &p->peer)) {
        return ERR_NET_UNREACHABLE;
    }
    sim_packet_send(p->loop->world, &p->addr, &p->peer, data);
    return 0;
}

static bool is_taken(struct sim_world *w, const struct addr *a)
{
    LIST_EACH (node, &w->sockets) {
        struct sim_port *p = CONTAINER_OF(node, struct sim_port, node);
        if (sim_addr_reaches(&p->addr, a)) {
            return true;
        }
    }
    return false;
}

int net_dgram_open(struct net_loop *l, const struct addr *peer,
                   net_dgram_fn *fn, void *arg, struct net_dgram **out)
{
    if (is_unreachable(l, peer)) {
        return ERR_NET_UNREACHABLE;
    }
    struct addr from = sim_addr_usual_source(peer);
    do {
        from.port = (uint16_t)sim_between(l->world, 32768, 60999);
    } while (is_taken(l->world, &from));
    struct net_dgram *d = sim_alloc(sizeof(*d));
    sim_port_open(&d->port, l, &from, on_ready);
    d->port.peer = *peer;
    d->port.is_connected = true;
    d->fn = fn;
    d->arg = arg;
    *out = d;
    return 0;
}

static void dgram_free(void *arg)
{
    free(arg);
}

void net_dgram_close(struct net_dgram *d)
{
    if (d == NULL) {
        return;
    }
    assert(!d->is_closed);
    d->is_closed = true;
    sim_port_close(&d->port);
    int err = net_loop_post(d->port.loop, dgram_free, d);
    (void)err;
}
