/*
 * Clients wait, and no connection is ready. Servers whose connections last are
 * dialled all at once: whoever is there first answers, and the others are then
 * ready. Of those whose connections do not, each would cost a handshake for
 * each query, so they are dialled in turn, as the addresses of a host are (RFC
 * 8305): the next one when a dial has failed or takes long.
 */
#include "upstream/internal.h"

enum { NEXT_SERVER_MS = CONN_NEXT_ADDR_MS };

static void on_demand_timer(struct net_timer *t)
{
    struct upstream_pool *p =
        CONTAINER_OF(t, struct upstream_pool, demand_timer);

    if (p->pending == 0) {
        p->demand = 0;
        return;
    }
    p->demand++;
    net_timer_start(t, NEXT_SERVER_MS);
    demand_go_on(p);
}

void demand_init(struct upstream_pool *p)
{
    net_timer_init(&p->demand_timer, p->loop, on_demand_timer);
}

void demand_stop(struct upstream_pool *p)
{
    net_timer_stop(&p->demand_timer);
}

/* Dials that may come to something. One failure is no more than what a server
 * shows that closes a connection before it was used. */
static unsigned promising_dials(const struct upstream_pool *p)
{
    unsigned count = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = p->servers[i];
        count += s->dialing > 0 && s->failures <= 1 && s->offline == 0;
    }
    return count;
}

/* One that failed a moment ago has its back-off, which only a client who has
 * just come cuts short. */
static bool may_dial(const struct upstream_server *s, bool is_new)
{
    const struct upstream_pool *p = s->pool;

    return s->dialing == 0 && s->ready == 0 && server_is_fleeting(s) &&
           (is_new || server_is_well(s) ||
            net_now_ms(p->loop) - s->dialed_ms >= p->config->retry_min_ms);
}

/* With which server it begins. Those that share the queries share this. */
static size_t first_of(struct upstream_pool *p)
{
    bool is_shared = p->set->strategy == CONFIG_ROUND_ROBIN ||
                     p->set->strategy == CONFIG_FASTEST;

    return is_shared ? rng_below(&p->rng, (uint32_t)p->count) : 0;
}

static void dial_in_turn(struct upstream_pool *p, bool is_new)
{
    unsigned most = strategy_width(p) + p->demand;
    size_t first = first_of(p);
    bool is_held_back = false;

    for (size_t i = 0; i < p->count; i++) {
        struct upstream_server *s = p->servers[(first + i) % p->count];
        if (!may_dial(s, is_new)) {
            continue;
        }
        if (promising_dials(p) < most) {
            server_dial_if_due(s, 0, true);
        } else {
            is_held_back = true;
        }
    }
    if (is_held_back && !net_timer_is_active(&p->demand_timer)) {
        net_timer_start(&p->demand_timer, NEXT_SERVER_MS);
    }
}

void demand_go_on(struct upstream_pool *p)
{
    dial_in_turn(p, false);
}

void pool_dial_for_clients(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!server_is_fleeting(p->servers[i])) {
            server_dial_if_due(p->servers[i], 0, true);
        }
    }
    dial_in_turn(p, true);
}
