/*
 * TCP: connections out, connections in.
 *
 * A stream belongs to net from net_stream_close() on: no callback comes after
 * it, and it frees itself. TCP_NODELAY is always set.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "net/loop.h"

#include <stddef.h>

struct net_stream;

struct net_stream_events {
    /* Outgoing only, once: 0, or why it failed (ERR_NET_*; close it then). */
    void (*on_connect)(void *arg, int err);
    /* err 0: octets came, borrowed for the call. ERR_NET_EOF: the peer will
     * send no more (writing may still work). Other: the stream is broken. */
    void (*on_read)(void *arg, int err, struct span in);
    /* The backlog fell to zero after it was not. May be NULL. */
    void (*on_drain)(void *arg);
};

/*
 * Start to connect to addr. Callbacks come from the loop, never from inside
 * this call. Returns 0 | ERR_NOMEM | ERR_NET_* (at once: no route, no file
 * descriptor, …). events must outlive the stream.
 */
MUST_USE int net_stream_connect(struct net_loop *l, const struct addr *addr,
                                const struct net_stream_events *events,
                                void *arg, struct net_stream **out);

/* Say who hears of an accepted stream, and start to read. Once. */
void net_stream_attach(struct net_stream *s,
                       const struct net_stream_events *events, void *arg);

/*
 * Send octets, in order: handed to the kernel at once as far as it takes
 * them, the rest is copied and sent when it can be. Never calls back.
 * Returns 0 | ERR_NOMEM | ERR_NET_* (broken; on_read will not tell it again:
 * the caller closes).
 */
MUST_USE int net_stream_write(struct net_stream *s, struct span data);

/* Our own address and port of a stream that is connected. Returns 0 |
 * ERR_NET_OTHER. */
MUST_USE int net_stream_local(const struct net_stream *s, struct addr *out);

/* Octets not yet taken by the kernel. */
size_t net_stream_backlog(const struct net_stream *s);

/* Stop and go on reading (flow control). Reading is on at first. */
void net_stream_read_stop(struct net_stream *s);
void net_stream_read_start(struct net_stream *s);

/* Send FIN after the backlog; reading goes on. */
void net_stream_shutdown(struct net_stream *s);

/* Close now (the backlog is lost). Accepts NULL. */
void net_stream_close(struct net_stream *s);

/* Close now with a reset instead of a FIN. Accepts NULL. */
void net_stream_reset(struct net_stream *s);

/* ---- listening ---- */

struct net_listener;

/* Takes the stream: attach it or close it, inside the call. */
typedef void net_accept_fn(void *arg, struct net_stream *s,
                           const struct addr *peer);

/*
 * Accept connections on addr (port 0: any; see net_listener_addr()), with
 * SO_REUSEADDR, and SO_REUSEPORT when is_shared (several workers). IPv6
 * sockets take IPv6 only.
 * When file descriptors run out, accepting pauses for 100 ms (one warning).
 * Returns 0 | ERR_NET_IN_USE | ERR_NET_ACCESS | ERR_NET_NO_ADDR | ERR_NET_* |
 * ERR_NOMEM.
 */
MUST_USE int net_listener_open(struct net_loop *l, const struct addr *addr,
                               bool is_shared, net_accept_fn *fn, void *arg,
                               struct net_listener **out);

/* The address it is bound to. */
void net_listener_addr(const struct net_listener *l, struct addr *out);

/* Leave connections in the kernel's queue, and take them again. */
void net_listener_pause(struct net_listener *l);
void net_listener_resume(struct net_listener *l);

/* Accepts NULL. No callback afterwards; frees itself. */
void net_listener_close(struct net_listener *l);

#endif
