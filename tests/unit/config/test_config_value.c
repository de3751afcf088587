/*
 * Numbers with units: what is read, what is hinted, how numbers are written.
 */
#include "base/attr.h"
#include "config/value.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

static const struct parse_case {
    enum value_kind kind;
    const char *text;
    enum value_result want;
    uint64_t number;
    const char *hint;
} parse_cases[] = {
    {VALUE_COUNT, "0", VALUE_OK, 0, ""},
    {VALUE_COUNT, "8", VALUE_OK, 8, ""},
    {VALUE_COUNT, "18446744073709551615", VALUE_OK, UINT64_MAX, ""},
    {VALUE_COUNT, "99999999999999999999999", VALUE_OK, UINT64_MAX, ""},
    {VALUE_COUNT, "", VALUE_BAD, 0, ""},
    {VALUE_COUNT, "5s", VALUE_BAD, 0, "5"},
    {VALUE_COUNT, "853tls", VALUE_BAD, 0, "853"},
    {VALUE_COUNT, "1_000", VALUE_BAD, 0, "1000"},
    {VALUE_COUNT, "+5", VALUE_BAD, 0, "5"},
    {VALUE_COUNT, "010", VALUE_BAD, 0, "10"},
    {VALUE_COUNT, "0x10", VALUE_BAD, 0, ""},
    {VALUE_COUNT, "1e3", VALUE_BAD, 0, ""},
    {VALUE_COUNT, "1.5", VALUE_BAD, 0, ""},
    {VALUE_COUNT, "-5", VALUE_BAD, 0, ""},
    {VALUE_COUNT, "many", VALUE_BAD, 0, ""},
    {VALUE_DURATION, "4s", VALUE_OK, 4000, ""},
    {VALUE_DURATION, "250ms", VALUE_OK, 250, ""},
    {VALUE_DURATION, "1.5s", VALUE_OK, 1500, ""},
    {VALUE_DURATION, "1.0005s", VALUE_BAD, 0, ""},
    {VALUE_DURATION, "0.5ms", VALUE_BAD, 0, ""},
    {VALUE_DURATION, "2m", VALUE_OK, 120000, ""},
    {VALUE_DURATION, "24h", VALUE_OK, 86400000, ""},
    {VALUE_DURATION, "0", VALUE_OK, 0, ""},
    {VALUE_DURATION, "4", VALUE_NO_UNIT, 4, ""},
    {VALUE_DURATION, "4 s", VALUE_BAD, 0, "4s"},
    {VALUE_DURATION, "4S", VALUE_BAD, 0, "4s"},
    {VALUE_DURATION, "4sec", VALUE_BAD, 0, "4s"},
    {VALUE_DURATION, "4 seconds", VALUE_BAD, 0, "4s"},
    {VALUE_DURATION, "2min", VALUE_BAD, 0, "2m"},
    {VALUE_DURATION, "1m30s", VALUE_BAD, 0, ""},
    {VALUE_DURATION, "999999999999999999h", VALUE_OK, UINT64_MAX, ""},
    {VALUE_DURATION, "1d", VALUE_BAD, 0, "24h"},
    {VALUE_DURATION, "7 Days", VALUE_BAD, 0, "168h"},
    {VALUE_DURATION, "1w", VALUE_BAD, 0, "168h"},
    {VALUE_DURATION, "1.5d", VALUE_BAD, 0, ""},
    {VALUE_DURATION, "s", VALUE_BAD, 0, ""},
    {VALUE_SIZE, "1232", VALUE_OK, 1232, ""},
    {VALUE_SIZE, "1232B", VALUE_OK, 1232, ""},
    {VALUE_SIZE, "256KiB", VALUE_OK, 262144, ""},
    {VALUE_SIZE, "16MiB", VALUE_OK, 16777216, ""},
    {VALUE_SIZE, "1.5MiB", VALUE_OK, 1572864, ""},
    {VALUE_SIZE, "2GiB", VALUE_OK, 2147483648, ""},
    {VALUE_SIZE, "16MB", VALUE_OK, 16000000, ""},
    {VALUE_SIZE, "4kB", VALUE_OK, 4000, ""},
    {VALUE_SIZE, "16M", VALUE_BAD, 0, "16MiB"},
    {VALUE_SIZE, "16mb", VALUE_BAD, 0, "16MiB"},
    {VALUE_SIZE, "16 MiB", VALUE_BAD, 0, "16MiB"},
    {VALUE_SIZE, "1.5", VALUE_BAD, 0, ""},
    {VALUE_SIZE, "16MiBs", VALUE_BAD, 0, ""},
    {VALUE_SIZE, "12345678901234567890123456789012345678901", VALUE_OK,
     UINT64_MAX, ""},
    {VALUE_PERCENTAGE, "3%", VALUE_OK, 3, ""},
    {VALUE_PERCENTAGE, "3", VALUE_OK, 3, ""},
    {VALUE_PERCENTAGE, "0", VALUE_OK, 0, ""},
    {VALUE_PERCENTAGE, "0%", VALUE_OK, 0, ""},
    {VALUE_PERCENTAGE, "3 %", VALUE_BAD, 0, "3%"},
    {VALUE_PERCENTAGE, "3 percent", VALUE_BAD, 0, "3%"},
    {VALUE_PERCENTAGE, "2.5%", VALUE_BAD, 0, ""},
    {VALUE_PERCENTAGE, "%", VALUE_BAD, 0, ""},
    {VALUE_PERCENTAGE, "-1%", VALUE_BAD, 0, ""},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(parse_cases); i++) {
        const struct parse_case *t = &parse_cases[i];
        uint64_t number = 0;
        char hint[VALUE_TEXT_MAX];
        enum value_result got = value_parse(t->kind, t->text, &number, hint);

        if (got != t->want || strcmp(hint, t->hint) != 0 ||
            (got != VALUE_BAD && number != t->number)) {
            fail_msg("\"%s\": result %d, number %ju, hint \"%s\"", t->text,
                     (int)got, (uintmax_t)number, hint);
        }
    }
}

static void test_format(void **state)
{
    static const struct {
        enum value_kind kind;
        uint64_t number;
        const char *want;
    } cases[] = {
        {VALUE_COUNT, 0, "0"},
        {VALUE_COUNT, 65536, "65536"},
        {VALUE_DURATION, 0, "0"},
        {VALUE_DURATION, 250, "250ms"},
        {VALUE_DURATION, 1500, "1500ms"},
        {VALUE_DURATION, 4000, "4s"},
        {VALUE_DURATION, 60000, "1m"},
        {VALUE_DURATION, 86400000, "24h"},
        {VALUE_SIZE, 512, "512"},
        {VALUE_SIZE, 4096, "4096"},
        {VALUE_SIZE, 65536, "64KiB"},
        {VALUE_SIZE, 4194304, "4MiB"},
        {VALUE_SIZE, 100001, "100001"},
        {VALUE_PERCENTAGE, 0, "0"},
        {VALUE_PERCENTAGE, 100, "100%"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[VALUE_TEXT_MAX];
        assert_string_equal(value_format(cases[i].kind, cases[i].number, text),
                            cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests_name("config_value", tests, NULL, NULL);
}
