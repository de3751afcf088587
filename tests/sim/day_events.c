/*
 * What happens in the day: faults, another network, a machine that sleeps, and
 * nothing at all.
 */
#include "day_inside.h"

#include "faults.h"

enum {
    FAULTS_MIN = 2, /* an hour */
    FAULTS_MAX = 5,
    PATIENCE_US = 20 * SECOND_US
};

/* ---- what goes wrong ---- */

/* Of the program's own machine, no longer than its clients have patience. */
static void set_times(struct day *d, struct sim_plan *p)
{
    bool is_flapping = sim_chance(d->run.world, 25);
    bool is_short = p->fault->reach == FAULT_PROGRAM;

    p->times = is_flapping ? day_between(d, 2, 12) : 1;
    p->pause_us = day_between(d, 50000, 10 * SECOND_US);
    if (is_flapping) {
        p->last_us = day_between(d, 50000, 3 * SECOND_US);
    } else {
        p->last_us =
            day_between(d, SECOND_US, is_short ? PATIENCE_US : 5 * MINUTE_US);
    }
}

void day_plan_faults(struct day *d, uint64_t for_us)
{
    struct sim_run *r = &d->run;
    uint32_t count = day_between(d, FAULTS_MIN, FAULTS_MAX);
    uint32_t minutes = (uint32_t)(for_us / MINUTE_US);

    for (uint32_t i = 0; i < count; i++) {
        size_t any = rng_below(&r->world->rng, (uint32_t)fault_count());
        bool is_all = sim_chance(r->world, 20);
        struct sim_plan *p =
            sim_plan_add(r, fault_at(any),
                         is_all ? SIM_SERVERS_MAX
                                : rng_below(&r->world->rng, r->server_count));
        set_times(d, p);
        sim_event_in(r->world, &p->e,
                     day_between(d, 0, minutes - 1) * (uint64_t)MINUTE_US);
    }
    d->out->plans += count;
}

void day_end_faults(struct day *d)
{
    struct sim_run *r = &d->run;

    sim_plans_end(r);
    r->ledger.may_relay = false;
    r->clients.may_be_refused = false;
    for (unsigned i = 0; i < r->server_count; i++) {
        day_take_habit(d, i);
    }
}

/* All links: state, and what was on its way or connected is gone. */
static void cut_links(struct day *d, enum sim_link_state state)
{
    struct sim_run *r = &d->run;

    for (unsigned i = 0; i < r->server_count; i++) {
        sim_link_vanish(r->world, r->servers[i]->link);
        sim_link_set(r->world, r->servers[i]->link, state);
    }
    sim_link_vanish(r->world, r->router->link);
    sim_link_set(r->world, r->router->link, state);
}

void day_move(struct day *d)
{
    static const struct addr own = {.ip = {10, 0, 0, 2}, .family = 4};
    struct sim_run *r = &d->run;

    day_say(d, "another network");
    d->out->moves++;
    r->program_troubles++;
    r->router_troubles++;
    cut_links(d, SIM_LINK_UNREACHABLE);
    sim_program_tell_network(&r->program, &own);
    day_run_for(d, day_between(d, 100000, 10 * SECOND_US));
    cut_links(d, SIM_LINK_UP);
    for (unsigned i = 0; i < r->server_count; i++) {
        sim_link_delay(r->servers[i]->link, day_between(d, 2000, 40000), 500);
        r->healthy_since_us[i] = r->world->now_us;
    }
    sim_program_tell_network(&r->program, NULL);
    r->program_troubles--;
    r->router_troubles--;
    r->program_sound_since_us = r->world->now_us;
    r->router_since_us = r->world->now_us;
}

void day_suspend(struct day *d, uint64_t us)
{
    struct sim_run *r = &d->run;
    uint64_t until_us = r->world->now_us + us;

    day_say(d, "suspended");
    d->out->suspends++;
    d->away_until_us = until_us;
    r->ledger.frozen_from_us = r->world->now_us;
    r->ledger.frozen_to_us = until_us;
    r->router_since_us = until_us;
    sim_program_freeze(&r->program, us, true);
    for (unsigned i = 0; i < r->server_count; i++) {
        if (sim_chance(r->world, 75)) {
            sim_link_vanish(r->world, r->servers[i]->link);
        }
        r->healthy_since_us[i] = until_us;
    }
    day_run_until(d, until_us);
}

/* ---- quiet ---- */

/* Everything that left the machine, and came to it. */
static uint64_t traffic(const struct day *d)
{
    const struct sim_run *r = &d->run;
    const struct upstream_stats u = sim_program_stats(&r->program);
    uint64_t sum =
        u.sent + u.dials + r->router->udp_queries + r->router->tcp_queries;

    for (unsigned i = 0; i < r->server_count; i++) {
        const struct sim_server_stats *s = &r->servers[i]->stats;
        sum += s->connections + s->queries;
    }
    return sum;
}

static void must_be_quiet(struct day *d, uint64_t before)
{
    struct sim_run *r = &d->run;
    size_t timers = sim_program_timers(&r->program);
    size_t open = sim_program_open(&r->program);
    size_t due = 3 * r->program.config.workers; /* UDP, TCP, the monitor */

    if (traffic(d) != before) {
        sim_ledger_fault(&r->ledger, "%02u:xx: traffic while nobody asks",
                         d->hour);
    }
    if (timers != 0 || open != due) {
        sim_ledger_fault(&r->ledger,
                         "%02u:xx: %zu timers and %zu sockets while nobody "
                         "asks, not 0 and %zu",
                         d->hour, timers, open, due);
    }
}

/* What is none of the clients' doing, and no reason to use the network. */
static void disturb(struct day *d)
{
    struct sim_run *r = &d->run;
    struct sim_server *s =
        r->servers[rng_below(&r->world->rng, r->server_count)];

    switch (day_between(d, 0, 9)) {
    case 0:
        sim_program_tell_network(&r->program, NULL);
        break;
    case 1:
        sim_program_reload(&r->program);
        break;
    case 2:
        sim_server_stop(s, SIM_STOP_CRASH);
        sim_server_start(s);
        break;
    default:
        break;
    }
}

void day_be_quiet(struct day *d, uint64_t until_us)
{
    struct sim_run *r = &d->run;
    uint64_t warm_us = (uint64_t)r->program.config.warm_for_ms * 1000;

    day_say(d, "quiet");
    day_end_faults(d);
    d->away_until_us = until_us;
    day_run_for(d, warm_us + MINUTE_US);
    uint64_t before = traffic(d);
    must_be_quiet(d, before);
    while (r->world->now_us + MINUTE_US < until_us) {
        disturb(d);
        day_run_for(d, MINUTE_US);
        must_be_quiet(d, before);
    }
    day_run_until(d, until_us);
    d->out->quiets++;
}
