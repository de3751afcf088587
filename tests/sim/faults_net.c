/*
 * Faults of the links, of the servers' machines and processes, and of the
 * machine that the program and its clients run on.
 */
#include "faults.h"

static uint32_t between(struct sim_run *r, uint32_t low, uint32_t high)
{
    return sim_between(r->world, low, high);
}

/* ---- links ---- */

static void link_up(struct sim_run *r, struct sim_server *s)
{
    sim_link_set(r->world, s->link, SIM_LINK_UP);
}

BEGIN(stall)
{
    sim_link_set(r->world, s->link, SIM_LINK_STALLED);
}

BEGIN(unreachable)
{
    sim_link_set(r->world, s->link, SIM_LINK_UNREACHABLE);
}

BEGIN(no_new)
{
    sim_link_set(r->world, s->link, SIM_LINK_NO_NEW);
}

BEGIN(half_open)
{
    sim_link_vanish(r->world, s->link);
    sim_link_set(r->world, s->link, SIM_LINK_NO_NEW);
}

BEGIN(refuse)
{
    sim_link_set(r->world, s->link, SIM_LINK_REFUSING);
    sim_link_reset(r->world, s->link);
}

BEGIN(reset)
{
    sim_link_reset(r->world, s->link);
}

BEGIN(vanish)
{
    sim_link_vanish(r->world, s->link);
}

BEGIN(forget)
{
    sim_link_forget(r->world, s->link);
}

BEGIN(loss)
{
    s->link->loss_percent = between(r, 1, 15);
}

END(loss)
{
    (void)r;
    s->link->loss_percent = 0;
}

BEGIN(jitter)
{
    s->link->jitter_us = between(r, 5000, 60000);
}

END(jitter)
{
    (void)r;
    s->link->jitter_us = 500;
}

BEGIN(small_segments)
{
    s->link->segment_max = between(r, 1, 40);
    s->link->send_buffer = 1 << between(r, 15, 18);
}

END(small_segments)
{
    (void)r;
    s->link->segment_max = 1460;
    s->link->send_buffer = 256 * 1024;
}

/* ---- the process ---- */

BEGIN(stop)
{
    (void)r;
    sim_server_stop(s, SIM_STOP_POLITE);
}

BEGIN(crash)
{
    (void)r;
    sim_server_stop(s, SIM_STOP_CRASH);
}

BEGIN(power)
{
    (void)r;
    sim_server_stop(s, SIM_STOP_POWER);
}

static void start_again(struct sim_run *r, struct sim_server *s)
{
    (void)r;
    sim_server_start(s);
}

BEGIN(restart)
{
    sim_server_stop(s, (enum sim_stop)between(r, 0, 1));
    sim_server_start(s);
}

BEGIN(close_all)
{
    sim_server_close_all(s, sim_chance(r->world, 50));
}

/* ---- the program's own machine ---- */

/* Not so often that one runs into another: the ledger knows of one. */
static bool freeze(struct sim_run *r)
{
    uint64_t left_us = r->calm_at_us + 4000000 - r->world->now_us;
    uint32_t max_us = left_us < 20000000 ? (uint32_t)left_us : 20000000;
    uint32_t duration_us = between(r, 100000, max_us);

    if (r->world->now_us < r->ledger.frozen_to_us + 20000000) {
        return false;
    }
    r->ledger.frozen_from_us = r->world->now_us;
    r->ledger.frozen_to_us = r->world->now_us + duration_us;
    sim_program_freeze(&r->program, duration_us, sim_chance(r->world, 50));
    return true;
}

BEGIN(freeze)
{
    (void)s;
    (void)freeze(r);
}

/* Suspended so long that the servers' connections are gone without a word. */
BEGIN(suspend)
{
    (void)s;
    if (!freeze(r)) {
        return;
    }
    for (unsigned i = 0; i < r->server_count; i++) {
        sim_link_vanish(r->world, r->servers[i]->link);
        r->healthy_since_us[i] = r->ledger.frozen_to_us;
    }
}

BEGIN(no_files)
{
    (void)s;
    sim_program_limit_streams(&r->program, between(r, 1, 6));
    sim_clients_may_be_refused(&r->clients);
    r->program_troubles++;
}

END(no_files)
{
    (void)s;
    sim_program_limit_streams(&r->program, 0);
    r->program_troubles--;
    r->program_sound_since_us = r->world->now_us;
}

BEGIN(storm)
{
    (void)s;
    r->clients.burst = between(r, 10, 20);
    for (unsigned i = 0; i < r->server_count; i++) {
        if (r->servers[i]->manners.close_after != 0) {
            r->servers[i]->manners.close_after = 120;
        }
    }
}

END(storm)
{
    (void)s;
    r->clients.burst = between(r, 1, 3);
}

BEGIN(rude_clients)
{
    (void)s;
    r->clients.rude_percent = 80;
    r->clients.tcp_percent = between(r, 10, 40);
    r->clients.noise_percent = 50;
}

END(rude_clients)
{
    (void)s;
    (void)r;
    r->clients.rude_percent = 20;
    r->clients.tcp_percent = 4;
    r->clients.noise_percent = 1;
}

/* The file is read again, and it says something else. */
BEGIN(reload)
{
    struct config *c = &r->program.config;

    (void)s;
    c->pool.strategy = (enum config_strategy)between(r, 0, 3);
    if (c->cache_size > 0) {
        c->cache_size = (size_t)1 << between(r, 17, 20);
    }
    sim_program_reload(&r->program);
}

BEGIN(unlist)
{
    (void)sim_program_unlist(&r->program, s, true);
}

END(unlist)
{
    (void)sim_program_unlist(&r->program, s, false);
}

/* ---- the table ---- */

const struct fault faults_net[] = {
    ROW_END(stall, FAULT_SERVER, link_up),
    ROW_END(unreachable, FAULT_SERVER, link_up),
    ROW_END(no_new, FAULT_SERVER, link_up),
    ROW_END(half_open, FAULT_SERVER, link_up),
    ROW_END(refuse, FAULT_SERVER, link_up),
    BLOW(reset),
    BLOW(vanish),
    BLOW(forget),
    ROW(loss, FAULT_SERVER),
    ROW(jitter, FAULT_HARMLESS),
    ROW(small_segments, FAULT_HARMLESS),
    ROW_END(stop, FAULT_SERVER, start_again),
    ROW_END(crash, FAULT_SERVER, start_again),
    ROW_END(power, FAULT_SERVER, start_again),
    BLOW(restart),
    BLOW(close_all),
    {"freeze", FAULT_PROGRAM, begin_freeze, NULL},
    {"suspend", FAULT_PROGRAM, begin_suspend, NULL},
    ROW(no_files, FAULT_PROGRAM),
    ROW(storm, FAULT_PROGRAM),
    ROW(rude_clients, FAULT_PROGRAM),
    {"reload", FAULT_PROGRAM, begin_reload, NULL},
    ROW(unlist, FAULT_SERVER),
};

const size_t faults_net_count = COUNT_OF(faults_net);
