/*
 * The main thread: opens all workers, so that whatever can fail has failed
 * before the first thread starts and before it says that it is ready; then
 * waits for signals and for the workers' end.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "server/activate.h"
#include "server/cpus.h"
#include "server/give.h"
#include "server/internal.h"
#include "server/persist.h"
#include "server/sandbox.h"
#include "tls/trust.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LOG_ROOM "server"

enum {
    WORKERS_MAX = 4, /* unless the configuration asks for more */
    /* Files of a worker besides those of its clients and connections. */
    FILES_EACH = 32,
    /* Of a zone whose servers are plain: a socket for each query. */
    PLAIN_SOCKETS_EACH = 256,
    /* Some send a signal to the process and to its group (timeout(1), shells
     * with job control): what comes so soon is the same request. */
    SAME_SIGNAL_MS = 50,
};

static const struct {
    int signum;
    const char *name;
} signals[SERVER_SIGNALS] = {
    {SIGTERM, "SIGTERM"},
    {SIGINT, "SIGINT"},
    {SIGHUP, "SIGHUP"},
};

unsigned server_worker_count(const struct config *config)
{
    unsigned cpus;

    if (config->workers > 0) {
        return config->workers;
    }
    cpus = cpus_available();
    return cpus > WORKERS_MAX ? WORKERS_MAX : cpus;
}

const char *server_version(void)
{
    return DOTSTUB_VERSION;
}

/* ---- signals ---- */

static const char *signal_name(int signum)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        if (signals[i].signum == signum) {
            return signals[i].name;
        }
    }
    return "signal";
}

static void drain(struct server *s)
{
    notify("STOPPING=1");
    s->is_draining = true;
    s->draining_since_ms = net_now_ms(s->loop);
    for (unsigned i = 0; i < s->worker_count; i++) {
        if (worker_drain(s->workers[i]) != 0) {
            log_error("out of memory while stopping");
            _Exit(EXIT_FAILURE);
        }
    }
}

static void on_signal(void *arg, int signum)
{
    struct server *s = arg;

    if (signum == SIGHUP) {
        log_notice("%s: reading the configuration again", signal_name(signum));
        reload_config(s);
    } else if (!s->is_draining) {
        log_notice("%s: taking no more queries, answering those in flight",
                   signal_name(signum));
        drain(s);
    } else if (net_now_ms(s->loop) - s->draining_since_ms > SAME_SIGNAL_MS) {
        log_notice("%s again: ending at once", signal_name(signum));
        _Exit(EXIT_FAILURE);
    }
}

static int handle_signals(struct server *s)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        int err = net_signal_start(s->loop, signals[i].signum, on_signal, s,
                                   &s->handlers[i]);
        if (err != 0) {
            log_error("%s: %s", signals[i].name, err_text(err));
            return err;
        }
    }
    return 0;
}

/* ---- starting ---- */

/* Files of a worker that are not its clients'. A connection that is replaced
 * is there twice for a while. */
static rlim_t files_without_clients(const struct setup *s)
{
    const struct config *c = s->config;
    rlim_t files = 2 * (rlim_t)c->listen_count + FILES_EACH;

    for (size_t i = 0; i < s->pool_count; i++) {
        const struct config_pool *p = s->pools[i];
        if (p != NULL && p->is_plain) {
            files += PLAIN_SOCKETS_EACH;
        } else if (p != NULL) {
            files += 2 * (rlim_t)p->server_count * c->connections_per_server;
        }
    }
    return files;
}

/*
 * Allow as many open files as the bounds of the configuration may need. Where
 * the hard limit is below that, clients get fewer: they must not take what
 * connections to the servers need.
 */
void server_fit_files(struct setup *setup, unsigned workers)
{
    struct config *c = setup->config;
    rlim_t other = files_without_clients(setup);
    rlim_t want = (c->tcp_max_clients + other) * workers;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < want) {
        rlim_t each = limit.rlim_cur / workers;
        c->tcp_max_clients = each > other + 1 ? (unsigned)(each - other) : 1;
        log_warning("open files are limited to %llu: a worker takes at most "
                    "%u TCP clients",
                    (unsigned long long)limit.rlim_cur, c->tcp_max_clients);
    }
}

static void on_worker_gone(void *arg)
{
    struct server *s = arg;

    s->running--;
    if (s->running == 0) {
        net_loop_stop(s->loop);
    }
}

/* The other workers share what the first one got: a port of 0 is known now,
 * and an address may be missing. */
static void keep_addresses(struct server *s)
{
    struct config *config = s->setup->config;
    size_t count = 0;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < config->listen_count; i++) {
        struct addr bound;

        if (worker_addr(s->workers[0], i, &bound)) {
            config->listen[count] = bound;
            s->setup->shared->asked[count] = s->setup->shared->asked[i];
            count++;
        } else {
            log_warning("%s is not on this machine; going on without it",
                        addr_text(&bound, text));
        }
    }
    config->listen_count = count;
}

void server_keep_ports(const struct server *s, struct setup *setup)
{
    const struct config *before = s->setup->config;
    const struct addr *asked = s->setup->shared->asked;

    for (size_t i = 0; i < setup->config->listen_count; i++) {
        struct addr *addr = &setup->config->listen[i];
        for (size_t k = 0; k < before->listen_count; k++) {
            if (addr->port == 0 && addr_equal(addr, &asked[k])) {
                *addr = before->listen[k];
            }
        }
    }
}

/* The cache, and what lets workers know of each other's questions. */
static int create_shared(struct server *s, unsigned workers)
{
    const struct config *config = s->setup->config;
    uint8_t seed[RESOLVER_SEED_LEN];

    net_random(s->loop, seed, sizeof(seed));
    int err = resolver_shared_create(config, workers, seed, &s->shared);
    if (err != 0) {
        log_error("cache: %s", err_text(err));
        return err;
    }
    struct cache *cache = resolver_shared_cache(s->shared);
    if (cache != NULL && config->cache_file != NULL) {
        persist_load(cache, config->cache_file, net_wall_s(s->loop),
                     net_boot_ms(s->loop));
        reload_flush_zones(s);
    }
    return 0;
}

/* All workers have ended. */
static void save_cache(struct server *s)
{
    struct cache *cache = resolver_shared_cache(s->shared);
    const char *file = s->setup->config->cache_file;

    if (cache != NULL && file != NULL) {
        reload_flush_zones(s);
        persist_save(cache, file, net_wall_s(s->loop), net_boot_ms(s->loop));
    }
}

static int create_workers(struct server *s)
{
    unsigned count = server_worker_count(s->setup->config);
    struct worker_options options = {
        .setup = s->setup,
        .is_shared = count > 1,
        .main_loop = s->loop,
        .on_gone = on_worker_gone,
        .on_applied = reload_on_applied,
        .arg = s,
    };

    server_fit_files(s->setup, count);
    give_query_log(s->setup->config);
    int err = create_shared(s, count);
    if (err != 0) {
        return err;
    }
    options.shared = s->shared;
    s->workers = calloc(count, sizeof(struct worker *));
    if (s->workers == NULL) {
        return ERR_NOMEM;
    }
    while (s->worker_count < count) {
        options.is_first = s->worker_count == 0;
        options.index = s->worker_count;
        err = worker_create(&options, &s->workers[s->worker_count]);
        if (err != 0) {
            return err;
        }
        s->worker_count++;
        if (s->worker_count == 1) {
            keep_addresses(s);
        }
    }
    return 0;
}

static int start_workers(struct server *s)
{
    int err = tap_start(s->setup);

    for (unsigned i = 0; i < s->worker_count && err == 0; i++) {
        err = worker_start(s->workers[i]);
        s->running += err == 0;
    }
    return err;
}

const char *server_listen_text(const struct config *config, char *text,
                               size_t len)
{
    char one[ADDR_TEXT_MAX];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < config->listen_count && used < len; i++) {
        int n = snprintf(text + used, len - used, "%s%s", i == 0 ? "" : ", ",
                         addr_text(&config->listen[i], one));
        used += (size_t)n;
    }
    return text;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void say_ready(const struct server *s)
{
    const struct config *c = s->setup->config;
    char text[SERVER_LISTEN_TEXT_MAX];

    log_notice("dotstub %s listening on %s (UDP, TCP); %zu server%s (%s); "
               "%u worker%s",
               server_version(), server_listen_text(c, text, sizeof(text)),
               c->pool.server_count, plural(c->pool.server_count),
               config_strategy_name(c->pool.strategy), s->worker_count,
               plural(s->worker_count));
}

static void open_control(struct server *s)
{
    const char *path = s->setup->config->control;
    struct admin_hooks hooks;

    if (path != NULL) {
        operate_hooks(s, &hooks);
        s->control = control_open(s->loop, path, &hooks);
    }
}

/* The HTTP pages' sockets; their thread starts with those of the workers. */
static int open_pages(struct server *s)
{
    struct admin_hooks hooks;

    if (s->setup->config->admin_count == 0) {
        return 0;
    }
    operate_hooks(s, &hooks);
    return admin_http_create(s->loop, &hooks, s->setup->config, &s->http);
}

/* What config stands for. Takes it. */
static int create_setup(struct server *s, struct config *config)
{
    int err = tls_global_init();

    if (err != 0) {
        config_destroy(config);
        return err;
    }
    net_random(s->loop, s->hash_key, sizeof(s->hash_key));
    reload_watch(s, config);
    err = setup_create(config, s->hash_key, true, &s->setup);
    return err != 0 ? err : tap_open(s, s->setup);
}

/* ---- the service manager's watchdog ---- */

/* All workers have answered: each of their loops goes round. */
static void on_all_alive(void *arg, const struct admin_report *report)
{
    (void)arg;
    (void)report;
    notify("WATCHDOG=1");
}

static void on_watchdog(struct net_timer *t)
{
    struct server *s = CONTAINER_OF(t, struct server, watchdog);

    if (operate_gather(s, on_all_alive, s) != 0) {
        log_error("watchdog: out of memory");
    }
    net_timer_start(t, notify_watchdog_ms());
}

static void watchdog_start(struct server *s)
{
    uint64_t every_ms = notify_watchdog_ms();

    if (every_ms > 0) {
        net_timer_start(&s->watchdog, every_ms);
    }
}

/* All is open: what is not needed any more is given away. */
static int lock_in(const struct server *s)
{
    const char *user = s->setup->config->user;

    give_control(s->setup->config, s->control);
    int err = user == NULL ? 0 : sandbox_become(user);

    if (err == 0) {
        sandbox_enter(s->setup, s->file);
    }
    return err;
}

static int start(struct server *s, struct config *config)
{
    if (config->sandbox != CONFIG_SANDBOX_OFF) {
        sandbox_prepare();
    }
    int err = net_loop_create(&s->loop);

    if (err != 0) {
        log_error("event loop: %s", err_text(err));
        config_destroy(config);
        return err;
    }
    s->started_ms = net_now_ms(s->loop);
    s->started_at_s = net_wall_s(s->loop);
    net_timer_init(&s->watchdog, s->loop, on_watchdog);
    err = activate_sockets();
    if (err != 0) {
        config_destroy(config);
        return err;
    }
    notify_open();
    err = create_setup(s, config);
    if (err == 0) {
        err = handle_signals(s);
    }
    if (err == 0) {
        err = create_workers(s);
    }
    if (err != 0) {
        return err;
    }
    open_control(s);
    err = open_pages(s);
    if (err == 0) {
        err = lock_in(s);
    }
    if (err != 0) {
        return err;
    }
    say_ready(s);
    err = start_workers(s);
    if (err == 0 && s->http != NULL) {
        err = admin_http_start(s->http);
    }
    if (err == 0) {
        notify("READY=1\nSTATUS=Serving DNS");
        watchdog_start(s);
    }
    return err;
}

/* ---- ending ---- */

static void finish(struct server *s)
{
    admin_http_destroy(s->http);
    for (unsigned i = 0; i < s->worker_count; i++) {
        worker_destroy(s->workers[i]);
    }
    control_close(s->control);
    operate_finish(s);
    free(s->workers);
    resolver_shared_destroy(s->shared);
    reload_finish(s);
    net_timer_stop(&s->watchdog);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        net_signal_close(s->handlers[i]);
    }
    net_loop_destroy(s->loop);
    setup_destroy(s->setup);
    tls_global_finish();
}

int server_run(const char *file, struct config *config)
{
    struct server s = {.file = file};
    int err;

    list_init(&s.watches);
    list_init(&s.gathers);
    err = start(&s, config);
    if (err != 0 && s.running > 0) {
        drain(&s); /* some threads run: let them end in order */
    }
    if (s.running > 0) {
        net_loop_run(s.loop);
    }
    if (err == 0) {
        save_cache(&s);
        log_notice("stopped");
    }
    finish(&s);
    return err;
}
