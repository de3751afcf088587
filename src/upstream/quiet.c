/*
 * Silence: a connection on which queries wait and no answer comes is suspect
 * after answer_timeout. (Octets alone do not count: a server may drip them for
 * ever.) It takes no new queries then, and is asked whether it
 * is there; what it answers is still welcome, for a server may be slow with
 * one name. After as much time again it is given up. And idleness: a
 * connection without queries for upstream_idle is closed.
 */
#include "upstream/internal.h"

#include "base/err.h"

void conn_used(struct upstream_conn *c)
{
    struct upstream_pool *p = c->server->pool;

    p->stats.sent++;
    c->used_ms = net_now_ms(p->loop);
    if (c->outstanding == 1) {
        c->quiet_since_ms = c->used_ms;
        net_timer_start(&c->timer, p->config->answer_timeout_ms);
    }
}

void conn_heard(struct upstream_conn *c)
{
    c->quiet_since_ms = net_now_ms(c->server->pool->loop);
    if (c->is_suspect) {
        c->is_suspect = false;
        c->server->suspects--;
        c->server->ready++;
        pool_review(c->server->pool);
    }
}

/* Queries wait and nothing comes: it takes no new ones, and is asked whether
 * it is there; its answers are still welcome. */
static void conn_suspect(struct upstream_conn *c)
{
    c->is_suspect = true;
    c->server->suspects++;
    c->server->ready--;
    conn_probe(c);
    pool_review(c->server->pool);
}

void conn_await_idle(struct upstream_conn *c)
{
    uint32_t idle_ms = c->server->pool->config->upstream_idle_ms;

    net_timer_stop(&c->timer);
    if (idle_ms > 0) {
        net_timer_start(&c->timer, idle_ms);
    }
}

void conn_check_quiet(struct upstream_conn *c)
{
    const struct config *config = c->server->pool->config;
    uint64_t now = net_now_ms(c->server->pool->loop);

    if (c->outstanding > 0) {
        conn_slots_sweep(c);
    }
    if (c->outstanding > 0) {
        uint64_t quiet = now - c->quiet_since_ms;
        uint64_t limit = config->answer_timeout_ms;
        if (c->is_suspect && quiet >= 2 * limit) {
            conn_close(c, ERR_NET_TIMEOUT);
            return;
        }
        if (!c->is_suspect && quiet >= limit) {
            conn_suspect(c);
        }
        limit *= c->is_suspect ? 2 : 1;
        net_timer_start(&c->timer, limit - quiet);
    } else if (config->upstream_idle_ms > 0) {
        uint64_t idle = now - c->used_ms;
        if (idle >= config->upstream_idle_ms) {
            conn_close(c, 0);
            return;
        }
        net_timer_start(&c->timer, config->upstream_idle_ms - idle);
    }
}
