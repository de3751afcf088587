/*
 * The loop of the conformance tests.
 */
#include "conform.h"

#ifdef CONFORM_SIMULATED
#    include "world.h"
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { GUARD_MS = 5000, WHILE_MS = 20 };

static void on_poll(struct net_timer *t)
{
    struct conform *c = CONTAINER_OF(t, struct conform, poll);

    if (++c->polls > GUARD_MS || c->is_done(c->arg)) {
        net_loop_stop(c->loop);
    } else {
        net_timer_start(&c->poll, 1);
    }
}

void conform_begin(struct conform *c)
{
#ifdef CONFORM_SIMULATED
    (void)sim_world_create(1);
#endif
    assert_int_equal(net_loop_create(&c->loop), 0);
    net_timer_init(&c->poll, c->loop, on_poll);
}

void conform_end(struct conform *c)
{
    net_loop_destroy(c->loop);
#ifdef CONFORM_SIMULATED
    sim_world_destroy(sim_world());
#endif
}

void conform_run_until(struct conform *c, bool (*is_done)(void *arg), void *arg)
{
    c->is_done = is_done;
    c->arg = arg;
    c->polls = 0;
    net_timer_start(&c->poll, 1);
    net_loop_run(c->loop);
    assert_true(c->polls <= GUARD_MS);
}

static bool is_a_while(void *arg)
{
    const struct conform *c = arg;
    return c->polls > WHILE_MS;
}

void conform_run_a_while(struct conform *c)
{
    conform_run_until(c, is_a_while, c);
}

struct addr conform_loopback(uint16_t port)
{
    return (struct addr){.ip = {127, 0, 0, 1}, .family = 4, .port = port};
}
