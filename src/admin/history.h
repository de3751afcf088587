/*
 * The last hour in small: every ten seconds a sample of what was counted since
 * the one before. Memory does not grow: samples are a ring, and of servers
 * there are so many at most. Reads no clock: callers bring the time.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "admin/report.h"
#include "base/histogram.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HISTORY_STEP_MS = 10 * 1000,
    HISTORY_SAMPLES = 360,
    HISTORY_SERVERS = 64, /* over all zones; more are not kept */
    HISTORY_ZONE_LEN = 64,
};

/* What one step had. Shares and percentiles are made from these. */
struct history_sample {
    uint64_t wall_s;  /* its end, the time of day */
    uint32_t step_ms; /* its length */
    uint32_t queries, fresh, stale, local, forwarded, failures;
    uint32_t p50_us, p95_us, p99_us; /* of queries that waited; 0: none did */
    /* By place in servers: 'u'p, 'i'dle, 'c'onnecting, 's'uspect, 'd'own; 0:
     * it was not there. */
    char states[HISTORY_SERVERS];
};

/* Known by zone and label; both are cut to what fits. */
struct history_server {
    char zone[HISTORY_ZONE_LEN];
    char label[UPSTREAM_LABEL_LEN];
};

/* The counters when the last sample ended. */
struct history_base {
    uint64_t uptime_ms;
    uint64_t queries, fresh, stale, local, forwarded, failures;
    struct histogram latency;
};

struct history {
    struct history_base base;
    bool has_base;
    size_t first, count; /* of samples */
    struct history_sample samples[HISTORY_SAMPLES];
    size_t server_count;
    struct history_server servers[HISTORY_SERVERS];
};

void history_init(struct history *h);

/* The step ends with r, at wall_s (seconds since 1970). The first report is
 * only where counting begins. */
void history_add(struct history *h, const struct admin_report *r,
                 uint64_t wall_s);

/* What the step that goes on has so far. Returns false when it is shorter than
 * a second: too short to make rates of. */
bool history_now(struct history *h, const struct admin_report *r,
                 uint64_t wall_s, struct history_sample *out);

/* The place of a server in states; HISTORY_SERVERS: it is not kept. */
size_t history_place(const struct history *h, const char *zone,
                     const char *label);

/* Sample i, 0 the oldest. i is less than count. */
const struct history_sample *history_at(const struct history *h, size_t i);

#endif
