/*
 * sim_dotstub: runs of the whole program on simulated time, network and TLS.
 *
 *   sim_dotstub [--seeds N] [--seed S] [--scenario FAULT[+FAULT…]] [--verbose]
 *   sim_dotstub --day [--seeds N] [--seed S] [--verbose]
 *
 * Seeds S .. S + N - 1: 200 from 1; of days, one. A run that breaks the
 * invariant is printed with the command that repeats it; the exit code is then
 * 1. Before the days it prints what connections kept ready cost (browse.h).
 */
#include "browse.h"
#include "day.h"
#include "faults.h"
#include "run.h"

#include "base/log.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BASELINE_RUNS = 20,
    GROWTH_MAX = 256 * 1024, /* octets */
    STUCK_S = 30,            /* of real time; a run takes a tenth of one */
    DAY_STUCK_S = 600        /* some seconds, and with a sanitizer more */
};

struct options {
    uint64_t seed, seeds;
    const char *scenario; /* NULL: by the seed */
    bool is_verbose, is_per_run, is_day;
};

struct total {
    uint64_t runs, failed;
    uint64_t asked, right, servfail, truncated, excused;
    uint64_t sent, extra, waited, dials, resumed, followed, events;
    double simulated_s;
    uint32_t p99_us, worst_us; /* of the worst run */
};

static int usage(void)
{
    fprintf(stderr, "usage: sim_dotstub [--seeds N] [--seed S] "
                    "[--scenario FAULT[+FAULT...]] [--runs] [--verbose]\n"
                    "faults:");
    for (size_t i = 0; i < fault_count(); i++) {
        fprintf(stderr, " %s", fault_at(i)->name);
    }
    fprintf(stderr, "\n");
    return 64;
}

static bool take_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--seeds") == 0) {
        o->seeds = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--seed") == 0) {
        o->seed = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--scenario") == 0) {
        o->scenario = value;
    } else {
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.seed = 1, .seeds = 0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            o->is_verbose = true;
            o->is_per_run = true;
        } else if (strcmp(argv[i], "--day") == 0) {
            o->is_day = true;
        } else if (strcmp(argv[i], "--runs") == 0) {
            o->is_per_run = true;
        } else if (i + 1 >= argc || !take_option(o, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

static void add(struct total *t, const struct sim_result *r)
{
    t->runs++;
    t->failed += r->faults > 0;
    t->asked += r->asked;
    t->right += r->right;
    t->servfail += r->servfail;
    t->truncated += r->truncated;
    t->excused += r->excused;
    t->sent += r->sent;
    t->extra += r->extra;
    t->waited += r->waited;
    t->dials += r->dials;
    t->resumed += r->resumed;
    t->followed += r->followed;
    t->events += r->events;
    t->simulated_s += (double)r->simulated_us / 1e6;
    t->p99_us = r->p99_us > t->p99_us ? r->p99_us : t->p99_us;
    t->worst_us = r->worst_us > t->worst_us ? r->worst_us : t->worst_us;
}

static void print_run(uint64_t seed, const struct sim_result *r)
{
    printf("seed %" PRIu64 " (%s): trace %016" PRIx64 ", %" PRIu64
           " queries, %" PRIu64 " right, %" PRIu64 " servfail, %" PRIu64
           " truncated, %" PRIu64 " extra, %" PRIu64 " waited, %" PRIu64
           " dials (%" PRIu64 " resumed), p99 %.1f ms, worst %.1f ms\n",
           seed, r->scenario, r->trace, r->asked, r->right, r->servfail,
           r->truncated, r->extra, r->waited, r->dials, r->resumed,
           r->p99_us / 1e3, r->worst_us / 1e3);
}

static void print_replay(const struct options *o, uint64_t seed)
{
    printf("  replay: sim_dotstub%s --seed %" PRIu64 "%s%s --verbose\n",
           o->is_day ? " --day" : "", seed,
           o->scenario != NULL ? " --scenario " : "",
           o->scenario != NULL ? o->scenario : "");
}

static void print_faults(const struct options *o, uint64_t seed,
                         const struct sim_result *r)
{
    uint64_t kept =
        r->faults < LEDGER_FAULTS_KEPT ? r->faults : LEDGER_FAULTS_KEPT;

    printf("FAILED seed %" PRIu64 " (%s): %" PRIu64 " faults\n", seed,
           r->scenario, r->faults);
    for (uint64_t i = 0; i < kept; i++) {
        printf("  %s\n", r->fault[i]);
    }
    print_replay(o, seed);
}

static void print_total(const struct total *t)
{
    printf("%" PRIu64 " runs (%.0f simulated minutes, %" PRIu64
           " events), %" PRIu64 " failed\n",
           t->runs, t->simulated_s / 60, t->events, t->failed);
    printf("queries %" PRIu64 ": right %" PRIu64 ", servfail %" PRIu64
           " (no server healthy), truncated %" PRIu64 ", client left %" PRIu64
           "\n",
           t->asked, t->right, t->servfail, t->truncated, t->excused);
    printf("upstream queries %" PRIu64 " (%" PRIu64 " extra), without a "
           "connection though a server was healthy %" PRIu64 ", dials %" PRIu64
           " (%" PRIu64 " resumed), asked by another worker %" PRIu64 "\n",
           t->sent, t->extra, t->waited, t->dials, t->resumed, t->followed);
    printf("worst run: p99 %.1f ms, worst %.1f ms\n", t->p99_us / 1e3,
           t->worst_us / 1e3);
}

/* A run that does not end: the program goes round in circles. */
static const struct options *stuck_options;
static uint64_t stuck_seed;

static void on_stuck(int signum)
{
    (void)signum;
    printf("FAILED seed %" PRIu64 ": stuck\n", stuck_seed);
    print_replay(stuck_options, stuck_seed);
    fflush(stdout);
    abort(); /* for a debugger, or the core */
}

static bool run_seed(const struct options *o, uint64_t seed,
                     struct sim_result *r)
{
    stuck_options = o;
    stuck_seed = seed;
    alarm(STUCK_S);
    bool is_known = sim_run(seed, o->scenario, o->is_verbose, r);
    alarm(0);
    return is_known;
}

/* What runs allocate they free: after the first few, whose memory malloc
 * keeps, the process stays as it is. */
static bool is_growing(uint64_t run, size_t *baseline)
{
    size_t used = mallinfo2().uordblks;

    if (run < BASELINE_RUNS) {
        *baseline = used > *baseline ? used : *baseline;
        return false;
    }
    return used > *baseline + GROWTH_MAX;
}

/* What connections kept ready cost, and save: a day of browsing for the pool
 * alone. A fault is an answer that was wrong, missing or late. */
static bool compare_idle_limits(uint64_t seed)
{
    static const struct {
        uint32_t idle_ms;
        bool is_told;
    } days[] = {{2000, false}, {10000, false}, {10000, true}, {30000, false}};
    uint64_t faults = 0;

    for (size_t i = 0; i < COUNT_OF(days); i++) {
        struct sim_browse d;
        sim_browse_run(seed, days[i].idle_ms, days[i].is_told, &d);
        faults += d.faults + d.night_dials;
        printf("idle limit %u s%s: %" PRIu64 " queries, %" PRIu64
               " handshakes (%" PRIu64 " resumed), %.1f queries each, %" PRIu64
               " waited; p50 %.1f, p99 %.1f, worst %.1f ms; %" PRIu64
               " dials at night, %" PRIu64 " faults\n",
               days[i].idle_ms / 1000, days[i].is_told ? " (told)" : "",
               d.queries, d.handshakes, d.resumed,
               (double)d.queries / (double)d.handshakes, d.waited,
               d.p50_us / 1e3, d.p99_us / 1e3, d.worst_us / 1e3, d.night_dials,
               d.faults);
        printf("  connecting when a query comes: %" PRIu64
               " handshakes, %.1f queries each, %" PRIu64 " waited\n",
               d.lazy_handshakes, (double)d.queries / (double)d.lazy_handshakes,
               d.lazy_waited);
    }
    return faults == 0;
}

static void print_servers(const struct sim_day *d)
{
    for (unsigned i = 0; i < d->server_count; i++) {
        const struct sim_day_server *s = &d->servers[i];
        printf("  server %u (%s): %" PRIu64 " queries, %" PRIu64
               " handshakes (%" PRIu64 " resumed), %.1f queries each; it ended "
               "%" PRIu64
               "; limits learnt: idle %u ms, age %u ms, %u queries\n",
               i, s->habit, s->queries, s->handshakes, s->resumed,
               (double)s->queries / (double)(s->handshakes + !s->handshakes),
               s->ended, s->idle_limit_ms, s->age_limit_ms, s->query_limit);
    }
}

static void print_day(uint64_t seed, const struct sim_day *d)
{
    print_run(seed, &d->run);
    printf("  %" PRIu64 " over TCP, %" PRIu64 " from the cache, %" PRIu64
           " stale, %" PRIu64 " refreshes, %" PRIu64 " coalesced, %" PRIu64
           " evictions (%zu of "
           "%zu octets at most); %" PRIu64 " to the home's server\n",
           d->over_tcp, d->hits, d->stale, d->refreshes, d->coalesced,
           d->evictions, d->cache_most, d->cache_size, d->at_home);
    printf("  %" PRIu64 " faults planned, %" PRIu64 " reloads, %" PRIu64
           " suspends, %" PRIu64 " other networks, quiet %" PRIu64
           " times; %zu timers at most; heap %+ld octets since the night\n",
           d->plans, d->reloads, d->suspends, d->moves, d->quiets,
           d->timers_most, d->heap_growth);
    print_servers(d);
}

/* 24 hours of the whole program. */
static bool run_day(const struct options *o, uint64_t seed)
{
    struct sim_day d;

    stuck_options = o;
    stuck_seed = seed;
    alarm(DAY_STUCK_S);
    sim_day_run(seed, 24, o->is_verbose, &d);
    alarm(0);
    (void)snprintf(d.run.scenario, sizeof(d.run.scenario), "a day");
    print_day(seed, &d);
    if (d.run.faults > 0) {
        print_faults(o, seed, &d.run);
    }
    return d.run.faults == 0;
}

static int run_days(const struct options *o)
{
    bool is_well = compare_idle_limits(o->seed);

    for (uint64_t i = 0; i < (o->seeds == 0 ? 1 : o->seeds); i++) {
        is_well = run_day(o, o->seed + i) && is_well;
    }
    return is_well ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o;
    struct total t = {0};
    struct sim_result r;
    size_t baseline = 0;

    if (!parse(argc, argv, &o)) {
        return usage();
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, on_stuck);
    log_setup(o.is_verbose ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    if (o.is_day) {
        return run_days(&o);
    }
    if (o.seeds == 0) {
        o.seeds = o.seed == 1 ? 200 : 1;
    }
    for (uint64_t i = 0; i < o.seeds; i++) {
        if (!run_seed(&o, o.seed + i, &r)) {
            return usage();
        }
        add(&t, &r);
        (void)is_growing(i, &baseline);
        if (o.is_per_run) {
            print_run(o.seed + i, &r);
        }
        if (r.faults > 0) {
            print_faults(&o, o.seed + i, &r);
        }
    }
    print_total(&t);
    if (is_growing(t.runs, &baseline)) {
        printf("FAILED: memory grew past %zu octets\n", baseline);
        return 1;
    }
    return t.failed > 0;
}
