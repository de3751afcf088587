/*
 * The program under test: the real upstream, resolver and listener rooms with
 * a generated configuration, on loops of a simulated world, one for each
 * worker. It stands for src/server, whose threads and signals have no place
 * here: workers take turns, and meet in the cache, on the board and in letters.
 *
 * Files: program.c (start and end), program_reload.c (setups, and their
 * change), program_look.c (what it tells of itself).
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

struct sim_program;

struct sim_worker {
    struct sim_program *program;
    struct net_loop *loop;         /* owned */
    struct upstream_pool *pool;    /* of "." */
    struct upstream_pool *at_home; /* of ZONE_HOME; NULL: no such zone */
    struct resolver *resolver;
    struct listener *listener;
    struct net_monitor *monitor;
    bool is_drained;
};

/* What one configuration stands for: src/server/setup.h. */
struct sim_setup {
    struct config config;
    struct config_server servers[SIM_SERVERS_MAX];
    struct config_server plain;
    struct config_zone zone;
    struct policy *policy; /* NULL: no zone */
};

struct sim_program {
    struct config config; /* the file: it holds from the start, or the next
                             reload, on */
    struct addr listen;
    struct config_server servers[SIM_SERVERS_MAX];
    char labels[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    char names[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    struct tls_pin pins[SIM_SERVERS_MAX];
    bool is_unlisted[SIM_SERVERS_MAX]; /* not in the file at present */
    char home[SIM_LABEL_LEN], home_label[SIM_LABEL_LEN];
    struct config_server plain;
    struct config_zone zone; /* whose only server is plain */

    struct sim_setup setups[2];
    unsigned setup;     /* the one in use */
    unsigned unapplied; /* workers that have not taken the other one yet */
    bool wants_reload;  /* once that is done */
    uint64_t reloads;
    struct tls_trust *trust;
    struct resolver_shared *shared;             /* NULL: no cache, one worker */
    struct sim_worker workers[SIM_WORKERS_MAX]; /* config.workers of them */
};

/* The defaults of config/dotstub.yaml, no server, so many workers. */
void sim_program_init(struct sim_program *p, unsigned workers);

/* One more server, which simulates config entry count. */
void sim_program_add(struct sim_program *p, const struct sim_server *s,
                     bool is_pinned);

/* The names of ZONE_HOME belong to a plain server there. */
void sim_program_add_home(struct sim_program *p, const struct addr *server);

/* Start as `dotstub run` does. Aborts when it does not work. */
void sim_program_start(struct sim_program *p);

/*
 * Read the file again: what is in p->config now holds as soon as each worker
 * has had a turn.
 */
void sim_program_reload(struct sim_program *p);

/* Take s out of the file, or put it back, and reload. Returns false when that
 * is so already, or it is the last one. */
bool sim_program_unlist(struct sim_program *p, const struct sim_server *s,
                        bool is_unlisted);

/* The machine's network changed: each worker is told (net/monitor.h). gone:
 * an address that it has no more; NULL: something else. */
void sim_program_tell_network(struct sim_program *p, const struct addr *gone);

/* All of it stands still: sim_loop_freeze(). */
void sim_program_freeze(struct sim_program *p, uint64_t duration_us,
                        bool is_clock_stopped);

/* sim_loop_limit_streams(), for each worker. */
void sim_program_limit_streams(struct sim_program *p, size_t max);

/* What all workers' pools counted, as far as a run tells it. */
struct upstream_stats sim_program_stats(const struct sim_program *p);

/* Timers that run, sockets and files that are open, in all workers. */
size_t sim_program_timers(const struct sim_program *p);
size_t sim_program_open(const struct sim_program *p);

/* Questions under way, and queries that wait, in all workers. */
size_t sim_program_pending(const struct sim_program *p);

/* What it counted must fit together, once it is drained: what does not is a
 * fault in the ledger. datagrams: that clients sent. */
void sim_program_check_counters(const struct sim_program *p, uint64_t datagrams,
                                struct sim_ledger *l);

/* Questions that one worker asked and another wanted. */
uint64_t sim_program_followed(const struct sim_program *p);

/* As on SIGTERM; each is_drained becomes true when the last answer was given.
 */
void sim_program_drain(struct sim_program *p);

/* ---- program_reload.c, for program.c ---- */

/* Make the other setup out of p->config. */
struct sim_setup *sim_setup_make(struct sim_program *p);

struct resolver_setup sim_setup_of(const struct sim_worker *w,
                                   const struct sim_setup *s,
                                   struct upstream_pool *pools[2]);

/* ---- program.c ---- */

/* It must be 0. */
void sim_program_must(int err, const char *what);

/* Destroy everything; whatever is left over is a fault in the ledger. */
void sim_program_finish(struct sim_program *p, struct sim_ledger *l);

#endif
