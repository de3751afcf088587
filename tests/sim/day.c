/*
 * Pages come in sessions, and questions in pages. The night is quiet.
 */
#include "day.h"

#include "client.h"
#include "program.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECOND_US = 1000000,
    MINUTE_US = 60 * SECOND_US,
    SERVERS = 2,
    PATH_US = 10000,
    SESSIONS = 10,
    PAGES_MAX = 40, /* in a session */
    PAGE_US = 1500 * 1000,
    PAGE_GAP_US = 100 * 1000, /* between its questions, on average */
    LAZY_RTTS = 3             /* TCP, TLS, and the query's own */
};

struct day {
    struct sim_world *world;
    struct net_loop *peers_loop;
    struct sim_program program;
    struct sim_server *servers[SERVERS];
    struct sim_ledger ledger;
    struct sim_clients clients;
    uint32_t idle_ms;
    uint64_t asked, asked_us, lazy_ready_us;
    struct sim_day *out;
};

static bool is_never(void *arg, uint64_t from_us, uint64_t to_us)
{
    (void)arg;
    (void)from_us;
    (void)to_us;
    return false;
}

static void add_servers(struct day *d, bool is_told)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        struct addr addr = {
            .ip = {192, 0, 2, (uint8_t)(i + 1)}, .family = 4, .port = 853};
        char name[] = "dns0.example";
        name[3] = (char)('0' + i);
        sim_link_delay(sim_link(d->world, &addr), PATH_US, 500);
        d->servers[i] = sim_server_create(d->peers_loop, &addr, name);
        d->servers[i]->manners.idle_close_ms = d->idle_ms;
        d->servers[i]->manners.tells_idle = is_told;
        sim_program_add(&d->program, d->servers[i], false);
    }
}

static void begin(struct day *d, uint64_t seed, bool is_told)
{
    d->world = sim_world_create(seed);
    if (net_loop_create(&d->peers_loop) != 0) {
        abort();
    }
    sim_program_init(&d->program, 1);
    add_servers(d, is_told);
    sim_ledger_init(&d->ledger, d->world);
    d->ledger.is_hopeless = is_never;
    d->ledger.max_udp_size = d->program.config.max_udp_size;
    d->ledger.deadline_us = 5 * SECOND_US;
    d->clients = (struct sim_clients){
        .loop = d->peers_loop,
        .ledger = &d->ledger,
        .target = d->program.listen,
        .gap_us = PAGE_GAP_US,
        .burst = 2,
    };
    sim_program_start(&d->program);
    sim_world_run_until(d->world, d->world->now_us + 2 * SECOND_US);
    sim_clients_start(&d->clients);
    sim_event_cancel(d->world, &d->clients.next);
}

/* What one does that connects when it must, for comparison. */
static void be_lazy(struct day *d)
{
    uint64_t now_us = d->world->now_us;

    if (d->ledger.asked == d->asked) {
        return;
    }
    if (d->asked == 0 || now_us - d->asked_us > (uint64_t)d->idle_ms * 1000) {
        d->out->lazy_handshakes++;
        d->lazy_ready_us = now_us + (LAZY_RTTS - 1) * 2 * PATH_US;
    }
    if (now_us < d->lazy_ready_us) {
        d->out->lazy_waited += d->ledger.asked - d->asked;
    }
    d->asked = d->ledger.asked;
    d->asked_us = now_us;
}

static void look_at_page(struct day *d)
{
    uint64_t until_us = d->world->now_us + PAGE_US;

    sim_event_in(d->world, &d->clients.next, 0);
    while (d->world->now_us < until_us && sim_world_step(d->world)) {
        be_lazy(d);
    }
    sim_event_cancel(d->world, &d->clients.next);
}

static void run_for(struct day *d, uint64_t us)
{
    sim_world_run_until(d->world, d->world->now_us + us);
}

static void have_session(struct day *d)
{
    uint32_t pages = sim_between(d->world, 5, PAGES_MAX);

    for (uint32_t i = 0; i < pages; i++) {
        look_at_page(d);
        run_for(d, sim_between(d->world, SECOND_US, 2 * MINUTE_US));
    }
}

static void live(struct day *d)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        have_session(d);
        run_for(d, sim_between(d->world, 1, 60) * (uint64_t)MINUTE_US);
    }
    run_for(d, d->program.config.warm_for_ms * UINT64_C(1000) + MINUTE_US);
    uint64_t dials = sim_program_stats(&d->program).dials;
    run_for(d, 6 * 60 * (uint64_t)MINUTE_US);
    d->out->night_dials = sim_program_stats(&d->program).dials - dials;
}

static void end(struct day *d)
{
    const struct upstream_stats stats =
        *upstream_pool_stats(d->program.workers[0].pool);
    struct sim_day *out = d->out;

    out->handshakes = stats.handshakes;
    out->resumed = stats.resumed;
    out->waited = stats.waited;
    sim_clients_stop(&d->clients);
    sim_program_drain(&d->program);
    run_for(d, 20 * (uint64_t)SECOND_US);
    sim_program_finish(&d->program, &d->ledger);
    sim_clients_finish(&d->clients);
    for (unsigned i = 0; i < SERVERS; i++) {
        sim_server_destroy(d->servers[i]);
    }
    net_loop_destroy(d->peers_loop);
    out->queries = d->ledger.asked;
    out->right = d->ledger.right + d->ledger.truncated;
    out->p50_us = sim_ledger_percentile(&d->ledger, 50);
    out->p99_us = sim_ledger_percentile(&d->ledger, 99);
    out->worst_us = sim_ledger_percentile(&d->ledger, 100);
    out->faults = d->ledger.faults;
    sim_ledger_finish(&d->ledger);
    sim_world_destroy(d->world);
}

void sim_day_run(uint64_t seed, uint32_t idle_ms, bool is_told,
                 struct sim_day *out)
{
    static struct day d;

    *out = (struct sim_day){0};
    d = (struct day){.idle_ms = idle_ms, .out = out};
    begin(&d, seed, is_told);
    live(&d);
    end(&d);
}
