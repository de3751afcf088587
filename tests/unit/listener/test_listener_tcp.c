/*
 * Clients on streams: frames in any pieces, answers in any order, half-close,
 * idle and slow clients.
 */
#include "fixture.h"

#include "dns/wire.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Time enough for a client to ask, on a busy machine too. */
enum { IDLE_MS = 300 };

static void test_pieces(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    uint8_t frames[2][2 + QUERY_LEN] = {0};
    const uint8_t *at = frames[0];
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    for (uint16_t i = 0; i < 2; i++) {
        dns_put16(frames[i], QUERY_LEN);
        dns_put16(frames[i] + 2, i + 1u);
        frames[i][14] = ASK_NOW;
    }
    /* Every octet on its own, each seen by the loop before the next. */
    for (size_t i = 0; i < sizeof(frames); i++) {
        client_send(fd, at + i, 1);
        fixture_look(f, &view);
        fixture_look(f, &view);
    }
    assert_int_equal(client_answer_tcp(fd, NULL), 1);
    assert_int_equal(client_answer_tcp(fd, NULL), 2);
    /* One and a half, then the rest. */
    client_send(fd, at, 20);
    assert_int_equal(client_answer_tcp(fd, NULL), 1);
    client_send(fd, at + 20, sizeof(frames) - 20);
    assert_int_equal(client_answer_tcp(fd, NULL), 2);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_queries, 4);
    assert_int_equal(view.stats.tcp_answers, 4);
    close(fd);
}

static void test_any_order(void **state)
{
    struct fixture *f = *state;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    for (uint16_t id = 1; id <= 50; id++) {
        client_ask_tcp(fd, id, ASK_HOLD);
    }
    WAIT_FOR(f, held, 50);
    client_ask_tcp(fd, 99, ASK_NOW);
    assert_int_equal(client_answer_tcp(fd, NULL), 99);
    fixture_release(f, 50, true);
    for (uint16_t id = 50; id >= 1; id--) {
        assert_int_equal(client_answer_tcp(fd, NULL), id);
    }
    close(fd);
}

static void test_longest_frame(void **state)
{
    struct fixture *f = *state;
    uint8_t *frame = calloc(1, 2 + 65535);
    int fd;

    assert_non_null(frame);
    fixture_start(f);
    fd = client_tcp(f);
    dns_put16(frame, 65535);
    dns_put16(frame + 2, 7);
    frame[14] = ASK_NOW;
    for (int i = 0; i < 3; i++) {
        client_send(fd, frame, 2 + 65535);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_answer_tcp(fd, NULL), 7);
    }
    free(frame);
    close(fd);
}

static void test_short_frame(void **state)
{
    static const uint8_t frame[2 + 11] = {0, 11};
    static const uint8_t empty[2] = {0, 0};
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    client_send(fd, frame, sizeof(frame));
    client_expect_end(fd);
    fd = client_tcp(f);
    client_send(fd, empty, sizeof(empty));
    client_expect_end(fd);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_bad_frames, 2);
    assert_int_equal(view.stats.tcp_queries, 0);
    assert_int_equal(view.clients, 0);
}

static void test_dropped(void **state)
{
    struct fixture *f = *state;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    client_ask_tcp(fd, 1, ASK_NOTHING);
    client_ask_tcp(fd, 2, ASK_NOW);
    assert_int_equal(client_answer_tcp(fd, NULL), 2);
    close(fd);
}

static void test_half_close(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    client_ask_tcp(fd, 1, ASK_HOLD);
    client_ask_tcp(fd, 2, ASK_HOLD_BIG);
    client_ask_tcp(fd, 3, ASK_NOW);
    client_send(fd, "\0", 1); /* half a length: no query */
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(client_answer_tcp(fd, NULL), 3);
    fixture_look(f, &view);
    assert_int_equal(view.held, 2);
    assert_int_equal(view.clients, 1);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(fd, NULL), 1);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(fd, NULL), 2);
    client_expect_end(fd);
    fixture_look(f, &view);
    assert_int_equal(view.clients, 0);
}

static void test_half_close_idle(void **state)
{
    struct fixture *f = *state;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    client_expect_end(fd);
}

static void test_reset_cancels(void **state)
{
    struct linger at_once = {.l_onoff = 1};
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    fixture_start(f);
    fd = client_tcp(f);
    for (uint16_t id = 1; id <= 3; id++) {
        client_ask_tcp(fd, id, ASK_HOLD);
    }
    WAIT_FOR(f, held, 3);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
    WAIT_FOR(f, cancelled, 3);
    fixture_look(f, &view);
    assert_int_equal(view.held, 0);
    assert_int_equal(view.pending, 0);
    assert_int_equal(view.clients, 0);
}

static void test_idle_closed(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int silent, asking;

    f->config.tcp_idle_timeout_ms = IDLE_MS;
    fixture_start(f);
    silent = client_tcp(f);
    asking = client_tcp(f);
    client_ask_tcp(asking, 1, ASK_NOW);
    assert_int_equal(client_answer_tcp(asking, NULL), 1);
    client_expect_end(silent);
    client_expect_end(asking);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_clients_idle_closed, 2);
}

/* Octets of a frame that never ends do not keep a client. */
static void test_stalled_frame(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int sent = 0;
    struct pollfd end;

    f->config.tcp_idle_timeout_ms = IDLE_MS;
    fixture_start(f);
    end = (struct pollfd){.fd = client_tcp(f), .events = POLLIN};
    while (poll(&end, 1, 10) == 0) {
        assert_true(sent < 1000);
        (void)send(end.fd, "\xff", 1, MSG_NOSIGNAL);
        sent++;
    }
    client_expect_end(end.fd);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_clients_idle_closed, 1);
}

/* Who waits for an answer is not idle, however long it takes. */
static void test_waiting_is_not_idle(void **state)
{
    struct fixture *f = *state;
    int waiting, idle;

    f->config.tcp_idle_timeout_ms = IDLE_MS;
    fixture_start(f);
    waiting = client_tcp(f);
    client_ask_tcp(waiting, 1, ASK_HOLD);
    WAIT_FOR(f, held, 1);
    for (int i = 0; i < 3; i++) {
        idle = client_tcp(f);
        client_expect_end(idle); /* a timeout has passed */
    }
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(waiting, NULL), 1);
    client_expect_end(waiting);
}

static void test_max_queries_per_client(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    f->config.tcp_max_queries_per_client = 2;
    fixture_start(f);
    fd = client_tcp(f);
    for (uint16_t id = 1; id <= 7; id++) {
        client_ask_tcp(fd, id, ASK_HOLD);
    }
    WAIT_FOR(f, stats.tcp_paused, 1);
    for (uint16_t id = 1; id <= 7; id++) {
        fixture_look(f, &view);
        assert_true(view.held <= 2);
        WAIT_FOR(f, held, 1);
        fixture_release(f, 1, false);
        assert_int_equal(client_answer_tcp(fd, NULL), id);
    }
    close(fd);
}

/* Wait until turns go by without any answer being given. */
static void wait_until_stuck(struct fixture *f, struct fixture_view *view)
{
    enum { TURNS = 50 };
    uint64_t answers = 0;

    for (int still = 0; still < TURNS; still++) {
        fixture_look(f, view);
        if (view->stats.tcp_answers != answers) {
            answers = view->stats.tcp_answers;
            still = 0;
        }
    }
}

/* A client that does not read is not read either; then it reads. */
static void test_slow_reader(void **state)
{
    enum { COUNT = 400 }; /* 24 MB of answers: no kernel keeps so much */
    struct fixture *f = *state;
    struct fixture_view view;
    size_t len;
    int fd;

    f->config.tcp_max_queries_per_client = 1;
    fixture_start(f);
    fd = client_tcp(f);
    for (uint16_t id = 1; id <= COUNT; id++) {
        client_ask_tcp(fd, id, ASK_SOON_BIG);
    }
    WAIT_FOR(f, stats.tcp_answers, 1);
    wait_until_stuck(f, &view);
    assert_true(view.stats.tcp_answers < COUNT);
    assert_int_equal(view.pending, 0);
    for (uint16_t id = 1; id <= COUNT; id++) {
        assert_int_equal(client_answer_tcp(fd, &len), id);
        assert_int_equal(len, BIG_LEN);
    }
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_answers, COUNT);
    assert_int_equal(view.stats.tcp_clients_slow_closed, 0);
    close(fd);
}

/* Ask for more than the kernel holds, and never read. */
static int stuck_client(struct fixture *f, int count, enum ask ask)
{
    int fd = client_tcp_from(f, NULL, 4096);

    for (int i = 0; i < count; i++) {
        client_ask_tcp(fd, (uint16_t)i, ask);
    }
    return fd;
}

static void test_slow_reader_closed(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    f->config.tcp_max_queries_per_client = 1;
    f->config.tcp_idle_timeout_ms = IDLE_MS;
    fixture_start(f);
    fd = stuck_client(f, COUNT, ASK_SOON_BIG);
    WAIT_FOR(f, stats.tcp_clients_slow_closed, 1);
    fixture_look(f, &view);
    assert_true(view.stats.tcp_answers < COUNT);
    assert_int_equal(view.clients, 0);
    client_expect_end(fd);
}

/* The same while one of its queries is still in flight, whose answer would
 * start the time anew. */
static void test_slow_reader_waits(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    f->config.tcp_max_queries_per_client = COUNT + 1;
    f->config.tcp_max_unread = 10000000;
    f->config.tcp_idle_timeout_ms = IDLE_MS;
    fixture_start(f);
    fd = stuck_client(f, COUNT, ASK_HOLD_BIG);
    client_ask_tcp(fd, COUNT, ASK_HOLD);
    WAIT_FOR(f, held, COUNT + 1);
    client_expect_end(client_tcp(f)); /* a timeout has passed */
    fixture_look(f, &view);
    assert_int_equal(view.held, COUNT + 1);
    fixture_release(f, COUNT, false);
    WAIT_FOR(f, stats.tcp_clients_slow_closed, 1);
    fixture_look(f, &view);
    assert_int_equal(view.cancelled, 1);
    client_expect_end(fd);
}

/* What was asked before it stopped reading is bounded as well. */
static void test_hoarder_closed(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    f->config.tcp_max_queries_per_client = COUNT;
    fixture_start(f);
    fd = stuck_client(f, COUNT, ASK_HOLD_BIG);
    WAIT_FOR(f, held, COUNT);
    fixture_release(f, COUNT, false);
    WAIT_FOR(f, stats.tcp_clients_slow_closed, 1);
    fixture_look(f, &view);
    assert_true(view.stats.tcp_answers < COUNT);
    assert_int_equal(view.clients, 0);
    client_expect_end(fd);
}

static void test_drain(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int idle, busy;

    fixture_start(f);
    idle = client_tcp(f);
    busy = client_tcp(f);
    client_ask_tcp(idle, 1, ASK_NOW);
    assert_int_equal(client_answer_tcp(idle, NULL), 1);
    client_ask_tcp(busy, 2, ASK_HOLD);
    client_ask_tcp(busy, 3, ASK_HOLD_BIG);
    WAIT_FOR(f, held, 2);
    fixture_drain(f);
    client_expect_end(idle);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(busy, NULL), 2);
    fixture_look(f, &view);
    assert_false(view.is_drained);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(busy, NULL), 3);
    client_expect_end(busy);
    fixture_wait_drained(f);
}

static void test_idle_costs_little(void **state)
{
    enum { COUNT = 90, MOST = 1536 };
    struct fixture *f = *state;
    size_t before, after;
    int fds[COUNT];

    fixture_start(f);
    before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client_tcp(f);
        client_ask_tcp(fds[i], 1, ASK_SOON_BIG);
        assert_int_equal(client_answer_tcp(fds[i], NULL), 1);
    }
    after = mallinfo2().uordblks;
    /* Queries of the slab stay with the listener: one chunk of it. */
    assert_true(after - before < (size_t)COUNT * MOST + 65536);
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces),
        TEST(test_any_order),
        TEST(test_longest_frame),
        TEST(test_short_frame),
        TEST(test_dropped),
        TEST(test_half_close),
        TEST(test_half_close_idle),
        TEST(test_reset_cancels),
        TEST(test_idle_closed),
        TEST(test_stalled_frame),
        TEST(test_waiting_is_not_idle),
        TEST(test_max_queries_per_client),
        TEST(test_slow_reader),
        TEST(test_slow_reader_closed),
        TEST(test_slow_reader_waits),
        TEST(test_hoarder_closed),
        TEST(test_drain),
        TEST(test_idle_costs_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
