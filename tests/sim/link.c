/*
 * Links: properties of addresses, found by a walk (there are a few dozen).
 * What a fault does to streams is in net_stream.c.
 */
#include "link.h"

#include "net_sim.h"

#include <stdlib.h>

struct sim_link *sim_link(struct sim_world *w, const struct addr *addr)
{
    LIST_EACH (node, &w->links) {
        struct sim_link *l = CONTAINER_OF(node, struct sim_link, node);
        if (addr_ip_equal(&l->addr, addr)) {
            return l;
        }
    }
    struct sim_link *l = sim_alloc(sizeof(*l));
    l->addr = *addr;
    l->addr.port = 0;
    l->delay_us = 5;
    l->jitter_us = 10;
    l->segment_max = 1460;
    l->send_buffer = 256 * 1024;
    list_push_back(&w->links, &l->node);
    return l;
}

void sim_link_delay(struct sim_link *l, uint32_t delay_us, uint32_t jitter_us)
{
    l->delay_us = delay_us;
    l->jitter_us = jitter_us;
}

static bool is_passing(const struct sim_link *l)
{
    return l->state != SIM_LINK_STALLED && l->state != SIM_LINK_UNREACHABLE;
}

void sim_link_set(struct sim_world *w, struct sim_link *l,
                  enum sim_link_state state)
{
    bool was_passing = is_passing(l);

    sim_trace_number(w, state);
    l->state = state;
    if (was_passing && !is_passing(l)) {
        l->stalled_at_us = w->now_us;
    } else if (!was_passing && is_passing(l)) {
        sim_streams_resume(w, l);
    }
}

bool sim_links_pass(const struct sim_link *a, const struct sim_link *b)
{
    return is_passing(a) && is_passing(b);
}

uint64_t sim_links_delay(struct sim_world *w, const struct sim_link *a,
                         const struct sim_link *b)
{
    return (uint64_t)a->delay_us + b->delay_us +
           rng_below(&w->rng, a->jitter_us + b->jitter_us + 1);
}

bool sim_links_lose(struct sim_world *w, const struct sim_link *a,
                    const struct sim_link *b)
{
    return sim_chance(w, a->loss_percent) || sim_chance(w, b->loss_percent);
}

void sim_links_finish(struct sim_world *w)
{
    LIST_EACH (node, &w->links) {
        free(CONTAINER_OF(node, struct sim_link, node));
    }
    list_init(&w->links);
}
