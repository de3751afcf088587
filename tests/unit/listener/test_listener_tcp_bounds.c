/*
 * Who is let in: bounds on clients in all and for one address.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void ask_now(int fd, uint16_t id)
{
    client_ask_tcp(fd, id, ASK_NOW);
    assert_int_equal(client_answer_tcp(fd, NULL), id);
}

static void test_longest_idle_goes(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int a, b, c;

    f->config.tcp_max_clients = 2;
    fixture_start(f);
    a = client_tcp(f);
    ask_now(a, 1);
    b = client_tcp(f);
    ask_now(b, 2);
    ask_now(a, 3); /* now b is idle for longer */
    c = client_tcp(f);
    ask_now(c, 4);
    client_expect_end(b);
    ask_now(a, 5);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_clients_evicted, 1);
    assert_int_equal(view.stats.tcp_clients_accepted, 3);
    assert_int_equal(view.clients, 2);
    close(a);
    close(c);
}

static void test_busy_stay(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int a, b, c;

    f->config.tcp_max_clients = 2;
    fixture_start(f);
    a = client_tcp(f);
    b = client_tcp(f);
    client_ask_tcp(a, 1, ASK_HOLD);
    client_ask_tcp(b, 2, ASK_HOLD);
    WAIT_FOR(f, held, 2);
    c = client_tcp(f); /* waits in the kernel's queue */
    client_ask_tcp(c, 3, ASK_NOW);
    client_expect_nothing(f, c);
    fixture_look(f, &view);
    assert_int_equal(view.clients, 2);
    assert_int_equal(view.stats.tcp_clients_refused, 0);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(a, NULL), 1);
    assert_int_equal(client_answer_tcp(c, NULL), 3); /* in the place of a */
    client_expect_end(a);
    fixture_release(f, 1, false);
    assert_int_equal(client_answer_tcp(b, NULL), 2);
    close(b);
    close(c);
}

static void test_per_address(void **state)
{
    struct fixture *f = *state;
    struct fixture_view view;
    int a, b, c, d;

    f->config.tcp_max_clients_per_address = 2;
    fixture_start(f);
    a = client_tcp(f);
    b = client_tcp(f);
    ask_now(a, 1);
    ask_now(b, 2);
    c = client_tcp(f);
    client_expect_end(c);
    d = client_tcp_from(f, "127.0.0.2", 0);
    ask_now(d, 3);
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_clients_refused, 1);
    assert_int_equal(view.clients, 3);
    close(a);
    ask_now(b, 4);
    while (view.clients > 2) { /* until a's end was seen */
        fixture_look(f, &view);
    }
    c = client_tcp(f);
    ask_now(c, 5);
    close(b);
    close(c);
    close(d);
}

static void test_many(void **state)
{
    enum { COUNT = 60, ROUNDS = 4 };
    struct fixture *f = *state;
    struct fixture_view view;
    int fds[COUNT];

    f->config.tcp_max_clients = 50;
    fixture_start(f);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) {
            fds[i] = client_tcp(f);
            ask_now(fds[i], (uint16_t)i);
        }
        fixture_look(f, &view);
        assert_int_equal(view.clients, 50);
        for (int i = 0; i < COUNT; i++) {
            close(fds[i]);
        }
    }
    fixture_look(f, &view);
    assert_int_equal(view.stats.tcp_clients_accepted, COUNT * ROUNDS);
    assert_true(view.stats.tcp_clients_evicted >= 10);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_longest_idle_goes),
        TEST(test_busy_stay),
        TEST(test_per_address),
        TEST(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
