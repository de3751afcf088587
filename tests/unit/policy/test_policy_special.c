/*
 * Special names, as the RFCs have them, and what a zone may claim.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ZEROS_31 \
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

static const struct special_case {
    const char *name;
    uint16_t type;
    const char *want;
} special_cases[] = {
    /* RFC 6761 section 6.3 */
    {"localhost", DNS_TYPE_A, "special NOERROR aa localhost. 60 A 127.0.0.1"},
    {"LocalHost.", DNS_TYPE_AAAA, "special NOERROR aa LocalHost. 60 AAAA ::1"},
    {"a.b.localhost", DNS_TYPE_A,
     "special NOERROR aa a.b.localhost. 60 A 127.0.0.1"},
    {"localhost", DNS_TYPE_MX, "special NOERROR aa | localhost. 60 SOA"},
    {"a.localhost", DNS_TYPE_TXT, "special NOERROR aa | localhost. 60 SOA"},
    {"localhost", DNS_TYPE_ANY,
     "special NOERROR aa localhost. 60 A 127.0.0.1 localhost. 60 AAAA ::1"},
    {"localhost", TYPE_DS, "special NOERROR aa | localhost. 60 SOA"},
    {"localhost", DNS_TYPE_SOA, "special NOERROR aa localhost. 60 SOA"},
    {"localhost.example.net", DNS_TYPE_A, "none 0"},
    {"notlocalhost", DNS_TYPE_A, "none 0"},
    {"1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NOERROR aa 1.0.0.127.in-addr.arpa. 60 PTR localhost."},
    {"1.0.0.127.IN-ADDR.ARPA", DNS_TYPE_A,
     "special NOERROR aa | 1.0.0.127.IN-ADDR.ARPA. 60 SOA"},
    {"x.1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NXDOMAIN aa | 1.0.0.127.in-addr.arpa. 60 SOA"},
    {"2.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NXDOMAIN aa | 0.0.127.in-addr.arpa. 60 SOA"},
    {"1.2.3.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NXDOMAIN aa | 127.in-addr.arpa. 60 SOA"},
    /* RFC 8020: there is something below these */
    {"0.0.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NOERROR aa | 0.0.127.in-addr.arpa. 60 SOA"},
    {"0.127.in-addr.arpa", DNS_TYPE_PTR,
     "special NOERROR aa | 0.127.in-addr.arpa. 60 SOA"},
    {"1." ZEROS_31 "ip6.arpa", DNS_TYPE_PTR,
     "special NOERROR aa 1." ZEROS_31 "ip6.arpa. 60 PTR localhost."},
    {"2." ZEROS_31 "ip6.arpa", DNS_TYPE_PTR, "none 0"},
    /* RFC 6761 sections 6.2, 6.4 */
    {"test", DNS_TYPE_A, "special NXDOMAIN aa | test. 60 SOA"},
    {"a.test", DNS_TYPE_A, "special NXDOMAIN aa | test. 60 SOA"},
    {"a.b.INVALID", DNS_TYPE_A, "special NXDOMAIN aa | INVALID. 60 SOA"},
    /* RFC 6761 section 6.5: not special for a resolver */
    {"example", DNS_TYPE_A, "none 0"},
    {"www.example.com", DNS_TYPE_A, "none 0"},
    /* RFC 6762 section 22.1 */
    {"printer.local", DNS_TYPE_A, "special NXDOMAIN aa | local. 60 SOA"},
    /* RFC 7686 */
    {"abc.onion", DNS_TYPE_A, "special NXDOMAIN aa | onion. 60 SOA"},
    {"onion", TYPE_DS, "special NXDOMAIN aa | onion. 60 SOA"},
    /* RFC 9476 */
    {"x.alt", DNS_TYPE_A, "special NXDOMAIN aa | alt. 60 SOA"},
    {"x.internal", DNS_TYPE_A, "special NXDOMAIN aa | internal. 60 SOA"},
    /* RFC 8375: the DS of the name itself is its parent's to deny */
    {"home.arpa", DNS_TYPE_NS, "special NOERROR aa | home.arpa. 60 SOA"},
    {"home.arpa", DNS_TYPE_SOA, "special NOERROR aa home.arpa. 60 SOA"},
    {"home.arpa", TYPE_DS, "none 0"},
    {"tv.home.arpa", DNS_TYPE_A, "special NXDOMAIN aa | home.arpa. 60 SOA"},
    {"tv.home.arpa", TYPE_DS, "special NXDOMAIN aa | home.arpa. 60 SOA"},
    {"other.arpa", DNS_TYPE_A, "none 0"},
    /* RFC 9462 */
    {"resolver.arpa", DNS_TYPE_A, "special NOERROR aa | resolver.arpa. 60 SOA"},
    {"_dns.resolver.arpa", 64, "special NOERROR aa | resolver.arpa. 60 SOA"},
    /* RFC 8880 section 7: passed on by a forwarder */
    {"ipv4only.arpa", DNS_TYPE_AAAA, "none 0"},
    {"170.0.0.192.in-addr.arpa", DNS_TYPE_PTR, "none 0"},
    /* a host's name of one label is no special name */
    {"router", DNS_TYPE_A, "none 0"},
    {".", DNS_TYPE_NS, "none 0"},
};

static void special_names_are_answered(void **state)
{
    struct policy *p = make_policy(OPTIONS(), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(special_cases) / sizeof(*special_cases);
         i++) {
        const struct special_case *c = &special_cases[i];

        assert_string_equal(answer(p, c->name, c->type), c->want);
    }
    policy_release(p);
}

/* The registries of RFC 6303 section 4 and RFC 7793. */
static const char *const reverse_zones[] = {
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "0.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0." ZEROS_31 "ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
};

/* Nothing is in the zone: the name itself is there, nothing below it is. */
static void require_empty(const struct policy *p, const char *zone)
{
    char name[128];
    char want[160];

    (void)snprintf(want, sizeof(want), "special NOERROR aa | %s. 60 SOA", zone);
    assert_string_equal(answer(p, zone, DNS_TYPE_PTR), want);
    (void)snprintf(want, sizeof(want), "special NOERROR aa %s. 60 SOA", zone);
    assert_string_equal(answer(p, zone, DNS_TYPE_SOA), want);
    assert_string_equal(answer(p, zone, TYPE_DS), "none 0");
    (void)snprintf(name, sizeof(name), "7.3.%s", zone);
    (void)snprintf(want, sizeof(want), "special NXDOMAIN aa | %s. 60 SOA",
                   zone);
    assert_string_equal(answer(p, name, DNS_TYPE_PTR), want);
}

static void private_reverse_zones_are_empty(void **state)
{
    struct policy *p = make_policy(OPTIONS(), NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(reverse_zones) / sizeof(*reverse_zones);
         i++) {
        require_empty(p, reverse_zones[i]);
    }
    for (unsigned i = 0; i < 256; i++) {
        char zone[32];

        (void)snprintf(zone, sizeof(zone), "%u.172.in-addr.arpa", i);
        if (i >= 16 && i <= 31) {
            require_empty(p, zone);
        } else {
            assert_string_equal(answer(p, zone, DNS_TYPE_PTR), "none 0");
        }
        (void)snprintf(zone, sizeof(zone), "%u.100.in-addr.arpa", i);
        if (i >= 64 && i <= 127) {
            require_empty(p, zone);
        } else {
            assert_string_equal(answer(p, zone, DNS_TYPE_PTR), "none 0");
        }
    }
    policy_release(p);
}

static void zones_claim_special_names(void **state)
{
    static const char *const zones[] = {
        ".", "cluster.local", "10.in-addr.arpa", "arpa", "Home.Arpa.", NULL};
    struct policy *p = make_policy(OPTIONS(), zones);

    (void)state;
    /* at the special suffix, or below it */
    assert_string_equal(answer(p, "a.cluster.local", DNS_TYPE_A), "none 2");
    assert_string_equal(answer(p, "1.0.0.10.in-addr.arpa", DNS_TYPE_PTR),
                        "none 3");
    assert_string_equal(answer(p, "tv.home.arpa", DNS_TYPE_A), "none 5");
    /* above it */
    assert_string_equal(answer(p, "1.168.192.in-addr.arpa", DNS_TYPE_PTR),
                        "special NXDOMAIN aa | 168.192.in-addr.arpa. 60 SOA");
    assert_string_equal(answer(p, "a.test", DNS_TYPE_A),
                        "special NXDOMAIN aa | test. 60 SOA");
    assert_string_equal(answer(p, "local", DNS_TYPE_A),
                        "special NOERROR aa | local. 60 SOA");
    assert_string_equal(answer(p, "cluster2.local", DNS_TYPE_A),
                        "special NXDOMAIN aa | local. 60 SOA");
    /* no special name at all */
    assert_string_equal(answer(p, "8.8.8.8.in-addr.arpa", DNS_TYPE_PTR),
                        "none 4");
    assert_string_equal(answer(p, "example.net", DNS_TYPE_A), "none 1");
    policy_release(p);
}

/* A zone above the private reverse names, as users write it. */
static void wide_reverse_zones_claim_what_is_in_them(void **state)
{
    static const char *const zones[] = {"172.in-addr.arpa",
                                        "!127.in-addr.arpa",
                                        "f.ip6.arpa",
                                        "in-addr.arpa",
                                        "ip6.arpa",
                                        "arpa",
                                        NULL};
    static const struct special_case cases[] = {
        {"1.0.16.172.in-addr.arpa", DNS_TYPE_PTR, "none 1"},
        {"16.172.IN-ADDR.arpa", DNS_TYPE_PTR, "none 1"},
        {"16.172.in-addr.arpa", TYPE_DS, "none 1"},
        {"1.0.0.127.in-addr.arpa", DNS_TYPE_PTR,
         "zone_nx NXDOMAIN aa | 127.in-addr.arpa. 60 SOA"},
        {"0.0.127.in-addr.arpa", DNS_TYPE_PTR,
         "zone_nx NXDOMAIN aa | 127.in-addr.arpa. 60 SOA"},
        {"127.in-addr.arpa", DNS_TYPE_PTR,
         "zone_nx NXDOMAIN aa | 127.in-addr.arpa. 60 SOA"},
        {"1.d.f.ip6.arpa", DNS_TYPE_PTR, "none 3"},
        {"b.e.f.ip6.arpa", DNS_TYPE_PTR, "none 3"},
        /* but not those above all of them */
        {"10.in-addr.arpa", DNS_TYPE_PTR,
         "special NOERROR aa | 10.in-addr.arpa. 60 SOA"},
        {"1.168.192.in-addr.arpa", DNS_TYPE_PTR,
         "special NXDOMAIN aa | 168.192.in-addr.arpa. 60 SOA"},
        {"1." ZEROS_31 "ip6.arpa", DNS_TYPE_PTR,
         "special NOERROR aa 1." ZEROS_31 "ip6.arpa. 60 PTR localhost."},
        {"tv.home.arpa", DNS_TYPE_A, "special NXDOMAIN aa | home.arpa. 60 SOA"},
        {"8.in-addr.arpa", DNS_TYPE_PTR, "none 4"},
    };
    struct policy *p = make_policy(OPTIONS(), zones);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(answer(p, cases[i].name, cases[i].type),
                            cases[i].want);
    }
    policy_release(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_names_are_answered),
        cmocka_unit_test(private_reverse_zones_are_empty),
        cmocka_unit_test(zones_claim_special_names),
        cmocka_unit_test(wide_reverse_zones_claim_what_is_in_them),
    };
    return cmocka_run_group_tests_name("policy_special", tests, NULL, NULL);
}
