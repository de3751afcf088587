/*
 * The program under test.
 */
#include "program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_program_init(struct sim_program *p, struct net_loop *loop)
{
    *p = (struct sim_program){.loop = loop};
    p->listen = (struct addr){.ip = {127, 0, 0, 1}, .family = 4, .port = 53};
    p->config = (struct config){
        .listen = &p->listen,
        .listen_count = 1,
        .servers = p->servers,
        .workers = 1,
        .strategy = CONFIG_FAILOVER,
        .race_width = 2,
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
}

void sim_program_add(struct sim_program *p, const struct sim_server *s,
                     bool is_pinned)
{
    size_t i = p->config.server_count++;
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

static void must(int err, const char *what)
{
    if (err != 0) {
        fprintf(stderr, "sim: %s failed with %d\n", what, err);
        abort();
    }
}

void sim_program_start(struct sim_program *p)
{
    char why[256] = "";

    must(tls_trust_load(NULL, NULL, &p->trust, why, sizeof(why)), "trust");
    must(upstream_pool_create(p->loop, &p->config, p->trust, &p->pool), "pool");
    if (p->config.cache_size > 0) {
        uint8_t seed[16];
        net_random(p->loop, seed, sizeof(seed));
        must(resolver_shared_create(&p->config, 1, seed, &p->shared), "cache");
    }
    must(resolver_create(p->loop, &p->config, p->pool, p->shared, &p->resolver),
         "resolver");
    must(listener_open(p->loop, &p->config, p->resolver, false, &p->listener,
                       why, sizeof(why)),
         why);
}

static void on_drained(void *arg)
{
    struct sim_program *p = arg;
    p->is_drained = true;
}

static void on_sigterm(void *arg)
{
    struct sim_program *p = arg;
    listener_drain(p->listener, on_drained, p);
}

void sim_program_drain(struct sim_program *p)
{
    must(net_loop_post(p->loop, on_sigterm, p), "post");
}

static void must_be_zero(struct sim_ledger *l, size_t count, const char *what)
{
    if (count != 0) {
        sim_ledger_fault(l, "%zu %s left after the drain", count, what);
    }
}

void sim_program_finish(struct sim_program *p, struct sim_ledger *l)
{
    if (!p->is_drained) {
        sim_ledger_fault(l, "the drain did not end");
    }
    if (p->is_drained) {
        must_be_zero(l, listener_pending(p->listener), "clients' queries");
        must_be_zero(l, listener_tcp_clients(p->listener), "TCP clients");
        must_be_zero(l, resolver_pending(p->resolver), "resolver queries");
        must_be_zero(l, upstream_pool_pending(p->pool), "upstream requests");
    }
    listener_destroy(p->listener);
    resolver_destroy(p->resolver);
    resolver_shared_destroy(p->shared);
    upstream_pool_destroy(p->pool);
    tls_trust_release(p->trust);
    must_be_zero(l, sim_loop_open_count(p->loop), "sockets");
    if (!list_is_empty(&p->loop->deferred)) {
        sim_ledger_fault(l, "work is deferred after the end");
    }
    if (wheel_next_ms(&p->loop->wheel) != UINT64_MAX) {
        sim_ledger_fault(l, "a timer runs after the end");
    }
}
