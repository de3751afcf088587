/*
 * Averages and percentiles of latencies.
 */
#include "base/attr.h"
#include "tests.h"
#include "upstream/latency.h"

static void add_many(struct latency *l, unsigned count, uint64_t us)
{
    for (unsigned i = 0; i < count; i++) {
        latency_add(l, us);
    }
}

static void assert_near(uint64_t value, uint64_t want)
{
    assert_in_range(value, want, want + want / 16 + 1);
}

static void test_few_answers_give_no_percentiles(void **state)
{
    struct latency l = {0};

    (void)state;
    add_many(&l, LATENCY_ENOUGH - 1, 20000);
    assert_false(latency_is_known(&l));
    assert_near(l.average_us, 20000);
    latency_add(&l, 20000);
    assert_true(latency_is_known(&l));
}

/* A bucket is a sixteenth of its octave wide, wherever it lies. */
static void test_percentiles_are_close_from_above(void **state)
{
    static const uint64_t times[] = {128,     129,      255,     256,    1000,
                                     4095,    4096,     21800,   150000, 999999,
                                     5000000, 33554431, 67000000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct latency l = {0};
        add_many(&l, 100, times[i]);
        assert_near(l.p50_us, times[i]);
        assert_near(l.p95_us, times[i]);
        assert_near(l.p99_us, times[i]);
    }
}

static void test_the_ends_are_open(void **state)
{
    struct latency l = {0};

    (void)state;
    add_many(&l, 100, 0);
    assert_int_equal(l.p99_us, 127);
    add_many(&l, 4000, UINT64_MAX / 2);
    assert_true(l.p50_us >= 1u << LATENCY_HIGH_BITS);
}

static const struct share_case {
    unsigned slow; /* of 100 */
    uint32_t p50_us, p95_us, p99_us;
} share_cases[] = {
    {0, 20000, 20000, 20000},
    {2, 20000, 20000, 60000},
    {7, 20000, 60000, 60000},
    {60, 60000, 60000, 60000},
};

static void test_percentiles_follow_the_shares(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(share_cases); i++) {
        const struct share_case *c = &share_cases[i];
        struct latency l = {0};
        for (unsigned j = 0; j < 3000; j++) {
            latency_add(&l, j % 100 < c->slow ? 60000 : 20000);
        }
        assert_near(l.p50_us, c->p50_us);
        assert_near(l.p95_us, c->p95_us);
        assert_near(l.p99_us, c->p99_us);
        assert_true(l.total < LATENCY_FULL);
    }
}

/* What was long ago does not count any more. */
static void test_old_answers_fade(void **state)
{
    struct latency l = {0};

    (void)state;
    add_many(&l, 1000, 200000);
    add_many(&l, 8000, 20000);
    assert_near(l.p95_us, 20000);
    assert_near(l.p99_us, 20000);
    assert_in_range(l.average_us, 19000, 21000);
}

/* Single answers far out, each in a bucket of its own, do not all vanish when
 * the histogram is halved. */
static void test_the_tail_survives(void **state)
{
    struct latency l = {0};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        latency_add(&l, i % 64 == 0 ? 50000 + i / 64 % 16 * 4100 : 20000);
        if (i > 200) {
            assert_true(l.p99_us >= 50000);
        }
    }
}

static void test_doubt_forgets_the_percentiles(void **state)
{
    struct latency l = {0};

    (void)state;
    add_many(&l, 1000, 20000);
    latency_doubt(&l);
    assert_false(latency_is_known(&l));
    add_many(&l, LATENCY_ENOUGH * 3, 90000);
    assert_near(l.p50_us, 90000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_answers_give_no_percentiles),
        cmocka_unit_test(test_percentiles_are_close_from_above),
        cmocka_unit_test(test_the_ends_are_open),
        cmocka_unit_test(test_percentiles_follow_the_shares),
        cmocka_unit_test(test_old_answers_fade),
        cmocka_unit_test(test_the_tail_survives),
        cmocka_unit_test(test_doubt_forgets_the_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
