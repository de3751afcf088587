/*
 * Shared by the tests of streams: a client and a server in one loop. Each
 * test gives both ends a function that is called after an event was counted;
 * that is where writes, closes and resets happen.
 */
#ifndef TESTS_NET_STREAM_ENDS_H
#define TESTS_NET_STREAM_ENDS_H

#include "run.h"

#include "net/stream.h"

#include <stdlib.h>

enum event { EV_CONNECT, EV_READ, EV_EOF, EV_FAIL, EV_DRAIN, EV_COUNT };

struct end;
typedef void event_fn(struct end *e, enum event ev);

struct end {
    struct net_stream *stream;
    struct end *other;
    struct net_loop *loop;
    event_fn *fn;
    size_t got_len; /* octets read; each must continue the pattern */
    bool is_pattern;
    unsigned count[EV_COUNT];
    int err; /* of the last EV_CONNECT or EV_FAIL */
};

struct fixture {
    struct net_loop *loop;
    struct net_listener *listener;
    struct end client, server;
    bool closes_in_accept;
    struct addr peer;
};

/* What is written, at any offset of a connection. */
static inline uint8_t pattern_at(size_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 8));
}

static inline int write_pattern(struct end *e, size_t offset, size_t len)
{
    uint8_t *octets = malloc(len);
    int err;

    assert_non_null(octets);
    for (size_t i = 0; i < len; i++) {
        octets[i] = pattern_at(offset + i);
    }
    err = net_stream_write(e->stream, span_of(octets, len));
    free(octets); /* it was lent for the call alone */
    return err;
}

static inline void tell(struct end *e, enum event ev, int err)
{
    assert_non_null(e->stream); /* no callback after close */
    e->count[ev]++;
    e->err = err;
    if (e->fn != NULL) {
        e->fn(e, ev);
    }
}

static inline void on_connect(void *arg, int err)
{
    tell(arg, EV_CONNECT, err);
}

static inline void on_read(void *arg, int err, struct span in)
{
    struct end *e = arg;

    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != pattern_at(e->got_len + i)) {
            e->is_pattern = false;
        }
    }
    e->got_len += in.len;
    if (err == 0) {
        assert_int_not_equal(in.len, 0);
        tell(e, EV_READ, 0);
    } else {
        assert_int_equal(in.len, 0);
        tell(e, err == ERR_NET_EOF ? EV_EOF : EV_FAIL, err);
    }
}

static inline void on_drain(void *arg)
{
    tell(arg, EV_DRAIN, 0);
}

static const struct net_stream_events events = {
    .on_connect = on_connect,
    .on_read = on_read,
    .on_drain = on_drain,
};

static inline void end_close(struct end *e)
{
    net_stream_close(e->stream);
    e->stream = NULL;
}

static inline void end_reset(struct end *e)
{
    net_stream_reset(e->stream);
    e->stream = NULL;
}

static inline void on_accept(void *arg, struct net_stream *s,
                             const struct addr *peer)
{
    struct fixture *f = arg;

    f->peer = *peer;
    if (f->closes_in_accept) {
        net_stream_close(s);
        return;
    }
    assert_null(f->server.stream); /* one is expected */
    f->server.stream = s;
    net_stream_attach(s, &events, &f->server);
}

/* Listen on ip and connect to it. */
static inline void setup(struct fixture *f, const char *ip, event_fn *client,
                         event_fn *server)
{
    struct addr a = addr_of(ip);
    struct addr bound;

    memset(f, 0, sizeof(*f));
    f->loop = loop_create();
    assert_int_equal(
        net_listener_open(f->loop, &a, false, on_accept, f, &f->listener), 0);
    net_listener_addr(f->listener, &bound);
    f->client = (struct end){
        .other = &f->server, .loop = f->loop, .fn = client, .is_pattern = true};
    f->server = (struct end){
        .other = &f->client, .loop = f->loop, .fn = server, .is_pattern = true};
    assert_int_equal(net_stream_connect(f->loop, &bound, &events, &f->client,
                                        &f->client.stream),
                     0);
    assert_int_equal(f->client.count[EV_CONNECT], 0);
}

static inline void teardown(struct fixture *f)
{
    assert_true(f->client.is_pattern);
    assert_true(f->server.is_pattern);
    net_stream_close(f->client.stream);
    net_stream_close(f->server.stream);
    net_listener_close(f->listener);
    net_loop_destroy(f->loop);
}

enum { PIECE = 1024 * 1024, PIECES = 24, TOTAL = PIECE * PIECES };

static inline void backlog_client(struct end *e, enum event ev)
{
    if (ev == EV_CONNECT) {
        for (size_t i = 0; i < PIECES; i++) {
            assert_int_equal(write_pattern(e, i * PIECE, PIECE), 0);
        }
        assert_true(net_stream_backlog(e->stream) > 0);
        assert_true(net_stream_backlog(e->stream) < TOTAL);
    } else if (ev == EV_DRAIN) {
        assert_int_equal(net_stream_backlog(e->stream), 0);
    }
}

#endif
