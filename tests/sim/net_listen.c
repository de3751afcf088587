/*
 * Listeners, and the three-way handshake: SYN, and SYN again after 1, 2, 4 …
 * seconds when nothing comes back; the listener's kernel answers by itself and
 * queues the connection until the listener's owner takes it.
 */
#include "net_conn.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SYN_RETRY_US = 1000000,
    SYN_TRIES = 7,
    ACCEPT_PAUSE_MS = 100, /* when file descriptors have run out */
    ACCEPTS_IN_TURN = 16
};

struct net_listener {
    struct list node; /* in the world's listeners */
    struct sim_ready ready;
    struct net_timer pause;
    struct net_loop *loop;
    struct addr addr;
    bool is_shared;
    bool is_paused;
    net_accept_fn *fn;
    void *arg;
    struct list queue; /* struct sim_conn, queued */
};

/* ---- addresses ---- */

void sim_addr_bind(struct sim_world *w, struct addr *a)
{
    if (a->port == 0) {
        a->port = w->next_port;
        w->next_port = w->next_port == 65535 ? 40000 : w->next_port + 1;
    }
}

bool sim_addr_reaches(const struct addr *bound, const struct addr *to)
{
    static const uint8_t any[16];

    return bound->family == to->family && bound->port == to->port &&
           (memcmp(bound->ip, any, 16) == 0 || addr_ip_equal(bound, to));
}

static struct net_listener *listener_of(struct sim_world *w,
                                        const struct addr *to)
{
    struct net_listener *found = NULL;
    uint32_t count = 0;

    LIST_EACH (node, &w->listeners) {
        struct net_listener *l = CONTAINER_OF(node, struct net_listener, node);
        if (sim_addr_reaches(&l->addr, to) &&
            rng_below(&w->rng, ++count) == 0) {
            found = l;
        }
    }
    return found;
}

/* ---- the handshake ---- */

static void connect_done(struct sim_conn *c, int result)
{
    struct net_stream *s = &c->end[0];

    s->has_connect_result = true;
    s->connect_result = result;
    if (result == 0) {
        s->is_connected = true;
        sim_stream_advance(s);
    } else {
        s->broken = result;
        s->is_broken_told = true;
        c->end[1].is_closed = true;
    }
    sim_stream_notify(s);
}

static void on_timeout(struct sim_event *e)
{
    connect_done(CONTAINER_OF(e, struct sim_conn, syn), ERR_NET_TIMEOUT);
}

static void on_refused(struct sim_event *e)
{
    connect_done(CONTAINER_OF(e, struct sim_conn, syn), ERR_NET_REFUSED);
}

static void next(struct sim_conn *c, sim_event_fn *fn, uint64_t delay_us)
{
    c->syn.fn = fn;
    sim_event_in(c->world, &c->syn, delay_us);
}

static void on_syn_ack(struct sim_event *e)
{
    struct sim_conn *c = CONTAINER_OF(e, struct sim_conn, syn);

    if (sim_conn_passes(c)) {
        connect_done(c, 0);
    } else {
        next(c, on_syn_ack, SYN_RETRY_US);
    }
}

static void on_syn(struct sim_event *e);

static void retry(struct sim_conn *c)
{
    uint64_t delay_us = (uint64_t)SYN_RETRY_US << c->syn_tries;
    c->syn_tries++;
    next(c, c->syn_tries < SYN_TRIES ? on_syn : on_timeout, delay_us);
}

static bool is_lost(struct sim_conn *c)
{
    return !sim_conn_passes(c) || c->link[0]->state == SIM_LINK_NO_NEW ||
           c->link[1]->state == SIM_LINK_NO_NEW ||
           sim_links_lose(c->world, c->link[0], c->link[1]);
}

static void answer_syn(struct sim_conn *c)
{
    struct net_listener *l = listener_of(c->world, &c->end[1].addr);
    uint64_t delay_us = sim_conn_delay(c);

    if (l == NULL || c->link[1]->state == SIM_LINK_REFUSING ||
        c->link[0]->state == SIM_LINK_REFUSING) {
        next(c, on_refused, delay_us);
        return;
    }
    c->is_syn_ack = true;
    c->end[1].is_connected = true;
    list_push_back(&l->queue, &c->queued);
    if (!l->is_paused) {
        sim_ready_mark(l->loop, &l->ready);
    }
    next(c, on_syn_ack, delay_us);
}

static void on_syn(struct sim_event *e)
{
    struct sim_conn *c = CONTAINER_OF(e, struct sim_conn, syn);

    if (is_lost(c)) {
        retry(c);
    } else {
        answer_syn(c);
    }
}

void sim_conn_start(struct sim_conn *c)
{
    sim_event_init(&c->syn, on_syn);
    sim_event_in(c->world, &c->syn, sim_conn_delay(c));
}

/* ---- net/stream.h, listening ---- */

static bool accept_one(struct net_listener *l)
{
    struct sim_conn *c = LIST_FIRST(&l->queue, struct sim_conn, queued);
    struct net_stream *s = &c->end[1];

    if (sim_loop_is_full(l->loop)) {
        l->is_paused = true;
        net_timer_start(&l->pause, ACCEPT_PAUSE_MS);
        return false;
    }
    list_remove(&c->queued);
    s->loop = l->loop;
    l->loop->open_count++;
    l->loop->stream_count++;
    l->fn(l->arg, s, &c->end[0].addr);
    assert(s->is_closed || s->events != NULL);
    return true;
}

/* The owner may close the listener in the callback: it is freed at its turn's
 * end, see net_listener_close(). */
static void on_ready(struct sim_ready *r)
{
    struct net_listener *l = CONTAINER_OF(r, struct net_listener, ready);

    for (int i = 0; i < ACCEPTS_IN_TURN; i++) {
        if (l->is_paused || list_is_empty(&l->queue) || !accept_one(l)) {
            break;
        }
    }
    if (!l->is_paused && !list_is_empty(&l->queue)) {
        sim_ready_mark(l->loop, &l->ready);
    }
}

static void on_pause_over(struct net_timer *t)
{
    net_listener_resume(CONTAINER_OF(t, struct net_listener, pause));
}

static bool is_in_use(struct sim_world *w, const struct addr *a, bool is_shared)
{
    LIST_EACH (node, &w->listeners) {
        struct net_listener *l = CONTAINER_OF(node, struct net_listener, node);
        if (addr_equal(&l->addr, a) && !(l->is_shared && is_shared)) {
            return true;
        }
    }
    return false;
}

int net_listener_open(struct net_loop *l, const struct addr *addr,
                      bool is_shared, net_accept_fn *fn, void *arg,
                      struct net_listener **out)
{
    if (addr->port != 0 && is_in_use(l->world, addr, is_shared)) {
        return ERR_NET_IN_USE;
    }
    struct net_listener *n = sim_alloc(sizeof(*n));
    n->loop = l;
    n->addr = *addr;
    sim_addr_bind(l->world, &n->addr);
    n->is_shared = is_shared;
    n->fn = fn;
    n->arg = arg;
    list_init(&n->queue);
    sim_ready_init(&n->ready, on_ready);
    net_timer_init(&n->pause, l, on_pause_over);
    list_push_back(&l->world->listeners, &n->node);
    l->open_count++;
    *out = n;
    return 0;
}

void net_listener_addr(const struct net_listener *l, struct addr *out)
{
    *out = l->addr;
}

void net_listener_pause(struct net_listener *l)
{
    l->is_paused = true;
    net_timer_stop(&l->pause);
}

void net_listener_resume(struct net_listener *l)
{
    l->is_paused = false;
    if (!list_is_empty(&l->queue)) {
        sim_ready_mark(l->loop, &l->ready);
    }
}

static void listener_free(void *arg)
{
    free(arg);
}

void net_listener_close(struct net_listener *l)
{
    if (l == NULL) {
        return;
    }
    l->is_paused = true;
    net_timer_stop(&l->pause);
    sim_ready_clear(&l->ready);
    LIST_EACH (node, &l->queue) {
        struct sim_conn *c = CONTAINER_OF(node, struct sim_conn, queued);
        list_remove(&c->queued);
        sim_stream_end(&c->end[1], true);
    }
    list_remove(&l->node);
    l->loop->open_count--;
    int err = net_loop_post(l->loop, listener_free, l);
    (void)err;
}
