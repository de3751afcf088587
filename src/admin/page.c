/*
 * The page's pieces, and between them what is known now.
 */
#include "admin/page.h"

#include "admin/page_parts.h"

#include <inttypes.h>

#define ADD_PART(out, part) \
    http_text_append((out), span_of((part), sizeof(part)))

const char *page_csp(void)
{
    return PAGE_CSP;
}

static void write_number(struct http_text *out, const char *name,
                         uint64_t value)
{
    http_text_add(out,
                  "<tr><th scope=\"row\">%s</th><td class=\"n\">%" PRIu64
                  "</td></tr>\n",
                  name, value);
}

static void write_numbers(const struct admin_report *r, struct http_text *out)
{
    const struct resolver_stats *s = &r->resolver;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"Queries", r->listener.udp_queries + r->listener.tcp_queries},
        {"Answered from the cache", s->hits},
        {"… past their time", s->stale},
        {"Asked of a server", s->forwarded},
        {"Failures",
         s->timeouts + s->failures + s->refused + r->listener.over_max_queries},
        {"Waiting now", r->pending},
        {"p50, µs", histogram_percentile(&r->latency, 500)},
        {"p95, µs", histogram_percentile(&r->latency, 950)},
        {"p99, µs", histogram_percentile(&r->latency, 990)},
        {"Answers in the cache", r->cache.entries},
        {"Octets of the cache", r->cache.octets},
        {"Octets of memory", r->rss_len},
    };

    http_text_add(out, "<table>\n<caption>Since the start</caption>\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        write_number(out, rows[i].name, rows[i].value);
    }
    http_text_add(out, "</table>\n");
}

static void write_cell(struct http_text *out, const char *words)
{
    http_text_add(out, "<td>");
    http_text_html(out, words);
    http_text_add(out, "</td>");
}

static void write_server(const struct admin_pool *pool,
                         const struct upstream_server_report *s,
                         struct http_text *out)
{
    const uint64_t counts[] = {s->ready, s->in_flight, s->queries, s->p50_us,
                               s->p95_us};

    http_text_add(out, "<tr>");
    write_cell(out, pool->zone);
    write_cell(out, s->label);
    write_cell(out, s->state);
    write_cell(out, pool->is_plain ? "plain" : s->tls_version);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        http_text_add(out, "<td class=\"n\">%" PRIu64 "</td>", counts[i]);
    }
    write_cell(out, s->why);
    http_text_add(out, "</tr>\n");
}

static void write_servers(const struct admin_report *r, struct http_text *out)
{
    http_text_add(
        out, "<div class=\"wide\"><table>\n<caption>Servers</caption>\n<tr>"
             "<th>Zone</th><th>Server</th><th>State</th><th>TLS</th>"
             "<th>Connections</th><th>In flight</th><th>Queries</th>"
             "<th>p50, µs</th><th>p95, µs</th><th>Last failure</th></tr>\n");
    for (size_t i = 0; i < r->pool_count; i++) {
        for (size_t k = 0; k < r->pools[i].server_count; k++) {
            write_server(&r->pools[i], &r->pools[i].servers[k], out);
        }
    }
    http_text_add(out, "</table></div>\n");
}

void page_write(const struct admin_report *r, struct http_text *out)
{
    ADD_PART(out, page_part_0);
    http_text_add(out, "%s",
                  r->is_draining ? "ending"
                  : r->is_ready  ? "ready"
                                 : "not ready");
    ADD_PART(out, page_part_1);
    http_text_html(out, r->version);
    http_text_add(out, ", up %" PRIu64 " s, %u worker%s", r->uptime_ms / 1000,
                  r->workers, r->workers == 1 ? "" : "s");
    ADD_PART(out, page_part_2);
    write_numbers(r, out);
    write_servers(r, out);
    ADD_PART(out, page_part_3);
}
