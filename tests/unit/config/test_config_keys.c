/*
 * Every number at both of its bounds: the file loads, each value is in its
 * member, and the cache takes what the file may ask for.
 */
#include "base/err.h"
#include "cache/cache.h"
#include "config/keys.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All keys with bounds, each at the one asked for. */
static char *file_at(bool is_max)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fputs(EXPECT_SERVER, out);
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        const struct key *key = &keys_table[i];
        char number[VALUE_TEXT_MAX];

        if (keys_is_number(key->kind)) {
            fprintf(out, "%s: %s\n", key->name,
                    value_format((enum value_kind)key->kind,
                                 is_max ? key->max : key->min, number));
        }
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Warnings are no matter here. */
static struct config *load_at(bool is_max)
{
    char *text = file_at(is_max);
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load_text(text, strlen(text), "t", &c, &d);

    if (err != 0) {
        char *said = expect_join(&d);
        fail_msg("%s of\n%s", said, text);
    }
    config_diagnostics_finish(&d);
    free(text);
    return c;
}

static void expect_members(const struct config *c, bool is_max)
{
/* Members in seconds are of another room's struct. */
#define EXPECT_NUMBER(name_, member_, kind_, default_, zero_, min_, max_) \
    assert_int_equal(c->member_, \
                     (is_max ? (max_) : (min_)) / \
                         (KEY_##name_ == KEY_local_ttl ? 1000 : 1));
#define EXPECT_NOTHING(...)
    KEYS(EXPECT_NUMBER, EXPECT_NOTHING, EXPECT_NOTHING, EXPECT_NOTHING,
         EXPECT_NOTHING)
#undef EXPECT_NUMBER
#undef EXPECT_NOTHING
}

static void expect_cache(const struct config *c)
{
    const struct cache_options options = {
        .max_len = c->cache_size,
        .min_ttl_s = c->min_ttl_ms / 1000,
        .max_ttl_s = c->max_ttl_ms / 1000,
        .max_negative_ttl_s = c->max_negative_ttl_ms / 1000,
        .failure_ttl_s = c->failure_ttl_ms / 1000,
        .stale_s = c->serve_stale_ms / 1000,
    };
    struct cache *cache = NULL;

    assert_int_equal(cache_create(&options, &cache), 0);
    cache_release(cache);
}

static void test_bounds(void **state)
{
    (void)state;
    for (int is_max = 0; is_max <= 1; is_max++) {
        struct config *c = load_at(is_max == 1);

        expect_members(c, is_max == 1);
        expect_cache(c);
        config_destroy(c);
    }
}

/* Outside of them by one, no key loads. */
static void test_outside(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        const struct key *key = &keys_table[i];
        char number[VALUE_TEXT_MAX];

        for (int j = 0; j < 2 && keys_is_number(key->kind); j++) {
            char text[256];
            struct config *c = NULL;
            struct config_diagnostics d;

            if (j == 0 && key->min == 1 && key->zero != NULL) {
                continue; /* 0 may mean something */
            }
            snprintf(text, sizeof(text), EXPECT_SERVER "%s: %s\n", key->name,
                     value_format((enum value_kind)key->kind,
                                  j == 0 ? key->min - 1 : key->max + 1,
                                  number));
            assert_int_equal(config_load_text(text, strlen(text), "t", &c, &d),
                             ERR_CONFIG);
            config_diagnostics_finish(&d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_outside),
    };

    return cmocka_run_group_tests_name("config_keys", tests, NULL, NULL);
}
