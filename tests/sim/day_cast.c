/*
 * Who plays in the day. Clients are people, who look at a page, read it, and go
 * to the next; something on their machines asks every few minutes.
 */
#include "day_inside.h"

#include "zone.h"

#include <stdio.h>

enum {
    PAGE_MIN = 4, /* occasions to ask, of one page */
    PAGE_MAX = 20,
    PAGE_GAP_US = 120 * 1000, /* between them, on average */
    SYNC_MIN_US = MINUTE_US,
    SYNC_MAX_US = 5 * MINUTE_US,
    TIMERS_EACH = 3,
    ROUTER_US = 1500,
    ROUTER_MIN = 30, /* minutes that it is well, at least … */
    ROUTER_MAX = 180,
    ROUTER_OFF_US = 2 * MINUTE_US /* … and not, at most */
};

/* How long a page is read at this hour, on average; 0: everybody sleeps. */
static const uint16_t reading_s[24] = {
    0,  0,  0,  0,  0,  0,  120, 40, 30, 25, 25, 25,
    30, 25, 25, 25, 25, 25, 20,  15, 15, 15, 20, 60,
};

/* How servers end connections. */
static const struct day_habit {
    const char *text;
    uint32_t idle_ms;
    bool is_told;
    uint32_t age_ms;
    unsigned close_after;
} habits[] = {
    {"keeps all", 0, false, 0, 0},
    {"closes after 2 s idle", 2000, false, 0, 0},
    {"closes after 10 s idle", 10000, false, 0, 0},
    {"closes after 10 s idle, and says so", 10000, true, 0, 0},
    {"closes after 30 s idle", 30000, false, 0, 0},
    {"closes when 2 min old", 0, false, 120000, 0},
    {"closes after 100 queries", 0, false, 0, 100},
};

bool day_is_night(unsigned hour)
{
    return reading_s[hour] == 0;
}

const char *day_habit_text(const struct day *d, unsigned i)
{
    return d->habits[i]->text;
}

/* ---- people ---- */

/* Nobody asks now: when to look again. 0: somebody may ask. */
static uint64_t absent_us(struct day *d)
{
    uint64_t now_us = d->run.world->now_us;

    if (now_us < d->away_until_us) {
        return d->away_until_us - now_us + day_between(d, 0, 2 * SECOND_US);
    }
    return reading_s[d->hour] == 0 ? MINUTE_US : 0;
}

/* Mostly a while; sometimes they forget to read on. */
static uint64_t reading_us(struct day *d)
{
    uint32_t pause_s = reading_s[d->hour];
    uint64_t us = (uint64_t)day_between(d, 1, 2 * pause_s) * SECOND_US;

    return sim_chance(d->run.world, 5) ? us * 10 : us;
}

static void on_user(struct sim_event *e)
{
    struct day_user *u = CONTAINER_OF(e, struct day_user, e);
    struct day *d = u->day;
    uint64_t next_us = absent_us(d);

    if (next_us == 0) {
        u->left =
            u->left > 0 ? u->left - 1 : day_between(d, PAGE_MIN, PAGE_MAX);
        sim_clients_ask(&d->run.clients);
        next_us =
            u->left > 0 ? day_between(d, 1, 2 * PAGE_GAP_US) : reading_us(d);
    }
    sim_event_in(d->run.world, e, next_us);
}

/* Each belongs to a connection, a question, a query or a server. */
static void look_at_timers(struct day *d)
{
    const struct sim_program *p = &d->run.program;
    size_t timers = sim_program_timers(p);
    size_t due = TIMERS_EACH * (sim_program_open(p) + sim_program_pending(p) +
                                d->run.server_count);
    size_t *most = &d->out->timers_most;

    *most = timers > *most ? timers : *most;
    if (timers > due) {
        sim_ledger_fault(&d->run.ledger, "%02u:xx: %zu timers, not %zu at most",
                         d->hour, timers, due);
    }
}

static void on_sync(struct sim_event *e)
{
    struct day *d = CONTAINER_OF(e, struct day, sync);
    uint64_t next_us = absent_us(d);

    look_at_timers(d);
    if (next_us == 0) {
        sim_clients_ask(&d->run.clients);
        next_us = day_between(d, SYNC_MIN_US, SYNC_MAX_US);
    }
    sim_event_in(d->run.world, e, next_us);
}

void day_people_start(struct day *d)
{
    struct sim_run *r = &d->run;

    r->clients = (struct sim_clients){
        .loop = r->peers_loop,
        .ledger = &r->ledger,
        .target = r->program.listen,
        .tcp_percent = 4,
        .rude_percent = 20,
        .burst = 2,
        .noise_percent = 1,
        .common_percent = 60,
        .home_percent = 15,
        .kinds = "aaaaaallllllllllbdxsh",
        .is_by_hand = true,
    };
    sim_clients_start(&r->clients);
    for (unsigned i = 0; i < DAY_USERS; i++) {
        d->users[i].day = d;
        sim_event_init(&d->users[i].e, on_user);
        sim_event_in(r->world, &d->users[i].e, day_between(d, 0, SECOND_US));
    }
    sim_event_init(&d->sync, on_sync);
    sim_event_in(r->world, &d->sync, SYNC_MIN_US);
}

void day_people_stop(struct day *d)
{
    for (unsigned i = 0; i < DAY_USERS; i++) {
        sim_event_cancel(d->run.world, &d->users[i].e);
    }
    sim_event_cancel(d->run.world, &d->sync);
    sim_clients_stop(&d->run.clients);
}

/* ---- the servers, and the router ---- */

/* Faults may have changed it: this is how it is when all is well. */
void day_take_habit(struct day *d, unsigned i)
{
    struct sim_server *s = d->run.servers[i];
    struct sim_manners *m = &s->manners;
    const struct day_habit *h = d->habits[i];

    if (m->idle_close_ms != h->idle_ms || m->tells_idle != h->is_told ||
        m->age_close_ms != h->age_ms || m->close_after != h->close_after) {
        m->idle_close_ms = h->idle_ms;
        m->tells_idle = h->is_told;
        m->age_close_ms = h->age_ms;
        m->close_after = h->close_after;
        sim_run_surprise(&d->run, s);
    }
}

void day_add_server(struct day *d)
{
    struct sim_run *r = &d->run;
    unsigned i = r->server_count++;
    struct addr addr = {
        .ip = {192, 0, 2, (uint8_t)(i + 1)}, .family = 4, .port = 853};
    char name[32];

    snprintf(name, sizeof(name), "%cns%u.example", SIM_NAME_LETTER, i);
    sim_link_delay(sim_link(r->world, &addr), day_between(d, 2000, 30000), 500);
    r->servers[i] = sim_server_create(r->peers_loop, &addr, name);
    r->servers[i]->latency_us = day_between(d, 100, 5000);
    r->servers[i]->latency_jitter_us = day_between(d, 0, 10000);
    r->servers[i]->identity.version = sim_chance(r->world, 20) ? 12 : 13;
    d->habits[i] = &habits[rng_below(&r->world->rng, COUNT_OF(habits))];
    day_take_habit(d, i);
    sim_program_add(&r->program, r->servers[i], false);
}

/* It is off for a while now and then, as routers are. */
static void on_router(struct sim_event *e)
{
    struct day *d = CONTAINER_OF(e, struct day, router);
    struct sim_run *r = &d->run;

    if (r->router->udp != NULL) {
        day_say(d, "router off");
        sim_plain_server_stop(r->router);
        r->router_troubles++;
        sim_event_in(r->world, e, day_between(d, SECOND_US, ROUTER_OFF_US));
    } else {
        day_say(d, "router on");
        sim_plain_server_start(r->router);
        r->router_troubles--;
        r->router_since_us = r->world->now_us;
        sim_event_in(r->world, e,
                     day_between(d, ROUTER_MIN, ROUTER_MAX) *
                         (uint64_t)MINUTE_US);
    }
}

void day_add_router(struct day *d)
{
    struct sim_run *r = &d->run;
    struct addr addr = {.ip = {10, 0, 0, 1}, .family = 4, .port = 53};

    r->router = sim_plain_server_create(r->peers_loop, &addr);
    sim_link_delay(r->router->link, ROUTER_US, 300);
    r->router->dropped = 2;
    sim_program_add_home(&r->program, &addr);
    sim_event_init(&d->router, on_router);
    sim_event_in(r->world, &d->router, ROUTER_MIN * (uint64_t)MINUTE_US);
}
