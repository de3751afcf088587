/*
 * Datagrams under way; see net_packet.h.
 */
#include "net_packet.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MAX = 212992, /* Linux's default */
    PACKET_COST = 768   /* octets of a buffer that each takes besides */
};

/* ---- ports ---- */

void sim_port_open(struct sim_port *p, struct net_loop *l,
                   const struct addr *addr, sim_ready_fn *fn)
{
    *p = (struct sim_port){.loop = l, .addr = *addr, .queue_max = QUEUE_MAX};
    list_init(&p->queue);
    sim_ready_init(&p->ready, fn);
    list_push_back(&l->world->sockets, &p->node);
    l->open_count++;
}

void sim_port_close(struct sim_port *p)
{
    sim_ready_clear(&p->ready);
    LIST_EACH (node, &p->queue) {
        free(CONTAINER_OF(node, struct sim_packet, node));
    }
    list_init(&p->queue);
    list_remove(&p->node);
    p->loop->open_count--;
}

struct sim_packet *sim_port_take(struct sim_port *p)
{
    if (list_is_empty(&p->queue)) {
        return NULL;
    }
    struct sim_packet *d = LIST_FIRST(&p->queue, struct sim_packet, node);
    list_remove(&d->node);
    p->queued -= d->len + PACKET_COST;
    return d;
}

static bool is_for(const struct sim_port *p, const struct sim_packet *d)
{
    return sim_addr_reaches(&p->addr, &d->to) &&
           (!p->is_connected || addr_equal(&p->peer, &d->from));
}

/* One port, at random, of those that share an address. */
static struct sim_port *port_of(struct sim_world *w, const struct sim_packet *d)
{
    struct sim_port *found = NULL;
    uint32_t count = 0;

    LIST_EACH (node, &w->sockets) {
        struct sim_port *p = CONTAINER_OF(node, struct sim_port, node);
        if (is_for(p, d) && rng_below(&w->rng, ++count) == 0) {
            found = p;
        }
    }
    return found;
}

/* ---- under way ---- */

static void launch(struct sim_packet *d)
{
    struct sim_world *w = d->world;
    struct sim_link *a = sim_link(w, &d->from);
    struct sim_link *b = sim_link(w, &d->to);

    list_push_back(&w->datagrams, &d->under_way);
    sim_event_in(w, &d->arrival, sim_links_delay(w, a, b));
}

/* Send it back as an error, unless nobody would hear of it. Takes d. */
static void refuse(struct sim_packet *d)
{
    struct addr server = d->to;

    d->to = d->from;
    d->from = server;
    struct sim_port *p = port_of(d->world, d);
    if (d->is_refusal || p == NULL || !p->is_connected) {
        free(d);
        return;
    }
    d->is_refusal = true;
    launch(d);
}

static void take(struct sim_port *p, struct sim_packet *d)
{
    if (d->is_refusal) {
        p->is_refused = true;
        free(d);
    } else if (p->queued + d->len + PACKET_COST > p->queue_max) {
        free(d);
        return;
    } else {
        sim_trace(d->world, d->data, d->len);
        p->queued += d->len + PACKET_COST;
        list_push_back(&p->queue, &d->node);
    }
    sim_ready_mark(p->loop, &p->ready);
}

static void on_arrival(struct sim_event *e)
{
    struct sim_packet *d = CONTAINER_OF(e, struct sim_packet, arrival);
    struct sim_link *from = sim_link(d->world, &d->from);
    struct sim_link *to = sim_link(d->world, &d->to);
    struct sim_port *p = port_of(d->world, d);

    list_remove(&d->under_way);
    if (!sim_links_pass(from, to)) {
        free(d);
    } else if (p == NULL ||
               (to->state == SIM_LINK_REFUSING && !p->is_connected)) {
        refuse(d);
    } else {
        take(p, d);
    }
}

static void send_one(struct sim_world *w, const struct addr *from,
                     const struct addr *to, struct span data)
{
    struct sim_packet *d = sim_alloc(sizeof(*d) + data.len);

    list_init(&d->node);
    list_init(&d->under_way);
    sim_event_init(&d->arrival, on_arrival);
    d->world = w;
    d->from = *from;
    d->to = *to;
    d->len = data.len;
    if (data.len > 0) {
        memcpy(d->data, data.ptr, data.len);
    }
    launch(d);
}

void sim_packet_send(struct sim_world *w, const struct addr *from,
                     const struct addr *to, struct span data)
{
    struct sim_link *a = sim_link(w, from);
    struct sim_link *b = sim_link(w, to);

    if (!sim_links_pass(a, b) || sim_links_lose(w, a, b)) {
        return;
    }
    send_one(w, from, to, data);
    if (sim_chance(w, a->twice_percent) || sim_chance(w, b->twice_percent)) {
        send_one(w, from, to, data);
    }
}

void sim_packets_finish(struct sim_world *w)
{
    LIST_EACH (node, &w->datagrams) {
        struct sim_packet *d = CONTAINER_OF(node, struct sim_packet, under_way);
        sim_event_cancel(w, &d->arrival);
        free(d);
    }
    list_init(&w->datagrams);
}
