/*
 * TCP connections over loopback: what is written comes out, in order.
 */
#include "stream_ends.h"

/* ---- echo ---- */

static void echo_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        assert_int_equal(e->err, 0);
        assert_int_equal(write_pattern(e, 0, 100), 0);
        assert_int_equal(net_stream_backlog(e->stream), 0);
    } else if (ev == EV_READ && e->got_len == 100) {
        end_close(e);
    }
}

static void echo_server(struct end *e, enum event ev)
{
    if (ev == EV_READ && e->got_len == 100) {
        assert_int_equal(write_pattern(e, 0, 60), 0);
        assert_int_equal(net_stream_write(e->stream, span_of(NULL, 0)), 0);
        assert_int_equal(write_pattern(e, 60, 40), 0);
    } else if (ev == EV_EOF) {
        net_loop_stop(e->loop);
    }
}

static void echo_over(const char *ip)
{
    struct fixture f;
    struct addr want = addr_of(ip);

    setup(&f, ip, echo_client, echo_server);
    loop_run(f.loop);
    assert_int_equal(f.client.got_len, 100);
    assert_int_equal(f.server.count[EV_EOF], 1);
    assert_int_equal(f.server.count[EV_DRAIN], 0);
    want.port = f.peer.port;
    assert_true(addr_equal(&f.peer, &want));
    teardown(&f);
}

static void echo_over_ipv4(void **state)
{
    (void)state;
    echo_over("127.0.0.1");
}

static void echo_over_ipv6(void **state)
{
    (void)state;
    echo_over("::1");
}

/* ---- the backlog ---- */

static void backlog_server(struct end *e, enum event ev)
{
    if (ev == EV_READ && e->got_len == TOTAL) {
        net_loop_stop(e->loop);
    }
}

static void backlog_leaves_in_order(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", backlog_client, backlog_server);
    loop_run(f.loop);
    assert_int_equal(f.server.got_len, TOTAL);
    assert_int_equal(f.client.count[EV_DRAIN], 1);
    teardown(&f);
}

static void early_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        assert_int_equal(write_pattern(e, 100, 100), 0);
    }
}

static void early_server(struct end *e, enum event ev)
{
    if (ev == EV_EOF) {
        net_loop_stop(e->loop);
    }
}

static void writes_wait_for_the_connection(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", early_client, early_server);
    assert_int_equal(write_pattern(&f.client, 0, 100), 0);
    assert_int_equal(net_stream_backlog(f.client.stream), 100);
    net_stream_shutdown(f.client.stream);
    /* on_connect() writes behind what waits, ahead of the end. */
    loop_run(f.loop);
    assert_int_equal(f.server.got_len, 200);
    assert_int_equal(f.client.count[EV_CONNECT], 1);
    teardown(&f);
}

static void closing_client(struct end *e, enum event ev)
{
    backlog_client(e, ev);
    if (ev == EV_CONNECT) {
        end_close(e);
        net_loop_stop(e->loop);
    }
}

static void backlog_is_lost_by_close(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", closing_client, NULL);
    loop_run(f.loop);
    assert_int_equal(f.client.count[EV_DRAIN], 0);
    teardown(&f);
}

/* ---- flow control ---- */

static void paused_server(struct end *e, enum event ev)
{
    if (ev == EV_READ && e->count[EV_READ] == 1) {
        net_stream_read_stop(e->stream);
        net_stream_read_stop(e->stream);
        assert_int_equal(write_pattern(e, 0, 1), 0); /* client: go on */
    } else if (ev == EV_EOF) {
        net_loop_stop(e->loop);
    }
}

static void on_resume(struct net_timer *t);

static struct {
    struct net_timer timer;
    struct end *server;
    size_t got_len;
} resume;

static void paused_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        assert_int_equal(write_pattern(e, 0, 10), 0);
    } else if (ev == EV_READ) {
        assert_int_equal(write_pattern(e, 10, 10), 0);
        net_stream_shutdown(e->stream);
        resume.server = e->other;
        resume.got_len = e->other->got_len;
        net_timer_init(&resume.timer, e->loop, on_resume);
        net_timer_start(&resume.timer, 2);
    }
}

static void on_resume(struct net_timer *t)
{
    (void)t;
    assert_int_equal(resume.server->got_len, resume.got_len);
    net_stream_read_start(resume.server->stream);
    net_stream_read_start(resume.server->stream);
}

static void reading_stops_and_goes_on(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", paused_client, paused_server);
    loop_run(f.loop);
    assert_int_equal(f.server.got_len, 20);
    assert_int_equal(f.server.count[EV_EOF], 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_over_ipv4),
        cmocka_unit_test(echo_over_ipv6),
        cmocka_unit_test(backlog_leaves_in_order),
        cmocka_unit_test(writes_wait_for_the_connection),
        cmocka_unit_test(backlog_is_lost_by_close),
        cmocka_unit_test(reading_stops_and_goes_on),
    };

    return cmocka_run_group_tests_name("net_stream", tests, NULL, NULL);
}
