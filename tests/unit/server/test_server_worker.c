/*
 * Memory runs out while a worker takes another setup: at the first allocation,
 * at the second, and so on. Each time it goes on with the one before.
 */
#include "config/config.h"
#include "resolver/resolver.h"
#include "server/worker.h"
#include "tls/trust.h"

#include "base/attr.h"
#include "base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    HANG_S = 60,
    ALLOCATIONS_LEAST = 8,
    ALLOCATIONS_MOST = 500,
    TRIES_MAX = 10
};

/* ---- memory ---- */

/* The how many-eth allocation of the worker's thread fails; 0: none. */
static atomic_uint failing;
static pthread_t main_thread;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool is_to_fail(void)
{
    return atomic_load(&failing) > 0 &&
           !pthread_equal(pthread_self(), main_thread) &&
           atomic_fetch_sub(&failing, 1) == 1;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

/* ---- a worker ---- */

struct bench {
    struct net_loop *loop;
    struct resolver_shared *shared;
    struct setup *setups[2];
    struct worker *worker;
};

static const char *const texts[2] = {
    "listen: 127.9.7.1:53\n"
    "cache_size: 0\n"
    "retry_min: 1m\n" /* no dials in between */
    "retry_max: 1m\n"
    "servers: {address: 127.0.0.1, port: 1, pins: "
    "[sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}\n"
    "zones:\n"
    "  goes.example: udp://127.0.0.1:1\n"
    "  stays.example: [udp://127.0.0.1:1, udp://127.0.0.1:2]\n",

    "listen: [127.9.7.1:53, 127.9.7.2:53]\n"
    "cache_size: 0\n"
    "retry_min: 1m\n" /* no dials in between */
    "retry_max: 1m\n"
    "servers:\n"
    "  - {address: 127.0.0.1, port: 1, pins: "
    "[sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}\n"
    "  - {address: 127.0.0.1, port: 2, pins: "
    "[sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}\n"
    "zones:\n"
    "  stays.example: [udp://127.0.0.1:2, udp://127.0.0.1:3]\n"
    "  comes.example: tcp://127.0.0.1:1\n",
};

static struct setup *make_setup(const char *text)
{
    static const uint8_t key[16];
    struct config_diagnostics diagnostics;
    struct config *config = NULL;
    struct setup *setup = NULL;

    int err =
        config_load_text(text, strlen(text), "test", &config, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++) {
        print_message("%s\n", diagnostics.lines[i]);
    }
    config_diagnostics_finish(&diagnostics);
    assert_int_equal(err, 0);
    for (size_t i = 0; i < config->listen_count; i++) {
        config->listen[i].port = 0; /* the kernel chooses */
    }
    assert_int_equal(setup_create(config, key, true, &setup), 0);
    return setup;
}

static void on_told(void *arg)
{
    const struct bench *b = arg;

    net_loop_stop(b->loop);
}

static int set_up(void **state)
{
    static const uint8_t seed[RESOLVER_SEED_LEN];
    static struct bench bench;
    struct bench *b = &bench;

    alarm(HANG_S);
    main_thread = pthread_self();
    log_setup(LOG_ERROR, LOG_TEXT);
    assert_int_equal(tls_global_init(), 0);
    assert_int_equal(net_loop_create(&b->loop), 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        b->setups[i] = make_setup(texts[i]);
    }
    assert_int_equal(
        resolver_shared_create(b->setups[0]->config, 1, seed, &b->shared), 0);
    const struct worker_options options = {
        .setup = b->setups[0],
        .shared = b->shared,
        .main_loop = b->loop,
        .on_gone = on_told,
        .on_applied = on_told,
        .arg = b,
    };
    assert_int_equal(worker_create(&options, &b->worker), 0);
    assert_int_equal(worker_start(b->worker), 0);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    assert_int_equal(worker_drain(b->worker), 0);
    net_loop_run(b->loop);
    worker_destroy(b->worker);
    resolver_shared_destroy(b->shared);
    net_loop_destroy(b->loop);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        setup_destroy(b->setups[i]);
    }
    tls_global_finish();
    return 0;
}

/* Have it take setup n while the memory runs out. Returns whether it did. */
static bool apply(struct bench *b, size_t n, unsigned fails)
{
    const struct setup *before = worker_setup(b->worker);

    atomic_store(&failing, fails);
    assert_int_equal(worker_apply(b->worker, b->setups[n]), 0);
    net_loop_run(b->loop);
    atomic_store(&failing, 0);
    const struct setup *after = worker_setup(b->worker);
    assert_true(after == before || after == b->setups[n]);
    return after == b->setups[n];
}

/* There is memory. A port that was free for UDP may be taken for TCP. */
static void apply_for_sure(struct bench *b, size_t n)
{
    unsigned tries = 1;

    while (!apply(b, n, 0)) {
        assert_in_range(tries++, 1, TRIES_MAX);
    }
}

static void test_memory_runs_out(void **state)
{
    struct bench *b = *state;

    for (size_t n = 1; n < 5; n++) {
        unsigned taken = 0;
        unsigned refused = 0;
        for (unsigned fails = 1; taken < 3 && fails < ALLOCATIONS_MOST;
             fails++) {
            if (apply(b, n % 2, fails)) {
                taken++;
                apply_for_sure(b, 1 - n % 2);
            } else {
                refused++;
                taken = 0;
            }
        }
        /* some are of no account, such as those of connections */
        assert_int_equal(taken, 3);
        assert_in_range(refused, ALLOCATIONS_LEAST, ALLOCATIONS_MOST);
        apply_for_sure(b, n % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_runs_out, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("server_worker", tests, NULL, NULL);
}
