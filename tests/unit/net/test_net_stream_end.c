/*
 * TCP connections over loopback: the many ways in which one ends.
 */
#include "stream_ends.h"

/* ---- ends ---- */

static void half_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        assert_int_equal(write_pattern(e, 0, TOTAL), 0);
        net_stream_shutdown(e->stream); /* follows what is left */
    } else if (ev == EV_EOF) {
        net_loop_stop(e->loop);
    }
}

static void half_server(struct end *e, enum event ev)
{
    if (ev == EV_EOF) {
        assert_int_equal(e->got_len, TOTAL);
        net_stream_read_start(e->stream); /* the end is told once */
        assert_int_equal(write_pattern(e, 0, 5), 0);
        net_stream_shutdown(e->stream);
    }
}

static void half_closed_connection_still_answers(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", half_client, half_server);
    loop_run(f.loop);
    assert_int_equal(f.server.count[EV_EOF], 1);
    assert_int_equal(f.client.count[EV_EOF], 1);
    assert_int_equal(f.client.got_len, 5);
    teardown(&f);
}

static void reset_client(struct end *e, enum event ev)
{
    if (ev == EV_READ) {
        end_reset(e);
    } else if (ev == EV_CONNECT) {
        assert_int_equal(write_pattern(e, 0, 1), 0);
    }
}

static void reset_server(struct end *e, enum event ev)
{
    if (ev == EV_READ) {
        assert_int_equal(write_pattern(e, 0, 1), 0);
    } else if (ev == EV_FAIL) {
        assert_int_equal(e->err, ERR_NET_RESET);
        assert_int_equal(write_pattern(e, 1, 1), ERR_NET_RESET);
        net_stream_read_start(e->stream);
        net_stream_shutdown(e->stream);
        net_loop_stop(e->loop);
    }
}

static void reset_is_told_once(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", reset_client, reset_server);
    loop_run(f.loop);
    assert_int_equal(f.server.count[EV_FAIL], 1);
    assert_int_equal(f.server.count[EV_EOF], 0);
    teardown(&f);
}

/* The peer goes away while a backlog is on its way. */
static void stuck_server(struct end *e, enum event ev)
{
    if (ev == EV_READ) {
        end_reset(e);
    }
}

static void stuck_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        net_stream_read_stop(e->stream); /* so only writing can fail */
        backlog_client(e, ev);
    } else if (ev == EV_FAIL) {
        net_loop_stop(e->loop);
    }
}

static void broken_backlog_is_told_once(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", stuck_client, stuck_server);
    loop_run(f.loop);
    assert_int_equal(f.client.count[EV_FAIL], 1);
    assert_int_equal(f.client.count[EV_DRAIN], 0);
    assert_int_equal(f.client.err, ERR_NET_RESET);
    teardown(&f);
}

static void refused_client(struct end *e, enum event ev)
{
    assert_int_equal(ev, EV_CONNECT);
    net_loop_stop(e->loop);
}

static void connect_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", refused_client, NULL);
    net_listener_close(f.listener);
    f.listener = NULL;
    end_close(&f.client); /* this one had reached the listener */
    struct addr gone = addr_of("127.0.0.1");
    struct net_listener *l;
    assert_int_equal(net_listener_open(f.loop, &gone, false, on_accept, &f, &l),
                     0);
    net_listener_addr(l, &gone);
    net_listener_close(l);
    assert_int_equal(
        net_stream_connect(f.loop, &gone, &events, &f.client, &f.client.stream),
        0);
    assert_int_equal(write_pattern(&f.client, 0, 10), 0);
    loop_run(f.loop);
    assert_int_equal(f.client.err, ERR_NET_REFUSED);
    assert_int_equal(write_pattern(&f.client, 10, 10), ERR_NET_RESET);
    teardown(&f);
}

/* ---- closing inside of callbacks ---- */

static enum event close_at; /* EV_COUNT: closed by accept */

static void suicidal_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT && close_at == EV_DRAIN) {
        assert_int_equal(write_pattern(e, 0, TOTAL), 0);
    } else if (ev == EV_CONNECT) {
        assert_int_equal(write_pattern(e, 0, 10), 0);
    }
    if (ev == close_at) {
        end_close(e);
        net_loop_stop(e->loop);
    } else if (close_at == EV_COUNT && (ev == EV_EOF || ev == EV_FAIL)) {
        net_loop_stop(e->loop);
    }
}

static void answering_server(struct end *e, enum event ev)
{
    if (ev == EV_READ && close_at == EV_READ) {
        assert_int_equal(write_pattern(e, 0, 10), 0);
    } else if (ev == EV_READ && close_at == EV_EOF) {
        end_close(e);
    }
}

static void close_inside_of(enum event ev)
{
    struct fixture f;

    close_at = ev;
    setup(&f, "127.0.0.1", suicidal_client, answering_server);
    f.closes_in_accept = ev == EV_COUNT;
    loop_run(f.loop);
    if (ev != EV_COUNT) {
        assert_int_equal(f.client.count[ev], 1);
    }
    teardown(&f);
}

static void closes_inside_of_callbacks(void **state)
{
    (void)state;
    close_inside_of(EV_CONNECT);
    close_inside_of(EV_READ);
    close_inside_of(EV_EOF);
    close_inside_of(EV_DRAIN);
    close_inside_of(EV_COUNT);
}

static void closes_while_connecting(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1", NULL, NULL);
    assert_int_equal(write_pattern(&f.client, 0, 10), 0);
    end_close(&f.client);
    net_loop_stop(f.loop);
    loop_run(f.loop);
    assert_int_equal(f.client.count[EV_CONNECT], 0);
    net_stream_close(NULL);
    net_stream_reset(NULL);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_closed_connection_still_answers),
        cmocka_unit_test(reset_is_told_once),
        cmocka_unit_test(broken_backlog_is_told_once),
        cmocka_unit_test(connect_is_refused),
        cmocka_unit_test(closes_inside_of_callbacks),
        cmocka_unit_test(closes_while_connecting),
    };

    return cmocka_run_group_tests_name("net_stream_end", tests, NULL, NULL);
}
