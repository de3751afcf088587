/*
 * Second copies of queries that are late. A query is late when its server has
 * answered nineteen of twenty sooner; the copy goes to the next server, or over
 * a second connection to the same one, and whoever answers first is believed.
 *
 * The budget keeps that from growing into a storm: each query of a client pays
 * a few hundredths of a copy, and little can be saved up. It does not count
 * where a connection is suspect (quiet.c): then nothing on it may be answered.
 *
 * An answer is a part of a stream. If the oldest query is late and nothing has
 * come since it left, those behind it are probably stuck in the same hole, and
 * they are asked elsewhere too, as far as the budget has more than it keeps for
 * those that are late themselves.
 */
#include "upstream/internal.h"

void hedge_refill(struct upstream_pool *p)
{
    unsigned most = HEDGE_BURST * HEDGE_COST;

    p->tokens += p->config->hedge_budget_percent;
    if (p->tokens > most) {
        p->tokens = most;
    }
}

bool hedge_is_on(const struct upstream_pool *p)
{
    return p->config->hedge_budget_percent > 0 &&
           p->set->strategy != CONFIG_RACE;
}

uint32_t server_hedge_ms(const struct upstream_server *s)
{
    const struct config *config = s->pool->config;
    /* A timer that goes off with the answer would hedge for nothing. */
    uint32_t ms = s->latency.p95_us / 1000 + 1;

    if (!latency_is_known(&s->latency) || ms > config->hedge_max_ms) {
        return config->hedge_max_ms;
    }
    return ms < config->hedge_min_ms ? config->hedge_min_ms : ms;
}

/* Take a token, leaving so many; false: there are not enough. */
static bool pay(struct upstream_pool *p, unsigned reserve)
{
    if (p->tokens < (1 + reserve) * HEDGE_COST) {
        return false;
    }
    p->tokens -= HEDGE_COST;
    return true;
}

/* Where nobody can take it, a second connection helps the next one. */
static bool send_elsewhere(struct upstream_conn *c, struct conn_slot *slot)
{
    slot->is_hedged = true;
    if (pool_send_hedge(slot->req)) {
        return true;
    }
    server_dial_more(c->server);
    return false;
}

/* One second copy is enough, until a connection is suspect. */
static bool wants_hedge(const struct conn_slot *slot)
{
    return slot->req != NULL && !slot->is_hedged &&
           slot->req->attempt_count == 1;
}

/* The next query, from slot i on, that nothing was done about. */
static uint32_t next_waiting(const struct upstream_conn *c, uint32_t i)
{
    while (i != CONN_NO_SLOT && !wants_hedge(&c->slots[i])) {
        i = c->slots[i].younger;
    }
    return i;
}

static void hedge_late(struct upstream_conn *c, struct conn_slot *slot)
{
    struct upstream_pool *p = c->server->pool;

    if (!pay(p, 0)) {
        slot->is_hedged = true;
        p->stats.hedge_denied++;
    } else if (!send_elsewhere(c, slot)) {
        p->tokens += HEDGE_COST;
    }
}

/* Those that are not late yet, behind one that is. */
static void hedge_stuck(struct upstream_conn *c, uint32_t i)
{
    struct upstream_pool *p = c->server->pool;

    while ((i = next_waiting(c, i)) != CONN_NO_SLOT && pay(p, HEDGE_RESERVE)) {
        if (!send_elsewhere(c, &c->slots[i])) {
            p->tokens += HEDGE_COST;
            return;
        }
    }
}

uint64_t hedge_overdue(struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;
    uint64_t late_us = server_hedge_ms(c->server) * UINT64_C(1000);
    uint64_t now_us = pool_now_us(p);
    uint32_t i = c->oldest;

    if (!hedge_is_on(p)) {
        return UINT64_MAX;
    }
    while ((i = next_waiting(c, i)) != CONN_NO_SLOT) {
        struct conn_slot *slot = &c->slots[i];
        if (now_us - slot->sent_us < late_us) {
            break;
        }
        c->is_late = c->is_late || c->heard_us <= slot->sent_us;
        hedge_late(c, slot);
    }
    if (c->is_late) {
        hedge_stuck(c, i);
        i = next_waiting(c, i);
    }
    if (i == CONN_NO_SLOT) {
        return UINT64_MAX;
    }
    return (late_us - (now_us - c->slots[i].sent_us)) / 1000 + 1;
}

/* Is none of the connections that hold req to be relied on? */
static bool is_stranded(const struct upstream_request *req)
{
    for (unsigned i = 0; i < req->attempt_count; i++) {
        if (!req->attempts[i].conn->is_suspect) {
            return false;
        }
    }
    return true;
}

bool hedge_all(struct upstream_conn *c)
{
    bool is_done = true;

    for (uint32_t i = c->oldest; i != CONN_NO_SLOT; i = c->slots[i].younger) {
        struct conn_slot *slot = &c->slots[i];
        if (slot->req != NULL && is_stranded(slot->req)) {
            is_done = send_elsewhere(c, slot) && is_done;
        }
    }
    return is_done;
}

void hedge_relieve(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        LIST_EACH (node, &p->servers[i]->conns) {
            struct upstream_conn *c =
                CONTAINER_OF(node, struct upstream_conn, node);
            if (c->is_suspect) {
                (void)hedge_all(c);
            }
        }
    }
}
