/*
 * Ranges of addresses: their texts, what lies in them, and many of them against
 * the plainest way to ask.
 */
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "policy/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(text, strlen(text), &a), 0);
    return a;
}

static struct cidr cidr_of(const char *text)
{
    struct cidr c;

    assert_int_equal(cidr_parse(text, strlen(text), &c), 0);
    return c;
}

static const struct parse_case {
    const char *text;
    const char *want; /* NULL: ERR_INVAL */
} parse_cases[] = {
    {"192.0.2.0/24", "192.0.2.0/24"},
    {"192.0.2.1", "192.0.2.1/32"},
    {"192.0.2.1/32", "192.0.2.1/32"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"128.0.0.0/1", "128.0.0.0/1"},
    {"10.0.0.0/9", "10.0.0.0/9"},
    {"2001:db8::/32", "2001:db8::/32"},
    {"2001:DB8:0:0::/33", "2001:db8::/33"},
    {"::1", "::1/128"},
    {"::/0", "::/0"},
    {"fe80::/10", "fe80::/10"},
    {"2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65"},
    {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
    {"::ffff:192.0.2.1", "192.0.2.1/32"},
    {"::ffff:0:0/96", "0.0.0.0/0"},
    {"::fffe:0:0/95", "::fffe:0:0/95"}, /* more than IPv4 */

    {"", NULL},
    {"/", NULL},
    {"/8", NULL},
    {"10.0.0.0/", NULL},
    {"10.0.0.0/33", NULL},
    {"10.0.0.0/256", NULL},
    {"10.0.0.0/4294967304", NULL},
    {"10.0.0.0/08", NULL},
    {"10.0.0.0/+8", NULL},
    {"10.0.0.0/-8", NULL},
    {"10.0.0.0/8 ", NULL},
    {" 10.0.0.0/8", NULL},
    {"10.0.0.0/8/8", NULL},
    {"10.0.0.0/a", NULL},
    {"10.0.0/8", NULL},
    {"10.0.0.1/8", NULL}, /* bits below the prefix */
    {"10.128.0.0/8", NULL},
    {"10.64.0.0/9", NULL},
    {"1.0.0.0/0", NULL},
    {"::1/0", NULL},
    {"::/129", NULL},
    {"2001:db8::1/64", NULL},
    {"2001:db8::8000:0:0:0/64", NULL},
    {"fe80::%1/64", NULL}, /* a range has no interface */
    {"::ffff:10.0.0.1/104", NULL},
    {"localhost", NULL},
};

static void texts_are_parsed_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(parse_cases); i++) {
        const struct parse_case *c = &parse_cases[i];
        size_t len = strlen(c->text);
        char *exact = malloc(len + 1); /* no NUL to lean on */
        char text[ADDR_TEXT_MAX];
        struct cidr got = {.prefix_len = 77};

        assert_non_null(exact);
        memcpy(exact, c->text, len);
        exact[len] = '8';
        if (cidr_parse(exact, len, &got) != (c->want == NULL ? ERR_INVAL : 0)) {
            fail_msg("\"%s\": right or wrong?", c->text);
        }
        free(exact);
        if (c->want == NULL) {
            assert_int_equal(got.prefix_len, 77); /* untouched */
        } else {
            assert_string_equal(cidr_text(&got, text), c->want);
        }
    }
}

static const struct hold_case {
    const char *range;
    const char *addr;
    bool want;
} hold_cases[] = {
    {"192.0.2.0/24", "192.0.2.0", true},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.1.255", false},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.1/32", "192.0.2.1", true},
    {"192.0.2.1/32", "192.0.2.2", false},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::", false},
    {"::/0", "192.0.2.1", false},
    {"::/0", "ffff::ffff", true},
    {"::/0", "::ffff:192.0.2.1", false}, /* it is IPv4 */
    {"192.0.2.0/24", "::ffff:192.0.2.7", true},
    {"192.0.2.0/24", "::192.0.2.7", false},
    {"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"2001:db8::/32", "2001:db9::", false},
    {"2001:db8::/32", "2001:db7:ffff::", false},
    {"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
    {"2001:db8::/64", "2001:db8:0:1::", false},
    {"2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", true},
    {"2001:db8::/65", "2001:db8::8000:0:0:0", false},
    {"2001:db8::/127", "2001:db8::1", true},
    {"2001:db8::/127", "2001:db8::2", false},
    {"2001:db8::1/128", "2001:db8::1", true},
    {"2001:db8::1/128", "2001:db8::", false},
    {"fe80::/10", "fe80::1%1", true},
};

static void ranges_hold_their_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hold_cases); i++) {
        const struct hold_case *c = &hold_cases[i];
        struct cidr range = cidr_of(c->range);
        struct addr a = addr_of(c->addr);
        struct access *access = NULL;

        if (cidr_holds(&range, &a) != c->want) {
            fail_msg("%s in %s?", c->addr, c->range);
        }
        assert_int_equal(access_create(&range, 1, &access), 0);
        if (access_allows(access, &a) != c->want) {
            fail_msg("%s allowed by %s?", c->addr, c->range);
        }
        access_destroy(access);
    }
}

static const struct default_case {
    const char *addr;
    bool want;
} default_cases[] = {
    {"127.0.0.1", true},
    {"127.255.255.255", true},
    {"128.0.0.0", false},
    {"126.255.255.255", false},
    {"::1", true},
    {"::", false},
    {"::2", false},
    {"10.0.0.0", true},
    {"10.255.255.255", true},
    {"9.255.255.255", false},
    {"11.0.0.0", false},
    {"172.15.255.255", false},
    {"172.16.0.0", true},
    {"172.31.255.255", true},
    {"172.32.0.0", false},
    {"192.167.255.255", false},
    {"192.168.0.0", true},
    {"192.168.255.255", true},
    {"192.169.0.0", false},
    {"169.253.255.255", false},
    {"169.254.0.0", true},
    {"169.254.255.255", true},
    {"169.255.0.0", false},
    {"100.63.255.255", false},
    {"100.64.0.0", true},
    {"100.127.255.255", true},
    {"100.128.0.0", false},
    {"fbff::", false},
    {"fc00::", true},
    {"fdff:ffff::1", true},
    {"fe00::", false},
    {"fe7f:ffff::", false},
    {"fe80::1", true},
    {"febf:ffff::", true},
    {"fec0::", false},
    {"0.0.0.0", false},
    {"8.8.8.8", false},
    {"2001:db8::1", false},
    {"::ffff:127.0.0.1", true},
    {"::ffff:8.8.8.8", false},
    {"255.255.255.255", false},
    {"ffff::", false},
};

static void default_is_what_is_near(void **state)
{
    const struct cidr *ranges;
    size_t count = access_default(&ranges);
    struct access *access = NULL;

    (void)state;
    assert_int_equal(access_create(ranges, count, &access), 0);
    for (size_t i = 0; i < COUNT_OF(default_cases); i++) {
        struct addr a = addr_of(default_cases[i].addr);
        a.port = 5353; /* of no concern */
        if (access_allows(access, &a) != default_cases[i].want) {
            fail_msg("%s", default_cases[i].addr);
        }
    }
    access_destroy(access);

    for (size_t i = 0; i < count; i++) { /* each says what it means */
        char text[ADDR_TEXT_MAX];
        struct cidr again = cidr_of(cidr_text(&ranges[i], text));
        assert_true(addr_equal(&again.addr, &ranges[i].addr));
        assert_int_equal(again.prefix_len, ranges[i].prefix_len);
    }
}

/* Loopback has a way of its own, and is no exception. */
static void loopback_is_allowed_as_any_other(void **state)
{
    static const struct {
        const char *ranges[2];
        bool v4_first, v4_other, v6;
    } cases[] = {
        {{"127.0.0.0/8", "::1"}, true, true, true},
        {{"127.0.0.0/8", "::/64"}, true, true, true},
        {{"0.0.0.0/0", "::/0"}, true, true, true},
        {{"127.0.0.1", "::1"}, true, false, true},
        {{"127.0.0.0/8", "10.0.0.0/8"}, true, true, false},
        {{"10.0.0.0/8", "::1"}, false, false, true},
        {{"127.0.0.0/9", "127.0.0.0/8"}, true, true, false},
        {{"10.0.0.0/8", "2001:db8::/32"}, false, false, false},
    };
    struct addr v4_first = addr_of("127.0.0.1");
    struct addr v4_other = addr_of("127.200.0.1");
    struct addr v6 = addr_of("::1");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cidr ranges[] = {cidr_of(cases[i].ranges[0]),
                                cidr_of(cases[i].ranges[1])};
        struct access *access = NULL;

        assert_int_equal(access_create(ranges, 2, &access), 0);
        assert_int_equal(access_allows(access, &v4_first), cases[i].v4_first);
        assert_int_equal(access_allows(access, &v4_other), cases[i].v4_other);
        assert_int_equal(access_allows(access, &v6), cases[i].v6);
        access_destroy(access);
    }
}

static void nobody_is_allowed_by_nothing(void **state)
{
    struct access *access = NULL;
    struct addr v4 = addr_of("127.0.0.1");
    struct addr v6 = addr_of("::1");

    (void)state;
    assert_int_equal(access_create(NULL, 0, &access), 0);
    assert_false(access_allows(access, &v4));
    assert_false(access_allows(access, &v6));
    access_destroy(access);
    access_destroy(NULL);
}

/* An address that often lies at the edge of a range: few bits, far apart. */
static struct addr random_addr(struct rng *rng)
{
    static const uint8_t octets[] = {0, 0, 0, 1, 127, 128, 254, 255};
    struct addr a = {.family = rng_below(rng, 2) == 0 ? 4 : 6};

    for (size_t i = 0; i < addr_ip_len(&a); i++) {
        a.ip[i] = octets[rng_below(rng, sizeof(octets))];
    }
    return a;
}

static struct cidr random_cidr(struct rng *rng)
{
    struct cidr c = {.addr = random_addr(rng)};
    size_t len = addr_ip_len(&c.addr);

    c.prefix_len = (uint8_t)rng_below(rng, (uint32_t)len * 8 + 1);
    for (size_t bit = c.prefix_len; bit < len * 8; bit++) {
        c.addr.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
    return c;
}

/* The same, bit by bit. */
static bool plainly_holds(const struct cidr *c, const struct addr *a)
{
    if (c->addr.family != a->family) {
        return false;
    }
    for (unsigned bit = 0; bit < c->prefix_len; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        if (((c->addr.ip[bit / 8] ^ a->ip[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

static void many_ranges_against_each_by_itself(void **state)
{
    enum { ROUNDS = 300, RANGES = 40, ADDRS = 200 };
    struct rng rng;
    unsigned allowed = 0;

    (void)state;
    rng_seed(&rng, 7);
    for (int round = 0; round < ROUNDS; round++) {
        struct cidr ranges[RANGES];
        size_t count = rng_below(&rng, RANGES + 1);
        struct access *access = NULL;

        for (size_t i = 0; i < count; i++) {
            do { /* short prefixes would allow everything */
                ranges[i] = random_cidr(&rng);
            } while (ranges[i].prefix_len < 6);
        }
        assert_int_equal(access_create(ranges, count, &access), 0);
        for (int n = 0; n < ADDRS; n++) {
            struct addr a = random_addr(&rng);
            bool want = false;
            for (size_t i = 0; i < count; i++) {
                want = want || plainly_holds(&ranges[i], &a);
                assert_int_equal(cidr_holds(&ranges[i], &a),
                                 plainly_holds(&ranges[i], &a));
            }
            assert_int_equal(access_allows(access, &a), want);
            allowed += want;
        }
        access_destroy(access);
    }
    assert_in_range(allowed, ROUNDS * ADDRS / 10, ROUNDS * ADDRS * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_parsed_and_written),
        cmocka_unit_test(ranges_hold_their_addresses),
        cmocka_unit_test(default_is_what_is_near),
        cmocka_unit_test(loopback_is_allowed_as_any_other),
        cmocka_unit_test(nobody_is_allowed_by_nothing),
        cmocka_unit_test(many_ranges_against_each_by_itself),
    };
    return cmocka_run_group_tests_name("policy_access", tests, NULL, NULL);
}
