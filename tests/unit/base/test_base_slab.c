/*
 * The pool: its bound, alignment, and that items out never overlap.
 */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void bound_holds(void **state)
{
    struct slab s;
    void *items[3];

    (void)state;
    slab_init(&s, 100, 3);
    for (int i = 0; i < 3; i++) {
        items[i] = slab_take(&s);
        assert_non_null(items[i]);
    }
    assert_null(slab_take(&s));
    assert_int_equal(s.used, 3);
    slab_give(&s, items[1]);
    assert_ptr_equal(slab_take(&s), items[1]); /* the warmest first */
    for (int i = 0; i < 3; i++) {
        slab_give(&s, items[i]);
    }
    slab_finish(&s);
    assert_null(s.chunks);
}

static void items_are_apart_and_aligned(void **state)
{
    static const size_t lens[] = {1, 8, 17, 4000, 50000};

    (void)state;
    for (size_t n = 0; n < COUNT_OF(lens); n++) {
        enum { COUNT = 300 };
        struct slab s;
        unsigned char *items[COUNT];

        slab_init(&s, lens[n], COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            items[i] = slab_take(&s);
            assert_non_null(items[i]);
            assert_int_equal((uintptr_t)items[i] % _Alignof(max_align_t), 0);
            memset(items[i], (int)i, lens[n]);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(items[i][0], i & 0xff);
            assert_int_equal(items[i][lens[n] - 1], i & 0xff);
            slab_give(&s, items[i]);
        }
        assert_true(s.made >= COUNT);
        slab_finish(&s);
    }
}

static void memory_is_kept_in_steady_state(void **state)
{
    struct slab s;
    size_t made;

    (void)state;
    slab_init(&s, 64, 10000);
    slab_give(&s, slab_take(&s));
    made = s.made;
    for (int i = 0; i < 1000; i++) {
        slab_give(&s, slab_take(&s));
    }
    assert_int_equal(s.made, made);
    assert_int_equal(s.used, 0);
    slab_finish(&s);
}

static void zero_bound_gives_nothing(void **state)
{
    struct slab s;

    (void)state;
    slab_init(&s, 64, 0);
    assert_null(slab_take(&s));
    slab_finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_holds),
        cmocka_unit_test(items_are_apart_and_aligned),
        cmocka_unit_test(memory_is_kept_in_steady_state),
        cmocka_unit_test(zero_bound_gives_nothing),
    };
    return cmocka_run_group_tests_name("base_slab", tests, NULL, NULL);
}
