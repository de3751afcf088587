/*
 * Private to net: the addresses of a datagram, in the control messages of the
 * system (RFC 3542 section 6; ip(7), IP_PKTINFO).
 */
#ifndef NET_UDP_PATH_H
#define NET_UDP_PATH_H

#include "base/attr.h"
#include "net/udp.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Room for IP_PKTINFO, or for IPV6_PKTINFO, which is longer. */
struct net_udp_control {
    _Alignas(
        struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Have the kernel tell to which address a datagram came. Returns 0 |
 * ERR_NET_OTHER. */
MUST_USE int net_udp_path_enable(int fd, bool is_v4);

/* Fill *p, to whose peer the kernel has written already, from a message that
 * came in. */
void net_udp_path_read(struct net_udp_path *p, struct msghdr *m);

/* Have m go to the peer of *p and leave from its local address. The message
 * points into *p and *control. */
void net_udp_path_write(struct net_udp_path *p, struct net_udp_control *control,
                        struct msghdr *m);

#endif
