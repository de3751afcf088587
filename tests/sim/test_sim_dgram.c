/*
 * What only the simulated net has, of datagrams and of the machine's own
 * changes: faults of links, and changes on demand. That datagrams keep the
 * promises of src/net is in test_net_conform_dgram.c.
 */
#include "base/err.h"
#include "net/dgram.h"
#include "net_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MS = 1000, SECOND = 1000 * MS, DELAY_US = 10 * MS, MANY = 200 };

struct bed {
    struct sim_world *w;
    struct net_loop *near, *far;
    struct net_udp *server;
    struct net_dgram *dgram;
    struct addr addr;
    struct sim_link *link;
    unsigned served, answers, out_of_order, refusals;
    uint8_t last;
    uint64_t answered_us;
};

static void on_queries(void *arg, const struct net_udp_datagram *batch,
                       size_t count)
{
    struct bed *b = arg;

    for (size_t i = 0; i < count; i++) {
        uint8_t *out = net_udp_reserve(b->server);
        b->served++;
        memcpy(out, batch[i].data.ptr, batch[i].data.len);
        net_udp_commit(b->server, batch[i].path, batch[i].data.len);
    }
}

static void on_dgram(void *arg, int err, struct span data)
{
    struct bed *b = arg;

    if (err != 0) {
        assert_int_equal(err, ERR_NET_REFUSED);
        b->refusals++;
        return;
    }
    b->answers++;
    b->out_of_order += data.ptr[0] < b->last;
    b->last = data.ptr[0];
    b->answered_us = b->w->now_us;
}

static void bed_open(struct bed *b, uint64_t seed)
{
    *b = (struct bed){.w = sim_world_create(seed)};
    b->addr = (struct addr){.ip = {192, 0, 2, 1}, .family = 4, .port = 53};
    b->link = sim_link(b->w, &b->addr);
    sim_link_delay(b->link, DELAY_US, 0);
    assert_int_equal(net_loop_create(&b->near), 0);
    assert_int_equal(net_loop_create(&b->far), 0);
    assert_int_equal(net_udp_open(b->far, &b->addr, false, 1 << 20, on_queries,
                                  b, NULL, &b->server),
                     0);
    assert_int_equal(net_dgram_open(b->near, &b->addr, on_dgram, b, &b->dgram),
                     0);
}

static void bed_close(struct bed *b)
{
    net_dgram_close(b->dgram);
    net_udp_close(b->server);
    net_loop_destroy(b->near);
    net_loop_destroy(b->far);
    sim_world_destroy(b->w);
}

static void bed_run(struct bed *b, uint64_t us)
{
    sim_world_run_until(b->w, b->w->now_us + us);
}

static int ask(struct bed *b, uint8_t what)
{
    return net_dgram_send(b->dgram, span_of(&what, 1));
}

static void ask_many(struct bed *b)
{
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(ask(b, (uint8_t)i), 0);
        bed_run(b, 100);
    }
    bed_run(b, SECOND);
}

static void a_trip_takes_the_links_delay(void **state)
{
    struct bed b;

    (void)state;
    bed_open(&b, 1);
    uint64_t start_us = b.w->now_us;
    assert_int_equal(ask(&b, 1), 0);
    bed_run(&b, SECOND);
    assert_int_equal(b.answers, 1);
    assert_in_range(b.answered_us - start_us, 2 * DELAY_US, 2 * DELAY_US + MS);
    bed_close(&b);
}

static void they_are_lost(void **state)
{
    struct bed b;

    (void)state;
    bed_open(&b, 2);
    b.link->loss_percent = 50;
    ask_many(&b);
    assert_in_range(b.served, MANY / 4, MANY * 3 / 4);
    assert_in_range(b.answers, MANY / 10, b.served - 1);
    bed_close(&b);
}

static void they_come_twice(void **state)
{
    struct bed b;

    (void)state;
    bed_open(&b, 3);
    b.link->twice_percent = 100;
    ask_many(&b);
    assert_int_equal(b.served, 2 * MANY);
    assert_int_equal(b.answers, 4 * MANY);
    bed_close(&b);
}

static void they_overtake(void **state)
{
    struct bed b;

    (void)state;
    bed_open(&b, 4);
    ask_many(&b);
    assert_int_equal(b.answers, MANY);
    assert_int_equal(b.out_of_order, 0);
    b.last = 0;
    b.link->jitter_us = 50 * MS;
    ask_many(&b);
    assert_int_equal(b.answers, 2 * MANY);
    assert_true(b.out_of_order > 10);
    bed_close(&b);
}

static const struct state_case {
    const char *title;
    enum sim_link_state state;
    int sent, opened; /* what sending and opening return */
    unsigned answers, refusals;
} state_cases[] = {
    {"up", SIM_LINK_UP, 0, 0, 1, 0},
    {"stalled", SIM_LINK_STALLED, 0, 0, 0, 0},
    {"refusing", SIM_LINK_REFUSING, 0, 0, 0, 1},
    {"unreachable", SIM_LINK_UNREACHABLE, ERR_NET_UNREACHABLE,
     ERR_NET_UNREACHABLE, 0, 0},
};

static void states_of_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(state_cases); i++) {
        const struct state_case *c = &state_cases[i];
        struct net_dgram *second = NULL;
        struct bed b;
        bed_open(&b, i);
        sim_link_set(b.w, b.link, c->state);
        assert_int_equal(ask(&b, 1), c->sent);
        assert_int_equal(net_dgram_open(b.near, &b.addr, on_dgram, &b, &second),
                         c->opened);
        bed_run(&b, SECOND);
        assert_int_equal(b.answers, c->answers);
        assert_int_equal(b.refusals, c->refusals);
        sim_link_set(b.w, b.link, SIM_LINK_UP);
        assert_int_equal(ask(&b, 2), 0);
        bed_run(&b, SECOND);
        assert_int_equal(b.answers, c->answers + 1);
        net_dgram_close(second);
        bed_close(&b);
    }
}

/* ---- the machine's own network ---- */

struct heard {
    struct addr gone[4];
    unsigned gone_count, changes;
    struct net_monitor *monitor;
    bool closes;
};

static void on_change(void *arg, enum net_change change,
                      const struct addr *addr)
{
    struct heard *h = arg;

    if (change == NET_ADDRESS_GONE) {
        assert_int_equal(h->changes, 0);
        h->gone[h->gone_count++] = *addr;
    } else {
        h->changes++;
    }
    if (h->closes) {
        net_monitor_close(h->monitor);
        h->monitor = NULL;
    }
}

static void changes_are_told_together(void **state)
{
    struct heard h = {.closes = false};
    struct bed b;

    (void)state;
    bed_open(&b, 5);
    assert_int_equal(net_monitor_start(b.near, on_change, &h, &h.monitor), 0);
    sim_monitor_tell(b.far, NET_CHANGED, NULL); /* another machine */
    sim_monitor_tell(b.near, NET_CHANGED, NULL);
    sim_monitor_tell(b.near, NET_ADDRESS_GONE, &b.addr);
    assert_int_equal(h.changes + h.gone_count, 0);
    bed_run(&b, SECOND);
    assert_int_equal(h.gone_count, 1);
    assert_true(addr_equal(&h.gone[0], &b.addr));
    assert_int_equal(h.changes, 1);
    h = (struct heard){.monitor = h.monitor, .closes = true};
    sim_monitor_tell(b.near, NET_ADDRESS_GONE, &b.addr);
    sim_monitor_tell(b.near, NET_ADDRESS_GONE, &b.addr);
    bed_run(&b, SECOND);
    assert_int_equal(h.gone_count, 1);
    assert_int_equal(h.changes, 0);
    bed_close(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trip_takes_the_links_delay),
        cmocka_unit_test(they_are_lost),
        cmocka_unit_test(they_come_twice),
        cmocka_unit_test(they_overtake),
        cmocka_unit_test(states_of_links),
        cmocka_unit_test(changes_are_told_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
