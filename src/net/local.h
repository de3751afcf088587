/*
 * Unix stream sockets, for the programs of this machine: their streams are
 * those of net/stream.h. Only the owner of the process can reach one, by the
 * mode of the socket (0600) and, where it has to be made, of its folder (0700).
 */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include "base/attr.h"
#include "net/loop.h"
#include "net/stream.h"

struct net_local;

/* uid: the user whose process has connected (SO_PEERCRED). Takes the stream:
 * attach it or close it, inside the call. */
typedef void net_local_accept_fn(void *arg, struct net_stream *s, unsigned uid);

/*
 * Accept connections at path. Its folder is made when it is missing. A socket
 * that nobody listens on any more is replaced.
 * Returns 0 | ERR_NET_IN_USE (somebody listens there, or it is no socket) |
 * ERR_INVAL (a path longer than sockets can have) | ERR_NET_ACCESS |
 * ERR_NOTFOUND (the folder above is missing too) | ERR_NET_* | ERR_NOMEM.
 */
MUST_USE int net_local_open(struct net_loop *l, const char *path,
                            net_local_accept_fn *fn, void *arg,
                            struct net_local **out);

/*
 * The socket, and its folder if it was made for it, become another user's;
 * root alone may do that. Returns 0 | ERR_NET_ACCESS | ERR_NOTFOUND (it is not
 * there any more) | ERR_NET_*.
 */
MUST_USE int net_local_give(struct net_local *l, unsigned uid, unsigned gid);

/* Accepts NULL. No callback afterwards; the socket is removed, unless it is
 * another one by now. Frees itself. */
void net_local_close(struct net_local *l);

/*
 * Connect to path, at once; attach the stream then, its on_connect is not
 * called. Returns 0 | ERR_NOTFOUND | ERR_NET_REFUSED (nobody listens, or too
 * many wait already) | ERR_NET_ACCESS | ERR_INVAL | ERR_NET_* | ERR_NOMEM.
 */
MUST_USE int net_local_connect(struct net_loop *l, const char *path,
                               struct net_stream **out);

#endif
