/*
 * Numbers and texts for people.
 */
#include "cli/format.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void numbers(void **state)
{
    char t[FORMAT_LEN];

    (void)state;
    assert_string_equal(format_duration(0, t), "00:00:00");
    assert_string_equal(format_duration(86399, t), "23:59:59");
    assert_string_equal(format_duration(3 * 86400 + 61, t), "3d 00:01:01");
    assert_string_equal(format_octets(1023, t), "1023 B");
    assert_string_equal(format_octets(1536, t), "1.5 KiB");
    assert_string_equal(format_octets(UINT64_C(32) << 20, t), "32.0 MiB");
    assert_string_equal(format_octets(UINT64_C(5) << 50, t), "5120.0 TiB");
    assert_string_equal(format_ms(0, t), "-");
    assert_string_equal(format_ms(123, t), "0.123");
    assert_string_equal(format_ms(4567, t), "4.57");
    assert_string_equal(format_ms(45678, t), "45.7");
    assert_string_equal(format_ms(1234567, t), "1235");
    assert_string_equal(format_rate(0, t), "0.0");
    assert_string_equal(format_rate(99.94, t), "99.9");
    assert_string_equal(format_rate(1234.4, t), "1234");
    assert_string_equal(format_rate(56700, t), "56.7k");
    assert_string_equal(format_rate(1.5e6, t), "1.50M");
    assert_string_equal(format_share(1, 0, t), "-");
    assert_string_equal(format_share(1, 8, t), "12.5 %");
    assert_true(strlen(format_duration(UINT64_MAX, t)) < FORMAT_LEN);
    assert_true(strlen(format_octets(UINT64_MAX, t)) < FORMAT_LEN);
}

static void texts(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain", "plain"},
        {"\x1b[2J\n\t\x7f", "?[2J???"},
        {"\xc2\x9b"
         "31m",
         "?31m"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xc2", "\xc2"},
        {"0123456789", "0123456"},
    };
    char out[8];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(format_clean(cases[i].text, out, sizeof(out)),
                            cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests_name("cli_format", tests, NULL, NULL);
}
