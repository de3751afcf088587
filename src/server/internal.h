/*
 * What the files of the main thread share.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include "admin/control.h"
#include "admin/http.h"
#include "admin/report.h"
#include "dnstap/dnstap.h"
#include "net/loop.h"
#include "net/signal.h"
#include "net/watch.h"
#include "resolver/resolver.h"
#include "server/setup.h"
#include "server/worker.h"

#include <stdbool.h>
#include <stdint.h>

enum { SERVER_SIGNALS = 3 };

/* A file that the setup was made from. */
struct server_watch {
    struct list node;
    struct server *server;
    struct net_watch *watch;
    char *path; /* owned */
    bool is_wanted;
};

/* How a reload ended: err 0, and text has the warnings (lines), or text says
 * why not. */
typedef void reload_done_fn(void *arg, int err, const char *text);

struct server {
    const char *file; /* of the configuration; NULL: standard input */
    struct setup *setup;
    struct net_loop *loop;
    struct net_signal *handlers[SERVER_SIGNALS];
    struct resolver_shared *shared;
    struct worker **workers; /* owned */
    unsigned worker_count;   /* created */
    unsigned running;        /* threads that have not ended their work */
    bool is_draining;
    struct net_timer watchdog;
    uint64_t draining_since_ms;
    uint8_t hash_key[16]; /* of policies */

    /* reload.c */
    struct setup_config *started; /* with it; NULL: it is that of setup */
    const char *way_out;          /* of a reload that the sandbox forbids */
    struct setup *next; /* given to the workers; NULL: no reload goes on */
    unsigned unapplied; /* workers that have not said on_applied */
    bool is_going_back; /* next could not be taken by all */
    struct net_timer back_timer; /* … nor the one before, yet */
    bool wants_config;           /* asked for meanwhile: all of it … */
    bool wants_files;            /* … or just the files */
    struct list watches;         /* struct server_watch */
    reload_done_fn *reload_done; /* who asked for it; NULL: nobody */
    void *reload_done_arg;
    uint64_t reloads, reloads_failed;

    /* operate.c */
    struct list gathers;             /* reports being gathered */
    struct explanation *explanation; /* NULL: none is on its way */
    uint64_t started_ms, started_at_s;
    struct dnstap_counts dnstap; /* of all taps */
    bool may_tap;                /* the sandbox lets dnstap be turned on */
    bool may_tap_unix;           /* … and connect to unix sockets */

    struct control *control; /* NULL: none */
    struct admin_http *http; /* NULL: none */
};

/* ---- server.c ---- */

/* Give the addresses that were bound to setup's configuration: entries whose
 * port was 0 get the port that the entry has already. */
void server_keep_ports(const struct server *s, struct setup *setup);

/* Raise the limit of open files to what setup needs, or lower its bounds. */
void server_fit_files(struct setup *setup, unsigned workers);

/* ---- reload.c ---- */

/* Watch the files that config names, besides those that are watched. To be
 * called before they are read, or what changes meanwhile is never noticed. */
void reload_watch(struct server *s, const struct config *config);

/* Read the configuration anew, and go on with it. */
void reload_config(struct server *s);

/* The same, soon, and say how it ended. Returns 0 | ERR_LIMIT (somebody else
 * waits for one) | ERR_NOMEM. */
MUST_USE int reload_and_tell(struct server *s, reload_done_fn *done, void *arg);

/* A worker has finished with worker_apply(). */
void reload_on_applied(void *arg);

/* Forget what zones answered: in a file it could meet other zones. */
void reload_flush_zones(struct server *s);

/* Forget all: the server ends. */
void reload_finish(struct server *s);

/* ---- tap.c ---- */

/* The tap that setup asks for: that of the setup in use if it suits, else
 * another one. First for the setup of the start, when it is in use already.
 * Returns as dnstap_create(), or ERR_NET_ACCESS: it comes too late (logged). */
MUST_USE int tap_open(struct server *s, struct setup *setup);

/* The process has locked itself in: the tap's thread may begin, if there is one
 * and it runs not yet. Returns as dnstap_start(). */
MUST_USE int tap_start(struct setup *setup);

/* ---- operate.c ---- */

/* What the control commands and the HTTP pages may do with s. */
void operate_hooks(struct server *s, struct admin_hooks *out);

/* As the hook of the same name. */
MUST_USE int operate_gather(struct server *s, admin_report_fn *fn, void *arg);

/* Forget reports that were not finished. */
void operate_finish(struct server *s);

#endif
