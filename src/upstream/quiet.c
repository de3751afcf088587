/*
 * Silence. A connection on which queries wait and no answer comes is suspect
 * after a few times what its server takes for nearly all answers, and after
 * answer_timeout at the latest. (Octets alone do not count: a server may drip
 * them for ever.) It takes no new queries then, what is on it is asked
 * elsewhere too, and it is asked itself whether it is there; what it answers
 * is still welcome, for a server may be slow with one name. After
 * answer_timeout more it is given up.
 *
 * And idleness: a connection without queries for upstream_idle is closed.
 *
 * A connection has one timer for all this and what hedge.c and limits.c have
 * to do. It is never put off, only brought forward: when it goes off early, it
 * is set again, which is cheaper than to move it with each query.
 */
#include "upstream/internal.h"

#include "base/err.h"

#define LOG_ROOM "upstream"

void conn_wake_in(struct upstream_conn *c, uint64_t ms)
{
    uint64_t at_ms = net_now_ms(c->server->pool->loop) + ms;

    if (!net_timer_is_active(&c->timer) ||
        c->timer.entry.expires_at_ms > at_ms) {
        net_timer_start(&c->timer, ms);
    }
}

uint32_t server_suspect_ms(const struct upstream_server *s)
{
    uint32_t most_ms = s->pool->config->answer_timeout_ms;
    uint64_t ms = (uint64_t)s->latency.p99_us * SUSPECT_TIMES / 1000 + 1;

    if (!latency_is_known(&s->latency) || ms > most_ms) {
        return most_ms;
    }
    if (ms < SUSPECT_MIN_MS) {
        return SUSPECT_MIN_MS < most_ms ? SUSPECT_MIN_MS : most_ms;
    }
    return (uint32_t)ms;
}

uint64_t conn_active_ms(const struct upstream_conn *c)
{
    uint64_t heard_ms = c->heard_us / 1000;

    return c->used_ms > heard_ms ? c->used_ms : heard_ms;
}

/* What a query that leaves now waits for first. */
static uint32_t first_look_ms(const struct upstream_server *s)
{
    uint32_t suspect_ms = server_suspect_ms(s);
    uint32_t hedge_ms = server_hedge_ms(s);

    return hedge_is_on(s->pool) && hedge_ms < suspect_ms ? hedge_ms
                                                         : suspect_ms;
}

void conn_used(struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;

    p->stats.sent++;
    c->server->queries++;
    if (c->outstanding == 1) {
        limits_used(c);
    }
    c->used_ms = net_now_ms(p->loop);
    conn_wake_in(c, first_look_ms(c->server));
    if (c->sent >= c->count_mark) {
        limits_count(c);
    }
}

void conn_heard(struct upstream_conn *c)
{
    c->heard_us = pool_now_us(c->server->pool);
    c->is_late = false;
    if (c->is_suspect) {
        conn_mark(c, false, c->is_retired);
        limits_surplus(c);
        pool_review(c->server->pool);
    }
}

void conn_suspect(struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;

    if (c->state != CONN_READY || c->is_suspect) {
        return;
    }
    log_debug("%s: connection silent, %u queries on it",
              c->server->config->label, c->outstanding);
    p->stats.suspects++;
    c->suspect_ms = net_now_ms(p->loop);
    conn_mark(c, true, c->is_retired);
    conn_probe(c);
    if (!hedge_all(c)) {
        pool_dial_for_clients(p);
    }
    pool_review(p);
}

void conn_begin_quiet(struct upstream_conn *c)
{
    uint32_t idle_ms = c->server->pool->config->upstream_idle_ms;

    c->used_ms = c->ready_ms;
    c->heard_us = pool_now_us(c->server->pool);
    net_timer_stop(&c->timer);
    if (idle_ms > 0) {
        conn_wake_in(c, idle_ms);
    }
}

/* The oldest query that silence counts for: not one that a later question of
 * ours has overtaken. */
static const struct conn_slot *oldest_unproven(const struct upstream_conn *c)
{
    for (uint32_t i = c->oldest; i != CONN_NO_SLOT; i = c->slots[i].younger) {
        if (c->slots[i].serial > c->proven) {
            return &c->slots[i];
        }
    }
    return NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long until it is suspect, or given up; 0: it is time. */
static uint64_t silence_left_ms(const struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;
    uint64_t limit_ms = p->config->answer_timeout_ms;
    uint64_t quiet_ms = net_now_ms(p->loop) - c->suspect_ms;

    if (!c->is_suspect) {
        const struct conn_slot *slot = oldest_unproven(c);
        if (slot == NULL) {
            return UINT64_MAX;
        }
        uint64_t since_us =
            slot->sent_us > c->heard_us ? slot->sent_us : c->heard_us;
        quiet_ms = (pool_now_us(p) - since_us) / 1000;
        limit_ms = server_suspect_ms(c->server);
    }
    return quiet_ms >= limit_ms ? 0 : limit_ms - quiet_ms;
}

/* How long until it is closed because nobody uses it. */
static uint64_t idle_left_ms(const struct upstream_conn *c)
{
    uint32_t limit_ms = c->server->pool->config->upstream_idle_ms;
    uint64_t idle_ms = net_now_ms(c->server->pool->loop) - c->used_ms;

    if (limit_ms == 0) {
        return UINT64_MAX;
    }
    return idle_ms >= limit_ms ? 0 : limit_ms - idle_ms;
}

/* Queries are on their way. Returns when to look again, or 0: c was closed. */
static uint64_t check_busy(struct upstream_conn *c)
{
    uint64_t left_ms = silence_left_ms(c);
    uint64_t late_ms = hedge_overdue(c);

    if (left_ms == 0 && c->is_suspect) {
        conn_close(c, ERR_NET_TIMEOUT);
        return 0;
    }
    if (left_ms == 0) {
        conn_suspect(c);
        left_ms = c->server->pool->config->answer_timeout_ms;
    }
    return least(least(left_ms, late_ms), CONN_ABANDON_MS + 1);
}

void conn_check_quiet(struct upstream_conn *c)
{
    uint64_t next_ms;

    if (c->outstanding > 0) {
        conn_slots_sweep(c);
    }
    if (c->outstanding > 0) {
        next_ms = check_busy(c);
    } else {
        next_ms = idle_left_ms(c);
        if (next_ms == 0) {
            conn_close(c, 0);
        }
    }
    if (next_ms == 0) {
        return;
    }
    next_ms = least(next_ms, limits_check(c));
    if (next_ms != UINT64_MAX) {
        conn_wake_in(c, next_ms > 0 ? next_ms : 1);
    }
}
