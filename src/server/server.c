/*
 * The main thread: opens all workers, so that whatever can fail has failed
 * before the first thread starts and before it says that it is ready; then
 * waits for signals and for the workers' end.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/signal.h"
#include "server/cpus.h"
#include "server/persist.h"
#include "server/worker.h"
#include "tls/trust.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LOG_ROOM "server"

enum {
    WORKERS_MAX = 4, /* unless the configuration asks for more */
    WHY_LEN = 512,
    /* Files of a worker besides those of its clients and connections. */
    FILES_EACH = 32,
    /* Some send a signal to the process and to its group (timeout(1), shells
     * with job control): what comes so soon is the same request. */
    SAME_SIGNAL_MS = 50,
};

static const struct {
    int signum;
    const char *name;
} signals[] = {
    {SIGTERM, "SIGTERM"},
    {SIGINT, "SIGINT"},
    {SIGHUP, "SIGHUP"},
};

struct server {
    struct config config; /* the caller's, with the addresses that were bound */
    struct addr *listen;  /* owned; config.listen */
    struct net_loop *loop;
    struct net_signal *handlers[COUNT_OF(signals)];
    struct tls_trust *trust;
    struct resolver_shared *shared;
    struct worker **workers; /* owned */
    unsigned worker_count;   /* created */
    unsigned running;        /* threads that have not ended their work */
    bool is_draining;
    uint64_t draining_since_ms;
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
        log_notice("%s: a running dotstub does not read its configuration "
                   "again; restart it instead",
                   signal_name(signum));
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
static rlim_t files_without_clients(const struct config *c)
{
    return 2 * (rlim_t)c->listen_count +
           2 * (rlim_t)c->server_count * c->connections_per_server + FILES_EACH;
}

/*
 * Allow as many open files as the bounds of the configuration may need. Where
 * the hard limit is below that, clients get fewer: they must not take what
 * connections to the servers need.
 */
static void fit_file_limit(struct config *c, unsigned workers)
{
    rlim_t other = files_without_clients(c);
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

/* Is there a server whose certificate must lead to the common anchors? */
static bool needs_trust(const struct config *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        const struct config_server *server = &c->servers[i];

        if (server->ca_file == NULL &&
            (server->name != NULL || server->pin_count == 0)) {
            return true;
        }
    }
    return false;
}

static int load_trust(struct server *s)
{
    const struct config *c = &s->config;
    char why[WHY_LEN] = "";
    int err = tls_global_init();

    if (err != 0 || !needs_trust(c)) {
        return err;
    }
    err = tls_trust_load(c->ca_file, c->ca_dir, &s->trust, why, sizeof(why));
    if (err != 0) {
        log_error("trusted certificates: %s", why);
        return err;
    }
    log_info("%zu trusted certificates from %s", tls_trust_count(s->trust),
             tls_trust_origin(s->trust));
    return 0;
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
    size_t count = 0;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < s->config.listen_count; i++) {
        struct addr bound;

        if (worker_addr(s->workers[0], i, &bound)) {
            s->listen[count] = bound;
            count++;
        } else {
            log_warning("%s is not on this machine; going on without it",
                        addr_text(&bound, text));
        }
    }
    s->config.listen_count = count;
}

/* The cache, and what lets workers know of each other's questions. */
static int create_shared(struct server *s, unsigned workers)
{
    uint8_t seed[16];

    net_random(s->loop, seed, sizeof(seed));
    int err = resolver_shared_create(&s->config, workers, seed, &s->shared);
    if (err != 0) {
        log_error("cache: %s", err_text(err));
        return err;
    }
    struct cache *cache = resolver_shared_cache(s->shared);
    if (cache != NULL && s->config.cache_file != NULL) {
        persist_load(cache, s->config.cache_file, net_wall_s(s->loop),
                     net_boot_ms(s->loop));
    }
    return 0;
}

/* All workers have ended. */
static void save_cache(struct server *s)
{
    struct cache *cache = resolver_shared_cache(s->shared);

    if (cache != NULL && s->config.cache_file != NULL) {
        persist_save(cache, s->config.cache_file, net_wall_s(s->loop),
                     net_boot_ms(s->loop));
    }
}

static int create_workers(struct server *s)
{
    unsigned count = server_worker_count(&s->config);
    struct worker_options options = {
        .config = &s->config,
        .trust = s->trust,
        .is_shared = count > 1,
        .main_loop = s->loop,
        .on_gone = on_worker_gone,
        .arg = s,
    };

    fit_file_limit(&s->config, count);
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
    for (unsigned i = 0; i < s->worker_count; i++) {
        int err = worker_start(s->workers[i]);
        if (err != 0) {
            return err;
        }
        s->running++;
    }
    return 0;
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
    const struct config *c = &s->config;
    char text[SERVER_LISTEN_TEXT_MAX];

    log_notice("dotstub %s listening on %s (UDP, TCP); %zu server%s (%s); "
               "%u worker%s",
               server_version(), server_listen_text(c, text, sizeof(text)),
               c->server_count, plural(c->server_count),
               config_strategy_name(c->strategy), s->worker_count,
               plural(s->worker_count));
}

static int start(struct server *s)
{
    int err = net_loop_create(&s->loop);

    if (err != 0) {
        log_error("event loop: %s", err_text(err));
        return err;
    }
    err = handle_signals(s);
    if (err == 0) {
        err = load_trust(s);
    }
    if (err == 0) {
        err = create_workers(s);
    }
    if (err != 0) {
        return err;
    }
    say_ready(s);
    return start_workers(s);
}

/* ---- ending ---- */

static void finish(struct server *s)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        worker_destroy(s->workers[i]);
    }
    free(s->workers);
    resolver_shared_destroy(s->shared);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        net_signal_close(s->handlers[i]);
    }
    net_loop_destroy(s->loop);
    tls_trust_release(s->trust);
    tls_global_finish();
    free(s->listen);
}

int server_run(const struct config *config)
{
    struct server s = {.config = *config};
    int err;

    s.listen = calloc(config->listen_count, sizeof(*s.listen));
    if (s.listen == NULL) {
        return ERR_NOMEM;
    }
    memcpy(s.listen, config->listen, config->listen_count * sizeof(*s.listen));
    s.config.listen = s.listen;
    err = start(&s);
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
