/*
 * Steps in order, with their times; a bound.
 */
#include "base/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void steps_are_kept_in_order(void **state)
{
    struct trace t;

    (void)state;
    trace_init(&t, 1000);
    TRACE(&t, 1007, "first %d", 1);
    TRACE(&t, 1500, "second");
    TRACE(&t, 900, "a clock that went back");
    assert_int_equal(t.count, 3);
    assert_string_equal(t.steps[0].text, "first 1");
    assert_int_equal(t.steps[0].at_us, 7);
    assert_string_equal(t.steps[1].text, "second");
    assert_int_equal(t.steps[1].at_us, 500);
    assert_int_equal(t.steps[2].at_us, 0);
}

static void what_does_not_fit_is_cut_and_counted(void **state)
{
    struct trace t;
    char text[2 * TRACE_TEXT_LEN];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    trace_init(&t, 0);
    for (unsigned i = 0; i < TRACE_STEPS_MAX + 5; i++) {
        TRACE(&t, i, "%s", text);
    }
    assert_int_equal(t.count, TRACE_STEPS_MAX);
    assert_int_equal(t.lost, 5);
    assert_int_equal(strlen(t.steps[0].text), TRACE_TEXT_LEN - 1);
}

static unsigned evaluated;

static uint64_t now(void)
{
    evaluated++;
    return 0;
}

static void without_a_trace_nothing_is_looked_at(void **state)
{
    struct trace *none = NULL;

    (void)state;
    TRACE(none, now(), "nothing");
    assert_int_equal(evaluated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_kept_in_order),
        cmocka_unit_test(what_does_not_fit_is_cut_and_counted),
        cmocka_unit_test(without_a_trace_nothing_is_looked_at),
    };
    return cmocka_run_group_tests_name("base_trace", tests, NULL, NULL);
}
