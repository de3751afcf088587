/*
 * Signals heard in the loop.
 */
#include "run.h"

#include "net/signal.h"

#include <signal.h>

struct heard {
    struct net_loop *loop;
    struct net_signal *signal;
    int signum;
    int count;
};

static void on_signal(void *arg, int signum)
{
    struct heard *h = arg;

    h->signum = signum;
    h->count++;
    net_signal_close(h->signal);
    h->signal = NULL;
    net_loop_stop(h->loop);
}

static void test_signal_is_heard(void **state)
{
    struct heard h = {.loop = loop_create()};

    (void)state;
    assert_int_equal(
        net_signal_start(h.loop, SIGUSR1, on_signal, &h, &h.signal), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(h.loop);
    assert_int_equal(h.signum, SIGUSR1);
    assert_int_equal(h.count, 1);
    net_loop_destroy(h.loop);
}

static void test_signal_that_cannot_be_caught(void **state)
{
    struct net_loop *l = loop_create();
    struct net_signal *s = NULL;

    (void)state;
    assert_int_equal(net_signal_start(l, SIGKILL, on_signal, NULL, &s),
                     ERR_INVAL);
    assert_int_equal(net_signal_start(l, 0, on_signal, NULL, &s), ERR_INVAL);
    assert_null(s);
    net_signal_close(NULL);
    net_loop_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_is_heard),
        cmocka_unit_test(test_signal_that_cannot_be_caught),
    };

    return cmocka_run_group_tests_name("net_signal", tests, NULL, NULL);
}
