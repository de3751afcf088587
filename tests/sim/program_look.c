/*
 * What the program tells of itself.
 */
#include "program.h"

struct upstream_stats sim_program_stats(const struct sim_program *p)
{
    struct upstream_stats sum = {0};

    for (unsigned i = 0; i < p->config.workers; i++) {
        const struct upstream_stats *u =
            upstream_pool_stats(p->workers[i].pool);
        sum.requests += u->requests;
        sum.sent += u->sent;
        sum.waited += u->waited;
        sum.dials += u->dials;
        sum.resumed += u->resumed;
    }
    return sum;
}

uint64_t sim_program_followed(const struct sim_program *p)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < p->config.workers; i++) {
        sum += resolver_stats(p->workers[i].resolver)->followed;
    }
    return sum;
}

/* ---- timers, sockets ---- */

static size_t list_len(const struct list *head)
{
    size_t count = 0;

    for (const struct list *n = head->next; n != head; n = n->next) {
        count++;
    }
    return count;
}

size_t sim_program_timers(const struct sim_program *p)
{
    size_t count = 0;

    for (unsigned i = 0; i < p->config.workers; i++) {
        const struct wheel *w = &p->workers[i].loop->wheel;
        for (size_t k = 0; k < WHEEL_LEVELS * WHEEL_SLOTS; k++) {
            count += list_len(&w->slots[k / WHEEL_SLOTS][k % WHEEL_SLOTS]);
        }
    }
    return count;
}

size_t sim_program_open(const struct sim_program *p)
{
    size_t count = 0;

    for (unsigned i = 0; i < p->config.workers; i++) {
        count += sim_loop_open_count(p->workers[i].loop);
    }
    return count;
}

size_t sim_program_pending(const struct sim_program *p)
{
    size_t count = 0;

    for (unsigned i = 0; i < p->config.workers; i++) {
        const struct sim_worker *w = &p->workers[i];
        count += resolver_pending(w->resolver) + listener_pending(w->listener) +
                 upstream_pool_pending(w->pool);
        count += w->at_home == NULL ? 0 : upstream_pool_pending(w->at_home);
    }
    return count;
}

/* ---- counters ---- */

struct sums {
    uint64_t udp_queries, udp_answers, tcp_queries, over;
    uint64_t queries, dropped, forwarded;
    uint64_t requests, dials, dial_failures, handshakes, ended;
};

static void add_upstream(const struct upstream_pool *pool, struct sums *s)
{
    const struct upstream_stats *u = upstream_pool_stats(pool);

    s->requests += u->requests;
    s->dials += u->dials;
    s->dial_failures += u->dial_failures;
    s->handshakes += u->handshakes;
    s->ended += u->losses + u->closes;
}

static void add_worker(const struct sim_worker *w, struct sums *s)
{
    const struct resolver_stats *r = resolver_stats(w->resolver);
    struct listener_stats l;

    listener_stats(w->listener, &l);
    s->udp_queries += l.udp_queries;
    s->udp_answers += l.udp_answers;
    s->tcp_queries += l.tcp_queries;
    s->over += l.over_max_queries;
    s->queries += r->queries;
    s->dropped += r->dropped;
    s->forwarded += r->forwarded;
    add_upstream(w->pool, s);
    if (w->at_home != NULL) {
        add_upstream(w->at_home, s);
    }
}

static void must_equal(struct sim_ledger *l, uint64_t a, uint64_t b,
                       const char *what)
{
    if (a != b) {
        sim_ledger_fault(l, "counters: %s: %llu and %llu", what,
                         (unsigned long long)a, (unsigned long long)b);
    }
}

void sim_program_check_counters(const struct sim_program *p, uint64_t datagrams,
                                struct sim_ledger *l)
{
    struct sums s = {0};

    for (unsigned i = 0; i < p->config.workers; i++) {
        add_worker(&p->workers[i], &s);
    }
    must_equal(l, datagrams, s.udp_queries, "datagrams sent, taken");
    must_equal(l, s.udp_queries, s.udp_answers + s.dropped,
               "datagrams taken, answered or none due");
    must_equal(l, s.udp_queries + s.tcp_queries, s.queries + s.over,
               "queries of listener, resolver");
    must_equal(l, s.forwarded, s.requests, "questions of resolver, pools");
    if (s.dials < s.dial_failures + s.handshakes) { /* or were given up */
        sim_ledger_fault(l, "counters: more connections than dials");
    }
    must_equal(l, s.handshakes, s.ended, "connections ready, ended");
}
