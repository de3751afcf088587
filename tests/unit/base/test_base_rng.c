/*
 * The pseudo-random generator: the published sequence, and even spreads.
 */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* From state {1, 2, 3, 4}, as in the algorithm's description by its authors. */
static void follows_xoshiro256starstar(void **state)
{
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
    struct rng r = {{1, 2, 3, 4}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rng_next(&r), want[i]);
    }
}

static void same_seed_same_sequence(void **state)
{
    struct rng a, b, c;

    (void)state;
    rng_seed(&a, 0);
    rng_seed(&b, 0);
    rng_seed(&c, 1);
    assert_int_equal(a.s[0], 0xe220a8397b1dcdaf); /* splitmix64 from 0 */
    assert_int_equal(rng_next(&a), rng_next(&b));
    assert_true(rng_next(&a) != rng_next(&c));
}

static void below_is_even(void **state)
{
    unsigned counts[7] = {0};
    struct rng r;

    (void)state;
    rng_seed(&r, 42);
    assert_int_equal(rng_below(&r, 0), 0);
    assert_int_equal(rng_below(&r, 1), 0);
    for (int i = 0; i < 70000; i++) {
        uint32_t value = rng_below(&r, 7);
        assert_true(value < 7);
        counts[value]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    for (int i = 0; i < 1000; i++) {
        assert_true(rng_below(&r, 0xfffffffb) < 0xfffffffb);
    }
}

static void jitter_stays_within_percent(void **state)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    struct rng r;

    (void)state;
    rng_seed(&r, 3);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = rng_jitter(&r, 1000, 10);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_int_equal(least, 900);
    assert_int_equal(most, 1100);
    assert_int_equal(rng_jitter(&r, 0, 10), 0);
    assert_int_equal(rng_jitter(&r, 5, 0), 5);
    assert_int_equal(rng_jitter(&r, UINT64_MAX, 50), UINT64_MAX);
    assert_true(rng_jitter(&r, 50, 1000) <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_xoshiro256starstar),
        cmocka_unit_test(same_seed_same_sequence),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(jitter_stays_within_percent),
    };
    return cmocka_run_group_tests_name("base_rng", tests, NULL, NULL);
}
