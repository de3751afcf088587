/*
 * The event loop of one thread, its clocks and its timers.
 *
 * net/ is a seam: these headers have two implementations, chosen when linking.
 * src/net/ is the real one, on libuv; tests/sim/net_*.c simulate network and
 * time for tests. No other room reads a clock, a socket or a random source.
 *
 * One loop belongs to one thread; only net_loop_post() and net_loop_stop() may
 * be called from others. Callbacks run one at a time from net_loop_run().
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/attr.h"
#include "base/list.h"
#include "base/wheel.h"

#include <stddef.h>
#include <stdint.h>

struct net_loop;

/* The process ignores SIGPIPE from here on. Returns 0 | ERR_NOMEM |
 * ERR_NET_FILES | ERR_NET_OTHER. */
MUST_USE int net_loop_create(struct net_loop **out);

/* Everything opened on it must be closed; runs the last close callbacks, but no
 * post that has not run yet. Accepts NULL. */
void net_loop_destroy(struct net_loop *l);

/* Run until net_loop_stop(). */
void net_loop_run(struct net_loop *l);

/* Make net_loop_run() return after this turn. Any thread. */
void net_loop_stop(struct net_loop *l);

/* Call fn(arg) in the loop's thread, soon. Any thread; allocates. Posts of one
 * thread run in their order. Returns 0 | ERR_NOMEM. */
typedef void net_post_fn(void *arg);
MUST_USE int net_loop_post(struct net_loop *l, net_post_fn *fn, void *arg);

/* Monotonic milliseconds, as of the start of this turn of the loop (cheap). */
uint64_t net_now_ms(const struct net_loop *l);

/* The same, but going on while the machine is suspended (CLOCK_BOOTTIME): for
 * what ages, as TTLs do. */
uint64_t net_boot_ms(struct net_loop *l);

/* Monotonic microseconds, read now (for latencies). */
uint64_t net_now_us(const struct net_loop *l);

/* The time of day, seconds since 1970, read now; it may jump. */
uint64_t net_wall_s(const struct net_loop *l);

/* The same in milliseconds. */
uint64_t net_wall_ms(const struct net_loop *l);

/* The same in microseconds. */
uint64_t net_wall_us(const struct net_loop *l);

/* Fill out with octets that an attacker cannot guess. */
void net_random(struct net_loop *l, void *out, size_t len);

/* The version of libuv that runs, static. */
const char *net_library_version(void);

/* ---- timers: one shot, embedded in the owner ---- */

struct net_timer;
typedef void net_timer_fn(struct net_timer *t);

struct net_timer {
    struct wheel_entry entry;
    struct net_loop *loop;
    net_timer_fn *fn; /* finds its owner with CONTAINER_OF() */
};

void net_timer_init(struct net_timer *t, struct net_loop *l, net_timer_fn *fn);

/* (Re)start: fn runs once, delay_ms from net_now_ms() or a little later. */
void net_timer_start(struct net_timer *t, uint64_t delay_ms);

/* Does nothing when it is not running. fn is not called afterwards. */
void net_timer_stop(struct net_timer *t);

static inline bool net_timer_is_active(const struct net_timer *t)
{
    return t->entry.is_armed;
}

/* ---- work put off to the end of the turn ---- */

/*
 * What is gathered during a turn and sent at its end, in one system call.
 * Runs after all callbacks of the turn, before UDP batches are sent; work
 * that defers again in fn runs in the same turn.
 */
struct net_turn;
typedef void net_turn_fn(struct net_turn *t);

struct net_turn {
    struct list node;
    net_turn_fn *fn;
};

void net_turn_init(struct net_turn *t, net_turn_fn *fn);

/* Call t->fn at the end of this turn; once, however often it is asked for. */
void net_turn_defer(struct net_loop *l, struct net_turn *t);

/* Take it back; does nothing when it was not deferred. */
void net_turn_cancel(struct net_turn *t);

#endif
