/*
 * One run, from the seed to the verdict.
 */
#include "run.h"

#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECOND_US = 1000000,
    WARM_US = 2 * SECOND_US,    /* the program starts, nobody asks */
    FAULTS_US = 36 * SECOND_US, /* faults begin in this time */
    CALM_US = 12 * SECOND_US,   /* all is well again; clients go on asking */
    MARGIN_US = 40000           /* the answer's way, and turns of the loop */
};

/* ---- what goes wrong ---- */

static void plan(struct sim_run *r, const struct fault *fault, unsigned server)
{
    struct sim_world *w = r->world;
    struct sim_plan *p = sim_plan_add(r, fault, server);

    if (p == NULL) {
        return;
    }
    bool is_flapping = sim_chance(w, 25);
    p->times = is_flapping ? sim_between(w, 2, 12) : 1;
    p->last_us = is_flapping ? sim_between(w, 50000, 3 * SECOND_US)
                             : sim_between(w, SECOND_US, 20 * SECOND_US);
    p->pause_us = sim_between(w, 50000, 4 * SECOND_US);
    bool is_early = sim_chance(w, 15); /* before the program has started */
    sim_event_in(w, &p->e, is_early ? 0 : sim_between(w, WARM_US, FAULTS_US));
}

/* One server, or all; but the last is often left alone. */
static unsigned pick_server(struct sim_run *r, bool is_last_spared)
{
    struct sim_world *w = r->world;

    if (is_last_spared) {
        return rng_below(&w->rng, r->server_count - 1);
    }
    return sim_chance(w, 30) ? SIM_SERVERS_MAX
                             : rng_below(&w->rng, r->server_count);
}

/* Pairs of faults are numbered, so that seeds in a row go through them all. */
static void choose(struct sim_run *r, const struct fault *chosen[2])
{
    size_t count = fault_count();
    size_t pair = (size_t)(r->seed * 2654435761u % (count * count));

    chosen[0] = fault_at(pair / count);
    chosen[1] = fault_at(pair % count);
}

static void note_plan(const struct fault *fault, char *out)
{
    size_t len = strlen(out);

    snprintf(out + len, SIM_SCENARIO_LEN - len, "%s%s", len > 0 ? "+" : "",
             fault->name);
}

static void plan_by_seed(struct sim_run *r, char *out)
{
    const struct fault *chosen[2];
    bool is_last_spared = r->server_count > 1 && sim_chance(r->world, 70);
    unsigned more = sim_chance(r->world, 50) ? sim_between(r->world, 1, 4) : 0;

    choose(r, chosen);
    for (size_t i = 0; i < 2; i++) {
        plan(r, chosen[i], pick_server(r, is_last_spared));
        note_plan(chosen[i], out);
    }
    for (unsigned i = 0; i < more; i++) {
        size_t any = rng_below(&r->world->rng, (uint32_t)fault_count());
        const struct fault *f = fault_at(any);
        plan(r, f, pick_server(r, is_last_spared));
        note_plan(f, out);
    }
}

/* The next name of a scenario; *at moves behind it. NULL: unknown. */
static const struct fault *next_name(const char **at)
{
    size_t len = strcspn(*at, "+");
    const struct fault *f = fault_by_name(*at, len);

    *at += len + ((*at)[len] == '+');
    return f;
}

static bool is_scenario(const char *scenario)
{
    while (*scenario != '\0') {
        if (next_name(&scenario) == NULL) {
            return false;
        }
    }
    return true;
}

static void plan_by_name(struct sim_run *r, const char *scenario, char *out)
{
    bool is_last_spared = r->server_count > 1 && sim_chance(r->world, 70);

    while (*scenario != '\0') {
        const struct fault *f = next_name(&scenario);
        plan(r, f, pick_server(r, is_last_spared));
        note_plan(f, out);
    }
}

/* ---- the cast ---- */

static void add_server(struct sim_run *r)
{
    struct sim_world *w = r->world;
    unsigned i = r->server_count++;
    struct addr addr = {.family = 4, .port = 853};
    char name[32];

    memcpy(addr.ip, (const uint8_t[]){192, 0, 2, 0}, 4);
    addr.ip[3] = (uint8_t)(i + 1);
    snprintf(name, sizeof(name), "%cns%u.example", SIM_NAME_LETTER, i);
    sim_link_delay(sim_link(w, &addr), sim_between(w, 200, 30000), 500);
    r->servers[i] = sim_server_create(r->peers_loop, &addr, name);
    r->servers[i]->latency_us = sim_between(w, 100, 5000);
    r->servers[i]->latency_jitter_us = sim_between(w, 0, 10000);
    if (sim_chance(w, 20)) {
        r->servers[i]->identity.version = 12;
    }
    sim_program_add(&r->program, r->servers[i], sim_chance(w, 20));
}

static void vary_config(struct sim_run *r)
{
    struct sim_world *w = r->world;
    struct config *c = &r->program.config;

    c->pool.strategy = (enum config_strategy)sim_between(w, 0, 3);
    c->pool.race_width = sim_between(w, 2, 3);
    c->connections_per_server = sim_between(w, 1, 4);
    c->max_udp_size =
        sim_chance(w, 70) ? 1232 : (uint16_t)sim_between(w, 512, 4096);
    if (sim_chance(w, 20)) {
        c->queries_per_connection = sim_between(w, 64, 256);
    }
    if (sim_chance(w, 20)) {
        c->upstream_idle_ms = sim_between(w, 100, 5000);
    }
    if (sim_chance(w, 20)) {
        c->padding_block = 0;
    }
    if (sim_chance(w, 50)) {
        c->cache_size = 1 << sim_between(w, 17, 20);
        c->serve_stale_ms = sim_chance(w, 70) ? 3600 * 1000 : 0;
    }
    if (sim_chance(w, 30)) {
        c->hedge_budget_percent = sim_between(w, 0, 100);
    }
    if (sim_chance(w, 20)) {
        c->tcp_max_queries_per_client = sim_between(w, 1, 8);
        c->tcp_max_unread = 16384;
    }
}

/* One in three runs has several: they are asked the same more often. */
static unsigned worker_count(const struct sim_run *r)
{
    return r->seed % 3 != 0 ? 1 : 2 + r->seed / 3 % (SIM_WORKERS_MAX - 1);
}

static unsigned common_percent(const struct config *c)
{
    if (c->workers > 1) {
        return 60;
    }
    return c->cache_size > 0 ? 30 : 10;
}

void sim_run_open_ledger(struct sim_run *r)
{
    sim_ledger_init(&r->ledger, r->world);
    r->ledger.is_hopeless = sim_run_is_hopeless;
    r->ledger.arg = r;
    r->ledger.is_verbose = r->is_verbose;
    if (r->program.config.cache_size > 0) {
        r->ledger.failure_ttl_us =
            (uint64_t)r->program.config.failure_ttl_ms * 1000;
    }
    r->ledger.common_names = SIM_COMMON_NAMES;
    r->ledger.max_udp_size = r->program.config.max_udp_size;
    r->ledger.deadline_us =
        (uint64_t)r->program.config.query_timeout_ms * 1000 + MARGIN_US;
}

static void prepare(struct sim_run *r)
{
    struct sim_world *w = r->world;

    w->is_chunking = sim_chance(w, 30);
    sim_program_init(&r->program, worker_count(r));
    unsigned count = sim_between(w, 1, SIM_SERVERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        add_server(r);
    }
    vary_config(r);
    sim_run_open_ledger(r);
    r->clients = (struct sim_clients){
        .loop = r->peers_loop,
        .ledger = &r->ledger,
        .target = r->program.listen,
        .gap_us = sim_between(w, 15000, 60000),
        .tcp_percent = 4,
        .rude_percent = 20,
        .burst = sim_between(w, 1, 3),
        .noise_percent = 1,
        .common_percent = common_percent(&r->program.config),
        .is_tcp_held_up = r->program.config.tcp_max_queries_per_client < 16,
    };
}

/* ---- the run ---- */

static void run_for(struct sim_run *r, uint64_t us)
{
    sim_world_run_until(r->world, r->world->now_us + us);
}

static void print_cast(const struct sim_run *r)
{
    const struct config *c = &r->program.config;

    printf("%u workers, %u servers, strategy %d, %u connections of %u "
           "queries, idle %u ms; a query each %u us, bursts of %u\n",
           c->workers, r->server_count, (int)c->pool.strategy,
           c->connections_per_server, c->queries_per_connection,
           c->upstream_idle_ms, r->clients.gap_us, r->clients.burst);
    for (unsigned i = 0; i < r->server_count; i++) {
        printf("server %u: %u us away, answers in %u us + %u\n", i,
               r->servers[i]->link->delay_us, r->servers[i]->latency_us,
               r->servers[i]->latency_jitter_us);
    }
}

static void act(struct sim_run *r)
{
    if (r->is_verbose) {
        print_cast(r);
    }
    run_for(r, 1); /* faults that are there before the program */
    sim_program_start(&r->program);
    run_for(r, WARM_US);
    sim_run_watch(r);
    sim_clients_start(&r->clients);
    run_for(r, FAULTS_US);
    sim_plans_end(r);
    run_for(r, CALM_US);
    sim_clients_stop(&r->clients);
    sim_event_cancel(r->world, &r->watch);
    run_for(r, 1000);
    sim_program_drain(&r->program);
}

/* Everything that was asked before the drain is answered by its deadline; what
 * TCP clients try afterwards is theirs to lose. */
void sim_run_wind_up(struct sim_run *r)
{
    run_for(r, 200000);
    sim_clients_finish_tcp(&r->clients);
    run_for(r, r->ledger.deadline_us + 12 * SECOND_US);
    if (sim_ledger_open(&r->ledger) > 0) {
        sim_ledger_fault(&r->ledger, "%zu queries open at the end",
                         sim_ledger_open(&r->ledger));
    }
    for (unsigned i = 0; i < r->server_count; i++) {
        const struct sim_server_stats *s = &r->servers[i]->stats;
        if (s->leaked + s->early_data + s->bundled + s->bad_queries +
                s->strayed >
            0) {
            sim_ledger_fault(
                &r->ledger,
                "server %u: %llu queries to an impostor, %llu before the "
                "handshake's end, %llu sharing a record, %llu unreadable, "
                "%llu for a zone of another",
                i, (unsigned long long)s->leaked,
                (unsigned long long)s->early_data,
                (unsigned long long)s->bundled,
                (unsigned long long)s->bad_queries,
                (unsigned long long)s->strayed);
        }
    }
    if (r->router != NULL && r->router->strayed > 0) {
        sim_ledger_fault(&r->ledger, "%llu queries in clear text",
                         (unsigned long long)r->router->strayed);
    }
}

void sim_run_report(struct sim_run *r, struct sim_result *out)
{
    const struct upstream_stats u = sim_program_stats(&r->program);
    struct sim_ledger *l = &r->ledger;

    out->asked = l->asked;
    out->right = l->right;
    out->servfail = l->servfail;
    out->truncated = l->truncated;
    out->excused = l->excused;
    out->sent = u.sent;
    out->extra = u.sent > u.requests ? u.sent - u.requests : 0;
    out->waited = r->waited_in_vain;
    if (r->waited_in_vain > 0) {
        sim_ledger_fault(l,
                         "%llu queries waited for a handshake though a "
                         "server in use was there all the time",
                         (unsigned long long)r->waited_in_vain);
    }
    out->dials = u.dials;
    out->resumed = u.resumed;
    out->followed = sim_program_followed(&r->program);
    out->p99_us = sim_ledger_percentile(l, 99);
    out->worst_us = sim_ledger_percentile(l, 100);
}

void sim_run_clear(struct sim_run *r, struct sim_result *out)
{
    sim_program_finish(&r->program, &r->ledger);
    sim_clients_finish(&r->clients);
    for (unsigned i = 0; i < r->server_count; i++) {
        sim_server_destroy(r->servers[i]);
    }
    sim_plain_server_destroy(r->router);
    net_loop_destroy(r->peers_loop);
    out->faults = r->ledger.faults;
    memcpy(out->fault, r->ledger.fault, sizeof(out->fault));
    out->trace = r->world->trace;
    out->events = r->world->events_run;
    sim_ledger_finish(&r->ledger);
    sim_world_destroy(r->world);
}

static void plan_all(struct sim_run *r, const char *scenario,
                     struct sim_result *out)
{
    if (scenario != NULL) {
        plan_by_name(r, scenario, out->scenario);
    } else {
        plan_by_seed(r, out->scenario);
    }
}

bool sim_run(uint64_t seed, const char *scenario, bool is_verbose,
             struct sim_result *out)
{
    static struct sim_run run;
    struct sim_run *r = &run;

    if (scenario != NULL && !is_scenario(scenario)) {
        return false;
    }
    *r = (struct sim_run){.seed = seed, .is_verbose = is_verbose};
    *out = (struct sim_result){0};
    r->world = sim_world_create(seed);
    if (net_loop_create(&r->peers_loop) != 0) {
        abort();
    }
    uint64_t start_us = r->world->now_us;
    r->calm_at_us = start_us + WARM_US + FAULTS_US;
    prepare(r);
    plan_all(r, scenario, out);
    act(r);
    sim_run_wind_up(r);
    sim_run_report(r, out);
    out->simulated_us = r->world->now_us - start_us;
    sim_run_clear(r, out);
    return true;
}
