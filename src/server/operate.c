/*
 * What operators may ask of the server: reports of all workers together, and
 * what the control commands do.
 */
#include "server/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "server/server.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A report on its way: each worker writes its part. */
struct gather {
    struct list node; /* in the server's gathers */
    struct server *server;
    admin_report_fn *fn;
    void *arg;
    unsigned missing; /* parts */
    unsigned count;
    struct worker_report parts[];
};

/* ---- sums ---- */

/* All members of these structs are counters. */
static void add_counters(void *sum, const void *part, size_t len)
{
    uint64_t *to = sum;
    const uint64_t *from = part;

    for (size_t i = 0; i < len / sizeof(uint64_t); i++) {
        to[i] += from[i];
    }
}

#define ADD(sum, part) \
    do { \
        _Static_assert(sizeof(*(sum)) % sizeof(uint64_t) == 0, "counters"); \
        add_counters((sum), (part), sizeof(*(sum))); \
    } while (0)

static uint32_t weighted(uint64_t a, uint64_t a_weight, uint64_t b,
                         uint64_t b_weight)
{
    uint64_t weight = a_weight + b_weight;

    return weight == 0 ? (uint32_t)a
                       : (uint32_t)((a * a_weight + b * b_weight) / weight);
}

/* Of the states of one server in two workers, the one that says more. */
static const char *graver(const char *a, const char *b)
{
    static const char *const order[] = {"down", "suspect", "connecting", "up"};

    for (size_t i = 0; i < COUNT_OF(order); i++) {
        if (strcmp(a, order[i]) == 0 || strcmp(b, order[i]) == 0) {
            return order[i];
        }
    }
    return a;
}

/* Percentiles of two workers are weighed by what they are made of. */
static void add_server(struct upstream_server_report *sum,
                       const struct upstream_server_report *part)
{
    uint64_t a = sum->answers;
    uint64_t b = part->answers;

    sum->p50_us = weighted(sum->p50_us, a, part->p50_us, b);
    sum->p95_us = weighted(sum->p95_us, a, part->p95_us, b);
    sum->p99_us = weighted(sum->p99_us, a, part->p99_us, b);
    sum->average_us = weighted(sum->average_us, a, part->average_us, b);
    sum->state = graver(sum->state, part->state);
    sum->ready += part->ready;
    sum->in_flight += part->in_flight;
    sum->failures =
        part->failures > sum->failures ? part->failures : sum->failures;
    sum->queries += part->queries;
    sum->answers += part->answers;
    sum->handshakes += part->handshakes;
    sum->resumed += part->resumed;
    if (sum->why[0] == '\0') {
        memcpy(sum->why, part->why, sizeof(sum->why));
    }
    if (sum->tls_version[0] == '\0') {
        sum->tls_version = part->tls_version;
        sum->tls_cipher = part->tls_cipher;
    }
}

/* The first part's servers become the sum. A worker that has another setup
 * just now is left out. */
static void add_pool(struct admin_pool *sum, struct worker_pool_report *part,
                     bool is_first)
{
    ADD(&sum->stats, &part->stats);
    if (is_first) {
        sum->servers = part->servers;
        sum->server_count = part->server_count;
        return;
    }
    for (size_t i = 0;
         i < sum->server_count && part->server_count == sum->server_count;
         i++) {
        add_server(&sum->servers[i], &part->servers[i]);
    }
}

static void add_part(struct admin_report *sum, struct worker_report *part,
                     bool is_first)
{
    ADD(&sum->resolver, &part->resolver);
    ADD(&sum->listener, &part->listener);
    histogram_merge(&sum->latency, &part->latency);
    sum->tcp_clients += part->tcp_clients;
    sum->pending += part->pending;
    sum->is_ready = sum->is_ready || part->is_ready;
    for (size_t i = 0; i < sum->pool_count && i < part->pool_count; i++) {
        add_pool(&sum->pools[i], &part->pools[i], is_first);
    }
}

/* ---- the process ---- */

/* Octets resident; 0 when the system does not tell. */
static uint64_t resident_len(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128] = "";
    uint64_t pages = 0;

    if (f == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), f) != NULL) {
        const char *second = strchr(line, ' ');
        pages = second == NULL ? 0 : strtoull(second, NULL, 10);
    }
    (void)fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    if (dir == NULL) {
        return 0;
    }
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

/* ---- one report ---- */

static void describe_pools(const struct setup *setup, struct admin_report *out)
{
    for (size_t i = 0; i < out->pool_count; i++) {
        const struct config_pool *set = setup->pools[i];
        struct admin_pool *p = &out->pools[i];

        p->zone = i == 0 ? "." : setup->config->zones[i - 1].name;
        p->strategy =
            set == NULL ? "none" : config_strategy_name(set->strategy);
        p->is_plain = set != NULL && set->is_plain;
    }
}

static void describe(const struct server *s, struct admin_report *out)
{
    struct cache *cache = resolver_shared_cache(s->shared);

    out->version = server_version();
    out->started_at_s = s->started_at_s;
    out->uptime_ms = net_now_ms(s->loop) - s->started_ms;
    out->workers = s->worker_count;
    out->is_draining = s->is_draining;
    out->cache_max = s->setup->config->cache_size;
    if (cache != NULL) {
        cache_stats(cache, &out->cache);
    }
    policy_counts(s->setup->policy, &out->policy);
    out->dnstap_written = s->dnstap.written;
    out->dnstap_dropped = s->dnstap.dropped;
    out->reloads = s->reloads;
    out->reloads_failed = s->reloads_failed;
    out->rss_len = resident_len();
    out->open_files = open_files();
}

static void gather_destroy(struct gather *g)
{
    list_remove(&g->node);
    for (unsigned i = 0; i < g->count; i++) {
        worker_report_finish(&g->parts[i]);
    }
    free(g);
}

static void gather_finish(struct gather *g)
{
    struct admin_report *report = calloc(1, sizeof(*report));
    struct admin_pool *pools =
        calloc(g->server->setup->pool_count, sizeof(*pools));
    bool is_first = true;

    if (report != NULL && pools != NULL) {
        report->pools = pools;
        report->pool_count = g->server->setup->pool_count;
        describe(g->server, report);
        describe_pools(g->server->setup, report);
        for (unsigned i = 0; i < g->count; i++) {
            if (g->parts[i].is_complete) {
                add_part(report, &g->parts[i], is_first);
                is_first = false;
            }
        }
    }
    g->fn(g->arg, pools != NULL ? report : NULL);
    free(report);
    free(pools);
    gather_destroy(g);
}

static void on_part(void *arg)
{
    struct gather *g = arg;

    if (--g->missing == 0) {
        gather_finish(g);
    }
}

int operate_gather(struct server *s, admin_report_fn *fn, void *fn_arg)
{
    struct gather *g =
        calloc(1, sizeof(*g) + s->worker_count * sizeof(struct worker_report));

    if (g == NULL) {
        return ERR_NOMEM;
    }
    g->server = s;
    g->fn = fn;
    g->arg = fn_arg;
    g->count = s->worker_count;
    list_push_back(&s->gathers, &g->node);
    for (unsigned i = 0; i < s->worker_count; i++) {
        g->missing +=
            worker_ask_report(s->workers[i], &g->parts[i], on_part, g) == 0;
    }
    if (g->missing == 0) {
        gather_destroy(g);
        return ERR_NOMEM;
    }
    return 0;
}

static int gather(void *arg, admin_report_fn *fn, void *fn_arg)
{
    return operate_gather(arg, fn, fn_arg);
}

/* ---- the rest ---- */

/* A query that is being explained. */
struct explanation {
    struct worker_explain worker;
    admin_explain_fn *fn;
    void *arg;
};

static void explanation_destroy(struct explanation *e)
{
    if (e != NULL) {
        free(e->worker.answer);
        free(e);
    }
}

static size_t flush(void *arg, struct span name, uint16_t type,
                    bool with_subtree)
{
    const struct server *s = arg;
    struct cache *cache = resolver_shared_cache(s->shared);

    if (cache == NULL) {
        return 0;
    }
    return name.len == 0 ? cache_flush_all(cache)
                         : cache_flush_name(cache, name, type, with_subtree);
}

static int reload(void *arg, reload_done_fn *done, void *done_arg)
{
    return reload_and_tell(arg, done, done_arg);
}

static void set_log_level(void *arg, enum log_level level)
{
    (void)arg;
    log_set_level(level);
}

static void on_explained(void *arg)
{
    struct server *s = arg;
    struct explanation *e = s->explanation;

    s->explanation = NULL;
    e->fn(e->arg, &e->worker.trace,
          span_of(e->worker.answer, e->worker.answer_len));
    explanation_destroy(e);
}

static int explain(void *arg, struct span query, admin_explain_fn *fn,
                   void *fn_arg)
{
    struct server *s = arg;

    if (s->explanation != NULL) {
        return ERR_LIMIT;
    }
    struct explanation *e = calloc(1, sizeof(*e));
    if (e == NULL || query.len > sizeof(e->worker.query)) {
        free(e);
        return e == NULL ? ERR_NOMEM : ERR_INVAL;
    }
    e->fn = fn;
    e->arg = fn_arg;
    memcpy(e->worker.query, query.ptr, query.len);
    e->worker.query_len = query.len;
    int err = worker_explain(s->workers[0], &e->worker, on_explained, s);
    if (err != 0) {
        explanation_destroy(e);
        return err;
    }
    s->explanation = e;
    return 0;
}

void operate_hooks(struct server *s, struct admin_hooks *out)
{
    *out = (struct admin_hooks){
        .arg = s,
        .gather = gather,
        .flush = flush,
        .reload = reload,
        .set_log_level = set_log_level,
        .explain = explain,
    };
}

void operate_finish(struct server *s)
{
    explanation_destroy(s->explanation);
    s->explanation = NULL;
    LIST_EACH (node, &s->gathers) {
        gather_destroy(CONTAINER_OF(node, struct gather, node));
    }
}
