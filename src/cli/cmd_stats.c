/*
 * dotstub stats: what the daemon counts, on a page or as JSON.
 */
#include "cli/control.h"

#include "admin/json_report.h"
#include "base/err.h"
#include "cli/format.h"

#include <inttypes.h>
#include <string.h>

enum { LABEL_WIDTH = 40 };

struct stats {
    bool is_json;
    bool is_readable;
};

/* A line of a section: what, how often, and what that means. */
static void row(const char *what, uint64_t count, const char *meaning)
{
    printf("  %-22s %12" PRIu64 "  %s\n", what, count, meaning);
}

static void print_head(const struct admin_report *r)
{
    char up[FORMAT_LEN];
    char rss[FORMAT_LEN];
    char version[64];

    printf("dotstub %s, up %s, %u worker%s, %s\n",
           format_clean(r->version, version, sizeof(version)),
           format_duration(r->uptime_ms / 1000, up), r->workers,
           r->workers == 1 ? "" : "s",
           r->is_draining ? "stopping"
           : r->is_ready  ? "ready"
                          : "not ready: no server is verified");
    printf("  memory %s, %u files open, %" PRIu64 " reload%s (%" PRIu64
           " failed)\n",
           format_octets(r->rss_len, rss), r->open_files, r->reloads,
           r->reloads == 1 ? "" : "s", r->reloads_failed);
}

static uint64_t answered_here(const struct resolver_stats *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < POLICY_RULES_TOTAL; i++) {
        sum += s->rules[i];
    }
    return sum;
}

static void print_queries(const struct admin_report *r)
{
    const struct resolver_stats *s = &r->resolver;
    char share[FORMAT_LEN];

    puts("\nqueries");
    row("taken", s->queries, "");
    row("from the cache", s->hits, format_share(s->hits, s->queries, share));
    row("stale", s->stale, "past their time, since no server answered");
    row("by rules", answered_here(s), "hosts, records, lists, special names");
    row("asked of servers", s->forwarded, "");
    row("waited with another", s->coalesced, "the same question was under way");
    row("refreshed", s->refreshes, "before they were asked for again");
    row("failed: no server", s->failures, "SERVFAIL");
    row("failed: too late", s->timeouts, "SERVFAIL");
    row("failed: a bound", s->refused + r->listener.over_max_queries,
        "SERVFAIL");
    row("malformed", s->formerr + s->notimp + s->badvers + s->meta + s->dropped,
        "");
    printf("  %-22s %12zu\n", "under way now", r->pending);
}

static void print_latency(const struct histogram *h)
{
    static const struct {
        const char *name;
        unsigned permille;
    } points[] = {{"p50", 500}, {"p90", 900}, {"p95", 950}, {"p99", 990}};
    char text[FORMAT_LEN];

    puts("\ntime that clients waited when servers were asked (ms)");
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        printf("%s%s %s", i == 0 ? "  " : "   ", points[i].name,
               format_ms(histogram_percentile(h, points[i].permille), text));
    }
    putchar('\n');
}

static void print_cache(const struct admin_report *r)
{
    const struct cache_stats *c = &r->cache;
    char used[FORMAT_LEN];
    char max[FORMAT_LEN];

    if (r->cache_max == 0) {
        puts("\ncache: off");
        return;
    }
    printf("\ncache: %s of %s\n", format_octets(c->octets, used),
           format_octets(r->cache_max, max));
    row("answers kept", c->entries, "");
    row("pushed out", c->evictions, "to make room");
}

static void print_clients(const struct admin_report *r)
{
    const struct listener_stats *l = &r->listener;

    puts("\nclients");
    row("UDP queries", l->udp_queries, "");
    row("UDP answers cut", l->udp_truncated, "asked again over TCP");
    row("TCP queries", l->tcp_queries, "");
    row("TCP clients", l->tcp_clients_accepted, "");
    printf("  %-22s %12zu\n", "connected now", r->tcp_clients);
    row("TCP clients closed",
        l->tcp_clients_refused + l->tcp_clients_evicted +
            l->tcp_clients_slow_closed,
        "by the bounds");
    row("not allowed", l->guard.not_allowed, "");
    row("over their rate", l->guard.over_rate, "");
    if (r->dnstap_written + r->dnstap_dropped > 0) {
        row("dnstap messages", r->dnstap_written, "");
        row("dnstap dropped", r->dnstap_dropped, "no receiver, or too slow");
    }
}

static void print_server(const struct upstream_server_report *s)
{
    char label[UPSTREAM_LABEL_LEN];
    char state[16];
    char version[16];
    char p50[FORMAT_LEN];
    char p95[FORMAT_LEN];
    char share[FORMAT_LEN];
    char why[UPSTREAM_WHY_LEN];

    printf("  %-*s %-10s %5u %9u %8s %8s %10" PRIu64 " %8s %8s\n", LABEL_WIDTH,
           format_clean(s->label, label, sizeof(label)),
           format_clean(s->state, state, sizeof(state)), s->ready, s->in_flight,
           format_ms(s->p50_us, p50), format_ms(s->p95_us, p95), s->queries,
           format_clean(s->tls_version, version, sizeof(version)),
           format_share(s->resumed, s->handshakes, share));
    if (s->why[0] != '\0' && strcmp(s->state, "up") != 0) {
        printf("    %s\n", format_clean(s->why, why, sizeof(why)));
    }
}

static void print_pool(const struct admin_pool *p)
{
    char zone[256];
    char strategy[16];

    printf("\nservers of %s: %s%s\n", format_clean(p->zone, zone, sizeof(zone)),
           format_clean(p->strategy, strategy, sizeof(strategy)),
           p->is_plain ? ", in clear text" : "");
    if (p->server_count > 0) {
        printf("  %-*s %-10s %5s %9s %8s %8s %10s %8s %8s\n", LABEL_WIDTH,
               "server", "state", "conns", "in flight", "p50 ms", "p95 ms",
               "queries", "TLS", "resumed");
    }
    for (size_t i = 0; i < p->server_count; i++) {
        print_server(&p->servers[i]);
    }
    printf("  %" PRIu64 " asked twice because the first was late (%" PRIu64
           " of them won), %" PRIu64 " moved off lost connections\n",
           p->stats.hedged, p->stats.hedge_won, p->stats.moved);
}

static void on_answer(void *arg, const struct control_answer *a)
{
    struct stats *s = arg;
    struct json_report r = {.tree = NULL};

    if (a->report == NULL ||
        json_report_read(span_of(a->report, strlen(a->report)), &r) != 0) {
        return;
    }
    s->is_readable = true;
    if (s->is_json) {
        puts(a->report);
    } else {
        print_head(&r.report);
        print_queries(&r.report);
        print_latency(&r.report.latency);
        print_cache(&r.report);
        print_clients(&r.report);
        for (size_t i = 0; i < r.report.pool_count; i++) {
            print_pool(&r.report.pools[i]);
        }
    }
    json_report_finish(&r);
}

int cmd_stats(int argc, char **argv)
{
    const struct control_request r = {.command = CONTROL_STATS};
    struct stats s = {.is_json = false};
    const char *socket = NULL;
    const struct cli_option options[] = {
        {"json", NULL, &s.is_json},
        {"socket", &socket, NULL},
    };
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
    };
    int code = cli_parse(argc, argv, &args);

    if (code != -1) {
        return code;
    }
    code = control_run(socket, args.config_file, &r, on_answer, &s);
    if (code == CLI_OK && !s.is_readable) {
        fprintf(stderr, "dotstub: the answer has no report\n");
        code = CLI_FAILURE;
    }
    return code;
}
