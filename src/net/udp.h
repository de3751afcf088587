/*
 * A UDP socket of a server: datagrams come in batches (recvmmsg), answers are
 * gathered and leave in batches at the end of the turn (sendmmsg), from the
 * address that the query came to (RFC 2181 section 4.1), also when bound to a
 * wildcard address (IP_PKTINFO, RFC 3542).
 */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "net/loop.h"

#include <stddef.h>
#include <stdint.h>

enum {
    NET_UDP_BATCH = 32,      /* datagrams in one system call, at most */
    NET_UDP_RECV_MAX = 4096, /* longer datagrams are dropped and counted */
    NET_UDP_SEND_MAX = 4096  /* octets in an answer */
};

struct net_udp;

/* Where a datagram came from and which of our addresses it came to. Opaque
 * plain data: copy it, keep it, give it back to send. */
struct net_udp_path {
    uint8_t peer[28]; /* the peer's socket address, in its system form */
    uint8_t peer_len;
    uint8_t local_len; /* 0: the socket is bound to one address; 4 or 16 */
    uint8_t local[16];
    uint32_t ifindex;
};

/* The peer's address. */
void net_udp_path_peer(const struct net_udp_path *p, struct addr *out);

/* Our address that it came to, in place of out's; the port stays. Leaves *out
 * as it is where the socket is bound to one address. */
void net_udp_path_local(const struct net_udp_path *p, struct addr *out);

struct net_udp_datagram {
    struct span data;
    const struct net_udp_path *path;
};

/*
 * Datagrams that came in one system call, in their order: count of them, 1 to
 * NET_UDP_BATCH. All is borrowed for the call, also when the socket is closed
 * in it: the callee sees for itself that it goes no further then.
 */
typedef void net_udp_recv_fn(void *arg, const struct net_udp_datagram *batch,
                             size_t count);

struct net_udp_stats {
    uint64_t received, sent;
    uint64_t oversized;   /* datagrams longer than NET_UDP_RECV_MAX */
    uint64_t send_failed; /* answers that the kernel refused */
    uint64_t recv_calls, send_calls;
};

/*
 * Bind to addr (port 0: any), SO_REUSEPORT when is_shared, IPv6 only for IPv6.
 * Asks for receive and send buffers of recv_buffer octets (net.core.rmem_max
 * may give less: *got_buffer, optional, tells).
 * Returns as net_listener_open().
 */
MUST_USE int net_udp_open(struct net_loop *l, const struct addr *addr,
                          bool is_shared, size_t recv_buffer,
                          net_udp_recv_fn *fn, void *arg, size_t *got_buffer,
                          struct net_udp **out);

/* The address it is bound to. */
void net_udp_addr(const struct net_udp *u, struct addr *out);

/*
 * Where the next answer may be written: NET_UDP_SEND_MAX octets, until
 * net_udp_commit() or any other call on u. Sends what is gathered first when
 * the batch is full. Never NULL.
 */
uint8_t *net_udp_reserve(struct net_udp *u);

/* Send the len octets that were written there, at the end of the turn. */
void net_udp_commit(struct net_udp *u, const struct net_udp_path *to,
                    size_t len);

const struct net_udp_stats *net_udp_stats(const struct net_udp *u);

/* Sends what is gathered; no callback afterwards; frees itself. NULL is
 * accepted. */
void net_udp_close(struct net_udp *u);

#endif
