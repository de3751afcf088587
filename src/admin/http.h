/*
 * The HTTP pages: metrics, health, dashboard (http_answer.h). They have a
 * thread of their own, which asks the main loop for a report and never touches
 * a query.
 *
 * Bounds: GET and HEAD alone; 16 KiB for the head of a request; a connection
 * must bring a whole request and take its answer within 10 s, then another
 * one within 10 s; beyond 48 connections the one that has done nothing for the
 * longest goes, so that nobody can keep others out by holding connections open.
 *
 * There is no password and no TLS: what may be seen is for whoever reaches the
 * address, which is why it is this machine alone unless it is configured
 * otherwise.
 */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include "admin/report.h"
#include "base/attr.h"
#include "config/config.h"
#include "net/loop.h"

struct admin_http;

/*
 * Open config->admin (at least one address); connections wait until
 * admin_http_start(). loop is the main one, hooks is copied.
 * Returns 0 | ERR_NOMEM | ERR_NET_* | ERR_CONFIG (this program was built
 * without the library for it); logged.
 */
MUST_USE int admin_http_create(struct net_loop *loop,
                               const struct admin_hooks *hooks,
                               const struct config *config,
                               struct admin_http **out);

/* Start the thread. It may be started after the process was locked in. Returns
 * 0 | ERR_NET_OTHER (logged). */
MUST_USE int admin_http_start(struct admin_http *h);

/* End the thread, close everything. To be called when the loop does not run any
 * more. Accepts NULL. */
void admin_http_destroy(struct admin_http *h);

/* What serves the pages, with its version, or why nothing does; for people. In
 * static memory. */
const char *admin_http_library(void);

#endif
