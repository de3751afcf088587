/*
 * Datagrams to a server: a UDP socket of our own, connected to one address, so
 * that the kernel hands over nothing from anywhere else. Each has a port that
 * the kernel chose at random; whoever wants another port opens another socket.
 */
#ifndef NET_DGRAM_H
#define NET_DGRAM_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "net/loop.h"

struct net_dgram;

/* err 0: a datagram, borrowed for the call (longer than 4096 octets: dropped).
 * Otherwise the peer cannot be reached now (ERR_NET_REFUSED,
 * ERR_NET_UNREACHABLE …); the socket still works. */
typedef void net_dgram_fn(void *arg, int err, struct span data);

/* Callbacks come from the loop, never from inside this call. Returns 0 |
 * ERR_NOMEM | ERR_NET_*. */
MUST_USE int net_dgram_open(struct net_loop *l, const struct addr *peer,
                            net_dgram_fn *fn, void *arg,
                            struct net_dgram **out);

/* Send now. A datagram that the kernel does not take is lost, as on any
 * network. Returns 0 | ERR_NET_*. */
MUST_USE int net_dgram_send(struct net_dgram *d, struct span data);

/* Accepts NULL. No callback afterwards; frees itself. */
void net_dgram_close(struct net_dgram *d);

#endif
