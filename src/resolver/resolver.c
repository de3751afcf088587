/*
 * The life of one query. What can be answered at once, from the cache or with
 * an error, is answered inside resolver_ask(); any other query joins a flight
 * (flight.c), new or under way, and is told when that ends.
 */
#include "resolver/resolver.h"

#include "base/err.h"
#include "cache/cache.h"
#include "resolver/flight.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLAIN_LEN = 256 };

struct resolver_shared {
    struct cache *cache;
    struct board *board;
    uint8_t hash_key[16];
};

int resolver_shared_create(const struct config *config, unsigned worker_count,
                           const uint8_t seed[16], struct resolver_shared **out)
{
    struct resolver_shared *s = calloc(1, sizeof(*s));
    int err = s == NULL ? ERR_NOMEM : 0;

    if (err == 0 && config->cache_size > 0) {
        struct cache_options options = {
            .max_len = config->cache_size,
            .min_ttl_s = config->min_ttl_ms / 1000,
            .max_ttl_s = config->max_ttl_ms / 1000,
            .max_negative_ttl_s = config->max_negative_ttl_ms / 1000,
            .failure_ttl_s = config->failure_ttl_ms / 1000,
            .stale_s = config->serve_stale_ms / 1000,
        };
        memcpy(options.hash_key, seed, sizeof(options.hash_key));
        err = cache_create(&options, &s->cache);
    }
    if (err == 0 && worker_count > 1) {
        err = board_create(&s->board);
    }
    if (err != 0) {
        resolver_shared_destroy(s);
        return err;
    }
    memcpy(s->hash_key, seed, sizeof(s->hash_key));
    *out = s;
    return 0;
}

void resolver_shared_destroy(struct resolver_shared *s)
{
    if (s == NULL) {
        return;
    }
    board_destroy(s->board);
    cache_release(s->cache);
    free(s);
}

struct cache *resolver_shared_cache(const struct resolver_shared *s)
{
    return s == NULL ? NULL : s->cache;
}

int resolver_create(struct net_loop *loop, const struct config *config,
                    struct upstream_pool *pool, struct resolver_shared *shared,
                    struct resolver **out)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->loop = loop;
    r->config = config;
    r->pool = pool;
    r->cache = resolver_shared_cache(shared);
    flights_init(r);
    if (shared == NULL) {
        net_random(loop, r->hash_key, sizeof(r->hash_key));
    } else {
        memcpy(r->hash_key, shared->hash_key, sizeof(r->hash_key));
    }
    if (shared != NULL && shared->board != NULL) {
        int err = board_sit(shared->board, loop, flight_on_letter, r, &r->seat);
        if (err != 0) {
            resolver_destroy(r);
            return err;
        }
    }
    *out = r;
    return 0;
}

void resolver_destroy(struct resolver *r)
{
    if (r == NULL) {
        return;
    }
    assert(r->pending == 0);
    flights_finish(r);
    board_rise(r->seat);
    free(r);
}

/* ---- answers ---- */

static struct dns_extra extra_of(const struct resolver *r)
{
    uint32_t units = r->config->tcp_idle_timeout_ms / 100; /* RFC 7828 */

    return (struct dns_extra){
        .ede = DNS_EDE_NONE,
        .udp_size = r->config->max_udp_size,
        .keepalive = (uint16_t)(units < UINT16_MAX ? units : UINT16_MAX),
    };
}

static size_t write_error(const struct resolver *r, const struct dns_asker *a,
                          unsigned rcode, int ede, const char *text,
                          uint8_t *out, size_t cap)
{
    struct dns_extra extra = extra_of(r);

    extra.ede = ede;
    extra.ede_text = text;
    int len = dns_build_error(a, rcode, &extra, out, cap);
    assert(len > 0); /* 512 octets always suffice */
    return (size_t)len;
}

static size_t write_verdict(struct resolver *r, const struct dns_asker *a,
                            enum dns_verdict verdict, uint8_t *out, size_t cap)
{
    unsigned rcode = DNS_RCODE_FORMERR;
    uint64_t *count = &r->stats.formerr;

    switch (verdict) {
    case DNS_QUERY_NOTIMP:
        rcode = DNS_RCODE_NOTIMP;
        count = &r->stats.notimp;
        break;
    case DNS_QUERY_BADVERS:
        rcode = DNS_RCODE_BADVERS;
        count = &r->stats.badvers;
        break;
    case DNS_QUERY_REFUSED:
        rcode = DNS_RCODE_REFUSED;
        count = &r->stats.meta;
        break;
    case DNS_QUERY_FORMERR:
    case DNS_QUERY_OK:
    case DNS_QUERY_DROP:
        break;
    }
    (*count)++;
    return write_error(r, a, rcode, DNS_EDE_NONE, NULL, out, cap);
}

/* Did the servers leave the client without an answer to its question? */
static bool is_failure(const struct upstream_result *result)
{
    return result->err != 0 || (result->response.rcode != DNS_RCODE_NOERROR &&
                                result->response.rcode != DNS_RCODE_NXDOMAIN);
}

size_t resolver_answer_max(const struct resolver_query *q)
{
    const struct upstream_result *result = q->result;

    if (is_failure(result)) {
        return q->asker.limit; /* a stale answer may be as long as any */
    }
    /* Our OPT may be longer than the server's by the fixed part and the
     * keepalive option; extended errors are the server's own. */
    size_t len = result->message.len + q->asker.question_len + 64;
    len = len < DNS_UDP_MIN ? DNS_UDP_MIN : len;
    return len < DNS_MESSAGE_MAX ? len : DNS_MESSAGE_MAX;
}

/* A stale answer is better than none; 0: there is none. */
static size_t write_stale(struct resolver_query *q, uint8_t *out, size_t cap)
{
    struct resolver *r = q->resolver;
    struct dns_extra extra = extra_of(r);
    struct cache_hit hit;

    if (r->cache == NULL) {
        return 0;
    }
    int len = cache_answer(r->cache, &q->asker, &extra, net_boot_ms(r->loop),
                           true, out, cap, &hit);
    if (len <= 0 || hit.state != CACHE_STALE) {
        return 0;
    }
    r->stats.stale++;
    return (size_t)len;
}

/* The answer as it was kept just now, so that the first client sees the same
 * TTLs as those after it; 0: it is not there. */
static size_t write_kept(struct resolver_query *q, uint8_t *out, size_t cap)
{
    struct resolver *r = q->resolver;
    struct dns_extra extra = extra_of(r);
    struct cache_hit hit;
    int len = cache_answer(r->cache, &q->asker, &extra, net_boot_ms(r->loop),
                           false, out, cap, &hit);

    return len > 0 ? (size_t)len : 0;
}

size_t resolver_write(struct resolver_query *q, uint8_t *out, size_t cap)
{
    struct resolver *r = q->resolver;
    const struct upstream_result *result = q->result;

    assert(result != NULL && cap >= DNS_UDP_MIN);
    size_t kept = 0;
    if (is_failure(result)) {
        kept = write_stale(q, out, cap);
    } else if (q->is_kept) {
        kept = write_kept(q, out, cap);
    }
    if (kept > 0) {
        return kept;
    }
    bool is_cut = result->err == 0 &&
                  (result->response.flags & DNS_FLAG_TC) != 0 && q->is_tcp;
    if (is_cut) { /* "ask over TCP" would lead nowhere */
        return write_error(r, &q->asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
                           "the server cut its answer", out, cap);
    }
    if (result->err == 0) {
        struct dns_extra extra = extra_of(r);
        int len = dns_build_answer(&q->asker, result->message,
                                   &result->response, &extra, out, cap);
        if (len > 0) {
            return (size_t)len;
        }
    }
    char text[EXPLAIN_LEN];
    int ede = upstream_explain(r->pool, text, sizeof(text));
    return write_error(r, &q->asker, DNS_RCODE_SERVFAIL, ede, text, out, cap);
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
    *len = write_error(r, &q->asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
                       err_text(err), out, cap);
    return RESOLVER_ANSWERED;
}

/* Ask for the cache alone what was just answered from it. */
static void refresh(struct resolver *r, struct span msg,
                    const struct dns_query *parsed)
{
    struct flight_key key;
    struct flight *f = NULL;

    flight_key_init(r, parsed, &key);
    if (flight_find(r, &key) == NULL &&
        flight_start(r, msg, parsed, &key, true, &f) == 0) {
        (void)flight_make_refresh(f);
    }
}

/* Octets of an answer from the cache; 0: there is none. */
static size_t ask_cache(struct resolver *r, const struct dns_asker *a,
                        bool allow_stale, uint8_t *out, size_t cap,
                        struct cache_hit *hit)
{
    struct dns_extra extra = extra_of(r);
    int len = cache_answer(r->cache, a, &extra, net_boot_ms(r->loop),
                           allow_stale, out, cap, hit);

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

/* Join the flight of q's question, or start it. */
static enum resolver_verdict
ask_servers(struct resolver *r, struct resolver_query *q, struct span msg,
            const struct dns_query *parsed, bool has_stale, uint8_t *out,
            size_t cap, size_t *len)
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
        *len = ask_cache(r, &q->asker, true, out, cap, &hit);
        if (*len > 0) {
            return RESOLVER_ANSWERED;
        }
    }
    if (f != NULL) {
        r->stats.coalesced++;
    } else {
        int err = flight_start(r, msg, parsed, &key, is_shared, &f);
        if (err != 0) {
            return answer_failure(r, q, err, out, cap, len);
        }
    }
    flight_join(f, q);
    if (has_stale) {
        flight_expect_stale(f);
    }
    return RESOLVER_PENDING;
}

static enum resolver_verdict ask(struct resolver *r, struct resolver_query *q,
                                 struct span msg,
                                 const struct dns_query *parsed, uint8_t *out,
                                 size_t cap, size_t *len)
{
    struct cache_hit hit = {.state = CACHE_MISS};

    if (r->cache != NULL && parsed->extra_count == 0) {
        *len = ask_cache(r, &q->asker, !upstream_is_ready(r->pool), out, cap,
                         &hit);
        if (*len > 0) {
            if (hit.wants_refresh && is_common(parsed)) {
                refresh(r, msg, parsed);
            }
            return RESOLVER_ANSWERED;
        }
        if ((parsed->flags & DNS_FLAG_RD) == 0) {
            r->stats.not_recursive++;
            *len = write_error(r, &q->asker, DNS_RCODE_REFUSED, DNS_EDE_OTHER,
                               "not in the cache", out, cap);
            return RESOLVER_ANSWERED;
        }
    }
    q->asker.question = q->question;
    memcpy(q->question, parsed->question.name,
           dns_question_len(&parsed->question));
    return ask_servers(r, q, msg, parsed, hit.has_stale, out, cap, len);
}

enum resolver_verdict resolver_ask(struct resolver *r, struct resolver_query *q,
                                   struct span msg, uint8_t *out, size_t cap,
                                   size_t *len)
{
    struct dns_query parsed;
    enum dns_verdict verdict = dns_query_parse(msg, &parsed);

    r->stats.queries++;
    if (verdict == DNS_QUERY_DROP) {
        r->stats.dropped++;
        return RESOLVER_DROPPED;
    }
    q->resolver = r;
    dns_asker_init(&q->asker, &parsed, parsed.question.name, q->is_tcp,
                   r->config->max_udp_size);
    if (verdict != DNS_QUERY_OK) {
        *len = write_verdict(r, &q->asker, verdict, out, cap);
        return RESOLVER_ANSWERED;
    }
    return ask(r, q, msg, &parsed, out, cap, len);
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
        return write_verdict(r, &asker, verdict, out, cap);
    }
    r->stats.refused++;
    return write_error(r, &asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, text, out,
                       cap);
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
    return &r->stats;
}

size_t resolver_pending(const struct resolver *r)
{
    return r->pending;
}
