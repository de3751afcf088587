/*
 * The door: making a cache, answering from it, removing, counting. A hit is
 * found, judged by its age, and written under its shard's lock; everything
 * that can be done before the lock is taken (the key, its hash) is.
 */
#include "cache/cache.h"

#include "base/err.h"
#include "cache/internal.h"
#include "dns/name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS_DEFAULT_MAX = 64,
    SHARD_LEN_DEFAULT = 4 << 20,
    SHARD_LEN_MAX = 1 << 30,
    SEGMENT_LEN_MAX = 65536,
    SEGMENTS_WANTED = 64,  /* of a shard */
    DIRECTORY_SHARE = 256, /* of max_len, one part in so many is for the
                              directories of the indexes */
    ANSWER_EXTRA_MAX = 11 + 6 + 4 + 2 + 255, /* our OPT, keepalive, EDE */
};

/* ---- making ---- */

static size_t power_of_two_within(size_t n)
{
    size_t power = 1;

    while (power <= n / 2) {
        power *= 2;
    }
    return power;
}

static unsigned choose_shards(const struct cache_options *o)
{
    size_t count = power_of_two_within(o->max_len / SHARD_LEN_DEFAULT);

    if (o->shards > 0) {
        return o->shards;
    }
    while (count > SHARDS_DEFAULT_MAX &&
           o->max_len / (count / 2) <= SHARD_LEN_MAX) {
        count /= 2;
    }
    return (unsigned)count;
}

static size_t choose_segment_len(size_t shard_len)
{
    size_t len = power_of_two_within(shard_len / SEGMENTS_WANTED);

    if (len < CACHE_PAGE_LEN) {
        return CACHE_PAGE_LEN;
    }
    return len < SEGMENT_LEN_MAX ? len : SEGMENT_LEN_MAX;
}

static bool options_are_usable(const struct cache_options *o)
{
    unsigned shards = choose_shards(o);

    return o->max_len >= CACHE_LEN_MIN &&
           o->max_len <= (size_t)UINT32_MAX * CACHE_UNIT &&
           (shards & (shards - 1)) == 0 && shards <= CACHE_SHARDS_MAX &&
           o->max_len / shards <= SHARD_LEN_MAX && o->min_ttl_s <= o->max_ttl_s;
}

/* Segments of one shard, so that all memory together stays within max_len. */
static int32_t choose_quota(const struct cache *c, size_t segment_len)
{
    size_t len = c->options.max_len - c->options.max_len / DIRECTORY_SHARE;
    size_t own = sizeof(*c) + c->shard_count * sizeof(*c->shards);
    size_t each = segment_len + sizeof(struct cache_segment);

    return len < own ? 0 : (int32_t)((len - own) / c->shard_count / each);
}

static int shards_create(struct cache *c, int32_t quota)
{
    size_t len = c->shard_count * sizeof(*c->shards);

    c->shards = aligned_alloc(_Alignof(struct cache_shard), len);
    if (c->shards == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < c->shard_count; i++) {
        int err = cache_shard_init(&c->shards[i], &c->arena, quota,
                                   c->options.stale_s * 1000ull);
        if (err != 0) {
            while (i-- > 0) {
                cache_shard_finish(&c->shards[i]);
            }
            free(c->shards);
            return err;
        }
    }
    return 0;
}

int cache_create(const struct cache_options *options, struct cache **out)
{
    struct cache *c;
    size_t segment_len;
    int32_t quota;
    int err = ERR_NOMEM;

    if (!options_are_usable(options)) {
        return ERR_INVAL;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->options = *options;
    c->shard_count = choose_shards(options);
    atomic_init(&c->references, 1);
    segment_len = choose_segment_len(options->max_len / c->shard_count);
    quota = choose_quota(c, segment_len);
    if (quota < CACHE_QUOTA_MIN) {
        err = ERR_INVAL; /* more shards than there is memory for */
        goto fail_cache;
    }
    err = cache_arena_init(&c->arena, (uint32_t)segment_len,
                           quota * (int32_t)c->shard_count);
    if (err != 0) {
        goto fail_cache;
    }
    err = shards_create(c, quota);
    if (err != 0) {
        goto fail_arena;
    }
    *out = c;
    return 0;

fail_arena:
    cache_arena_finish(&c->arena);
fail_cache:
    free(c);
    return err;
}

struct cache *cache_retain(struct cache *c)
{
    (void)atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

void cache_release(struct cache *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1,
                                               memory_order_acq_rel) > 1) {
        return;
    }
    for (unsigned i = 0; i < c->shard_count; i++) {
        cache_shard_finish(&c->shards[i]);
    }
    free(c->shards);
    cache_arena_finish(&c->arena);
    free(c);
}

/* ---- answers ---- */

/* Seconds since asked_s of e. Another worker's clock may be ahead. */
static uint32_t asked_ago_s(const struct cache_entry *e, uint64_t now_ms)
{
    int32_t ago_s = (int32_t)((uint32_t)(now_ms / 1000) - e->asked_s);

    return ago_s > 0 ? (uint32_t)ago_s : 0;
}

/* Did asking anew fail so lately that it is not to be tried again? */
static bool has_failed_lately(const struct cache_options *o,
                              const struct cache_entry *e, uint64_t now_ms)
{
    return (e->bits & CACHE_ENTRY_FAILED) != 0 &&
           asked_ago_s(e, now_ms) < o->failure_ttl_s;
}

static void judge_age(const struct cache_options *o, const struct cache_ask *q,
                      const struct cache_entry *e, uint64_t age_ms,
                      struct cache_hit *hit)
{
    uint64_t ttl_ms = e->ttl_s * 1000ull;
    uint32_t cut_s = q->stale_cut_s < o->stale_s ? q->stale_cut_s : o->stale_s;

    if (age_ms < ttl_ms) {
        hit->state = CACHE_FRESH;
    } else if (!cache_entry_is_failure(e) &&
               age_ms < ttl_ms + (o->stale_s - cut_s) * 1000ull) {
        hit->has_stale = true;
        if (q->allow_stale || has_failed_lately(o, e, q->now_ms)) {
            hit->state = CACHE_STALE;
        }
    }
}

static bool wants_refresh(const struct cache_options *o,
                          const struct cache_ask *q,
                          const struct cache_entry *e,
                          const struct cache_hit *hit, uint64_t age_ms)
{
    uint64_t ttl_ms = e->ttl_s * 1000ull;

    if (!q->may_refresh) {
        return false;
    }
    if (hit->state == CACHE_FRESH) {
        return (ttl_ms - age_ms) * 10 <= ttl_ms &&
               (e->bits & CACHE_ENTRY_USED) != 0 &&
               (e->bits & CACHE_ENTRY_ASKED) == 0 && !cache_entry_is_failure(e);
    }
    if ((e->bits & (CACHE_ENTRY_ASKED | CACHE_ENTRY_FAILED)) == 0) {
        return true;
    }
    return asked_ago_s(e, q->now_ms) >= CACHE_RETRY_S &&
           !has_failed_lately(o, e, q->now_ms);
}

static int write_answer(const struct cache_ask *q, const struct cache_entry *e,
                        const struct cache_hit *hit, uint8_t *out, size_t cap)
{
    struct dns_stored view = cache_entry_view(e);
    struct dns_age age = {.age_s = hit->age_s};
    struct dns_extra extra = *q->extra;

    if (hit->state == CACHE_STALE) {
        age.fixed_s = CACHE_STALE_TTL_S;
        view.flags &= (uint16_t)~DNS_FLAG_AD; /* signatures may have ended */
        extra.ede = e->rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
                                                   : DNS_EDE_STALE_ANSWER;
    } else if (cache_entry_is_failure(e) && e->options_len == 0) {
        extra.ede = DNS_EDE_CACHED_ERROR;
    }
    return dns_build_stored(q->asker, &view, age, &extra, out, cap);
}

static void note_use(struct cache_shard *s, const struct cache_ask *q,
                     struct cache_entry *e, struct cache_hit *hit)
{
    if (hit->wants_refresh) {
        e->asked_s = (uint32_t)(q->now_ms / 1000);
        e->bits &= (uint8_t)~CACHE_ENTRY_FAILED;
        e->bits |= CACHE_ENTRY_ASKED;
        s->stats.refreshes++;
    }
    e->bits |= CACHE_ENTRY_USED;
    if (e->hits < CACHE_ENTRY_HITS_MAX) {
        e->hits++;
    }
    if (hit->state == CACHE_FRESH) {
        s->stats.hits++;
    } else {
        s->stats.stale++;
    }
}

/* Returns as cache_answer(). */
static int answer_from(const struct cache_options *o, struct cache_shard *s,
                       const struct cache_ask *q, struct cache_entry *e,
                       uint8_t *out, size_t cap, struct cache_hit *hit)
{
    uint64_t age_ms = cache_entry_age_ms(e, q->now_ms);
    int len;

    judge_age(o, q, e, age_ms, hit);
    if (hit->state == CACHE_MISS) {
        return 0;
    }
    hit->has_stale = false;
    hit->rcode = e->rcode;
    hit->age_s =
        age_ms / 1000 < UINT32_MAX ? (uint32_t)(age_ms / 1000) : UINT32_MAX;
    len = write_answer(q, e, hit, out, cap);
    if (len > 0) {
        hit->wants_refresh = wants_refresh(o, q, e, hit, age_ms);
        if (!q->is_read_back) {
            note_use(s, q, e, hit);
        }
        return len;
    }
    hit->need_len = cache_entry_len(e) + ANSWER_EXTRA_MAX;
    if (hit->need_len > q->asker->limit) {
        hit->need_len = q->asker->limit;
    }
    return len;
}

int cache_answer(struct cache *c, const struct cache_ask *q, uint8_t *out,
                 size_t cap, struct cache_hit *hit)
{
    const struct dns_asker *a = q->asker;
    struct cache_key key;
    struct cache_shard *s;
    struct cache_entry *e;
    int len = 0;

    *hit = (struct cache_hit){.state = CACHE_MISS};
    cache_key_init(&key, c->options.hash_key,
                   span_of(a->question, a->question_len), a->has_do,
                   (a->flags & DNS_FLAG_CD) != 0, q->hash);
    s = cache_shard_of(c, key.hash);
    (void)pthread_mutex_lock(&s->lock);
    e = cache_shard_find(s, &key);
    if (e != NULL) {
        len = answer_from(&c->options, s, q, e, out, cap, hit);
    }
    s->stats.misses += len == 0 && !q->is_read_back;
    (void)pthread_mutex_unlock(&s->lock);
    return len;
}

/* ---- looking ahead ---- */

uint64_t cache_look_ahead(const struct cache *c, struct span question,
                          bool has_do, bool has_cd)
{
    struct cache_key key;

    cache_key_init(&key, c->options.hash_key, question, has_do, has_cd, 0);
    cache_shard_fetch_slot(cache_shard_of(c, key.hash), key.hash);
    return key.hash;
}

void cache_look_ahead_more(const struct cache *c, uint64_t hash)
{
    cache_shard_fetch_entry(cache_shard_of(c, hash), hash);
}

/* ---- removing ---- */

struct flush {
    struct span name; /* in lower case */
    uint16_t type;
    bool with_subtree;
    size_t count;
};

/* Does the name of e end in the one to flush, at the beginning of a label? */
static bool flush_covers(const struct flush *f, const struct cache_entry *e)
{
    const uint8_t *name = cache_entry_question(e);
    size_t len = e->name_len;
    size_t at = 0;

    if (f->type != 0 && dns_get16(name + len) != f->type) {
        return false;
    }
    if (f->with_subtree) {
        while (len - at > f->name.len) {
            at += 1u + name[at];
        }
    }
    return len - at == f->name.len &&
           memcmp(name + at, f->name.ptr, f->name.len) == 0;
}

static void flush_entry(void *arg, struct cache_shard *s, struct cache_entry *e)
{
    struct flush *f = arg;

    if (flush_covers(f, e)) {
        cache_shard_remove(s, e);
        f->count++;
    }
}

size_t cache_flush_name(struct cache *c, struct span name, uint16_t type,
                        bool with_subtree)
{
    uint8_t lower[DNS_NAME_MAX];
    struct flush f = {span_of(lower, name.len), type, with_subtree, 0};

    assert(name.len > 0 && name.len <= DNS_NAME_MAX);
    dns_name_lower(lower, name.ptr, name.len);
    for (unsigned i = 0; i < c->shard_count; i++) {
        struct cache_shard *s = &c->shards[i];

        (void)pthread_mutex_lock(&s->lock);
        cache_shard_walk(s, flush_entry, &f);
        (void)pthread_mutex_unlock(&s->lock);
    }
    return f.count;
}

size_t cache_flush_all(struct cache *c)
{
    size_t count = 0;

    for (unsigned i = 0; i < c->shard_count; i++) {
        struct cache_shard *s = &c->shards[i];

        (void)pthread_mutex_lock(&s->lock);
        count += s->stats.entries;
        cache_shard_clear(s);
        (void)pthread_mutex_unlock(&s->lock);
    }
    return count;
}

/* ---- counters ---- */

static void stats_add(struct cache_stats *sum, const struct cache_stats *one)
{
    sum->entries += one->entries;
    sum->hits += one->hits;
    sum->stale += one->stale;
    sum->misses += one->misses;
    sum->refreshes += one->refreshes;
    sum->evictions += one->evictions;
    for (int i = 0; i < CACHE_OUTCOME_COUNT; i++) {
        sum->outcomes[i] += one->outcomes[i];
    }
}

void cache_stats(struct cache *c, struct cache_stats *out)
{
    *out = (struct cache_stats){.octets = sizeof(*c) +
                                          c->shard_count * sizeof(*c->shards)};
    for (unsigned i = 0; i < c->shard_count; i++) {
        struct cache_shard *s = &c->shards[i];

        (void)pthread_mutex_lock(&s->lock);
        stats_add(out, &s->stats);
        out->octets += cache_shard_octets(s);
        (void)pthread_mutex_unlock(&s->lock);
    }
}
