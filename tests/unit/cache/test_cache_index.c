/*
 * The index against an array that is searched from front to back: everything
 * put in is found, everything taken out is not, through splits of pages and
 * doublings of the directory.
 */
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "cache/index.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = 400 };

static struct cache_arena arena;
static struct cache_index x;

/* Used for something else before. */
static void *next_page(void)
{
    uint8_t *page = cache_arena_at(&arena, cache_arena_take(&arena, 1));

    memset(page, 0xa5, CACHE_PAGE_LEN);
    return page;
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(cache_arena_init(&arena, CACHE_PAGE_LEN, PAGES), 0);
    assert_int_equal(cache_index_init(&x, &arena, next_page()), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cache_index_finish(&x);
    cache_arena_finish(&arena);
    return 0;
}

static void put(uint32_t hash, uint32_t ref)
{
    while (!cache_index_has_room(&x, hash)) {
        assert_int_equal(cache_index_split(&x, hash, next_page()), 0);
    }
    cache_index_put(&x, hash, ref);
}

static bool has(uint32_t hash, uint32_t ref)
{
    struct cache_index_probe probe = cache_index_probe(&x, hash);
    uint32_t found;

    while ((found = cache_index_next(&probe)) != 0) {
        if (found == ref) {
            return true;
        }
    }
    return false;
}

static unsigned depth(void)
{
    return x.directory->depth;
}

static void many_hashes(void **state)
{
    enum { COUNT = 40000 };
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (uint32_t ref = 1; ref <= COUNT; ref++) {
        put((uint32_t)rng_next(&rng), ref);
    }
    assert_in_range(depth(), 7, 10);
    /* Of all directories there were, the last is half. */
    assert_in_range(cache_index_len(&x), 8u << depth(),
                    (8u << depth()) + 8 * depth());
    rng_seed(&rng, 1);
    for (uint32_t ref = 1; ref <= COUNT; ref++) {
        uint32_t hash = (uint32_t)rng_next(&rng);
        assert_true(has(hash, ref));
        if (ref % 3 == 0) {
            cache_index_remove(&x, hash, ref);
        } else if (ref % 3 == 1) {
            cache_index_move(&x, hash, ref, ref + COUNT);
        }
    }
    rng_seed(&rng, 1);
    for (uint32_t ref = 1; ref <= COUNT; ref++) {
        uint32_t hash = (uint32_t)rng_next(&rng);
        assert_int_equal(has(hash, ref), ref % 3 == 2);
        assert_int_equal(has(hash, ref + COUNT), ref % 3 == 1);
    }
}

/* Few homes, and the last slots: probing goes round the end of the page. */
static void crowded_page(void **state)
{
    struct entry {
        uint32_t hash;
        uint32_t ref; /* 0: not there */
    } model[CACHE_INDEX_FULL];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (size_t i = 0; i < COUNT_OF(model); i++) {
        model[i] = (struct entry){0};
    }
    for (uint32_t step = 1; step < 60000; step++) {
        size_t i = rng_below(&rng, COUNT_OF(model));
        struct entry *e = &model[i];

        if (e->ref != 0) {
            cache_index_remove(&x, e->hash, e->ref);
            assert_false(has(e->hash, e->ref));
            e->ref = 0;
        } else {
            e->hash = 0xffff - rng_below(&rng, 8) * 700;
            e->ref = step;
            cache_index_put(&x, e->hash, e->ref);
        }
        i = rng_below(&rng, COUNT_OF(model));
        assert_int_equal(has(model[i].hash, model[i].ref), model[i].ref != 0);
    }
    for (size_t i = 0; i < COUNT_OF(model); i++) {
        assert_int_equal(has(model[i].hash, model[i].ref), model[i].ref != 0);
    }
}

/* Hashes that no split takes apart: an error, not an endless loop. */
static void equal_hashes_reach_the_bound(void **state)
{
    uint32_t ref = 0;

    (void)state;
    while (cache_index_has_room(&x, 0xabcd1234)) {
        cache_index_put(&x, 0xabcd1234, ++ref);
    }
    assert_int_equal(ref, CACHE_INDEX_FULL);
    for (int i = 0; i < CACHE_INDEX_DEPTH_MAX; i++) {
        assert_int_equal(cache_index_split(&x, 0xabcd1234, next_page()), 0);
    }
    assert_int_equal(cache_index_split(&x, 0xabcd1234, next_page()), ERR_LIMIT);
    assert_false(cache_index_has_room(&x, 0xabcd1234));
    for (uint32_t i = 1; i <= ref; i++) {
        assert_true(has(0xabcd1234, i));
    }
    assert_false(has(0x12345678, 1));
    assert_true(cache_index_has_room(&x, 0x12345678));
}

static void starts_anew(void **state)
{
    size_t len;

    (void)state;
    for (uint32_t ref = 1; ref <= 2000; ref++) {
        put(ref * 2654435761u, ref);
    }
    len = cache_index_len(&x);
    cache_index_reset(&x, next_page());
    assert_int_equal(depth(), 0);
    assert_false(has(2654435761u, 1));
    put(2654435761u, 7);
    assert_true(has(2654435761u, 7));
    /* As large as before: nothing more is allocated, nothing old is found. */
    for (uint32_t ref = 1; ref <= 2000; ref++) {
        put(~(ref * 2654435761u), ref + 5000);
    }
    for (uint32_t ref = 1; ref <= 2000; ref++) {
        assert_true(has(~(ref * 2654435761u), ref + 5000));
        assert_false(has(ref * 2654435761u, ref));
    }
    assert_true(depth() > 0);
    assert_int_equal(cache_index_len(&x), len);
}

/* The guess is what a search finds first, or nothing. */
static void guesses_are_good(void **state)
{
    enum { COUNT = 30000 };
    struct rng rng;
    uint32_t good = 0;

    (void)state;
    rng_seed(&rng, 3);
    for (uint32_t ref = 1; ref <= COUNT; ref++) {
        put((uint32_t)rng_next(&rng), ref);
    }
    rng_seed(&rng, 3);
    for (uint32_t ref = 1; ref <= COUNT; ref++) {
        uint32_t hash = (uint32_t)rng_next(&rng);
        struct cache_index_probe probe = cache_index_probe(&x, hash);
        uint32_t guess = cache_index_guess(&x, hash);

        assert_true(guess == 0 || guess == cache_index_next(&probe));
        cache_index_fetch(&x, hash);
        good += guess == ref;
    }
    assert_true(good > COUNT / 100 * 99);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t hash = (uint32_t)rng_next(&rng);
        if (!has(hash, cache_index_guess(&x, hash))) {
            assert_int_equal(cache_index_guess(&x, hash), 0);
        }
    }
}

/* Runs of taken slots longer than one reads ahead, and one round the end. */
static void guessing_ends(void **state)
{
    (void)state;
    for (uint32_t ref = 1; ref <= 3 * CACHE_INDEX_GUESS_MAX; ref++) {
        cache_index_put(&x, 0xffff, ref);
        cache_index_put(&x, 0x8000, ref + 1000);
    }
    cache_index_put(&x, 0x18000, 7);
    assert_true(has(0x18000, 7));
    assert_int_equal(cache_index_guess(&x, 0x18000), 0);
    assert_int_equal(cache_index_guess(&x, 0xffff), 1);
    assert_int_equal(cache_index_guess(&x, 0x8000), 1001);
    assert_int_equal(cache_index_guess(&x, 0x4000), 0);
}

/* One changes the index, another looks ahead and holds no lock. */
static atomic_bool is_over;

static void *look_ahead(void *arg)
{
    uint32_t *seen = arg;

    do {
        for (uint32_t i = 1; i <= 4000; i++) {
            uint32_t ref = cache_index_guess(&x, i * 2654435761u);

            cache_index_fetch(&x, i * 2654435761u);
            *seen += ref == i;
            if (ref > 4000) {
                return NULL;
            }
        }
    } while (!atomic_load(&is_over));
    return seen;
}

static void looking_ahead_needs_no_lock(void **state)
{
    uint32_t seen = 0;
    pthread_t id;
    void *result;

    (void)state;
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&id, NULL, look_ahead, &seen), 0);
    for (int round = 0; round < 5; round++) {
        for (uint32_t ref = 1; ref <= 4000; ref++) {
            put(ref * 2654435761u, ref);
        }
        for (uint32_t ref = 1; ref <= 4000; ref += 2) {
            cache_index_remove(&x, ref * 2654435761u, ref);
        }
        cache_index_reset(&x, next_page());
    }
    put(2654435761u, 1);
    atomic_store(&is_over, true);
    assert_int_equal(pthread_join(id, &result), 0);
    assert_ptr_equal(result, &seen);
    look_ahead(&seen);
    assert_true(seen > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_hashes),
        TEST(crowded_page),
        TEST(equal_hashes_reach_the_bound),
        TEST(starts_anew),
        TEST(guesses_are_good),
        TEST(guessing_ends),
        TEST(looking_ahead_needs_no_lock),
    };
    return cmocka_run_group_tests_name("cache_index", tests, NULL, NULL);
}
