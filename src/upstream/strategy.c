/*
 * Which server takes a query. A server can be picked when one of its
 * connections can take a query now; those that are down have none. One that
 * failed, and is connected again, is proved by a query of ours before clients'
 * queries go there, unless there is no other; so is one of whose connections
 * one has fallen silent.
 */
#include "upstream/internal.h"

static bool may_pick(struct upstream_server *s,
                     const struct strategy_choice *choice)
{
    return (choice->asked >> s->bit & 1) == 0 && s->ready > 0 &&
           ((server_is_well(s) && s->suspects == 0) || choice->is_lenient) &&
           server_conn(s, choice->req) != NULL;
}

static struct upstream_server *pick_first(struct upstream_pool *p,
                                          const struct strategy_choice *choice)
{
    for (size_t i = 0; i < p->count; i++) {
        if (may_pick(p->servers[i], choice)) {
            return p->servers[i];
        }
    }
    return NULL;
}

/*
 * Smooth weighted round robin: each turn every candidate gains its weight, the
 * richest is picked and pays the sum of all. Servers of weight 3 and 1 are
 * taken 0 0 1 0, not 0 0 0 1.
 */
static struct upstream_server *
pick_in_turn(struct upstream_pool *p, const struct strategy_choice *choice)
{
    struct upstream_server *best = NULL;
    int sum = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct upstream_server *s = p->servers[i];
        if (!may_pick(s, choice)) {
            continue;
        }
        s->credit += (int)s->config->weight;
        sum += (int)s->config->weight;
        if (best == NULL || s->credit > best->credit) {
            best = s;
        }
    }
    if (best != NULL) {
        best->credit -= sum;
    }
    return best;
}

/* Latency with the weight counted in; a server not measured yet is tried. */
static uint64_t cost_of(const struct upstream_server *s)
{
    return s->latency.average_us / s->config->weight;
}

/* The better of two taken at random: near the best on average, and no server
 * is ever overrun or forgotten. */
static struct upstream_server *
pick_better_of_two(struct upstream_pool *p,
                   const struct strategy_choice *choice)
{
    struct upstream_server *two[2] = {NULL, NULL};
    uint32_t seen = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct upstream_server *s = p->servers[i];
        if (!may_pick(s, choice)) {
            continue;
        }
        /* Reservoir of two: each pair is equally likely. */
        uint32_t at = seen < 2 ? seen : rng_below(&p->rng, seen + 1);
        if (at < 2) {
            two[at] = s;
        }
        seen++;
    }
    if (two[1] == NULL) {
        return two[0];
    }
    bool is_first = cost_of(two[0]) <= cost_of(two[1]);
    struct upstream_server *other = is_first ? two[1] : two[0];
    /* until it is tried again */
    other->latency.average_us -= other->latency.average_us / 128;
    return is_first ? two[0] : two[1];
}

static struct upstream_server *pick(struct upstream_pool *p,
                                    const struct strategy_choice *choice)
{
    switch (p->set->strategy) {
    case CONFIG_ROUND_ROBIN:
        return pick_in_turn(p, choice);
    case CONFIG_FASTEST:
        return pick_better_of_two(p, choice);
    case CONFIG_FAILOVER:
    case CONFIG_RACE:
        break;
    }
    return pick_first(p, choice);
}

struct upstream_server *strategy_pick(struct upstream_pool *p,
                                      struct strategy_choice choice)
{
    return pick(p, &choice);
}

unsigned strategy_width(const struct upstream_pool *p)
{
    return p->set->strategy == CONFIG_RACE ? p->set->race_width : 1;
}

/*
 * failover keeps the server in use and the next one ready, race those it asks
 * and one more; the others all of them. Counted in the order of the file over
 * servers that can be relied on, so that another takes the place of one that
 * fails or cannot be kept ready. Those that cannot take no more places than
 * that, even if there are no others: each costs a handshake again and again.
 */
enum use { USE_NONE, USE_SPARE, USE_OFTEN };

static enum use use_of(const struct upstream_pool *p,
                       const struct upstream_server *s)
{
    unsigned width = strategy_width(p);
    bool is_fleeting = server_is_fleeting(s);
    unsigned before = 0;

    if (p->set->strategy == CONFIG_ROUND_ROBIN ||
        p->set->strategy == CONFIG_FASTEST) {
        return USE_OFTEN;
    }
    for (size_t i = 0; i < s->index; i++) {
        const struct upstream_server *other = p->servers[i];
        before += server_is_steady(other) ||
                  (is_fleeting && other->failures < SERVER_DOWN_AFTER);
    }
    if (before < width) {
        return USE_OFTEN;
    }
    return before == width ? USE_SPARE : USE_NONE;
}

/*
 * A server that ends connections costs a handshake each time. One in use is
 * kept ready all the same, if it does not say that it is no use. For a spare,
 * which the pool is not cold without, only so many are made while nobody asks.
 */
static bool is_worth_it(const struct upstream_pool *p,
                        const struct upstream_server *s, enum use use)
{
    uint64_t limit_ms = limits_shortest_ms(&s->limits);

    if (limits_forbid_warmth(&s->limits)) {
        return false;
    }
    return use == USE_OFTEN || limit_ms == 0 ||
           net_now_ms(p->loop) - p->asked_ms <= limit_ms * WARM_SPARE_TIMES;
}

/* An only server has nobody who could take its late queries, but a second
 * connection can; while clients ask, one is ready. */
static bool is_spare_allowed(const struct upstream_pool *p)
{
    return p->count == 1 && hedge_is_on(p) &&
           p->config->connections_per_server > 1 && p->stats.requests > 0;
}

static bool has_grown_conn(const struct upstream_server *s)
{
    LIST_EACH (node, &s->conns) {
        const struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (c->state == CONN_READY &&
            (c->sent >= SPARE_AFTER_QUERIES ||
             net_now_ms(s->pool->loop) - c->ready_ms >= SPARE_AFTER_MS)) {
            return true;
        }
    }
    return false;
}

bool strategy_wants_spare(const struct upstream_pool *p)
{
    return is_spare_allowed(p) && p->servers[0]->ready == 1 &&
           p->servers[0]->dialing == 0 && has_grown_conn(p->servers[0]);
}

unsigned strategy_wants_warm(const struct upstream_pool *p,
                             const struct upstream_server *s)
{
    enum use use = use_of(p, s);

    if (!pool_is_warm(p) || use == USE_NONE || !is_worth_it(p, s, use)) {
        return 0;
    }
    if (!is_spare_allowed(p) ||
        net_now_ms(p->loop) - p->asked_ms > SPARE_FOR_MS) {
        return 1;
    }
    return has_grown_conn(s) ? 2 : 1;
}
