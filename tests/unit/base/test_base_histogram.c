/*
 * Buckets without gaps, percentiles, sums.
 */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Every bucket begins where the one before ends, and is at most an eighth of
 * its values wide. */
static void buckets_have_no_gap(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t upper = histogram_upper(i);
        assert_int_equal(histogram_bucket(upper - 1), i);
        assert_int_equal(histogram_bucket(upper), i + 1);
        uint64_t width = histogram_upper(i + 1) - upper;
        assert_true(width == 1 || width * 8 <= upper);
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void percentiles(void **state)
{
    static struct histogram h;

    (void)state;
    memset(&h, 0, sizeof(h));
    assert_int_equal(histogram_percentile(&h, 990), 0);
    for (uint64_t v = 1; v <= 1000; v++) {
        histogram_add(&h, v);
    }
    assert_int_equal(h.count, 1000);
    assert_int_equal(h.sum, 500500);
    assert_in_range(histogram_percentile(&h, 500), 500, 563);
    assert_in_range(histogram_percentile(&h, 990), 990, 1114);
    assert_in_range(histogram_percentile(&h, 1000), 1000, 1125);
    assert_int_equal(histogram_percentile(&h, 1), 1);
}

static void merge_and_decay(void **state)
{
    static struct histogram a;
    static struct histogram b;

    (void)state;
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    for (unsigned i = 0; i < 10; i++) {
        histogram_add(&a, 5);
        histogram_add(&b, 700);
    }
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 20);
    assert_int_equal(histogram_percentile(&a, 500), 5);
    assert_in_range(histogram_percentile(&a, 510), 700, 767);
    histogram_decay(&a);
    assert_int_equal(a.buckets[5], 5);
    histogram_add(&a, 5);
    assert_int_equal(histogram_percentile(&a, 540), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_have_no_gap),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(merge_and_decay),
    };
    return cmocka_run_group_tests_name("base_histogram", tests, NULL, NULL);
}
