/*
 * Threads that store, ask, flush, count and save at once, in a cache so small
 * that entries always go. No answer may be another's or a mixture. Built with
 * -fsanitize=thread this is the test of the locks.
 */
#include "base/rng.h"
#include "fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NAMES = 3000, STEPS = 20000, WORKERS = 2, RECORD_LEN = 16 };

struct worker {
    pthread_t id;
    struct rng rng;
    unsigned hits;
    unsigned wrong;
    unsigned refreshes[NAMES];
};

/* The question for name n, with the number's octets as the label. */
static size_t put_question(unsigned n, uint8_t *p)
{
    static const uint8_t rest[] = "\7example\0\0\1\0\1";

    p[0] = 4;
    dns_put32(p + 1, 0x30303030 + (n >> 9 << 24) + (n >> 6 << 16 & 0x70000) +
                         (n >> 3 << 8 & 0x700) + (n & 7));
    memcpy(p + 5, rest, sizeof(rest) - 1);
    return 5 + sizeof(rest) - 1;
}

/* Some answers are longer than others, so that entries move. */
static unsigned records_of(unsigned n, uint64_t now_ms)
{
    return 1 + (n + (unsigned)(now_ms / 1000)) % 3;
}

static void store_one(unsigned n, uint64_t now_ms)
{
    uint8_t message[256] = {0, 0, 0x81, 0x80, 0, 1};
    size_t len = DNS_HEADER_LEN + put_question(n, message + DNS_HEADER_LEN);
    unsigned records = records_of(n, now_ms);
    struct dns_response r;

    message[7] = (uint8_t)records;
    for (unsigned i = 0; i < records; i++) {
        uint8_t *p = message + len;

        dns_put16(p, 0xc00c);
        dns_put16(p + 2, DNS_TYPE_A);
        dns_put16(p + 4, DNS_CLASS_IN);
        dns_put32(p + 6, 300);
        dns_put16(p + 10, 4);
        dns_put32(p + 12, n);
        len += RECORD_LEN;
    }
    if (dns_response_parse(span_of(message, len), &r) == 0) {
        (void)cache_store(cache, &r.question, false, false,
                          span_of(message, len), &r, now_ms);
    }
}

static bool is_right(unsigned n, size_t question_len, struct span answer)
{
    struct dns_response r;
    const uint8_t *p = answer.ptr + DNS_HEADER_LEN + question_len;

    if (dns_response_parse(answer, &r) != 0 || r.answer_count == 0) {
        return false;
    }
    for (unsigned i = 0; i < r.answer_count; i++) {
        if (dns_get32(p + 12) != n) {
            return false;
        }
        p += RECORD_LEN;
    }
    return true;
}

static void ask_one(struct worker *w, unsigned n, uint64_t now_ms)
{
    uint8_t question[DNS_NAME_MAX + 4];
    uint8_t octets[DNS_UDP_MIN];
    struct dns_asker a = {
        .question = question,
        .question_len = (uint16_t)put_question(n, question),
        .limit = DNS_UDP_MIN,
    };
    struct cache_ask q = ask_of(&a, now_ms);
    struct cache_hit one;
    int len;

    q.allow_stale = true;
    q.hash = cache_look_ahead(cache, span_of(question, a.question_len), false,
                              false);
    cache_look_ahead_more(cache, q.hash);
    len = cache_answer(cache, &q, octets, sizeof(octets), &one);

    if (len > 0) {
        w->hits++;
        w->wrong +=
            is_right(n, a.question_len, span_of(octets, (size_t)len)) ? 0 : 1;
        w->refreshes[n] += one.wants_refresh ? 1 : 0;
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (unsigned i = 0; i < STEPS; i++) {
        unsigned n = rng_below(&w->rng, NAMES);
        uint64_t now_ms = i * 10;

        n = rng_below(&w->rng, 2) == 0 ? n : n % 100;
        if (rng_below(&w->rng, 3) == 0) {
            store_one(n, now_ms);
        } else {
            ask_one(w, n, now_ms);
        }
    }
    return NULL;
}

static int drop_octets(void *arg, struct span octets)
{
    size_t *sum = arg;

    *sum += octets.len;
    return 0;
}

static void *operate(void *arg)
{
    struct worker *w = arg;
    struct cache_stats s;
    size_t sum = 0;

    for (unsigned i = 0; i < 60; i++) {
        uint8_t question[DNS_NAME_MAX + 4];

        (void)put_question(rng_below(&w->rng, NAMES), question);
        (void)cache_flush_name(cache, span_of(question, 14), 0, false);
        cache_stats(cache, &s);
        w->wrong += s.octets > CACHE_LEN_MIN * 2 ? 1 : 0;
        w->wrong += cache_save(cache, 0, 0, drop_octets, &sum) == 0 ? 0 : 1;
        if (i % 20 == 19) {
            (void)cache_flush_all(cache);
        }
    }
    return NULL;
}

static void many_threads(void **state)
{
    static struct worker workers[WORKERS + 1];
    struct cache_options o = usual;

    (void)state;
    o.max_len = CACHE_LEN_MIN * 2;
    o.shards = 2;
    begin_cache(&o);
    for (unsigned i = 0; i <= WORKERS; i++) {
        rng_seed(&workers[i].rng, i);
        assert_int_equal(pthread_create(&workers[i].id, NULL,
                                        i < WORKERS ? work : operate,
                                        &workers[i]),
                         0);
    }
    for (unsigned i = 0; i <= WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].id, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
        assert_true(i == WORKERS || workers[i].hits > 1000);
    }
    assert_true(stats().evictions > 1000);
}

/* Everybody hits one entry that is near its end: one is told to refresh it. */
static void *hit_one(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        ask_one(arg, 7, 299000);
    }
    return NULL;
}

static void one_thread_refreshes(void **state)
{
    static struct worker workers[WORKERS];
    unsigned refreshes = 0;

    (void)state;
    begin_cache(&usual);
    store_one(7, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(
            pthread_create(&workers[i].id, NULL, hit_one, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].id, NULL), 0);
        assert_int_equal(workers[i].hits, 2000);
        refreshes += workers[i].refreshes[7];
    }
    assert_int_equal(refreshes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(many_threads, end_cache),
        cmocka_unit_test_teardown(one_thread_refreshes, end_cache),
    };
    return cmocka_run_group_tests_name("cache_threads", tests, NULL, NULL);
}
