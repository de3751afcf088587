/*
 * What the pool tells about itself: counters, and why nobody answers.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* Did this machine's network fail, rather than the server? */
static bool is_network_error(const struct upstream_server *s)
{
    return s->last_err == ERR_NET_UNREACHABLE || s->last_err == ERR_NET_TIMEOUT;
}

/* Room that is kept for saying how many servers are left out. */
enum { MORE_LEN = 24 };

int upstream_explain(const struct upstream_pool *p, char *text, size_t len)
{
    bool all_network = true;
    size_t used = 0;
    size_t left_out = 0;

    text[0] = '\0';
    for (size_t i = 0; i < p->count; i++) {
        const struct upstream_server *s = &p->servers[i];
        bool is_down = s->failures > 0;
        size_t more = i + 1 < p->count ? MORE_LEN : 0;
        char one[SERVER_WHY_LEN * 2];
        int n = snprintf(one, sizeof(one), "%s%s %s", i == 0 ? "" : "; ",
                         s->config->label,
                         is_down ? s->why : "gave no answer in time");
        bool has_room = used + (size_t)n + more < len;
        if (i == 0 || (left_out == 0 && has_room)) { /* the first, if cut */
            snprintf(text + used, len - used, "%s", one);
            used += strlen(text + used);
        } else {
            left_out++;
        }
        all_network = all_network && (!is_down || is_network_error(s));
    }
    if (left_out > 0) {
        snprintf(text + used, len - used, "; and %zu more", left_out);
    }
    return all_network ? DNS_EDE_NETWORK : DNS_EDE_NO_REACHABLE;
}

bool upstream_is_ready(const struct upstream_pool *p)
{
    return upstream_pool_ready_conns(p) > 0;
}

const struct upstream_stats *upstream_pool_stats(const struct upstream_pool *p)
{
    return &p->stats;
}

size_t upstream_pool_pending(const struct upstream_pool *p)
{
    return p->pending;
}

size_t upstream_pool_ready_conns(const struct upstream_pool *p)
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        count += p->servers[i].ready;
    }
    return count;
}
