/*
 * Simulated plain servers. A query becomes a reply, which waits for its
 * latency; a TCP client is answered in its order, at once.
 */
#include "plain_server.h"

#include "base/buf.h"
#include "base/err.h"
#include "dns/frame.h"
#include "dns/wire.h"
#include "zone.h"

#include <stdlib.h>
#include <string.h>

enum { UDP_BUFFER = 1 << 20, INPUT_MAX = 1 << 17 };

struct reply {
    struct list node; /* in the server's replies */
    struct sim_event due;
    struct sim_plain_server *server;
    struct net_udp_path path;
    size_t len;
    uint8_t message[NET_UDP_SEND_MAX];
};

struct plain_stream {
    struct list node; /* in the server's streams */
    struct sim_plain_server *server;
    struct net_stream *stream;
    struct buf in;
};

static void must(int err)
{
    if (err != 0) {
        abort();
    }
}

/* Octets of the answer in out (ZONE_MESSAGE_MAX); 0: none is due. */
static size_t answer(struct sim_plain_server *s, struct span query,
                     uint8_t *out, struct dns_query *q)
{
    if (dns_query_parse(query, q) != DNS_QUERY_OK) {
        return 0;
    }
    s->strayed += !zone_is_home(&q->question);
    return zone_answer(query, q, out);
}

/* ---- UDP ---- */

static void reply_free(struct reply *r)
{
    sim_event_cancel(r->server->loop->world, &r->due);
    list_remove(&r->node);
    free(r);
}

static void on_due(struct sim_event *e)
{
    struct reply *r = CONTAINER_OF(e, struct reply, due);
    struct net_udp *udp = r->server->udp;

    memcpy(net_udp_reserve(udp), r->message, r->len);
    net_udp_commit(udp, &r->path, r->len);
    reply_free(r);
}

/* What does not fit is cut down to the question, and says so. */
static size_t cut(uint8_t *message, size_t len, const struct dns_query *q)
{
    size_t limit = q->opt.is_present ? q->opt.udp_size : DNS_UDP_MIN;

    if (len <= limit && len <= NET_UDP_SEND_MAX) {
        return len;
    }
    dns_put16(message + 2, dns_get16(message + 2) | DNS_FLAG_TC);
    memset(message + 6, 0, 6);
    return DNS_HEADER_LEN + dns_question_len(&q->question);
}

static void on_datagrams(void *arg, const struct net_udp_datagram *batch,
                         size_t count)
{
    static uint8_t message[ZONE_MESSAGE_MAX];
    struct sim_plain_server *s = arg;

    for (size_t i = 0; i < count; i++) {
        struct dns_query q;
        size_t len = answer(s, batch[i].data, message, &q);
        s->udp_queries++;
        if (len == 0 || sim_chance(s->loop->world, s->dropped)) {
            continue;
        }
        struct reply *r = sim_alloc(sizeof(*r));
        r->server = s;
        r->path = *batch[i].path;
        r->len = cut(message, len, &q);
        memcpy(r->message, message, r->len);
        list_push_back(&s->replies, &r->node);
        sim_event_init(&r->due, on_due);
        sim_event_in(s->loop->world, &r->due, s->latency_us);
    }
}

/* ---- TCP ---- */

static void stream_end(struct plain_stream *t, bool is_reset)
{
    if (is_reset) {
        net_stream_reset(t->stream);
    } else {
        net_stream_close(t->stream);
    }
    buf_finish(&t->in);
    list_remove(&t->node);
    free(t);
}

/* Returns false when the stream broke. */
static bool take_frame(struct plain_stream *t, struct span message)
{
    static uint8_t frame[DNS_FRAME_HEAD + ZONE_MESSAGE_MAX];
    struct dns_query q;
    size_t len = answer(t->server, message, frame + DNS_FRAME_HEAD, &q);

    t->server->tcp_queries++;
    dns_put16(frame, (unsigned)len);
    return len > 0 && net_stream_write(
                          t->stream, span_of(frame, DNS_FRAME_HEAD + len)) == 0;
}

static void on_read(void *arg, int err, struct span in)
{
    struct plain_stream *t = arg;
    struct span message;
    size_t used = 0;

    if (err != 0) {
        stream_end(t, false);
        return;
    }
    must(buf_append(&t->in, in));
    while (dns_frame_cut(buf_span(&t->in), &message, &used)) {
        if (!take_frame(t, message)) {
            stream_end(t, true);
            return;
        }
        buf_consume(&t->in, used);
    }
}

static const struct net_stream_events events = {.on_read = on_read};

static void on_accept(void *arg, struct net_stream *stream,
                      const struct addr *peer)
{
    struct sim_plain_server *s = arg;
    struct plain_stream *t = sim_alloc(sizeof(*t));

    (void)peer;
    t->server = s;
    t->stream = stream;
    buf_init(&t->in, INPUT_MAX);
    list_push_back(&s->streams, &t->node);
    net_stream_attach(stream, &events, t);
}

/* ---- the server ---- */

void sim_plain_server_start(struct sim_plain_server *s)
{
    if (s->udp != NULL) {
        return;
    }
    must(net_udp_open(s->loop, &s->addr, false, UDP_BUFFER, on_datagrams, s,
                      NULL, &s->udp));
    must(net_listener_open(s->loop, &s->addr, false, on_accept, s, &s->tcp));
}

void sim_plain_server_stop(struct sim_plain_server *s)
{
    if (s->udp == NULL) {
        return;
    }
    LIST_EACH (node, &s->replies) {
        reply_free(CONTAINER_OF(node, struct reply, node));
    }
    LIST_EACH (node, &s->streams) {
        stream_end(CONTAINER_OF(node, struct plain_stream, node), true);
    }
    net_udp_close(s->udp);
    net_listener_close(s->tcp);
    s->udp = NULL;
    s->tcp = NULL;
}

struct sim_plain_server *sim_plain_server_create(struct net_loop *loop,
                                                 const struct addr *addr)
{
    struct sim_plain_server *s = sim_alloc(sizeof(*s));

    s->loop = loop;
    s->addr = *addr;
    s->link = sim_link(loop->world, addr);
    s->latency_us = 1000;
    list_init(&s->replies);
    list_init(&s->streams);
    sim_plain_server_start(s);
    return s;
}

void sim_plain_server_destroy(struct sim_plain_server *s)
{
    if (s != NULL) {
        sim_plain_server_stop(s);
        free(s);
    }
}
