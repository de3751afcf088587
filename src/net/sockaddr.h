/*
 * Private to net: between struct addr and the system's socket addresses, and
 * between the system's errors and ours.
 */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include "base/addr.h"
#include "base/attr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

union net_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Returns the length of the address in *out. */
socklen_t net_sockaddr_from(union net_sockaddr *out, const struct addr *a);

/* Returns 0 | ERR_INVAL (neither IPv4 nor IPv6). */
MUST_USE int net_sockaddr_to(const union net_sockaddr *s, struct addr *out);

/*
 * Our code for errno_code, a positive errno (a libuv code is a negative one);
 * 0 for 0. Logs the original for debugging: what names the call that failed.
 */
int net_error(int errno_code, const char *what);

/*
 * A socket of type SOCK_STREAM or SOCK_DGRAM bound to *addr, not blocking,
 * closed on exec, with SO_REUSEPORT when is_shared, for IPv6 alone when addr
 * is; or a copy of one that was inherited (see net/inherit.h). *bound is addr
 * with the port that was given.
 * Returns 0 | ERR_NET_* | ERR_NOMEM.
 */
MUST_USE int net_socket_bind(const struct addr *addr, int type, bool is_shared,
                             struct addr *bound, int *out_fd);

#endif
