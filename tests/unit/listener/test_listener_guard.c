/*
 * What the guard decides from a configuration, and what it counts.
 */
#include "base/attr.h"
#include "dns/message.h"
#include "listener/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t hash_key[16] = {9};

/* 12 + 13 + 4 octets: www.example, A. */
static const uint8_t query[] = {
    0x12, 0x34, 1,   0,   0,   1,   0,   0,   0,   0, 0, 0, 3, 'w', 'W',
    'w',  7,    'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0};

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(text, strlen(text), &a), 0);
    return a;
}

static struct guard *make_guard(const struct config *config)
{
    struct guard *g = NULL;

    assert_int_equal(guard_create(config, hash_key, &g), 0);
    return g;
}

static const struct config plain = {.max_udp_size = 1232};

static void default_serves_those_that_are_near(void **state)
{
    struct guard *g = make_guard(&plain);
    struct addr near = addr_of("192.168.1.7");
    struct addr far = addr_of("198.51.100.1");

    (void)state;
    assert_false(guard_has_answer_limit(g));
    assert_true(guard_admits_connection(g, &near));
    assert_false(guard_admits_connection(g, &far));
    assert_int_equal(guard_judge(g, &far, true, 0), GUARD_NOT_ALLOWED);
    for (int i = 0; i < 1000; i++) { /* without a rate, no limit */
        assert_int_equal(guard_judge(g, &near, i % 2 == 0, 0), GUARD_ADMIT);
    }
    assert_int_equal(guard_stats(g)->not_allowed, 2);
    assert_int_equal(guard_stats(g)->over_rate, 0);
    assert_int_equal(guard_stats(g)->silent, 0);
    guard_destroy(g);
    guard_destroy(NULL);
}

static void allow_is_what_the_configuration_says(void **state)
{
    struct cidr range = {{.ip = {198, 51, 100}, .family = 4}, 24};
    struct config config = {.allow = &range, .allow_count = 1};
    struct guard *g = make_guard(&config);
    struct addr inside = addr_of("198.51.100.1");
    struct addr loopback = addr_of("127.0.0.1");

    (void)state;
    range.prefix_len = 32; /* it has its own copy */
    assert_int_equal(guard_judge(g, &inside, false, 0), GUARD_ADMIT);
    assert_int_equal(guard_judge(g, &loopback, false, 0), GUARD_NOT_ALLOWED);
    guard_destroy(g);
}

static void few_are_told_that_they_are_not_allowed(void **state)
{
    struct guard *g = make_guard(&plain);
    struct addr far = addr_of("2001:db8::1");

    (void)state;
    for (uint64_t ms = 5999; ms < 8000; ms += 1000) {
        for (int i = 0; i < 100; i++) {
            assert_int_equal(guard_judge(g, &far, false, ms),
                             i < GUARD_REFUSALS_PER_S ? GUARD_NOT_ALLOWED
                                                      : GUARD_DROP);
        }
        assert_int_equal(guard_judge(g, &far, true, ms), GUARD_NOT_ALLOWED);
    }
    assert_int_equal(guard_stats(g)->not_allowed, 303);
    assert_int_equal(guard_stats(g)->silent, 3 * (100 - GUARD_REFUSALS_PER_S));
    guard_destroy(g);
}

static void rate_holds_over_udp_and_tcp_together(void **state)
{
    struct config config = {.rate_limit = 10, .max_udp_size = 1232};
    struct guard *g = make_guard(&config);
    struct addr client = addr_of("127.0.0.1");
    struct addr other = addr_of("127.0.0.2");
    struct addr far = addr_of("198.51.100.1");

    (void)state;
    for (int i = 0; i < 20; i++) { /* rate_burst is twice rate_limit */
        assert_int_equal(guard_judge(g, &client, i % 2 == 0, 0), GUARD_ADMIT);
    }
    assert_int_equal(guard_judge(g, &client, false, 0), GUARD_DROP);
    assert_int_equal(guard_judge(g, &client, true, 0), GUARD_OVER_RATE);
    assert_int_equal(guard_judge(g, &other, false, 0), GUARD_ADMIT);
    assert_int_equal(guard_judge(g, &far, false, 0), GUARD_NOT_ALLOWED);
    assert_int_equal(guard_judge(g, &client, false, 100), GUARD_ADMIT);
    assert_int_equal(guard_stats(g)->over_rate, 2);
    assert_int_equal(guard_stats(g)->silent, 1);
    guard_destroy(g);
}

static void burst_is_what_the_configuration_says(void **state)
{
    struct config config = {.rate_limit = 10, .rate_burst = 3};
    struct guard *g = make_guard(&config);
    struct addr client = addr_of("127.0.0.1");

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(guard_judge(g, &client, false, 0),
                         i < 3 ? GUARD_ADMIT : GUARD_DROP);
    }
    guard_destroy(g);
}

static const struct refusal_case {
    enum guard_verdict verdict;
    bool has_opt;
    unsigned ede;
} refusal_cases[] = {
    {GUARD_NOT_ALLOWED, true, DNS_EDE_PROHIBITED},
    {GUARD_OVER_RATE, true, DNS_EDE_OTHER},
    {GUARD_NOT_ALLOWED, false, 0},
};

static void refusals_say_why(void **state)
{
    struct guard *g = make_guard(&plain);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusal_cases); i++) {
        const struct refusal_case *c = &refusal_cases[i];
        uint8_t asked[sizeof(query) + sizeof(opt)], out[512];
        struct dns_response r;
        struct span value;
        size_t cursor = 0;
        size_t len;

        memcpy(asked, query, sizeof(query));
        memcpy(asked + sizeof(query), opt, sizeof(opt));
        asked[11] = c->has_opt;
        len = guard_write_refusal(
            g, c->verdict,
            span_of(asked, sizeof(query) + (c->has_opt ? sizeof(opt) : 0)),
            i == 1, out, sizeof(out));
        assert_int_equal(dns_response_parse(span_of(out, len), &r), 0);
        assert_int_equal(r.id, 0x1234);
        assert_int_equal(r.rcode, DNS_RCODE_REFUSED);
        assert_memory_equal(out + 12, query + 12, sizeof(query) - 12);
        assert_int_equal(r.opt.is_present, c->has_opt);
        assert_int_equal(dns_opt_next(&r.opt, DNS_OPTION_EDE, &cursor, &value),
                         c->has_opt);
        if (c->has_opt) {
            assert_int_equal(dns_get16(value.ptr), c->ede);
            assert_int_equal(r.opt.udp_size, 1232);
        }
    }
    guard_destroy(g);
}

static void what_is_no_query_is_not_refused(void **state)
{
    struct guard *g = make_guard(&plain);
    uint8_t octets[sizeof(query)];
    uint8_t out[512];

    (void)state;
    memcpy(octets, query, sizeof(query));
    assert_int_equal(guard_write_refusal(g, GUARD_NOT_ALLOWED,
                                         span_of(octets, 11), false, out,
                                         sizeof(out)),
                     0);
    /* A question that cannot be read is refused all the same. */
    assert_int_equal(guard_write_refusal(g, GUARD_NOT_ALLOWED,
                                         span_of(octets, 20), false, out,
                                         sizeof(out)),
                     12);
    assert_int_equal(out[3] & DNS_RCODE_MASK, DNS_RCODE_REFUSED);
    octets[2] |= 0x80; /* an answer: two servers could go on for ever */
    assert_int_equal(guard_write_refusal(g, GUARD_NOT_ALLOWED,
                                         span_of(octets, sizeof(octets)), false,
                                         out, sizeof(out)),
                     0);
    guard_destroy(g);
}

/* An answer with 16 octets of a record behind query's question. */
static size_t make_answer(uint8_t *out)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                     0,    60, 0, 4, 192, 0, 2, 1};

    memcpy(out, query, sizeof(query));
    memcpy(out + sizeof(query), record, sizeof(record));
    out[2] |= 0x80;
    out[7] = 1;
    return sizeof(query) + sizeof(record);
}

static void like_answers_are_cut_and_dropped(void **state)
{
    struct config config = {.response_rate_limit = 2, .response_rate_slip = 2};
    struct guard *g = make_guard(&config);
    struct addr client = addr_of("198.51.100.1");
    const size_t whole = sizeof(query) + 16;
    const size_t want[] = {whole, whole, 0, sizeof(query), 0, sizeof(query)};

    (void)state;
    assert_true(guard_has_answer_limit(g));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        uint8_t answer[64];
        size_t len = make_answer(answer);

        assert_int_equal(guard_filter_answer(g, &client, false, answer, len, 7),
                         want[i]);
        if (want[i] == sizeof(query)) {
            assert_int_equal(dns_get16(answer + 2), 0x8300);
            assert_int_equal(dns_get16(answer + 6), 0);
        }
        /* Whoever has proved its address gets all, and is not counted. */
        len = make_answer(answer);
        assert_int_equal(guard_filter_answer(g, &client, true, answer, len, 7),
                         whole);
    }
    assert_int_equal(guard_stats(g)->answers_cut, 2);
    assert_int_equal(guard_stats(g)->answers_dropped, 2);
    guard_destroy(g);
}

static void without_a_limit_every_answer_is_sent(void **state)
{
    struct guard *g = make_guard(&plain);
    struct addr client = addr_of("127.0.0.1");

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint8_t answer[64];
        size_t len = make_answer(answer);

        assert_int_equal(guard_filter_answer(g, &client, false, answer, len, 7),
                         len);
    }
    guard_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_serves_those_that_are_near),
        cmocka_unit_test(allow_is_what_the_configuration_says),
        cmocka_unit_test(few_are_told_that_they_are_not_allowed),
        cmocka_unit_test(rate_holds_over_udp_and_tcp_together),
        cmocka_unit_test(burst_is_what_the_configuration_says),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(what_is_no_query_is_not_refused),
        cmocka_unit_test(like_answers_are_cut_and_dropped),
        cmocka_unit_test(without_a_limit_every_answer_is_sent),
    };
    return cmocka_run_group_tests_name("listener_guard", tests, NULL, NULL);
}
