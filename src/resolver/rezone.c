/*
 * Flights that are under way when the zones change. One whose question belongs
 * to other servers now goes on for those who wait, with the servers it asked,
 * but nobody joins it and its answer is not kept. One that follows another
 * worker's has asked nobody yet: it will ask the new servers if it has to.
 *
 * Afterwards no flight knows a pool of before but one that has a request there;
 * so such a pool can go when nothing is pending in it.
 */
#include "resolver/flight.h"

#include "base/err.h"

#include <stdlib.h>

/* Who answers for q now; NULL: a rule does, or nobody. */
static const struct resolver_zone *zone_of(const struct resolver *r,
                                           const struct dns_question *q)
{
    struct policy_verdict verdict = {.rule = POLICY_NONE};

    if (r->policy != NULL) {
        policy_judge(r->policy, q, &verdict);
    }
    const struct resolver_zone *zone =
        verdict.rule == POLICY_NONE ? &r->zones[verdict.zone] : NULL;
    return zone != NULL && zone->pool != NULL ? zone : NULL;
}

/* What was written for servers of one kind must not be sent to the other. */
static void follow_on(struct flight *f, const struct resolver_zone *zone)
{
    bool is_lost = zone == NULL || zone->is_plain != f->zone.is_plain;

    if (is_lost) {
        f->zone.pool = NULL;
        net_timer_start(&f->deadline, 0);
    } else {
        f->zone = *zone;
    }
    LIST_EACH (node, &f->waiters) {
        CONTAINER_OF(node, struct resolver_query, node)->pool = f->zone.pool;
    }
}

/* From now on it is for those alone who wait. */
static void flight_part(struct flight *f)
{
    list_remove(&f->node);
    f->is_shared = false;
    flight_tell(f, span_of(NULL, 0)); /* workers that follow ask anew */
    net_timer_stop(&f->stale);
    if (f->is_refresh) { /* it ends with the last who waits */
        f->is_refresh = false;
        f->resolver->refreshes--;
    }
}

static void rezone(struct flight *f)
{
    const struct resolver_zone *zone = zone_of(f->resolver, &f->key.question);

    if (zone != NULL && zone->pool == f->zone.pool) {
        f->zone = *zone;
    } else if (f->is_following) {
        follow_on(f, zone);
    } else if (list_is_empty(&f->waiters)) {
        flight_cancel(f); /* a refresh */
    } else {
        flight_part(f);
    }
}

void flights_rezone(struct resolver *r)
{
    for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
        LIST_EACH (node, &r->buckets[i]) {
            rezone(CONTAINER_OF(node, struct flight, node));
        }
    }
}

int resolver_reserve(struct resolver *r, size_t pool_count)
{
    if (r->spare_count >= pool_count) {
        return 0;
    }
    free(r->spare);
    r->spare = calloc(pool_count, sizeof(*r->spare));
    r->spare_count = r->spare == NULL ? 0 : pool_count;
    return r->spare == NULL ? ERR_NOMEM : 0;
}
