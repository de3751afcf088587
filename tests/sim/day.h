/*
 * A day of the whole program: clients who browse and sleep, servers with habits
 * of their own, and whatever goes wrong meanwhile. The invariant of a run holds
 * throughout; besides, nothing is sent and no timer runs while everybody
 * sleeps, the counters fit together, and memory is no more in the end than it
 * was the night before.
 */
#ifndef SIM_DAY_H
#define SIM_DAY_H

#include "run.h"

enum { SIM_HABIT_LEN = 64 };

/* What became of one server, and of the connections to it. */
struct sim_day_server {
    char habit[SIM_HABIT_LEN]; /* how it ends connections */
    uint64_t queries, handshakes, resumed;
    uint64_t ended;         /* connections, by its habit */
    uint32_t idle_limit_ms; /* what the program believes in the end */
    uint32_t age_limit_ms, query_limit;
};

struct sim_day {
    struct sim_result run;
    unsigned hours;
    uint64_t over_tcp, at_home;
    uint64_t hits, stale, refreshes, coalesced, evictions;
    uint64_t plans, reloads, suspends, moves, quiets;
    size_t timers_most;
    size_t cache_most, cache_size; /* octets: taken at most, allowed then */
    long heap_growth;              /* octets, from the night to the end */
    struct sim_day_server servers[SIM_SERVERS_MAX];
    unsigned server_count;
};

/* hours: of the 24 that begin at nine in the morning. */
void sim_day_run(uint64_t seed, unsigned hours, bool is_verbose,
                 struct sim_day *out);

#endif
