/*
 * Hosts files, as every system has one.
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

static const char hosts[] = "127.0.0.1 localhost\n"
                            "::1 localhost ip6-localhost\n"
                            "\n"
                            "# a comment\n"
                            "192.0.2.10\tMail.lan mail  smtp.lan # why\r\n"
                            "192.0.2.11 mail.lan other.lan\n"
                            "192.0.2.10 late.lan\n"
                            "2001:db8::10 mail.lan\n"
                            "fe80::1%eth9 link.lan localhost\n"
                            "0.0.0.0 ads.example\n"
                            "192.0.2.20 a..b good.lan\n";

static const struct {
    const char *name;
    uint16_t type;
    const char *want;
} hosts_cases[] = {
    {"mail", DNS_TYPE_A, "local NOERROR aa mail. 60 A 192.0.2.10"},
    {"MAIL.LAN", DNS_TYPE_A,
     "local NOERROR aa MAIL.LAN. 60 A 192.0.2.10 MAIL.LAN. 60 A 192.0.2.11"},
    {"mail.lan", DNS_TYPE_AAAA,
     "local NOERROR aa mail.lan. 60 AAAA 2001:db8::10"},
    {"mail.lan", DNS_TYPE_MX, "local NOERROR aa | mail.lan. 60 SOA"},
    {"smtp.lan", DNS_TYPE_AAAA, "local NOERROR aa | smtp.lan. 60 SOA"},
    {"a.smtp.lan", DNS_TYPE_A, "none 0"},
    {"10.2.0.192.in-addr.arpa", DNS_TYPE_PTR,
     "local NOERROR aa 10.2.0.192.in-addr.arpa. 60 PTR Mail.lan."},
    {"11.2.0.192.in-addr.arpa", DNS_TYPE_PTR,
     "local NOERROR aa 11.2.0.192.in-addr.arpa. 60 PTR mail.lan."},
    /* of no use without its scope */
    {"link.lan", DNS_TYPE_AAAA, "none 0"},
    {"localhost", DNS_TYPE_AAAA, "local NOERROR aa localhost. 60 AAAA ::1"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa",
     DNS_TYPE_PTR, "special NXDOMAIN aa | 8.e.f.ip6.arpa. 60 SOA"},
    {"localhost", DNS_TYPE_A, "local NOERROR aa localhost. 60 A 127.0.0.1"},
    {"1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
     "local NOERROR aa 1.0.0.127.in-addr.arpa. 60 PTR localhost."},
    {"ads.example", DNS_TYPE_A, "local NOERROR aa ads.example. 60 A 0.0.0.0"},
    {"0.0.0.0.in-addr.arpa", DNS_TYPE_PTR,
     "special NXDOMAIN aa | 0.in-addr.arpa. 60 SOA"},
    {"good.lan", DNS_TYPE_A, "local NOERROR aa good.lan. 60 A 192.0.2.20"},
    {"20.2.0.192.in-addr.arpa", DNS_TYPE_PTR,
     "local NOERROR aa 20.2.0.192.in-addr.arpa. 60 PTR good.lan."},
};

static void hosts_are_answered(void **state)
{
    char *path = make_text_file(hosts);
    struct policy *p =
        make_policy(OPTIONS(TEXTS(hosts, hosts_count, path)), NULL);
    struct policy_counts counts;

    (void)state;
    for (size_t i = 0; i < sizeof(hosts_cases) / sizeof(*hosts_cases); i++) {
        assert_string_equal(answer(p, hosts_cases[i].name, hosts_cases[i].type),
                            hosts_cases[i].want);
    }
    policy_counts(p, &counts);
    /* localhost ip6-localhost mail.lan mail smtp.lan other.lan late.lan
     * ads.example good.lan, and six reverse names */
    assert_int_equal(counts.local_names, 9 + 6);
    policy_release(p);
    drop_file(path);
}

static void bad_lines_are_told(void **state)
{
    static const struct {
        const char *line;
        int want;
    } cases[] = {
        {"", 0},
        {"# x", 0},
        {"192.0.2.1 a", 0},
        {"192.0.2.1", ERR_INVAL},
        {"192.0.2.1 # a", ERR_INVAL},
        {"192.0.2 a", ERR_INVAL},
        {"a 192.0.2.1", ERR_INVAL},
        {"%eth0 a", ERR_INVAL},
        {"fe80::1%lo0 localhost", 0},
        {"fe80::1%lo0 a/b", 0},
        {"fe80::1%lo0", ERR_INVAL},
        {"192.0.2.1 a/b", ERR_INVAL},
        {"192.0.2.1 .", ERR_INVAL},
        {"192.0.2.1 a b c..", ERR_INVAL},
    };
    struct names t;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span line = span_of(cases[i].line, strlen(cases[i].line));

        assert_int_equal(local_hosts_line(&t, line, 60), cases[i].want);
    }
    names_finish(&t);
}

/* More addresses than an answer has room for: the first ones stay. */
static void a_name_with_many_addresses(void **state)
{
    struct names t;
    char line[64];
    unsigned count = 0;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(line, sizeof(line), "10.0.%u.%u many.lan", i / 256,
                       i % 256);
        if (local_hosts_line(&t, span_of(line, strlen(line)), 60) == 0) {
            assert_int_equal(count, i);
            count++;
        }
    }
    assert_int_equal(count, NAMES_RECORDS_LEN_MAX / 16);
    names_finish(&t);
}

static void records_come_before_hosts(void **state)
{
    char *path = make_text_file("192.0.2.1 a.lan\n192.0.2.2 b.lan c.lan\n"
                                "192.0.2.3 alias.lan d.lan\n");
    struct policy *p =
        make_policy(OPTIONS(TEXTS(hosts, hosts_count, path),
                            TEXTS(records, record_count, "a.lan 5 A 192.0.2.9",
                                  "2.2.0.192.in-addr.arpa PTR said.lan",
                                  "alias.lan CNAME a.lan")),
                    NULL);

    (void)state;
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_A),
                        "local NOERROR aa a.lan. 5 A 192.0.2.9 a.lan. 5 A "
                        "192.0.2.1");
    assert_string_equal(answer(p, "2.2.0.192.in-addr.arpa", DNS_TYPE_PTR),
                        "local NOERROR aa 2.2.0.192.in-addr.arpa. 60 PTR "
                        "said.lan.");
    assert_string_equal(answer(p, "d.lan", DNS_TYPE_A),
                        "local NOERROR aa d.lan. 60 A 192.0.2.3");
    assert_string_equal(answer(p, "alias.lan", DNS_TYPE_CNAME),
                        "local NOERROR aa alias.lan. 60 CNAME a.lan.");
    policy_release(p);
    drop_file(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_answered),
        cmocka_unit_test(bad_lines_are_told),
        cmocka_unit_test(a_name_with_many_addresses),
        cmocka_unit_test(records_come_before_hosts),
    };
    return cmocka_run_group_tests_name("policy_hosts", tests, NULL, NULL);
}
