/*
 * What is known of a server's limits, and what follows from it.
 */
#include "upstream/internal.h"

enum {
    UNTOLD_MAX = 4 /* answers without a limit, and it is told no longer */
};

/* The shorter of two, of which 0 is none. */
static uint32_t shorter(uint32_t a_ms, uint32_t b_ms)
{
    if (a_ms == 0 || b_ms == 0) {
        return a_ms + b_ms;
    }
    return a_ms < b_ms ? a_ms : b_ms;
}

uint32_t limits_idle_ms(const struct limits *l)
{
    return shorter(l->told_idle_ms, l->idle_ms);
}

uint32_t limits_shortest_ms(const struct limits *l)
{
    return shorter(limits_idle_ms(l), l->age_ms);
}

static bool is_too_short(uint32_t limit_ms)
{
    return limit_ms != 0 && limit_ms < BRIEF_MS;
}

bool limits_allow_warmth(const struct limits *l)
{
    return !is_too_short(limits_shortest_ms(l));
}

bool limits_forbid_warmth(const struct limits *l)
{
    return is_too_short(l->told_idle_ms);
}

void limits_wake(struct upstream_server *s)
{
    LIST_EACH (node, &s->conns) {
        struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (c->state == CONN_READY) {
            conn_wake_in(c, 1);
        }
    }
}

/* A server that has told it once tells it each time, or once a connection. */
void limits_not_told(struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;

    if (l->told_idle_ms > 0 && ++l->untold >= UNTOLD_MAX) {
        l->told_idle_ms = 0;
        l->untold = 0;
    }
}
