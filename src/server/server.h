/*
 * The process: workers, start-up, signals, drain.
 *
 * The main thread owns signals; each worker is a thread with a loop, a pool, a
 * resolver and listeners of its own, and shares only the configuration and the
 * trust anchors. DESIGN section 6.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"

#include <stddef.h>

/* Room for 64 addresses. */
enum { SERVER_LISTEN_TEXT_MAX = 64 * ADDR_TEXT_MAX };

/*
 * Run until SIGTERM or SIGINT: then take no further query, answer those in
 * flight (within config->query_timeout_ms), and return 0. A second signal ends
 * the process at once with exit code 1. SIGHUP reads file again (NULL: it was
 * standard input, and cannot be) and goes on with what it says. Works as PID 1.
 * Takes config, on failure too.
 * Returns 0 | ERR_NET_* or ERR_TLS_* or ERR_NOTFOUND | ERR_NOMEM when it could
 * not start (logged).
 */
MUST_USE int server_run(const char *file, struct config *config);

/* How many workers config asks for on this machine: by CPU affinity and
 * cgroup quota, at most 4, when config->workers is 0. */
unsigned server_worker_count(const struct config *config);

/* "127.0.0.1:53, [::1]:53": where config asks to listen, at most len octets
 * with the NUL; returns text. */
const char *server_listen_text(const struct config *config, char *text,
                               size_t len);

/* The version of dotstub ("0.1.0"), static. */
const char *server_version(void);

#endif
