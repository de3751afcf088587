/*
 * The process locks itself in once everything is open: what it does not need
 * any more it cannot do any more, whatever a bug lets somebody ask of it.
 *
 *   another user    config->user, when it was started as root
 *   no privileges   no capability, none to be had (no_new_privs)
 *   no core dump    keys and queries stay in memory
 *   Landlock        the files and folders that the configuration names, to read
 *                   or to write; TCP connections to the servers' ports alone
 *   seccomp         the system calls that serving, reloading and ending take
 *
 * To be called before there are other threads: they inherit it.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include "base/attr.h"
#include "server/setup.h"

#include <stdbool.h>

/* Before the first event loop, unless the sandbox is to be off: libuv must not
 * find what the filter will not let it use, or it would fail later. */
void sandbox_prepare(void);

/* Become config's user. Returns 0 | as config_user_find() | ERR_NET_ACCESS (not
 * allowed to); logged. */
MUST_USE int sandbox_become(const char *user);

/* Apply the rest. file: of the configuration, or NULL. What the system does not
 * have or allow is logged, and the rest still holds. */
void sandbox_enter(const struct setup *s, const char *file);

/* sandbox_seccomp.c: allow what a serving process does, and, with has_tap, to
 * connect to unix sockets. Returns 0 | ERR_NET_OTHER (logged). */
MUST_USE int sandbox_seccomp(bool is_deadly, bool has_tap);

/* What made the filter, with its version, or that there is none; for people. */
const char *sandbox_library(void);

/* sandbox_landlock.c: returns the version of the system's Landlock that was
 * applied, 0 when it has none, or ERR_NET_OTHER (logged). */
MUST_USE int sandbox_landlock(const struct setup *s, const char *file);

/* Does Landlock hold? Then folders cannot be added any more. */
bool sandbox_is_locked_in(void);

/* What whoever wants what is forbidden can do, for the end of a sentence. next:
 * the configuration that asks for it; NULL: it could not be read. */
const char *sandbox_way_out(const struct config *next);

/* Ports cannot be added later: may next's servers be connected to, and its
 * dnstap receiver? Returns 0 | ERR_NET_ACCESS (noted). */
MUST_USE int sandbox_may_reach(const struct setup *next);

/* sandbox_write.c: nor can folders: may the files be written that next names
 * and before did not? It is tried; what was made for that is removed. Returns
 * 0 | ERR_NET_ACCESS (noted). */
MUST_USE int sandbox_may_write(const struct config *before,
                               const struct config *next);

#endif
