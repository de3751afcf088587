/*
 * Another setup while queries go on: because the configuration is to be read
 * again, or because a file that it names has changed. The new setup is made
 * whole first; what is wrong with it is logged, and the one in use stays. Then
 * each worker takes it between two turns of its loop. The setup before is
 * freed when no worker uses any part of it. One reload at a time; what is asked
 * for meanwhile is done afterwards.
 */
#include "server/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "cache/cache.h"
#include "dns/name.h"
#include "listener/listener.h"
#include "server/activate.h"
#include "server/later.h"
#include "server/notes.h"
#include "server/sandbox.h"
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "server"

enum { WHY_LEN = 512, BACK_AGAIN_MS = 500 };

/* ---- files that change ---- */

static void drop(struct server_watch *w)
{
    net_watch_close(w->watch);
    list_remove(&w->node);
    free(w->path);
    free(w);
}

static struct server_watch *find_watch(const struct server *s, const char *path)
{
    LIST_EACH (node, &s->watches) {
        struct server_watch *w = CONTAINER_OF(node, struct server_watch, node);

        if (strcmp(w->path, path) == 0) {
            return w;
        }
    }
    return NULL;
}

static void reload_files(struct server *s);

static void on_file_changed(void *arg)
{
    struct server_watch *w = arg;

    log_notice("%s has changed", w->path);
    reload_files(w->server);
}

static void watch(void *arg, const char *path)
{
    struct server *s = arg;

    if (find_watch(s, path) != NULL) {
        return;
    }
    struct server_watch *w = calloc(1, sizeof(*w));
    int err = w == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        w->server = s;
        w->path = strdup(path);
        err = w->path == NULL ? ERR_NOMEM
                              : net_watch_start(s->loop, path, on_file_changed,
                                                w, &w->watch);
    }
    if (err != 0) {
        log_warning("%s is not watched for changes: %s", path, err_text(err));
        free(w != NULL ? w->path : NULL);
        free(w);
        return;
    }
    list_push_back(&s->watches, &w->node);
}

void reload_watch(struct server *s, const struct config *config)
{
    setup_each_file(config, watch, s);
}

static void want(void *arg, const char *path)
{
    struct server_watch *w = find_watch(arg, path);

    if (w != NULL) {
        w->is_wanted = true;
    }
}

/* Drop the watches of files that the setup in use does not name. */
static void prune_watches(struct server *s)
{
    LIST_EACH (node, &s->watches) {
        CONTAINER_OF(node, struct server_watch, node)->is_wanted = false;
    }
    setup_each_file(s->setup->config, want, s);
    LIST_EACH (node, &s->watches) {
        struct server_watch *w = CONTAINER_OF(node, struct server_watch, node);

        if (!w->is_wanted) {
            drop(w);
        }
    }
}

/* ---- telling ---- */

/* The end: err 0, or the errors say why not. */
static void tell(struct server *s, int err)
{
    notify("READY=1");
    reload_done_fn *done = s->reload_done;

    s->reloads += err == 0;
    s->reloads_failed += err != 0;
    if (s->wants_config) {
        return; /* who waits asked for the reload that comes after this one */
    }
    s->reload_done = NULL;
    if (done != NULL) {
        done(s->reload_done_arg, err,
             err != 0 ? notes_errors() : notes_warnings());
    }
}

/* What is wrong was noted. */
static void fail(struct server *s, int err)
{
    bool is_forbidden = strstr(notes_errors(), strerror(EACCES)) != NULL;

    if (notes_errors()[0] == '\0') {
        note_error("%s", err_text(err));
    } else if (is_forbidden && sandbox_is_locked_in()) {
        note_error("(the process has locked itself in: it can read the folders "
                   "that were named at its start; for others %s)",
                   s->way_out);
    }
    log_error("the reload has failed; the running configuration stays");
    tell(s, err);
}

/* ---- giving it to the workers ---- */

/* A worker that it could not be given to has not taken it. */
static void hand_out(struct server *s, const struct setup *setup)
{
    s->unapplied = 0;
    for (unsigned i = 0; i < s->worker_count; i++) {
        int err = worker_apply(s->workers[i], setup);
        if (err == 0) {
            s->unapplied++; /* which reload_on_applied() counts down later */
        } else {
            log_error("a worker: %s", err_text(err));
        }
    }
    if (s->unapplied == 0) {
        net_timer_start(&s->back_timer, BACK_AGAIN_MS);
    }
}

/* Both setups stay until each worker has the one before again. */
static void go_back(struct server *s)
{
    s->is_going_back = true;
    hand_out(s, s->setup);
}

static void on_back_timer(struct net_timer *t)
{
    struct server *s = CONTAINER_OF(t, struct server, back_timer);

    if (!s->is_draining) {
        go_back(s);
    }
}

/* Can the addresses that are new be opened? Workers find out one by one, and
 * too late. */
static int try_addresses(const struct server *s, const struct setup *next)
{
    const struct config *before = s->setup->config;
    struct config fresh = *next->config;
    struct listener *probe = NULL;
    char why[WHY_LEN] = "";
    int err = 0;

    fresh.listen = calloc(fresh.listen_count, sizeof(*fresh.listen));
    if (fresh.listen == NULL) {
        return ERR_NOMEM;
    }
    fresh.listen_count = 0;
    for (size_t i = 0; i < next->config->listen_count; i++) {
        const struct addr *addr = &next->config->listen[i];
        bool is_known = false;
        for (size_t k = 0; k < before->listen_count; k++) {
            is_known = is_known || addr_equal(addr, &before->listen[k]);
        }
        if (!is_known) {
            fresh.listen[fresh.listen_count++] = *addr;
        }
    }
    if (fresh.listen_count > 0) {
        err = listener_open(s->loop, &fresh, NULL, false, &probe, why,
                            sizeof(why));
        listener_destroy(probe);
    }
    if (err != 0) {
        note_error("cannot listen on %s", why);
    }
    free(fresh.listen);
    return err;
}

/* A new cache where its size or its rules changed. */
static int renew_cache(struct server *s, const struct setup *next)
{
    int err = resolver_shared_reconfigure(s->shared, next->config,
                                          net_boot_ms(s->loop));
    if (err != 0) {
        note_error("cache: %s", err_text(err));
    }
    return err;
}

static void begin(struct server *s, struct setup *next)
{
    if (next->trust != NULL) {
        /* Now, and not in a worker while clients wait. */
        (void)tls_trust_count(next->trust);
    }
    server_keep_ports(s, next);
    server_fit_files(next, s->worker_count);
    int err = sandbox_may_reach(next);
    if (err == 0) {
        err = sandbox_may_write(s->setup->config, next->config);
    }
    if (err == 0) {
        err = try_addresses(s, next);
    }
    if (err == 0) {
        err = tap_open(s, next);
    }
    if (err == 0) {
        err = tap_start(next);
    }
    if (err == 0) {
        err = renew_cache(s, next);
    }
    if (err != 0) {
        setup_destroy(next);
        fail(s, err);
        return;
    }
    s->next = next;
    s->is_going_back = false;
    net_timer_init(&s->back_timer, s->loop, on_back_timer);
    hand_out(s, next);
}

/* ---- its end ---- */

static bool pools_equal(const struct config_pool *a,
                        const struct config_pool *b)
{
    if (a == NULL || b == NULL || a->server_count != b->server_count) {
        return a == b;
    }
    for (size_t i = 0; i < a->server_count; i++) {
        if (!config_server_equal(&a->servers[i], &b->servers[i])) {
            return false;
        }
    }
    return true;
}

static bool all_took(const struct server *s, const struct setup *setup)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        if (worker_setup(s->workers[i]) != setup) {
            return false;
        }
    }
    return true;
}

static bool zone_is_in(const struct setup *s, const struct setup *other,
                       size_t i)
{
    for (size_t k = 1; k < other->pool_count; k++) {
        if (strcmp(s->config->zones[i - 1].name,
                   other->config->zones[k - 1].name) == 0) {
            return pools_equal(s->pools[i], other->pools[k]);
        }
    }
    return false;
}

/* What one setup's zones answered is not what the other's would have. other
 * NULL: of all its zones. */
static void flush_zones(struct server *s, const struct setup *one,
                        const struct setup *other)
{
    struct cache *cache = resolver_shared_cache(s->shared);

    for (size_t i = 1; i < one->pool_count && cache != NULL; i++) {
        const char *name = one->config->zones[i - 1].name;
        uint8_t wire[DNS_NAME_MAX];
        int len = dns_name_from_text(name, strlen(name), wire);

        if (len > 0 && (other == NULL || !zone_is_in(one, other, i))) {
            (void)cache_flush_name(cache, span_of(wire, (size_t)len), 0, true);
        }
    }
}

static void settle(struct server *s, struct setup *unused)
{
    s->next = NULL;
    resolver_shared_settle(s->shared);
    setup_destroy(unused);
    prune_watches(s);
    if (s->wants_config) {
        reload_config(s);
    } else if (s->wants_files) {
        reload_files(s);
    }
}

void reload_on_applied(void *arg)
{
    struct server *s = arg;

    if (--s->unapplied > 0 || s->is_draining) {
        return;
    }
    if (s->is_going_back && !all_took(s, s->setup)) {
        net_timer_start(&s->back_timer, BACK_AGAIN_MS);
    } else if (s->is_going_back) {
        note_error("a worker could not take the configuration");
        fail(s, ERR_NET_OTHER);
        settle(s, s->next);
    } else if (all_took(s, s->next)) {
        struct setup *before = s->setup;
        s->setup = s->next;
        log_setup(s->setup->config->log_level, s->setup->config->log_format);
        flush_zones(s, before, s->setup);
        flush_zones(s, s->setup, before);
        log_notice("going on with the new configuration");
        tell(s, 0);
        settle(s, before);
    } else {
        go_back(s);
    }
}

/* ---- beginning ---- */

void reload_config(struct server *s)
{
    struct config_diagnostics diagnostics;
    struct config *config = NULL;
    struct setup *next = NULL;

    if (s->is_draining) {
        return;
    }
    if (s->next != NULL) {
        s->wants_config = true;
        return;
    }
    s->wants_config = false;
    s->wants_files = false;
    if (s->started == NULL) {
        s->started = setup_config_retain(s->setup->shared);
    }
    s->way_out = sandbox_way_out(NULL);
    notes_clear();
    if (s->file == NULL) {
        note_error("the configuration came from standard input");
        fail(s, ERR_INVAL);
        return;
    }
    notify_reloading();
    int err = config_load(s->file, &config, &diagnostics);
    note_diagnostics(&diagnostics);
    config_diagnostics_finish(&diagnostics);
    if (err == 0) {
        reload_watch(s, config);
        s->way_out = sandbox_way_out(config);
        err = setup_create(config, s->hash_key, true, &next);
    }
    if (err != 0) {
        fail(s, err);
        return;
    }
    later_tell(s->started->config, s->worker_count, config);
    begin(s, next);
}

static void reload_files(struct server *s)
{
    struct setup *next = NULL;

    if (s->is_draining) {
        return;
    }
    if (s->next != NULL) {
        s->wants_files = true;
        return;
    }
    s->wants_files = false;
    s->way_out = sandbox_way_out(s->setup->config);
    notes_clear();
    int err = setup_create_again(s->setup, s->hash_key, &next);
    if (err != 0) {
        log_error("%s; what was read before stays", err_text(err));
        return;
    }
    begin(s, next);
}

static void on_asked(void *arg)
{
    reload_config(arg);
}

int reload_and_tell(struct server *s, reload_done_fn *done, void *arg)
{
    if (s->reload_done != NULL) {
        return ERR_LIMIT;
    }
    int err = net_loop_post(s->loop, on_asked, s); /* not from inside */
    if (err != 0) {
        return err;
    }
    s->reload_done = done;
    s->reload_done_arg = arg;
    return 0;
}

void reload_flush_zones(struct server *s)
{
    flush_zones(s, s->setup, NULL);
}

void reload_finish(struct server *s)
{
    LIST_EACH (node, &s->watches) {
        drop(CONTAINER_OF(node, struct server_watch, node));
    }
    if (s->next != NULL) {
        net_timer_stop(&s->back_timer);
    }
    setup_destroy(s->next);
    setup_config_release(s->started);
}
