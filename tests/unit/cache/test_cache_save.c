/*
 * To a stream and back: the same answers, older by the time that passed; and
 * nothing at all from a stream with one octet that is not right.
 */
#include "base/rng.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STREAM_MAX = 4 << 20 };
static uint8_t stream[STREAM_MAX];
static size_t stream_len;

static int begin(void **state)
{
    (void)state;
    stream_len = 0;
    begin_cache(&usual);
    return 0;
}

static int to_stream(void *arg, struct span octets)
{
    (void)arg;
    assert_true(octets.len <= sizeof(stream) - stream_len);
    memcpy(stream + stream_len, octets.ptr, octets.len);
    stream_len += octets.len;
    return 0;
}

static void save(uint64_t wall_s, uint64_t now_ms)
{
    stream_len = 0;
    assert_int_equal(cache_save(cache, wall_s, now_ms, to_stream, NULL), 0);
}

/* How the stream is given: by at most so many octets, and an error in place of
 * the call number fail_at. */
static size_t reads;
static size_t fail_at;
static size_t longest_read;

static int from_span(void *arg, uint64_t at, uint8_t *to, size_t cap)
{
    const struct span *s = arg;
    size_t len = s->len - at < cap ? s->len - at : cap;

    assert_true(at <= s->len);
    if (++reads == fail_at) {
        return ERR_IO;
    }
    longest_read = cap > longest_read ? cap : longest_read;
    if (len > 0) {
        memcpy(to, s->ptr + at, len);
    }
    return (int)len;
}

static int load_from(const uint8_t *octets, size_t len, uint64_t wall_s,
                     uint64_t now_ms, size_t *count)
{
    struct span s = span_of(octets, len);

    reads = 0;
    return cache_load(cache, from_span, &s, wall_s, now_ms, count);
}

/* Load into an empty cache; returns the entries. */
static size_t load(uint64_t wall_s, uint64_t now_ms)
{
    size_t count = 12345;

    begin_cache(&usual);
    assert_int_equal(load_from(stream, stream_len, wall_s, now_ms, &count), 0);
    assert_int_equal(stats().entries, count);
    return count;
}

static void empty(void **state)
{
    (void)state;
    save(1000, 0);
    assert_int_equal(stream_len, 32 + 16);
    assert_int_equal(load(1000, 0), 0);
}

static void comes_back_older(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 5000), CACHE_KEPT);
    save(1000, 15400);
    /* Another boot: the clock of the cache starts again. */
    assert_int_equal(load(1020, 100), 1);
    assert_int_equal(ask("A.example", DNS_TYPE_A, 100), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 300 - 30);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 100 + 269599), CACHE_FRESH);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 100 + 269600), CACHE_MISS);
    assert_true(hit.has_stale);
}

static void past_its_end_is_stale_or_gone(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    save(1000, 0);
    assert_int_equal(load(1000 + 300, 0), 1);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 0), CACHE_MISS);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 0), CACHE_STALE);
    assert_int_equal(load(1000 + 300 + 86399, 0), 1);
    assert_int_equal(load(1000 + 300 + 86400, 0), 0);
    assert_int_equal(load(UINT64_MAX, 0), 0);
}

static void clock_that_went_back_makes_stale(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    save(1000, 0);
    assert_int_equal(load(999, 50), 1);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 50), CACHE_MISS);
    assert_int_equal(ask_stale("a.example", DNS_TYPE_A, 50), CACHE_STALE);
}

static void failures_and_the_dead_stay_behind(void **state)
{
    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    answer("b.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(0), CACHE_KEPT_FAILURE);
    save(0, 0);
    assert_int_equal(load(0, 0), 1);
    save(0, 86700ull * 1000);
    assert_int_equal(load(0, 0), 0);
}

static void what_is_there_is_newer(void **state)
{
    size_t count;

    (void)state;
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    assert_int_equal(store_a("b.example", 300, 0), CACHE_KEPT);
    save(0, 0);
    begin_cache(&usual);
    assert_int_equal(store_a("a.example", 100, 0), CACHE_KEPT);
    assert_int_equal(load_from(stream, stream_len, 0, 0, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 0), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 100);
}

/* Everything that a client can see of it, but for its age. */
static void same_answers(void **state)
{
    static struct made before;

    (void)state;
    for (unsigned bits = 0; bits < 4; bits++) {
        struct dns_asker a;

        begin_cache(&usual);
        answer("www.Example", DNS_TYPE_A, DNS_FLAG_AA | DNS_FLAG_AD);
        add(IN_ANSWER, "c00c", DNS_TYPE_CNAME, 300, "01 62 c010");
        add(IN_ANSWER, "01 62 c010", DNS_TYPE_A, 200, "c0000201");
        made_opt(&in, 512, "00000000", "000c 0002 0000 000f 0003 0004 61");
        add(IN_ADDITIONAL, "01 7a c010", DNS_TYPE_TXT, 600, "00");
        assert_int_equal(store_for((bits & 1) != 0, (bits & 2) != 0, 0),
                         CACHE_KEPT);
        save(0, 0);
        a = asker_of("www.example", DNS_TYPE_A, DNS_FLAG_AD);
        a.has_do = (bits & 1) != 0;
        a.flags |= (bits & 2) != 0 ? DNS_FLAG_CD : 0;
        assert_true(ask_as(&a, 1000, false) > 0);
        before = out;
        assert_int_equal(load(0, 0), 1);
        assert_int_equal(ask_as(&a, 1000, false), before.len);
        assert_memory_equal(out.octets, before.octets, before.len);
    }
}

static void fill(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "n%u.example", i);
        if (i % 3 == 0) {
            answer(name, DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
            add_soa(300, 300);
            assert_int_equal(store(0), CACHE_KEPT_NEGATIVE);
        } else {
            assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
        }
    }
}

static void thousands(void **state)
{
    struct cache_options o = usual;
    size_t count;

    (void)state;
    o.shards = 4;
    begin_cache(&o);
    fill(4000);
    save(0, 0);
    assert_int_equal(load(0, 0), 4000);
    for (unsigned i = 0; i < 4000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "n%u.example", i);
        assert_int_equal(ask(name, DNS_TYPE_A, 0), CACHE_FRESH);
        assert_int_equal(got.rcode, i % 3 == 0 ? DNS_RCODE_NXDOMAIN : 0);
    }
    /* Into less memory than it comes from. */
    o.max_len = CACHE_LEN_MIN;
    o.shards = 1;
    begin_cache(&o);
    assert_int_equal(load_from(stream, stream_len, 0, 0, &count), 0);
    assert_int_equal(count, 4000);
    assert_in_range(stats().entries, 200, 700);
    assert_true(stats().octets <= CACHE_LEN_MIN);
}

static void require_refused(size_t len)
{
    uint8_t *exact = heap_copy(span_of(stream, len));
    size_t count = 7;

    assert_int_equal(load_from(exact, len, 0, 0, &count), ERR_INVAL);
    assert_int_equal(count, 7);
    free(exact);
}

static void one_wrong_octet_is_enough(void **state)
{
    struct cache_options o = usual;

    (void)state;
    o.shards = 4;
    begin_cache(&o);
    fill(12);
    save(0, 0);
    begin_cache(&usual);
    for (size_t i = 0; i < stream_len; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            stream[i] ^= (uint8_t)bit;
            require_refused(stream_len);
            stream[i] ^= (uint8_t)bit;
        }
        require_refused(i);
    }
    stream[stream_len] = 0;
    require_refused(stream_len + 1);
    assert_int_equal(stats().entries, 0);
    assert_int_equal(load(0, 0), 12);
}

/* Chunks that change their places, or come twice, are found too. */
static void order_of_chunks_matters(void **state)
{
    struct cache_options o = usual;
    uint8_t *second;
    size_t first_len, second_len;
    uint8_t saved[4096];

    (void)state;
    o.shards = 2;
    begin_cache(&o);
    fill(8);
    save(0, 0);
    first_len = 16 + dns_get32(stream + 32);
    second = stream + 32 + first_len;
    second_len = 16 + dns_get32(second);
    assert_int_equal(stream_len, 32 + first_len + second_len + 16);
    memcpy(saved, stream + 32, first_len);
    begin_cache(&usual);
    memmove(stream + 32, second, second_len);
    memcpy(stream + 32 + second_len, saved, first_len);
    require_refused(stream_len);
    memmove(stream + 32, stream + 32 + second_len,
            stream_len - 32 - second_len);
    require_refused(stream_len - second_len);
}

static void foreign_files_are_refused(void **state)
{
    struct rng rng;

    (void)state;
    require_refused(0);
    rng_seed(&rng, 6);
    for (int i = 0; i < 200; i++) {
        for (size_t n = 0; n < 512; n++) {
            stream[n] = (uint8_t)rng_next(&rng);
        }
        require_refused(rng_below(&rng, 512));
    }
}

/* Of another version, but whole. */
static void other_versions_are_refused(void **state)
{
    static const unsigned versions[] = {3, 1, 2};
    uint8_t key[SIPHASH_KEY_LEN] = {[15] = 24};
    uint64_t hash;

    (void)state;
    fill(3);
    save(0, 0);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        dns_put32(stream + 8, versions[i]);
        hash = siphash(key, stream, 24);
        dns_put32(stream + 24, (uint32_t)(hash >> 32));
        dns_put32(stream + 28, (uint32_t)hash);
        if (versions[i] != 2) {
            begin_cache(&usual);
            require_refused(stream_len);
        }
    }
    assert_int_equal(load(0, 0), 3); /* ours, with its hash */
}

static int failing_sink(void *arg, struct span octets)
{
    int *calls = arg;

    (void)octets;
    return --*calls == 0 ? ERR_IO : 0;
}

static void errors_of_the_sink_are_passed_on(void **state)
{
    (void)state;
    fill(10);
    for (int i = 1; i <= 3; i++) {
        int calls = i;
        assert_int_equal(cache_save(cache, 0, 0, failing_sink, &calls), ERR_IO);
        assert_int_equal(calls, 0);
    }
}

/* One chunk is read after the other, twice, and none is long: the cache and
 * its file do not have to fit into memory at once. */
static void a_little_at_a_time(void **state)
{
    (void)state;
    fill(4000);
    save(0, 0);
    assert_true(stream_len > 250000);
    longest_read = 0;
    assert_int_equal(load(0, 0), 4000);
    assert_in_range(longest_read, 65536, 65536 + 300);
    assert_true(reads > 2 * (stream_len / longest_read));
}

/* A length that is not true is not believed, however much there is to read. */
static void long_chunks_are_refused(void **state)
{
    (void)state;
    fill(4000);
    save(0, 0);
    begin_cache(&usual);
    longest_read = 0;
    for (uint32_t len = 131088; len < stream_len; len += 20000) {
        dns_put32(stream + 32, len);
        require_refused(stream_len);
    }
    dns_put32(stream + 32, UINT32_MAX);
    require_refused(stream_len);
    assert_true(longest_read < 131088);
}

/* As many entries as make chunks of all lengths around the bound. */
static void chunks_are_cut_between_records(void **state)
{
    struct cache_options o = usual;
    size_t count;

    (void)state;
    o.max_len = 8 << 20; /* segments that take a long answer */
    o.shards = 1;
    for (unsigned extra = 0; extra < 40; extra++) {
        begin_cache(&o);
        fill(1000 + extra);
        answer("long.example", DNS_TYPE_TXT, 0);
        for (unsigned i = 0; i < 3000; i++) {
            add(IN_ANSWER, "c00c", DNS_TYPE_TXT, 300, "03616263");
        }
        assert_int_equal(store(0), CACHE_KEPT);
        save(0, 0);
        begin_cache(&o);
        assert_int_equal(load_from(stream, stream_len, 0, 0, &count), 0);
        assert_int_equal(count, 1001 + extra);
    }
}

static void errors_of_the_source_are_passed_on(void **state)
{
    size_t all;
    size_t count = 7;

    (void)state;
    fill(3000);
    save(0, 0);
    begin_cache(&usual);
    assert_int_equal(load_from(stream, stream_len, 0, 0, NULL), 0);
    all = reads;
    for (fail_at = 1; fail_at <= all; fail_at++) {
        begin_cache(&usual);
        assert_int_equal(load_from(stream, stream_len, 0, 0, &count), ERR_IO);
        /* While it is checked, nothing is believed. */
        assert_true(fail_at > all / 2 + 1 || stats().entries == 0);
    }
    fail_at = 0;
    assert_int_equal(count, 7);
}

/* ---- from one cache to another ---- */

static struct cache *swap_cache(const struct cache_options *o)
{
    struct cache *before = cache_retain(cache);

    begin_cache(o);
    return before;
}

static void copies_into_another_size(void **state)
{
    static const struct {
        size_t max_len;
        unsigned shards;
        size_t least, most;
    } sizes[] = {
        {CACHE_LEN_MIN, 1, 200, 700},
        {1 << 20, 4, 3000, 3000},
        {8 << 20, 2, 3000, 3000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct cache_options o = usual;
        struct cache *before;
        size_t count;

        begin_cache(&o);
        fill(3000);
        o.max_len = sizes[i].max_len;
        o.shards = sizes[i].shards;
        o.hash_key[0]++;
        before = swap_cache(&o);
        assert_int_equal(cache_copy(before, cache, 10000, &count), 0);
        cache_release(before);
        assert_int_equal(count, 3000);
        assert_in_range(stats().entries, sizes[i].least, sizes[i].most);
        assert_true(stats().octets <= o.max_len);
        assert_int_equal(ask("n2999.example", DNS_TYPE_A, 10000), CACHE_FRESH);
        assert_int_equal(first_ttl_s(), 290);
    }
}

/* What the other one has already is newer, and its rules hold. */
static void copies_by_the_other_rules(void **state)
{
    struct cache_options o = usual;
    struct cache *before;
    size_t count;

    (void)state;
    begin_cache(&usual);
    assert_int_equal(store_a("a.example", 300, 0), CACHE_KEPT);
    assert_int_equal(store_a("b.example", 300, 0), CACHE_KEPT);
    answer("c.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    assert_int_equal(store(0), CACHE_KEPT_FAILURE);
    o.max_ttl_s = 100;
    before = swap_cache(&o);
    assert_int_equal(store_a("a.example", 50, 20000), CACHE_KEPT);
    assert_int_equal(cache_copy(before, cache, 20000, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(ask("a.example", DNS_TYPE_A, 20000), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 50);
    assert_int_equal(ask("b.example", DNS_TYPE_A, 20000), CACHE_FRESH);
    assert_int_equal(first_ttl_s(), 80);
    assert_int_equal(ask("c.example", DNS_TYPE_A, 20000), CACHE_MISS);
    assert_int_equal(cache_copy(cache, before, 20000, NULL), 0);
    cache_release(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty),
        TEST(comes_back_older),
        TEST(past_its_end_is_stale_or_gone),
        TEST(clock_that_went_back_makes_stale),
        TEST(failures_and_the_dead_stay_behind),
        TEST(what_is_there_is_newer),
        TEST(same_answers),
        TEST(thousands),
        TEST(one_wrong_octet_is_enough),
        TEST(order_of_chunks_matters),
        TEST(foreign_files_are_refused),
        TEST(other_versions_are_refused),
        TEST(errors_of_the_sink_are_passed_on),
        TEST(a_little_at_a_time),
        TEST(long_chunks_are_refused),
        TEST(chunks_are_cut_between_records),
        TEST(errors_of_the_source_are_passed_on),
        TEST(copies_into_another_size),
        TEST(copies_by_the_other_rules),
    };
    return cmocka_run_group_tests_name("cache_save", tests, NULL, NULL);
}
