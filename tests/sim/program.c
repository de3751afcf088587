/*
 * The program under test.
 */
#include "program.h"

#include "zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LETTERS_US = 1000 /* letters between workers arrive in this time */ };

void sim_program_must(int err, const char *what)
{
    if (err != 0) {
        fprintf(stderr, "sim: %s failed with %d\n", what, err);
        abort();
    }
}

void sim_program_init(struct sim_program *p, unsigned workers)
{
    *p = (struct sim_program){0};
    p->listen = (struct addr){.ip = {127, 0, 0, 1}, .family = 4, .port = 53};
    p->config = (struct config){
        .listen = &p->listen,
        .listen_count = 1,
        .pool.servers = p->servers,
        .workers = workers,
        .pool.strategy = CONFIG_FAILOVER,
        .pool.race_width = 2,
        .query_timeout_ms = 4000,
        .connect_timeout_ms = 2000,
        .answer_timeout_ms = 1500,
        .retry_min_ms = 250,
        .retry_max_ms = 30000,
        .connections_per_server = 2,
        .queries_per_connection = 1024,
        .max_queries = 8192,
        .padding_block = 128,
        .max_udp_size = 1232,
        .udp_buffer = 64 * 1024 * 1024, /* nothing overflows in a freeze */
        .warm_for_ms = 600000,
        .hedge_budget_percent = 3,
        .hedge_min_ms = 10,
        .hedge_max_ms = 1000,
        .tcp_idle_timeout_ms = 10000,
        .tcp_max_clients = 1000,
        .tcp_max_clients_per_address = 100,
        .tcp_max_queries_per_client = 128,
        .tcp_max_unread = 256 * 1024,
        .log_level = LOG_ERROR,
        .cache_size = 0,
        .max_ttl_ms = 24 * 3600 * 1000,
        .max_negative_ttl_ms = 3600 * 1000,
        .failure_ttl_ms = 5000,
        .serve_stale_ms = 24 * 3600 * 1000,
        .stale_answer_after_ms = 1800,
    };
    for (unsigned i = 0; i < workers; i++) {
        p->workers[i].program = p;
        sim_program_must(net_loop_create(&p->workers[i].loop), "loop");
    }
}

void sim_program_add(struct sim_program *p, const struct sim_server *s,
                     bool is_pinned)
{
    size_t i = p->config.pool.server_count++;
    struct config_server *c = &p->servers[i];
    char text[ADDR_TEXT_MAX];

    snprintf(p->names[i], SIM_LABEL_LEN, "%.60s", s->identity.certificate.name);
    snprintf(p->labels[i], SIM_LABEL_LEN, "%.40s#%.20s",
             addr_text(&s->addr, text), s->identity.certificate.name);
    p->pins[i] = s->identity.certificate.key;
    *c = (struct config_server){
        .label = p->labels[i],
        .addr = s->addr,
        .name = p->names[i],
        .pins = &p->pins[i],
        .pin_count = is_pinned ? 1 : 0,
        .weight = 1,
    };
}

void sim_program_add_home(struct sim_program *p, const struct addr *server)
{
    snprintf(p->home, SIM_LABEL_LEN, "%s.", ZONE_HOME);
    snprintf(p->home_label, SIM_LABEL_LEN, "udp://router");
    p->plain = (struct config_server){
        .label = p->home_label,
        .addr = *server,
        .transport = CONFIG_UDP,
        .weight = 1,
    };
    p->zone = (struct config_zone){
        .name = p->home,
        .pool.server_count = 1,
        .pool.strategy = CONFIG_FAILOVER,
        .pool.is_plain = true,
        .is_cached = true,
        .serve_stale_ms = p->config.serve_stale_ms,
    };
    p->config.zone_count = 1;
}

static void share(struct sim_program *p, const struct config *config)
{
    uint8_t seed[RESOLVER_SEED_LEN];

    net_random(p->workers[0].loop, seed, sizeof(seed));
    sim_program_must(
        resolver_shared_create(config, config->workers, seed, &p->shared),
        "shared");
}

static void on_network(void *arg, enum net_change change,
                       const struct addr *addr)
{
    struct sim_worker *w = arg;
    const struct addr *gone = change == NET_ADDRESS_GONE ? addr : NULL;

    upstream_pool_network_changed(w->pool, gone);
    if (w->at_home != NULL) {
        upstream_pool_network_changed(w->at_home, gone);
    }
}

static void open_pool(struct sim_worker *w, const struct sim_setup *s,
                      const struct config_pool *set, struct upstream_pool **out)
{
    sim_program_must(
        upstream_pool_create(w->loop, &s->config, set, w->program->trust, out),
        "pool");
}

static void worker_start(struct sim_worker *w, const struct sim_setup *s)
{
    struct sim_program *p = w->program;
    struct upstream_pool *pools[2];
    char why[256] = "";

    open_pool(w, s, &s->config.pool, &w->pool);
    if (s->config.zone_count > 0) {
        open_pool(w, s, &s->zone.pool, &w->at_home);
    }
    const struct resolver_setup setup = sim_setup_of(w, s, pools);
    sim_program_must(resolver_create(w->loop, &setup, p->shared, &w->resolver),
                     "resolver");
    sim_program_must(net_monitor_start(w->loop, on_network, w, &w->monitor),
                     "monitor");
    sim_program_must(listener_open(w->loop, &s->config, w->resolver,
                                   s->config.workers > 1, &w->listener, why,
                                   sizeof(why)),
                     why);
}

void sim_program_start(struct sim_program *p)
{
    char why[256] = "";

    sim_program_must(tls_trust_load(NULL, NULL, &p->trust, why, sizeof(why)),
                     "trust");
    const struct sim_setup *s = sim_setup_make(p);
    p->setup = 1 - p->setup;
    if (s->config.cache_size > 0 || s->config.workers > 1) {
        share(p, &s->config);
    }
    for (unsigned i = 0; i < s->config.workers; i++) {
        worker_start(&p->workers[i], s);
    }
}

void sim_program_tell_network(struct sim_program *p, const struct addr *gone)
{
    for (unsigned i = 0; i < p->config.workers; i++) {
        sim_monitor_tell(p->workers[i].loop,
                         gone != NULL ? NET_ADDRESS_GONE : NET_CHANGED, gone);
    }
}

void sim_program_freeze(struct sim_program *p, uint64_t duration_us,
                        bool is_clock_stopped)
{
    for (unsigned i = 0; i < p->config.workers; i++) {
        sim_loop_freeze(p->workers[i].loop, duration_us, is_clock_stopped);
    }
}

void sim_program_limit_streams(struct sim_program *p, size_t max)
{
    for (unsigned i = 0; i < p->config.workers; i++) {
        sim_loop_limit_streams(p->workers[i].loop, max);
    }
}

static void on_drained(void *arg)
{
    struct sim_worker *w = arg;
    w->is_drained = true;
}

static void on_sigterm(void *arg)
{
    struct sim_worker *w = arg;
    listener_drain(w->listener, on_drained, w);
}

void sim_program_drain(struct sim_program *p)
{
    for (unsigned i = 0; i < p->config.workers; i++) {
        sim_program_must(
            net_loop_post(p->workers[i].loop, on_sigterm, &p->workers[i]),
            "post");
    }
}

static void must_be_zero(struct sim_ledger *l, size_t count, const char *what)
{
    if (count != 0) {
        sim_ledger_fault(l, "%zu %s left after the drain", count, what);
    }
}

static void check_drained(const struct sim_worker *w, struct sim_ledger *l)
{
    if (!w->is_drained) {
        sim_ledger_fault(l, "the drain did not end");
        return;
    }
    must_be_zero(l, listener_pending(w->listener), "clients' queries");
    must_be_zero(l, listener_tcp_clients(w->listener), "TCP clients");
    must_be_zero(l, resolver_pending(w->resolver), "resolver queries");
    must_be_zero(l, upstream_pool_pending(w->pool), "upstream requests");
    if (w->at_home != NULL) {
        must_be_zero(l, upstream_pool_pending(w->at_home), "plain requests");
    }
}

/* One after the other, as threads end: the others get what it still says. */
static void worker_finish(struct sim_worker *w, struct sim_ledger *l)
{
    struct sim_world *world = w->loop->world;

    check_drained(w, l);
    net_monitor_close(w->monitor);
    listener_destroy(w->listener);
    resolver_destroy(w->resolver);
    upstream_pool_destroy(w->pool);
    upstream_pool_destroy(w->at_home);
    must_be_zero(l, sim_loop_open_count(w->loop), "sockets");
    if (!list_is_empty(&w->loop->deferred)) {
        sim_ledger_fault(l, "work is deferred after the end");
    }
    if (wheel_next_ms(&w->loop->wheel) != UINT64_MAX) {
        sim_ledger_fault(l, "a timer runs after the end");
    }
    sim_world_run_until(world, world->now_us + LETTERS_US);
}

void sim_program_finish(struct sim_program *p, struct sim_ledger *l)
{
    for (unsigned i = 0; i < p->config.workers; i++) {
        worker_finish(&p->workers[i], l);
    }
    resolver_shared_destroy(p->shared);
    for (size_t i = 0; i < COUNT_OF(p->setups); i++) {
        policy_release(p->setups[i].policy);
    }
    tls_trust_release(p->trust);
    for (unsigned i = 0; i < p->config.workers; i++) {
        net_loop_destroy(p->workers[i].loop);
    }
}
