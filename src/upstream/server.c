/*
 * One DoT server: its connections, and whether it can be relied on.
 *
 * A dial that fails, a connection that dies before it gave one answer, falls
 * silent or talks nonsense, is a failure; an answer ends the count. A server
 * that failed is tried again in the background, after a back-off that doubles,
 * with jitter: by a handshake and a query of ours, and not with a client's
 * query, unless no other server is there.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdio.h>

#define LOG_ROOM "upstream"

static void on_retry(struct net_timer *t)
{
    struct upstream_server *s = CONTAINER_OF(t, struct upstream_server, retry);

    server_dial_if_due(s, false);
}

int server_init(struct upstream_server *s, struct upstream_pool *p,
                unsigned index, struct tls_trust *trust)
{
    const struct config_server *config = &p->config->servers[index];
    struct tls_trust *own = NULL;

    *s = (struct upstream_server){.pool = p, .config = config, .index = index};
    list_init(&s->conns);
    net_timer_init(&s->retry, p->loop, on_retry);
    if (config->ca_file != NULL) {
        char why[256] = "";
        int err = tls_trust_load(config->ca_file, NULL, &own, why, sizeof(why));
        if (err != 0) {
            log_error("%s: %s", config->label, why);
            return err;
        }
    }
    const struct tls_client_options options = {
        .trust = own != NULL ? own : trust,
        .name = config->name,
        .addr = config->addr,
        .pins = config->pins,
        .pin_count = config->pin_count,
    };
    int err = tls_client_create(&options, &s->tls);
    tls_trust_release(own);
    return err;
}

void server_finish(struct upstream_server *s)
{
    if (s->pool == NULL) {
        return; /* never initialised */
    }
    net_timer_stop(&s->retry);
    LIST_EACH (node, &s->conns) {
        conn_close(CONTAINER_OF(node, struct upstream_conn, node), 0);
    }
    tls_client_destroy(s->tls);
    s->tls = NULL;
}

/* ---- dialing ---- */

/* retry_min doubled for each failure after the first, at most retry_max. */
static uint64_t backoff_ms(const struct upstream_server *s)
{
    uint64_t wait = s->pool->config->retry_min_ms;

    for (unsigned i = 1; i < s->failures; i++) {
        wait *= 2;
        if (wait >= s->pool->config->retry_max_ms) {
            return s->pool->config->retry_max_ms;
        }
    }
    return wait;
}

static void log_down(struct upstream_server *s)
{
    if (s->failures == 1 || !s->was_told_down) {
        s->was_told_down = true;
        s->was_up = false;
        log_warning("%s: %s", s->config->label, s->why);
    } else {
        log_info("%s: %s (%u times in a row)", s->config->label, s->why,
                 s->failures);
    }
}

static void server_failed(struct upstream_server *s, int err, const char *why)
{
    struct upstream_pool *p = s->pool;

    s->failures++;
    s->failed_at = ++p->failures;
    s->last_err = err;
    snprintf(s->why, sizeof(s->why), "%s",
             why != NULL && why[0] != '\0' ? why : err_text(err));
    log_down(s);
    net_timer_start(&s->retry, rng_jitter(&p->rng, backoff_ms(s), 20));
    pool_review(p);
}

static void server_dial(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;

    if (p->is_closing || s->dialing > 0 ||
        s->ready + s->dialing >= p->config->connections_per_server) {
        return;
    }
    s->dialed_ms = net_now_ms(p->loop);
    p->stats.dials++;
    int err = conn_open(s);
    if (err != 0) {
        p->stats.dial_failures++;
        server_failed(s, err, NULL);
        return;
    }
    s->dialing++;
}

/* A client waits: dial now, or as soon as retry_min allows. */
static void server_dial_for_client(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;
    uint64_t since_ms = net_now_ms(p->loop) - s->dialed_ms;

    if (s->failures == 0 || since_ms >= p->config->retry_min_ms) {
        server_dial(s);
    } else {
        net_timer_start(&s->retry, p->config->retry_min_ms - since_ms);
    }
}

void server_dial_if_due(struct upstream_server *s, bool clients_wait)
{
    if (s->ready > 0 || s->dialing > 0) {
        return;
    }
    if (clients_wait) {
        server_dial_for_client(s);
    } else if (!net_timer_is_active(&s->retry) && pool_is_warm(s->pool)) {
        server_dial(s);
    }
}

void server_dial_more(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;

    if (s->ready > 0 &&
        (s->failures == 0 ||
         net_now_ms(p->loop) - s->dialed_ms >= p->config->retry_min_ms)) {
        server_dial(s);
    }
}

/* ---- connections ---- */

struct upstream_conn *server_conn(struct upstream_server *s)
{
    struct upstream_conn *best = NULL;

    LIST_EACH (node, &s->conns) {
        struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (conn_has_room(c) &&
            (best == NULL || c->outstanding < best->outstanding)) {
            best = c;
        }
    }
    if (best == NULL) {
        server_dial_more(s); /* all are full */
    }
    return best;
}

/* Proved by an answer, or never doubted. */
static void server_works(struct upstream_server *s)
{
    s->failures = 0;
    if (!s->was_up) {
        s->was_up = true;
        s->was_told_down = false;
        log_notice("%s: up", s->config->label);
    }
}

void server_conn_ready(struct upstream_server *s, struct upstream_conn *c)
{
    struct upstream_stats *stats = &s->pool->stats;
    struct tls_session_info info;

    s->dialing--;
    s->ready++;
    net_timer_stop(&s->retry);
    stats->handshakes++;
    tls_session_info(c->session, &info);
    stats->resumed += info.is_resumed;
    log_info("%s: connected in %llu ms, %s, %s, %s%s%s, %s", s->config->label,
             (unsigned long long)(c->ready_ms - c->started_ms), info.version,
             info.cipher, s->config->name != NULL ? "verified \"" : "verified",
             s->config->name != NULL ? s->config->name : "",
             s->config->name != NULL ? "\"" : "",
             info.is_resumed ? "resumed" : "full handshake");
    if (s->failures == 0) {
        server_works(s);
    } else {
        conn_probe(c);
    }
    pool_retry_waiting(s->pool);
    pool_review(s->pool);
}

/*
 * Does the end of a ready connection speak against its server? Servers may
 * close at any moment (RFC 7766 section 6.2.4), so an end alone does not. One
 * that never gave an answer, though it was asked or died young, must not be
 * dialled again at once for ever.
 */
static bool is_failure(const struct upstream_conn *c, int err)
{
    if (err != ERR_NET_EOF && err != ERR_NET_RESET && err != ERR_TLS_CLOSED) {
        return true;
    }
    return c->answers == 0 &&
           (c->outstanding > 0 ||
            net_now_ms(c->server->pool->loop) - c->ready_ms < 1000);
}

void server_conn_ended(struct upstream_server *s, const struct upstream_conn *c,
                       enum conn_state before, int err, const char *why)
{
    struct upstream_pool *p = s->pool;

    if (before != CONN_READY) {
        s->dialing--;
        if (err == 0) {
            return; /* our own wish */
        }
        p->stats.dial_failures++;
        p->stats.untrusted += err == ERR_TLS_UNTRUSTED;
        server_failed(s, err, why);
        if (err == ERR_TLS_PROTOCOL && s->failures == 1) {
            /* The session may have learnt what to offer instead. */
            net_timer_start(&s->retry, 0);
        }
        return;
    }
    s->ready -= !c->is_suspect;
    s->suspects -= c->is_suspect;
    if (c->outstanding > 0) {
        p->stats.losses++;
    } else {
        p->stats.closes++;
    }
    log_debug("%s: connection ended: %s, %u queries on it, %llu answered",
              s->config->label, err_text(err), c->outstanding,
              (unsigned long long)c->answers);
    if (err == 0) {
        return;
    }
    if (is_failure(c, err)) {
        server_failed(s, err, why);
    } else {
        pool_review(p);
    }
}

void server_answered(struct upstream_server *s, uint64_t sent_us)
{
    uint64_t took_us = net_now_us(s->pool->loop) - sent_us;

    server_works(s);
    if (s->latency_us == 0) {
        s->latency_us = took_us + 1;
        return;
    }
    s->latency_us += took_us / 8;
    s->latency_us -= s->latency_us / 8;
    s->latency_us += s->latency_us == 0;
}
