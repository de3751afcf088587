/*
 * The plain server of the tests.
 */
#include "plain_peer.h"

#include "base/err.h"
#include "dns/frame.h"
#include "dns/name.h"
#include "tests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20, UDP_BUFFER = 1 << 22 };

/* Those of the bed that is. */
static struct plain_peer *all[BED_SERVERS_MAX];
static unsigned all_count;

struct plain_peer_conn {
    struct plain_peer *peer;
    struct net_stream *stream; /* NULL: closed */
    struct buf in;
    unsigned queries;
};

/* ---- answers ---- */

size_t plain_peer_right(const struct plain_peer *p, unsigned n, uint8_t *out)
{
    const struct plain_peer_query *q = &p->queries[n];

    return zone_answer(span_of(q->message, q->len), &q->parsed, out);
}

static void conn_end(struct plain_peer_conn *c)
{
    if (c->stream != NULL) {
        net_stream_close(c->stream);
        c->stream = NULL;
        buf_finish(&c->in);
    }
}

static void send_tcp(struct plain_peer *p, unsigned n, struct span message)
{
    struct plain_peer_conn *c = &p->conns[p->queries[n].conn];
    uint8_t head[DNS_FRAME_HEAD];

    if (c->stream == NULL) {
        return;
    }
    dns_put16(head, (unsigned)message.len);
    message.len = p->hangs_up ? message.len / 2 : message.len;
    if (net_stream_write(c->stream, span_of(head, sizeof(head))) != 0 ||
        net_stream_write(c->stream, message) != 0 || p->hangs_up) {
        conn_end(c);
    }
}

static void send_udp(struct net_udp *u, const struct net_udp_path *path,
                     struct span message)
{
    memcpy(net_udp_reserve(u), message.ptr, message.len);
    net_udp_commit(u, path, message.len);
}

void plain_peer_send(struct plain_peer *p, unsigned n, struct span message)
{
    if (p->queries[n].is_tcp) {
        send_tcp(p, n, message);
    } else {
        send_udp(p->udp, &p->queries[n].path, message);
    }
}

static void ignore(void *arg, const struct net_udp_datagram *batch,
                   size_t count)
{
    (void)arg;
    (void)batch;
    (void)count;
}

void plain_peer_forge(struct plain_peer *p, unsigned n, const struct addr *from,
                      struct span message)
{
    struct net_udp *u = NULL;

    assert_int_equal(
        net_udp_open(p->loop, from, true, 0, ignore, NULL, NULL, &u), 0);
    send_udp(u, &p->queries[n].path, message);
    net_udp_close(u);
}

/* What does not fit a datagram is cut in the middle of a record. */
static size_t cut(uint8_t *out, size_t len)
{
    if (len <= PLAIN_PEER_UDP_LEN) {
        return len;
    }
    out[2] |= 2; /* TC */
    return PLAIN_PEER_UDP_LEN;
}

void plain_peer_answer(struct plain_peer *p, unsigned n)
{
    static uint8_t out[ZONE_MESSAGE_MAX];
    const struct plain_peer_query *q = &p->queries[n];
    struct span query = span_of(q->message, q->len);
    size_t len = 0;

    if (p->has_no_edns && q->parsed.opt.is_present) {
        len = DNS_HEADER_LEN; /* as old servers do */
        memset(out, 0, len);
        dns_put16(out, q->parsed.id);
        dns_put16(out + 2, DNS_FLAG_QR | DNS_RCODE_FORMERR);
    } else if (p->rcode != 0) {
        len = zone_error(query, &q->parsed, p->rcode, out);
    } else {
        len = plain_peer_right(p, n, out);
    }
    if (p->forgets_case && !q->is_tcp && len > DNS_HEADER_LEN) {
        dns_name_lower(out + DNS_HEADER_LEN, out + DNS_HEADER_LEN,
                       q->parsed.question.name_len);
    }
    if (!q->is_tcp) {
        len = cut(out, len);
    }
    plain_peer_send(p, n, span_of(out, len));
}

bool plain_peer_is_spelt_as(const struct plain_peer *p, unsigned n,
                            const struct ask *a)
{
    const struct dns_question *q = &p->queries[n].parsed.question;

    return q->name_len == a->req.question.name_len &&
           memcmp(q->name, a->req.question.name, q->name_len) == 0;
}

/* ---- queries ---- */

static void take_query(struct plain_peer *p, struct plain_peer_query q,
                       struct span message)
{
    unsigned n = p->query_count;

    assert_true(n < PLAIN_PEER_QUERIES_MAX);
    p->query_count++;
    q.len = message.len;
    q.message = sim_alloc(message.len);
    q.came_us = p->loop->world->now_us;
    memcpy(q.message, message.ptr, message.len);
    assert_int_equal(dns_query_parse(span_of(q.message, q.len), &q.parsed),
                     DNS_QUERY_OK);
    p->queries[n] = q;
    p->tcp_count += q.is_tcp;
    if (!p->is_silent) {
        plain_peer_answer(p, n);
    }
}

static void on_datagrams(void *arg, const struct net_udp_datagram *batch,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct plain_peer_query q = {.path = *batch[i].path};

        net_udp_path_peer(&q.path, &q.from);
        take_query(arg, q, batch[i].data);
    }
}

static void on_read(void *arg, int err, struct span in)
{
    struct plain_peer_conn *c = arg;
    struct plain_peer *p = c->peer;
    struct span message;
    size_t used = 0;

    if (err != 0 || buf_append(&c->in, in) != 0) {
        conn_end(c);
        return;
    }
    while (c->stream != NULL &&
           dns_frame_cut(buf_span(&c->in), &message, &used)) {
        const struct plain_peer_query q = {
            .is_tcp = true,
            .conn = (unsigned)(c - p->conns),
        };
        c->queries++;
        take_query(p, q, message);
        if (c->stream != NULL) {
            buf_consume(&c->in, used);
        }
        if (p->tcp_max != 0 && c->queries == p->tcp_max) {
            conn_end(c);
        }
    }
}

static const struct net_stream_events conn_events = {.on_read = on_read};

static void on_accept(void *arg, struct net_stream *s, const struct addr *peer)
{
    struct plain_peer *p = arg;

    (void)peer;
    assert_true(p->conn_count < PLAIN_PEER_CONNS_MAX);
    struct plain_peer_conn *c = &p->conns[p->conn_count++];
    c->peer = p;
    c->stream = s;
    buf_init(&c->in, INPUT_MAX);
    net_stream_attach(s, &conn_events, c);
}

/* ---- life ---- */

static struct config_server *add_entry(struct bed *b, enum config_transport t)
{
    unsigned n = (unsigned)b->config.pool.server_count;

    bed_add_nobody(b);
    b->config.pool.is_plain = true;
    b->config.max_queries = 1024;
    struct config_server *e = &b->entries[n];
    e->addr.port = 53;
    e->transport = t;
    snprintf(b->labels[n], BED_LABEL_LEN, "%s://192.0.2.%u:53",
             t == CONFIG_UDP ? "udp" : "tcp", n + 1);
    return e;
}

void plain_peer_add_nobody(struct bed *b)
{
    (void)add_entry(b, CONFIG_UDP);
}

struct plain_peer *plain_peer_add(struct bed *b, enum config_transport t)
{
    struct plain_peer *p = sim_alloc(sizeof(*p));

    p->loop = b->peers_loop;
    p->addr = add_entry(b, t)->addr;
    p->conns = sim_alloc(PLAIN_PEER_CONNS_MAX * sizeof(*p->conns));
    if (t == CONFIG_UDP) {
        assert_int_equal(net_udp_open(p->loop, &p->addr, true, UDP_BUFFER,
                                      on_datagrams, p, NULL, &p->udp),
                         0);
    }
    assert_int_equal(
        net_listener_open(p->loop, &p->addr, false, on_accept, p, &p->listener),
        0);
    all[all_count++] = p;
    return p;
}

void plain_peer_stop(struct plain_peer *p)
{
    net_udp_close(p->udp);
    net_listener_close(p->listener);
    p->udp = NULL;
    p->listener = NULL;
    for (unsigned i = 0; i < p->conn_count; i++) {
        conn_end(&p->conns[i]);
    }
}

static void peer_free(struct plain_peer *p)
{
    plain_peer_stop(p);
    for (unsigned i = 0; i < p->query_count; i++) {
        free(p->queries[i].message);
    }
    free(p->conns);
    free(p);
}

int plain_teardown(void **state)
{
    struct bed *b = *state;

    if (b->pool != NULL && upstream_pool_pending(b->pool) == 0) {
        bed_stop(b);
    }
    while (all_count > 0) {
        peer_free(all[--all_count]);
    }
    return bed_teardown(state);
}

struct bed *plain_renew(void **state, const char *title)
{
    print_message("# %s\n", title);
    (void)plain_teardown(state);
    (void)bed_setup(state);
    return *state;
}
