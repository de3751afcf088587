/*
 * What only the simulated net has: faults of links, frozen processes, and
 * worlds that repeat themselves. That it keeps the promises of src/net is in
 * test_net_conform.c.
 */
#include "base/buf.h"
#include "base/err.h"
#include "net_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MS = 1000, SECOND = 1000 * MS, DELAY_US = 10 * MS, LARGE = 100000 };

/* ---- two processes, one of which connects to the other ---- */

struct end {
    struct net_stream *stream;
    struct buf got;
    int connects, connect_err, ends, err;
    uint64_t connected_us, first_us;
    bool is_closed;
};

struct pair {
    struct sim_world *w;
    struct net_loop *near, *far;
    struct net_listener *listener;
    struct addr addr;
    struct sim_link *link;
    struct end out, in;
};

static void on_connect(void *arg, int err)
{
    struct end *e = arg;

    e->connects++;
    e->connect_err = err;
    e->connected_us = sim_world()->now_us;
}

static void on_read(void *arg, int err, struct span in)
{
    struct end *e = arg;

    if (err == ERR_NET_EOF) {
        e->ends++;
    } else if (err != 0) {
        e->err = err;
    } else if (buf_append(&e->got, in) == 0 && e->first_us == 0) {
        e->first_us = sim_world()->now_us;
    }
}

static const struct net_stream_events events = {on_connect, on_read, NULL};

static void on_accept(void *arg, struct net_stream *s, const struct addr *peer)
{
    struct pair *p = arg;

    (void)peer;
    p->in.stream = s;
    net_stream_attach(s, &events, &p->in);
}

static void pair_open(struct pair *p, uint64_t seed)
{
    *p = (struct pair){.w = sim_world_create(seed)};
    p->addr = (struct addr){.ip = {192, 0, 2, 1}, .family = 4, .port = 853};
    p->link = sim_link(p->w, &p->addr);
    sim_link_delay(p->link, DELAY_US, 0);
    buf_init(&p->out.got, LARGE * 2);
    buf_init(&p->in.got, LARGE * 2);
    assert_int_equal(net_loop_create(&p->near), 0);
    assert_int_equal(net_loop_create(&p->far), 0);
    assert_int_equal(
        net_listener_open(p->far, &p->addr, false, on_accept, p, &p->listener),
        0);
}

static void pair_connect(struct pair *p)
{
    assert_int_equal(
        net_stream_connect(p->near, &p->addr, &events, &p->out, &p->out.stream),
        0);
}

static void pair_run(struct pair *p, uint64_t us)
{
    sim_world_run_until(p->w, p->w->now_us + us);
}

static void pair_open_linked(struct pair *p, uint64_t seed)
{
    pair_open(p, seed);
    pair_connect(p);
    pair_run(p, SECOND);
    assert_int_equal(p->out.connects, 1);
    assert_int_equal(p->out.connect_err, 0);
}

static void pair_say(struct pair *p, const char *text)
{
    assert_int_equal(
        net_stream_write(p->out.stream, span_of(text, strlen(text))), 0);
}

static void pair_close(struct pair *p)
{
    if (p->out.stream != NULL) {
        net_stream_close(p->out.stream);
    }
    if (p->in.stream != NULL) {
        net_stream_close(p->in.stream);
    }
    net_listener_close(p->listener);
    net_loop_destroy(p->near);
    net_loop_destroy(p->far);
    buf_finish(&p->out.got);
    buf_finish(&p->in.got);
    sim_world_destroy(p->w);
}

/* ---- links ---- */

static void a_trip_takes_the_links_delay(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 1);
    uint64_t start_us = p.w->now_us;
    pair_connect(&p);
    pair_run(&p, SECOND);
    assert_in_range(p.out.connected_us - start_us, 2 * DELAY_US,
                    2 * DELAY_US + MS);
    start_us = p.w->now_us;
    pair_say(&p, "x");
    pair_run(&p, SECOND);
    assert_in_range(p.in.first_us - start_us, DELAY_US, DELAY_US + MS);
    pair_close(&p);
}

static const struct state_case {
    const char *title;
    enum sim_link_state state;
    int at_once; /* what connecting returns */
    int result;  /* what on_connect says within 10 s; 1: nothing */
    size_t got;  /* octets of 5 that an old connection carries */
} state_cases[] = {
    {"up", SIM_LINK_UP, 0, 0, 5},
    {"stalled", SIM_LINK_STALLED, 0, 1, 0},
    {"no new ones", SIM_LINK_NO_NEW, 0, 1, 5},
    {"refusing", SIM_LINK_REFUSING, 0, ERR_NET_REFUSED, 5},
    {"unreachable", SIM_LINK_UNREACHABLE, ERR_NET_UNREACHABLE, 1, 0},
};

static void states_of_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(state_cases); i++) {
        const struct state_case *c = &state_cases[i];
        struct pair p;
        struct end second = {.connect_err = 1};
        pair_open_linked(&p, i);
        sim_link_set(p.w, p.link, c->state);
        pair_say(&p, "hello");
        int err = net_stream_connect(p.near, &p.addr, &events, &second,
                                     &second.stream);
        assert_int_equal(err, c->at_once);
        struct end first_in = p.in;
        pair_run(&p, 10 * SECOND);
        assert_int_equal(second.connect_err, c->result);
        assert_int_equal(buf_len(&p.in.got), c->got);
        if (err == 0) {
            net_stream_close(second.stream);
        }
        if (p.in.stream != first_in.stream) {
            net_stream_close(first_in.stream);
        }
        pair_close(&p);
    }
}

static void stalled_octets_come_later(void **state)
{
    struct pair p;

    (void)state;
    pair_open_linked(&p, 3);
    sim_link_set(p.w, p.link, SIM_LINK_STALLED);
    pair_say(&p, "hello");
    pair_run(&p, 5 * SECOND);
    assert_int_equal(buf_len(&p.in.got), 0);
    sim_link_set(p.w, p.link, SIM_LINK_UP);
    pair_say(&p, " again");
    pair_run(&p, 7 * SECOND);
    assert_int_equal(buf_len(&p.in.got), 11);
    assert_memory_equal(buf_span(&p.in.got).ptr, "hello again", 11);
    pair_close(&p);
}

static void connecting_gives_up_in_the_end(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 4);
    sim_link_set(p.w, p.link, SIM_LINK_STALLED);
    pair_connect(&p);
    pair_run(&p, 100 * SECOND);
    assert_int_equal(p.out.connects, 0);
    pair_run(&p, 100 * SECOND);
    assert_int_equal(p.out.connects, 1);
    assert_int_equal(p.out.connect_err, ERR_NET_TIMEOUT);
    pair_close(&p);
}

static void connecting_survives_a_short_stall(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 5);
    sim_link_set(p.w, p.link, SIM_LINK_STALLED);
    pair_connect(&p);
    pair_run(&p, SECOND / 2);
    sim_link_set(p.w, p.link, SIM_LINK_UP);
    pair_run(&p, SECOND);
    assert_int_equal(p.out.connects, 1);
    assert_int_equal(p.out.connect_err, 0);
    pair_close(&p);
}

static void a_vanished_peer_says_nothing(void **state)
{
    struct pair p;

    (void)state;
    pair_open_linked(&p, 6);
    sim_link_vanish(p.w, p.link);
    pair_say(&p, "hello");
    pair_run(&p, 100 * SECOND);
    assert_int_equal(buf_len(&p.in.got), 0);
    assert_int_equal(p.out.err + p.out.ends, 0);
    pair_close(&p);
}

static void a_rebooted_peer_resets(void **state)
{
    struct pair p;

    (void)state;
    pair_open_linked(&p, 7);
    sim_link_forget(p.w, p.link);
    pair_run(&p, 10 * SECOND);
    assert_int_equal(p.out.err, 0);
    pair_say(&p, "hello");
    pair_run(&p, SECOND);
    assert_int_equal(p.out.err, ERR_NET_RESET);
    pair_close(&p);
}

static void both_ends_see_a_reset(void **state)
{
    struct pair p;

    (void)state;
    pair_open_linked(&p, 8);
    sim_link_reset(p.w, p.link);
    pair_run(&p, SECOND);
    assert_int_equal(p.out.err, ERR_NET_RESET);
    assert_int_equal(p.in.err, ERR_NET_RESET);
    pair_close(&p);
}

static void lossy_streams_keep_order(void **state)
{
    struct pair p;
    uint8_t sent[LARGE];

    (void)state;
    pair_open_linked(&p, 9);
    p.w->is_chunking = true;
    p.link->loss_percent = 20;
    p.link->segment_max = 100;
    p.link->jitter_us = 50 * MS;
    p.link->send_buffer = 4096;
    for (size_t i = 0; i < LARGE; i++) {
        sent[i] = (uint8_t)(i * 31 + i / 256);
    }
    assert_int_equal(net_stream_write(p.out.stream, span_of(sent, LARGE)), 0);
    assert_int_equal(net_stream_backlog(p.out.stream), LARGE - 4096);
    pair_run(&p, 1000 * SECOND);
    assert_int_equal(buf_len(&p.in.got), LARGE);
    assert_memory_equal(buf_span(&p.in.got).ptr, sent, LARGE);
    pair_close(&p);
}

/* ---- processes ---- */

struct alarm {
    struct net_timer timer;
    uint64_t set_us, set_ms, fired_us, fired_ms; /* the world's, its own */
};

static void on_alarm(struct net_timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

    a->fired_us = sim_world()->now_us;
    a->fired_ms = net_now_ms(t->loop);
}

static void on_set(void *arg)
{
    struct alarm *a = arg;

    a->set_us = sim_world()->now_us;
    a->set_ms = net_now_ms(a->timer.loop);
    net_timer_start(&a->timer, 100);
}

static struct alarm freeze(bool is_clock_stopped)
{
    struct pair p;
    struct alarm a;

    pair_open_linked(&p, 10);
    net_timer_init(&a.timer, p.near, on_alarm);
    assert_int_equal(net_loop_post(p.near, on_set, &a), 0);
    pair_run(&p, MS);
    sim_loop_freeze(p.near, 10 * SECOND, is_clock_stopped);
    assert_true(sim_loop_is_frozen(p.near));
    pair_run(&p, 20 * SECOND);
    assert_false(sim_loop_is_frozen(p.near));
    pair_close(&p);
    return a;
}

static void a_clock_may_leap_or_stop(void **state)
{
    (void)state;
    struct alarm leaps = freeze(false);
    assert_in_range(leaps.fired_us - leaps.set_us, 10 * SECOND,
                    10 * SECOND + 2 * MS);
    assert_true(leaps.fired_ms - leaps.set_ms >= 10000);
    struct alarm stops = freeze(true);
    assert_true(stops.fired_us - stops.set_us >= 10 * SECOND);
    assert_in_range(stops.fired_ms - stops.set_ms, 100, 102);
}

static void descriptors_run_out(void **state)
{
    struct pair p;
    struct net_stream *s = NULL;

    (void)state;
    pair_open_linked(&p, 11);
    assert_int_equal(sim_loop_open_count(p.near), 1);
    sim_loop_limit_streams(p.near, 1);
    assert_int_equal(net_stream_connect(p.near, &p.addr, &events, &p.out, &s),
                     ERR_NET_FILES);
    sim_loop_limit_streams(p.far, 1);
    sim_loop_limit_streams(p.near, 0);
    struct end second = {0};
    assert_int_equal(
        net_stream_connect(p.near, &p.addr, &events, &second, &second.stream),
        0);
    struct net_stream *first_in = p.in.stream;
    pair_run(&p, SECOND);
    assert_int_equal(second.connects, 1); /* by the kernel */
    assert_ptr_equal(p.in.stream, first_in);
    net_stream_close(first_in);
    pair_run(&p, SECOND);
    assert_ptr_not_equal(p.in.stream, first_in);
    net_stream_close(second.stream);
    pair_close(&p);
}

/* ---- worlds ---- */

static uint64_t trace_of(uint64_t seed)
{
    struct pair p;

    pair_open_linked(&p, seed);
    p.w->is_chunking = true;
    p.link->loss_percent = 10;
    p.link->jitter_us = MS;
    for (int i = 0; i < 100; i++) {
        pair_say(&p, "some octets");
        pair_run(&p, MS);
    }
    pair_run(&p, SECOND);
    uint64_t trace = p.w->trace;
    pair_close(&p);
    return trace;
}

static void a_seed_gives_a_world(void **state)
{
    (void)state;
    assert_true(trace_of(1) == trace_of(1));
    assert_true(trace_of(1) != trace_of(2));
}

static struct sim_event order_events[64];
static size_t order_next;

static void on_order(struct sim_event *e)
{
    assert_ptr_equal(e, &order_events[order_next]);
    order_next++;
}

static void events_happen_in_order(void **state)
{
    struct sim_world *w = sim_world_create(1);

    (void)state;
    order_next = 0;
    for (size_t i = 0; i < COUNT_OF(order_events); i++) {
        size_t at = i * 37 % COUNT_OF(order_events);
        sim_event_init(&order_events[at], on_order);
        sim_event_at(w, &order_events[at], w->now_us + 500 - at);
    }
    for (size_t i = 0; i < COUNT_OF(order_events); i++) {
        size_t at = i * 23 % COUNT_OF(order_events);
        sim_event_at(w, &order_events[at], w->now_us + 10 + at / 2 * 2);
    }
    for (size_t i = 1; i < COUNT_OF(order_events); i += 2) {
        sim_event_at(w, &order_events[i], w->now_us + 10 + i / 2 * 2);
    }
    while (sim_world_step(w)) {
    }
    assert_int_equal(order_next, COUNT_OF(order_events));
    sim_world_destroy(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trip_takes_the_links_delay),
        cmocka_unit_test(states_of_links),
        cmocka_unit_test(stalled_octets_come_later),
        cmocka_unit_test(connecting_gives_up_in_the_end),
        cmocka_unit_test(connecting_survives_a_short_stall),
        cmocka_unit_test(a_vanished_peer_says_nothing),
        cmocka_unit_test(a_rebooted_peer_resets),
        cmocka_unit_test(both_ends_see_a_reset),
        cmocka_unit_test(lossy_streams_keep_order),
        cmocka_unit_test(a_clock_may_leap_or_stop),
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(a_seed_gives_a_world),
        cmocka_unit_test(events_happen_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
