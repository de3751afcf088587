/*
 * What is kept and for how long: RFC 2308 with the examples of its section 2,
 * RFC 9520 for failures, RFC 8767 for what a failure does to a good answer.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int begin(void **state)
{
    (void)state;
    begin_cache(&usual);
    return 0;
}

/* ---- RFC 2308 section 2: AN.EXAMPLE is an alias of TRIPLE.XX ---- */

enum { NXDOMAIN = DNS_RCODE_NXDOMAIN };

static void add_alias(void)
{
    add(IN_ANSWER, "c00c", DNS_TYPE_CNAME, 300, "06 545249504c45 02 5858 00");
}

static void add_soa_of_xx(void)
{
    add(IN_AUTHORITY, "02 5858 00", DNS_TYPE_SOA, 600,
        "00 00 00000001 00000e10 00000384 00093a80 0000003c");
}

static void add_ns_of_xx(void)
{
    add(IN_AUTHORITY, "02 5858 00", DNS_TYPE_NS, 600, "c00c");
    add(IN_ADDITIONAL, "c00c", DNS_TYPE_A, 600, "7f000001");
}

static const struct rfc2308_case {
    const char *title;
    unsigned rcode;
    bool has_soa, has_ns;
    enum cache_outcome want;
} rfc2308_cases[] = {
    {"2.1 name error, type 1", NXDOMAIN, true, true, CACHE_KEPT_NEGATIVE},
    {"2.1 name error, type 2", NXDOMAIN, true, false, CACHE_KEPT_NEGATIVE},
    {"2.1 name error, type 3", NXDOMAIN, false, false, CACHE_NOT_SOA},
    {"2.1 name error, type 4", NXDOMAIN, false, true, CACHE_NOT_SOA},
    {"2.1 referral response", 0, false, true, CACHE_NOT_SOA},
    {"2.2 no data, type 1", 0, true, true, CACHE_KEPT_NEGATIVE},
    {"2.2 no data, type 2", 0, true, false, CACHE_KEPT_NEGATIVE},
    {"2.2 no data, type 3", 0, false, false, CACHE_NOT_SOA},
};

static void examples_of_rfc2308(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rfc2308_cases); i++) {
        for (int has_alias = 0; has_alias < 2; has_alias++) {
            const struct rfc2308_case *c = &rfc2308_cases[i];

            begin_cache(&usual);
            answer("an.example", DNS_TYPE_A, c->rcode);
            if (has_alias) {
                add_alias();
            }
            if (c->has_soa) {
                add_soa_of_xx();
            }
            if (c->has_ns) {
                add_ns_of_xx();
            }
            assert_int_equal(store(0), c->want);
            assert_int_equal(ask("AN.example", DNS_TYPE_A, 59999),
                             c->want == CACHE_KEPT_NEGATIVE ? CACHE_FRESH
                                                            : CACHE_MISS);
            assert_int_equal(ask("AN.example", DNS_TYPE_A, 60000), CACHE_MISS);
        }
    }
}

/* ---- how long ---- */

static const struct ttl_case {
    const char *title;
    uint32_t ttl_s, min_s, max_s;
    uint32_t want_s; /* 0: not kept */
} ttl_cases[] = {
    {"as it is", 300, 0, 86400, 300},
    {"one second", 1, 0, 86400, 1},
    {"zero", 0, 0, 86400, 0},
    {"zero is not raised", 0, 60, 86400, 0},
    {"raised", 5, 60, 86400, 60},
    {"cut", 100000, 0, 86400, 86400},
    {"the highest", 0x7fffffff, 0, 0x7fffffff, 0x7fffffff},
    {"above (RFC 2181 section 8)", 0x80000000, 0, 86400, 0},
    {"nothing is kept", 300, 0, 0, 0},
    {"bounds are one", 300, 7, 7, 7},
};

static void ttl_is_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ttl_cases); i++) {
        const struct ttl_case *c = &ttl_cases[i];
        struct cache_options o = usual;
        uint64_t end_ms = c->want_s * 1000ull;

        o.min_ttl_s = c->min_s;
        o.max_ttl_s = c->max_s;
        begin_cache(&o);
        assert_int_equal(store_a("a.example", c->ttl_s, 0),
                         c->want_s > 0 ? CACHE_KEPT : CACHE_NOT_TTL);
        if (c->want_s == 0) {
            assert_int_equal(stats().entries, 0);
            continue;
        }
        assert_int_equal(ask("a.example", DNS_TYPE_A, 0), CACHE_FRESH);
        assert_int_equal(first_ttl_s(), c->want_s);
        assert_int_equal(ask("a.example", DNS_TYPE_A, end_ms - 1), CACHE_FRESH);
        assert_int_equal(first_ttl_s(), 1);
        assert_int_equal(ask("a.example", DNS_TYPE_A, end_ms), CACHE_MISS);
    }
}

static const struct negative_case {
    uint32_t soa_ttl_s, minimum_s, min_s, max_negative_s;
    uint32_t want_s;
} negative_cases[] = {
    {600, 60, 0, 3600, 60}, {60, 600, 0, 3600, 60}, {7200, 7200, 0, 3600, 3600},
    {600, 0, 0, 3600, 0},   {0, 600, 0, 3600, 0},   {600, 600, 0, 0, 0},
    {600, 5, 30, 3600, 30}, {600, 5, 30, 20, 20},   {5, 600, 30, 3600, 30},
};

static void negative_ttl_is_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(negative_cases); i++) {
        const struct negative_case *c = &negative_cases[i];
        struct cache_options o = usual;

        o.min_ttl_s = c->min_s;
        o.max_negative_ttl_s = c->max_negative_s;
        begin_cache(&o);
        answer("a.example", DNS_TYPE_A, NXDOMAIN);
        add_soa(c->soa_ttl_s, c->minimum_s);
        assert_int_equal(store(0),
                         c->want_s > 0 ? CACHE_KEPT_NEGATIVE : CACHE_NOT_TTL);
        if (c->want_s > 0) {
            /* RFC 2308 section 5: the SOA says how long it holds. */
            assert_int_equal(ask("a.example", DNS_TYPE_A, 999), CACHE_FRESH);
            assert_int_equal(first_ttl_s(), c->want_s);
            assert_int_equal(ask("a.example", DNS_TYPE_A, 1000), CACHE_FRESH);
            assert_int_equal(first_ttl_s(), c->want_s - 1);
            assert_int_equal(got.rcode, NXDOMAIN);
        }
    }
}

static void least_ttl_of_all_sections_counts(void **state)
{
    (void)state;
    answer("a.example", DNS_TYPE_A, 0);
    add(IN_ANSWER, "c00c", DNS_TYPE_CNAME, 100, "01 62 c00e");
    add(IN_ANSWER, "01 62 c00e", DNS_TYPE_A, 50, "c0000201");
    add(IN_AUTHORITY, "c00e", DNS_TYPE_NS, 30, "c00c");
    add(IN_ADDITIONAL, "c00c", DNS_TYPE_AAAA, 40, "00");
    assert_int_equal(store(0), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 29999), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 71);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 30000), CACHE_MISS);
}

/* ---- what is not kept ---- */

static const struct rcode_case {
    unsigned rcode;
    enum cache_outcome want;
} rcode_cases[] = {
    {DNS_RCODE_NOERROR, CACHE_KEPT},
    {DNS_RCODE_FORMERR, CACHE_NOT_RCODE},
    {DNS_RCODE_SERVFAIL, CACHE_KEPT_FAILURE},
    {DNS_RCODE_NOTIMP, CACHE_NOT_RCODE},
    {DNS_RCODE_REFUSED, CACHE_NOT_RCODE},
    {6, CACHE_NOT_RCODE},
    {9, CACHE_NOT_RCODE},
    {11, CACHE_NOT_RCODE},
};

static void rcodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rcode_cases); i++) {
        begin_cache(&usual);
        answer("a.example", DNS_TYPE_A, rcode_cases[i].rcode);
        add_a(300);
        assert_int_equal(store(0), rcode_cases[i].want);
        assert_int_equal(stats().entries,
                         rcode_cases[i].want == CACHE_NOT_RCODE ? 0 : 1);
        assert_int_equal(stats().outcomes[rcode_cases[i].want], 1);
    }
    begin_cache(&usual); /* NOERROR below, BADVERS in all */
    answer("a.example", DNS_TYPE_A, 0);
    add_a(300);
    made_opt(&in, 512, "01000000", "");
    assert_int_equal(store(0), CACHE_NOT_RCODE);
}

static void truncated_is_not_kept(void **state)
{
    (void)state;
    answer("a.example", DNS_TYPE_A, DNS_FLAG_TC);
    add_a(300);
    assert_int_equal(store(0), CACHE_NOT_TRUNCATED);
    answer("a.example", DNS_TYPE_A, DNS_FLAG_TC | DNS_RCODE_SERVFAIL);
    assert_int_equal(store(0), CACHE_NOT_TRUNCATED);
}

static const struct scope_case {
    const char *option_hex;
    enum cache_outcome want;
} scope_cases[] = {
    {"0008 0007 0001 18 00 c00002", CACHE_KEPT},
    {"0008 0007 0001 18 18 c00002", CACHE_NOT_SCOPED},
    {"0008 0007 0001 18 01 c00002", CACHE_NOT_SCOPED},
    {"0008 0004 0001 00 00", CACHE_KEPT},
    {"0008 0003 0001 00", CACHE_NOT_SCOPED},
    {"0008 0000", CACHE_NOT_SCOPED},
    {"000c 0002 0000 0008 0007 0001 18 18 c00002", CACHE_NOT_SCOPED},
    {"000c 0002 0000", CACHE_KEPT},
};

/* RFC 7871 */
static void scoped_is_not_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scope_cases); i++) {
        begin_cache(&usual);
        answer("a.example", DNS_TYPE_A, 0);
        add_a(300);
        made_opt(&in, 512, "00000000", scope_cases[i].option_hex);
        assert_int_equal(store(0), scope_cases[i].want);
    }
}

static void answers_to_other_questions_are_not_kept(void **state)
{
    struct dns_response r;
    struct dns_question q;

    (void)state;
    answer("a.example", DNS_TYPE_A, 0);
    add_a(300);
    assert_int_equal(dns_response_parse(made_span(&in), &r), 0);
    q = r.question;
    q.type = DNS_TYPE_AAAA;
    assert_int_equal(
        cache_store(cache, &q, false, false, made_span(&in), &r, 0),
        CACHE_NOT_QUESTION);
    q = r.question;
    q.klass = DNS_CLASS_CH;
    assert_int_equal(
        cache_store(cache, &q, false, false, made_span(&in), &r, 0),
        CACHE_NOT_QUESTION);
    q = r.question;
    q.name = (const uint8_t *)"\1b\7example";
    assert_int_equal(
        cache_store(cache, &q, false, false, made_span(&in), &r, 0),
        CACHE_NOT_QUESTION);
    q = r.question;
    made_header(&in, 0, DNS_FLAG_QR);
    assert_int_equal(dns_response_parse(made_span(&in), &r), 0);
    q.name = (const uint8_t *)"\1a\7example";
    assert_int_equal(
        cache_store(cache, &q, false, false, made_span(&in), &r, 0),
        CACHE_NOT_QUESTION);
    assert_int_equal(stats().entries, 0);
}

static void too_long_is_not_kept(void **state)
{
    struct cache_options o = usual;

    (void)state;
    o.max_len = 4 << 20; /* segments of 64 KiB */
    o.shards = 1;
    begin_cache(&o);
    answer("a.example", DNS_TYPE_TXT, 0);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT, 65000);
    assert_int_equal(store(0), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_TXT, 0), CACHE_FRESH);
    assert_true((got.flags & DNS_FLAG_TC) != 0);
    answer("a.example", DNS_TYPE_TXT, 0);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT, 65535 - 27 - 12);
    assert_int_equal(store(0), CACHE_NOT_LEN); /* and what was there is old */
    assert_int_equal(ask("a.example", DNS_TYPE_TXT, 0), CACHE_MISS);
}

/* What cannot be kept says that what is kept is not so any more. */
static void good_answers_that_are_not_kept_remove(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    assert_int_equal(store_a("a.example", 0, 1000), CACHE_NOT_TTL);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 1000), CACHE_MISS);
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    answer("a.example", DNS_TYPE_A, NXDOMAIN);
    assert_int_equal(store(1000), CACHE_NOT_SOA);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 1000), CACHE_MISS);
}

static void newer_replaces_older(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    answer("A.EXAMPLE", DNS_TYPE_A, NXDOMAIN);
    add_soa(60, 60);
    assert_int_equal(store(1000), CACHE_KEPT_NEGATIVE);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 1000), CACHE_FRESH);
    assert_int_equal(got.rcode, NXDOMAIN);
    assert_int_equal(store_a("a.example", 300, 2000), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 2000), CACHE_FRESH);
    assert_int_equal(got.rcode, 0);
    assert_int_equal(stats().entries, 1);
}

/* ---- failures ---- */

static void failures_are_believed_for_seconds(void **state)
{
    (void)state;
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    made_opt(&in, 512, "00000000", "000f 0005 0016 616263");
    assert_int_equal(store(1000), CACHE_KEPT_FAILURE);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 5999), CACHE_FRESH);
    assert_int_equal(got.rcode, DNS_RCODE_SERVFAIL);
    assert_int_equal(hit.rcode, DNS_RCODE_SERVFAIL);
    assert_false(hit.wants_refresh);
    assert_int_equal(got.opt.options.len, 9); /* as the server gave it */
    assert_int_equal(first_ede(), DNS_EDE_NO_REACHABLE);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 6000), CACHE_MISS);
    assert_false(hit.has_stale);
}

static void failures_without_a_reason_say_that_they_are_cached(void **state)
{
    (void)state;
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(0), CACHE_KEPT_FAILURE);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 10), CACHE_FRESH);
    assert_int_equal(first_ede(), DNS_EDE_CACHED_ERROR);
}

static void failures_may_be_switched_off(void **state)
{
    struct cache_options o = usual;

    (void)state;
    o.failure_ttl_s = 0;
    begin_cache(&o);
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(0), CACHE_NOT_RCODE);
    assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(15000), CACHE_KEPT_OLDER);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 15000), CACHE_MISS);
    assert_true(hit.has_stale);
}

static void failure_does_not_replace_what_is_good(void **state)
{
    static const unsigned errors[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        begin_cache(&usual);
        assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
        answer("a.example", DNS_TYPE_A, errors[i]);
        assert_int_equal(store(9000), CACHE_KEPT_OLDER);
        assert_int_equal(ask("a.example", DNS_TYPE_A, 9999), CACHE_FRESH);
        assert_int_equal(got.rcode, 0);
        /* Past its end, but asking failed within the last 5 seconds. */
        assert_int_equal(ask("a.example", DNS_TYPE_A, 13999), CACHE_STALE);
        assert_int_equal(first_ttl_s(), CACHE_STALE_TTL_S);
        assert_int_equal(first_ede(), DNS_EDE_STALE_ANSWER);
        assert_false(hit.wants_refresh);
        assert_int_equal(ask("a.example", DNS_TYPE_A, 14000), CACHE_MISS);
        assert_true(hit.has_stale);
        answer("a.example", DNS_TYPE_A, errors[i]);
        assert_int_equal(store(20000), CACHE_KEPT_OLDER);
        assert_int_equal(ask("a.example", DNS_TYPE_A, 24999), CACHE_STALE);
        /* A good one ends it. */
        assert_int_equal(store_a("a.example", 1, 24999), CACHE_KEPT);
        assert_int_equal(ask("a.example", DNS_TYPE_A, 24999), CACHE_FRESH);
        assert_int_equal(ask("a.example", DNS_TYPE_A, 26000), CACHE_MISS);
    }
}

static void failure_replaces_what_is_past_all_use(void **state)
{
    uint64_t end_ms = (10 + 86400) * 1000ull;

    (void)state;
    assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(end_ms - 1), CACHE_KEPT_OLDER);
    assert_int_equal(store(end_ms), CACHE_KEPT_FAILURE);
    assert_int_equal(ask("a.example", DNS_TYPE_A, end_ms), CACHE_FRESH);
    assert_int_equal(got.rcode, DNS_RCODE_SERVFAIL);
}

static void timeouts_are_failures(void **state)
{
    const struct dns_question q = {(const uint8_t *)"\1A\7example", 11,
                                   DNS_TYPE_A, DNS_CLASS_IN};
    char text[400];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(cache_store_failure(cache, &q, false, false,
                                         DNS_EDE_NETWORK, "timed out", 0),
                     CACHE_KEPT_FAILURE);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 4999), CACHE_FRESH);
    assert_int_equal(got.rcode, DNS_RCODE_SERVFAIL);
    assert_int_equal(first_ede(), DNS_EDE_NETWORK);
    assert_int_equal(got.opt.options.len, 4 + 2 + 9);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 5000), CACHE_MISS);
    assert_int_equal(cache_store_failure(cache, &q, false, false,
                                         DNS_EDE_NETWORK, text, 6000),
                     CACHE_KEPT_FAILURE);
    assert_int_equal(
        cache_store_failure(cache, &q, true, false, DNS_EDE_NONE, NULL, 6000),
        CACHE_KEPT_FAILURE);
    assert_int_equal(stats().entries, 2);
}

static void outcomes_have_texts(void **state)
{
    (void)state;
    for (int i = 0; i < CACHE_OUTCOME_COUNT; i++) {
        assert_true(strlen(cache_outcome_text((enum cache_outcome)i)) > 3);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(examples_of_rfc2308),
        TEST(ttl_is_bounded),
        TEST(negative_ttl_is_bounded),
        TEST(least_ttl_of_all_sections_counts),
        TEST(rcodes),
        TEST(truncated_is_not_kept),
        TEST(scoped_is_not_kept),
        TEST(answers_to_other_questions_are_not_kept),
        TEST(too_long_is_not_kept),
        TEST(good_answers_that_are_not_kept_remove),
        TEST(newer_replaces_older),
        TEST(failures_are_believed_for_seconds),
        TEST(failures_without_a_reason_say_that_they_are_cached),
        TEST(failures_may_be_switched_off),
        TEST(failure_does_not_replace_what_is_good),
        TEST(failure_replaces_what_is_past_all_use),
        TEST(timeouts_are_failures),
        TEST(outcomes_have_texts),
    };
    return cmocka_run_group_tests_name("cache_store", tests, NULL, NULL);
}
