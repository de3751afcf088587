/*
 * The cache beside a model of it that is too simple to be wrong: an array
 * with an entry for every key there is, and the rules written down once more,
 * as sentences of the header. Both do what a string of octets says, four an
 * operation; whatever they disagree on ends the program.
 *
 * Used by the random test here and by the fuzz target.
 */
#ifndef TESTS_CACHE_MODEL_H
#define TESTS_CACHE_MODEL_H

#include "base/attr.h"
#include "cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_REQUIRE(claim) \
    do { \
        if (!(claim)) { \
            (void)fprintf(stderr, "%s:%d: step %zu: not true: %s\n", __FILE__, \
                          __LINE__, m->step, #claim); \
            abort(); \
        } \
    } while (0)

enum {
    MODEL_KEYS = 32,
    MODEL_MIN_TTL_S = 2,
    MODEL_MAX_TTL_S = 1000,
    MODEL_NEGATIVE_S = 50,
    MODEL_FAILURE_S = 5,
    MODEL_STALE_S = 60
};

/* What is known of a key. All times in ms. */
struct model_entry {
    bool is_there, was_used, was_asked, has_failed;
    unsigned rcode;
    uint64_t stored, asked;
    uint32_t ttl_s;
};

struct model {
    struct cache *cache;
    struct model_entry entries[MODEL_KEYS];
    uint64_t now;
    size_t step;
};

/* A key: bits 0 and 1 the name, 2 the type, 3 DO, 4 CD. */
static struct dns_question model_question(unsigned key)
{
    static const struct span names[] = {
        {(const uint8_t *)"\1a\7example", 11},
        {(const uint8_t *)"\1b\1a\7example", 13},
        {(const uint8_t *)"\7example", 9},
        {(const uint8_t *)"", 1},
    };
    struct span name = names[key & 3];

    return (struct dns_question){name.ptr, (uint16_t)name.len,
                                 (key & 4) != 0 ? DNS_TYPE_A : 65,
                                 DNS_CLASS_IN};
}

/* ---- the rules, once more ---- */

static bool model_is_failure(const struct model_entry *e)
{
    return e->rcode == DNS_RCODE_SERVFAIL;
}

static bool model_can_be_stale(const struct model *m,
                               const struct model_entry *e)
{
    return e->is_there && !model_is_failure(e) &&
           m->now - e->stored >= e->ttl_s * 1000u &&
           m->now - e->stored < (e->ttl_s + MODEL_STALE_S) * 1000u;
}

static bool model_is_fresh(const struct model *m, const struct model_entry *e)
{
    return e->is_there && m->now - e->stored < e->ttl_s * 1000u;
}

/* Moments are told apart by the second here. */
static bool model_failed_lately(const struct model *m,
                                const struct model_entry *e)
{
    return e->has_failed && m->now / 1000 - e->asked / 1000 < MODEL_FAILURE_S;
}

static bool model_wants_refresh(const struct model *m,
                                const struct model_entry *e)
{
    if (model_is_fresh(m, e)) {
        uint64_t left = e->stored + e->ttl_s * 1000u - m->now;
        return left <= e->ttl_s * 100u && e->was_used && !e->was_asked &&
               !model_is_failure(e);
    }
    return !model_failed_lately(m, e) &&
           ((!e->was_asked && !e->has_failed) ||
            m->now / 1000 - e->asked / 1000 >= CACHE_RETRY_S);
}

static enum cache_state model_ask(struct model *m, struct model_entry *e,
                                  bool allow_stale, bool may_refresh,
                                  bool *wants_refresh)
{
    bool is_fresh = model_is_fresh(m, e);

    *wants_refresh = false;
    if (!is_fresh && !(model_can_be_stale(m, e) &&
                       (allow_stale || model_failed_lately(m, e)))) {
        return CACHE_MISS;
    }
    *wants_refresh = may_refresh && model_wants_refresh(m, e);
    if (*wants_refresh) {
        e->was_asked = true;
        e->has_failed = false;
        e->asked = m->now;
    }
    e->was_used = true;
    return is_fresh ? CACHE_FRESH : CACHE_STALE;
}

static uint32_t model_bounded(uint32_t ttl_s, bool is_negative)
{
    ttl_s = ttl_s < MODEL_MIN_TTL_S ? MODEL_MIN_TTL_S : ttl_s;
    ttl_s = ttl_s > MODEL_MAX_TTL_S ? MODEL_MAX_TTL_S : ttl_s;
    return is_negative && ttl_s > MODEL_NEGATIVE_S ? MODEL_NEGATIVE_S : ttl_s;
}

static enum cache_outcome model_store(struct model *m, struct model_entry *e,
                                      unsigned rcode, uint32_t ttl_s)
{
    bool is_error = rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN;

    if (is_error && !model_is_failure(e) &&
        (model_is_fresh(m, e) || model_can_be_stale(m, e))) {
        e->has_failed = true;
        e->asked = m->now;
        return CACHE_KEPT_OLDER;
    }
    if (is_error && rcode != DNS_RCODE_SERVFAIL) {
        return CACHE_NOT_RCODE;
    }
    *e = (struct model_entry){.rcode = rcode, .stored = m->now};
    if (is_error) {
        e->is_there = true;
        e->ttl_s = MODEL_FAILURE_S;
        return CACHE_KEPT_FAILURE;
    }
    if (ttl_s == 0 || ttl_s > 0x7fffffff) {
        return CACHE_NOT_TTL;
    }
    e->is_there = true;
    e->ttl_s = model_bounded(ttl_s, rcode == DNS_RCODE_NXDOMAIN);
    return rcode == 0 ? CACHE_KEPT : CACHE_KEPT_NEGATIVE;
}

/* ---- operations on both ---- */

static void model_do_store(struct model *m, unsigned key, unsigned rcode,
                           uint32_t ttl_s)
{
    struct dns_question q = model_question(key);
    uint8_t message[128] = {0, 0, 0x81, 0x80, 0, 1};
    uint8_t *p = message + DNS_HEADER_LEN;
    struct dns_response r;
    struct span all;

    message[3] |= (uint8_t)rcode;
    message[rcode == 0 ? 7 : 9] = 1;
    memcpy(p, q.name, q.name_len);
    dns_put16(p + q.name_len, q.type);
    dns_put16(p + q.name_len + 2, q.klass);
    p += dns_question_len(&q);
    dns_put16(p, 0xc00c);
    dns_put16(p + 2, rcode == 0 ? q.type : DNS_TYPE_SOA);
    dns_put16(p + 4, DNS_CLASS_IN);
    dns_put32(p + 6, ttl_s);
    dns_put16(p + 10, 22);
    dns_put32(p + 12 + 18, UINT32_C(0x7fffffff));
    all = span_of(message, (size_t)(p + 34 - message));
    MODEL_REQUIRE(dns_response_parse(all, &r) == 0);
    MODEL_REQUIRE(cache_store(m->cache, &q, (key & 8) != 0, (key & 16) != 0,
                              all, &r, m->now) ==
                  model_store(m, &m->entries[key], rcode, ttl_s));
}

static int model_ede(const struct dns_response *r)
{
    size_t cursor = 0;
    struct span value;

    if (r->opt.options.len == 0 ||
        !dns_opt_next(&r->opt, DNS_OPTION_EDE, &cursor, &value)) {
        return DNS_EDE_NONE;
    }
    return dns_get16(value.ptr);
}

/* Is the answer what the entry says? */
static void model_check(const struct model *m, const struct model_entry *e,
                        const struct cache_hit *hit, struct span answer)
{
    uint64_t age_s = (m->now - e->stored) / 1000;
    bool is_stale = hit->state == CACHE_STALE;
    int ede = DNS_EDE_NONE;
    struct dns_response r;

    MODEL_REQUIRE(dns_response_parse(answer, &r) == 0);
    MODEL_REQUIRE(r.rcode == e->rcode && hit->rcode == e->rcode);
    MODEL_REQUIRE(hit->age_s == age_s);
    MODEL_REQUIRE(r.answer_count == (e->rcode == 0 ? 1 : 0));
    if (!model_is_failure(e)) {
        size_t at = DNS_HEADER_LEN + dns_question_len(&r.question) + 6;
        MODEL_REQUIRE(dns_get32(answer.ptr + at) ==
                      (is_stale ? CACHE_STALE_TTL_S : e->ttl_s - age_s));
    }
    if (is_stale) {
        ede = e->rcode == 0 ? DNS_EDE_STALE_ANSWER : DNS_EDE_STALE_NXDOMAIN;
    } else if (model_is_failure(e)) {
        ede = DNS_EDE_CACHED_ERROR;
    }
    MODEL_REQUIRE(model_ede(&r) == ede);
}

static void model_do_ask(struct model *m, unsigned key, bool allow_stale,
                         bool may_refresh, bool looks_ahead)
{
    static const struct dns_extra extra = {.ede = DNS_EDE_NONE};
    struct dns_question q = model_question(key);
    struct model_entry *e = &m->entries[key];
    uint8_t question[DNS_NAME_MAX + 4];
    uint8_t out[DNS_UDP_MIN];
    struct dns_asker a = {
        .question = question,
        .question_len = (uint16_t)dns_question_len(&q),
        .flags = (key & 16) != 0 ? DNS_FLAG_CD : 0,
        .limit = DNS_UDP_MIN,
        .has_opt = true,
        .has_do = (key & 8) != 0,
    };
    struct cache_ask ask = {.asker = &a,
                            .extra = &extra,
                            .now_ms = m->now,
                            .allow_stale = allow_stale,
                            .may_refresh = may_refresh};
    bool can_be_stale = model_can_be_stale(m, e);
    bool wants_refresh;
    enum cache_state want =
        model_ask(m, e, allow_stale, may_refresh, &wants_refresh);
    struct cache_hit hit;
    int len;

    for (size_t i = 0; i < q.name_len; i++) { /* spelt another way */
        bool is_letter = q.name[i] >= 'a' && q.name[i] <= 'z';
        question[i] = is_letter ? q.name[i] & 0xdf : q.name[i];
    }
    dns_put16(question + q.name_len, q.type);
    dns_put16(question + q.name_len + 2, q.klass);
    if (looks_ahead) {
        ask.hash = cache_look_ahead(m->cache, span_of(question, a.question_len),
                                    a.has_do, (key & 16) != 0);
        MODEL_REQUIRE(ask.hash != 0);
        cache_look_ahead_more(m->cache, ask.hash);
    }
    len = cache_answer(m->cache, &ask, out, sizeof(out), &hit);
    MODEL_REQUIRE(hit.state == want);
    MODEL_REQUIRE((len > 0) == (want != CACHE_MISS));
    MODEL_REQUIRE(hit.wants_refresh == wants_refresh);
    MODEL_REQUIRE(hit.has_stale == (want == CACHE_MISS && can_be_stale));
    if (len > 0) {
        MODEL_REQUIRE(memcmp(out + 12, question, a.question_len) == 0);
        model_check(m, e, &hit, span_of(out, (size_t)len));
    }
}

static void model_do_flush(struct model *m, unsigned key, bool with_type,
                           bool with_subtree)
{
    /* By name: is the other one below it? See model_question(). */
    static const bool below[4][4] = {
        {1, 1, 0, 0}, {0, 1, 0, 0}, {1, 1, 1, 0}, {1, 1, 1, 1}};
    struct dns_question q = model_question(key);
    size_t count = 0;

    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        bool is_name =
            (i & 3) == (key & 3) || (with_subtree && below[key & 3][i & 3]);
        bool is_type = !with_type || (i & 4) == (key & 4);

        if (is_name && is_type && m->entries[i].is_there) {
            m->entries[i] = (struct model_entry){0};
            count++;
        }
    }
    MODEL_REQUIRE(cache_flush_name(m->cache, span_of(q.name, q.name_len),
                                   with_type ? q.type : 0,
                                   with_subtree) == count);
}

struct model_stream {
    uint8_t octets[16384];
    size_t len;
};

static int model_sink(void *arg, struct span octets)
{
    struct model_stream *s = arg;

    memcpy(s->octets + s->len, octets.ptr, octets.len);
    s->len += octets.len;
    return 0;
}

static int model_source(void *arg, uint64_t at, uint8_t *out, size_t cap)
{
    const struct model_stream *s = arg;
    size_t len = s->len - at < cap ? s->len - at : cap;

    memcpy(out, s->octets + at, len);
    return (int)len;
}

static const struct cache_options model_options = {
    .max_len = CACHE_LEN_MIN,
    .hash_key = "fifteen octets.",
    .min_ttl_s = MODEL_MIN_TTL_S,
    .max_ttl_s = MODEL_MAX_TTL_S,
    .max_negative_ttl_s = MODEL_NEGATIVE_S,
    .failure_ttl_s = MODEL_FAILURE_S,
    .stale_s = MODEL_STALE_S,
};

/* Into another cache, larger and with another key. */
static size_t model_do_move(struct model *m)
{
    struct cache_options options = model_options;
    struct cache *to;
    size_t count;

    options.max_len *= 2;
    options.shards = 2;
    options.hash_key[0]++;
    MODEL_REQUIRE(cache_create(&options, &to) == 0);
    MODEL_REQUIRE(cache_copy(m->cache, to, m->now, &count) == 0);
    cache_release(m->cache);
    m->cache = to;
    return count;
}

/* To a stream, away for so many seconds, and back. */
static size_t model_do_restart(struct model *m, unsigned away_s)
{
    struct model_stream s = {.len = 0};
    size_t count;

    MODEL_REQUIRE(cache_save(m->cache, 5000, m->now, model_sink, &s) == 0);
    (void)cache_flush_all(m->cache);
    m->now += away_s * 1000u;
    MODEL_REQUIRE(cache_load(m->cache, model_source, &s, 5000 + away_s, m->now,
                             &count) == 0);
    return count;
}

/* count answers came through; the model's entries do too. */
static void model_check_kept(struct model *m, size_t count)
{
    size_t want = 0;

    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        struct model_entry *e = &m->entries[i];

        e->is_there = !model_is_failure(e) &&
                      (model_is_fresh(m, e) || model_can_be_stale(m, e));
        e->was_used = e->was_asked = e->has_failed = false;
        want += e->is_there ? 1 : 0;
    }
    MODEL_REQUIRE(count == want);
}

static void model_step(struct model *m, const uint8_t op[4])
{
    static const uint32_t ttls_s[8] = {0, 1, 2, 10, 49, 51, 1000, 0x80000000};
    static const unsigned pauses_ms[16] = {0,    0,    1,     10,   100,  900,
                                           999,  1000, 2000,  4000, 4999, 5000,
                                           9000, 9999, 55000, 70000};
    unsigned key = op[1] % MODEL_KEYS;
    bool bit = (op[0] & 16) != 0;

    m->now += pauses_ms[op[3] % 16];
    m->step++;
    switch (op[0] & 15) {
    case 0:
    case 1:
        model_do_store(m, key, DNS_RCODE_NOERROR, ttls_s[op[2] % 8]);
        break;
    case 2:
        model_do_store(m, key, DNS_RCODE_NXDOMAIN, ttls_s[op[2] % 8]);
        break;
    case 3:
        model_do_store(m, key, bit ? DNS_RCODE_SERVFAIL : DNS_RCODE_REFUSED,
                       300);
        break;
    case 4:
        if (op[2] % 4 == 0) {
            model_do_flush(m, key, bit, (op[0] & 32) != 0);
        }
        break;
    case 5:
        if (op[2] % 16 == 0) {
            model_check_kept(m, op[0] == 5 ? model_do_move(m)
                                           : model_do_restart(m, op[0] >> 4));
        }
        break;
    default:
        model_do_ask(m, key, bit, (op[0] & 32) == 0, (op[0] & 64) != 0);
    }
}

/* Run what the octets say. */
static void model_run(const uint8_t *octets, size_t len)
{
    struct model model = {.now = 1234};
    struct model *m = &model;
    struct cache_stats stats;
    size_t want = 0;

    MODEL_REQUIRE(cache_create(&model_options, &m->cache) == 0);
    for (size_t i = 0; i + 4 <= len; i += 4) {
        model_step(m, octets + i);
    }
    cache_stats(m->cache, &stats);
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        want += m->entries[i].is_there ? 1 : 0;
    }
    MODEL_REQUIRE(stats.entries == want);
    MODEL_REQUIRE(stats.evictions == 0);
    cache_release(m->cache);
}

#endif
