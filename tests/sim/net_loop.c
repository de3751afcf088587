/*
 * net/loop.h on simulated time. A turn of a loop is one event of the world: it
 * fires the timers that are due, lets sockets that have something speak, runs
 * what was deferred and sends the gathered datagrams. A turn begins some
 * microseconds after its cause and no sooner than the last one took, so that
 * things which happen close together are seen in one turn, as by epoll.
 */
#include "net_sim.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAKE_MAX_US = 20, /* from a cause to the turn */
    TURN_MAX_US = 40  /* from a turn to the next */
};

struct post {
    struct list node;
    net_post_fn *fn;
    void *arg;
};

static uint64_t own_us(const struct net_loop *l)
{
    /* In a freeze with a stopped clock lag_us already counts all of it. */
    return l->world->now_us < l->lag_us ? 0 : l->world->now_us - l->lag_us;
}

/* ---- when the next turn is ---- */

static void wake_at(struct net_loop *l, uint64_t at_us)
{
    if (at_us < l->frozen_until_us) {
        at_us = l->frozen_until_us;
    }
    if (l->is_in_turn ||
        (sim_event_is_armed(&l->turn) && l->turn.at_us <= at_us)) {
        return;
    }
    sim_event_at(l->world, &l->turn, at_us);
}

static void wake_soon(struct net_loop *l)
{
    struct sim_world *w = l->world;

    if (l->is_in_turn || (sim_event_is_armed(&l->turn) &&
                          l->turn.at_us <= w->now_us + WAKE_MAX_US)) {
        return;
    }
    uint64_t at_us = w->now_us + sim_between(w, 1, WAKE_MAX_US);
    uint64_t not_before = l->last_turn_us + sim_between(w, 1, TURN_MAX_US);
    wake_at(l, at_us > not_before ? at_us : not_before);
}

static void wake_for_timers(struct net_loop *l)
{
    uint64_t in_ms = wheel_next_ms(&l->wheel);

    if (in_ms != UINT64_MAX) {
        uint64_t due_ms = l->wheel.now_ms + in_ms;
        wake_at(l, due_ms * 1000 + l->lag_us +
                       sim_between(l->world, 0, TURN_MAX_US));
    }
}

static bool has_work(const struct net_loop *l)
{
    return !list_is_empty(&l->ready) || !list_is_empty(&l->posts) ||
           !list_is_empty(&l->deferred) || !list_is_empty(&l->unsent);
}

/* ---- one turn ---- */

static void fire_timers(struct net_loop *l)
{
    struct list due;

    list_init(&due);
    wheel_advance(&l->wheel, l->now_ms, &due);
    while (!list_is_empty(&due)) {
        struct wheel_entry *entry = LIST_FIRST(&due, struct wheel_entry, node);
        struct net_timer *t = CONTAINER_OF(entry, struct net_timer, entry);
        list_remove(&entry->node);
        t->fn(t);
    }
}

static void run_posts(struct net_loop *l)
{
    struct list posts;

    list_init(&posts);
    list_splice(&posts, &l->posts);
    while (!list_is_empty(&posts)) {
        struct post p = *LIST_FIRST(&posts, struct post, node);
        struct list *node = posts.next;
        list_remove(node);
        free(CONTAINER_OF(node, struct post, node));
        p.fn(p.arg);
    }
}

/* The kernel promises no order between sockets: take either end at random. */
static void run_ready(struct net_loop *l)
{
    struct list ready;

    list_init(&ready);
    list_splice(&ready, &l->ready);
    while (!list_is_empty(&ready)) {
        struct list *node = sim_chance(l->world, 50) ? ready.next : ready.prev;
        list_remove(node);
        struct sim_ready *r = CONTAINER_OF(node, struct sim_ready, node);
        r->fn(r);
    }
}

static void run_deferred(struct net_loop *l)
{
    while (!list_is_empty(&l->deferred)) {
        struct net_turn *t = LIST_FIRST(&l->deferred, struct net_turn, node);
        list_remove(&t->node);
        t->fn(t);
    }
}

static void on_turn(struct sim_event *e)
{
    struct net_loop *l = CONTAINER_OF(e, struct net_loop, turn);

    l->is_in_turn = true;
    l->now_ms = own_us(l) / 1000;
    fire_timers(l);
    run_posts(l);
    run_ready(l);
    run_deferred(l);
    sim_udp_flush(&l->unsent);
    l->is_in_turn = false;
    l->last_turn_us = l->world->now_us;
    if (has_work(l)) {
        wake_soon(l);
    }
    wake_for_timers(l);
}

/* ---- net/loop.h ---- */

int net_loop_create(struct net_loop **out)
{
    struct net_loop *l = sim_alloc(sizeof(*l));

    l->world = sim_world();
    assert(l->world != NULL);
    l->now_ms = own_us(l) / 1000;
    wheel_init(&l->wheel, l->now_ms);
    sim_event_init(&l->turn, on_turn);
    list_init(&l->ready);
    list_init(&l->deferred);
    list_init(&l->posts);
    list_init(&l->unsent);
    list_init(&l->watches);
    list_init(&l->monitors);
    *out = l;
    return 0;
}

void net_loop_destroy(struct net_loop *l)
{
    assert(l->open_count == 0);
    assert(!l->is_in_turn);
    run_posts(l);
    run_deferred(l);
    sim_event_cancel(l->world, &l->turn);
    free(l);
}

void net_loop_run(struct net_loop *l)
{
    l->is_stopping = false;
    l->now_ms = own_us(l) / 1000;
    while (!l->is_stopping && sim_world_step(l->world)) {
    }
}

void net_loop_stop(struct net_loop *l)
{
    l->is_stopping = true;
}

int net_loop_post(struct net_loop *l, net_post_fn *fn, void *arg)
{
    struct post *p = sim_alloc(sizeof(*p));

    p->fn = fn;
    p->arg = arg;
    list_push_back(&l->posts, &p->node);
    wake_soon(l);
    return 0;
}

uint64_t net_now_ms(const struct net_loop *l)
{
    return l->now_ms;
}

uint64_t net_boot_ms(struct net_loop *l)
{
    return l->world->now_us / 1000;
}

uint64_t net_wall_s(const struct net_loop *l)
{
    return UINT64_C(1800000000) + l->world->now_us / 1000000;
}

uint64_t net_wall_ms(const struct net_loop *l)
{
    return UINT64_C(1800000000000) + l->world->now_us / 1000;
}

uint64_t net_wall_us(const struct net_loop *l)
{
    return UINT64_C(1800000000000000) + l->world->now_us;
}

uint64_t net_now_us(const struct net_loop *l)
{
    return own_us(l);
}

void net_random(struct net_loop *l, void *out, size_t len)
{
    uint8_t *octets = out;

    for (size_t i = 0; i < len; i++) {
        octets[i] = (uint8_t)rng_next(&l->world->rng);
    }
}

void net_timer_init(struct net_timer *t, struct net_loop *l, net_timer_fn *fn)
{
    wheel_entry_init(&t->entry);
    t->loop = l;
    t->fn = fn;
}

void net_timer_start(struct net_timer *t, uint64_t delay_ms)
{
    struct net_loop *l = t->loop;

    wheel_arm(&l->wheel, &t->entry, l->now_ms + delay_ms);
    if (!l->is_in_turn) {
        wake_for_timers(l);
    }
}

void net_timer_stop(struct net_timer *t)
{
    wheel_cancel(&t->loop->wheel, &t->entry);
}

void net_turn_init(struct net_turn *t, net_turn_fn *fn)
{
    list_init(&t->node);
    t->fn = fn;
}

void net_turn_defer(struct net_loop *l, struct net_turn *t)
{
    if (list_is_empty(&t->node)) {
        list_push_back(&l->deferred, &t->node);
        wake_soon(l);
    }
}

void net_turn_cancel(struct net_turn *t)
{
    list_remove(&t->node);
}

/* ---- net_sim.h ---- */

void sim_ready_init(struct sim_ready *r, sim_ready_fn *fn)
{
    list_init(&r->node);
    r->fn = fn;
}

void sim_ready_mark(struct net_loop *l, struct sim_ready *r)
{
    if (list_is_empty(&r->node)) {
        list_push_back(&l->ready, &r->node);
        wake_soon(l);
    }
}

void sim_ready_clear(struct sim_ready *r)
{
    list_remove(&r->node);
}

void sim_loop_freeze(struct net_loop *l, uint64_t duration_us,
                     bool is_clock_stopped)
{
    l->frozen_until_us = l->world->now_us + duration_us;
    if (is_clock_stopped) {
        l->lag_us += duration_us;
    }
    if (sim_event_is_armed(&l->turn)) {
        uint64_t at_us = l->turn.at_us;
        sim_event_cancel(l->world, &l->turn);
        wake_at(l, at_us);
    }
}

bool sim_loop_is_frozen(const struct net_loop *l)
{
    return l->world->now_us < l->frozen_until_us;
}

void sim_loop_limit_streams(struct net_loop *l, size_t max)
{
    l->stream_max = max;
}

bool sim_loop_is_full(const struct net_loop *l)
{
    return l->stream_max != 0 && l->stream_count >= l->stream_max;
}

size_t sim_loop_open_count(const struct net_loop *l)
{
    return l->open_count;
}
