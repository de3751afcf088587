/*
 * What a person types: a file descriptor that is not ours, waited for in the
 * loop of a command.
 */
#ifndef NET_INPUT_H
#define NET_INPUT_H

#include "base/attr.h"
#include "net/loop.h"

struct net_input;

/* There is something to read, or an end. fn reads it, or fn is called again. */
typedef void net_input_fn(void *arg);

/* fd is borrowed, and made not blocking: open it anew, since what the shell
 * gave is shared with it. Returns 0 | ERR_NOMEM | ERR_NET_OTHER (a file, which
 * cannot be waited for). */
MUST_USE int net_input_start(struct net_loop *l, int fd, net_input_fn *fn,
                             void *arg, struct net_input **out);

/* Accepts NULL; frees itself. */
void net_input_close(struct net_input *in);

#endif
