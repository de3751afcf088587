/*
 * The program under test: the real upstream, resolver and listener rooms with
 * a generated configuration, on loops of a simulated world, one for each
 * worker. It stands for src/server, whose threads and signals have no place
 * here: workers take turns, and meet in the cache, on the board and in letters.
 */
#ifndef SIM_PROGRAM_H
#define SIM_PROGRAM_H

#include "config/config.h"
#include "ledger.h"
#include "listener/listener.h"
#include "net_sim.h"
#include "resolver/resolver.h"
#include "server.h"
#include "tls/trust.h"
#include "upstream/upstream.h"

enum { SIM_SERVERS_MAX = 4, SIM_WORKERS_MAX = 3, SIM_LABEL_LEN = 64 };

struct sim_worker {
    struct net_loop *loop; /* owned */
    struct upstream_pool *pool;
    struct resolver *resolver;
    struct listener *listener;
    bool is_drained;
};

struct sim_program {
    struct config config;
    struct addr listen;
    struct config_server servers[SIM_SERVERS_MAX];
    char labels[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    char names[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    struct tls_pin pins[SIM_SERVERS_MAX];

    struct tls_trust *trust;
    struct resolver_shared *shared;             /* NULL: no cache, one worker */
    struct sim_worker workers[SIM_WORKERS_MAX]; /* config.workers of them */
};

/* The defaults of config/dotstub.yaml, no server, so many workers. */
void sim_program_init(struct sim_program *p, unsigned workers);

/* One more server, which simulates config entry count. */
void sim_program_add(struct sim_program *p, const struct sim_server *s,
                     bool is_pinned);

/* Start as `dotstub run` does. Aborts when it does not work. */
void sim_program_start(struct sim_program *p);

/* All of it stands still: sim_loop_freeze(). */
void sim_program_freeze(struct sim_program *p, uint64_t duration_us,
                        bool is_clock_stopped);

/* sim_loop_limit_streams(), for each worker. */
void sim_program_limit_streams(struct sim_program *p, size_t max);

/* What all workers' pools counted, as far as a run tells it. */
struct upstream_stats sim_program_stats(const struct sim_program *p);

/* Questions that one worker asked and another wanted. */
uint64_t sim_program_followed(const struct sim_program *p);

/* As on SIGTERM; each is_drained becomes true when the last answer was given.
 */
void sim_program_drain(struct sim_program *p);

/* Destroy everything; whatever is left over is a fault in the ledger. */
void sim_program_finish(struct sim_program *p, struct sim_ledger *l);

#endif
