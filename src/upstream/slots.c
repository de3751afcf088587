/*
 * The queries on their way over one connection: a table of slots whose index
 * is the lower part of the id on the wire, so that an answer finds its query
 * without a search. Free slots are a list through the table, which grows by
 * doubling and never shrinks; those in use are a list in the order of sending,
 * so that what waits longest is found at once.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdlib.h>

static unsigned index_bits(const struct upstream_conn *c)
{
    unsigned max = c->server->pool->config->queries_per_connection;
    unsigned bits = 5; /* CONN_SLOTS_FIRST */

    while (1U << bits < max) {
        bits++;
    }
    return bits;
}

uint16_t conn_slot_id(const struct upstream_conn *c, uint32_t slot)
{
    return (uint16_t)(slot | (uint32_t)c->slots[slot].generation
                                 << index_bits(c));
}

static int grow(struct upstream_conn *c)
{
    uint32_t old = c->slot_count;
    uint32_t count = old == 0 ? CONN_SLOTS_FIRST : old * 2;
    struct conn_slot *slots = realloc(c->slots, count * sizeof(*slots));

    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = old; i < count; i++) {
        slots[i] = (struct conn_slot){
            .younger = i + 1 < count ? i + 1 : CONN_NO_SLOT,
            .generation = (uint16_t)rng_next(&c->server->pool->rng),
        };
    }
    c->slots = slots;
    c->slot_count = count;
    c->free_slot = old;
    return 0;
}

uint32_t conn_slot_find(const struct upstream_conn *c, uint16_t id)
{
    uint32_t i = id & ((1U << index_bits(c)) - 1);

    if (i >= c->slot_count || c->slots[i].sent_us == 0 ||
        conn_slot_id(c, i) != id) {
        return CONN_NO_SLOT;
    }
    return i;
}

/* Put slot i at the young end of the list of those in use. */
static void enqueue(struct upstream_conn *c, uint32_t i)
{
    c->slots[i].older = c->newest;
    c->slots[i].younger = CONN_NO_SLOT;
    if (c->newest == CONN_NO_SLOT) {
        c->oldest = i;
    } else {
        c->slots[c->newest].younger = i;
    }
    c->newest = i;
}

static void dequeue(struct upstream_conn *c, uint32_t i)
{
    const struct conn_slot *slot = &c->slots[i];

    if (slot->older == CONN_NO_SLOT) {
        c->oldest = slot->younger;
    } else {
        c->slots[slot->older].younger = slot->younger;
    }
    if (slot->younger == CONN_NO_SLOT) {
        c->newest = slot->older;
    } else {
        c->slots[slot->younger].older = slot->older;
    }
}

int conn_slot_take(struct upstream_conn *c, struct upstream_request *req,
                   uint32_t *out)
{
    if (c->free_slot == CONN_NO_SLOT) {
        int err = grow(c);
        if (err != 0) {
            return err;
        }
    }
    uint32_t i = c->free_slot;
    struct conn_slot *slot = &c->slots[i];
    c->free_slot = slot->younger;
    slot->req = req;
    slot->is_used = true;
    slot->is_probe = req == NULL;
    slot->is_hedged = false;
    slot->generation++;
    slot->serial = ++c->sent;
    slot->sent_us = pool_now_us(c->server->pool);
    c->outstanding++;
    enqueue(c, i);
    *out = i;
    return 0;
}

void conn_slot_free(struct upstream_conn *c, uint32_t i)
{
    struct conn_slot *slot = &c->slots[i];

    dequeue(c, i);
    slot->req = NULL;
    slot->is_used = false;
    slot->younger = c->free_slot;
    c->free_slot = i;
    c->outstanding--;
    if (c->is_retired && c->outstanding == 0) {
        conn_leave(c, 0);
    }
    if (!list_is_empty(&c->server->pool->waiting)) {
        pool_review(c->server->pool); /* somebody waits for it, perhaps */
    }
}

void conn_slots_sweep(struct upstream_conn *c)
{
    uint64_t now_us = pool_now_us(c->server->pool);
    uint32_t i = c->oldest;

    while (i != CONN_NO_SLOT &&
           now_us - c->slots[i].sent_us > CONN_ABANDON_MS * UINT64_C(1000)) {
        uint32_t next = c->slots[i].younger;
        if (c->slots[i].req == NULL) {
            conn_slot_free(c, i);
        }
        i = next;
    }
}

void conn_abandon(struct upstream_conn *c, uint32_t slot)
{
    c->slots[slot].req = NULL;
}
