/*
 * Linear probing; at most half of the slots are in use, so a free one ends
 * every search. Removing moves later entries of the run back, so that there
 * are no marks of deleted entries.
 */
#include "listener/peers.h"

#include "base/err.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 32 };

void peers_init(struct peer_table *t, const uint64_t secret[2])
{
    *t = (struct peer_table){.secret = {secret[0], secret[1]}};
}

void peers_finish(struct peer_table *t)
{
    free(t->slots);
    peers_init(t, t->secret);
}

struct peer_key peers_key(const struct addr *a)
{
    struct peer_key key = {0, a->family};

    memcpy(&key.high, a->ip, sizeof(key.high));
    if (a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) {
        memcpy(&key.low, a->ip + 8, sizeof(key.low));
        key.low ^= (uint64_t)a->scope_id << 32;
    }
    return key;
}

/* Every bit of x changes half of the bits of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
    return x ^ x >> 33;
}

/* Where the search for key begins. */
static size_t home(const struct peer_table *t, const struct peer_key *key)
{
    uint64_t hash =
        mix(mix(key->high ^ t->secret[0]) + t->secret[1] + key->low);

    return (size_t)hash & (t->slot_count - 1);
}

static bool key_equal(const struct peer_key *a, const struct peer_key *b)
{
    return a->high == b->high && a->low == b->low;
}

/* The slot of key, or the free one where it would go. */
static struct peer_slot *find(const struct peer_table *t,
                              const struct peer_key *key)
{
    size_t at = home(t, key);

    while (t->slots[at].count > 0 && !key_equal(&t->slots[at].key, key)) {
        at = (at + 1) & (t->slot_count - 1);
    }
    return &t->slots[at];
}

unsigned peers_count(const struct peer_table *t, const struct peer_key *key)
{
    return t->slot_count == 0 ? 0 : find(t, key)->count;
}

static int grow(struct peer_table *t)
{
    struct peer_table bigger = *t;

    bigger.slot_count = t->slot_count == 0 ? SLOTS_MIN : t->slot_count * 2;
    bigger.slots = calloc(bigger.slot_count, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i].count > 0) {
            *find(&bigger, &t->slots[i].key) = t->slots[i];
        }
    }
    free(t->slots);
    *t = bigger;
    return 0;
}

int peers_add(struct peer_table *t, const struct peer_key *key)
{
    struct peer_slot *slot;

    if ((t->used + 1) * 2 > t->slot_count) {
        int err = grow(t);
        if (err != 0) {
            return err;
        }
    }
    slot = find(t, key);
    if (slot->count == 0) {
        slot->key = *key;
        t->used++;
    }
    slot->count++;
    return 0;
}

/* Free slot at, and move back what was placed behind it for want of it. */
static void close_gap(struct peer_table *t, size_t at)
{
    size_t mask = t->slot_count - 1;
    size_t gap = at;

    for (size_t i = (at + 1) & mask; t->slots[i].count > 0;
         i = (i + 1) & mask) {
        size_t from_home = (i - home(t, &t->slots[i].key)) & mask;

        if (from_home >= ((i - gap) & mask)) {
            t->slots[gap] = t->slots[i];
            gap = i;
        }
    }
    t->slots[gap].count = 0;
}

void peers_remove(struct peer_table *t, const struct peer_key *key)
{
    struct peer_slot *slot;

    assert(t->slot_count > 0);
    slot = find(t, key);
    assert(slot->count > 0);
    slot->count--;
    if (slot->count == 0) {
        t->used--;
        close_gap(t, (size_t)(slot - t->slots));
    }
}
