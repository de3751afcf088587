/*
 * A hierarchical timing wheel: O(1) to arm, cancel and expire, no allocation.
 * Knows no clock: the owner says what time it is. Resolution 1 ms; a timer
 * never fires early, and fires at the first wheel_advance() to its time or
 * later. Used for every timeout of the program, through net/timer.h.
 *
 * 6 levels of 64 slots reach 2^36 ms (about two years); later expiries wait in
 * the last level and move down. (Varghese and Lauck, 1987, scheme 6.)
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 6, WHEEL_SLOTS = 64 };

/* Embed one; zero it or wheel_entry_init() it before first use. */
struct wheel_entry {
    struct list node;       /* in a slot, or on its own when not armed */
    uint64_t expires_at_ms; /* valid while armed */
    bool is_armed;
};

struct wheel {
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t pending[WHEEL_LEVELS]; /* bit n: slot n has entries */
    uint64_t now_ms;
};

void wheel_init(struct wheel *w, uint64_t now_ms);

void wheel_entry_init(struct wheel_entry *e);

/* Arm e to expire at expires_at_ms (at once when that is past); re-arms. */
void wheel_arm(struct wheel *w, struct wheel_entry *e, uint64_t expires_at_ms);

/* Disarm e; does nothing when it is not armed. */
void wheel_cancel(struct wheel *w, struct wheel_entry *e);

/*
 * Set the time (never backwards; an earlier one is ignored) and move entries
 * that are due to the end of due, disarmed, in order of their expiry to the
 * millisecond. The caller takes each off due before acting on it; it may arm
 * and cancel others meanwhile (wheel_cancel() takes an entry off due as well).
 */
void wheel_advance(struct wheel *w, uint64_t now_ms, struct list *due);

/*
 * Milliseconds from the wheel's time until something may be due: never later
 * than the earliest expiry, possibly earlier (a cascade). UINT64_MAX: empty.
 */
uint64_t wheel_next_ms(const struct wheel *w);

#endif
