/*
 * Which server takes a query. A server can be picked when one of its
 * connections can take a query now; those that are down have none. One that
 * failed, and is connected again, is proved by a query of ours before clients'
 * queries go there, unless there is no other; so is one of whose connections
 * one has fallen silent.
 */
#include "upstream/internal.h"

/* Who may be picked. */
struct choice {
    uint64_t asked;  /* bit n: not server n */
    bool is_lenient; /* those that failed or are silent, too */
};

static bool may_pick(struct upstream_server *s, struct choice choice)
{
    return (choice.asked >> s->index & 1) == 0 && s->ready > 0 &&
           ((s->failures == 0 && s->suspects == 0) || choice.is_lenient) &&
           server_conn(s) != NULL;
}

static struct upstream_server *pick_first(struct upstream_pool *p,
                                          struct choice choice)
{
    for (size_t i = 0; i < p->count; i++) {
        if (may_pick(&p->servers[i], choice)) {
            return &p->servers[i];
        }
    }
    return NULL;
}

/*
 * Smooth weighted round robin: each turn every candidate gains its weight, the
 * richest is picked and pays the sum of all. Servers of weight 3 and 1 are
 * taken 0 0 1 0, not 0 0 0 1.
 */
static struct upstream_server *pick_in_turn(struct upstream_pool *p,
                                            struct choice choice)
{
    struct upstream_server *best = NULL;
    int sum = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct upstream_server *s = &p->servers[i];
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
    return s->latency_us / s->config->weight;
}

/* The better of two taken at random: near the best on average, and no server
 * is ever overrun or forgotten. */
static struct upstream_server *pick_better_of_two(struct upstream_pool *p,
                                                  struct choice choice)
{
    struct upstream_server *two[2] = {NULL, NULL};
    uint32_t seen = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct upstream_server *s = &p->servers[i];
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
    other->latency_us -= other->latency_us / 128; /* until it is tried again */
    return is_first ? two[0] : two[1];
}

static struct upstream_server *pick(struct upstream_pool *p,
                                    struct choice choice)
{
    switch (p->config->strategy) {
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

struct upstream_server *strategy_pick(struct upstream_pool *p, uint64_t asked)
{
    struct choice choice = {.asked = asked};
    struct upstream_server *s = pick(p, choice);

    if (s == NULL) {
        choice.is_lenient = true;
        s = pick(p, choice);
    }
    return s;
}

unsigned strategy_width(const struct upstream_pool *p)
{
    return p->config->strategy == CONFIG_RACE ? p->config->race_width : 1;
}

/*
 * failover keeps the server in use and the next one ready, race those it asks
 * and one more; the others all of them. Counted in the order of the file over
 * servers that are not known to fail, so that a failing one is replaced.
 */
bool strategy_wants_warm(const struct upstream_pool *p,
                         const struct upstream_server *s)
{
    if (p->config->strategy == CONFIG_ROUND_ROBIN ||
        p->config->strategy == CONFIG_FASTEST) {
        return true;
    }
    unsigned before = 0;
    for (size_t i = 0; i < s->index; i++) {
        if (p->servers[i].failures == 0) {
            before++;
        }
    }
    return before <= strategy_width(p);
}
