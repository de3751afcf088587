/*
 * Answers from the cache: the same octets as from the server, older; by key;
 * stale; refreshed once; flushed; counted; within the memory that was given.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static int begin(void **state)
{
    (void)state;
    begin_cache(&usual);
    return 0;
}

/* ---- making ---- */

static const struct create_case {
    size_t max_len;
    unsigned shards;
    int want;
} create_cases[] = {
    {CACHE_LEN_MIN, 0, 0},
    {CACHE_LEN_MIN, 1, 0},
    {CACHE_LEN_MIN - 1, 0, ERR_INVAL},
    {0, 0, ERR_INVAL},
    {1 << 20, 3, ERR_INVAL},
    {1 << 20, 512, ERR_INVAL},
    {1 << 20, 256, ERR_INVAL}, /* 4 KiB each */
    {1 << 20, 16, 0},
    {32 << 20, 0, 0},
    {(size_t)1 << 30, 0, 0},
    {(size_t)1 << 30, 1, 0},
    {(size_t)2 << 30, 1, ERR_INVAL},
    {(size_t)33 << 30, 0, ERR_INVAL},
};

static void sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(create_cases); i++) {
        struct cache_options o = usual;
        struct cache *c = NULL;

        o.max_len = create_cases[i].max_len;
        o.shards = create_cases[i].shards;
        assert_int_equal(cache_create(&o, &c), create_cases[i].want);
        cache_release(c);
    }
}

static void ttl_bounds_must_not_cross(void **state)
{
    struct cache_options o = usual;
    struct cache *c = NULL;

    (void)state;
    o.min_ttl_s = 10;
    o.max_ttl_s = 9;
    assert_int_equal(cache_create(&o, &c), ERR_INVAL);
    assert_null(c);
}

static void lives_as_long_as_its_last_reference(void **state)
{
    struct cache *second = cache_retain(cache);

    (void)state;
    assert_ptr_equal(second, cache);
    cache_release(second);
    assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 0), CACHE_FRESH);
    cache_release(NULL);
}

/* ---- answers ---- */

static void make_rich_answer(unsigned flags)
{
    answer("www.Example", DNS_TYPE_A, flags);
    add(IN_ANSWER, "c00c", DNS_TYPE_CNAME, 300, "01 62 c010");
    add(IN_ANSWER, "01 62 c010", DNS_TYPE_A, 200, "c0000201");
    add(IN_AUTHORITY, "c010", DNS_TYPE_NS, 400, "c00c");
    add(IN_ADDITIONAL, "c00c", DNS_TYPE_AAAA, 500,
        "20010db8 00000000 00000000 00000001");
    made_opt(&in, 512, "00000000", "000c 0002 0000 000f 0003 0004 61");
    add(IN_ADDITIONAL, "01 7a c010", DNS_TYPE_TXT, 600, "00");
}

static const unsigned asker_flags[] = {
    0, DNS_FLAG_AD, DNS_FLAG_RD, DNS_FLAG_RD | DNS_FLAG_AD, 0x0640,
};
static const unsigned server_flags[] = {
    0, DNS_FLAG_AD, DNS_FLAG_AA, DNS_FLAG_CD, 0x0040,
};

/* Ask for what is in `in`, and compare with what the server's message gives. */
static void compare(struct dns_asker *a, const struct dns_extra *extra)
{
    static struct made want;
    struct cache_ask q;
    struct dns_response r;
    int len;

    assert_int_equal(dns_response_parse(made_span(&in), &r), 0);
    want.len = 0;
    len = dns_build_answer(a, made_span(&in), &r, extra, want.octets,
                           DNS_MESSAGE_MAX);
    assert_true(len > 0);
    want.octets[2] &= (uint8_t) ~(DNS_FLAG_AA >> 8); /* it is not ours to say */
    q = ask_of(a, 999);
    q.extra = extra;
    assert_int_equal(cache_answer(cache, &q, out.octets, DNS_MESSAGE_MAX, &hit),
                     len);
    assert_memory_equal(out.octets, want.octets, (size_t)len);
    assert_int_equal(hit.state, CACHE_FRESH);
}

static void answers_are_the_same_octets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(asker_flags) * COUNT_OF(server_flags) * 8;
         i++) {
        struct dns_extra extra = {.ede = i & 1 ? DNS_EDE_OTHER : DNS_EDE_NONE,
                                  .ede_text = "text",
                                  .udp_size = 1400,
                                  .keepalive = 100};
        struct dns_asker a = asker_of("WWW.example", DNS_TYPE_A, 0);

        a.has_opt = (i & 2) != 0;
        a.has_do = (i & 6) == 6;
        a.wants_keepalive = a.has_opt && !a.has_do;
        a.flags = (uint16_t)asker_flags[i / 8 % COUNT_OF(asker_flags)];
        make_rich_answer(server_flags[i / 8 / COUNT_OF(asker_flags)]);
        assert_int_equal(store_for(a.has_do, false, 0), CACHE_KEPT);
        compare(&a, &extra);
        a.limit = 100;
        compare(&a, &extra);
        assert_int_equal(out.octets[2] & 2, 2);
    }
}

static void every_length_of_limit_is_the_same(void **state)
{
    (void)state;
    make_rich_answer(DNS_FLAG_AD);
    assert_int_equal(store(0), CACHE_KEPT);
    for (unsigned limit = 60; limit < 260; limit++) {
        struct dns_extra extra = {.ede = DNS_EDE_OTHER, .ede_text = "text"};
        struct dns_asker a = asker_of("WWW.example", DNS_TYPE_A, 0);

        a.limit = (uint16_t)limit;
        compare(&a, &extra);
    }
}

static void cap_too_small_says_what_it_takes(void **state)
{
    struct dns_asker a = asker_of("www.example", DNS_TYPE_A, 0);
    struct cache_ask q = ask_of(&a, 0);

    (void)state;
    make_rich_answer(0);
    assert_int_equal(store(0), CACHE_KEPT);
    assert_int_equal(cache_answer(cache, &q, out.octets, 20, &hit),
                     ERR_DNS_SPACE);
    assert_int_equal(stats().hits + stats().misses, 0);
    assert_true(hit.need_len > 20 && hit.need_len <= 1232);
    assert_true(cache_answer(cache, &q, out.octets, hit.need_len, &hit) > 0);
    assert_int_equal(stats().hits, 1);
    a.limit = 60; /* will be truncated */
    assert_int_equal(cache_answer(cache, &q, out.octets, 20, &hit),
                     ERR_DNS_SPACE);
    assert_int_equal(hit.need_len, 60);
}

/* Once for each TTL: how it is written to the second. */
static void ttls_count_down_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 700), CACHE_KEPT);
    for (uint64_t now_ms = 700; now_ms < 300700; now_ms += 499) {
        assert_int_equal(ask("a.example", DNS_TYPE_A, now_ms), CACHE_FRESH);
        assert_int_equal(first_ttl_s(), 300 - (now_ms - 700) / 1000);
        assert_int_equal(hit.age_s, (now_ms - 700) / 1000);
    }
    assert_int_equal(ask("a.example", DNS_TYPE_A, 300699), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 1);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 300700), CACHE_MISS);
}

static void clock_may_jump(void **state)
{
    static const uint64_t far_ms[] = {
        UINT64_C(1) << 32, UINT64_C(1) << 42, UINT64_C(1) << 52,
        UINT64_C(1) << 62, INT64_MAX,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(far_ms); i++) {
        begin_cache(&usual);
        assert_int_equal(store_a("a.example", 300, 1000), CACHE_KEPT);
        assert_int_equal(ask_stale("a.example", DNS_TYPE_A, far_ms[i]),
                         CACHE_MISS);
        assert_int_equal(store_a("a.example", 300, far_ms[i]), CACHE_KEPT);
        assert_int_equal(ask("a.example", DNS_TYPE_A, far_ms[i]), CACHE_FRESH);
        assert_int_equal(first_ttl_s(), 300);
    }
    /* Another worker's clock, a little behind. */
    begin_cache(&usual);
    assert_int_equal(store_a("a.example", 300, 1000), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 990), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 300);
    assert_int_equal(hit.age_s, 0);
}

static void keys_are_told_apart(void **state)
{
    struct dns_asker a;

    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    assert_int_equal(ask("A.eXaMpLe", DNS_TYPE_A, 0), CACHE_FRESH);
    assert_memory_equal(out.octets + 12, "\1A\7eXaMpLe", 10);
    assert_int_equal(ask("a.example", DNS_TYPE_AAAA, 0), CACHE_MISS);
    assert_int_equal(ask("b.example", DNS_TYPE_A, 0), CACHE_MISS);
    assert_int_equal(ask("a.a.example", DNS_TYPE_A, 0), CACHE_MISS);
    assert_int_equal(ask("example", DNS_TYPE_A, 0), CACHE_MISS);
    assert_int_equal(ask(".", DNS_TYPE_A, 0), CACHE_MISS);
    a = asker_of("a.example", DNS_TYPE_A, 0);
    asked[a.question_len - 1] = DNS_CLASS_CH;
    assert_int_equal(ask_as(&a, 0, true), 0);
    /* Type 97 is type 65 with the bit that lowers letters. */
    answer("a.example", 65, 0);
    add(IN_ANSWER, "c00c", 65, 300, "00");
    assert_int_equal(store(0), CACHE_KEPT);
    assert_int_equal(ask("a.example", 65, 0), CACHE_FRESH);
    assert_int_equal(ask("a.example", 97, 0), CACHE_MISS);
}

/* DO and CD make keys of their own; AD and RD do not. */
static void keys_by_do_and_cd(void **state)
{
    (void)state;
    for (unsigned stored = 0; stored < 4; stored++) {
        begin_cache(&usual);
        answer("a.example", DNS_TYPE_A, DNS_FLAG_AD);
        add_a(300);
        assert_int_equal(store_for((stored & 1) != 0, (stored & 2) != 0, 0),
                         CACHE_KEPT);
        for (unsigned by = 0; by < 16; by++) {
            struct dns_asker a = asker_of("a.example", DNS_TYPE_A, 0);
            bool has_ad = (by & 4) != 0 || (by & 1) != 0;

            a.has_do = (by & 1) != 0;
            a.flags = (uint16_t)(((by & 2) != 0 ? DNS_FLAG_CD : 0) |
                                 ((by & 4) != 0 ? DNS_FLAG_AD : 0) |
                                 ((by & 8) != 0 ? DNS_FLAG_RD : 0));
            assert_int_equal(ask_as(&a, 0, false) > 0, (by & 3) == stored);
            if (hit.state == CACHE_FRESH) {
                assert_int_equal((got.flags & DNS_FLAG_AD) != 0, has_ad);
                assert_int_equal((got.flags & DNS_FLAG_CD) != 0, (by & 2) != 0);
                assert_int_equal((got.flags & DNS_FLAG_RD) != 0, (by & 8) != 0);
                assert_int_equal(got.opt.has_do, a.has_do);
            }
        }
    }
}

static void names_of_any_length(void **state)
{
    (void)state;
    for (unsigned len = 1; len < 250; len += 3) {
        char name[256];

        for (unsigned i = 0; i < len; i++) {
            name[i] = i % 50 == 49 && i + 1 < len ? '.' : 'x';
        }
        name[len] = '\0';
        assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
        assert_int_equal(ask(name, DNS_TYPE_A, 0), CACHE_FRESH);
    }
    assert_int_equal(store_a(".", 300, 0), CACHE_KEPT);
    assert_int_equal(ask(".", DNS_TYPE_A, 0), CACHE_FRESH);
}

/* ---- stale ---- */

static const struct stale_case {
    uint32_t stale_s;
    uint64_t now_ms; /* the TTL is 10 s */
    bool allow_stale;
    enum cache_state want;
    bool has_stale;
} stale_cases[] = {
    {100, 9999, false, CACHE_FRESH, false},
    {100, 9999, true, CACHE_FRESH, false},
    {100, 10000, false, CACHE_MISS, true},
    {100, 10000, true, CACHE_STALE, false},
    {100, 109999, true, CACHE_STALE, false},
    {100, 110000, true, CACHE_MISS, false},
    {100, 110000, false, CACHE_MISS, false},
    {0, 9999, true, CACHE_FRESH, false},
    {0, 10000, true, CACHE_MISS, false},
    {0, 10000, false, CACHE_MISS, false},
    {UINT32_MAX, UINT32_MAX * 1000ull, true, CACHE_STALE, false},
};

static void stale_in_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stale_cases); i++) {
        const struct stale_case *c = &stale_cases[i];
        struct cache_options o = usual;
        struct dns_asker a = asker_of("a.example", DNS_TYPE_A, 0);

        o.stale_s = c->stale_s;
        begin_cache(&o);
        assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
        assert_int_equal(ask_as(&a, c->now_ms, c->allow_stale) > 0,
                         c->want != CACHE_MISS);
        assert_int_equal(hit.state, c->want);
        assert_int_equal(hit.has_stale, c->has_stale);
        assert_int_equal(stats().stale, c->want == CACHE_STALE);
        assert_int_equal(stats().misses, c->want == CACHE_MISS);
    }
}

static void stale_answers_say_so(void **state)
{
    const struct dns_extra extra = {.ede = DNS_EDE_OTHER, .ede_text = "why"};
    struct dns_asker a = asker_of("www.example", DNS_TYPE_A, DNS_FLAG_AD);
    struct cache_ask q = ask_of(&a, 200000);

    (void)state;
    make_rich_answer(DNS_FLAG_AD);
    assert_int_equal(store(0), CACHE_KEPT);
    assert_true(ask_as(&a, 199999, true) > 0);
    assert_true((got.flags & DNS_FLAG_AD) != 0);
    assert_int_equal(first_ede(), DNS_EDE_FORGED); /* the server's */
    q.extra = &extra;
    q.allow_stale = true;
    assert_true(cache_answer(cache, &q, out.octets, 1232, &hit) > 0);
    assert_int_equal(hit.state, CACHE_STALE);
    assert_int_equal(hit.age_s, 200);
    out.len = 1232;
    assert_true(ask_as(&a, 200000, true) > 0);
    assert_int_equal(first_ede(), DNS_EDE_STALE_ANSWER);
    assert_int_equal(got.flags & DNS_FLAG_AD, 0);
    assert_int_equal(first_ttl_s(), 30);
    assert_int_equal(got.answer_count, 2);
    assert_int_equal(got.additional_count, 3);
}

static void stale_denials_say_so(void **state)
{
    (void)state;
    answer("a.example", DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
    add_soa(60, 60);
    assert_int_equal(store(0), CACHE_KEPT_NEGATIVE);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 60000), CACHE_STALE);
    assert_int_equal(first_ede(), DNS_EDE_STALE_NXDOMAIN);
    assert_int_equal(got.rcode, DNS_RCODE_NXDOMAIN);
    answer("b.example", DNS_TYPE_A, 0);
    add_soa(60, 60);
    assert_int_equal(store(0), CACHE_KEPT_NEGATIVE);
    assert_int_equal(ask_stale("b.example", DNS_TYPE_A, 60000), CACHE_STALE);
    assert_int_equal(first_ede(), DNS_EDE_STALE_ANSWER);
}

/* ---- refresh ---- */

static void refresh_is_wanted_once(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 100, 0), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 1000), CACHE_FRESH);
    assert_false(hit.wants_refresh);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 89999), CACHE_FRESH);
    assert_false(hit.wants_refresh);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 90000), CACHE_FRESH);
    assert_true(hit.wants_refresh);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 95000), CACHE_FRESH);
    assert_false(hit.wants_refresh);
    assert_int_equal(stats().refreshes, 1);
    /* The next generation has one of its own, and must be used first too. */
    assert_int_equal(store_a("a.example", 100, 96000), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 190000), CACHE_FRESH);
    assert_false(hit.wants_refresh);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 190001), CACHE_FRESH);
    assert_true(hit.wants_refresh);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 190002), CACHE_FRESH);
    assert_false(hit.wants_refresh);
}

/* Who may not have it refreshed takes nobody's turn, nor does he wake one. */
static void who_may_not_refresh_is_not_told_to(void **state)
{
    struct dns_asker a = asker_of("a.example", DNS_TYPE_A, 0);
    struct cache_ask q = ask_of(&a, 0);

    (void)state;
    assert_int_equal(store_a("a.example", 100, 0), CACHE_KEPT);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 1000), CACHE_FRESH);
    q.may_refresh = false;
    q.allow_stale = true;
    for (q.now_ms = 90000; q.now_ms < 120000; q.now_ms += 10000) {
        assert_true(cache_answer(cache, &q, out.octets, 1232, &hit) > 0);
        assert_int_equal(hit.state,
                         q.now_ms < 100000 ? CACHE_FRESH : CACHE_STALE);
        assert_false(hit.wants_refresh);
    }
    assert_int_equal(stats().refreshes, 0);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 95000), CACHE_FRESH);
    assert_true(hit.wants_refresh);
    q.may_refresh = true;
    q.now_ms = 101000;
    assert_true(cache_answer(cache, &q, out.octets, 1232, &hit) > 0);
    assert_true(hit.wants_refresh);
    assert_int_equal(stats().refreshes, 2);
}

static void stale_wants_a_refresh_now_and_then(void **state)
{
    unsigned wanted = 0;

    (void)state;
    assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
    for (uint64_t now_ms = 10000; now_ms < 40000; now_ms += 100) {
        assert_int_equal(ask_stale("a.example", DNS_TYPE_A, now_ms),
                         CACHE_STALE);
        wanted += hit.wants_refresh ? 1 : 0;
        assert_int_equal(hit.wants_refresh,
                         (now_ms - 10000) % (CACHE_RETRY_S * 1000) == 0);
    }
    assert_int_equal(wanted, 6);
}

static void failed_refresh_is_not_repeated_at_once(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 10, 0), CACHE_KEPT);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 20000), CACHE_STALE);
    assert_true(hit.wants_refresh);
    answer("a.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(24000), CACHE_KEPT_OLDER);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 28999), CACHE_STALE);
    assert_false(hit.wants_refresh);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 29000), CACHE_STALE);
    assert_true(hit.wants_refresh);
}

/* ---- looking ahead ---- */

static uint64_t look_ahead(const struct dns_asker *a)
{
    uint64_t hash = cache_look_ahead(
        cache, span_of(a->question, a->question_len), a->has_do, false);

    assert_true(hash != 0);
    cache_look_ahead_more(cache, hash);
    return hash;
}

/* For the one that it was asked for: it is fresh, and was not used yet. */
static void reading_back_is_no_use(void **state)
{
    struct dns_asker a = asker_of("www.example", DNS_TYPE_A, 0);
    struct cache_ask q = ask_of(&a, 0);

    (void)state;
    q.is_read_back = true;
    assert_int_equal(cache_answer(cache, &q, out.octets, 1232, &hit), 0);
    make_rich_answer(0);
    assert_int_equal(store(0), CACHE_KEPT);
    assert_true(cache_answer(cache, &q, out.octets, 1232, &hit) > 0);
    assert_int_equal(hit.state, CACHE_FRESH);
    assert_int_equal(stats().hits + stats().misses, 0);
    q.is_read_back = false;
    assert_true(cache_answer(cache, &q, out.octets, 1232, &hit) > 0);
    assert_int_equal(stats().hits, 1);
}

/* Whether it was there before or not: the answer is the same, and nothing is
 * counted. */
static void looking_ahead_changes_no_answer(void **state)
{
    struct dns_asker a = asker_of("wWw.example", DNS_TYPE_A, 0);
    struct cache_ask q = ask_of(&a, 1000);
    struct cache_stats before;
    static struct made want;

    (void)state;
    q.hash = look_ahead(&a);
    assert_int_equal(cache_answer(cache, &q, out.octets, 1232, &hit), 0);
    make_rich_answer(0);
    assert_int_equal(store(0), CACHE_KEPT);
    before = stats();
    assert_true(q.hash == look_ahead(&a));
    assert_int_equal(stats().hits, before.hits);
    assert_int_equal(stats().misses, before.misses);
    want.len =
        (size_t)cache_answer(cache, &q, want.octets, DNS_MESSAGE_MAX, &hit);
    assert_int_equal(hit.state, CACHE_FRESH);
    assert_int_equal(ask_as(&a, 1000, false), want.len);
    assert_memory_equal(out.octets, want.octets, want.len);
    a.has_do = true; /* another key */
    assert_true(q.hash != look_ahead(&a));
    a.has_do = false;
    (void)cache_flush_all(cache);
    assert_true(q.hash == look_ahead(&a));
    assert_int_equal(cache_answer(cache, &q, out.octets, 1232, &hit), 0);
}

/* ---- removing ---- */

static void flush_by_name(void **state)
{
    static const char *const names[] = {"example", "a.example", "b.a.example",
                                        "x\\001a.example", "example.net"};
    static const struct {
        const char *name;
        uint16_t type;
        bool with_subtree;
        size_t want;
    } cases[] = {
        {"A.Example", 0, false, 2},
        {"a.example", 0, true, 4},
        {"a.example", DNS_TYPE_A, true, 2},
        {"example", 0, true, 8},
        {"example", 0, false, 2},
        {".", 0, true, 10},
        {".", 0, false, 0},
        {"b", 0, true, 0},
        {"a.example", 99, true, 0},
        {"net", DNS_TYPE_AAAA, true, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t name[DNS_NAME_MAX];
        int len =
            dns_name_from_text(cases[i].name, strlen(cases[i].name), name);

        begin_cache(&usual);
        for (size_t n = 0; n < COUNT_OF(names); n++) {
            assert_int_equal(store_a(names[n], 300, 0), CACHE_KEPT);
            answer(names[n], DNS_TYPE_AAAA, 0);
            add(IN_ANSWER, "c00c", DNS_TYPE_AAAA, 300, "00");
            assert_int_equal(store_for(true, true, 0), CACHE_KEPT);
        }
        assert_true(len > 0);
        assert_int_equal(cache_flush_name(cache, span_of(name, (size_t)len),
                                          cases[i].type, cases[i].with_subtree),
                         cases[i].want);
        assert_int_equal(stats().entries, 10 - cases[i].want);
        assert_int_equal(cache_flush_name(cache, span_of(name, (size_t)len),
                                          cases[i].type, cases[i].with_subtree),
                         0);
    }
}

static void store_many(unsigned first, unsigned count, uint64_t now_ms)
{
    for (unsigned i = first; i < first + count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "n%u.bench-names.net", i);
        assert_int_equal(store_a(name, 3600, now_ms), CACHE_KEPT);
    }
}

static void flush_all_gives_the_memory_back(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        uint64_t entries;

        store_many(0, 20000, 0);
        entries = stats().entries;
        assert_true(entries > 5000 && entries < 20000);
        assert_int_equal(cache_flush_all(cache), entries);
        assert_int_equal(stats().entries, 0);
        assert_true(stats().octets < 64 * 1024);
        assert_int_equal(ask_stale("n19999.bench-names.net", DNS_TYPE_A, 0),
                         CACHE_MISS);
    }
}

/* What the index keeps for itself does not become more with each time. */
static void flushing_often_costs_no_room(void **state)
{
    uint64_t entries = 0;

    (void)state;
    for (int round = 0; round < 40; round++) {
        store_many(0, 20000, 0);
        entries = round == 0 ? stats().entries : entries;
        assert_in_range(stats().entries, entries - entries / 20,
                        entries + entries / 20);
        (void)cache_flush_all(cache);
    }
}

/* ---- memory ---- */

static size_t resident_len(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*u %zu", &pages) != 1) {
        pages = 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void a_million_names_stay_within_bounds(void **state)
{
    const size_t max_len = 32 << 20;
    struct cache_options o = usual;
    struct cache_stats after[2];
    size_t before = resident_len();

    (void)state;
    o.max_len = max_len;
    begin_cache(&o);
    assert_true(stats().octets < max_len / 100);
    store_many(0, 100000, 0);
    after[0] = stats();
    print_message("# 100000 names: %.1f octets a name, RSS grew by %.1f\n",
                  (double)after[0].octets / 100000,
                  (double)(resident_len() - before) / 100000);
    assert_int_equal(after[0].entries, 100000);
    assert_true(after[0].octets < 200 * 100000);
    store_many(100000, 900000, 0);
    after[1] = stats();
    print_message("# 1000000 names in 32 MiB: %u kept in %.2f MiB, RSS grew "
                  "by %.2f MiB\n",
                  (unsigned)after[1].entries,
                  (double)after[1].octets / (1 << 20),
                  (double)(resident_len() - before) / (1 << 20));
    assert_true(after[1].octets <= max_len);
    assert_true(after[1].octets >= max_len / 100 * 90);
    assert_true(after[1].entries > 200000);
    assert_int_equal(after[1].entries + after[1].evictions, 1000000);
}

static void entries_of_all_lengths_stay_within_bounds(void **state)
{
    struct cache_options o = usual;

    (void)state;
    o.max_len = 4 << 20;
    begin_cache(&o);
    for (unsigned i = 0; i < 20000; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "n%u.example", i % 9000);
        answer(name, DNS_TYPE_TXT, 0);
        made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT,
                    i % 97 == 0 ? 40000 : i * 7919 % 1500);
        assert_int_equal(store(0), CACHE_KEPT);
        assert_true(stats().octets <= o.max_len);
        assert_int_equal(ask(name, DNS_TYPE_TXT, 0), CACHE_FRESH);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes),
        TEST(ttl_bounds_must_not_cross),
        TEST(lives_as_long_as_its_last_reference),
        TEST(answers_are_the_same_octets),
        TEST(every_length_of_limit_is_the_same),
        TEST(cap_too_small_says_what_it_takes),
        TEST(ttls_count_down_to_the_second),
        TEST(clock_may_jump),
        TEST(keys_are_told_apart),
        TEST(keys_by_do_and_cd),
        TEST(names_of_any_length),
        TEST(stale_in_time),
        TEST(stale_answers_say_so),
        TEST(stale_denials_say_so),
        TEST(refresh_is_wanted_once),
        TEST(who_may_not_refresh_is_not_told_to),
        TEST(stale_wants_a_refresh_now_and_then),
        TEST(failed_refresh_is_not_repeated_at_once),
        TEST(reading_back_is_no_use),
        TEST(looking_ahead_changes_no_answer),
        TEST(flush_by_name),
        TEST(flush_all_gives_the_memory_back),
        TEST(flushing_often_costs_no_room),
        TEST(a_million_names_stay_within_bounds),
        TEST(entries_of_all_lengths_stay_within_bounds),
    };
    return cmocka_run_group_tests_name("cache_cache", tests, NULL, NULL);
}
