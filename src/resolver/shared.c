/*
 * What all workers' resolvers share: made before the first, gone after the
 * last.
 */
#include "resolver/shared.h"

#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "resolver"

/* The zone that keeps stale answers longest decides for the cache; the others
 * take less of it (stale_cut_s). */
uint32_t resolver_shared_stale_s(const struct config *config)
{
    uint32_t most_ms = config->serve_stale_ms;

    for (size_t i = 0; i < config->zone_count; i++) {
        uint32_t zone_ms = config->zones[i].serve_stale_ms;
        bool is_kept = config->zones[i].is_cached;
        most_ms = is_kept && zone_ms > most_ms ? zone_ms : most_ms;
    }
    return most_ms / 1000;
}

static struct cache_options options_of(const struct resolver_shared *s,
                                       const struct config *config)
{
    struct cache_options options = {
        .max_len = config->cache_size,
        .min_ttl_s = config->min_ttl_ms / 1000,
        .max_ttl_s = config->max_ttl_ms / 1000,
        .max_negative_ttl_s = config->max_negative_ttl_ms / 1000,
        .failure_ttl_s = config->failure_ttl_ms / 1000,
        .stale_s = resolver_shared_stale_s(config),
    };

    memcpy(options.hash_key, s->hash_key, sizeof(options.hash_key));
    return options;
}

int resolver_shared_create(const struct config *config, unsigned worker_count,
                           const uint8_t seed[RESOLVER_SEED_LEN],
                           struct resolver_shared **out)
{
    struct resolver_shared *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return ERR_NOMEM;
    }
    memcpy(s->hash_key, seed, sizeof(s->hash_key));
    memcpy(s->cookie_secret, seed + sizeof(s->hash_key),
           sizeof(s->cookie_secret));
    s->options = options_of(s, config);
    int err = 0;
    if (config->cache_size > 0) {
        err = cache_create(&s->options, &s->cache);
    }
    if (err == 0 && worker_count > 1) {
        err = board_create(&s->board);
    }
    if (err != 0) {
        resolver_shared_destroy(s);
        return err;
    }
    *out = s;
    return 0;
}

/* ---- another cache ---- */

int resolver_shared_reconfigure(struct resolver_shared *s,
                                const struct config *config, uint64_t now_ms)
{
    const struct cache_options options = options_of(s, config);
    struct cache *cache = NULL;

    if (memcmp(&options, &s->options, sizeof(options)) == 0) {
        return 0;
    }
    if (options.max_len > 0) {
        int err = cache_create(&options, &cache);
        if (err != 0) {
            return err;
        }
    }
    if (cache != NULL && s->cache != NULL) {
        int err = cache_copy(s->cache, cache, now_ms, NULL);
        if (err != 0) {
            log_warning("the new cache starts empty: %s", err_text(err));
        }
    }
    resolver_shared_settle(s);
    s->before = s->cache;
    s->cache = cache;
    s->options = options;
    return 0;
}

void resolver_shared_settle(struct resolver_shared *s)
{
    cache_release(s->before);
    s->before = NULL;
}

void resolver_shared_destroy(struct resolver_shared *s)
{
    if (s == NULL) {
        return;
    }
    board_destroy(s->board);
    resolver_shared_settle(s);
    cache_release(s->cache);
    free(s);
}

struct cache *resolver_shared_cache(const struct resolver_shared *s)
{
    return s == NULL ? NULL : s->cache;
}
