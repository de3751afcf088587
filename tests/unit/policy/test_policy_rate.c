/*
 * Token buckets: what one client may, whom it is counted with, what a flood of
 * others does to it; and which answers count as alike.
 */
#include "base/attr.h"
#include "base/rng.h"
#include "dns/wire.h"
#include "policy/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t hash_key[16] = {1, 2, 3};

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(text, strlen(text), &a), 0);
    return a;
}

static struct rate *make_rate(unsigned per_s, unsigned burst)
{
    struct rate *r = NULL;

    assert_int_equal(rate_create(per_s, burst, hash_key, &r), 0);
    return r;
}

/* ---- queries ---- */

static const struct step {
    uint64_t now_ms;
    unsigned asked, want;
} steps[] = {
    {1000, 7, 5},
    {1000, 1, 0},
    {1099, 1, 0},
    {1100, 2, 1},
    {1250, 2, 1},
    {1299, 1, 0},
    {1300, 2, 1},
    {1750, 9, 4},
    {1799, 1, 0},
    {1800, 1, 1},
    {9000, 9, 5},
    {8000, 3, 0}, /* back: nothing is taken away, nothing gained … */
    {8100, 3, 1}, /* … and from there it goes on */
    {8100 + (1ull << 32), 3, 0}, /* the lower 32 bits alone are kept */
    {8200 + (1ull << 32), 3, 1},
    {8200 + (3ull << 31), 9, 5},
};

static void bucket_of_ten_a_second_and_five_at_once(void **state)
{
    struct rate *r = make_rate(10, 5);
    struct addr client = addr_of("192.0.2.1");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        unsigned got = 0;
        for (unsigned n = 0; n < steps[i].asked; n++) {
            got += rate_take(r, &client, steps[i].now_ms);
        }
        if (got != steps[i].want) {
            fail_msg("step %zu: %u of %u", i, got, steps[i].asked);
        }
    }
    rate_destroy(r);
    rate_destroy(NULL);
}

static const struct same_case {
    const char *one, *other;
    bool is_same;
} same_cases[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.0", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"192.0.2.1", "::192.0.2.1", false},
    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
    {"fe80::1%1", "fe80::2%1", false},
    {"fe80::1%1", "fe80::1%2", false},
    {"fe80::1%1", "fe80::1%1", true},
    {"192.0.2.1", "c000:201::", false}, /* the same first octets */
    {"::", "0.0.0.0", false},
};

static void clients_are_told_apart_by_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(same_cases); i++) {
        const struct same_case *c = &same_cases[i];
        struct rate *r = make_rate(1, 1);
        struct addr one = addr_of(c->one);
        struct addr other = addr_of(c->other);

        one.port = 1;
        other.port = 2;
        assert_true(rate_take(r, &one, 0));
        if (rate_take(r, &other, 0) == c->is_same) {
            fail_msg("%s and %s", c->one, c->other);
        }
        rate_destroy(r);
    }
}

/* The same in numbers that cannot run over. */
static void random_times_follow_the_model(void **state)
{
    struct addr client = addr_of("2001:db8::1");
    struct rng rng;

    (void)state;
    rng_seed(&rng, 11);
    for (int round = 0; round < 40; round++) {
        uint64_t per_s = 1 + rng_below(&rng, 2000);
        uint64_t burst = 1 + rng_below(&rng, 4000);
        struct rate *r = make_rate((unsigned)per_s, (unsigned)burst);
        uint64_t now_ms = rng_next(&rng) >> 20;
        uint64_t level = burst * 1000;

        for (int n = 0; n < 2000; n++) {
            uint64_t pause_ms =
                rng_below(&rng, 4) == 0
                    ? rng_below(&rng, (uint32_t)(2000 / per_s + 2))
                    : 0;
            bool want;

            now_ms += pause_ms;
            level += pause_ms * per_s;
            level = level < burst * 1000 ? level : burst * 1000;
            want = level >= 1000;
            level -= want ? 1000 : 0;
            assert_int_equal(rate_take(r, &client, now_ms), want);
        }
        rate_destroy(r);
    }
}

static void extreme_rates_do_not_run_over(void **state)
{
    static const unsigned values[] = {0, 1, 1000000, 2147484, UINT32_MAX};
    struct addr client = addr_of("192.0.2.1");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            struct rate *r = make_rate(values[i], values[k]);

            assert_true(rate_take(r, &client, 0));
            (void)rate_take(r, &client, UINT32_MAX);
            (void)rate_take(r, &client, UINT64_MAX);
            (void)rate_take(r, &client, 0);
            rate_destroy(r);
        }
    }
}

/* 20,000 a second from one address, and one honest client among them. */
static void a_flood_is_held_to_its_rate(void **state)
{
    struct rate *r = make_rate(100, 200);
    struct addr flooder = addr_of("203.0.113.9");
    struct addr honest = addr_of("203.0.113.10");
    unsigned passed = 0;

    (void)state;
    for (uint64_t ms = 0; ms < 5000; ms++) {
        for (int n = 0; n < 20; n++) {
            passed += rate_take(r, &flooder, ms);
        }
        if (ms % 20 == 0) { /* 50 a second */
            assert_true(rate_take(r, &honest, ms));
        }
    }
    assert_int_equal(passed, 200 + 499);
    rate_destroy(r);
}

/* Forged addresses push others out: they err on the client's side. */
static void a_flood_of_addresses_hurts_nobody(void **state)
{
    struct rate *r = make_rate(20, 40);
    struct addr honest = addr_of("203.0.113.10");
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (uint64_t ms = 0; ms < 5000; ms++) {
        for (int n = 0; n < 40; n++) {
            struct addr forged = {.family = 4};
            uint32_t ip = (uint32_t)rng_next(&rng);

            memcpy(forged.ip, &ip, sizeof(ip));
            (void)rate_take(r, &forged, ms);
        }
        if (ms % 50 == 0) {
            assert_true(rate_take(r, &honest, ms));
        }
    }
    rate_destroy(r);
}

/* Who asks all the time is not the one who gives way, as long as no four
 * others come to its set at once. */
static void the_longest_untouched_gives_way(void **state)
{
    struct rate *r = make_rate(1, 1);
    struct addr busy = addr_of("203.0.113.9");
    unsigned passed = 0;

    (void)state;
    for (uint32_t ms = 0; ms < 30000; ms++) {
        struct addr other = {.family = 4};

        memcpy(other.ip, &ms, sizeof(ms));
        (void)rate_take(r, &other, ms);
        passed += rate_take(r, &busy, ms);
    }
    assert_int_equal(passed, 30);
    rate_destroy(r);
}

/* As many clients as the table is for keep their buckets, all but those whose
 * set is full. */
static void a_thousand_clients_are_remembered(void **state)
{
    struct rate *r = make_rate(1, 1);
    unsigned forgotten = 0;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (unsigned n = 0; n < 1000; n++) {
            struct addr client = {.family = 4, .ip = {10, 0}};

            client.ip[2] = (uint8_t)(n >> 8);
            client.ip[3] = (uint8_t)n;
            forgotten += rate_take(r, &client, 0) && round > 0;
        }
    }
    assert_in_range(forgotten, 0, 30);
    rate_destroy(r);
}

/* ---- answers ---- */

struct answer {
    uint8_t octets[DNS_HEADER_LEN + DNS_NAME_MAX + 4];
    size_t len;
};

/* name: wire form; NULL: without a question. */
static struct answer make_answer(unsigned rcode, const char *name,
                                 size_t name_len, unsigned type)
{
    struct answer a = {.len = DNS_HEADER_LEN};

    dns_put16(a.octets + 2, DNS_FLAG_QR | rcode);
    if (name != NULL) {
        dns_put16(a.octets + 4, 1);
        memcpy(a.octets + a.len, name, name_len);
        dns_put16(a.octets + a.len + name_len, type);
        dns_put16(a.octets + a.len + name_len + 2, DNS_CLASS_IN);
        a.len += name_len + 4;
    }
    return a;
}

static enum response_verdict take(struct response_rate *r, const char *client,
                                  const struct answer *a, uint64_t now_ms)
{
    struct addr addr = addr_of(client);
    uint8_t *exact = malloc(a->len);
    enum response_verdict verdict;

    assert_non_null(exact);
    memcpy(exact, a->octets, a->len);
    verdict = response_rate_take(r, &addr, span_of(exact, a->len), now_ms);
    free(exact);
    return verdict;
}

static struct response_rate *make_response_rate(unsigned per_s, unsigned slip)
{
    struct response_rate *r = NULL;

    assert_int_equal(response_rate_create(per_s, slip, hash_key, &r), 0);
    return r;
}

#define NAME(wire) (wire), sizeof(wire)

static const struct alike_case {
    const char *title;
    unsigned rcode[2];
    const char *name[2];
    size_t name_len[2];
    unsigned type[2];
    bool is_alike;
} alike_cases[] = {
#define TWO(title, rcode_1, name_1, type_1, rcode_2, name_2, type_2, is_alike) \
    { \
        title, {rcode_1, rcode_2}, {name_1, name_2}, \
            {sizeof(name_1), sizeof(name_2)}, {type_1, type_2}, is_alike \
    }
    TWO("the same", 0, "\1a\1b", 1, 0, "\1a\1b", 1, true),
    TWO("in other letters", 0, "\1a\1b", 1, 0, "\1A\1B", 1, true),
    TWO("another name", 0, "\1a\1b", 1, 0, "\1c\1b", 1, false),
    TWO("another type", 0, "\1a\1b", 1, 0, "\1a\1b", 28, false),
    TWO("a name that begins alike", 0, "\1a", 1, 0, "\1a\1b", 1, false),
    TWO("nxdomain, one parent", 3, "\1a\1b", 1, 3, "\4xyzt\1B", 28, true),
    TWO("nxdomain, another parent", 3, "\1a\1b", 1, 3, "\1a\1c", 1, false),
    TWO("nxdomain, deeper", 3, "\1a\1b", 1, 3, "\1a\1a\1b", 1, false),
    TWO("nxdomain of the root", 3, "", 1, 3, "\1b", 1, true),
    TWO("nxdomain and data", 3, "\1a\1b", 1, 0, "\1a\1b", 1, false),
    TWO("errors", 2, "\1a\1b", 1, 5, "\1x\1y", 28, true),
    TWO("error and nxdomain", 2, "\1a\1b", 1, 3, "\1a\1b", 1, false),
    TWO("error and data", 2, "\1a\1b", 1, 0, "\1a\1b", 1, false),
#undef TWO
};

static void answers_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(alike_cases); i++) {
        const struct alike_case *c = &alike_cases[i];
        struct response_rate *r = make_response_rate(1, 0);
        struct answer a[2];

        for (size_t k = 0; k < 2; k++) {
            a[k] = make_answer(c->rcode[k], c->name[k], c->name_len[k],
                               c->type[k]);
        }
        assert_int_equal(take(r, "192.0.2.1", &a[0], 0), RESPONSE_SEND);
        if (take(r, "192.0.2.1", &a[1], 0) !=
            (c->is_alike ? RESPONSE_DROP : RESPONSE_SEND)) {
            fail_msg("%s", c->title);
        }
        response_rate_destroy(r);
    }
    response_rate_destroy(NULL);
}

static const struct same_case same_prefix_cases[] = {
    {"192.0.2.1", "192.0.2.255", true},
    {"192.0.2.1", "192.0.3.1", false},
    {"192.0.2.1", "::ffff:192.0.2.9", true},
    {"2001:db8:1:2ff::1", "2001:db8:1:200::2", true},
    {"2001:db8:1:2ff::1", "2001:db8:1:300::1", false},
};

static void answers_count_by_prefix(void **state)
{
    struct answer a = make_answer(0, NAME("\1a\1b"), DNS_TYPE_A);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(same_prefix_cases); i++) {
        const struct same_case *c = &same_prefix_cases[i];
        struct response_rate *r = make_response_rate(1, 0);

        assert_int_equal(take(r, c->one, &a, 0), RESPONSE_SEND);
        if (take(r, c->other, &a, 0) !=
            (c->is_same ? RESPONSE_DROP : RESPONSE_SEND)) {
            fail_msg("%s and %s", c->one, c->other);
        }
        response_rate_destroy(r);
    }
}

/* s: sent, c: cut, -: dropped. */
static const struct slip_case {
    unsigned per_s, slip;
    const char *want;
} slip_cases[] = {
    {3, 0, "sss-------"}, {3, 1, "sssccccccc"}, {3, 2, "sss-c-c-c-"},
    {3, 3, "sss--c--c-"}, {1, 2, "s-c-c-c-c-"},
};

static void every_slipth_is_cut(void **state)
{
    struct answer a = make_answer(0, NAME("\1a\1b"), DNS_TYPE_A);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(slip_cases); i++) {
        const struct slip_case *c = &slip_cases[i];
        struct response_rate *r = make_response_rate(c->per_s, c->slip);
        char got[16] = "";

        for (size_t n = 0; n < strlen(c->want); n++) {
            got[n] = "sc-"[take(r, "192.0.2.1", &a, 50)];
        }
        assert_string_equal(got, c->want);
        response_rate_destroy(r);
    }
}

/* The count to slip begins anew once the client was quiet. */
static void slip_is_counted_from_the_limit(void **state)
{
    struct response_rate *r = make_response_rate(1, 2);
    struct answer a = make_answer(0, NAME("\1a\1b"), DNS_TYPE_A);

    (void)state;
    for (uint64_t ms = 0; ms < 100000; ms += 10000) {
        assert_int_equal(take(r, "192.0.2.1", &a, ms), RESPONSE_SEND);
        assert_int_equal(take(r, "192.0.2.1", &a, ms), RESPONSE_DROP);
    }
    response_rate_destroy(r);
}

/* While a flood lasts nothing gets through whole; it is paid back in 15 s. */
static void a_flood_of_answers_runs_up_a_debt(void **state)
{
    struct response_rate *r = make_response_rate(10, 2);
    struct answer a = make_answer(0, NAME("\1a\1b"), DNS_TYPE_A);
    struct answer other = make_answer(0, NAME("\1c\1b"), DNS_TYPE_A);
    unsigned verdicts[3] = {0};

    (void)state;
    for (uint64_t ms = 0; ms < 20000; ms++) {
        verdicts[take(r, "192.0.2.1", &a, ms)]++;
        if (ms % 200 == 0) {
            assert_int_equal(take(r, "192.0.2.1", &other, ms), RESPONSE_SEND);
        }
    }
    assert_in_range(verdicts[RESPONSE_SEND], 10, 12);
    assert_in_range(verdicts[RESPONSE_CUT], 9990, 9996);

    assert_int_not_equal(take(r, "192.0.2.1", &a, 20000 + 14900),
                         RESPONSE_SEND);
    assert_int_equal(take(r, "192.0.2.1", &a, 20000 + 15300), RESPONSE_SEND);
    response_rate_destroy(r);
}

/* Whatever it is given, it says something, and reads no further. */
static void odd_answers_are_taken(void **state)
{
    struct response_rate *r = make_response_rate(UINT32_MAX, 0);
    struct response_rate *few = make_response_rate(1, 1);
    struct answer none = make_answer(1, NULL, 0, 0);
    struct answer bad = make_answer(0, NAME("\1a\1b"), DNS_TYPE_A);
    char longest[DNS_NAME_MAX + 1] = {0};
    struct answer whole;

    (void)state;
    for (size_t at = 0; at < 254; at += 2) {
        memcpy(longest + at, "\1x", 2);
    }
    whole = make_answer(0, longest, DNS_NAME_MAX, DNS_TYPE_A);
    for (size_t len = DNS_HEADER_LEN; len <= whole.len; len++) {
        struct answer part = whole;

        part.len = len;
        assert_int_equal(take(r, "192.0.2.1", &part, 0), RESPONSE_SEND);
        assert_int_equal(take(r, "192.0.2.1", &part, UINT64_MAX),
                         RESPONSE_SEND);
    }
    assert_int_equal(take(few, "192.0.2.1", &none, 0), RESPONSE_SEND);
    bad.octets[DNS_HEADER_LEN] = 0x80; /* no question either: an error */
    assert_int_equal(take(few, "192.0.2.1", &bad, 0), RESPONSE_CUT);
    response_rate_destroy(r);
    response_rate_destroy(few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_of_ten_a_second_and_five_at_once),
        cmocka_unit_test(clients_are_told_apart_by_prefix),
        cmocka_unit_test(random_times_follow_the_model),
        cmocka_unit_test(extreme_rates_do_not_run_over),
        cmocka_unit_test(a_flood_is_held_to_its_rate),
        cmocka_unit_test(a_flood_of_addresses_hurts_nobody),
        cmocka_unit_test(the_longest_untouched_gives_way),
        cmocka_unit_test(a_thousand_clients_are_remembered),
        cmocka_unit_test(answers_alike),
        cmocka_unit_test(answers_count_by_prefix),
        cmocka_unit_test(every_slipth_is_cut),
        cmocka_unit_test(slip_is_counted_from_the_limit),
        cmocka_unit_test(a_flood_of_answers_runs_up_a_debt),
        cmocka_unit_test(odd_answers_are_taken),
    };
    return cmocka_run_group_tests_name("policy_rate", tests, NULL, NULL);
}
