/*
 * Files that others change: hosts, lists, resolv.conf.
 */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "base/attr.h"
#include "net/loop.h"

struct net_watch;
typedef void net_watch_fn(void *arg);

/*
 * Call fn(arg) from the loop after path was changed, replaced (rename, as
 * editors and Kubernetes' symlinks do), removed or made: once for changes that
 * come within 200 ms of each other. The folder is watched, so the file need
 * not exist; where the folder does not either, it is looked for once a second.
 * Returns 0 | ERR_NOMEM | ERR_NOTFOUND (a path too long) | ERR_NET_FILES |
 * ERR_NET_OTHER.
 */
MUST_USE int net_watch_start(struct net_loop *l, const char *path,
                             net_watch_fn *fn, void *arg,
                             struct net_watch **out);

/* Accepts NULL. No callback afterwards; frees itself. */
void net_watch_close(struct net_watch *w);

#endif
