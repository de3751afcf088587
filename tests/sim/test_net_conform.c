/*
 * What net/stream.h promises, checked against whichever of the two
 * implementations this is linked with: the simulated one must pass what the
 * real one passes, or the simulation proves nothing. Every case has one loop
 * that is both peers.
 */
#include "conform.h"

#include "base/buf.h"
#include "base/err.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LARGE = 8 * 1024 * 1024 };

/* ---- one side of a connection, and what it heard ---- */

struct fixture;

struct side {
    struct fixture *f;
    struct net_stream *stream;
    struct buf got;
    int connects, connect_err;
    int ends;   /* ERR_NET_EOF */
    int errors; /* other errors */
    int error;
    int drains;
    int calls_after_close;
    bool closes_on_connect, closes_on_read, stops_on_read, shuts_on_end;
    bool is_closed;
};

struct fixture {
    struct conform base;
    struct net_listener *listener;
    struct addr addr; /* of the listener */
    struct side out, in;
    bool is_inside; /* of a call of ours: no callback may come */
    int accepts;
};

static void side_close(struct side *s)
{
    if (!s->is_closed && s->stream != NULL) {
        s->is_closed = true;
        net_stream_close(s->stream);
    }
}

static void heard(struct side *s)
{
    assert_false(s->f->is_inside);
    s->calls_after_close += s->is_closed;
}

static void on_connect(void *arg, int err)
{
    struct side *s = arg;

    heard(s);
    s->connects++;
    s->connect_err = err;
    if (s->closes_on_connect) {
        side_close(s);
    }
}

static void on_read(void *arg, int err, struct span in)
{
    struct side *s = arg;

    heard(s);
    if (s == &s->f->out) {
        assert_int_equal(s->connects, 1);
    }
    if (err == 0) {
        assert_true(in.len > 0);
        assert_int_equal(buf_append(&s->got, in), 0);
    } else if (err == ERR_NET_EOF) {
        s->ends++;
    } else {
        s->errors++;
        s->error = err;
    }
    if (s->shuts_on_end && err == ERR_NET_EOF) {
        assert_int_equal(net_stream_write(s->stream, span_of("late", 4)), 0);
        net_stream_shutdown(s->stream);
    }
    if (s->stops_on_read) {
        net_stream_read_stop(s->stream);
    }
    if (s->closes_on_read) {
        side_close(s);
    }
}

static void on_drain(void *arg)
{
    struct side *s = arg;

    heard(s);
    s->drains++;
}

static const struct net_stream_events events = {on_connect, on_read, on_drain};

static void on_accept(void *arg, struct net_stream *stream,
                      const struct addr *peer)
{
    struct fixture *f = arg;

    assert_false(f->is_inside);
    assert_int_equal(peer->family, 4);
    assert_true(peer->port != 0);
    f->accepts++;
    if (f->in.stream != NULL) {
        net_stream_close(stream);
        return;
    }
    f->in.stream = stream;
    net_stream_attach(stream, &events, &f->in);
}

/* ---- set-up, and running until something is so ---- */

static void run_a_while(struct fixture *f)
{
    conform_run_a_while(&f->base);
}

static void run_until(struct fixture *f, bool (*is_done)(void *arg))
{
    conform_run_until(&f->base, is_done, f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct addr any_port = conform_loopback(0);

    conform_begin(&f->base);
    assert_int_equal(net_listener_open(f->base.loop, &any_port, false,
                                       on_accept, f, &f->listener),
                     0);
    net_listener_addr(f->listener, &f->addr);
    f->out.f = f;
    f->in.f = f;
    buf_init(&f->out.got, 4 * LARGE);
    buf_init(&f->in.got, 4 * LARGE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->out.calls_after_close + f->in.calls_after_close, 0);
    side_close(&f->out);
    side_close(&f->in);
    net_listener_close(f->listener);
    conform_end(&f->base);
    buf_finish(&f->out.got);
    buf_finish(&f->in.got);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    f->is_inside = true;
    assert_int_equal(net_stream_connect(f->base.loop, &f->addr, &events,
                                        &f->out, &f->out.stream),
                     0);
    f->is_inside = false;
}

static void say(struct side *s, const char *text)
{
    s->f->is_inside = true;
    assert_int_equal(net_stream_write(s->stream, span_of(text, strlen(text))),
                     0);
    s->f->is_inside = false;
}

static bool is_linked(void *arg)
{
    struct fixture *f = arg;

    return f->out.connects == 1 && f->in.stream != NULL;
}

static void start_linked(struct fixture *f)
{
    start(f);
    run_until(f, is_linked);
    assert_int_equal(f->out.connect_err, 0);
    assert_int_equal(f->accepts, 1);
}

static void assert_got(const struct side *s, const char *text)
{
    assert_int_equal(buf_len(&s->got), strlen(text));
    assert_memory_equal(buf_span(&s->got).ptr, text, strlen(text));
}

/* ---- streams ---- */

static bool both_got(void *arg)
{
    struct fixture *f = arg;

    return buf_len(&f->in.got) >= 5 && buf_len(&f->out.got) >= 6;
}

static void octets_pass_both_ways(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    say(&f->out, "hel");
    say(&f->out, "lo");
    say(&f->in, "answer");
    run_until(f, both_got);
    assert_got(&f->in, "hello");
    assert_got(&f->out, "answer");
    assert_int_equal(net_stream_backlog(f->out.stream), 0);
}

static bool in_got_early(void *arg)
{
    struct fixture *f = arg;

    return buf_len(&f->in.got) >= 5;
}

static void written_before_connected(void **state)
{
    struct fixture *f = *state;

    start(f);
    say(&f->out, "early");
    run_until(f, in_got_early);
    assert_got(&f->in, "early");
}

static bool has_connect_result(void *arg)
{
    struct fixture *f = arg;

    return f->out.connects > 0;
}

static void refused(void **state)
{
    struct fixture *f = *state;

    net_listener_close(f->listener);
    f->listener = NULL;
    start(f);
    run_until(f, has_connect_result);
    assert_int_equal(f->out.connect_err, ERR_NET_REFUSED);
    run_a_while(f);
    assert_int_equal(f->out.connects, 1);
    assert_int_equal(f->out.ends + f->out.errors, 0);
}

static void closed_at_once(void **state)
{
    struct fixture *f = *state;

    start(f);
    side_close(&f->out);
    run_a_while(f);
    assert_int_equal(f->out.connects, 0);
}

static void closed_in_on_connect(void **state)
{
    struct fixture *f = *state;

    f->out.closes_on_connect = true;
    start(f);
    run_until(f, has_connect_result);
    run_a_while(f);
    assert_int_equal(f->out.ends + f->out.errors, 0);
    assert_true(f->in.ends + f->in.errors == 1);
}

static bool out_is_closed(void *arg)
{
    struct fixture *f = arg;

    return f->out.is_closed;
}

static void closed_in_on_read(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    f->out.closes_on_read = true;
    char *large = calloc(1, LARGE);
    assert_int_equal(net_stream_write(f->in.stream, span_of(large, LARGE)), 0);
    free(large);
    run_until(f, out_is_closed);
    run_a_while(f);
    assert_true(buf_len(&f->out.got) > 0);
}

static bool has_end(void *arg)
{
    const struct side *s = arg;
    return s->ends + s->errors > 0;
}

static void close_is_an_end(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    say(&f->out, "last words");
    side_close(&f->out);
    conform_run_until(&f->base, has_end, &f->in);
    assert_got(&f->in, "last words");
    assert_int_equal(f->in.ends, 1);
    run_a_while(f);
    assert_int_equal(f->in.ends, 1);
}

static void half_close(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    f->in.shuts_on_end = true;
    say(&f->out, "question");
    net_stream_shutdown(f->out.stream);
    conform_run_until(&f->base, has_end, &f->out);
    assert_got(&f->in, "question");
    assert_got(&f->out, "late");
    assert_int_equal(f->in.ends, 1);
    assert_int_equal(f->out.ends, 1);
    assert_int_equal(f->out.errors + f->in.errors, 0);
}

static void reset_is_an_error(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    net_stream_reset(f->out.stream);
    f->out.is_closed = true;
    conform_run_until(&f->base, has_end, &f->in);
    assert_int_equal(f->in.errors, 1);
    assert_int_equal(f->in.error, ERR_NET_RESET);
    run_a_while(f);
    assert_int_equal(f->in.errors, 1);
}

/* A kernel that throws unread octets away says so by a reset. */
static void close_with_unread_octets_resets(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    net_stream_read_stop(f->in.stream);
    say(&f->out, "nobody reads this");
    run_a_while(f);
    side_close(&f->in);
    conform_run_until(&f->base, has_end, &f->out);
    assert_int_equal(f->out.errors, 1);
}

static bool write_fails(void *arg)
{
    struct fixture *f = arg;

    return net_stream_write(f->out.stream, span_of("x", 1)) != 0;
}

static void writing_to_one_who_left_fails(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    net_stream_read_stop(f->out.stream);
    side_close(&f->in);
    run_until(f, write_fails);
    net_stream_read_start(f->out.stream);
    run_a_while(f);
    assert_int_equal(f->out.errors, 0);
}

static bool in_got_large(void *arg)
{
    struct fixture *f = arg;

    return buf_len(&f->in.got) >= LARGE && f->out.drains > 0;
}

static void backlog_drains(void **state)
{
    struct fixture *f = *state;
    uint8_t *large = malloc(LARGE);

    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (uint8_t)(i * 7 + i / 251);
    }
    start_linked(f);
    net_stream_read_stop(f->in.stream);
    f->is_inside = true;
    assert_int_equal(net_stream_write(f->out.stream, span_of(large, LARGE)), 0);
    f->is_inside = false;
    run_a_while(f);
    assert_true(net_stream_backlog(f->out.stream) > 0);
    assert_int_equal(buf_len(&f->in.got), 0);
    assert_int_equal(f->out.drains, 0);
    net_stream_read_start(f->in.stream);
    run_until(f, in_got_large);
    assert_int_equal(buf_len(&f->in.got), LARGE);
    assert_memory_equal(buf_span(&f->in.got).ptr, large, LARGE);
    assert_int_equal(f->out.drains, 1);
    assert_int_equal(net_stream_backlog(f->out.stream), 0);
    free(large);
}

static bool in_got_both(void *arg)
{
    struct fixture *f = arg;

    return buf_len(&f->in.got) >= 11;
}

static void reading_can_be_stopped(void **state)
{
    struct fixture *f = *state;

    start_linked(f);
    net_stream_read_stop(f->in.stream);
    say(&f->out, "first");
    run_a_while(f);
    assert_int_equal(buf_len(&f->in.got), 0);
    net_stream_read_start(f->in.stream);
    run_until(f, in_got_early);
    f->in.stops_on_read = true;
    say(&f->out, "second");
    run_a_while(f);
    f->in.stops_on_read = false;
    net_stream_read_start(f->in.stream);
    run_until(f, in_got_both);
    assert_got(&f->in, "firstsecond");
}

static void paused_listener_keeps_connections(void **state)
{
    struct fixture *f = *state;

    net_listener_pause(f->listener);
    start(f);
    say(&f->out, "early");
    run_a_while(f);
    assert_int_equal(f->accepts, 0);
    net_listener_resume(f->listener);
    run_until(f, in_got_early);
    assert_int_equal(f->accepts, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(octets_pass_both_ways),
        CASE(written_before_connected),
        CASE(refused),
        CASE(closed_at_once),
        CASE(closed_in_on_connect),
        CASE(closed_in_on_read),
        CASE(close_is_an_end),
        CASE(half_close),
        CASE(reset_is_an_error),
        CASE(close_with_unread_octets_resets),
        CASE(writing_to_one_who_left_fails),
        CASE(backlog_drains),
        CASE(reading_can_be_stopped),
        CASE(paused_listener_keeps_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
