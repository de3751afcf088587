/*
 * The server whose answers a test writes.
 */
#include "peer.h"

#include "base/err.h"
#include "dns/frame.h"
#include "sim/zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_MAX = 1 << 20 };

static void conn_end(struct peer_conn *c, bool is_reset)
{
    if (c->stream == NULL) {
        return;
    }
    if (is_reset) {
        net_stream_reset(c->stream);
    } else {
        net_stream_close(c->stream);
    }
    c->stream = NULL;
    tls_server_finish(&c->tls);
    buf_finish(&c->plain);
}

static void conn_flush(struct peer_conn *c)
{
    struct buf *out = &c->tls.output;

    if (buf_len(out) > 0) {
        int err = net_stream_write(c->stream, buf_span(out));
        buf_consume(out, buf_len(out));
        assert(err == 0);
        (void)err;
    }
}

static void take_query(struct peer_conn *c, struct span message)
{
    struct peer *p = c->peer;
    unsigned n = p->query_count++;

    assert(n < PEER_QUERIES_MAX);
    p->queries[n].conn = (unsigned)(c - p->conns);
    p->queries[n].len = message.len;
    p->queries[n].message = sim_alloc(message.len);
    memcpy(p->queries[n].message, message.ptr, message.len);
    c->queries++;
    if (p->manner == PEER_ANSWER) {
        peer_answer(p, n);
    } else if (p->manner == PEER_HANG_UP) {
        conn_end(c, false);
    }
}

static void say_garbage(struct peer_conn *c)
{
    static const uint8_t garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    if (net_stream_write(c->stream, span_of(garbage, sizeof(garbage))) != 0) {
        conn_end(c, true);
    }
}

static void take_octets(struct peer_conn *c, struct span in)
{
    struct span message;
    size_t used = 0;

    if (c->peer->manner == PEER_SAY_GARBAGE) {
        say_garbage(c);
        return;
    }
    int err = tls_server_recv(&c->tls, in, &c->plain);
    if (err != 0) {
        c->has_said_goodbye = err == ERR_TLS_CLOSED;
        conn_end(c, false);
        return;
    }
    conn_flush(c);
    if (c->tls.state == TLS_SERVER_READY && c->peer->manner == PEER_TURN_AWAY) {
        conn_end(c, false);
        return;
    }
    while (c->stream != NULL &&
           dns_frame_cut(buf_span(&c->plain), &message, &used)) {
        take_query(c, message);
        if (c->stream != NULL) {
            buf_consume(&c->plain, used);
        }
    }
}

static void on_read(void *arg, int err, struct span in)
{
    struct peer_conn *c = arg;

    if (err != 0) {
        conn_end(c, false);
    } else {
        take_octets(c, in);
    }
}

static const struct net_stream_events events = {.on_read = on_read};

static void on_accept(void *arg, struct net_stream *stream,
                      const struct addr *from)
{
    struct peer *p = arg;

    (void)from;
    assert(p->conn_count < PEER_CONNS_MAX);
    struct peer_conn *c = &p->conns[p->conn_count++];
    *c = (struct peer_conn){.peer = p, .stream = stream};
    tls_server_init(&c->tls, &p->identity);
    buf_init(&c->plain, PLAIN_MAX);
    net_stream_attach(stream, &events, c);
}

struct peer *peer_create(struct net_loop *loop, const struct addr *addr,
                         const char *name)
{
    struct peer *p = sim_alloc(sizeof(*p));

    p->loop = loop;
    p->addr = *addr;
    p->identity.version = 13;
    p->identity.certificate.addr = *addr;
    snprintf(p->identity.certificate.name, sizeof(p->identity.certificate.name),
             "%s", name);
    int err = net_listener_open(loop, addr, false, on_accept, p, &p->listener);
    assert(err == 0);
    (void)err;
    return p;
}

void peer_destroy(struct peer *p)
{
    if (p == NULL) {
        return;
    }
    for (unsigned i = 0; i < p->conn_count; i++) {
        conn_end(&p->conns[i], true);
    }
    for (unsigned i = 0; i < p->query_count; i++) {
        free(p->queries[i].message);
    }
    net_listener_close(p->listener);
    free(p);
}

unsigned peer_open_count(const struct peer *p)
{
    unsigned count = 0;

    for (unsigned i = 0; i < p->conn_count; i++) {
        count += p->conns[i].stream != NULL;
    }
    return count;
}

uint16_t peer_id(const struct peer *p, unsigned n)
{
    assert(n < p->query_count);
    return dns_get16(p->queries[n].message);
}

size_t peer_right_answer(const struct peer *p, unsigned n, uint8_t *out)
{
    struct dns_query q;

    assert(n < p->query_count);
    struct span message = span_of(p->queries[n].message, p->queries[n].len);
    enum dns_verdict verdict = dns_query_parse(message, &q);
    assert(verdict == DNS_QUERY_OK);
    (void)verdict;
    return zone_answer(message, &q, out);
}

void peer_answer(struct peer *p, unsigned n)
{
    static uint8_t answer[ZONE_MESSAGE_MAX];

    size_t len = peer_right_answer(p, n, answer);
    peer_send(p, p->queries[n].conn, span_of(answer, len));
}

void peer_send(struct peer *p, unsigned conn, struct span message)
{
    static uint8_t frame[DNS_FRAME_HEAD + ZONE_MESSAGE_MAX];

    dns_put16(frame, (unsigned)message.len);
    if (message.len > 0) {
        memcpy(frame + DNS_FRAME_HEAD, message.ptr, message.len);
    }
    peer_send_raw(p, conn, span_of(frame, DNS_FRAME_HEAD + message.len));
}

void peer_send_raw(struct peer *p, unsigned conn, struct span plaintext)
{
    struct peer_conn *c = &p->conns[conn];

    assert(conn < p->conn_count && c->stream != NULL);
    tls_server_send(&c->tls, plaintext);
    conn_flush(c);
}

void peer_close(struct peer *p, unsigned conn)
{
    struct peer_conn *c = &p->conns[conn];

    tls_server_close(&c->tls);
    conn_flush(c);
    conn_end(c, false);
}

void peer_reset(struct peer *p, unsigned conn)
{
    conn_end(&p->conns[conn], true);
}
