/*
 * Connections for clients who wait.
 */
#ifndef UPSTREAM_DEMAND_H
#define UPSTREAM_DEMAND_H

struct upstream_pool;

/* For the pool's creation and its end. */
void demand_init(struct upstream_pool *p);
void demand_stop(struct upstream_pool *p);

/* A client waits: servers that were set aside may be well again. */
void pool_dial_for_clients(struct upstream_pool *p);

/* Clients wait, and a dial has failed, perhaps. */
void demand_go_on(struct upstream_pool *p);

#endif
