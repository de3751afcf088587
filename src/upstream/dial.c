/*
 * TCP to a server that may have several addresses (RFC 8305 section 5): they
 * are tried in turn, the next one when an attempt fails or takes 250 ms, and
 * the first that connects wins. It is the first to be tried the next time, so
 * an address that does not work costs once.
 */
#include "upstream/internal.h"

#include "base/err.h"

unsigned dial_address_count(const struct upstream_server *s)
{
    size_t count = 1 + s->config->more_count;

    return count < CONN_ADDRS_MAX ? (unsigned)count : CONN_ADDRS_MAX;
}

static const struct addr *address_at(const struct upstream_server *s,
                                     unsigned i)
{
    return i == 0 ? &s->config->addr : &s->config->more[i - 1];
}

void dial_stop(struct upstream_conn *c)
{
    for (unsigned i = 0; i < CONN_ADDRS_MAX; i++) {
        net_stream_close(c->tries[i].stream);
        c->tries[i].stream = NULL;
    }
}

static bool is_under_way(const struct upstream_conn *c)
{
    for (unsigned i = 0; i < CONN_ADDRS_MAX; i++) {
        if (c->tries[i].stream != NULL) {
            return true;
        }
    }
    return false;
}

static void on_connect(void *arg, int err)
{
    struct conn_try *try = arg;
    struct upstream_conn *c = try->conn;

    if (err == 0) {
        c->stream = try->stream;
        c->address = (unsigned)(try - c->tries);
        try->stream = NULL;
        dial_stop(c);
    } else {
        net_stream_close(try->stream);
        try->stream = NULL;
        if (dial_next(c) == 0) {
            return;
        }
    }
    conn_connected(c, err);
}

static void on_read(void *arg, int err, struct span in)
{
    const struct conn_try *try = arg;

    conn_read(try->conn, err, in);
}

static const struct net_stream_events events = {
    .on_connect = on_connect,
    .on_read = on_read,
};

int dial_next(struct upstream_conn *c)
{
    struct upstream_server *s = c->server;
    unsigned count = dial_address_count(s);
    int err = ERR_NET_OTHER;

    while (c->tried < count) {
        unsigned i = (s->first_address + c->tried++) % count;
        struct conn_try *try = &c->tries[i];
        try->conn = c;
        err = net_stream_connect(s->pool->loop, address_at(s, i), &events, try,
                                 &try->stream);
        if (err == 0) {
            if (c->tried < count) {
                conn_wake_in(c, CONN_NEXT_ADDR_MS);
            }
            return 0;
        }
        try->stream = NULL;
    }
    return is_under_way(c) ? 0 : err;
}

int dial_on_timer(struct upstream_conn *c)
{
    uint32_t limit_ms = c->server->pool->config->connect_timeout_ms;
    uint64_t took_ms = net_now_ms(c->server->pool->loop) - c->started_ms;

    if (took_ms >= limit_ms) {
        return ERR_NET_TIMEOUT;
    }
    net_timer_start(&c->timer, limit_ms - took_ms);
    return c->state == CONN_CONNECTING ? dial_next(c) : 0;
}
