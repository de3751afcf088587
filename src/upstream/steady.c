/*
 * Whether a server can be relied on: it answers, and its connections last long
 * enough to be there for a client who comes later.
 */
#include "upstream/internal.h"

bool server_is_well(const struct upstream_server *s)
{
    return s->failures == 0 && s->offline == 0;
}

bool conn_has_lasted(const struct upstream_conn *c)
{
    const struct upstream_pool *p = c->server->pool;
    uint64_t now_ms = net_now_ms(p->loop);
    uint64_t from_ms = c->has_served ? conn_active_ms(c) : c->ready_ms;

    return now_ms - from_ms >= BRIEF_MS ||
           now_ms - c->ready_ms >= p->config->retry_max_ms;
}

/* Whatever was seen before. */
static bool has_lasting_conn(const struct upstream_server *s)
{
    LIST_EACH (node, &s->conns) {
        const struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (c->state == CONN_READY && conn_has_lasted(c)) {
            return true;
        }
    }
    return false;
}

bool server_is_fleeting(const struct upstream_server *s)
{
    return (s->brief >= BRIEF_TIMES || !limits_allow_warmth(&s->limits)) &&
           !has_lasting_conn(s);
}

bool server_is_steady(const struct upstream_server *s)
{
    return server_is_well(s) && !server_is_fleeting(s);
}
