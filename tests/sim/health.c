/*
 * What a run may expect of the program: an answer while a server was healthy,
 * and no wait for a handshake while one that it keeps a connection to was there
 * all the time.
 */
#include "run.h"

#include "zone.h"

#include <stdio.h>

enum {
    SECOND_US = 1000000,
    WATCH_US = 20000,
    SETTLE_US = 500000, /* after connect_timeout: a server is found again */
    THROUGHOUT_US = 40 * SECOND_US, /* longer than any back-off */
    HABITS = 4,      /* so many closes teach what a server does */
    SPARE_TIMES = 15 /* a spare is connected anew while nobody asks, at least */
};

static uint64_t settle_us(const struct sim_run *r)
{
    return (uint64_t)r->program.config.connect_timeout_ms * 1000 + SETTLE_US;
}

bool sim_run_is_hopeless(void *arg, const struct dns_question *q,
                         uint64_t from_us, uint64_t to_us)
{
    struct sim_run *r = arg;
    uint64_t settled_us = from_us - settle_us(r);

    (void)to_us;
    if (r->router != NULL && zone_is_home(q)) {
        return r->router_troubles + r->program_troubles > 0 ||
               r->router_since_us > settled_us ||
               r->program_sound_since_us > settled_us;
    }
    if (r->program_troubles > 0 || r->program_sound_since_us > settled_us) {
        return true;
    }
    for (unsigned i = 0; i < r->server_count; i++) {
        if (r->troubles[i] == 0 && r->healthy_since_us[i] <= settled_us) {
            return false;
        }
    }
    return true;
}

void sim_run_surprise(struct sim_run *r, const struct sim_server *s)
{
    for (unsigned i = 0; i < r->server_count; i++) {
        if (r->servers[i] == s) {
            r->surprise_us[i] = r->world->now_us;
            r->habits[i] = 0;
        }
    }
}

/* Has this server been there all the time, and ended connections in no way but
 * the one that it is known for? One that does within a second cannot be kept up
 * with in decency, nor one that is asked as much in the time of a handshake as
 * it takes on a connection. */
static bool is_steady(const struct sim_run *r, unsigned i)
{
    const struct sim_manners *m = &r->servers[i]->manners;
    uint64_t now_us = r->world->now_us;

    return r->troubles[i] == 0 &&
           (m->idle_close_ms == 0 || m->idle_close_ms > 1000) &&
           (m->close_after == 0 || r->clients.burst <= 3) &&
           (r->healthy_since_us[i] == 0 ||
            now_us - r->healthy_since_us[i] > THROUGHOUT_US) &&
           (r->surprise_us[i] == 0 ||
            now_us - r->surprise_us[i] > settle_us(r));
}

/* Does the strategy keep a connection to it? Those before it count, unless it
 * has had the time to see that they fail. */
static bool is_in_use(const struct sim_run *r, unsigned i)
{
    const struct config_pool *pool = &r->program.config.pool;
    unsigned width = pool->strategy == CONFIG_RACE ? pool->race_width : 1;
    unsigned before = 0;

    for (unsigned j = 0; j < i; j++) {
        before += r->troubles[j] == 0 ||
                  r->world->now_us - r->trouble_since_us[j] < settle_us(r);
    }
    return pool->strategy == CONFIG_ROUND_ROBIN ||
           pool->strategy == CONFIG_FASTEST || before <= width;
}

/* Was there, all the time, a server to have a connection with? */
static bool is_served(const struct sim_run *r, const struct sim_awake *a)
{
    const struct sim_ledger *l = &r->ledger;
    uint64_t settled_us = r->world->now_us - settle_us(r);

    if (r->program_troubles > 0 || r->program_sound_since_us > settled_us ||
        r->program.config.upstream_idle_ms > 0 ||
        (a->since_us != 0 && a->since_us > settled_us) ||
        (l->frozen_to_us != 0 && l->frozen_to_us > settled_us)) {
        return false;
    }
    for (unsigned i = 0; i < r->server_count; i++) {
        if (is_steady(r, i) && is_in_use(r, i)) {
            return true;
        }
    }
    return false;
}

static void watch_ends(struct sim_run *r)
{
    for (unsigned i = 0; i < r->server_count; i++) {
        if (r->servers[i]->stats.ended != r->ended[i]) {
            r->ended[i] = r->servers[i]->stats.ended;
            if (++r->habits[i] <= HABITS) {
                r->surprise_us[i] = r->world->now_us;
            }
        }
    }
}

/* Servers that close idle connections are kept up with only so long after the
 * last question: see "Nobody asks" in docs/connections.md. */
static uint64_t patience_us(const struct sim_run *r)
{
    uint64_t least_us = (uint64_t)r->program.config.warm_for_ms * 1000;

    for (unsigned i = 0; i < r->server_count; i++) {
        uint64_t idle_us =
            (uint64_t)r->servers[i]->manners.idle_close_ms * 1000;
        if (idle_us > 0 && idle_us * SPARE_TIMES < least_us) {
            least_us = idle_us * SPARE_TIMES;
        }
    }
    return least_us;
}

/* Has this worker's pool been asked nothing for so long that it may have let
 * its connections go? Then it begins anew; and so it does when it is asked for
 * the first time since it stood still, which it finds out by that. */
static void look_at_pause(struct sim_run *r, struct sim_awake *a,
                          uint64_t requests)
{
    uint64_t now_us = r->world->now_us;

    if (a->requests == requests) {
        return;
    }
    if (now_us - a->asked_us > patience_us(r) ||
        a->asked_us <= r->ledger.frozen_to_us) {
        a->since_us = now_us;
    }
    a->requests = requests;
    a->asked_us = now_us;
}

static void note_vain(struct sim_run *r, unsigned worker, uint64_t count)
{
    r->waited_in_vain += count;
    if (r->is_verbose) {
        printf("%.6f worker %u: %llu queries wait for a handshake\n",
               (double)r->world->now_us / 1e6, worker,
               (unsigned long long)count);
    }
}

/* Every now and then: has a query waited for a connection though, all the
 * time, there was a server to have one with? */
static void on_watch(struct sim_event *e)
{
    struct sim_run *r = CONTAINER_OF(e, struct sim_run, watch);

    watch_ends(r);
    for (unsigned i = 0; i < r->program.config.workers; i++) {
        const struct upstream_stats *u =
            upstream_pool_stats(r->program.workers[i].pool);
        struct sim_awake *a = &r->awake[i];
        look_at_pause(r, a, u->requests);
        if (u->waited > a->waited && is_served(r, a)) {
            note_vain(r, i, u->waited - a->waited);
        }
        a->waited = u->waited;
    }
    sim_event_in(r->world, e, WATCH_US);
}

void sim_run_watch(struct sim_run *r)
{
    for (unsigned i = 0; i < SIM_WORKERS_MAX; i++) {
        r->awake[i] = (struct sim_awake){.asked_us = r->world->now_us};
    }
    sim_event_init(&r->watch, on_watch);
    sim_event_in(r->world, &r->watch, 0);
}
