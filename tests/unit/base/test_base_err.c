/*
 * The error table: codes differ, and each has a name and a text.
 */
#include "base/attr.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const int codes[] = {
#define ERR_VALUE(name, value, text) name,
    ERR_LIST(ERR_VALUE)
#undef ERR_VALUE
};

static void every_code_has_name_and_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_true(codes[i] < 0);
        assert_int_equal(strncmp(err_name(codes[i]), "ERR_", 4), 0);
        assert_string_not_equal(err_name(codes[i]), "ERR_UNKNOWN");
        assert_string_not_equal(err_text(codes[i]), "unknown error");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(err_name(codes[i]), err_name(codes[j]));
        }
    }
    assert_string_equal(err_name(ERR_NOMEM), "ERR_NOMEM");
    assert_string_equal(err_text(ERR_NOMEM), "out of memory");
}

static void others_have_too(void **state)
{
    (void)state;
    assert_string_equal(err_text(0), "success");
    assert_string_equal(err_name(0), "OK");
    assert_string_equal(err_text(1), "unknown error");
    assert_string_equal(err_name(-100000), "ERR_UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_and_text),
        cmocka_unit_test(others_have_too),
    };
    return cmocka_run_group_tests_name("base_err", tests, NULL, NULL);
}
