/*
 * Addresses: what is read is written the same, and nothing else is read.
 */
#include "base/addr.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct parse_case {
    const char *text;
    const char *want; /* NULL: refused */
    const char *want_with_port;
} parse_cases[] = {
    {"192.0.2.1", "192.0.2.1", "192.0.2.1:853"},
    {"0.0.0.0", "0.0.0.0", "0.0.0.0:853"},
    {"255.255.255.255", "255.255.255.255", "255.255.255.255:853"},
    {"2001:db8::1", "2001:db8::1", "[2001:db8::1]:853"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[2001:db8::1]:853"},
    {"::", "::", "[::]:853"},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:853"},
    {"fe80::1%1", "fe80::1%1", "[fe80::1%1]:853"},
    {"fe80::1%lo", "fe80::1%1", "[fe80::1%1]:853"},
    {"fe80::1%4294967295", "fe80::1%4294967295", "[fe80::1%4294967295]:853"},
    {"", NULL, NULL},
    {"192.0.2", NULL, NULL},
    {"192.0.2.256", NULL, NULL},
    {"192.0.2.1 ", NULL, NULL},
    {" 192.0.2.1", NULL, NULL},
    {"192.0.2.1:53", NULL, NULL},
    {"192.0.2.1%lo", NULL, NULL},
    {"[::1]", NULL, NULL},
    {"::1::", NULL, NULL},
    {"2001:db8::1%1", NULL, NULL},
    {"fe80::1%", NULL, NULL},
    {"fe80::1%0", NULL, NULL},
    {"fe80::1%4294967296", NULL, NULL},
    {"fe80::1%no-such-interface", NULL, NULL},
    {"1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7:8:9:a:b:c:d:e", NULL, NULL},
    {"localhost", NULL, NULL},
};

static void parses_and_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(parse_cases); i++) {
        const struct parse_case *c = &parse_cases[i];
        struct addr a = {.family = 99};
        char text[ADDR_TEXT_MAX];
        int err = addr_parse_ip(c->text, strlen(c->text), &a);

        if (c->want == NULL) {
            assert_int_equal(err, ERR_INVAL);
            assert_int_equal(a.family, 99); /* out is left alone */
            continue;
        }
        assert_int_equal(err, 0);
        assert_int_equal(a.port, 0);
        assert_string_equal(addr_ip_text(&a, text), c->want);
        a.port = 853;
        assert_string_equal(addr_text(&a, text), c->want_with_port);
    }
}

static void length_counts_not_nul(void **state)
{
    struct addr a;
    char text[ADDR_TEXT_MAX];

    (void)state;
    assert_int_equal(addr_parse_ip("192.0.2.19", 9, &a), 0);
    assert_string_equal(addr_ip_text(&a, text), "192.0.2.1");
    assert_int_equal(addr_parse_ip("192.0.2.1\0", 10, &a), ERR_INVAL);
}

static void compares_by_value(void **state)
{
    struct addr a, b;

    (void)state;
    assert_int_equal(addr_parse_ip("192.0.2.1", 9, &a), 0);
    b = a;
    assert_true(addr_equal(&a, &b));
    b.port = 53;
    assert_false(addr_equal(&a, &b));
    assert_true(addr_ip_equal(&a, &b));
    b.ip[3]++;
    assert_false(addr_ip_equal(&a, &b));
    assert_int_equal(addr_parse_ip("::ffff:192.0.2.1", 16, &b), 0);
    assert_false(addr_ip_equal(&a, &b));
    assert_int_equal(addr_parse_ip("fe80::1%1", 9, &a), 0);
    b = a;
    b.scope_id = 2;
    assert_false(addr_ip_equal(&a, &b));
    assert_int_equal(addr_ip_len(&a), 16);
}

static void shortens_to_the_network(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.77", "192.0.2.0"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1::"},
        {"fe80::1%1", "fe80::"},
    };
    char text[ADDR_TEXT_MAX];
    struct addr a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(addr_parse_ip(cases[i][0], strlen(cases[i][0]), &a),
                         0);
        a.port = 7;
        addr_shorten(&a);
        assert_string_equal(addr_ip_text(&a, text), cases[i][1]);
        assert_int_equal(a.port, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_prints),
        cmocka_unit_test(length_counts_not_nul),
        cmocka_unit_test(compares_by_value),
        cmocka_unit_test(shortens_to_the_network),
    };
    return cmocka_run_group_tests_name("base_addr", tests, NULL, NULL);
}
