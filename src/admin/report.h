/*
 * What the program tells of itself at one moment: the sum over all workers.
 * Plain data; whoever gets one may copy it, but for the arrays, which are
 * borrowed for the call.
 */
#ifndef ADMIN_REPORT_H
#define ADMIN_REPORT_H

#include "base/histogram.h"
#include "base/trace.h"
#include "cache/cache.h"
#include "config/config.h"
#include "listener/listener.h"
#include "policy/policy.h"
#include "resolver/resolver.h"
#include "upstream/upstream.h"

#include <stddef.h>
#include <stdint.h>

/* One zone's servers. zone: "." or its suffix. */
struct admin_pool {
    const char *zone;
    const char *strategy;
    bool is_plain;
    struct upstream_stats stats;
    struct upstream_server_report *servers; /* over all workers */
    size_t server_count;
};

struct admin_report {
    const char *version;
    uint64_t started_at_s; /* seconds since 1970 */
    uint64_t uptime_ms;
    unsigned workers;
    bool is_ready; /* a server of the default pool is verified */
    bool is_draining;

    struct resolver_stats resolver;
    struct listener_stats listener;
    size_t tcp_clients;       /* connected now */
    size_t pending;           /* clients' queries in flight now */
    struct histogram latency; /* microseconds from a query's arrival to its
                                 answer, of those that servers were asked for */
    struct cache_stats cache; /* all 0 when it is off */
    size_t cache_max;         /* octets */
    struct policy_counts policy;

    struct admin_pool *pools; /* the default pool first */
    size_t pool_count;

    uint64_t dnstap_written, dnstap_dropped; /* messages */
    uint64_t reloads, reloads_failed;
    uint64_t rss_len; /* octets resident; 0: not known */
    unsigned open_files;
};

/* report NULL: there was no memory. */
typedef void admin_report_fn(void *arg, const struct admin_report *report);

/* The steps, and the answer (empty: none). Borrowed for the call. */
typedef void admin_explain_fn(void *arg, const struct trace *trace,
                              struct span answer);

/*
 * What the control commands and the HTTP pages may ask of the server. All in
 * the main loop's thread; callbacks come later in the same thread, never from
 * inside the call.
 */
struct admin_hooks {
    void *arg;
    /* Gather a report; fn is called once. Returns 0 | ERR_NOMEM. */
    int (*gather)(void *arg, admin_report_fn *fn, void *fn_arg);
    /* name.len 0: everything. Returns the entries removed. */
    size_t (*flush)(void *arg, struct span name, uint16_t type,
                    bool with_subtree);
    /* Read the configuration again; done(done_arg, err, text) when it is in
     * use (text: warnings, a line each; NULL: none), or why not. Returns 0 |
     * ERR_LIMIT (one is going on). */
    int (*reload)(void *arg, void (*done)(void *arg, int err, const char *text),
                  void *done_arg);
    void (*set_log_level)(void *arg, enum log_level level);
    /* Send a query (a whole message) through the first worker, and tell of
     * each step. Returns 0 | ERR_NOMEM | ERR_LIMIT (one goes on) | ERR_INVAL
     * (a message longer than 512 octets). */
    int (*explain)(void *arg, struct span query, admin_explain_fn *fn,
                   void *fn_arg);
};

#endif
