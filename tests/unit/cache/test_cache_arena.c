/*
 * The reservation: segments in a row, zero, and given back when cleared.
 */
#include "cache/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void segments_are_apart_and_zero(void **state)
{
    struct cache_arena a;

    (void)state;
    assert_int_equal(cache_arena_init(&a, CACHE_PAGE_LEN, 4), 0);
    assert_int_equal(cache_arena_take(&a, 1), 0);
    assert_int_equal(cache_arena_take(&a, 2), 1);
    assert_int_equal(cache_arena_take(&a, 1), 3);
    for (int32_t n = 0; n < 4; n++) {
        uint8_t *p = cache_arena_at(&a, n);
        assert_int_equal(p[0] | p[CACHE_PAGE_LEN - 1], 0);
        memset(p, n + 1, CACHE_PAGE_LEN);
    }
    a.segments[3].used = 7; /* lies behind the last one */
    for (int32_t n = 0; n < 4; n++) {
        assert_int_equal(cache_arena_at(&a, n)[CACHE_PAGE_LEN - 1], n + 1);
    }
    cache_arena_clear(&a, 1);
    assert_int_equal(cache_arena_at(&a, 0)[CACHE_PAGE_LEN - 1], 1);
    if (sysconf(_SC_PAGESIZE) == CACHE_PAGE_LEN) {
        assert_int_equal(cache_arena_at(&a, 1)[0], 0);
        assert_int_equal(cache_arena_at(&a, 1)[CACHE_PAGE_LEN - 1], 0);
    }
    assert_int_equal(cache_arena_at(&a, 2)[0], 3);
    cache_arena_finish(&a);
    cache_arena_finish(&a);
}

static void places_have_numbers(void **state)
{
    struct cache_arena a;

    (void)state;
    assert_int_equal(cache_arena_init(&a, 65536, 2), 0);
    for (uint32_t ref = 0; ref < 2 * 65536 / CACHE_UNIT; ref += 1001) {
        void *place = cache_arena_place(&a, ref);
        assert_int_equal(cache_arena_ref(&a, place), ref);
    }
    assert_ptr_equal(cache_arena_place(&a, 65536 / CACHE_UNIT),
                     cache_arena_at(&a, 1));
    cache_arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_apart_and_zero),
        cmocka_unit_test(places_have_numbers),
    };
    return cmocka_run_group_tests_name("cache_arena", tests, NULL, NULL);
}
