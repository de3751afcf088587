/*
 * The byte queue: bounds, growth, and what it holds after any mix of calls.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void starts_empty(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_span(&b).len, 0);
    assert_int_equal(buf_append(&b, span_of(NULL, 0)), 0);
    assert_null(b.data);
    buf_consume(&b, 0);
    buf_finish(&b);
    buf_finish(&b);
}

static void keeps_to_its_bound(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_append(&b, span_of("abcde", 5)), 0);
    assert_int_equal(buf_append(&b, span_of("f", 1)), ERR_LIMIT);
    assert_null(buf_reserve(&b, 1));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_len(&b), 5);
    buf_consume(&b, 2);
    assert_int_equal(buf_append(&b, span_of("fg", 2)), 0);
    assert_memory_equal(buf_span(&b).ptr, "cdefg", 5);
    assert_true(b.cap <= 5);
    buf_finish(&b);
    assert_int_equal(buf_append(&b, span_of("abcdef", 6)), ERR_LIMIT);
    assert_int_equal(buf_append(&b, span_of("abcde", 5)), 0);
    buf_finish(&b);
}

static void reserve_adds_nothing_before_commit(void **state)
{
    struct buf b;
    uint8_t *room;

    (void)state;
    buf_init(&b, 1000);
    room = buf_reserve(&b, 600);
    assert_non_null(room);
    assert_int_equal(buf_len(&b), 0);
    memcpy(room, "xyz", 3);
    buf_commit(&b, 3);
    assert_int_equal(buf_len(&b), 3);
    assert_memory_equal(buf_span(&b).ptr, "xyz", 3);
    buf_finish(&b);
}

static void shrinks_only_when_empty(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100000);
    assert_non_null(buf_reserve(&b, 50000));
    buf_commit(&b, 50000);
    buf_shrink(&b, 1000);
    assert_true(b.cap >= 50000);
    buf_consume(&b, 50000);
    buf_shrink(&b, 1 << 20);
    assert_non_null(b.data);
    buf_shrink(&b, 1000);
    assert_null(b.data);
    assert_int_equal(b.max, 100000);
    buf_finish(&b);
}

/* Octets go in and come out as counted, in step with two running numbers. */
static void random_calls_keep_order(void **state)
{
    struct rng rng;
    struct buf b;
    uint8_t in = 0;
    uint8_t out = 0;

    (void)state;
    rng_seed(&rng, 7);
    buf_init(&b, 3000);
    for (int i = 0; i < 20000; i++) {
        uint8_t piece[700];
        size_t len = rng_below(&rng, sizeof(piece));
        struct span held;

        if (rng_below(&rng, 2) == 0) {
            size_t room = b.max - buf_len(&b);
            for (size_t j = 0; j < len; j++) {
                piece[j] = (uint8_t)(in + j);
            }
            int err = buf_append(&b, span_of(piece, len));
            assert_int_equal(err, len <= room ? 0 : ERR_LIMIT);
            in = (uint8_t)(err == 0 ? in + len : in);
            continue;
        }
        held = buf_span(&b);
        len = len < held.len ? len : held.len;
        for (size_t j = 0; j < len; j++) {
            assert_int_equal(held.ptr[j], out++);
        }
        buf_consume(&b, len);
        assert_true(b.cap <= b.max);
    }
    assert_int_equal((uint8_t)(out + buf_len(&b)), in);
    buf_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(keeps_to_its_bound),
        cmocka_unit_test(reserve_adds_nothing_before_commit),
        cmocka_unit_test(shrinks_only_when_empty),
        cmocka_unit_test(random_calls_keep_order),
    };
    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
