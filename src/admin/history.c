/*
 * The last hour in small.
 */
#include "admin/history.h"

#include <stdio.h>
#include <string.h>

void history_init(struct history *h)
{
    memset(h, 0, sizeof(*h));
}

static void take_base(const struct admin_report *r, struct history_base *out)
{
    const struct resolver_stats *s = &r->resolver;

    *out = (struct history_base){
        .uptime_ms = r->uptime_ms,
        .queries = r->listener.udp_queries + r->listener.tcp_queries,
        .fresh = s->hits,
        .stale = s->stale,
        .forwarded = s->forwarded,
        .failures = s->timeouts + s->failures + s->refused +
                    r->listener.over_max_queries,
        .latency = r->latency,
    };
    for (int rule = POLICY_NONE + 1; rule < POLICY_RULES_TOTAL; rule++) {
        out->local += s->rules[rule];
    }
}

/* Counters may go back: a worker's part can be missing in a report. */
static uint32_t grown(uint64_t before, uint64_t now)
{
    uint64_t by = now > before ? now - before : 0;

    return by > UINT32_MAX ? UINT32_MAX : (uint32_t)by;
}

static void take_latency(const struct histogram *before,
                         const struct histogram *now,
                         struct history_sample *out)
{
    struct histogram h = {.count = 0};

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        h.buckets[i] = grown(before->buckets[i], now->buckets[i]);
    }
    out->p50_us = (uint32_t)histogram_percentile(&h, 500);
    out->p95_us = (uint32_t)histogram_percentile(&h, 950);
    out->p99_us = (uint32_t)histogram_percentile(&h, 990);
}

/* ---- servers ---- */

/* Has no sample a state of server k any more? */
static bool is_forgotten(const struct history *h, size_t k)
{
    for (size_t i = 0; i < h->count; i++) {
        if (history_at(h, i)->states[k] != 0) {
            return false;
        }
    }
    return true;
}

static bool is_server(const struct history_server *s, const char *zone,
                      const char *label)
{
    return strncmp(s->zone, zone, sizeof(s->zone) - 1) == 0 &&
           strncmp(s->label, label, sizeof(s->label) - 1) == 0;
}

size_t history_place(const struct history *h, const char *zone,
                     const char *label)
{
    for (size_t k = 0; k < h->server_count; k++) {
        if (is_server(&h->servers[k], zone, label)) {
            return k;
        }
    }
    return HISTORY_SERVERS;
}

/* The same, and a new place if need be and there is room. taken: states of the
 * sample at hand. */
static size_t find_place(struct history *h, const char *zone, const char *label,
                         const char *taken)
{
    size_t k = history_place(h, zone, label);

    if (k < HISTORY_SERVERS) {
        return k;
    }
    if (h->server_count < HISTORY_SERVERS) {
        k = h->server_count++;
    } else {
        k = 0;
        while (k < HISTORY_SERVERS && (taken[k] != 0 || !is_forgotten(h, k))) {
            k++;
        }
    }
    if (k < HISTORY_SERVERS) {
        snprintf(h->servers[k].zone, sizeof(h->servers[k].zone), "%s", zone);
        snprintf(h->servers[k].label, sizeof(h->servers[k].label), "%s", label);
    }
    return k;
}

static void take_states(struct history *h, const struct admin_report *r,
                        struct history_sample *out)
{
    for (size_t i = 0; i < r->pool_count; i++) {
        const struct admin_pool *pool = &r->pools[i];
        for (size_t n = 0; n < pool->server_count; n++) {
            size_t k =
                find_place(h, pool->zone, pool->servers[n].label, out->states);
            if (k < HISTORY_SERVERS) {
                out->states[k] = pool->servers[n].state[0];
            }
        }
    }
}

/* ---- samples ---- */

static void make_sample(struct history *h, const struct admin_report *r,
                        struct history_base *now, struct history_sample *out)
{
    const struct history_base *before = &h->base;

    take_base(r, now);
    *out = (struct history_sample){
        .step_ms = grown(before->uptime_ms, now->uptime_ms),
        .queries = grown(before->queries, now->queries),
        .fresh = grown(before->fresh, now->fresh),
        .stale = grown(before->stale, now->stale),
        .local = grown(before->local, now->local),
        .forwarded = grown(before->forwarded, now->forwarded),
        .failures = grown(before->failures, now->failures),
    };
    take_latency(&before->latency, &now->latency, out);
    take_states(h, r, out);
}

void history_add(struct history *h, const struct admin_report *r,
                 uint64_t wall_s)
{
    struct history_base now;
    struct history_sample sample;

    if (!h->has_base) {
        h->has_base = true;
        take_base(r, &h->base);
        return;
    }
    make_sample(h, r, &now, &sample);
    sample.wall_s = wall_s;
    if (sample.step_ms == 0) {
        return;
    }
    h->base = now;
    if (h->count == HISTORY_SAMPLES) {
        h->first = (h->first + 1) % HISTORY_SAMPLES;
        h->count--;
    }
    h->samples[(h->first + h->count) % HISTORY_SAMPLES] = sample;
    h->count++;
}

bool history_now(struct history *h, const struct admin_report *r,
                 uint64_t wall_s, struct history_sample *out)
{
    struct history_base now;

    if (!h->has_base || r->uptime_ms < h->base.uptime_ms + 1000) {
        return false;
    }
    make_sample(h, r, &now, out);
    out->wall_s = wall_s;
    return true;
}

const struct history_sample *history_at(const struct history *h, size_t i)
{
    return &h->samples[(h->first + i) % HISTORY_SAMPLES];
}
