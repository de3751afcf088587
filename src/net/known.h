/*
 * Private to net: what is known of the machine's addresses, links and routes,
 * so that the kernel's repetitions can be told from changes.
 */
#ifndef NET_KNOWN_H
#define NET_KNOWN_H

#include "base/addr.h"
#include "base/attr.h"
#include "net/rtnl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NET_KNOWN_ADDRS = 256,
    NET_KNOWN_LINKS = 128,
    NET_KNOWN_ROUTES = 64,
};

struct net_known_addr {
    struct addr addr;
    uint32_t ifindex;
    uint8_t prefix_len;
};

struct net_known_link {
    uint32_t ifindex;
    uint32_t flags;
};

/* Zeroed: nothing is known. */
struct net_known {
    struct net_known_addr addrs[NET_KNOWN_ADDRS];
    size_t addr_count;
    struct net_known_link links[NET_KNOWN_LINKS];
    size_t link_count;
    uint64_t routes[NET_KNOWN_ROUTES]; /* a ring of hashes; 0: empty */
    size_t next_route;
};

/* Learn of r. Returns whether it is news. What has no place any more is taken
 * for news each time: too often, never too seldom. */
bool net_known_take(struct net_known *k, const struct net_rtnl *r);

/* On whatever link. */
bool net_known_has_addr(const struct net_known *k, const struct addr *addr);

/* Ask the kernel for the addresses and links that there are, into zeroed *k;
 * buffer is for its messages. Returns 0 | ERR_NOMEM | ERR_NET_*. */
MUST_USE int net_known_learn(struct net_known *k, void *buffer, size_t size);

#endif
