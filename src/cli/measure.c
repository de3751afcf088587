/*
 * Queries are the daemon's own: padded, with its OPT, for the root's servers,
 * which every resolver has at hand. Whether answers overtake each other is
 * tried with a name that nobody can have at hand.
 */
#include "cli/measure.h"

#include "base/err.h"
#include "base/log.h"
#include "dns/build.h"
#include "dns/message.h"
#include "dns/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "bench"

enum {
    CONNECT_MS = 4000,
    ANSWER_MS = 3000,
    OVERTAKERS = 4, /* quick queries behind the slow one */
    PAD_BLOCK = 128,
};

int measure_init(struct measure *m, const struct config_server *server,
                 struct tls_trust *trust)
{
    struct tls_trust *own = NULL;
    int err = 0;

    *m = (struct measure){.server = server, .keepalive_ds = -1};
    if (server->ca_file != NULL) {
        err =
            tls_trust_load(server->ca_file, NULL, &own, m->why, sizeof(m->why));
        if (err != 0) {
            log_error("%s: %s", server->label, m->why);
            return err;
        }
    }
    const struct tls_client_options options = {
        .trust = own != NULL ? own : trust,
        .name = server->name,
        .addr = server->addr,
        .pins = server->pins,
        .pin_count = server->pin_count,
    };
    err = tls_client_create(&options, &m->client);
    tls_trust_release(own);
    return err;
}

void measure_finish(struct measure *m)
{
    probe_finish(&m->idle);
    tls_client_destroy(m->client);
}

/* ---- one query ---- */

static int send_query(struct probe *p, const char *name, uint16_t type,
                      uint16_t id)
{
    static const struct dns_upstream_options options = {.pad_block = PAD_BLOCK,
                                                        .has_keepalive = true};
    uint8_t bare[DNS_HEADER_LEN + DNS_NAME_MAX + 4] = {0};
    uint8_t message[DNS_UPSTREAM_PLAIN_MAX];
    struct dns_query q;
    int len = dns_name_from_text(name, strlen(name), bare + DNS_HEADER_LEN);

    if (len < 0) {
        return len;
    }
    dns_put16(bare + 2, DNS_FLAG_RD);
    bare[5] = 1;
    dns_put16(bare + DNS_HEADER_LEN + len, type);
    dns_put16(bare + DNS_HEADER_LEN + len + 2, DNS_CLASS_IN);
    struct span msg = span_of(bare, DNS_HEADER_LEN + (size_t)len + 4);
    if (dns_query_parse(msg, &q) != DNS_QUERY_OK) {
        return ERR_DNS_FORM;
    }
    len = dns_build_upstream(msg, &q, &options, message, sizeof(message));
    if (len < 0) {
        return len;
    }
    dns_put16(message, id);
    return probe_send(p, span_of(message, (size_t)len));
}

static int receive(struct probe *p, struct dns_response *out)
{
    struct span msg;
    int err = probe_receive(p, ANSWER_MS, &msg);

    return err != 0 ? err : dns_response_parse(msg, out);
}

/* Returns 0 and how long it took | ERR_*. */
static int ask_root(struct measure *m, struct probe *p, uint16_t id,
                    uint32_t *took_us)
{
    uint64_t began_us = net_now_us(p->loop);
    struct dns_response r;
    struct span padding;
    size_t cursor = 0;
    int err = send_query(p, ".", DNS_TYPE_NS, id);

    if (err == 0) {
        err = receive(p, &r);
    }
    if (err != 0) {
        return err;
    }
    if (r.id != id) {
        return ERR_DNS_FORM;
    }
    *took_us = (uint32_t)(net_now_us(p->loop) - began_us);
    m->pads =
        m->pads || dns_opt_next(&r.opt, DNS_OPTION_PADDING, &cursor, &padding);
    m->keepalive_ds = r.has_keepalive ? r.keepalive : m->keepalive_ds;
    return 0;
}

/* ---- what is measured ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int measure_warm(struct measure *m, struct probe *p, unsigned queries,
                        measure_step_fn *step, void *arg)
{
    uint32_t took_us;
    int err = ask_root(m, p, 1, &took_us); /* to warm up: not counted */

    for (unsigned i = 0; err == 0 && i < queries; i++) {
        err = ask_root(m, p, (uint16_t)(2 + i), &took_us);
        if (err == 0) {
            m->rtts_us[m->rtt_count++] = took_us;
            step(arg);
        }
    }
    qsort(m->rtts_us, m->rtt_count, sizeof(m->rtts_us[0]), compare);
    return err;
}

/* A query that takes its time, and quick ones behind it: do they overtake? */
static int measure_order(struct measure *m, struct probe *p)
{
    enum { SLOW_ID = 0x5000 };
    char name[64];
    uint64_t nonce;
    bool is_slow_seen = false;
    int err;

    net_random(p->loop, &nonce, sizeof(nonce));
    (void)snprintf(name, sizeof(name), "%016llx.example.com",
                   (unsigned long long)nonce);
    err = send_query(p, name, DNS_TYPE_A, SLOW_ID);
    for (uint16_t i = 0; err == 0 && i < OVERTAKERS; i++) {
        err = send_query(p, ".", DNS_TYPE_NS, (uint16_t)(SLOW_ID + 1 + i));
    }
    for (unsigned i = 0; err == 0 && i < 1 + OVERTAKERS; i++) {
        struct dns_response r;
        err = receive(p, &r);
        is_slow_seen = is_slow_seen || (err == 0 && r.id == SLOW_ID);
        if (err == 0 && !is_slow_seen) {
            m->order = MEASURE_OUT_OF_ORDER;
        }
    }
    return err;
}

static void fail(struct measure *m, const struct probe *p, const char *what,
                 int err)
{
    if (p->err != 0) {
        (void)snprintf(m->why, sizeof(m->why), "%s%.400s", what, p->why);
    } else {
        (void)snprintf(m->why, sizeof(m->why), "%s%s", what, err_text(err));
    }
}

static void open_probe(struct measure *m, struct probe *p,
                       struct net_loop *loop, uint32_t *took_us)
{
    probe_open(p, loop, &m->server->addr, m->client, CONNECT_MS);
    *took_us = p->err == 0 ? (uint32_t)(p->ready_us - p->began_us) : 0;
}

static void measure_second(struct measure *m, struct net_loop *loop)
{
    uint32_t took_us;

    open_probe(m, &m->idle, loop, &m->resumed_us);
    if (m->idle.err != 0) {
        fail(m, &m->idle, "the second connection: ", m->idle.err);
        return;
    }
    m->was_resumed = m->idle.info.is_resumed;
    int err = ask_root(m, &m->idle, 1, &took_us);
    if (err != 0) {
        fail(m, &m->idle, "the second connection: ", err);
    }
}

void measure_run(struct measure *m, struct net_loop *loop, unsigned queries,
                 measure_step_fn *step, void *arg)
{
    struct probe p;
    int err;

    open_probe(m, &p, loop, &m->full_us);
    err = p.err;
    if (err == 0) {
        m->info = p.info;
        err = measure_warm(m, &p, queries, step, arg);
        m->is_good = m->rtt_count > 0;
    }
    if (err != 0) {
        fail(m, &p, "", err);
    } else {
        err = measure_order(m, &p);
        if (err != 0) {
            fail(m, &p, "queries at once: ", err);
        }
    }
    probe_finish(&p);
    if (m->is_good) {
        measure_second(m, loop);
    }
}

uint32_t measure_rtt(const struct measure *m, unsigned permille)
{
    unsigned rank = (m->rtt_count * permille + 999) / 1000;

    return rank == 0 ? 0 : m->rtts_us[rank - 1];
}

bool measure_has_ended(struct measure *m)
{
    const struct probe *p = &m->idle;

    if (p->loop == NULL || p->err == 0) {
        return p->loop == NULL;
    }
    if (m->idle_ms == 0 && p->ready_us != 0) {
        m->idle_ms = (uint32_t)((p->ended_us - p->active_us) / 1000);
    }
    return true;
}
