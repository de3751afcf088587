/*
 * One line for each answer (config->query_log), of one worker:
 *
 *   2026-01-02T03:04:05.678Z query udp 192.0.2.0 example.net. A NOERROR 950us
 *   servers
 *   {"time":"…","transport":"udp","client":"192.0.2.0","name":"example.net.",
 *    "type":"A","rcode":"NOERROR","us":950,"from":"servers"}
 *
 * each on one line; what is not told (query_log_names, query_log_addresses) is
 * "-", or missing in JSON. Lines are gathered and written once a second, or
 * when there are many; what cannot be written then (a pipe that nobody reads)
 * is lost, and how much is logged. No query waits for it.
 */
#ifndef LISTENER_QUERY_LOG_H
#define LISTENER_QUERY_LOG_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "config/config.h"
#include "net/loop.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stdint.h>

struct query_log;

/* Is it standard error, or in a folder where only root lays links? That is
 * opened with root's rights, if there are any: /dev/stdout may be a pipe of
 * root's. */
bool query_log_is_early(const struct config *config);

/* A log for this worker, of config as it is now; the file is opened anew. NULL:
 * it is off, or cannot be opened (logged), or there is no memory. */
struct query_log *query_log_open(struct net_loop *loop,
                                 const struct config *config);

/* The same in place of before (taken; NULL: there was none), which is closed.
 * If the file cannot be opened (logged), lines go on into the one before. */
struct query_log *query_log_renew(struct query_log *before,
                                  struct net_loop *loop,
                                  const struct config *config);

/* Writes what it has. Accepts NULL. */
void query_log_close(struct query_log *log);

/* An answer (a whole message, parsed here) is about to be sent. */
void query_log_answer(struct query_log *log, const struct addr *client,
                      bool is_tcp, struct span answer, uint64_t took_us,
                      enum resolver_source source);

#endif
