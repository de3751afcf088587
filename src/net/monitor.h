/*
 * The machine's own network: addresses, routes and links that come and go
 * (rtnetlink(7)).
 */
#ifndef NET_MONITOR_H
#define NET_MONITOR_H

#include "base/addr.h"
#include "base/attr.h"
#include "net/loop.h"

struct net_monitor;

enum net_change {
    NET_ADDRESS_GONE, /* addr is no longer on this machine */
    NET_CHANGED,      /* an address, a default or other route, or a link came,
                         went or changed: addr is not valid */
};

/* Changes of one turn are told together: each address that went, then
 * NET_CHANGED at most once. */
typedef void net_monitor_fn(void *arg, enum net_change change,
                            const struct addr *addr);

/* Returns 0 | ERR_NOMEM | ERR_NET_FILES | ERR_NET_ACCESS | ERR_NET_OTHER (the
 * system has none, or does not allow it: go on without). */
MUST_USE int net_monitor_start(struct net_loop *l, net_monitor_fn *fn,
                               void *arg, struct net_monitor **out);

/* Accepts NULL. No callback afterwards; frees itself. */
void net_monitor_close(struct net_monitor *m);

#endif
