/*
 * The control socket: what operators ask the program that runs (see
 * control_message.h for what is said). Only its own user and root are heard.
 *
 * Bounds: CONTROL_CLIENTS_MAX clients; requests of CONTROL_LINE_MAX octets, of
 * which one at a time is worked on; a client that says nothing for a minute, or
 * does not read its answers, is closed.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "admin/report.h"
#include "base/attr.h"
#include "net/loop.h"

enum { CONTROL_CLIENTS_MAX = 16 };

struct control;

/* Listen at path. NULL: that is not possible (logged), and nothing that the
 * program needs. hooks are copied. */
struct control *control_open(struct net_loop *loop, const char *path,
                             const struct admin_hooks *hooks);

/* The socket becomes another user's, as net_local_give(). */
MUST_USE int control_give(struct control *c, unsigned uid, unsigned gid);

/* Close all. When the loop runs no more: no hook may call back afterwards.
 * Accepts NULL. */
void control_close(struct control *c);

#endif
