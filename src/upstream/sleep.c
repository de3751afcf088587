/*
 * The machine was suspended: it may be elsewhere now, and its peers may have
 * forgotten it, without a word. Waiting to find out would cost each connection
 * its time of silence, so all are opened anew. And: its network changed under
 * it, which may mean the same, or nothing.
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

void pool_connect_anew(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        tls_client_moved(p->servers[i]->tls); /* who knows where it woke */
        LIST_EACH (node, &p->servers[i]->conns) {
            conn_drop(CONTAINER_OF(node, struct upstream_conn, node));
        }
    }
}

/* ---- the machine moved ---- */

/* Connections from an address that is gone can get no answer any more. */
static void drop_from(struct upstream_pool *p, const struct addr *gone)
{
    for (size_t i = 0; i < p->count; i++) {
        LIST_EACH (node, &p->servers[i]->conns) {
            struct upstream_conn *c =
                CONTAINER_OF(node, struct upstream_conn, node);
            if (c->stream != NULL && addr_ip_equal(&c->local, gone)) {
                conn_drop(c);
            }
        }
    }
}

/* Those that still work say so in one round trip. */
static void doubt_all(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        LIST_EACH (node, &p->servers[i]->conns) {
            conn_suspect(CONTAINER_OF(node, struct upstream_conn, node));
        }
    }
}

void upstream_pool_network_changed(struct upstream_pool *p,
                                   const struct addr *gone)
{
    if (p->plain != NULL) {
        plain_network_changed(p->plain, gone);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        server_forgive(p->servers[i]);
        tls_client_moved(p->servers[i]->tls);
    }
    if (gone != NULL) {
        drop_from(p, gone);
    } else {
        doubt_all(p);
    }
    if (!list_is_empty(&p->waiting)) {
        pool_dial_for_clients(p);
    }
    pool_review(p);
}
