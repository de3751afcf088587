/*
 * What a run may expect of the program: an answer while a server was healthy,
 * and no wait for a handshake while one that it keeps a connection to was there
 * all the time.
 */
#include "run.h"

enum {
    SECOND_US = 1000000,
    WATCH_US = 20000,
    SETTLE_US = 500000, /* after connect_timeout: a server is found again */
    THROUGHOUT_US = 40 * SECOND_US, /* longer than any back-off */
    HABITS = 4 /* so many closes teach what a server does */
};

static uint64_t settle_us(const struct sim_run *r)
{
    return (uint64_t)r->program.config.connect_timeout_ms * 1000 + SETTLE_US;
}

bool sim_run_is_hopeless(void *arg, uint64_t from_us, uint64_t to_us)
{
    struct sim_run *r = arg;
    uint64_t settled_us = from_us - settle_us(r);

    (void)to_us;
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
static bool is_served(const struct sim_run *r)
{
    const struct sim_ledger *l = &r->ledger;
    uint64_t settled_us = r->world->now_us - settle_us(r);

    if (r->program_troubles > 0 || r->program_sound_since_us > settled_us ||
        r->program.config.upstream_idle_ms > 0 ||
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

/* Every now and then: has a query waited for a connection though, all the
 * time, there was a server to have one with? */
static void on_watch(struct sim_event *e)
{
    struct sim_run *r = CONTAINER_OF(e, struct sim_run, watch);
    uint64_t waited = sim_program_stats(&r->program).waited;

    watch_ends(r);
    if (is_served(r)) {
        r->waited_in_vain += waited - r->waited;
    }
    r->waited = waited;
    sim_event_in(r->world, e, WATCH_US);
}

void sim_run_watch(struct sim_run *r)
{
    sim_event_init(&r->watch, on_watch);
    sim_event_in(r->world, &r->watch, 0);
}
