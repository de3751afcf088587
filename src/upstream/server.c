/*
 * One DoT server: its connections, and whether it can be relied on.
 *
 * A dial that fails, a connection that dies before it gave one answer, falls
 * silent or talks nonsense, is a failure; an answer ends the count. A server
 * that failed is tried again in the background, after a back-off that doubles,
 * with jitter: by a handshake and a query of ours, and not with a client's
 * query, unless no other server is there. So is one whose connections end
 * before they are of use to anybody, although that is no failure.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_ROOM "upstream"

static void on_retry(struct net_timer *t)
{
    struct upstream_server *s = CONTAINER_OF(t, struct upstream_server, retry);
    unsigned wanted = strategy_wants_warm(s->pool, s);

    /* Where nothing is kept warm, this is all that is done for those who wait
     * since a dial failed. */
    server_dial_if_due(s, wanted,
                       wanted == 0 && !list_is_empty(&s->pool->waiting));
    limits_wake(s);
}

int server_trust(const struct config_server *entry, struct tls_trust *common,
                 struct tls_trust **out)
{
    char why[256] = "";
    bool is_needed = entry->name != NULL || entry->pin_count == 0;

    *out = NULL;
    if (!is_needed || (entry->ca_file == NULL && common == NULL)) {
        return 0;
    }
    if (entry->ca_file == NULL) {
        *out = tls_trust_retain(common);
        return 0;
    }
    int err = tls_trust_load(entry->ca_file, NULL, out, why, sizeof(why));
    if (err != 0) {
        log_error("%s: %s", entry->label, why);
    }
    return err;
}

int server_create(struct upstream_pool *p, const struct config_server *entry,
                  struct tls_trust *trust, struct upstream_server **out)
{
    struct upstream_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->pool = p;
    s->config = entry;
    list_init(&s->conns);
    net_timer_init(&s->retry, p->loop, on_retry);
    const struct tls_client_options options = {
        .trust = trust,
        .name = entry->name,
        .addr = entry->addr,
        .pins = entry->pins,
        .pin_count = entry->pin_count,
    };
    int err = tls_client_create(&options, &s->tls);
    if (err != 0) {
        free(s);
        return err;
    }
    s->trust = trust == NULL ? NULL : tls_trust_retain(trust);
    *out = s;
    return 0;
}

void server_destroy(struct upstream_server *s)
{
    if (s == NULL) {
        return;
    }
    net_timer_stop(&s->retry);
    LIST_EACH (node, &s->conns) {
        conn_drop(CONTAINER_OF(node, struct upstream_conn, node));
    }
    net_timer_stop(&s->retry);
    tls_client_destroy(s->tls);
    tls_trust_release(s->trust);
    free(s);
}

/* ---- dialing ---- */

/* retry_min doubled for each failure, or connection for nothing, after the
 * first, at most retry_max. */
static uint64_t backoff_ms(const struct upstream_server *s)
{
    unsigned times = s->failures > s->brief ? s->failures : s->brief;
    uint64_t wait = s->pool->config->retry_min_ms;

    for (unsigned i = 1; i < times; i++) {
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

/* Is there a server but this one (NULL: any) with a connection? */
static bool is_another_ready(const struct upstream_pool *p,
                             const struct upstream_server *s)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->servers[i] != s && p->servers[i]->ready > 0) {
            return true;
        }
    }
    return false;
}

/*
 * Our own machine did not let the dial out: it has no file left, or no network,
 * for none of the others has a connection either. That says nothing of the
 * server. Trying costs next to nothing, so it is tried often until it works.
 */
static bool server_is_cut_off(const struct upstream_server *s, int err)
{
    return err == ERR_NET_FILES ||
           ((err == ERR_NET_UNREACHABLE || err == ERR_NET_NO_ADDR) &&
            !is_another_ready(s->pool, NULL));
}

static void server_went_offline(struct upstream_server *s, int err)
{
    struct upstream_pool *p = s->pool;

    if (s->offline++ == 0) {
        log_notice("%s: not even tried: %s", s->config->label, err_text(err));
    }
    s->failed_at = ++p->failures;
    s->last_err = err;
    snprintf(s->why, sizeof(s->why), "%s", err_text(err));
    net_timer_start(&s->retry,
                    rng_jitter(&p->rng, p->config->retry_min_ms, 20));
    pool_review(p);
}

static size_t conn_count(const struct upstream_server *s)
{
    size_t count = 0;

    LIST_EACH (node, &s->conns) {
        count++;
    }
    return count;
}

/* One at a time, and never more than extra above what is configured. */
static void server_dial(struct upstream_server *s, unsigned extra)
{
    struct upstream_pool *p = s->pool;
    unsigned most = p->config->connections_per_server + extra;

    if (p->is_closing || s->dialing > 0 || s->ready >= most ||
        conn_count(s) >= 2 * (size_t)most + 2) {
        return;
    }
    s->dialed_ms = net_now_ms(p->loop);
    s->is_extra = extra > 0;
    p->stats.dials++;
    int err = conn_open(s);
    if (err == 0) {
        s->dialing++;
        return;
    }
    p->stats.dial_failures++;
    if (server_is_cut_off(s, err)) {
        server_went_offline(s, err);
    } else {
        server_failed(s, err, NULL);
    }
}

/* A client waits: dial now, or as soon as retry_min allows. */
static void server_dial_for_client(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;
    uint64_t since_ms = net_now_ms(p->loop) - s->dialed_ms;

    if (server_is_well(s) || since_ms >= p->config->retry_min_ms) {
        server_dial(s, 0);
    } else {
        net_timer_start(&s->retry, p->config->retry_min_ms - since_ms);
    }
}

void server_dial_if_due(struct upstream_server *s, unsigned wanted,
                        bool clients_wait)
{
    if (s->dialing > 0) {
        return;
    }
    if (clients_wait && s->ready == 0) {
        server_dial_for_client(s);
    } else if (s->ready < wanted && !net_timer_is_active(&s->retry) &&
               (s->ready == 0 || server_is_well(s))) {
        server_dial(s, 0);
    }
}

void server_dial_more(struct upstream_server *s)
{
    struct upstream_pool *p = s->pool;

    if (s->ready > 0 &&
        (server_is_steady(s) ||
         net_now_ms(p->loop) - s->dialed_ms >= p->config->retry_min_ms)) {
        server_dial(s, 0);
    }
}

void server_dial_successor(struct upstream_server *s)
{
    uint64_t dials = s->pool->stats.dials;

    if (server_is_well(s) &&
        (s->brief < BRIEF_TIMES || !net_timer_is_active(&s->retry))) {
        server_dial(s, 1);
        s->pool->stats.successors += s->pool->stats.dials - dials;
    }
}

/* Dials under way may have left over a route that is no more. */
void server_forgive(struct upstream_server *s)
{
    net_timer_stop(&s->retry);
    s->dialed_ms = 0;
    s->failures = 0;
    s->offline = 0;
    s->brief = 0;
    s->first_address = 0;
    latency_doubt(&s->latency);
    LIST_EACH (node, &s->conns) {
        struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (c->state != CONN_READY) {
            conn_drop(c);
        }
    }
    limits_wake(s);
}

/* ---- connections ---- */

/* Differences in load below this are nothing: queries that share a connection
 * share records, segments and system calls. */
static unsigned load_unit(const struct upstream_pool *p)
{
    unsigned unit = p->config->queries_per_connection / 8;

    return unit > 32 ? 32 : unit + (unit == 0);
}

struct upstream_conn *server_conn(struct upstream_server *s,
                                  const struct upstream_request *req)
{
    unsigned unit = load_unit(s->pool);
    struct upstream_conn *best = NULL;
    unsigned best_load = 0;

    LIST_EACH (node, &s->conns) {
        struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        unsigned load =
            c->outstanding / unit + (c->is_late ? CONN_LATE_LOAD : 0);
        if ((best == NULL || load < best_load) && conn_has_room(c) &&
            (req == NULL || !pool_holds(req, c))) {
            best = c;
            best_load = load;
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
    if (!server_is_well(s)) {
        pool_review(s->pool); /* it may have another connection now */
        limits_wake(s);
    }
    s->failures = 0;
    s->offline = 0;
    if (!s->was_up) {
        s->was_up = true;
        s->was_told_down = false;
        log_notice("%s: up", s->config->label);
    }
}

static void server_note_handshake(struct upstream_server *s,
                                  const struct upstream_conn *c)
{
    struct upstream_stats *stats = &s->pool->stats;
    uint64_t took_ms = c->ready_ms - c->started_ms;
    struct tls_session_info info;

    tls_session_info(c->session, &info);
    stats->handshakes++;
    stats->resumed += info.is_resumed;
    s->handshakes++;
    s->resumed += info.is_resumed;
    s->tls_version = info.version;
    s->tls_cipher = info.cipher;
    s->first_address = c->address;
    s->dial_ms = s->dial_ms == 0 ? (uint32_t)took_ms + 1
                                 : (uint32_t)(s->dial_ms * 3 + took_ms + 3) / 4;
    log_info("%s: connected in %llu ms, %s, %s, %s%s%s, %s", s->config->label,
             (unsigned long long)took_ms, info.version, info.cipher,
             s->config->name != NULL ? "verified \"" : "verified",
             s->config->name != NULL ? s->config->name : "",
             s->config->name != NULL ? "\"" : "",
             info.is_resumed ? "resumed" : "full handshake");
}

void server_conn_ready(struct upstream_server *s, struct upstream_conn *c)
{
    s->dialing--;
    s->ready++;
    net_timer_stop(&s->retry);
    limits_wake(s);
    if (!s->is_extra) {
        limits_surplus(c); /* one that it replaces was silent, and is not */
    }
    server_note_handshake(s, c);
    if (s->failures == 0) {
        server_works(s);
    } else {
        conn_probe(c);
    }
    pool_retry_waiting(s->pool);
    hedge_relieve(s->pool);
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
            net_now_ms(c->server->pool->loop) - c->ready_ms < BRIEF_MS);
}

/* Was it of use to clients, who could not have done without? */
static bool was_needed(const struct upstream_conn *c)
{
    return c->has_served && (c->answers >= BRIEF_ANSWERS ||
                             !is_another_ready(c->server->pool, c->server));
}

/* The next connection for nobody in particular may have to wait. */
static void pace_warmth(struct upstream_server *s)
{
    if (s->brief > 0) {
        net_timer_start(&s->retry,
                        rng_jitter(&s->pool->rng, backoff_ms(s), 20));
    }
}

static void dial_ended(struct upstream_server *s, const struct upstream_conn *c,
                       enum conn_state before, int err, const char *why)
{
    struct upstream_pool *p = s->pool;

    s->dialing--;
    if (err == 0) {
        return; /* our own wish */
    }
    p->stats.dial_failures++;
    p->stats.untrusted += err == ERR_TLS_UNTRUSTED;
    if (before == CONN_HANDSHAKE) { /* another address may do better */
        s->first_address = (c->address + 1) % dial_address_count(s);
    }
    server_failed(s, err, why);
    if (err == ERR_TLS_PROTOCOL && s->failures == 1) {
        /* The session may have learnt what to offer instead. */
        net_timer_start(&s->retry, 0);
    }
}

static void count_end(struct upstream_server *s, const struct upstream_conn *c,
                      int err)
{
    s->retired -= c->is_retired;
    s->suspects -= c->is_suspect && !c->is_retired;
    s->ready -= !c->is_suspect && !c->is_retired;
    if (c->outstanding > 0) {
        s->pool->stats.losses++;
    } else {
        s->pool->stats.closes++;
    }
    log_debug("%s: connection ended: %s, %u queries on it, %u answered",
              s->config->label, err_text(err), c->outstanding, c->answers);
}

void server_conn_ended(struct upstream_server *s, const struct upstream_conn *c,
                       enum conn_state before, int err, const char *why)
{
    if (before != CONN_READY) {
        dial_ended(s, c, before, err, why);
        return;
    }
    count_end(s, c, err);
    if (conn_has_lasted(c)) {
        s->brief = 0;
    }
    if (err == 0 || s->pool->is_closing) {
        return;
    }
    if (!c->is_dropped) {
        s->brief += !conn_has_lasted(c) && !was_needed(c);
        if (is_failure(c, err)) {
            server_failed(s, err, why);
            return;
        }
        limits_learn(c);
        pace_warmth(s);
    }
    pool_review(s->pool);
}

void server_answered(struct upstream_server *s, uint64_t took_us)
{
    s->answers++;
    server_works(s);
    if (took_us > 0) {
        latency_add(&s->latency, took_us);
    }
}
