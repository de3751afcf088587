/*
 * Where dnstap messages go, in each notation.
 */
#include "config/tap.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int kind; /* below 0: an error */
    const char *want;
} cases[] = {
    {"unix:/run/x", CONFIG_TAP_UNIX, "/run/x"},
    {"unix:///run/x", CONFIG_TAP_UNIX, "/run/x"},
    {"unix:", ERR_INVAL, ""},
    {"unix:run/x", ERR_INVAL, ""},
    {"unix://run/x", ERR_INVAL, ""},
    {"/var/x", CONFIG_TAP_FILE, "/var/x"},
    {"x", CONFIG_TAP_FILE, "x"},
    {"tcp://192.0.2.1:6000", CONFIG_TAP_TCP, "192.0.2.1:6000"},
    {"tcp://[2001:db8::1]:1", CONFIG_TAP_TCP, "[2001:db8::1]:1"},
    {"tcp://[192.0.2.1]:65535", CONFIG_TAP_TCP, "192.0.2.1:65535"},
    {"tcp://", ERR_INVAL, ""},
    {"tcp://:1", ERR_INVAL, ""},
    {"tcp://[]:1", ERR_INVAL, ""},
    {"tcp://[:1", ERR_INVAL, ""},
    {"tcp://192.0.2.1", ERR_INVAL, ""},
    {"tcp://192.0.2.1:", ERR_INVAL, ""},
    {"tcp://192.0.2.1:0", ERR_INVAL, ""},
    {"tcp://192.0.2.1:65536", ERR_INVAL, ""},
    {"tcp://192.0.2.1:18446744073709551617", ERR_INVAL, ""},
    {"tcp://192.0.2.1:+1", ERR_INVAL, ""},
    {"tcp://192.0.2.1:1x", ERR_INVAL, ""},
    {"tcp://2001:db8::1:6000", ERR_INVAL, ""},
    {"tcp://host:6000", ERR_INVAL, ""},
};

static void test_notations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config_tap tap;
        char text[ADDR_TEXT_MAX];
        int err = config_tap_parse(cases[i].text, &tap);

        if (cases[i].kind < 0) {
            assert_int_equal(err, cases[i].kind);
            continue;
        }
        assert_int_equal(err, 0);
        assert_int_equal(tap.kind, cases[i].kind);
        assert_string_equal(
            tap.kind == CONFIG_TAP_TCP ? addr_text(&tap.addr, text) : tap.path,
            cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_notations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
