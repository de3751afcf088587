/*
 * Signals of the process, heard in the loop of the main thread.
 */
#ifndef NET_SIGNAL_H
#define NET_SIGNAL_H

#include "base/attr.h"
#include "net/loop.h"

struct net_signal;
typedef void net_signal_fn(void *arg, int signum);

/* Returns 0 | ERR_NOMEM | ERR_NET_FILES | ERR_INVAL (a signal that cannot be
 * caught). */
MUST_USE int net_signal_start(struct net_loop *l, int signum, net_signal_fn *fn,
                              void *arg, struct net_signal **out);

/* Accepts NULL; frees itself. */
void net_signal_close(struct net_signal *s);

#endif
