/*
 * Private addresses in answers of public names.
 */
#include "fixture.h"

#include "base/addr.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TYPE_SVCB = 64, TYPE_HTTPS = 65 };

/* A server's message: a question, and answers put in one by one. */
struct served {
    uint8_t octets[1024];
    size_t len;
    struct asked asked;
    size_t question_len;
};

static void serve(struct served *s, const char *name)
{
    s->asked = make_question(name, DNS_TYPE_A, DNS_CLASS_IN);
    memset(s->octets, 0, DNS_HEADER_LEN);
    s->octets[2] = 0x80;
    s->octets[5] = 1;
    s->len = DNS_HEADER_LEN;
    memcpy(s->octets + s->len, s->asked.octets, s->asked.question.name_len);
    s->len += s->asked.question.name_len;
    dns_put16(s->octets + s->len, DNS_TYPE_A);
    dns_put16(s->octets + s->len + 2, DNS_CLASS_IN);
    s->len += 4;
}

/* section: 6 answer, 8 authority, 10 additional. */
static void serve_record(struct served *s, unsigned section, unsigned type,
                         const void *data, size_t len)
{
    uint8_t *p = s->octets + s->len;

    dns_put16(p, 0xc00c);
    dns_put16(p + 2, type);
    dns_put16(p + 4, DNS_CLASS_IN);
    dns_put32(p + 6, 300);
    dns_put16(p + 10, (unsigned)len);
    memcpy(p + 12, data, len);
    s->len += 12 + len;
    s->octets[section + 1]++;
}

static bool is_rebinding(const struct policy *p, struct served *s)
{
    struct span msg;
    struct dns_response r;
    uint8_t *copy = malloc(s->len);
    bool result;

    assert_non_null(copy);
    memcpy(copy, s->octets, s->len);
    msg = span_of(copy, s->len);
    assert_int_equal(dns_response_parse(msg, &r), 0);
    result = policy_is_rebinding(p, &s->asked.question, msg, &r);
    free(copy);
    free(s->asked.octets);
    return result;
}

static const struct {
    const char *ip;
    bool is_private;
} addresses[] = {
    {"0.0.0.0", true},
    {"0.255.255.255", true},
    {"1.0.0.0", false},
    {"9.255.255.255", false},
    {"10.0.0.0", true},
    {"10.255.255.255", true},
    {"11.0.0.0", false},
    {"100.63.255.255", false},
    {"100.64.0.0", true},
    {"100.127.255.255", true},
    {"100.128.0.0", false},
    {"126.255.255.255", false},
    {"127.0.0.1", true},
    {"127.255.255.255", true},
    {"128.0.0.0", false},
    {"169.253.255.255", false},
    {"169.254.0.0", true},
    {"169.254.255.255", true},
    {"169.255.0.0", false},
    {"172.15.255.255", false},
    {"172.16.0.0", true},
    {"172.31.255.255", true},
    {"172.32.0.0", false},
    {"192.167.255.255", false},
    {"192.168.0.0", true},
    {"192.168.255.255", true},
    {"192.169.0.0", false},
    {"192.0.2.1", false},
    {"255.255.255.255", false},
    {"::", true},
    {"::1", true},
    {"::2", true}, /* 0.0.0.2 in the old way */
    {"::1.2.3.4", false},
    {"::10.0.0.1", true},
    {"::ffff:10.0.0.1", true},
    {"::ffff:127.0.0.1", true},
    {"::ffff:192.0.2.1", false},
    {"64:ff9b::192.168.1.1", true},
    {"64:ff9b::192.0.2.1", false},
    {"64:ff9b:1::192.168.1.1", false},
    {"fbff::", false},
    {"fc00::", true},
    {"fdff:ffff::1", true},
    {"fe00::1", false},
    {"fe7f::1", false},
    {"fe80::1", true},
    {"febf::1", true},
    {"fec0::1", true},
    {"ff02::1", false},
    {"2001:db8::1", false},
};

static void private_addresses_are_known(void **state)
{
    struct policy *p =
        make_policy(OPTIONS(.has_rebind_protection = true), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
        struct served s;
        struct addr a;

        assert_int_equal(
            addr_parse_ip(addresses[i].ip, strlen(addresses[i].ip), &a), 0);
        serve(&s, "www.example.net");
        serve_record(&s, 6, a.family == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA, a.ip,
                     addr_ip_len(&a));
        if (is_rebinding(p, &s) != addresses[i].is_private) {
            fail_msg("%s", addresses[i].ip);
        }
    }
    policy_release(p);
}

static const uint8_t private_v4[4] = {192, 168, 0, 1};
static const uint8_t public_v4[4] = {192, 0, 2, 1};

/* Asks and tells whether an answer of this one record for the name is refused.
 */
static bool refused(const struct policy *p, const char *name, unsigned section,
                    unsigned type, const void *data, size_t len)
{
    struct served s;

    serve(&s, name);
    serve_record(&s, section, type, data, len);
    return is_rebinding(p, &s);
}

static void it_holds_where_it_is_wanted(void **state)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = {
        {"www.example.net", true},
        {"example.org", false},
        {"a.EXAMPLE.org", false},
        {"xexample.org", true},
        {"org", true},
        {"nas.home.example", false},
    };
    struct policy *off = make_policy(OPTIONS(), NULL);
    struct policy *on =
        make_policy(OPTIONS(.has_rebind_protection = true,
                            TEXTS(rebind_allow, rebind_allow_count,
                                  "example.org", "*.home.example")),
                    NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(
            refused(on, cases[i].name, 6, DNS_TYPE_A, private_v4, 4),
            cases[i].want);
        assert_false(refused(on, cases[i].name, 6, DNS_TYPE_A, public_v4, 4));
        assert_false(refused(off, cases[i].name, 6, DNS_TYPE_A, private_v4, 4));
    }
    policy_release(off);
    policy_release(on);
}

static void every_record_of_the_answer_counts(void **state)
{
    struct policy *p =
        make_policy(OPTIONS(.has_rebind_protection = true), NULL);
    struct served s;

    (void)state;
    serve(&s, "www.example.net");
    serve_record(&s, 6, DNS_TYPE_CNAME, "\1a\7example\3org", 15);
    serve_record(&s, 6, DNS_TYPE_A, public_v4, 4);
    serve_record(&s, 6, DNS_TYPE_A, private_v4, 4);
    assert_true(is_rebinding(p, &s));
    serve(&s, "www.example.net");
    serve_record(&s, 6, DNS_TYPE_A, public_v4, 4);
    serve_record(&s, 8, DNS_TYPE_A, private_v4, 4);
    serve_record(&s, 10, DNS_TYPE_A, private_v4, 4);
    assert_false(is_rebinding(p, &s)); /* nobody asked for these */
    serve(&s, "www.example.net");
    assert_false(is_rebinding(p, &s));
    policy_release(p);
}

/* Data that are no addresses, whatever the type says, are passed on. */
static void odd_data_do_no_harm(void **state)
{
    struct policy *p =
        make_policy(OPTIONS(.has_rebind_protection = true), NULL);

    (void)state;
    assert_false(refused(p, "a.example", 6, DNS_TYPE_A, private_v4, 3));
    assert_false(refused(p, "a.example", 6, DNS_TYPE_A, private_v4, 0));
    assert_false(refused(p, "a.example", 6, DNS_TYPE_AAAA, private_v4, 4));
    assert_false(refused(p, "a.example", 6, DNS_TYPE_TXT, private_v4, 4));
    policy_release(p);
}

static void hints_of_services_count(void **state)
{
    static const struct {
        const char *data; /* priority, target, parameters */
        size_t len;
        bool want;
    } cases[] = {
        {"\0\1\0", 3, false},
        {"\0\1\0\0\4\0\4\xc0\xa8\0\1", 11, true},
        {"\0\1\0\0\4\0\4\xc0\0\2\1", 11, false},
        {"\0\1\1a\0\0\4\0\4\xc0\xa8\0\1", 13, true},
        {"\0\1\0\0\1\0\3\2h2\0\4\0\10\xc0\0\2\1\x0a\0\0\1", 22, true},
        {"\0\1\0\0\6\0\20\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 23, true},
        {"\0\1\0\0\6\0\20\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 23, false},
        {"\0\1\0\0\4\0\4\xc0\0\2\1\0\5\0\4\x0a\0\0\1", 19, false},
        /* cut short */
        {"\0", 1, false},
        {"\0\1", 2, false},
        {"\0\1\5a", 4, false},
        {"\0\1\0\0\4\0", 6, false},
        {"\0\1\0\0\4\0\4\xc0\xa8\0", 10, false},
        {"\0\1\0\0\4\xff\xff\xc0\xa8\0\1", 11, true},
    };
    struct policy *p =
        make_policy(OPTIONS(.has_rebind_protection = true), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(
            refused(p, "a.example", 6, TYPE_SVCB, cases[i].data, cases[i].len),
            cases[i].want);
        assert_int_equal(
            refused(p, "a.example", 6, TYPE_HTTPS, cases[i].data, cases[i].len),
            cases[i].want);
    }
    policy_release(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_addresses_are_known),
        cmocka_unit_test(it_holds_where_it_is_wanted),
        cmocka_unit_test(every_record_of_the_answer_counts),
        cmocka_unit_test(odd_data_do_no_harm),
        cmocka_unit_test(hints_of_services_count),
    };
    return cmocka_run_group_tests_name("policy_rebind", tests, NULL, NULL);
}
