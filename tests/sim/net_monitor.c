/*
 * net/monitor.h: the network changes when sim_monitor_tell() says so.
 */
#include "net_sim.h"

#include <assert.h>
#include <stdlib.h>

enum { GONE_MAX = 16 };

struct net_monitor {
    struct list node; /* in the loop's monitors */
    struct sim_ready ready;
    struct net_loop *loop;
    net_monitor_fn *fn;
    void *arg;
    struct addr gone[GONE_MAX];
    size_t gone_count;
    bool is_closed;
};

static void on_ready(struct sim_ready *r)
{
    struct net_monitor *m = CONTAINER_OF(r, struct net_monitor, ready);
    size_t count = m->gone_count;

    m->gone_count = 0;
    for (size_t i = 0; i < count && !m->is_closed; i++) {
        m->fn(m->arg, NET_ADDRESS_GONE, &m->gone[i]);
    }
    if (!m->is_closed) {
        m->fn(m->arg, NET_CHANGED, NULL);
    }
}

void sim_monitor_tell(struct net_loop *l, enum net_change change,
                      const struct addr *addr)
{
    LIST_EACH (node, &l->monitors) {
        struct net_monitor *m = CONTAINER_OF(node, struct net_monitor, node);
        if (change == NET_ADDRESS_GONE) {
            assert(m->gone_count < GONE_MAX);
            m->gone[m->gone_count++] = *addr;
        }
        sim_ready_mark(l, &m->ready);
    }
}

int net_monitor_start(struct net_loop *l, net_monitor_fn *fn, void *arg,
                      struct net_monitor **out)
{
    struct net_monitor *m = sim_alloc(sizeof(*m));

    m->loop = l;
    m->fn = fn;
    m->arg = arg;
    sim_ready_init(&m->ready, on_ready);
    list_push_back(&l->monitors, &m->node);
    l->open_count++;
    *out = m;
    return 0;
}

static void monitor_free(void *arg)
{
    free(arg);
}

void net_monitor_close(struct net_monitor *m)
{
    if (m == NULL) {
        return;
    }
    assert(!m->is_closed);
    m->is_closed = true;
    sim_ready_clear(&m->ready);
    list_remove(&m->node);
    m->loop->open_count--;
    int err = net_loop_post(m->loop, monitor_free, m);
    (void)err;
}
