/*
 * One run: a world from a seed, with servers, the program, clients, and a
 * schedule of faults. The same seed and scenario give the same run.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "client.h"
#include "ledger.h"
#include "plain_server.h"
#include "program.h"
#include "server.h"

enum {
    SIM_PLANS_MAX = 12,
    SIM_SCENARIO_LEN = 120,
    SIM_NAME_LETTER = 'd' /* servers' names begin with it */
};

struct fault;
struct sim_run;

/* A fault that comes and goes. */
struct sim_plan {
    struct sim_event e;
    struct sim_run *run;
    const struct fault *fault;
    unsigned server; /* index; SIM_SERVERS_MAX: all */
    bool is_on;
    unsigned times;             /* to come yet */
    uint32_t last_us, pause_us; /* how long it lasts; until it comes again */
};

/* What a run came to. */
struct sim_result {
    char scenario[SIM_SCENARIO_LEN];
    uint64_t trace;
    uint64_t asked, right, servfail, truncated, excused, faults;
    uint64_t sent, extra, dials, resumed;
    uint64_t followed; /* questions that another worker asked */
    uint64_t waited; /* requests without a connection, with a healthy server */
    uint32_t p99_us, worst_us;
    uint64_t simulated_us, events;
    char fault[LEDGER_FAULTS_KEPT][LEDGER_FAULT_LEN];
};

/* When a worker's pool was last asked. */
struct sim_awake {
    uint64_t requests, asked_us;
    uint64_t since_us; /* it was asked after a long pause; 0: never */
    uint64_t waited;   /* requests that waited, until the last look */
};

struct sim_run {
    uint64_t seed;
    struct sim_world *world;
    struct net_loop *peers_loop;
    struct sim_program program;
    struct sim_server *servers[SIM_SERVERS_MAX];
    unsigned server_count;
    unsigned troubles[SIM_SERVERS_MAX];         /* faults that are on */
    uint64_t healthy_since_us[SIM_SERVERS_MAX]; /* valid without troubles */
    uint64_t trouble_since_us[SIM_SERVERS_MAX]; /* valid with */
    uint64_t ended[SIM_SERVERS_MAX];  /* connections, as of the last look … */
    unsigned habits[SIM_SERVERS_MAX]; /* … since it behaves as it does */
    uint64_t surprise_us[SIM_SERVERS_MAX]; /* when it last ended one in a way
                                              that could not be foreseen */
    struct sim_plain_server *router; /* of ZONE_HOME; NULL: there is none */
    unsigned router_troubles;
    uint64_t router_since_us; /* valid without troubles */
    unsigned program_troubles;
    uint64_t program_sound_since_us;
    struct sim_plan plans[SIM_PLANS_MAX];
    unsigned plan_count;
    struct sim_ledger ledger;
    struct sim_clients clients;
    uint64_t calm_at_us; /* no fault lasts longer */
    struct sim_event watch;
    struct sim_awake awake[SIM_WORKERS_MAX];
    uint64_t waited_in_vain; /* requests, while a server was healthy */
    bool is_verbose;
};

/* ---- health.c ---- */

/* Was no server able to answer all the time (a sim_ledger_hopeless_fn)? */
bool sim_run_is_hopeless(void *arg, const struct dns_question *q,
                         uint64_t from_us, uint64_t to_us);

/* Count, from now on, queries that wait for a handshake and need not. */
void sim_run_watch(struct sim_run *r);

/* s begins to end connections in another way, or ends all of them. */
void sim_run_surprise(struct sim_run *r, const struct sim_server *s);

/* ---- plan.c ---- */

/* One more fault on server (SIM_SERVERS_MAX: all), once; the caller says how
 * long it lasts, and arms p->e for its begin. NULL: there are enough. */
struct sim_plan *sim_plan_add(struct sim_run *r, const struct fault *fault,
                              unsigned server);

/* All faults end now, and none will come any more. */
void sim_plans_end(struct sim_run *r);

/* ---- run.c ---- */

/* The ledger, for a program that is configured. */
void sim_run_open_ledger(struct sim_run *r);

/* After the drain was begun: all that is due has come, in time. */
void sim_run_wind_up(struct sim_run *r);

void sim_run_report(struct sim_run *r, struct sim_result *out);

/* Everything goes; the rest of out is set. */
void sim_run_clear(struct sim_run *r, struct sim_result *out);

/*
 * Run one. scenario: NULL (two faults and more are taken by the seed), or
 * names of faults joined by "+". Returns false if there is no such fault.
 */
bool sim_run(uint64_t seed, const char *scenario, bool is_verbose,
             struct sim_result *out);

#endif
