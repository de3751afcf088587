/*
 * Opening: the addresses, and what is said when one cannot be had.
 */
#include "fixture.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int try_open(struct fixture *f, char *why, size_t why_len)
{
    struct listener *l = NULL;
    int err = listener_open(f->loop, &f->config, NULL, false, &l, why, why_len);

    assert_int_equal(err == 0, l != NULL);
    listener_destroy(l);
    return err;
}

static void test_one_port_for_both(void **state)
{
    struct fixture *f = *state;
    int udp, tcp;

    fixture_start(f);
    assert_true(f->addr.port != 0);
    udp = client_udp(f);
    client_ask_udp(udp, 1, ASK_NOW);
    assert_int_equal(client_answer_udp(udp, NULL), 1);
    tcp = client_tcp(f);
    client_ask_tcp(tcp, 2, ASK_NOW);
    assert_int_equal(client_answer_tcp(tcp, NULL), 2);
    close(udp);
    close(tcp);
}

static void test_in_use(void **state)
{
    struct fixture *f = *state;
    struct addr both[2];
    char want[200];
    char text[ADDR_TEXT_MAX];
    char why[200];

    fixture_start(f);
    both[0] = f->listen;
    both[1] = f->addr;
    f->config.listen = both;
    f->config.listen_count = 2;
    assert_int_equal(try_open(f, why, sizeof(why)), ERR_NET_IN_USE);
    (void)snprintf(want, sizeof(want), "%s (UDP): ", addr_text(&f->addr, text));
    assert_memory_equal(why, want, strlen(want));
    assert_non_null(strstr(why, "ss -lunpt"));
}

static void test_not_here(void **state)
{
    struct fixture *f = *state;
    char why[200];

    f->listen = (struct addr){.ip = {192, 0, 2, 1}, .port = 53, .family = 4};
    assert_int_equal(try_open(f, why, sizeof(why)), ERR_NET_NO_ADDR);
    assert_memory_equal(why, "192.0.2.1:53 (UDP): ", 20);
    f->listen = (struct addr){
        .ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 53, .family = 6};
    assert_true(try_open(f, why, sizeof(why)) != 0);
    assert_memory_equal(why, "[2001:db8::1]:53 (UDP): ", 24);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_port_for_both),
        TEST(test_in_use),
        TEST(test_not_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
