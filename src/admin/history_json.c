/*
 * Columns instead of rows: a script draws each as one line, and names come
 * once.
 */
#include "admin/history_json.h"

#include <inttypes.h>
#include <string.h>

/* The samples to tell of. */
struct samples {
    const struct history *history;
    struct history_sample last; /* the step that goes on */
    bool has_last;
};

static size_t sample_count(const struct samples *s)
{
    return s->history->count + s->has_last;
}

static const struct history_sample *sample_at(const struct samples *s, size_t i)
{
    return i < s->history->count ? history_at(s->history, i) : &s->last;
}

/* ---- a column ---- */

typedef void column_fn(const struct history_sample *x, struct http_text *out);

static void per_second(uint32_t count, const struct history_sample *x,
                       struct http_text *out)
{
    http_text_milli(out, (uint64_t)count * 1000 * 1000 / x->step_ms);
}

static void at(const struct history_sample *x, struct http_text *out)
{
    http_text_add(out, "%" PRIu64, x->wall_s);
}

static void qps(const struct history_sample *x, struct http_text *out)
{
    per_second(x->queries, x, out);
}

static void failures(const struct history_sample *x, struct http_text *out)
{
    per_second(x->failures, x, out);
}

/* Of the queries, in percent; null when there were none. */
static void hit_percent(const struct history_sample *x, struct http_text *out)
{
    uint64_t hits = (uint64_t)x->fresh + x->stale;

    if (x->queries == 0) {
        http_text_add(out, "null");
        return;
    }
    hits = hits > x->queries ? x->queries : hits;
    http_text_milli(out, hits * 100 * 1000 / x->queries);
}

static void milliseconds(uint32_t us, struct http_text *out)
{
    if (us == 0) {
        http_text_add(out, "null");
    } else {
        http_text_milli(out, us);
    }
}

static void p50(const struct history_sample *x, struct http_text *out)
{
    milliseconds(x->p50_us, out);
}

static void p95(const struct history_sample *x, struct http_text *out)
{
    milliseconds(x->p95_us, out);
}

static void p99(const struct history_sample *x, struct http_text *out)
{
    milliseconds(x->p99_us, out);
}

static void write_columns(const struct samples *s, struct http_text *out)
{
    static const struct {
        const char *name;
        column_fn *fn;
    } columns[] = {
        {"at", at},
        {"qps", qps},
        {"failures_per_s", failures},
        {"hit_percent", hit_percent},
        {"p50_ms", p50},
        {"p95_ms", p95},
        {"p99_ms", p99},
    };

    http_text_add(out, "\"history\":{");
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        http_text_add(out, "%s\"%s\":[", i == 0 ? "" : ",", columns[i].name);
        for (size_t k = 0; k < sample_count(s); k++) {
            http_text_add(out, k == 0 ? "" : ",");
            columns[i].fn(sample_at(s, k), out);
        }
        http_text_add(out, "]");
    }
    http_text_add(out, "}");
}

/* ---- now ---- */

static void write_now(const struct admin_report *r, struct http_text *out)
{
    const struct resolver_stats *s = &r->resolver;

    http_text_add(out, "\"version\":\"");
    http_text_json(out, r->version);
    http_text_add(
        out,
        "\",\"started_at\":%" PRIu64 ",\"uptime_s\":%" PRIu64
        ",\"workers\":%u,\"ready\":%s,\"draining\":%s,"
        "\"history_s\":%d,\"step_s\":%d,",
        r->started_at_s, r->uptime_ms / 1000, r->workers,
        r->is_ready ? "true" : "false", r->is_draining ? "true" : "false",
        HISTORY_SAMPLES * HISTORY_STEP_MS / 1000, HISTORY_STEP_MS / 1000);
    http_text_add(
        out,
        "\"totals\":{\"queries\":%" PRIu64 ",\"cache_answers\":%" PRIu64
        ",\"stale_answers\":%" PRIu64 ",\"forwarded\":%" PRIu64
        ",\"failures\":%" PRIu64 ",\"in_flight\":%zu,\"tcp_clients\":%zu,"
        "\"cache_entries\":%" PRIu64 ",\"cache_bytes\":%" PRIu64
        ",\"cache_max_bytes\":%zu,\"resident_bytes\":%" PRIu64 "}",
        r->listener.udp_queries + r->listener.tcp_queries, s->hits, s->stale,
        s->forwarded,
        s->timeouts + s->failures + s->refused + r->listener.over_max_queries,
        r->pending, r->tcp_clients, r->cache.entries, r->cache.octets,
        r->cache_max, r->rss_len);
}

/* A letter for each sample; '-' where the server was not there. */
static void write_states(const struct samples *s, const char *zone,
                         const char *label, struct http_text *out)
{
    size_t place = history_place(s->history, zone, label);

    for (size_t i = 0; i < sample_count(s); i++) {
        char state =
            place < HISTORY_SERVERS ? sample_at(s, i)->states[place] : '\0';
        http_text_add(out, "%c", state == '\0' ? '-' : state);
    }
}

static void write_server(const struct samples *s, const struct admin_pool *pool,
                         const struct upstream_server_report *server,
                         struct http_text *out)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"zone", pool->zone},           {"server", server->label},
        {"state", server->state},       {"tls", server->tls_version},
        {"cipher", server->tls_cipher}, {"why", server->why},
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        http_text_add(out, "%s\"%s\":\"", i == 0 ? "{" : ",", texts[i].name);
        http_text_json(out, texts[i].text);
        http_text_add(out, "\"");
    }
    http_text_add(out,
                  ",\"plain\":%s,\"connections\":%u,\"in_flight\":%u,"
                  "\"queries\":%" PRIu64 ",\"handshakes\":%" PRIu64
                  ",\"resumed\":%" PRIu64 ",\"p50_ms\":",
                  pool->is_plain ? "true" : "false", server->ready,
                  server->in_flight, server->queries, server->handshakes,
                  server->resumed);
    milliseconds(server->p50_us, out);
    http_text_add(out, ",\"p95_ms\":");
    milliseconds(server->p95_us, out);
    http_text_add(out, ",\"p99_ms\":");
    milliseconds(server->p99_us, out);
    http_text_add(out, ",\"states\":\"");
    write_states(s, pool->zone, server->label, out);
    http_text_add(out, "\"}");
}

void history_json_write(const struct admin_report *r, struct history *h,
                        uint64_t wall_s, struct http_text *out)
{
    struct samples s = {.history = h};
    bool is_first = true;

    s.has_last = history_now(h, r, wall_s, &s.last);
    http_text_add(out, "{");
    write_now(r, out);
    http_text_add(out, ",");
    write_columns(&s, out);
    http_text_add(out, ",\"servers\":[");
    for (size_t i = 0; i < r->pool_count; i++) {
        for (size_t k = 0; k < r->pools[i].server_count; k++) {
            http_text_add(out, is_first ? "" : ",");
            write_server(&s, &r->pools[i], &r->pools[i].servers[k], out);
            is_first = false;
        }
    }
    http_text_add(out, "]}\n");
}
