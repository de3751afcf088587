/*
 * The program under test: the real upstream, resolver and listener rooms with
 * a generated configuration, on a loop of a simulated world. It stands for
 * src/server, whose threads and signals have no place here.
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

enum { SIM_SERVERS_MAX = 4, SIM_LABEL_LEN = 64 };

struct sim_program {
    struct config config;
    struct addr listen;
    struct config_server servers[SIM_SERVERS_MAX];
    char labels[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    char names[SIM_SERVERS_MAX][SIM_LABEL_LEN];
    struct tls_pin pins[SIM_SERVERS_MAX];

    struct net_loop *loop;
    struct tls_trust *trust;
    struct upstream_pool *pool;
    struct resolver_shared *shared; /* NULL: no cache */
    struct resolver *resolver;
    struct listener *listener;
    bool is_drained;
    size_t conns_max; /* to all servers, at the most */
};

/* The defaults of config/dotstub.yaml, and no server. */
void sim_program_init(struct sim_program *p, struct net_loop *loop);

/* One more server, which simulates config entry count. */
void sim_program_add(struct sim_program *p, const struct sim_server *s,
                     bool is_pinned);

/* Start as `dotstub run` does. Aborts when it does not work. */
void sim_program_start(struct sim_program *p);

/* As on SIGTERM; is_drained becomes true when the last answer was given. */
void sim_program_drain(struct sim_program *p);

/* Destroy everything; whatever is left over is a fault in the ledger. */
void sim_program_finish(struct sim_program *p, struct sim_ledger *l);

#endif
