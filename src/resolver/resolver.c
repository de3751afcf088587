/*
 * The life of one query. What can be answered at once, from the cache or with
 * an error, is answered inside resolver_ask(); any other query joins a flight
 * (flight.c), new or under way, and is told when that ends.
 */
#include "resolver/resolver.h"

#include "base/err.h"
#include "cache/cache.h"
#include "resolver/answer.h"
#include "resolver/flight.h"
#include "resolver/shared.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void zone_init(struct resolver_zone *z, struct upstream_pool *pool,
                      const struct config *config,
                      const struct config_zone *zone)
{
    uint32_t kept_s = resolver_shared_stale_s(config);
    uint32_t stale_s =
        (zone == NULL ? config->serve_stale_ms : zone->serve_stale_ms) / 1000;

    *z = (struct resolver_zone){
        .pool = pool,
        .is_cached = zone == NULL || zone->is_cached,
        .is_plain = zone != NULL && zone->pool.is_plain,
        .stale_cut_s = stale_s < kept_s ? kept_s - stale_s : 0,
        .is_default = zone == NULL,
    };
    z->allows_stale = z->is_cached && stale_s > 0;
    z->is_plain = z->is_plain || (zone == NULL && config->pool.is_plain) ||
                  (zone != NULL && zone->resolv_conf != NULL);
}

/* Is less believed from now on than of what is in the cache? */
static bool doubts_more(const struct policy_options *before,
                        const struct policy_options *after)
{
    bool is_same = before->has_rebind_protection &&
                   before->rebind_allow_count == after->rebind_allow_count;

    for (size_t i = 0; is_same && i < after->rebind_allow_count; i++) {
        is_same = strcmp(before->rebind_allow[i], after->rebind_allow[i]) == 0;
    }
    return after->has_rebind_protection && !is_same;
}

int resolver_reconfigure(struct resolver *r, const struct resolver_setup *setup)
{
    int err = resolver_reserve(r, setup->pool_count);

    if (err != 0) {
        return err;
    }
    struct resolver_zone *zones = r->spare;
    r->spare = NULL;
    r->spare_count = 0;
    assert(setup->pool_count == 1 + setup->config->zone_count);
    zone_init(&zones[0], setup->pools[0], setup->config, NULL);
    for (size_t i = 1; i < setup->pool_count; i++) {
        zone_init(&zones[i], setup->pools[i], setup->config,
                  &setup->config->zones[i - 1]);
    }
    free(r->zones);
    r->zones = zones;
    r->zone_count = setup->pool_count;
    bool is_to_flush = doubts_more(&r->config->policy, &setup->config->policy);
    r->config = setup->config;
    r->policy = setup->policy;
    memset(r->judged, 0, sizeof(r->judged));
    r->cache = resolver_shared_cache(r->shared);
    if (is_to_flush && r->cache != NULL) {
        (void)cache_flush_all(r->cache);
    }
    flights_rezone(r);
    return 0;
}

/* What one worker shares with the others, or has for itself. */
static int join_shared(struct resolver *r, struct resolver_shared *shared)
{
    r->shared = shared;
    if (shared == NULL) {
        net_random(r->loop, r->hash_key, sizeof(r->hash_key));
        net_random(r->loop, r->cookie_secret, sizeof(r->cookie_secret));
        return 0;
    }
    memcpy(r->hash_key, shared->hash_key, sizeof(r->hash_key));
    memcpy(r->cookie_secret, shared->cookie_secret, sizeof(r->cookie_secret));
    return shared->board == NULL ? 0
                                 : board_sit(shared->board, r->loop,
                                             flight_on_letter, r, &r->seat);
}

int resolver_create(struct net_loop *loop, const struct resolver_setup *setup,
                    struct resolver_shared *shared, struct resolver **out)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->loop = loop;
    r->config = setup->config;
    flights_init(r);
    r->scratch = malloc(DNS_MESSAGE_MAX);
    int err = r->scratch == NULL ? ERR_NOMEM : join_shared(r, shared);
    if (err == 0) {
        err = resolver_reconfigure(r, setup);
    }
    if (err != 0) {
        resolver_destroy(r);
        return err;
    }
    *out = r;
    return 0;
}

bool resolver_wants_client(const struct resolver *r)
{
    return r->config->has_cookies;
}

void resolver_destroy(struct resolver *r)
{
    if (r == NULL) {
        return;
    }
    assert(r->pending == 0);
    flights_finish(r);
    board_rise(r->seat);
    free(r->scratch);
    free(r->zones);
    free(r->spare);
    free(r);
}

void resolver_cancel(struct resolver_query *q)
{
    q->resolver->stats.cancelled++;
    flight_leave(q->flight, q);
}

/* ---- a query that can be asked ---- */

/*
 * May others share its answer? Not when it carries records of its own (they
 * may sign it), does not want recursion, or has flags that we do not know.
 */
static bool is_common(const struct dns_query *q)
{
    return q->extra_count == 0 && (q->flags & DNS_FLAG_RD) != 0 &&
           (q->flags & DNS_FLAG_Z) == 0;
}

static enum resolver_verdict answer_failure(struct resolver *r,
                                            struct resolver_query *q, int err,
                                            uint8_t *out, size_t cap,
                                            size_t *len)
{
    r->stats.refused++;
    *len = answer_error(r, q, &q->asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
                        err_text(err), out, cap);
    return RESOLVER_ANSWERED;
}

/* Ask for the cache alone what was just answered from it. */
static void refresh(struct resolver *r, struct span msg,
                    const struct dns_query *parsed,
                    const struct resolver_zone *zone)
{
    struct flight_key key;
    struct flight *f = NULL;

    flight_key_init(r, parsed, &key);
    if (flight_find(r, &key) == NULL &&
        flight_start(r, msg, parsed, &key, zone, true, NULL, &f) == 0) {
        (void)flight_make_refresh(f);
    }
}

/* Octets of an answer from the cache; 0: there is none. */
static size_t ask_cache(struct resolver *r, const struct resolver_query *q,
                        bool allow_stale, bool may_refresh, uint8_t *out,
                        size_t cap, struct cache_hit *hit)
{
    struct dns_extra extra = answer_extra(r, q);
    const struct cache_ask ask = {
        .asker = &q->asker,
        .extra = &extra,
        .now_ms = net_boot_ms(r->loop),
        .hash = q->hash,
        .allow_stale = allow_stale,
        .stale_cut_s = q->stale_cut_s,
        .may_refresh = may_refresh,
    };
    int len = cache_answer(r->cache, &ask, out, cap, hit);

    if (len <= 0) {
        return 0;
    }
    if (hit->state == CACHE_STALE) {
        r->stats.stale++;
    } else {
        r->stats.hits++;
    }
    return (size_t)len;
}

static enum resolver_source source_of(const struct cache_hit *hit)
{
    return hit->state == CACHE_STALE ? RESOLVER_FROM_STALE
                                     : RESOLVER_FROM_CACHE;
}

/* Join the flight of q's question, or start it. */
static enum resolver_verdict
ask_servers(struct resolver *r, struct resolver_query *q, struct span msg,
            const struct dns_query *parsed, const struct resolver_zone *zone,
            bool has_stale, uint8_t *out, size_t cap, size_t *len)
{
    bool is_shared = is_common(parsed);
    struct flight_key key;
    struct flight *f = NULL;

    flight_key_init(r, parsed, &key);
    if (is_shared) {
        f = flight_find(r, &key);
    }
    if (f != NULL && f->is_late && has_stale) {
        struct cache_hit hit;
        *len = ask_cache(r, q, true, false, out, cap, &hit);
        if (*len > 0) {
            q->source = source_of(&hit);
            return RESOLVER_ANSWERED;
        }
    }
    if (f != NULL) {
        TRACE(q->trace, net_now_us(r->loop),
              "waits with the same question, asked before");
        r->stats.coalesced++;
    } else {
        int err =
            flight_start(r, msg, parsed, &key, zone, is_shared, q->trace, &f);
        if (err != 0) {
            return answer_failure(r, q, err, out, cap, len);
        }
    }
    q->pool = zone->pool;
    q->source = RESOLVER_FROM_SERVERS;
    flight_join(f, q);
    if (has_stale) {
        flight_expect_stale(f);
    }
    return RESOLVER_PENDING;
}

/* The answer of a rule of policy: nobody is asked. */
static size_t answer_here(struct resolver *r, const struct resolver_query *q,
                          const struct dns_question *question,
                          const struct policy_verdict *verdict, uint8_t *out,
                          size_t cap)
{
    struct dns_extra extra = answer_extra(r, q);
    struct dns_response response;
    struct span message =
        span_of(r->scratch, policy_write(r->policy, question, verdict,
                                         r->scratch, DNS_MESSAGE_MAX));
    int err = dns_response_parse(message, &response);

    assert(err == 0);
    r->stats.rules[verdict->rule]++;
    extra.ede = policy_ede(verdict, &extra.ede_text);
    int len = dns_build_answer(&q->asker, message, &response, &extra, out, cap);
    assert(len > 0);
    return (size_t)len;
}

/* What the cache said, for who traces the query. */
static void trace_cache(const struct resolver *r,
                        const struct resolver_query *q,
                        const struct cache_hit *hit)
{
    static const char *const states[] = {
        [CACHE_MISS] = "miss", [CACHE_FRESH] = "hit", [CACHE_STALE] = "stale"};

    if (hit->state == CACHE_MISS) {
        TRACE(q->trace, net_now_us(r->loop), "cache: miss%s",
              hit->has_stale ? " (a stale answer is there)" : "");
    } else {
        TRACE(q->trace, net_now_us(r->loop), "cache: %s, %u s old%s",
              states[hit->state], hit->age_s,
              hit->wants_refresh ? ", refreshed in the background" : "");
    }
}

static enum resolver_verdict ask_zone(struct resolver *r,
                                      struct resolver_query *q, struct span msg,
                                      const struct dns_query *parsed,
                                      const struct resolver_zone *zone,
                                      uint8_t *out, size_t cap, size_t *len)
{
    struct cache_hit hit = {.state = CACHE_MISS};

    q->allows_stale = zone->allows_stale;
    q->stale_cut_s = zone->stale_cut_s;
    if (r->cache != NULL && zone->is_cached && parsed->extra_count == 0) {
        bool needs_stale = zone->allows_stale && !upstream_is_ready(zone->pool);
        *len = ask_cache(r, q, needs_stale, is_common(parsed), out, cap, &hit);
        trace_cache(r, q, &hit);
        if (*len > 0) {
            q->source = source_of(&hit);
            if (hit.wants_refresh) {
                refresh(r, msg, parsed, zone);
            }
            return RESOLVER_ANSWERED;
        }
        if ((parsed->flags & DNS_FLAG_RD) == 0) {
            r->stats.not_recursive++;
            *len = answer_error(r, q, &q->asker, DNS_RCODE_REFUSED,
                                DNS_EDE_OTHER, "not in the cache", out, cap);
            return RESOLVER_ANSWERED;
        }
    }
    q->asker.question = q->question;
    memcpy(q->question, parsed->question.name,
           dns_question_len(&parsed->question));
    return ask_servers(r, q, msg, parsed, zone,
                       hit.has_stale && zone->allows_stale, out, cap, len);
}

/* Most questions are asked again and again, and have nothing to do with any
 * rule: their hashes (64 bits, keyed) are remembered. */
static void judge(struct resolver *r, uint64_t hash,
                  const struct dns_question *question,
                  struct policy_verdict *verdict)
{
    uint64_t *known = &r->judged[hash % RESOLVER_JUDGED];

    if (r->policy == NULL || (hash != 0 && *known == hash)) {
        return;
    }
    policy_judge(r->policy, question, verdict);
    if (hash != 0 && verdict->rule == POLICY_NONE && verdict->zone == 0) {
        *known = hash;
    }
}

static enum resolver_verdict ask(struct resolver *r, struct resolver_query *q,
                                 struct span msg,
                                 const struct dns_query *parsed, uint8_t *out,
                                 size_t cap, size_t *len)
{
    struct policy_verdict verdict = {.rule = POLICY_NONE};

    judge(r, q->hash, &parsed->question, &verdict);
    if (verdict.rule != POLICY_NONE) {
        TRACE(q->trace, net_now_us(r->loop), "policy: answered here (%s)",
              policy_rule_name(verdict.rule));
        q->source = RESOLVER_FROM_LOCAL;
        *len = answer_here(r, q, &parsed->question, &verdict, out, cap);
        return RESOLVER_ANSWERED;
    }
    const struct resolver_zone *zone = &r->zones[verdict.zone];
    TRACE(q->trace, net_now_us(r->loop), "policy: zone %s",
          verdict.zone == 0 ? "." : r->config->zones[verdict.zone - 1].name);
    if (zone->pool == NULL) { /* its resolv.conf names none just now */
        *len = answer_error(r, q, &q->asker, DNS_RCODE_SERVFAIL,
                            DNS_EDE_NO_REACHABLE, "the zone has no servers",
                            out, cap);
        return RESOLVER_ANSWERED;
    }
    return ask_zone(r, q, msg, parsed, zone, out, cap, len);
}

enum resolver_verdict resolver_ask(struct resolver *r, struct resolver_query *q,
                                   struct span msg, uint8_t *out, size_t cap,
                                   size_t *len)
{
    struct resolver_ahead ahead = {.msg = msg};

    ahead.verdict = dns_query_parse(msg, &ahead.parsed);
    return resolver_ask_ahead(r, q, &ahead, out, cap, len);
}

void resolver_look_ahead(const struct resolver *r, struct span msg,
                         struct resolver_ahead *out)
{
    const struct dns_query *parsed = &out->parsed;

    out->msg = msg;
    out->verdict = dns_query_parse(msg, &out->parsed);
    out->hash = 0;
    if (out->verdict == DNS_QUERY_OK && r->cache != NULL) {
        out->hash = cache_look_ahead(
            r->cache,
            span_of(parsed->question.name, dns_question_len(&parsed->question)),
            parsed->opt.has_do, (parsed->flags & DNS_FLAG_CD) != 0);
    }
}

void resolver_look_ahead_more(const struct resolver *r,
                              const struct resolver_ahead *ahead)
{
    if (ahead->hash != 0) {
        cache_look_ahead_more(r->cache, ahead->hash);
    }
}

/* Have the client's cookie sent back, and see whether it had ours. false: it
 * is none (RFC 7873 section 5.2.2). */
static bool take_cookie(struct resolver *r, struct resolver_query *q,
                        struct span cookie)
{
    uint32_t now_s = (uint32_t)net_wall_s(r->loop);
    enum cookie_verdict v =
        cookie_judge(cookie, &q->client, r->cookie_secret, now_s);

    if (v == COOKIE_FORM || v == COOKIE_NONE) {
        return v == COOKIE_NONE;
    }
    cookie_make(cookie.ptr, &q->client, r->cookie_secret, now_s, q->cookie);
    q->has_cookie = true;
    q->is_proved = v == COOKIE_GOOD;
    r->stats.cookies_good += v == COOKIE_GOOD;
    r->stats.cookies_new += v == COOKIE_NEW;
    return true;
}

enum resolver_verdict resolver_ask_ahead(struct resolver *r,
                                         struct resolver_query *q,
                                         const struct resolver_ahead *ahead,
                                         uint8_t *out, size_t cap, size_t *len)
{
    const struct dns_query *parsed = &ahead->parsed;

    r->stats.queries++;
    if (ahead->verdict == DNS_QUERY_DROP) {
        r->stats.dropped++;
        return RESOLVER_DROPPED;
    }
    q->resolver = r;
    q->source = RESOLVER_FROM_NOBODY;
    q->hash = ahead->hash;
    dns_asker_init(&q->asker, parsed, parsed->question.name, q->is_tcp,
                   r->config->max_udp_size);
    enum dns_verdict verdict = ahead->verdict;
    q->has_cookie = false;
    q->is_proved = false;
    if (r->config->has_cookies && !take_cookie(r, q, parsed->cookie)) {
        verdict = DNS_QUERY_FORMERR;
    }
    if (verdict != DNS_QUERY_OK) {
        bool is_bare = verdict == DNS_QUERY_FORMERR && parsed->is_bare;
        *len = is_bare && q->has_cookie
                   ? answer_bare(r, q, parsed->cookie, out, cap)
                   : answer_verdict(r, q, &q->asker, verdict, out, cap);
        return RESOLVER_ANSWERED;
    }
    return ask(r, q, ahead->msg, parsed, out, cap, len);
}

size_t resolver_refuse(struct resolver *r, struct span msg, bool is_tcp,
                       const char *text, uint8_t *out, size_t cap)
{
    struct dns_query parsed;
    struct dns_asker asker;
    enum dns_verdict verdict = dns_query_parse(msg, &parsed);

    if (verdict == DNS_QUERY_DROP) {
        r->stats.dropped++;
        return 0;
    }
    dns_asker_init(&asker, &parsed, parsed.question.name, is_tcp,
                   r->config->max_udp_size);
    if (verdict != DNS_QUERY_OK) {
        return answer_verdict(r, NULL, &asker, verdict, out, cap);
    }
    r->stats.refused++;
    return answer_error(r, NULL, &asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
                        text, out, cap);
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
    return &r->stats;
}

const struct histogram *resolver_latency(const struct resolver *r)
{
    return &r->latency;
}

size_t resolver_pending(const struct resolver *r)
{
    return r->pending;
}
