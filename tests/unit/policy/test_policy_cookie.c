/*
 * Server cookies: the examples of RFC 9018 appendix A, and what RFC 7873
 * sections 4 and 5.2 ask for.
 */
#include "base/attr.h"
#include "base/siphash.h"
#include "policy/cookie.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET     "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define OLD_SECRET "dd3bdf9344b678b185a6f5cb60fca715"
#define NEW_SECRET "445536bcd2513298075a5d379663c962"
#define V6_CLIENT  "2001:db8:220:1:59de:d0f4:8769:82b8"

enum { OCTETS_MAX = 64 };

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;

    assert_true(len <= OCTETS_MAX);
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(text, strlen(text), &a), 0);
    a.port = 4711; /* not in the cookie */
    return a;
}

static const struct made_case {
    const char *title;
    const char *secret;
    const char *client;
    const char *client_cookie;
    uint32_t now_s;
    const char *want;
} made_cases[] = {
    {"A.1, a new cookie", SECRET, "198.51.100.100", "2464c4abcf10c957",
     1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
    {"A.2, renewed", SECRET, "198.51.100.100", "2464c4abcf10c957", 1559734385,
     "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
    {"A.3, another client", SECRET, "203.0.113.203", "fc93fc62807ddb86",
     1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
    {"A.4, IPv6 and another secret", NEW_SECRET, V6_CLIENT, "22681ab97d52c298",
     1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
    {"A.1, the address mapped", SECRET, "::ffff:198.51.100.100",
     "2464c4abcf10c957", 1559731985,
     "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
};

static void cookies_are_made_as_in_the_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(made_cases); i++) {
        const struct made_case *c = &made_cases[i];
        struct addr client = addr_of(c->client);
        uint8_t secret[OCTETS_MAX], want[OCTETS_MAX], cookie[OCTETS_MAX];

        (void)unhex(c->secret, secret);
        assert_int_equal(unhex(c->want, want), COOKIE_LEN);
        (void)unhex(c->client_cookie, cookie);
        cookie_make(cookie, &client, secret, c->now_s, cookie); /* in place */
        if (memcmp(cookie, want, COOKIE_LEN) != 0) {
            fail_msg("%s", c->title);
        }
        assert_int_equal(cookie_judge(span_of(cookie, COOKIE_LEN), &client,
                                      secret, c->now_s),
                         COOKIE_GOOD);
    }
}

#define A1      "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
#define A1_HEAD "2464c4abcf10c957"

enum { A1_TIME = 1559731985, A3_TIME = 0x5cf78f71, A4_TIME = 0x5cf7c579 };

static const struct judge_case {
    const char *title;
    const char *option; /* NULL: absent */
    const char *client;
    const char *secret;
    uint32_t now_s;
    enum cookie_verdict want;
} judge_cases[] = {
    {"absent", NULL, "198.51.100.100", SECRET, A1_TIME, COOKIE_NONE},
    {"A.2, 40 minutes later", A1, "198.51.100.100", SECRET, 1559734385,
     COOKIE_GOOD},
    {"A.3, reserved octets are in the hash",
     "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "203.0.113.203",
     SECRET, A3_TIME + 600, COOKIE_GOOD},
    {"A.3, too old by then", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
     "203.0.113.203", SECRET, 1559734700, COOKIE_NEW},
    {"A.4, under the old secret",
     "22681ab97d52c298010000005cf7c57926556bd0934c72f8", V6_CLIENT, OLD_SECRET,
     1559741961, COOKIE_GOOD},
    {"A.4, under the new secret",
     "22681ab97d52c298010000005cf7c57926556bd0934c72f8", V6_CLIENT, NEW_SECRET,
     1559741961, COOKIE_NEW},

    {"of now", A1, "198.51.100.100", SECRET, A1_TIME, COOKIE_GOOD},
    {"an hour old", A1, "198.51.100.100", SECRET, A1_TIME + 3600, COOKIE_GOOD},
    {"older", A1, "198.51.100.100", SECRET, A1_TIME + 3601, COOKIE_NEW},
    {"of the near future", A1, "198.51.100.100", SECRET, A1_TIME - 300,
     COOKIE_GOOD},
    {"of the future", A1, "198.51.100.100", SECRET, A1_TIME - 301, COOKIE_NEW},
    {"half a clock away", A1, "198.51.100.100", SECRET, A1_TIME + 0x80000000u,
     COOKIE_NEW},
    {"of another client", A1, "198.51.100.101", SECRET, A1_TIME, COOKIE_NEW},
    {"another family", A1, V6_CLIENT, SECRET, A1_TIME, COOKIE_NEW},
    {"mapped", A1, "::ffff:198.51.100.100", SECRET, A1_TIME, COOKIE_GOOD},
    {"another client cookie",
     "2464c4abcf10c958010000005cf79f111f8130c3eee29480", "198.51.100.100",
     SECRET, A1_TIME, COOKIE_NEW},
    {"version 2", "2464c4abcf10c957020000005cf79f111f8130c3eee29480",
     "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"another reserved octet",
     "2464c4abcf10c957010000015cf79f111f8130c3eee29480", "198.51.100.100",
     SECRET, A1_TIME, COOKIE_NEW},
    {"another time", "2464c4abcf10c957010000005cf79f121f8130c3eee29480",
     "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"the hash's last bit", "2464c4abcf10c957010000005cf79f111f8130c3eee29481",
     "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"the hash's first bit", "2464c4abcf10c957010000005cf79f119f8130c3eee29480",
     "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},

    {"empty", "", "198.51.100.100", SECRET, A1_TIME, COOKIE_FORM},
    {"7 octets", "2464c4abcf10c9", "198.51.100.100", SECRET, A1_TIME,
     COOKIE_FORM},
    {"a client cookie", A1_HEAD, "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"9 octets", A1_HEAD "01", "198.51.100.100", SECRET, A1_TIME, COOKIE_FORM},
    {"15 octets", A1_HEAD "01000000000000", "198.51.100.100", SECRET, A1_TIME,
     COOKIE_FORM},
    {"16 octets", A1_HEAD A1_HEAD, "198.51.100.100", SECRET, A1_TIME,
     COOKIE_NEW},
    {"23 octets", "2464c4abcf10c957010000005cf79f111f8130c3eee294",
     "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"25 octets", A1 "00", "198.51.100.100", SECRET, A1_TIME, COOKIE_NEW},
    {"40 octets", A1 A1_HEAD A1_HEAD, "198.51.100.100", SECRET, A1_TIME,
     COOKIE_NEW},
    {"41 octets", A1 A1_HEAD A1_HEAD "00", "198.51.100.100", SECRET, A1_TIME,
     COOKIE_FORM},
};

static void options_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(judge_cases); i++) {
        const struct judge_case *c = &judge_cases[i];
        struct addr client = addr_of(c->client);
        struct span option = {NULL, 0};
        uint8_t secret[OCTETS_MAX];
        uint8_t *exact = NULL;

        (void)unhex(c->secret, secret);
        if (c->option != NULL) {
            option.len = strlen(c->option) / 2;
            exact = malloc(option.len + 1);
            assert_non_null(exact);
            /* As in a message, at an odd address and up to its end. */
            (void)unhex(c->option, exact + 1);
            option.ptr = exact + 1;
        }
        if (cookie_judge(option, &client, secret, c->now_s) != c->want) {
            fail_msg("%s", c->title);
        }
        free(exact);
    }
}

/* Servers that share the secret may make cookies that we do not know. */
static void another_version_is_not_ours(void **state)
{
    struct addr client = addr_of("198.51.100.100");
    uint8_t secret[OCTETS_MAX], octets[OCTETS_MAX];
    enum cookie_verdict want = COOKIE_GOOD;

    (void)state;
    (void)unhex(SECRET, secret);
    for (uint8_t version = 1; version <= 2; version++) {
        uint64_t hash;

        /* The hash takes in the address where it lies itself afterwards. */
        (void)unhex(A1_HEAD "010000005cf79f11c6336464", octets);
        octets[8] = version;
        hash = htole64(siphash_2_4(secret, octets, 20));
        memcpy(octets + 16, &hash, sizeof(hash));
        assert_int_equal(
            cookie_judge(span_of(octets, COOKIE_LEN), &client, secret, A1_TIME),
            want);
        want = COOKIE_NEW;
    }
}

/* The clock of 32 bits goes round in 2106: RFC 1982. */
static void time_goes_round(void **state)
{
    static const struct {
        uint32_t made_at_s, now_s;
        enum cookie_verdict want;
    } cases[] = {
        {0xffffffff, 0, COOKIE_GOOD},
        {0xffffffff, 3599, COOKIE_GOOD},
        {0xffffffff, 3600, COOKIE_NEW},
        {0, 0xffffffff, COOKIE_GOOD},
        {10, 0xffffffff - 289, COOKIE_GOOD},
        {10, 0xffffffff - 290, COOKIE_NEW},
        {0x7fffffff, 0x80000000, COOKIE_GOOD},
    };
    const uint8_t secret[COOKIE_SECRET_LEN] = {3};
    const uint8_t client_cookie[COOKIE_CLIENT_LEN] = {4};
    struct addr client = addr_of("192.0.2.1");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t cookie[COOKIE_LEN];

        cookie_make(client_cookie, &client, secret, cases[i].made_at_s, cookie);
        assert_int_equal(cookie_judge(span_of(cookie, sizeof(cookie)), &client,
                                      secret, cases[i].now_s),
                         cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_made_as_in_the_examples),
        cmocka_unit_test(options_are_judged),
        cmocka_unit_test(another_version_is_not_ours),
        cmocka_unit_test(time_goes_round),
    };
    return cmocka_run_group_tests_name("policy_cookie", tests, NULL, NULL);
}
