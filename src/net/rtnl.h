/*
 * Private to net: reading the kernel's messages about addresses, links and
 * routes (rtnetlink(7)). Functions of octets; nothing is believed about
 * lengths.
 */
#ifndef NET_RTNL_H
#define NET_RTNL_H

#include "base/addr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum net_rtnl_kind {
    NET_RTNL_ADDR_CAME, /* or was renewed */
    NET_RTNL_ADDR_WENT,
    NET_RTNL_LINK, /* is there, with these flags */
    NET_RTNL_LINK_WENT,
    NET_RTNL_ROUTE_CAME, /* or was renewed */
    NET_RTNL_ROUTE_WENT,
    NET_RTNL_DONE, /* the end of what was asked for, or an error */
};

struct net_rtnl {
    enum net_rtnl_kind kind;
    uint32_t ifindex;   /* addresses and links */
    struct addr addr;   /* addresses; port 0 */
    uint8_t prefix_len; /* addresses */
    uint32_t flags;     /* links: what they need to carry anything; 0: down */
    uint64_t route;     /* routes: a hash of what makes it this route */
};

/*
 * Take messages from the front of *rest, up to and including the first that
 * matters to a client of the network: not those of tentative addresses, of
 * routes that no packet of ours takes, of other kinds, or that are cut short.
 * Returns false when there is none; *rest is empty then.
 */
bool net_rtnl_next(struct span *rest, struct net_rtnl *out);

#endif
