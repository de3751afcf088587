/*
 * Private to net: from the listener to the streams it accepts.
 */
#ifndef NET_ACCEPTED_H
#define NET_ACCEPTED_H

#include "base/attr.h"
#include "net/stream.h"

/*
 * A stream of the connected, not blocking socket fd, to be attached. Takes fd,
 * on failure too. Returns 0 | ERR_NOMEM | ERR_NET_OTHER.
 */
MUST_USE int net_stream_from_fd(struct net_loop *l, int fd,
                                struct net_stream **out);

#endif
