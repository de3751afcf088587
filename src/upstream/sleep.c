/*
 * The machine was suspended: it may be elsewhere now, and its peers may have
 * forgotten it, without a word. Waiting to find out would cost each connection
 * its time of silence, so all are opened anew.
 */
#include "upstream/internal.h"

#include "base/err.h"

#define LOG_ROOM "upstream"

/* The clock that stops in suspend falls behind the one that goes on. */
uint64_t pool_asleep_ms(const struct upstream_pool *p)
{
    return net_boot_ms(p->loop) - net_now_ms(p->loop);
}

void pool_check_sleep(struct upstream_pool *p)
{
    uint64_t asleep = pool_asleep_ms(p);

    if (asleep - p->asleep_ms > SLEEP_MS && asleep > p->asleep_ms) {
        log_info("the machine was suspended for %llu s; connecting anew",
                 (unsigned long long)((asleep - p->asleep_ms) / 1000));
        p->has_slept = true;
        pool_review(p);
    }
    p->asleep_ms = asleep;
}

/* A reset says nothing against the servers, and moves the requests. */
void pool_connect_anew(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        LIST_EACH (node, &p->servers[i].conns) {
            struct upstream_conn *c =
                CONTAINER_OF(node, struct upstream_conn, node);
            conn_close(c, c->state == CONN_READY ? ERR_NET_RESET : 0);
        }
    }
}
