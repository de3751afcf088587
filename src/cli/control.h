/*
 * The commands' end of the control socket.
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "admin/control_message.h"
#include "base/attr.h"
#include "cli/cli.h"
#include "net/loop.h"

#include <stdio.h>

/* The socket's path: of --socket (NULL: not given), else of the configuration,
 * of which nothing else needs to be right. Owned by the caller. NULL: there is
 * none (said), *code is what to exit with. */
MUST_USE char *control_path(const char *socket, const char *config_file,
                            int *code);

/* Why nobody can be asked, by what control_session_open() returned; static. */
const char *control_unreachable_text(int err);

/* Say it of path. Returns CLI_FAILURE. */
int control_say_unreachable(const char *path, int err);

/* A line came, borrowed for the call; NULL: the connection ended (closed by
 * the other side, or what came was not understood). */
typedef void control_answer_fn(void *arg, const struct control_answer *a);

struct control_session;

/* Returns 0 | as net_local_connect(). */
MUST_USE int control_session_open(struct net_loop *loop, const char *path,
                                  control_answer_fn *fn, void *arg,
                                  struct control_session **out);

/* Returns 0 | ERR_NOMEM | ERR_NET_* (the connection is lost: close it). */
MUST_USE int control_session_ask(struct control_session *s,
                                 const struct control_request *r);

/* Not from inside fn. Accepts NULL. */
void control_session_close(struct control_session *s);

/*
 * Ask once: connect to path, send r, call fn with each line that is not an
 * error; an error is printed. Returns the exit code of the process.
 */
int control_ask(const char *path, const struct control_request *r,
                control_answer_fn *fn, void *arg);

/* The same with where to ask: the end of most commands. */
int control_run(const char *socket, const char *config_file,
                const struct control_request *r, control_answer_fn *fn,
                void *arg);

#endif
