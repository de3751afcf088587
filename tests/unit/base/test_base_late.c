/*
 * Libraries that are loaded late: which file is taken, and what is missing.
 */
#include "base/late.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct functions {
    int unused;
    pid_t (*getpid)(void);
};

static const struct late_function wanted[] = {
    {.name = "getpid", .at = offsetof(struct functions, getpid)},
    {.name = "no_such_function", .at = offsetof(struct functions, getpid)},
};

static const char *const files[] = {"libno-such-library.so.1", "libc.so.6",
                                    "libc.so", NULL};

static void test_first_that_is_there(void **state)
{
    struct functions table = {.unused = 7};

    (void)state;
    assert_int_equal(late_load(files, wanted, 1, &table), 0);
    assert_int_equal(table.getpid(), getpid());
    assert_int_equal(table.unused, 7);
}

static void test_a_function_is_missing(void **state)
{
    struct functions table = {0};

    (void)state;
    assert_int_equal(late_load(files, wanted, 2, &table), ERR_NOTFOUND);
}

static void test_none(void **state)
{
    static const char *const none[] = {"libno-such-library.so.1", NULL};
    struct functions table = {0};

    (void)state;
    assert_int_equal(late_load(none, wanted, 1, &table), ERR_NOTFOUND);
    assert_null(table.getpid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_that_is_there),
        cmocka_unit_test(test_a_function_is_missing),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
