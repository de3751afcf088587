/*
 * Messages: chains of CNAMEs, negative TTLs, and that the largest fits.
 */
#include "fixture.h"

#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void chains_are_followed_within_local_data(void **state)
{
    struct policy *p = make_policy(
        OPTIONS(TEXTS(
            records, record_count, "a.lan CNAME B.lan", "b.lan 7 CNAME c.lan",
            "c.lan A 192.0.2.1", "c.lan A 192.0.2.2", "c.lan TXT x",
            "out.lan CNAME www.example.net", "local.lan CNAME localhost")),
        NULL);

    (void)state;
    assert_string_equal(answer(p, "A.lan", DNS_TYPE_A),
                        "local NOERROR aa A.lan. 60 CNAME B.lan. B.lan. 7 "
                        "CNAME c.lan. c.lan. 60 A 192.0.2.1 c.lan. 60 A "
                        "192.0.2.2");
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_AAAA),
                        "local NOERROR aa a.lan. 60 CNAME B.lan. B.lan. 7 "
                        "CNAME c.lan. | c.lan. 60 SOA");
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_CNAME),
                        "local NOERROR aa a.lan. 60 CNAME B.lan.");
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_ANY),
                        "local NOERROR aa a.lan. 60 CNAME B.lan.");
    assert_string_equal(answer(p, "out.lan", DNS_TYPE_A),
                        "local NOERROR aa out.lan. 60 CNAME www.example.net.");
    assert_string_equal(answer(p, "local.lan", DNS_TYPE_A),
                        "local NOERROR aa local.lan. 60 CNAME localhost.");
    policy_release(p);
}

static void loops_end(void **state)
{
    struct policy *p =
        make_policy(OPTIONS(TEXTS(records, record_count, "a CNAME b",
                                  "b CNAME a", "self CNAME self")),
                    NULL);

    (void)state;
    assert_string_equal(
        answer(p, "a", DNS_TYPE_A),
        "local NOERROR aa a. 60 CNAME b. b. 60 CNAME a. a. 60 "
        "CNAME b. b. 60 CNAME a. a. 60 CNAME b. b. 60 CNAME a.");
    assert_string_equal(answer(p, "self", DNS_TYPE_A),
                        "local NOERROR aa self. 60 CNAME self. self. 60 CNAME "
                        "self. self. 60 CNAME self. self. 60 CNAME self. self. "
                        "60 CNAME self. self. 60 CNAME self.");
    policy_release(p);
}

static void ttls_are_the_options(void **state)
{
    struct policy *p = make_policy(
        &(const struct policy_options){
            .local_ttl_s = 7,
            TEXTS(records, record_count, "a.lan A 192.0.2.1"),
        },
        NULL);

    (void)state;
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_A),
                        "local NOERROR aa a.lan. 7 A 192.0.2.1");
    assert_string_equal(answer(p, "a.lan", DNS_TYPE_MX),
                        "local NOERROR aa | a.lan. 7 SOA");
    assert_string_equal(answer(p, "localhost", DNS_TYPE_A),
                        "special NOERROR aa localhost. 7 A 127.0.0.1");
    policy_release(p);
}

/* RFC 8020 section 2: NXDOMAIN would be said of all names below. */
static void names_with_others_below_are_there(void **state)
{
    static const char *const zones[] = {"svc.cluster.internal",
                                        "!none.test",
                                        "!corp.example",
                                        "in.corp.example",
                                        "kept.denied.example",
                                        "lost.listed.example",
                                        NULL};
    static const struct {
        const char *name;
        uint16_t type;
        const char *want;
    } cases[] = {
        /* records */
        {"b.internal", DNS_TYPE_A, "special NOERROR aa | internal. 60 SOA"},
        {"B.Internal", DNS_TYPE_MX, "special NOERROR aa | Internal. 60 SOA"},
        {"internal", DNS_TYPE_A, "special NOERROR aa | internal. 60 SOA"},
        {"internal", DNS_TYPE_SOA, "special NOERROR aa internal. 60 SOA"},
        {"c.internal", DNS_TYPE_A, "special NXDOMAIN aa | internal. 60 SOA"},
        {"x.b.internal", DNS_TYPE_A, "special NXDOMAIN aa | internal. 60 SOA"},
        {"a.a.b.internal", DNS_TYPE_A,
         "special NXDOMAIN aa | internal. 60 SOA"},
        {"b.invalid", DNS_TYPE_A, "special NXDOMAIN aa | invalid. 60 SOA"},
        /* reverse names of addresses */
        {"5.168.192.in-addr.arpa", DNS_TYPE_PTR,
         "special NOERROR aa | 168.192.in-addr.arpa. 60 SOA"},
        {"6.5.168.192.in-addr.arpa", DNS_TYPE_PTR,
         "special NXDOMAIN aa | 168.192.in-addr.arpa. 60 SOA"},
        {"6.168.192.in-addr.arpa", DNS_TYPE_PTR,
         "special NXDOMAIN aa | 168.192.in-addr.arpa. 60 SOA"},
        /* zones */
        {"cluster.internal", DNS_TYPE_A,
         "special NOERROR aa | internal. 60 SOA"},
        {"corp.example", DNS_TYPE_A,
         "zone_nx NOERROR aa | corp.example. 60 SOA"},
        {"x.corp.example", DNS_TYPE_A,
         "zone_nx NXDOMAIN aa | corp.example. 60 SOA"},
        /* one without servers is nothing */
        {"none.test", DNS_TYPE_A, "zone_nx NXDOMAIN aa | none.test. 60 SOA"},
        {"test", DNS_TYPE_A, "special NXDOMAIN aa | test. 60 SOA"},
        /* denied, and search noise */
        {"denied.example", DNS_TYPE_A,
         "denied NOERROR | denied.example. 60 SOA"},
        {"x.denied.example", DNS_TYPE_A,
         "denied NXDOMAIN | x.denied.example. 60 SOA"},
        {"listed.example", DNS_TYPE_A,
         "denied NXDOMAIN | listed.example. 60 SOA"},
        {"apart.example", DNS_TYPE_A, "denied NOERROR | apart.example. 60 SOA"},
        {"b.open.apart.example", DNS_TYPE_A, "none 0"},
        {"www.com.search.example", DNS_TYPE_A,
         "noise NOERROR | search.example. 60 SOA"},
        {"ftp.com.search.example", DNS_TYPE_A,
         "noise NXDOMAIN | search.example. 60 SOA"},
        /* not answered here at all */
        {"example", DNS_TYPE_A, "none 0"},
        {"search.example", DNS_TYPE_A, "none 0"},
    };
    struct policy *p = make_policy(
        OPTIONS(TEXTS(records, record_count, "a.b.internal A 192.168.5.1",
                      "a.www.com.search.example A 192.0.2.1",
                      "a.b.open.apart.example TXT x"),
                TEXTS(deny_names, deny_name_count, "denied.example",
                      "listed.example", "apart.example"),
                TEXTS(deny_except, deny_except_count, "kept.denied.example",
                      "open.apart.example"),
                TEXTS(search_noise, search_noise_count, "search.example"),
                TEXTS(search_noise_tlds, search_noise_tld_count, "com")),
        zones);
    struct policy_counts counts;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(answer(p, cases[i].name, cases[i].type),
                            cases[i].want);
    }
    policy_counts(p, &counts);
    assert_int_equal(counts.local_names, 5);
    policy_release(p);
}

/* The table grows while the names between are marked. */
static void many_names_lie_between(void **state)
{
    enum { COUNT = 1000 };
    static char lines[COUNT][40];
    char *texts[COUNT];
    struct policy_options o = {
        .local_ttl_s = 60, .records = texts, .record_count = COUNT};
    struct policy *p;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(lines[i], sizeof(lines[i]), "a.b.c%u.d.test TXT x", i);
        texts[i] = lines[i];
    }
    p = make_policy(&o, NULL);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "b.c%u.d.test", i);
        assert_string_equal(answer(p, name, DNS_TYPE_A),
                            "special NOERROR aa | test. 60 SOA");
        assert_string_equal(answer(p, name + 2, DNS_TYPE_A),
                            "special NOERROR aa | test. 60 SOA");
    }
    assert_string_equal(answer(p, "b.d.test", DNS_TYPE_A),
                        "special NXDOMAIN aa | test. 60 SOA");
    policy_release(p);
}

enum { HOPS = 6, LONG_TEXT = 254, TEXT_LINES = 8 };

/* "n" and so much more that the name takes 255 octets. */
static void long_name(char *out, char n)
{
    memset(out, n, LONG_TEXT - 1);
    out[63] = out[127] = out[191] = '.';
    out[LONG_TEXT - 1] = '\0';
}

/* Six CNAMEs of the longest names, and the most records at their end. */
static void the_largest_answer_fits(void **state)
{
    static char lines[HOPS + TEXT_LINES][600];
    char *texts[HOPS + TEXT_LINES];
    struct policy_options o = {
        .local_ttl_s = 60, .records = texts, .record_count = HOPS + TEXT_LINES};
    struct asked a;
    struct policy *p;
    struct policy_verdict v;
    uint8_t out[4096];
    char name[LONG_TEXT], next[LONG_TEXT];
    struct dns_response r;
    size_t len;

    (void)state;
    for (unsigned i = 0; i < HOPS; i++) {
        long_name(name, (char)('a' + i));
        long_name(next, (char)('a' + i + 1));
        (void)snprintf(lines[i], sizeof(lines[i]), "%s CNAME %s", name, next);
    }
    for (unsigned i = 0; i < TEXT_LINES; i++) {
        (void)snprintf(lines[HOPS + i], sizeof(lines[0]), "%s TXT %0*u", next,
                       243, i);
    }
    for (unsigned i = 0; i < HOPS + TEXT_LINES; i++) {
        texts[i] = lines[i];
    }
    p = make_policy(&o, NULL);
    long_name(name, 'a');
    a = make_question(name, DNS_TYPE_TXT, DNS_CLASS_IN);
    policy_judge(p, &a.question, &v);
    len = policy_write(p, &a.question, &v, out, sizeof(out));
    assert_int_equal(dns_response_parse(span_of(out, len), &r), 0);
    assert_int_equal(r.answer_count, HOPS + TEXT_LINES);
    assert_int_equal(len, 12 + 259 + HOPS * (12 + 255) + TEXT_LINES * 256);
    free(a.octets);
    policy_release(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_followed_within_local_data),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(ttls_are_the_options),
        cmocka_unit_test(names_with_others_below_are_there),
        cmocka_unit_test(many_names_lie_between),
        cmocka_unit_test(the_largest_answer_fits),
    };
    return cmocka_run_group_tests_name("policy_answer", tests, NULL, NULL);
}
