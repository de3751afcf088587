/*
 * What the pool tells about itself: counters, and why nobody answers.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* Did this machine's network fail, rather than the server? */
static bool is_network_error(const struct upstream_server *s)
{
    return s->last_err == ERR_NET_UNREACHABLE ||
           s->last_err == ERR_NET_NO_ADDR || s->last_err == ERR_NET_TIMEOUT;
}

/* Room that is kept for saying how many servers are left out. */
enum { MORE_LEN = 24 };

int upstream_explain(const struct upstream_pool *p, char *text, size_t len)
{
    if (p->plain != NULL) {
        return plain_explain(p->plain, text, len);
    }
    bool all_network = true;
    size_t used = 0;
    size_t left_out = 0;

    text[0] = '\0';
    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = p->servers[i];
        bool is_down = !server_is_well(s);
        size_t more = i + 1 < p->count ? MORE_LEN : 0;
        char one[SERVER_WHY_LEN * 2];
        int n = snprintf(one, sizeof(one), "%s%s %s", i == 0 ? "" : "; ",
                         s->config->label,
                         is_down           ? s->why
                         : s->suspects > 0 ? "fell silent"
                                           : "gave no answer in time");
        bool has_room = used + (size_t)n + more < len;
        if (i == 0 || (left_out == 0 && has_room)) { /* the first, if cut */
            snprintf(text + used, len - used, "%s", one);
            used += strlen(text + used);
        } else {
            left_out++;
        }
        all_network = all_network && (!is_down || is_network_error(s));
    }
    if (left_out > 0) {
        snprintf(text + used, len - used, "; and %zu more", left_out);
    }
    return all_network ? DNS_EDE_NETWORK : DNS_EDE_NO_REACHABLE;
}

bool upstream_is_ready(const struct upstream_pool *p)
{
    return p->plain != NULL ? plain_is_ready(p->plain)
                            : upstream_pool_ready_conns(p) > 0;
}

static bool is_verified(const struct upstream_server *s)
{
    bool is_in_doubt = s->failures > 0 || s->offline > 0 || s->suspects > 0;
    bool was_verified = s->was_up || s->pool->config->warm_for_ms == 0;

    return s->ready > 0 || (was_verified && !is_in_doubt);
}

bool upstream_is_verified(const struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is_verified(p->servers[i])) {
            return true;
        }
    }
    return p->plain != NULL && plain_is_ready(p->plain);
}

const struct upstream_stats *upstream_pool_stats(const struct upstream_pool *p)
{
    return p->plain != NULL ? plain_stats(p->plain) : &p->stats;
}

size_t upstream_pool_pending(const struct upstream_pool *p)
{
    return p->plain != NULL ? plain_pending(p->plain) : p->pending;
}

size_t upstream_pool_ready_conns(const struct upstream_pool *p)
{
    size_t count = 0;

    if (p->plain != NULL) {
        return plain_ready_conns(p->plain);
    }
    for (size_t i = 0; i < p->count; i++) {
        count += p->servers[i]->ready;
    }
    return count;
}

static const char *state_of(const struct upstream_server *s)
{
    if (!server_is_well(s)) {
        return "down";
    }
    if (s->ready > 0) {
        return s->suspects > 0 ? "suspect" : "up";
    }
    if (s->suspects > 0) {
        return "suspect";
    }
    return s->dialing > 0 ? "connecting" : "idle";
}

static unsigned in_flight(const struct upstream_server *s)
{
    unsigned count = 0;

    LIST_EACH (node, &s->conns) {
        count += CONTAINER_OF(node, struct upstream_conn, node)->outstanding;
    }
    return count;
}

static void report_one(const struct upstream_server *s,
                       struct upstream_server_report *out)
{
    *out = (struct upstream_server_report){
        .state = state_of(s),
        .ready = s->ready,
        .in_flight = in_flight(s),
        .failures = s->failures + s->offline,
        .queries = s->queries,
        .answers = s->answers,
        .handshakes = s->handshakes,
        .resumed = s->resumed,
        .p50_us = s->latency.p50_us,
        .p95_us = s->latency.p95_us,
        .p99_us = s->latency.p99_us,
        .average_us = (uint32_t)s->latency.average_us,
        .idle_limit_ms = limits_idle_ms(&s->limits),
        .age_limit_ms = s->limits.age_ms,
        .query_limit = s->limits.count,
        .tls_version = s->tls_version != NULL ? s->tls_version : "",
        .tls_cipher = s->tls_cipher != NULL ? s->tls_cipher : "",
    };
    snprintf(out->label, sizeof(out->label), "%s", s->config->label);
    snprintf(out->why, sizeof(out->why), "%s", s->why);
}

size_t upstream_pool_report(const struct upstream_pool *p,
                            struct upstream_server_report *out, size_t cap)
{
    if (p->plain != NULL) {
        return plain_report(p->plain, out, cap);
    }
    for (size_t i = 0; i < p->count && i < cap; i++) {
        report_one(p->servers[i], &out[i]);
    }
    return p->count;
}
