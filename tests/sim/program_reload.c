/*
 * Setups, and going on with another one, as src/server/reload.c and worker.c
 * do: the cache first, then each worker in a turn of its own; when all have
 * taken it, what was before is let go.
 */
#include "program.h"

#include <string.h>

static void make_policy(struct sim_program *p, struct sim_setup *s)
{
    const struct policy_zone zone = {.name = p->zone.name};
    uint8_t key[16];
    char why[256] = "";

    net_random(p->workers[0].loop, key, sizeof(key));
    sim_program_must(policy_create(&s->config.policy, &zone, 1, key, true,
                                   &s->policy, why, sizeof(why)),
                     why);
}

struct sim_setup *sim_setup_make(struct sim_program *p)
{
    struct sim_setup *s = &p->setups[1 - p->setup];

    s->config = p->config;
    s->config.pool.servers = s->servers;
    s->config.pool.server_count = 0;
    for (size_t i = 0; i < p->config.pool.server_count; i++) {
        if (!p->is_unlisted[i]) {
            s->servers[s->config.pool.server_count++] = p->servers[i];
        }
    }
    s->policy = NULL;
    if (s->config.zone_count > 0) {
        s->plain = p->plain;
        s->zone = p->zone;
        s->zone.pool.servers = &s->plain;
        s->config.zones = &s->zone;
        make_policy(p, s);
    }
    return s;
}

struct resolver_setup sim_setup_of(const struct sim_worker *w,
                                   const struct sim_setup *s,
                                   struct upstream_pool *pools[2])
{
    pools[0] = w->pool;
    pools[1] = w->at_home;
    return (struct resolver_setup){
        .config = &s->config,
        .policy = s->policy,
        .pools = pools,
        .pool_count = 1 + s->config.zone_count,
    };
}

/* The last one has taken it. */
static void settle(struct sim_program *p)
{
    struct sim_setup *before = &p->setups[p->setup];

    p->setup = 1 - p->setup;
    p->reloads++;
    if (p->shared != NULL) {
        resolver_shared_settle(p->shared);
    }
    policy_release(before->policy);
    /* Whoever still looks at it shall stumble. */
    memset(before, 0xa5, sizeof(*before));
    before->policy = NULL;
    if (p->wants_reload) {
        p->wants_reload = false;
        sim_program_reload(p);
    }
}

static void take_pool(struct sim_worker *w, struct upstream_pool *pool,
                      const struct sim_setup *s, const struct config_pool *set)
{
    sim_program_must(
        upstream_pool_reconfigure(pool, &s->config, set, w->program->trust),
        "servers");
}

static void apply(void *arg)
{
    struct sim_worker *w = arg;
    struct sim_program *p = w->program;
    const struct sim_setup *s = &p->setups[1 - p->setup];
    struct upstream_pool *pools[2];
    char why[256] = "";

    sim_program_must(listener_reconfigure(w->listener, &s->config,
                                          s->config.workers > 1, why,
                                          sizeof(why)),
                     why);
    take_pool(w, w->pool, s, &s->config.pool);
    if (w->at_home != NULL) {
        take_pool(w, w->at_home, s, &s->zone.pool);
    }
    const struct resolver_setup setup = sim_setup_of(w, s, pools);
    sim_program_must(resolver_reconfigure(w->resolver, &setup), "resolver");
    if (--p->unapplied == 0) {
        settle(p);
    }
}

void sim_program_reload(struct sim_program *p)
{
    if (p->trust == NULL) {
        return; /* it has not started */
    }
    if (p->unapplied > 0) {
        p->wants_reload = true;
        return;
    }
    const struct sim_setup *s = sim_setup_make(p);
    if (p->shared != NULL) {
        sim_program_must(
            resolver_shared_reconfigure(p->shared, &s->config,
                                        net_boot_ms(p->workers[0].loop)),
            "cache");
    }
    p->unapplied = s->config.workers;
    for (unsigned i = 0; i < s->config.workers; i++) {
        sim_program_must(
            net_loop_post(p->workers[i].loop, apply, &p->workers[i]), "post");
    }
}

bool sim_program_unlist(struct sim_program *p, const struct sim_server *s,
                        bool is_unlisted)
{
    size_t listed = 0;
    bool *entry = NULL;

    for (size_t i = 0; i < p->config.pool.server_count; i++) {
        listed += !p->is_unlisted[i];
        if (addr_equal(&p->servers[i].addr, &s->addr)) {
            entry = &p->is_unlisted[i];
        }
    }
    if (*entry == is_unlisted || (is_unlisted && listed == 1)) {
        return false;
    }
    *entry = is_unlisted;
    sim_program_reload(p);
    return true;
}
