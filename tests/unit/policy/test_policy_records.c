/*
 * Records: every type, every way in which a line can be wrong, and the reverse
 * names that addresses imply.
 */
#include "fixture.h"

#include "base/err.h"
#include "policy/local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct record_case {
    const char *line;
    const char *name; /* asked, with type */
    uint16_t type;
    const char *want;
} record_cases[] = {
    {"router.lan 300 A 192.0.2.1", "ROUTER.lan", DNS_TYPE_A,
     "local NOERROR aa ROUTER.lan. 300 A 192.0.2.1"},
    {"router.lan. IN A 192.0.2.1", "router.lan", DNS_TYPE_A,
     "local NOERROR aa router.lan. 60 A 192.0.2.1"},
    {"router.lan 0 IN A 192.0.2.1", "router.lan", DNS_TYPE_A,
     "local NOERROR aa router.lan. 0 A 192.0.2.1"},
    {"  router.lan\tin  2147483647 a 192.0.2.1 ", "router.lan", DNS_TYPE_A,
     "local NOERROR aa router.lan. 2147483647 A 192.0.2.1"},
    {"router.lan AAAA 2001:db8::1", "router.lan", DNS_TYPE_AAAA,
     "local NOERROR aa router.lan. 60 AAAA 2001:db8::1"},
    {"router.lan A 192.0.2.1", "router.lan", DNS_TYPE_AAAA,
     "local NOERROR aa | router.lan. 60 SOA"},
    {"router.lan A 192.0.2.1", "router.lan", DNS_TYPE_ANY,
     "local NOERROR aa router.lan. 60 A 192.0.2.1"},
    {"router.lan A 192.0.2.1", "x.router.lan", DNS_TYPE_A, "none 0"},
    {"router.lan A 192.0.2.1", "lan", DNS_TYPE_A, "none 0"},
    {"www.lan CNAME router.lan", "www.lan", DNS_TYPE_CNAME,
     "local NOERROR aa www.lan. 60 CNAME router.lan."},
    {"1.2.0.192.in-addr.arpa PTR Router.LAN", "1.2.0.192.in-addr.arpa",
     DNS_TYPE_PTR,
     "local NOERROR aa 1.2.0.192.in-addr.arpa. 60 PTR Router.LAN."},
    {"lan MX 10 mail.lan", "lan", DNS_TYPE_MX,
     "local NOERROR aa lan. 60 MX 000a046d61696c036c616e00"},
    {"_x._tcp.lan SRV 1 2 65535 a.lan", "_x._tcp.lan", 33,
     "local NOERROR aa _x._tcp.lan. 60 SRV 00010002ffff0161036c616e00"},
    {"a.lan TXT one", "a.lan", DNS_TYPE_TXT,
     "local NOERROR aa a.lan. 60 TXT 036f6e65"},
    {"a.lan TXT one two", "a.lan", DNS_TYPE_TXT,
     "local NOERROR aa a.lan. 60 TXT 036f6e650374776f"},
    {"a.lan TXT \"a b\"  \"\" ", "a.lan", DNS_TYPE_TXT,
     "local NOERROR aa a.lan. 60 TXT 0361206200"},
    {"a.lan TXT \"a\\\"b\\\\\\007\"", "a.lan", DNS_TYPE_TXT,
     "local NOERROR aa a.lan. 60 TXT 056122625c07"},
    {"a\\.b.lan A 192.0.2.1", "a\\.b.lan", DNS_TYPE_A,
     "local NOERROR aa a\\.b.lan. 60 A 192.0.2.1"},
};

static void records_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(record_cases) / sizeof(*record_cases); i++) {
        const struct record_case *c = &record_cases[i];
        struct policy *p =
            make_policy(OPTIONS(TEXTS(records, record_count, c->line)), NULL);

        assert_string_equal(answer(p, c->name, c->type), c->want);
        policy_release(p);
    }
}

static const struct wrong_case {
    const char *line;
    const char *why;
} wrong_cases[] = {
    {"", "\"\" is not a name"},
    {"a..lan A 192.0.2.1", "\"a..lan\" is not a name"},
    {"*.lan A 192.0.2.1", "wildcards (\"*.lan\") are not known"},
    {"a.lan", "the type is missing, such as in x.lan A 192.0.2.1"},
    {"a.lan CH A 192.0.2.1",
     "\"CH\" is not a type known here (A, AAAA, CNAME, MX, PTR, SRV, TXT)"},
    {"a.lan NS b.lan",
     "\"NS\" is not a type known here (A, AAAA, CNAME, MX, PTR, SRV, TXT)"},
    {"a.lan IN IN A 192.0.2.1",
     "\"IN\" is not a type known here (A, AAAA, CNAME, MX, PTR, SRV, TXT)"},
    {"a.lan 2147483648 A 192.0.2.1",
     "\"2147483648\" is not a type known here (A, AAAA, CNAME, MX, PTR, SRV, "
     "TXT)"},
    {"a.lan A", "\"\" is not an IPv4 address"},
    {"a.lan A 2001:db8::1", "\"2001:db8::1\" is not an IPv4 address"},
    {"a.lan AAAA 192.0.2.1", "\"192.0.2.1\" is not an IPv6 address"},
    {"a.lan AAAA fe80::1%1", "\"fe80::1%1\" is not an IPv6 address"},
    {"a.lan A 192.0.2.1 192.0.2.2", "\"192.0.2.2\" is too much"},
    {"a.lan CNAME", "\"\" is not a name"},
    {"a.lan CNAME b..lan", "\"b..lan\" is not a name"},
    {"a.lan MX mail.lan", "\"mail.lan\" is not a number of 0 to 65535"},
    {"a.lan MX 65536 mail.lan", "\"65536\" is not a number of 0 to 65535"},
    {"a.lan SRV 1 2 x.lan", "\"x.lan\" is not a number of 0 to 65535"},
    {"a.lan TXT", "has no text"},
    {"a.lan TXT \"a", "a string has no closing quote"},
    {"a.lan TXT a\\", "a string has a bad escape"},
    {"a.lan TXT \\256", "a string has a bad escape"},
    {"a.lan TXT \\25", "a string has a bad escape"},
};

static void wrong_records_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong_cases) / sizeof(*wrong_cases); i++) {
        const struct wrong_case *c = &wrong_cases[i];
        size_t len = strlen(c->line);
        char *copy = malloc(len > 0 ? len : 1);
        char why[128] = "";

        assert_non_null(copy);
        memcpy(copy, c->line, len); /* with nothing readable behind it */
        assert_int_equal(policy_record_check(copy, len, why, sizeof(why)),
                         ERR_CONFIG);
        assert_string_equal(why, c->why);
        free(copy);
    }
}

static void strings_have_their_limits(void **state)
{
    static char line[4096];
    char why[128] = "";

    (void)state;
    (void)snprintf(line, sizeof(line), "a TXT %0255d", 0);
    assert_int_equal(policy_record_check(line, strlen(line), why, sizeof(why)),
                     0);
    (void)snprintf(line, sizeof(line), "a TXT %0256d", 0);
    assert_int_equal(policy_record_check(line, strlen(line), why, sizeof(why)),
                     ERR_CONFIG);
    assert_string_equal(why, "a string is longer than 255 octets");
    (void)snprintf(line, sizeof(line),
                   "a TXT %0255d %0255d %0255d %0255d %0255d %0255d %0255d "
                   "%0243d",
                   0, 0, 0, 0, 0, 0, 0, 0);
    assert_int_equal(policy_record_check(line, strlen(line), why, sizeof(why)),
                     0);
    (void)snprintf(line, sizeof(line),
                   "a TXT %0255d %0255d %0255d %0255d %0255d %0255d %0255d "
                   "%0244d",
                   0, 0, 0, 0, 0, 0, 0, 0);
    assert_int_equal(policy_record_check(line, strlen(line), why, sizeof(why)),
                     ERR_CONFIG);
    assert_string_equal(why, "is longer than 2036 octets");
}

static void addresses_imply_reverse_names(void **state)
{
    struct policy *p = make_policy(
        OPTIONS(TEXTS(records, record_count, "first.lan 30 A 192.0.2.1",
                      "second.lan A 192.0.2.1", "six.lan AAAA 2001:db8::a1",
                      "other.lan A 192.0.2.234",
                      "234.2.0.192.in-addr.arpa PTR said.lan",
                      "zero.lan A 0.0.0.0", "priv.lan A 10.1.2.3")),
        NULL);

    (void)state;
    assert_string_equal(answer(p, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR),
                        "local NOERROR aa 1.2.0.192.in-addr.arpa. 30 PTR "
                        "first.lan.");
    assert_string_equal(
        answer(p,
               "1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
               "2.ip6.arpa",
               DNS_TYPE_PTR),
        "local NOERROR aa "
        "1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6."
        "arpa. 60 PTR six.lan.");
    assert_string_equal(answer(p, "234.2.0.192.in-addr.arpa", DNS_TYPE_PTR),
                        "local NOERROR aa 234.2.0.192.in-addr.arpa. 60 PTR "
                        "said.lan.");
    assert_string_equal(answer(p, "0.0.0.0.in-addr.arpa", DNS_TYPE_PTR),
                        "special NXDOMAIN aa | 0.in-addr.arpa. 60 SOA");
    /* before special names */
    assert_string_equal(answer(p, "3.2.1.10.in-addr.arpa", DNS_TYPE_PTR),
                        "local NOERROR aa 3.2.1.10.in-addr.arpa. 60 PTR "
                        "priv.lan.");
    policy_release(p);
}

static void reverse_names_of_every_octet(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 256; i++) {
        char line[64], name[64], want[128];
        struct policy *p;

        (void)snprintf(line, sizeof(line), "a A 0.%u.0.%u", i, 255 - i);
        (void)snprintf(name, sizeof(name), "%u.0.%u.0.in-addr.arpa", 255 - i,
                       i);
        (void)snprintf(want, sizeof(want), "local NOERROR aa %s. 60 PTR a.",
                       name);
        p = make_policy(OPTIONS(TEXTS(records, record_count, line)), NULL);
        assert_string_equal(answer(p, name, DNS_TYPE_PTR), want);
        policy_release(p);
    }
}

static void records_that_do_not_go_together(void **state)
{
    const char *why;

    (void)state;
    assert_int_equal(
        fail_policy(OPTIONS(TEXTS(records, record_count, "a.lan A 192.0.2.1",
                                  "A.lan CNAME b.lan")),
                    NULL, &why),
        ERR_CONFIG);
    assert_string_equal(why, "record \"A.lan CNAME b.lan\": CNAME beside other "
                             "records of the name");
    assert_int_equal(fail_policy(OPTIONS(TEXTS(records, record_count,
                                               "a.lan A 192.0.2.256")),
                                 NULL, &why),
                     ERR_CONFIG);
    assert_string_equal(why, "record \"a.lan A 192.0.2.256\": \"192.0.2.256\" "
                             "is not an IPv4 address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_answered),
        cmocka_unit_test(wrong_records_are_told),
        cmocka_unit_test(strings_have_their_limits),
        cmocka_unit_test(addresses_imply_reverse_names),
        cmocka_unit_test(reverse_names_of_every_octet),
        cmocka_unit_test(records_that_do_not_go_together),
    };
    return cmocka_run_group_tests_name("policy_records", tests, NULL, NULL);
}
