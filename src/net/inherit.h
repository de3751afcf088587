/*
 * Listening sockets that somebody else opened for us: the service manager's
 * socket activation (systemd.socket(5)). Whatever binds one of their addresses
 * afterwards gets the inherited socket instead of a new one.
 */
#ifndef NET_INHERIT_H
#define NET_INHERIT_H

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>

enum { NET_INHERIT_MAX = 128 };

/* Take fd over: its address in *out. For the main thread, before others run.
 * Returns 0 | ERR_INVAL (not a bound UDP socket, nor a listening TCP one) |
 * ERR_LIMIT. On failure fd stays the caller's. */
MUST_USE int net_inherit(int fd, struct addr *out);

/* A copy of the inherited socket of this address and SOCK_* type, or -1. */
int net_inherited(const struct addr *addr, int type);

#endif
