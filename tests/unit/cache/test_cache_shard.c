/*
 * Which entries go. Traces of names, drawn by Zipf's law and interrupted by
 * scans of names that come once, are run through the cache and through an LRU
 * list of as many entries; and what memory does under all kinds of replacing.
 */
#include "base/rng.h"
#include "cache/internal.h"
#include "fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { POPULAR = 20000, NAMES_MAX = 400000 };

static int begin(void **state)
{
    struct cache_options o = usual;

    (void)state;
    o.max_len = 256 << 10;
    o.shards = 1;
    begin_cache(&o);
    return 0;
}

/* ---- an LRU list of a fixed number of names ---- */

struct lru {
    int32_t next[NAMES_MAX + 1]; /* a ring; the last one is its head */
    int32_t prev[NAMES_MAX + 1];
    bool is_in[NAMES_MAX];
    unsigned count;
};

static void lru_unlink(struct lru *l, int32_t n)
{
    l->next[l->prev[n]] = l->next[n];
    l->prev[l->next[n]] = l->prev[n];
}

static void lru_to_front(struct lru *l, int32_t n)
{
    l->next[n] = l->next[NAMES_MAX];
    l->prev[n] = NAMES_MAX;
    l->prev[l->next[n]] = n;
    l->next[NAMES_MAX] = n;
}

static bool lru_use(struct lru *l, int32_t n, unsigned capacity)
{
    if (l->is_in[n]) {
        lru_unlink(l, n);
        lru_to_front(l, n);
        return true;
    }
    if (l->count == capacity) {
        int32_t last = l->prev[NAMES_MAX];
        lru_unlink(l, last);
        l->is_in[last] = false;
        l->count--;
    }
    l->is_in[n] = true;
    l->count++;
    lru_to_front(l, n);
    return false;
}

/* ---- traces ---- */

static int32_t trace[500000];
static size_t trace_len;
static double shares[POPULAR]; /* summed up */

static void make_shares(double exponent)
{
    double sum = 0;

    for (int i = 0; i < POPULAR; i++) {
        sum += 1 / pow(i + 1, exponent);
        shares[i] = sum;
    }
}

static int32_t draw(struct rng *rng)
{
    double at = (double)(rng_next(rng) >> 11) / 9007199254740992.0 *
                shares[POPULAR - 1];
    int32_t low = 0;
    int32_t high = POPULAR - 1;

    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (shares[middle] > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* len draws; after each of every `every` (0: never), a scan of scan_len. */
static void make_trace(double exponent, size_t len, size_t every,
                       size_t scan_len)
{
    int32_t next_once = POPULAR;
    struct rng rng;

    rng_seed(&rng, 3);
    make_shares(exponent);
    trace_len = 0;
    for (size_t i = 1; i <= len; i++) {
        trace[trace_len++] = draw(&rng);
        for (size_t n = 0; every > 0 && i % every == 0 && n < scan_len; n++) {
            trace[trace_len++] = next_once++;
        }
    }
    assert(trace_len <= COUNT_OF(trace) && next_once <= NAMES_MAX);
}

static unsigned run_cache(void)
{
    unsigned hits = 0;

    for (size_t i = 0; i < trace_len; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "n%d.example", trace[i]);
        if (ask(name, DNS_TYPE_A, 0) == CACHE_FRESH) {
            hits++;
        } else {
            assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
        }
    }
    return hits;
}

static unsigned run_lru(unsigned capacity)
{
    static struct lru l;
    unsigned hits = 0;

    l = (struct lru){.count = 0};
    l.next[NAMES_MAX] = NAMES_MAX;
    l.prev[NAMES_MAX] = NAMES_MAX;
    for (size_t i = 0; i < trace_len; i++) {
        hits += lru_use(&l, trace[i], capacity) ? 1 : 0;
    }
    return hits;
}

static const struct trace_case {
    const char *title;
    double exponent;
    size_t len, every, scan_len;
    double gain; /* over LRU's hit ratio, at least */
} trace_cases[] = {
    {"Zipf 1.0", 1.0, 200000, 0, 0, 0.03},
    {"Zipf 0.8", 0.8, 200000, 0, 0, 0.03},
    {"Zipf 1.0 and scans", 1.0, 150000, 10000, 10000, 0.04},
    {"Zipf 0.8 and scans", 0.8, 150000, 10000, 10000, 0.04},
    {"Zipf 1.0, one in two comes once", 1.0, 150000, 1, 1, 0.06},
};

static void hits_as_often_as_lru(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(trace_cases); i++) {
        const struct trace_case *c = &trace_cases[i];
        double ours, lru;
        unsigned capacity;

        (void)begin(NULL);
        make_trace(c->exponent, c->len, c->every, c->scan_len);
        ours = (double)run_cache() / (double)trace_len;
        capacity = (unsigned)stats().entries;
        lru = (double)run_lru(capacity) / (double)trace_len;
        print_message("# %s, %u entries: hit ratio %.4f, LRU %.4f\n", c->title,
                      capacity, ours, lru);
        assert_true(ours >= lru + c->gain);
    }
}

/* Names in use survive any number of names that come once. */
static void scan_does_not_sweep_what_is_used(void **state)
{
    unsigned found = 0;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "hot%d.example", i);
            if (ask(name, DNS_TYPE_A, 0) == CACHE_MISS) {
                assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
            }
        }
    }
    for (int i = 0; i < 100000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "once%d.example", i);
        assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
    }
    for (int i = 0; i < 500; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "hot%d.example", i);
        found += ask(name, DNS_TYPE_A, 0) == CACHE_FRESH ? 1 : 0;
    }
    assert_int_equal(found, 500);
}

static void scan(const char *prefix)
{
    for (int i = 0; i < 3500; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s%d.example", prefix, i);
        assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
    }
}

/* Asked for again soon after it went: it was worth more than one pass. */
static void ghosts_come_back_for_longer(void **state)
{
    (void)state;
    assert_int_equal(store_a("ghost.example", 300, 0), CACHE_KEPT);
    scan("a");
    assert_int_equal(ask("ghost.example", DNS_TYPE_A, 0), CACHE_MISS);
    assert_int_equal(store_a("ghost.example", 300, 0), CACHE_KEPT);
    scan("b");
    assert_int_equal(ask("ghost.example", DNS_TYPE_A, 0), CACHE_FRESH);
    assert_int_equal(ask("b0.example", DNS_TYPE_A, 0), CACHE_MISS);
}

/* What is past all use goes first, however often it was used. */
static void dead_entries_are_not_moved(void **state)
{
    uint64_t later_ms = (300 + 86400) * 1000ull;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "old%d.example", i);
        assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
        assert_int_equal(ask(name, DNS_TYPE_A, 0), CACHE_FRESH);
    }
    for (int i = 0; i < 4000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "new%d.example", i);
        assert_int_equal(store_a(name, 300, later_ms), CACHE_KEPT);
        if (i >= 2000 && i < 2010) {
            assert_int_equal(ask(name, DNS_TYPE_A, later_ms), CACHE_FRESH);
        }
    }
    for (int i = 2000; i < 2010; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "new%d.example", i);
        assert_int_equal(ask(name, DNS_TYPE_A, later_ms), CACHE_FRESH);
    }
}

/* All are in use: something goes all the same, and in finite time. */
static void everything_used_still_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < 30000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "n%d.example", i);
        assert_int_equal(store_a(name, 300, 0), CACHE_KEPT);
        for (int n = 0; n < 4; n++) {
            assert_int_equal(ask(name, DNS_TYPE_A, 0), CACHE_FRESH);
        }
    }
    assert_true(stats().octets <= 256 << 10);
    assert_true(stats().entries > 1500);
}

/* Stored anew with other lengths, again and again: nothing else is lost. */
static void replacing_does_not_eat_the_memory(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    for (int i = 0; i < 20000; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "n%u.example", rng_below(&rng, 100));
        answer(name, DNS_TYPE_TXT, 0);
        made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT, rng_below(&rng, 600));
        assert_int_equal(store((uint64_t)i), CACHE_KEPT);
        assert_int_equal(ask(name, DNS_TYPE_TXT, (uint64_t)i), CACHE_FRESH);
        assert_true(stats().octets <= 256 << 10);
    }
    assert_int_equal(stats().entries, 100);
    assert_int_equal(stats().evictions, 0);
}

/* ---- removing all ---- */

struct pages {
    bool is_segment_of[64]; /* a segment that had pages of the index */
    unsigned entries;
};

static void require_not_in_pages(void *arg, struct cache_shard *s,
                                 struct cache_entry *e)
{
    struct pages *p = arg;
    size_t at = (size_t)((uint8_t *)e - s->arena->base);

    assert_false(p->is_segment_of[at / s->arena->segment_len]);
    p->entries++;
}

/* Who looks ahead may still look at pages that were given up: nobody else
 * writes there, ever. */
static void pages_stay_pages(void **state)
{
    const struct cache_shard *s = &cache->shards[0];
    const struct cache_directory *d;
    struct pages p = {.entries = 0};

    (void)state;
    scan("a");
    d = s->index.directory;
    assert_true(d->depth > 0);
    for (size_t i = 0; i < (size_t)1 << d->depth; i++) {
        size_t at = (size_t)d->pages[i] * CACHE_UNIT;
        p.is_segment_of[at / s->arena->segment_len] = true;
    }
    (void)cache_flush_all(cache);
    for (int i = 0; i < 4; i++) {
        scan("b");
    }
    cache_shard_walk(&cache->shards[0], require_not_in_pages, &p);
    assert_int_equal(p.entries, stats().entries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hits_as_often_as_lru),
        TEST(scan_does_not_sweep_what_is_used),
        TEST(ghosts_come_back_for_longer),
        TEST(dead_entries_are_not_moved),
        TEST(everything_used_still_makes_room),
        TEST(replacing_does_not_eat_the_memory),
        TEST(pages_stay_pages),
    };
    return cmocka_run_group_tests_name("cache_shard", tests, NULL, NULL);
}
