/*
 * Faults that come and go on one server, or on all, and what that makes of the
 * servers' health: a run's schedule, filled by whoever directs it.
 */
#include "run.h"

#include "faults.h"

#include <stdio.h>

static void trouble(struct sim_run *r, unsigned server, bool is_begin)
{
    if (is_begin) {
        r->troubles[server]++;
        r->trouble_since_us[server] = r->world->now_us;
    } else {
        r->troubles[server]--;
        r->healthy_since_us[server] = r->world->now_us;
    }
}

static void say(const struct sim_plan *p, unsigned server, const char *what)
{
    struct sim_run *r = p->run;

    if (r->is_verbose) {
        printf("%.6f %s %s, server %u\n", (double)r->world->now_us / 1e6,
               p->fault->name, what, server);
    }
}

static void begin(struct sim_plan *p, unsigned server)
{
    struct sim_run *r = p->run;

    say(p, server, "begins");
    p->fault->begin(r, r->servers[server]);
    if (p->fault->reach == FAULT_SERVER) {
        trouble(r, server, true);
    } else if (p->fault->reach == FAULT_BLOW) {
        r->healthy_since_us[server] = r->world->now_us;
    }
}

static void end(struct sim_plan *p, unsigned server)
{
    struct sim_run *r = p->run;

    say(p, server, "ends");
    if (p->fault->end != NULL) {
        p->fault->end(r, r->servers[server]);
    }
    if (p->fault->reach == FAULT_SERVER) {
        trouble(r, server, false);
    }
}

static void turn(struct sim_plan *p)
{
    void (*act)(struct sim_plan *, unsigned) = p->is_on ? end : begin;

    p->is_on = !p->is_on;
    if (p->server < p->run->server_count) {
        act(p, p->server);
        return;
    }
    bool is_single = p->fault->reach == FAULT_PROGRAM;
    unsigned count = is_single ? 1 : p->run->server_count;
    for (unsigned i = 0; i < count; i++) {
        act(p, i);
    }
}

static void on_plan(struct sim_event *e)
{
    struct sim_plan *p = CONTAINER_OF(e, struct sim_plan, e);
    struct sim_world *w = p->run->world;

    turn(p);
    if (p->is_on) {
        sim_event_in(w, e, sim_between(w, p->last_us / 2, p->last_us));
    } else if (--p->times > 0) {
        sim_event_in(w, e, sim_between(w, p->pause_us / 2, p->pause_us));
    }
}

struct sim_plan *sim_plan_add(struct sim_run *r, const struct fault *fault,
                              unsigned server)
{
    if (r->plan_count == SIM_PLANS_MAX) {
        return NULL;
    }
    struct sim_plan *p = &r->plans[r->plan_count++];
    *p = (struct sim_plan){
        .run = r, .fault = fault, .server = server, .times = 1};
    sim_event_init(&p->e, on_plan);
    return p;
}

void sim_plans_end(struct sim_run *r)
{
    for (unsigned i = 0; i < r->plan_count; i++) {
        sim_event_cancel(r->world, &r->plans[i].e);
        if (r->plans[i].is_on) {
            turn(&r->plans[i]);
        }
    }
    r->plan_count = 0;
}
