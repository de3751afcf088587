/*
 * The machine was suspended.
 */
#ifndef UPSTREAM_SLEEP_H
#define UPSTREAM_SLEEP_H

#include <stdint.h>

struct upstream_pool;

/* How long the machine has been suspended in all. */
uint64_t pool_asleep_ms(const struct upstream_pool *p);

/* See whether it was since the last look: pool_connect_anew() is then due at
 * the end of the turn. */
void pool_check_sleep(struct upstream_pool *p);

/* Close all connections; their requests move. */
void pool_connect_anew(struct upstream_pool *p);

#endif
