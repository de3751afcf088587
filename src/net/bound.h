/*
 * A listening TCP socket for a library that has a loop of its own.
 */
#ifndef NET_BOUND_H
#define NET_BOUND_H

#include "base/addr.h"
#include "base/attr.h"

/*
 * Listen at addr, not blocking, closed on exec; or at a socket of that address
 * that was inherited. *bound is addr with the port that was given; *fd is the
 * caller's to close.
 * Returns 0 | ERR_NET_* | ERR_NOMEM.
 */
MUST_USE int net_bound_listen(const struct addr *addr, struct addr *bound,
                              int *fd);

#endif
