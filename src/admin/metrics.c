/*
 * From a report's members, by the tables of metrics_rows.c and by hand where
 * there is more to say, to lines of text.
 */
#include "admin/metrics.h"

#include "admin/metrics_rows.h"

#include <inttypes.h>
#include <string.h>

/* ---- lines ---- */

static void head(struct http_text *out, const char *name, const char *type,
                 const char *help)
{
    http_text_add(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void row_head(struct http_text *out, const struct metrics_row *row)
{
    if (row->help != NULL) {
        head(out, row->name, row->kind == METRICS_COUNTER ? "counter" : "gauge",
             row->help);
    }
}

static uint64_t value_at(const void *base, const struct metrics_row *row)
{
    const char *at = (const char *)base + row->at;
    uint64_t count;
    unsigned small;

    if (row->kind == METRICS_SMALL_GAUGE) {
        memcpy(&small, at, sizeof(small));
        return small;
    }
    memcpy(&count, at, sizeof(count));
    return count;
}

static void gauge(struct http_text *out, const char *name, const char *help,
                  uint64_t value)
{
    head(out, name, "gauge", help);
    http_text_add(out, "%s %" PRIu64 "\n", name, value);
}

/* ---- the whole ---- */

static void write_report(const struct admin_report *r, struct http_text *out)
{
    for (size_t i = 0; i < metrics_report.count; i++) {
        const struct metrics_row *row = &metrics_report.rows[i];
        row_head(out, row);
        http_text_add(out, row->label == NULL ? "%s%s" : "%s{%s}", row->name,
                      row->label == NULL ? "" : row->label);
        http_text_add(out, " %" PRIu64 "\n", value_at(r, row));
    }
    head(out, "dotstub_rule_answers_total", "counter",
         "Queries answered here, by the rule that answered.");
    for (int rule = POLICY_NONE + 1; rule < POLICY_RULES_TOTAL; rule++) {
        http_text_add(
            out, "dotstub_rule_answers_total{rule=\"%s\"} %" PRIu64 "\n",
            policy_rule_name((enum policy_rule)rule), r->resolver.rules[rule]);
    }
    head(out, "dotstub_policy_names", "gauge", "Names that rules know.");
    http_text_add(out,
                  "dotstub_policy_names{rule=\"local\"} %zu\n"
                  "dotstub_policy_names{rule=\"denied\"} %zu\n",
                  r->policy.local_names, r->policy.denied_names);
}

static void write_state(const struct admin_report *r, struct http_text *out)
{
    head(out, "dotstub_build_info", "gauge",
         "The version that runs; always 1.");
    http_text_add(out, "dotstub_build_info{version=\"");
    http_text_label(out, r->version);
    http_text_add(out, "\"} 1\n");
    gauge(out, "dotstub_ready",
          "Is a server of the default pool verified? 1: yes.", r->is_ready);
    gauge(out, "dotstub_draining", "Is it ending? 1: yes.", r->is_draining);
    gauge(out, "dotstub_workers", "Threads that serve.", r->workers);
    gauge(out, "dotstub_tcp_clients", "TCP clients connected now.",
          r->tcp_clients);
    gauge(out, "dotstub_queries_in_flight", "Queries that wait now.",
          r->pending);
    gauge(out, "dotstub_cache_max_bytes", "cache_size; 0: there is no cache.",
          r->cache_max);
    gauge(out, "dotstub_policy_bytes", "Memory of the rules' tables.",
          r->policy.memory_len);
    gauge(out, "process_start_time_seconds",
          "When it started, since 1970 in seconds.", r->started_at_s);
    gauge(out, "process_open_fds", "Open file descriptors.", r->open_files);
    if (r->rss_len > 0) {
        gauge(out, "process_resident_memory_bytes", "Resident memory.",
              r->rss_len);
    }
}

/* From 128 us to 4 s: powers of two are ends of buckets in a histogram. */
enum { LEAST_BIT = 7, MOST_BIT = 22 };

static void write_latency(const struct histogram *h, struct http_text *out)
{
    static const char name[] = "dotstub_query_duration_seconds";
    uint64_t below = 0;
    unsigned i = 0;

    head(out, name, "histogram",
         "From a query to its answer, of those that waited for a server.");
    for (unsigned bit = LEAST_BIT; bit <= MOST_BIT; bit++) {
        uint64_t end = UINT64_C(1) << bit;
        for (; i < HISTOGRAM_BUCKETS && histogram_upper(i) <= end; i++) {
            below += h->buckets[i];
        }
        http_text_add(out, "%s_bucket{le=\"", name);
        http_text_micro(out, end);
        http_text_add(out, "\"} %" PRIu64 "\n", below);
    }
    http_text_add(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name,
                  h->count, name);
    http_text_micro(out, h->sum);
    http_text_add(out, "\n%s_count %" PRIu64 "\n", name, h->count);
}

/* ---- pools ---- */

static void pool_line(const char *name, const struct admin_pool *pool,
                      const char *label, uint64_t value, struct http_text *out)
{
    http_text_add(out, "%s{zone=\"", name);
    http_text_label(out, pool->zone);
    http_text_add(out, "\"%s%s} %" PRIu64 "\n", label == NULL ? "" : ",",
                  label == NULL ? "" : label, value);
}

static void write_pools(const struct admin_report *r, struct http_text *out)
{
    for (size_t i = 0; i < metrics_pool.count; i++) {
        const struct metrics_row *row = &metrics_pool.rows[i];
        row_head(out, row);
        for (size_t k = 0; k < r->pool_count; k++) {
            const struct admin_pool *pool = &r->pools[k];
            uint64_t value = row->at == METRICS_FULL_HANDSHAKES
                                 ? pool->stats.handshakes - pool->stats.resumed
                                 : value_at(pool, row);
            pool_line(row->name, pool, row->label, value, out);
        }
    }
}

/* ---- servers ---- */

/* The lines of one server in a family. */
typedef void server_fn(const struct metrics_row *row,
                       const struct admin_pool *pool,
                       const struct upstream_server_report *s,
                       struct http_text *out);

static void server_open(const char *name, const struct admin_pool *pool,
                        const struct upstream_server_report *s,
                        struct http_text *out)
{
    http_text_add(out, "%s{zone=\"", name);
    http_text_label(out, pool->zone);
    http_text_add(out, "\",server=\"");
    http_text_label(out, s->label);
    http_text_add(out, "\"");
}

/* Labels are cut, and a series must not come twice. */
static bool is_told(const struct admin_pool *pool, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(pool->servers[k].label, pool->servers[i].label) == 0) {
            return true;
        }
    }
    return false;
}

static void each_server(const struct admin_report *r,
                        const struct metrics_row *row, server_fn *fn,
                        struct http_text *out)
{
    for (size_t k = 0; k < r->pool_count; k++) {
        const struct admin_pool *pool = &r->pools[k];
        for (size_t i = 0; i < pool->server_count; i++) {
            if (!is_told(pool, i)) {
                fn(row, pool, &pool->servers[i], out);
            }
        }
    }
}

static void row_line(const struct metrics_row *row,
                     const struct admin_pool *pool,
                     const struct upstream_server_report *s,
                     struct http_text *out)
{
    server_open(row->name, pool, s, out);
    http_text_add(out, "} %" PRIu64 "\n", value_at(s, row));
}

static void state_lines(const struct metrics_row *row,
                        const struct admin_pool *pool,
                        const struct upstream_server_report *s,
                        struct http_text *out)
{
    static const char *const states[] = {"up", "idle", "connecting", "suspect",
                                         "down"};

    for (size_t i = 0; i < COUNT_OF(states); i++) {
        server_open(row->name, pool, s, out);
        http_text_add(out, ",state=\"%s\"} %d\n", states[i],
                      strcmp(states[i], s->state) == 0);
    }
}

static void latency_lines(const struct metrics_row *row,
                          const struct admin_pool *pool,
                          const struct upstream_server_report *s,
                          struct http_text *out)
{
    const struct {
        const char *percentile;
        uint32_t us;
    } all[] = {{"50", s->p50_us}, {"95", s->p95_us}, {"99", s->p99_us}};

    for (size_t i = 0; i < COUNT_OF(all) && s->p50_us > 0; i++) {
        server_open(row->name, pool, s, out);
        http_text_add(out, ",percentile=\"%s\"} ", all[i].percentile);
        http_text_micro(out, all[i].us);
        http_text_add(out, "\n");
    }
}

static void tls_line(const struct metrics_row *row,
                     const struct admin_pool *pool,
                     const struct upstream_server_report *s,
                     struct http_text *out)
{
    if (s->tls_version[0] == '\0') {
        return;
    }
    server_open(row->name, pool, s, out);
    http_text_add(out, ",version=\"");
    http_text_label(out, s->tls_version);
    http_text_add(out, "\",cipher=\"");
    http_text_label(out, s->tls_cipher);
    http_text_add(out, "\"} 1\n");
}

static void write_servers(const struct admin_report *r, struct http_text *out)
{
    static const struct {
        struct metrics_row row;
        server_fn *fn;
    } families[] = {
        {{"dotstub_server_state",
          "1 for the state that a server is in (up, idle, connecting, suspect, "
          "down), 0 for the others.",
          NULL, 0, METRICS_GAUGE},
         state_lines},
        {{"dotstub_server_latency_seconds",
          "Latency of a server's latest answers, by percentile.", NULL, 0,
          METRICS_GAUGE},
         latency_lines},
        {{"dotstub_server_tls_info",
          "Version and cipher of the last handshake; always 1.", NULL, 0,
          METRICS_GAUGE},
         tls_line},
    };

    for (size_t i = 0; i < COUNT_OF(families); i++) {
        row_head(out, &families[i].row);
        each_server(r, &families[i].row, families[i].fn, out);
    }
}

static void write_server_rows(const struct admin_report *r,
                              struct http_text *out)
{
    for (size_t i = 0; i < metrics_server.count; i++) {
        row_head(out, &metrics_server.rows[i]);
        each_server(r, &metrics_server.rows[i], row_line, out);
    }
}

void metrics_write(const struct admin_report *r, struct http_text *out)
{
    write_state(r, out);
    write_report(r, out);
    write_latency(&r->latency, out);
    write_pools(r, out);
    write_servers(r, out);
    write_server_rows(r, out);
}
