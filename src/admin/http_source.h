/*
 * Private to admin: how reports come from the main loop to the thread of the
 * HTTP pages. The main loop gathers one when it is asked, copies it, and goes
 * on; the thread waits for it, a second at most. One is on its way at a time,
 * however many ask. The main loop also keeps the history.
 */
#ifndef ADMIN_HTTP_SOURCE_H
#define ADMIN_HTTP_SOURCE_H

#include "admin/history.h"
#include "admin/report.h"
#include "base/attr.h"
#include "net/loop.h"

struct http_source;

/* A report and all it points to, and the history so far. */
struct http_shot {
    struct admin_report report;
    struct history history;
    uint64_t at_ms;  /* the thread's clock */
    uint64_t wall_s; /* the time of day */
};

/* For the main thread, as destroy. hooks is copied. Returns 0 | ERR_NOMEM. */
MUST_USE int http_source_create(struct net_loop *loop,
                                const struct admin_hooks *hooks,
                                struct http_source **out);

/* Begin to keep the history. For the main thread. */
void http_source_start(struct http_source *s);

/* The thread has ended; the main loop does not run any more. Accepts NULL. */
void http_source_destroy(struct http_source *s);

/*
 * For the thread alone: a report that is not older than 200 ms, valid until the
 * next call. NULL: the main loop or a worker has not answered for a second, or
 * there was no memory.
 */
struct http_shot *http_source_get(struct http_source *s);

/* Whoever waits in http_source_get() gets NULL, from now on. Any thread. */
void http_source_stop(struct http_source *s);

#endif
