/*
 * The limits of policy put to use. Access is asked first: it costs least, and
 * clients that are not served must not push others out of the tables.
 */
#include "listener/guard.h"

#include "base/err.h"
#include "dns/build.h"
#include "policy/access.h"
#include "policy/rate.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

struct guard {
    struct access *access;
    struct rate *rate;              /* NULL: no limit */
    struct response_rate *response; /* NULL: no limit */
    uint16_t max_udp_size;
    uint64_t refusals_at_s; /* the second that is counted */
    unsigned refusals;      /* sent within it */
    struct guard_stats stats;
};

static int create_access(const struct config *config, struct guard *g)
{
    const struct cidr *ranges = config->allow;
    size_t count = config->allow_count;

    if (count == 0) {
        count = access_default(&ranges);
    }
    return access_create(ranges, count, &g->access);
}

static int create_rates(const struct config *config, const uint8_t *hash_key,
                        struct guard *g)
{
    unsigned per_s = config->rate_limit;
    unsigned burst = config->rate_burst;
    int err = 0;

    if (burst == 0) {
        burst = per_s > UINT_MAX / 2 ? UINT_MAX : per_s * 2;
    }
    if (per_s > 0) {
        err = rate_create(per_s, burst, hash_key, &g->rate);
    }
    if (err == 0 && config->response_rate_limit > 0) {
        err = response_rate_create(config->response_rate_limit,
                                   config->response_rate_slip, hash_key,
                                   &g->response);
    }
    return err;
}

int guard_create(const struct config *config, const uint8_t hash_key[16],
                 struct guard **out)
{
    struct guard *g = calloc(1, sizeof(*g));
    int err = g == NULL ? ERR_NOMEM : create_access(config, g);

    if (err == 0) {
        err = create_rates(config, hash_key, g);
    }
    if (err != 0) {
        guard_destroy(g);
        return err;
    }
    g->max_udp_size = config->max_udp_size;
    *out = g;
    return 0;
}

void guard_destroy(struct guard *g)
{
    if (g == NULL) {
        return;
    }
    access_destroy(g->access);
    rate_destroy(g->rate);
    response_rate_destroy(g->response);
    free(g);
}

/* ---- queries ---- */

bool guard_admits_connection(struct guard *g, const struct addr *client)
{
    bool is_allowed = access_allows(g->access, client);

    g->stats.not_allowed += !is_allowed;
    return is_allowed;
}

/* May one more REFUSED go to somebody who may be anybody? */
static bool take_refusal(struct guard *g, uint64_t now_ms)
{
    if (g->refusals_at_s != now_ms / 1000) {
        g->refusals_at_s = now_ms / 1000;
        g->refusals = 0;
    }
    if (g->refusals >= GUARD_REFUSALS_PER_S) {
        return false;
    }
    g->refusals++;
    return true;
}

enum guard_verdict guard_judge(struct guard *g, const struct addr *client,
                               bool is_tcp, uint64_t now_ms)
{
    enum guard_verdict verdict;

    if (!access_allows(g->access, client)) {
        g->stats.not_allowed++;
        verdict =
            is_tcp || take_refusal(g, now_ms) ? GUARD_NOT_ALLOWED : GUARD_DROP;
    } else if (g->rate != NULL && !rate_take(g->rate, client, now_ms)) {
        g->stats.over_rate++;
        verdict = is_tcp ? GUARD_OVER_RATE : GUARD_DROP;
    } else {
        return GUARD_ADMIT;
    }
    g->stats.silent += verdict == GUARD_DROP;
    return verdict;
}

size_t guard_write_refusal(const struct guard *g, enum guard_verdict verdict,
                           struct span query, bool is_tcp, uint8_t *out,
                           size_t cap)
{
    bool is_over = verdict == GUARD_OVER_RATE;
    const struct dns_extra extra = {
        .ede = is_over ? DNS_EDE_OTHER : DNS_EDE_PROHIBITED,
        .ede_text = is_over ? "too many queries (rate_limit)"
                            : "this client is not served (allow)",
        .udp_size = g->max_udp_size,
    };
    struct dns_query parsed;
    struct dns_asker asker;
    int len;

    if (dns_query_parse(query, &parsed) == DNS_QUERY_DROP) {
        return 0;
    }
    dns_asker_init(&asker, &parsed, parsed.question.name, is_tcp,
                   g->max_udp_size);
    asker.wants_keepalive = false; /* it is not wanted back */
    len = dns_build_error(&asker, DNS_RCODE_REFUSED, &extra, out, cap);
    assert(len > 0); /* 512 octets always suffice */
    return (size_t)len;
}

/* ---- answers ---- */

bool guard_has_answer_limit(const struct guard *g)
{
    return g->response != NULL;
}

size_t guard_filter_answer(struct guard *g, const struct addr *client,
                           bool is_proved, uint8_t *msg, size_t len,
                           uint64_t now_ms)
{
    if (g->response == NULL || is_proved) {
        return len;
    }
    switch (
        response_rate_take(g->response, client, span_of(msg, len), now_ms)) {
    case RESPONSE_SEND:
        break;
    case RESPONSE_CUT:
        g->stats.answers_cut++;
        return dns_cut_answer(msg, len);
    case RESPONSE_DROP:
        g->stats.answers_dropped++;
        return 0;
    }
    return len;
}

const struct guard_stats *guard_stats(const struct guard *g)
{
    return &g->stats;
}

void guard_stats_add(struct guard_stats *a, const struct guard_stats *b)
{
    a->not_allowed += b->not_allowed;
    a->over_rate += b->over_rate;
    a->silent += b->silent;
    a->answers_cut += b->answers_cut;
    a->answers_dropped += b->answers_dropped;
}
