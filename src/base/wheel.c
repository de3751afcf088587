/*
 * The timing wheel. Times are read as groups of six bits; an entry waits at
 * the level of the highest group in which its time differs from the wheel's,
 * in the slot which that group names.
 *
 * Invariant: below the last level, every slot with entries lies ahead of the
 * wheel's own index of that level (or at it, on level 0) within the same
 * revolution. So the lowest level with entries holds what is due next, and an
 * advance goes from one such slot to the next, however long the jump is.
 * The last level turns around: an entry more than a revolution away is met
 * before its time, and placed anew, once a revolution.
 */
#include "base/wheel.h"

#include <assert.h>

enum {
    BITS = 6,
    TOP = WHEEL_LEVELS - 1,
    TOP_SHIFT = TOP * BITS,
};

/* Far beyond any clock in milliseconds; keeps sums of times from wrapping. */
#define NOW_MAX (UINT64_MAX / 2)

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    assert(now_ms <= NOW_MAX);
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
            list_init(&w->slots[level][slot]);
        }
        w->pending[level] = 0;
    }
    w->now_ms = now_ms;
}

void wheel_entry_init(struct wheel_entry *e)
{
    list_init(&e->node);
    e->expires_at_ms = 0;
    e->is_armed = false;
}

static unsigned slot_at(uint64_t time_ms, int level)
{
    return (unsigned)(time_ms >> level * BITS) % WHEEL_SLOTS;
}

/* Put an entry that is in no list where its time belongs. */
static void place(struct wheel *w, struct wheel_entry *e)
{
    uint64_t when = e->expires_at_ms;
    uint64_t differs = when ^ w->now_ms;
    int level = differs == 0 ? 0 : (63 - __builtin_clzll(differs)) / BITS;
    unsigned slot;

    if (level > TOP) {
        level = TOP;
    }
    slot = slot_at(when, level);
    list_push_back(&w->slots[level][slot], &e->node);
    w->pending[level] |= 1ull << slot;
}

void wheel_arm(struct wheel *w, struct wheel_entry *e, uint64_t expires_at_ms)
{
    wheel_cancel(w, e);
    /* What is past is due now, in the order of arming. */
    e->expires_at_ms = expires_at_ms > w->now_ms ? expires_at_ms : w->now_ms;
    e->is_armed = true;
    place(w, e);
}

void wheel_cancel(struct wheel *w, struct wheel_entry *e)
{
    struct list *neighbour = e->node.next;

    if (neighbour == NULL) { /* zeroed, never armed */
        list_init(&e->node);
        return;
    }
    if (e->is_armed && neighbour == e->node.prev) {
        /* The only entry: its neighbour is the head of the slot. */
        size_t at = (size_t)(neighbour - &w->slots[0][0]);
        w->pending[at / WHEEL_SLOTS] &= ~(1ull << at % WHEEL_SLOTS);
    }
    list_remove(&e->node);
    e->is_armed = false;
}

/*
 * Level and beginning of the slot that is reached next. Returns false when
 * the wheel is empty.
 */
static bool next_slot(const struct wheel *w, int *level, uint64_t *begins_ms)
{
    unsigned index = slot_at(w->now_ms, TOP);
    uint64_t ahead;

    for (int l = 0; l < TOP; l++) {
        if (w->pending[l] != 0) {
            uint64_t slot = (uint64_t)__builtin_ctzll(w->pending[l]);
            uint64_t turn = w->now_ms >> (l + 1) * BITS;
            *level = l;
            *begins_ms = (turn << BITS | slot) << l * BITS;
            return true;
        }
    }
    if (w->pending[TOP] == 0) {
        return false;
    }
    /* Bit 0 of ahead is the slot after the wheel's own, bit 63 its own. */
    ahead = w->pending[TOP] >> index >> 1;
    ahead |= w->pending[TOP] << (WHEEL_SLOTS - 1 - index);
    *level = TOP;
    *begins_ms =
        ((w->now_ms >> TOP_SHIFT) + 1 + (uint64_t)__builtin_ctzll(ahead))
        << TOP_SHIFT;
    return true;
}

/* Empty the slot of level that begins at the wheel's time. */
static void drain(struct wheel *w, int level, struct list *due)
{
    unsigned slot = slot_at(w->now_ms, level);
    struct list moved;

    list_init(&moved);
    list_splice(&moved, &w->slots[level][slot]);
    w->pending[level] &= ~(1ull << slot);
    LIST_EACH (node, &moved) {
        struct wheel_entry *e = CONTAINER_OF(node, struct wheel_entry, node);

        list_remove(node);
        if (e->expires_at_ms <= w->now_ms) {
            e->is_armed = false;
            list_push_back(due, node);
        } else {
            place(w, e);
        }
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ms, struct list *due)
{
    int level;
    uint64_t begins_ms;

    assert(now_ms <= NOW_MAX);
    /* A slot above level 0 may hold entries of the very millisecond it begins
     * with: they are due at once, before the slots of level 0 they precede. */
    while (next_slot(w, &level, &begins_ms) && begins_ms <= now_ms) {
        w->now_ms = begins_ms;
        drain(w, level, due);
    }
    if (now_ms > w->now_ms) {
        w->now_ms = now_ms;
    }
}

uint64_t wheel_next_ms(const struct wheel *w)
{
    int level;
    uint64_t begins_ms;

    if (!next_slot(w, &level, &begins_ms)) {
        return UINT64_MAX;
    }
    return begins_ms - w->now_ms;
}
