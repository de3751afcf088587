/*
 * A day, hour by hour. At noon there is lunch, with the machine suspended for a
 * part of it; in the night everybody sleeps. In the other hours the network may
 * change, the machine may be suspended, and then there are faults.
 */
#include "day_inside.h"

#include "cache/cache.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_HOUR = 9,
    LUNCH_HOUR = 12,
    WHOLE_DAY = 24,
    WORKERS = 2,
    SERVERS = SIM_SERVERS_MAX,
    WARM_US = 2 * SECOND_US,   /* the program starts, nobody asks */
    CALM_US = MINUTE_US,       /* each hour ends well */
    ANSWERS_MAX = 1 << 20,     /* latencies that are kept without allocating */
    HEAP_GROWTH_MAX = 1 << 18, /* octets, from the night to the end */
    CACHE_LEN = 1 << 18
};

#define HOUR_US (60 * (uint64_t)MINUTE_US)

uint32_t day_between(struct day *d, uint32_t low, uint32_t high)
{
    return sim_between(d->run.world, low, high);
}

void day_run_until(struct day *d, uint64_t at_us)
{
    sim_world_run_until(d->run.world, at_us);
}

void day_run_for(struct day *d, uint64_t us)
{
    day_run_until(d, d->run.world->now_us + us);
}

void day_say(const struct day *d, const char *what)
{
    if (d->run.is_verbose) {
        printf("%.6f (%02u h) %s\n", (double)d->run.world->now_us / 1e6,
               d->hour, what);
    }
}

/* ---- the morning ---- */

static void configure(struct day *d)
{
    struct config *c = &d->run.program.config;

    c->cache_size = CACHE_LEN;
    c->pool.strategy = (enum config_strategy)day_between(d, 0, 3);
    for (unsigned i = 0; i < SERVERS; i++) {
        day_add_server(d);
    }
    day_add_router(d);
}

/* Memory for latencies is taken now, so that none of it is a leak. */
static void open_ledger(struct day *d)
{
    struct sim_ledger *l = &d->run.ledger;

    sim_run_open_ledger(&d->run);
    l->latency_cap = ANSWERS_MAX;
    l->latency_us = sim_alloc(ANSWERS_MAX * sizeof(*l->latency_us));
}

static void begin(struct day *d, uint64_t seed, bool is_verbose)
{
    struct sim_run *r = &d->run;

    *r = (struct sim_run){.seed = seed, .is_verbose = is_verbose};
    r->world = sim_world_create(seed);
    if (net_loop_create(&r->peers_loop) != 0) {
        abort();
    }
    sim_program_init(&r->program, WORKERS);
    configure(d);
    open_ledger(d);
    sim_program_start(&r->program);
    day_run_for(d, WARM_US);
    sim_run_watch(r);
    day_people_start(d);
}

/* ---- hours ---- */

static size_t heap_len(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void have_lunch(struct day *d, uint64_t until_us)
{
    day_be_quiet(d, d->run.world->now_us + HOUR_US / 2);
    day_suspend(d, HOUR_US / 4);
    day_run_until(d, until_us);
}

static void be_awake(struct day *d, uint64_t until_us)
{
    struct sim_run *r = &d->run;

    if (sim_chance(r->world, 25)) {
        day_move(d);
    }
    if (sim_chance(r->world, 25)) {
        day_suspend(d, day_between(d, SECOND_US, 10 * MINUTE_US));
    }
    r->calm_at_us = until_us - CALM_US;
    day_plan_faults(d, r->calm_at_us - r->world->now_us);
    day_run_until(d, r->calm_at_us);
    day_end_faults(d);
    day_run_until(d, until_us);
}

static void look_at_cache(struct day *d)
{
    struct sim_run *r = &d->run;
    struct cache_stats s;

    cache_stats(resolver_shared_cache(r->program.shared), &s);
    if (s.octets > d->out->cache_most) {
        d->out->cache_most = s.octets;
        d->out->cache_size = r->program.config.cache_size;
    }
    /* Another cache, since a reload, counts anew. */
    d->out->evictions +=
        s.evictions - (s.evictions < d->evictions ? 0 : d->evictions);
    d->evictions = s.evictions;
    if (s.octets > r->program.config.cache_size) {
        sim_ledger_fault(&r->ledger, "the cache has %zu octets of %zu",
                         (size_t)s.octets, r->program.config.cache_size);
    }
}

/* Returns how many hours went by. */
static unsigned pass_hour(struct day *d)
{
    uint64_t now_us = d->run.world->now_us;
    unsigned hours = 1;

    while (day_is_night(d->hour) && day_is_night((d->hour + hours) % 24)) {
        hours++;
    }
    if (day_is_night(d->hour)) {
        day_be_quiet(d, now_us + hours * HOUR_US);
        d->heap = heap_len();
    } else if (d->hour == LUNCH_HOUR) {
        have_lunch(d, now_us + HOUR_US);
    } else {
        be_awake(d, now_us + HOUR_US);
    }
    look_at_cache(d);
    d->hour = (d->hour + hours) % 24;
    return hours;
}

/* ---- the end ---- */

static void check_heap(struct day *d)
{
    if (d->heap == 0) {
        return;
    }
    d->out->heap_growth = (long)heap_len() - (long)d->heap;
    if (d->out->heap_growth > HEAP_GROWTH_MAX) {
        sim_ledger_fault(&d->run.ledger,
                         "memory grew by %ld octets since the night",
                         d->out->heap_growth);
    }
}

static void report_server(struct day *d, unsigned i)
{
    const struct sim_run *r = &d->run;
    const struct sim_server_stats *s = &r->servers[i]->stats;
    struct upstream_server_report all[SIM_SERVERS_MAX];
    struct sim_day_server *out = &d->out->servers[i];

    (void)snprintf(out->habit, SIM_HABIT_LEN, "%s", day_habit_text(d, i));
    out->queries = s->queries;
    out->handshakes = s->handshakes;
    out->resumed = s->resumed;
    out->ended = s->ended;
    (void)upstream_pool_report(r->program.workers[0].pool, all,
                               SIM_SERVERS_MAX);
    out->idle_limit_ms = all[i].idle_limit_ms;
    out->age_limit_ms = all[i].age_limit_ms;
    out->query_limit = all[i].query_limit;
}

static void report_worker(const struct sim_worker *w, struct sim_day *out)
{
    const struct resolver_stats *s = resolver_stats(w->resolver);
    struct listener_stats l;

    listener_stats(w->listener, &l);
    out->over_tcp += l.tcp_queries;
    out->hits += s->hits;
    out->stale += s->stale;
    out->refreshes += s->refreshes;
    out->coalesced += s->coalesced;
}

/* Was it the day that it should be? */
static void check_day(struct day *d)
{
    const struct sim_day *o = d->out;
    const uint64_t seen[] = {o->over_tcp,  o->at_home, o->hits,     o->stale,
                             o->refreshes, o->reloads, o->suspends, o->plans,
                             o->coalesced, o->quiets,  o->evictions};

    for (size_t i = 0; i < COUNT_OF(seen) && o->hours >= WHOLE_DAY; i++) {
        if (seen[i] == 0) {
            sim_ledger_fault(&d->run.ledger, "figure %zu of the day is 0", i);
        }
    }
}

static void report(struct day *d)
{
    struct sim_run *r = &d->run;
    struct sim_day *out = d->out;

    out->server_count = r->server_count;
    for (unsigned i = 0; i < r->server_count; i++) {
        report_server(d, i);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        report_worker(&r->program.workers[i], out);
    }
    out->at_home = r->router->udp_queries + r->router->tcp_queries;
    out->reloads = r->program.reloads;
    check_day(d);
    sim_run_report(r, &out->run);
}

static void end(struct day *d)
{
    struct sim_run *r = &d->run;

    day_be_quiet(d, r->world->now_us + HOUR_US / 4);
    check_heap(d);
    sim_event_cancel(r->world, &d->router);
    sim_event_cancel(r->world, &r->watch);
    day_people_stop(d);
    sim_program_drain(&r->program);
    sim_run_wind_up(r);
    sim_program_check_counters(&r->program, r->clients.datagrams, &r->ledger);
    report(d);
    sim_run_clear(r, &d->out->run);
}

void sim_day_run(uint64_t seed, unsigned hours, bool is_verbose,
                 struct sim_day *out)
{
    static struct day day;
    struct day *d = &day;

    *out = (struct sim_day){.hours = hours};
    *d = (struct day){.hour = FIRST_HOUR, .out = out};
    begin(d, seed, is_verbose);
    for (unsigned gone = 0; gone < hours;) {
        gone += pass_hour(d);
    }
    end(d);
    out->run.simulated_us = hours * HOUR_US;
}
