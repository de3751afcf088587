/*
 * Answers for clients: what a pending query ended with, or an error of ours.
 */
#include "resolver/answer.h"

#include "base/err.h"
#include "cache/cache.h"

#include <assert.h>

enum { EXPLAIN_LEN = 256 };

struct dns_extra answer_extra(const struct resolver *r,
                              const struct resolver_query *q)
{
    uint32_t units = r->config->tcp_idle_timeout_ms / 100; /* RFC 7828 */

    return (struct dns_extra){
        .ede = DNS_EDE_NONE,
        .udp_size = r->config->max_udp_size,
        .keepalive = (uint16_t)(units < UINT16_MAX ? units : UINT16_MAX),
        .cookie = q != NULL && q->has_cookie ? q->cookie : NULL,
    };
}

size_t answer_error(const struct resolver *r, const struct resolver_query *q,
                    const struct dns_asker *a, unsigned rcode, int ede,
                    const char *text, uint8_t *out, size_t cap)
{
    struct dns_extra extra = answer_extra(r, q);

    extra.ede = ede;
    extra.ede_text = text;
    int len = dns_build_error(a, rcode, &extra, out, cap);
    assert(len > 0); /* 512 octets always suffice */
    return (size_t)len;
}

size_t answer_verdict(struct resolver *r, const struct resolver_query *q,
                      const struct dns_asker *a, enum dns_verdict verdict,
                      uint8_t *out, size_t cap)
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
    return answer_error(r, q, a, rcode, DNS_EDE_NONE, NULL, out, cap);
}

size_t answer_bare(const struct resolver *r, struct resolver_query *q,
                   struct span cookie, uint8_t *out, size_t cap)
{
    bool is_good = q->is_proved || cookie.len == COOKIE_CLIENT_LEN;

    q->source = RESOLVER_FROM_LOCAL;
    return answer_error(r, q, &q->asker,
                        is_good ? DNS_RCODE_NOERROR : DNS_RCODE_BADCOOKIE,
                        DNS_EDE_NONE, NULL, out, cap);
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
    struct dns_extra extra = answer_extra(r, q);
    struct cache_hit hit;

    if (r->cache == NULL || !q->allows_stale) {
        return 0;
    }
    const struct cache_ask ask = {
        .asker = &q->asker,
        .extra = &extra,
        .now_ms = net_boot_ms(r->loop),
        .allow_stale = true,
        .stale_cut_s = q->stale_cut_s,
    };
    int len = cache_answer(r->cache, &ask, out, cap, &hit);
    if (len <= 0 || hit.state != CACHE_STALE) {
        return 0;
    }
    r->stats.stale++;
    q->source = RESOLVER_FROM_STALE;
    return (size_t)len;
}

/* The answer as it was kept just now, so that the first client sees the same
 * TTLs as those after it; 0: it is not there. */
static size_t write_kept(struct resolver_query *q, uint8_t *out, size_t cap)
{
    struct resolver *r = q->resolver;
    struct dns_extra extra = answer_extra(r, q);
    struct cache_hit hit;
    const struct cache_ask ask = {
        .asker = &q->asker,
        .extra = &extra,
        .now_ms = net_boot_ms(r->loop),
        .is_read_back = true,
    };
    int len = cache_answer(r->cache, &ask, out, cap, &hit);

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
        return answer_error(r, q, &q->asker, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER,
                            "the server cut its answer", out, cap);
    }
    if (result->err == 0) {
        struct dns_extra extra = answer_extra(r, q);
        int len = dns_build_answer(&q->asker, result->message,
                                   &result->response, &extra, out, cap);
        if (len > 0) {
            return (size_t)len;
        }
    }
    char text[EXPLAIN_LEN] = "the zone has no servers";
    int ede = q->pool == NULL ? DNS_EDE_NO_REACHABLE
                              : upstream_explain(q->pool, text, sizeof(text));
    return answer_error(r, q, &q->asker, DNS_RCODE_SERVFAIL, ede, text, out,
                        cap);
}
