/*
 * Datagrams: answered at once, later, not at all; bounds and drain.
 */
#include "fixture.h"

#include "dns/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_answers(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    uint8_t flags[2];
    int fd;

    fixture_start(f);
    fd = client_udp(f);
    client_ask_udp(fd, 1, ASK_NOW);
    assert_int_equal(client_answer_udp(fd, NULL), 1);
    client_ask_udp(fd, 2, ASK_CUT);
    assert_int_equal(client_answer_udp(fd, flags), 2);
    assert_true((dns_get16(flags) & DNS_FLAG_TC) != 0);
    client_ask_udp(fd, 3, ASK_NOTHING);
    client_ask_udp(fd, 4, ASK_NOW);
    assert_int_equal(client_answer_udp(fd, NULL), 4);
    fixture_look(f, &view);
    assert_int_equal(view.stats.udp_queries, 4);
    assert_int_equal(view.stats.udp_answers, 3);
    assert_int_equal(view.stats.udp_truncated, 1);
    assert_int_equal(view.pending, 0);
    close(fd);
}

/* Two clients wait; answers come in another order and find the right one. */
static void test_answers_later(void **state)
{
    struct fixture *f = *state;
    int a, b;

    fixture_start(f);
    a = client_udp(f);
    b = client_udp(f);
    client_ask_udp(a, 1, ASK_HOLD);
    WAIT_FOR(f, held, 1);
    client_ask_udp(b, 2, ASK_HOLD);
    WAIT_FOR(f, held, 2);
    client_ask_udp(a, 3, ASK_HOLD);
    WAIT_FOR(f, held, 3);
    fixture_release(f, 3, true);
    assert_int_equal(client_answer_udp(a, NULL), 3);
    assert_int_equal(client_answer_udp(a, NULL), 1);
    assert_int_equal(client_answer_udp(b, NULL), 2);
    close(a);
    close(b);
}

static void test_burst(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    bool is_seen[COUNT] = {false};
    int fd;

    fixture_start(f);
    fd = client_udp(f);
    for (uint16_t i = 0; i < COUNT; i++) {
        client_ask_udp(fd, i, i % 2 == 0 ? ASK_NOW : ASK_HOLD);
    }
    WAIT_FOR(f, held, COUNT / 2);
    fixture_release(f, COUNT / 2, false);
    for (int i = 0; i < COUNT; i++) {
        uint16_t id = client_answer_udp(fd, NULL);

        assert_true(id < COUNT);
        assert_false(is_seen[id]);
        is_seen[id] = true;
    }
    close(fd);
}

static void test_max_queries(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    uint8_t flags[2];
    int udp, tcp;

    f->config.max_queries = 2;
    fixture_start(f);
    udp = client_udp(f);
    tcp = client_tcp(f);
    client_ask_udp(udp, 1, ASK_HOLD);
    client_ask_tcp(tcp, 2, ASK_HOLD);
    WAIT_FOR(f, held, 2);
    client_ask_udp(udp, 3, ASK_HOLD);
    assert_int_equal(client_answer_udp(udp, flags), 3);
    assert_int_equal(dns_get16(flags) & DNS_RCODE_MASK, DNS_RCODE_SERVFAIL);
    client_ask_tcp(tcp, 4, ASK_HOLD);
    assert_int_equal(client_answer_tcp(tcp, NULL), 4);
    fixture_look(f, &view);
    assert_int_equal(view.stats.over_max_queries, 2);
    assert_int_equal(view.pending, 2);
    fixture_release(f, 2, false);
    assert_int_equal(client_answer_udp(udp, NULL), 1);
    assert_int_equal(client_answer_tcp(tcp, NULL), 2);
    client_ask_udp(udp, 5, ASK_NOW);
    assert_int_equal(client_answer_udp(udp, NULL), 5);
    close(udp);
    close(tcp);
}

static void test_drain(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    fixture_start(f);
    fd = client_udp(f);
    client_ask_udp(fd, 1, ASK_HOLD);
    WAIT_FOR(f, held, 1);
    fixture_drain(f);
    client_ask_udp(fd, 2, ASK_NOW);
    client_expect_nothing(f, fd);
    fixture_look(f, &view);
    assert_false(view.is_drained);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_udp(fd, NULL), 1);
    fixture_wait_drained(f);
    close(fd);
}

/* A query that is never answered does not keep the drain. */
static void test_drain_ends(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int udp, tcp;

    f->config.query_timeout_ms = 30;
    fixture_start(f);
    udp = client_udp(f);
    tcp = client_tcp(f);
    client_ask_udp(udp, 1, ASK_HOLD);
    client_ask_tcp(tcp, 2, ASK_HOLD);
    WAIT_FOR(f, held, 2);
    fixture_drain(f);
    fixture_wait_drained(f);
    fixture_look(f, &view);
    assert_int_equal(view.cancelled, 2);
    client_expect_end(tcp);
    close(udp);
}

static void test_destroy_cancels(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int fd;

    fixture_start(f);
    fd = client_udp(f);
    client_ask_udp(fd, 1, ASK_HOLD);
    client_ask_udp(fd, 2, ASK_HOLD);
    WAIT_FOR(f, held, 2);
    fixture_close_listener(f);
    fixture_look(f, &view);
    assert_int_equal(view.cancelled, 2);
    assert_int_equal(view.held, 0);
    close(fd);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),         TEST(test_answers_later),
        TEST(test_burst),           TEST(test_max_queries),
        TEST(test_drain),           TEST(test_drain_ends),
        TEST(test_destroy_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
