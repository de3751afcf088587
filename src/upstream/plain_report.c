/*
 * What a plain pool tells about itself.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* Room that is kept for saying how many servers are left out. */
enum { MORE_LEN = 24, LABEL_LEN = 96 };

static bool is_network_error(const struct plain_server *s)
{
    return s->last_err == ERR_NET_UNREACHABLE || s->last_err == ERR_NET_TIMEOUT;
}

/* "; udp://10.0.0.1:53 connection refused" */
static size_t say(const struct plain_server *s, char *text, size_t len)
{
    const char *why = s->failures > 0 ? s->why : "gave no answer in time";
    int n = snprintf(text, len, "%s%s %s", s->index == 0 ? "" : "; ",
                     s->config->label, why);

    return (size_t)n < len ? (size_t)n : len - 1;
}

int plain_explain(const struct plain *p, char *text, size_t len)
{
    bool all_network = true;
    size_t used = 0;
    size_t left_out = 0;

    text[0] = '\0';
    for (size_t i = 0; i < p->count; i++) {
        const struct plain_server *s = p->servers[i];
        size_t more = i + 1 < p->count ? MORE_LEN : 0;
        char one[LABEL_LEN + PLAIN_WHY_LEN];
        size_t n = say(s, one, sizeof(one));
        if (left_out == 0 && (i == 0 || used + n + more < len)) {
            snprintf(text + used, len - used, "%s",
                     one); /* the first, if cut */
            used += strlen(text + used);
        } else {
            left_out++;
        }
        all_network = all_network && (s->failures == 0 || is_network_error(s));
    }
    if (left_out > 0) {
        snprintf(text + used, len - used, "; and %zu more", left_out);
    }
    return all_network ? DNS_EDE_NETWORK : DNS_EDE_NO_REACHABLE;
}

bool plain_is_ready(const struct plain *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->servers[i]->failures < PLAIN_DOWN_AFTER) {
            return true;
        }
    }
    return false;
}

const struct upstream_stats *plain_stats(const struct plain *p)
{
    return &p->stats;
}

size_t plain_pending(const struct plain *p)
{
    return p->pending;
}

size_t plain_ready_conns(const struct plain *p)
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct plain_stream *t = p->servers[i]->stream;
        count += t != NULL && t->is_connected;
    }
    return count;
}

static void report_one(const struct plain_server *s,
                       struct upstream_server_report *out)
{
    *out = (struct upstream_server_report){
        .state = s->failures < PLAIN_DOWN_AFTER ? "up" : "down",
        .ready = s->stream != NULL && s->stream->is_connected,
        .in_flight = s->in_flight,
        .failures = s->failures,
        .queries = s->queries,
        .answers = s->answers,
        .p50_us = s->latency.p50_us,
        .p95_us = s->latency.p95_us,
        .p99_us = s->latency.p99_us,
        .average_us = (uint32_t)s->latency.average_us,
        .tls_version = "",
        .tls_cipher = "",
    };
    snprintf(out->label, sizeof(out->label), "%s", s->config->label);
    snprintf(out->why, sizeof(out->why), "%s", s->why);
}

size_t plain_report(const struct plain *p, struct upstream_server_report *out,
                    size_t cap)
{
    for (size_t i = 0; i < p->count && i < cap; i++) {
        report_one(p->servers[i], &out[i]);
    }
    return p->count;
}
