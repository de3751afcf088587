/*
 * What net/loop.h and net/udp.h promise, and addresses, checked against
 * whichever of the two implementations this is linked with.
 */
#include "conform.h"

#include "base/addr.h"
#include "base/err.h"
#include "net/stream.h"
#include "net/udp.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct conform c;

    conform_begin(&c);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    conform_end(*state);
    return 0;
}

/* ---- addresses ---- */

static void on_accept(void *arg, struct net_stream *s, const struct addr *peer)
{
    (void)arg;
    (void)peer;
    net_stream_close(s);
}

static void on_batch(void *arg, const struct net_udp_datagram *batch,
                     size_t count)
{
    (void)arg;
    (void)batch;
    (void)count;
}

static void addresses_are_taken_once(void **state)
{
    struct conform *f = *state;
    struct addr addr;
    struct net_listener *l = NULL;
    struct net_listener *second = NULL;
    struct net_udp *u = NULL;
    struct net_udp *other = NULL;
    int err = ERR_NET_IN_USE;

    /* The same port for UDP may be somebody else's. */
    for (int i = 0; err == ERR_NET_IN_USE && i < 100; i++) {
        net_listener_close(l);
        addr = conform_loopback(0);
        assert_int_equal(
            net_listener_open(f->loop, &addr, false, on_accept, f, &l), 0);
        net_listener_addr(l, &addr);
        assert_true(addr.port != 0);
        err = net_udp_open(f->loop, &addr, false, 0, on_batch, f, NULL, &u);
    }
    assert_int_equal(err, 0);
    assert_int_equal(
        net_listener_open(f->loop, &addr, false, on_accept, f, &second),
        ERR_NET_IN_USE);
    assert_int_equal(
        net_udp_open(f->loop, &addr, false, 0, on_batch, f, NULL, &other),
        ERR_NET_IN_USE);
    net_udp_close(u);
    net_listener_close(l);
}

struct caller {
    struct net_stream *stream;
    struct addr peer; /* as the listener saw it */
    int err, accepts;
};

static void on_call(void *arg, int err)
{
    struct caller *c = arg;
    c->err = err;
}

static void on_nothing(void *arg, int err, struct span in)
{
    (void)arg;
    (void)err;
    (void)in;
}

static void on_caller(void *arg, struct net_stream *s, const struct addr *peer)
{
    struct caller *c = arg;

    c->peer = *peer;
    c->accepts++;
    net_stream_close(s);
}

static bool is_connected(void *arg)
{
    const struct caller *c = arg;
    return c->accepts == 1 && c->err == 0;
}

static void a_stream_knows_its_own_address(void **state)
{
    static const struct net_stream_events events = {on_call, on_nothing, NULL};
    struct conform *f = *state;
    struct caller c = {.err = 1};
    struct addr addr = conform_loopback(0);
    struct addr local;
    struct net_listener *l = NULL;

    assert_int_equal(
        net_listener_open(f->loop, &addr, false, on_caller, &c, &l), 0);
    net_listener_addr(l, &addr);
    assert_int_equal(net_stream_connect(f->loop, &addr, &events, &c, &c.stream),
                     0);
    assert_int_equal(net_stream_local(c.stream, &local), ERR_NET_OTHER);
    conform_run_until(f, is_connected, &c);
    assert_int_equal(net_stream_local(c.stream, &local), 0);
    assert_true(addr_equal(&local, &c.peer));
    net_stream_close(c.stream);
    net_listener_close(l);
}

/* ---- timers, turns, posts ---- */

struct clockwork {
    struct conform *f;
    struct net_timer a, b, c;
    struct net_turn t1, t2;
    char order[32];
    size_t count;
    uint64_t started_ms, a_ms;
};

static void note(struct clockwork *w, char what)
{
    if (w->count < sizeof(w->order) - 1) {
        w->order[w->count++] = what;
    }
}

static void on_a(struct net_timer *t)
{
    struct clockwork *w = CONTAINER_OF(t, struct clockwork, a);

    note(w, 'a');
    w->a_ms = net_now_ms(w->f->loop);
    net_timer_stop(&w->c);
    assert_false(net_timer_is_active(t));
    net_turn_defer(w->f->loop, &w->t1);
    net_turn_defer(w->f->loop, &w->t1);
}

static void on_b(struct net_timer *t)
{
    note(CONTAINER_OF(t, struct clockwork, b), 'b');
}

static void on_c(struct net_timer *t)
{
    note(CONTAINER_OF(t, struct clockwork, c), 'c');
}

static void on_t1(struct net_turn *t)
{
    struct clockwork *w = CONTAINER_OF(t, struct clockwork, t1);

    note(w, '1');
    net_turn_defer(w->f->loop, &w->t2);
}

static void on_t2(struct net_turn *t)
{
    note(CONTAINER_OF(t, struct clockwork, t2), '2');
}

static void clockwork_init(struct clockwork *w, struct conform *f)
{
    *w = (struct clockwork){.f = f};
    net_timer_init(&w->a, f->loop, on_a);
    net_timer_init(&w->b, f->loop, on_b);
    net_timer_init(&w->c, f->loop, on_c);
    net_turn_init(&w->t1, on_t1);
    net_turn_init(&w->t2, on_t2);
    w->started_ms = net_now_ms(f->loop);
}

static void timers_in_order(void **state)
{
    struct conform *f = *state;
    struct clockwork w;

    clockwork_init(&w, f);
    net_timer_start(&w.b, 40);
    net_timer_start(&w.c, 6);
    net_timer_start(&w.a, 5);
    net_timer_start(&w.b, 12); /* moved */
    conform_run_a_while(f);
    /* a stopped c, also when both were due in one turn; b may have been too,
     * on a machine that stood still. */
    if (strcmp(w.order, "ab12") != 0) {
        assert_string_equal(w.order, "a12b");
    }
    assert_true(w.a_ms >= w.started_ms + 5);
}

static void deferred_work_can_be_taken_back(void **state)
{
    struct conform *f = *state;
    struct clockwork w;

    clockwork_init(&w, f);
    net_turn_defer(f->loop, &w.t1);
    net_turn_cancel(&w.t1);
    net_turn_cancel(&w.t1);
    net_turn_defer(f->loop, &w.t2);
    conform_run_a_while(f);
    assert_string_equal(w.order, "2");
}

static void on_post_x(void *arg)
{
    note(arg, 'x');
}

static void on_post_y(void *arg)
{
    struct clockwork *w = arg;

    note(w, 'y');
    assert_int_equal(net_loop_post(w->f->loop, on_post_x, w), 0);
}

static void posts_in_order(void **state)
{
    struct conform *f = *state;
    struct clockwork w;

    clockwork_init(&w, f);
    assert_int_equal(net_loop_post(f->loop, on_post_x, &w), 0);
    assert_int_equal(net_loop_post(f->loop, on_post_y, &w), 0);
    assert_int_equal(w.count, 0);
    conform_run_a_while(f);
    assert_string_equal(w.order, "xyx");
}

static void clocks_agree(void **state)
{
    struct conform *f = *state;
    uint64_t ms = net_now_ms(f->loop);

    conform_run_a_while(f);
    assert_true(net_now_ms(f->loop) >= ms + 20);
    assert_true(net_now_us(f->loop) / 1000 >= net_now_ms(f->loop));
    uint64_t wall_s = net_wall_s(f->loop);
    assert_true(net_wall_ms(f->loop) / 1000 >= wall_s);
    assert_true(net_wall_us(f->loop) / 1000000 >= wall_s);
}

/* ---- datagrams ---- */

struct echo {
    struct conform *f;
    struct net_udp *server, *client;
    int served, answered;
    unsigned long sum;
    struct addr server_addr, client_addr;
};

static void on_queries(void *arg, const struct net_udp_datagram *batch,
                       size_t count)
{
    struct echo *e = arg;
    struct addr peer;

    assert_in_range(count, 1, NET_UDP_BATCH);
    for (size_t i = 0; i < count; i++) {
        struct span data = batch[i].data;

        net_udp_path_peer(batch[i].path, &peer);
        assert_true(addr_equal(&peer, &e->client_addr));
        e->served++;
        uint8_t *out = net_udp_reserve(e->server);
        memcpy(out, data.ptr, data.len);
        out[0]++;
        net_udp_commit(e->server, batch[i].path, data.len);
    }
}

static void on_answers(void *arg, const struct net_udp_datagram *batch,
                       size_t count)
{
    struct echo *e = arg;
    struct addr peer;

    for (size_t i = 0; i < count; i++) {
        struct span data = batch[i].data;

        net_udp_path_peer(batch[i].path, &peer);
        assert_true(addr_equal(&peer, &e->server_addr));
        assert_int_equal(data.len, 2);
        e->answered++;
        e->sum += (unsigned long)data.ptr[0] + data.ptr[1];
    }
}

static struct net_udp_path path_to(const struct addr *peer)
{
    struct net_udp_path p = {.peer_len = sizeof(struct sockaddr_in)};
    struct sockaddr_in sa = {.sin_family = AF_INET};

    sa.sin_port = htons(peer->port);
    memcpy(&sa.sin_addr, peer->ip, 4);
    memcpy(p.peer, &sa, sizeof(sa));
    return p;
}

static bool is_echoed(void *arg)
{
    const struct echo *e = arg;
    return e->answered >= 100;
}

static void echo_open(struct echo *e, struct conform *f, struct addr bind)
{
    struct addr any_port = conform_loopback(0);

    *e = (struct echo){.f = f};
    assert_int_equal(net_udp_open(f->loop, &bind, false, 1 << 20, on_queries, e,
                                  NULL, &e->server),
                     0);
    assert_int_equal(net_udp_open(f->loop, &any_port, false, 1 << 20,
                                  on_answers, e, NULL, &e->client),
                     0);
    net_udp_addr(e->server, &e->server_addr);
    net_udp_addr(e->client, &e->client_addr);
    e->server_addr = conform_loopback(e->server_addr.port);
}

static void echo_ask(struct echo *e)
{
    struct net_udp_path to = path_to(&e->server_addr);

    for (unsigned i = 0; i < 100; i++) {
        uint8_t *out = net_udp_reserve(e->client);
        out[0] = (uint8_t)i;
        out[1] = 1;
        net_udp_commit(e->client, &to, 2);
    }
    conform_run_until(e->f, is_echoed, e);
    assert_int_equal(e->answered, 100);
    assert_int_equal(e->served, 100);
    assert_int_equal(e->sum, 99 * 100 / 2 + 200);
    assert_int_equal(net_udp_stats(e->server)->received, 100);
    assert_int_equal(net_udp_stats(e->server)->sent, 100);
    net_udp_close(e->client);
    net_udp_close(e->server);
}

static void datagrams_come_back(void **state)
{
    struct echo e;

    echo_open(&e, *state, conform_loopback(0));
    echo_ask(&e);
}

static void wildcard_answers_from_where_it_was_asked(void **state)
{
    struct echo e;

    echo_open(&e, *state, (struct addr){.family = 4});
    echo_ask(&e);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(addresses_are_taken_once),
        CASE(a_stream_knows_its_own_address),
        CASE(timers_in_order),
        CASE(deferred_work_can_be_taken_back),
        CASE(posts_in_order),
        CASE(clocks_agree),
        CASE(datagrams_come_back),
        CASE(wildcard_answers_from_where_it_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
