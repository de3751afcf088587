/*
 * Pages come in sessions, and questions in pages. The night is quiet.
 */
#include "browse.h"

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

struct browse {
    struct sim_world *world;
    struct net_loop *peers_loop;
    struct sim_program program;
    struct sim_server *servers[SERVERS];
    struct sim_ledger ledger;
    struct sim_clients clients;
    uint32_t idle_ms;
    uint64_t asked, asked_us, lazy_ready_us;
    struct sim_browse *out;
};

static bool is_never(void *arg, const struct dns_question *q, uint64_t from_us,
                     uint64_t to_us)
{
    (void)arg;
    (void)q;
    (void)from_us;
    (void)to_us;
    return false;
}

static void add_servers(struct browse *b, bool is_told)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        struct addr addr = {
            .ip = {192, 0, 2, (uint8_t)(i + 1)}, .family = 4, .port = 853};
        char name[] = "dns0.example";
        name[3] = (char)('0' + i);
        sim_link_delay(sim_link(b->world, &addr), PATH_US, 500);
        b->servers[i] = sim_server_create(b->peers_loop, &addr, name);
        b->servers[i]->manners.idle_close_ms = b->idle_ms;
        b->servers[i]->manners.tells_idle = is_told;
        sim_program_add(&b->program, b->servers[i], false);
    }
}

static void begin(struct browse *b, uint64_t seed, bool is_told)
{
    b->world = sim_world_create(seed);
    if (net_loop_create(&b->peers_loop) != 0) {
        abort();
    }
    sim_program_init(&b->program, 1);
    add_servers(b, is_told);
    sim_ledger_init(&b->ledger, b->world);
    b->ledger.is_hopeless = is_never;
    b->ledger.max_udp_size = b->program.config.max_udp_size;
    b->ledger.deadline_us = 5 * SECOND_US;
    b->clients = (struct sim_clients){
        .loop = b->peers_loop,
        .ledger = &b->ledger,
        .target = b->program.listen,
        .gap_us = PAGE_GAP_US,
        .burst = 2,
    };
    sim_program_start(&b->program);
    sim_world_run_until(b->world, b->world->now_us + 2 * SECOND_US);
    sim_clients_start(&b->clients);
    sim_event_cancel(b->world, &b->clients.next);
}

/* What one does that connects when it must, for comparison. */
static void be_lazy(struct browse *b)
{
    uint64_t now_us = b->world->now_us;

    if (b->ledger.asked == b->asked) {
        return;
    }
    if (b->asked == 0 || now_us - b->asked_us > (uint64_t)b->idle_ms * 1000) {
        b->out->lazy_handshakes++;
        b->lazy_ready_us = now_us + (LAZY_RTTS - 1) * 2 * PATH_US;
    }
    if (now_us < b->lazy_ready_us) {
        b->out->lazy_waited += b->ledger.asked - b->asked;
    }
    b->asked = b->ledger.asked;
    b->asked_us = now_us;
}

static void look_at_page(struct browse *b)
{
    uint64_t until_us = b->world->now_us + PAGE_US;

    sim_event_in(b->world, &b->clients.next, 0);
    while (b->world->now_us < until_us && sim_world_step(b->world)) {
        be_lazy(b);
    }
    sim_event_cancel(b->world, &b->clients.next);
}

static void run_for(struct browse *b, uint64_t us)
{
    sim_world_run_until(b->world, b->world->now_us + us);
}

static void have_session(struct browse *b)
{
    uint32_t pages = sim_between(b->world, 5, PAGES_MAX);

    for (uint32_t i = 0; i < pages; i++) {
        look_at_page(b);
        run_for(b, sim_between(b->world, SECOND_US, 2 * MINUTE_US));
    }
}

static void live(struct browse *b)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        have_session(b);
        run_for(b, sim_between(b->world, 1, 60) * (uint64_t)MINUTE_US);
    }
    run_for(b, b->program.config.warm_for_ms * UINT64_C(1000) + MINUTE_US);
    uint64_t dials = sim_program_stats(&b->program).dials;
    run_for(b, 6 * 60 * (uint64_t)MINUTE_US);
    b->out->night_dials = sim_program_stats(&b->program).dials - dials;
}

static void end(struct browse *b)
{
    const struct upstream_stats stats =
        *upstream_pool_stats(b->program.workers[0].pool);
    struct sim_browse *out = b->out;

    out->handshakes = stats.handshakes;
    out->resumed = stats.resumed;
    out->waited = stats.waited;
    sim_clients_stop(&b->clients);
    sim_program_drain(&b->program);
    run_for(b, 20 * (uint64_t)SECOND_US);
    sim_program_finish(&b->program, &b->ledger);
    sim_clients_finish(&b->clients);
    for (unsigned i = 0; i < SERVERS; i++) {
        sim_server_destroy(b->servers[i]);
    }
    net_loop_destroy(b->peers_loop);
    out->queries = b->ledger.asked;
    out->right = b->ledger.right + b->ledger.truncated;
    out->p50_us = sim_ledger_percentile(&b->ledger, 50);
    out->p99_us = sim_ledger_percentile(&b->ledger, 99);
    out->worst_us = sim_ledger_percentile(&b->ledger, 100);
    out->faults = b->ledger.faults;
    sim_ledger_finish(&b->ledger);
    sim_world_destroy(b->world);
}

void sim_browse_run(uint64_t seed, uint32_t idle_ms, bool is_told,
                    struct sim_browse *out)
{
    static struct browse b;

    *out = (struct sim_browse){0};
    b = (struct browse){.idle_ms = idle_ms, .out = out};
    begin(&b, seed, is_told);
    live(&b);
    end(&b);
}
