/*
 * TCP connections.
 *
 * Writing: octets go to the kernel at once. What it does not take is copied,
 * handed to libuv as one request, and what comes while that is under way waits
 * in `pending` for the next, so the order is kept with one request at a time.
 *
 * Invariants: is_connecting or writing != NULL or pending is empty; once
 * is_closing no callback is made, and on_closed() alone frees. A stream is
 * broken once: whoever finds it first tells it, either by what
 * net_stream_write() returns or by on_read.
 */
#include "net/stream.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "net/accepted.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_ROOM "net"

enum {
    /* The last net: users bound their backlog far below. */
    BACKLOG_MAX = 64 * 1024 * 1024,
    /* A connection whose peer is gone without a word ends after this. */
    KEEPALIVE_S = 30,
    UNACKED_MAX_MS = 30000,
};

/* Octets that libuv writes; it owns them until on_written(). */
struct stream_write {
    uv_write_t req;
    struct buf octets;
};

struct net_stream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    const struct net_stream_events *events;
    void *arg;
    struct stream_write *writing; /* under way, or NULL */
    struct buf pending;           /* to be written after it */
    uint8_t *read_buffer;         /* the loop's */
    bool is_connecting;
    bool is_closing;
    bool is_broken;
    bool has_eof; /* the peer's end came */
    bool is_reading;
    bool wants_reading;
    bool wants_shutdown; /* once the backlog is gone */
};

static uv_stream_t *uv_stream(struct net_stream *s)
{
    return (uv_stream_t *)&s->tcp;
}

static int stream_fd(const struct net_stream *s)
{
    uv_os_fd_t fd = -1;

    (void)uv_fileno((const uv_handle_t *)&s->tcp, &fd);
    return fd;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct net_stream *s = handle->data;

    assert(s->writing == NULL); /* libuv cancelled it before */
    buf_finish(&s->pending);
    free(s);
}

static void stream_close(struct net_stream *s, bool is_reset)
{
    if (s == NULL) {
        return;
    }
    assert(!s->is_closing);
    s->is_closing = true;
    if (is_reset && uv_tcp_close_reset(&s->tcp, on_closed) == 0) {
        return;
    }
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

void net_stream_close(struct net_stream *s)
{
    stream_close(s, false);
}

void net_stream_reset(struct net_stream *s)
{
    stream_close(s, true);
}

/* A socket of family comes with it, unless that is AF_UNSPEC. */
static int stream_create(struct net_loop *l, unsigned family,
                         struct net_stream **out)
{
    struct net_stream *s = calloc(1, sizeof(*s));
    int rc;

    if (s == NULL) {
        return ERR_NOMEM;
    }
    rc = uv_tcp_init_ex(&l->uv, &s->tcp, family);
    if (rc != 0) {
        free(s);
        return net_error(-rc, "socket");
    }
    s->tcp.data = s;
    s->read_buffer = l->read_buffer;
    s->wants_reading = true;
    buf_init(&s->pending, BACKLOG_MAX);
    *out = s;
    return 0;
}

static void stream_break(struct net_stream *s)
{
    s->is_broken = true;
    s->is_reading = false;
    (void)uv_read_stop(uv_stream(s));
}

/* Tell of a failure that no call of the user's can return. */
static void stream_fail(struct net_stream *s, int err)
{
    stream_break(s);
    s->events->on_read(s->arg, err, span_of(NULL, 0));
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct net_stream *s = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)s->read_buffer, NET_READ_BUFFER_LEN);
}

static void on_uv_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct net_stream *s = stream->data;

    if (n > 0) {
        s->events->on_read(s->arg, 0, span_of(in->base, (size_t)n));
    } else if (n == UV_EOF) {
        s->has_eof = true;
        s->is_reading = false; /* libuv has stopped by itself */
        s->events->on_read(s->arg, ERR_NET_EOF, span_of(NULL, 0));
    } else if (n < 0) {
        stream_fail(s, net_error((int)-n, "read"));
    }
}

/* Bring libuv to what is wanted, as far as the state of the stream allows. */
static void apply_reading(struct net_stream *s)
{
    bool should =
        s->wants_reading && !s->is_connecting && !s->is_broken && !s->has_eof;
    int rc = 0;

    if (should && !s->is_reading) {
        rc = uv_read_start(uv_stream(s), on_alloc, on_uv_read);
    } else if (!should && s->is_reading) {
        rc = uv_read_stop(uv_stream(s));
    }
    assert(rc == 0); /* libuv refuses only sockets that are not connected */
    (void)rc;
    s->is_reading = should;
}

void net_stream_read_stop(struct net_stream *s)
{
    s->wants_reading = false;
    apply_reading(s);
}

void net_stream_read_start(struct net_stream *s)
{
    s->wants_reading = true;
    apply_reading(s);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status);

static void write_free(struct stream_write *w)
{
    buf_finish(&w->octets);
    free(w);
}

/* Hand what is pending to libuv. */
static int write_pending(struct net_stream *s)
{
    struct stream_write *w = malloc(sizeof(*w));
    uv_buf_t out;
    int rc;

    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->octets = s->pending;
    w->req.data = s;
    buf_init(&s->pending, BACKLOG_MAX);
    out.base = (char *)(w->octets.data + w->octets.head);
    out.len = buf_len(&w->octets);
    rc = uv_write(&w->req, uv_stream(s), &out, 1, on_written);
    if (rc != 0) {
        write_free(w);
        return net_error(-rc, "write");
    }
    s->writing = w;
    return 0;
}

/* FIN follows the last octet. shutdown(2) needs no request of libuv, which
 * would have to be waited for. */
static void shut_when_drained(struct net_stream *s)
{
    if (s->wants_shutdown && !s->is_connecting && s->writing == NULL) {
        s->wants_shutdown = false;
        (void)shutdown(stream_fd(s), SHUT_WR); /* else the peer has reset */
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct net_stream *s = req->data;
    int err;

    assert(s->writing == CONTAINER_OF(req, struct stream_write, req));
    write_free(s->writing);
    s->writing = NULL;
    if (s->is_closing || s->is_broken) {
        return;
    }
    err = net_error(-status, "write");
    if (err == 0 && buf_len(&s->pending) > 0) {
        err = write_pending(s);
    }
    if (err != 0) {
        stream_fail(s, err);
        return;
    }
    shut_when_drained(s);
    if (s->writing == NULL && s->events->on_drain != NULL) {
        s->events->on_drain(s->arg);
    }
}

/* Let the kernel have what it takes at once; *rest is what it does not. */
static int write_now(struct net_stream *s, struct span data, struct span *rest)
{
    uv_buf_t out = {.base = (char *)(uintptr_t)data.ptr, .len = data.len};
    int n = uv_try_write(uv_stream(s), &out, 1);

    if (n < 0 && n != UV_EAGAIN) {
        return net_error(-n, "write");
    }
    *rest = n > 0 ? span_from(data, (size_t)n) : data;
    return 0;
}

int net_stream_write(struct net_stream *s, struct span data)
{
    int err = 0;

    if (s->is_broken) {
        return ERR_NET_RESET;
    }
    if (!s->is_connecting && s->writing == NULL && data.len > 0) {
        err = write_now(s, data, &data);
    }
    if (err == 0 && data.len > 0) {
        err = buf_append(&s->pending, data);
        if (err == 0 && !s->is_connecting && s->writing == NULL) {
            err = write_pending(s);
        }
    }
    if (err != 0) { /* octets may be missing: nothing can follow them */
        stream_break(s);
    }
    return err == ERR_LIMIT ? ERR_NOMEM : err;
}

int net_stream_local(const struct net_stream *s, struct addr *out)
{
    union net_sockaddr sa;
    socklen_t len = sizeof(sa);

    if (s->is_connecting || s->is_broken) {
        return ERR_NET_OTHER;
    }
    if (getsockname(stream_fd(s), &sa.any, &len) != 0 ||
        net_sockaddr_to(&sa, out) != 0) {
        return ERR_NET_OTHER;
    }
    return 0;
}

size_t net_stream_backlog(const struct net_stream *s)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) +
           buf_len(&s->pending);
}

void net_stream_shutdown(struct net_stream *s)
{
    s->wants_shutdown = true;
    if (!s->is_broken) {
        shut_when_drained(s);
    }
}

/* ---- connections out ---- */

static void on_connected(uv_connect_t *req, int status)
{
    struct net_stream *s = req->data;
    int err;

    s->is_connecting = false;
    if (s->is_closing) {
        return;
    }
    err = net_error(-status, "connect");
    if (err == 0 && buf_len(&s->pending) > 0) {
        err = write_pending(s);
    }
    if (err == 0) {
        apply_reading(s);
        shut_when_drained(s);
    } else {
        s->is_broken = true;
    }
    s->events->on_connect(s->arg, err);
}

/* None of these is needed for the stream to work, so none may fail it. */
static void set_options(struct net_stream *s)
{
    unsigned unacked_ms = UNACKED_MAX_MS;

    (void)uv_tcp_nodelay(&s->tcp, 1);
    (void)uv_tcp_keepalive(&s->tcp, 1, KEEPALIVE_S);
    (void)setsockopt(stream_fd(s), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms,
                     sizeof(unacked_ms));
}

int net_stream_connect(struct net_loop *l, const struct addr *addr,
                       const struct net_stream_events *events, void *arg,
                       struct net_stream **out)
{
    union net_sockaddr sa;
    struct net_stream *s = NULL;
    int err;
    int rc;

    (void)net_sockaddr_from(&sa, addr);
    err = stream_create(l, sa.any.sa_family, &s);
    if (err != 0) {
        return err;
    }
    assert(s != NULL);
    s->events = events;
    s->arg = arg;
    s->connect.data = s;
    set_options(s);
    rc = uv_tcp_connect(&s->connect, &s->tcp, &sa.any, on_connected);
    if (rc != 0) {
        net_stream_close(s);
        return net_error(-rc, "connect");
    }
    s->is_connecting = true;
    *out = s;
    return 0;
}

/* ---- connections in ---- */

int net_stream_from_fd(struct net_loop *l, int fd, struct net_stream **out)
{
    struct net_stream *s = NULL;
    int err = stream_create(l, AF_UNSPEC, &s);
    int rc;

    if (err != 0) {
        (void)close(fd);
        return err;
    }
    rc = uv_tcp_open(&s->tcp, fd);
    if (rc != 0) {
        (void)close(fd);
        net_stream_close(s);
        return net_error(-rc, "uv_tcp_open");
    }
    (void)uv_tcp_nodelay(&s->tcp, 1);
    *out = s;
    return 0;
}

void net_stream_attach(struct net_stream *s,
                       const struct net_stream_events *events, void *arg)
{
    assert(s->events == NULL);
    s->events = events;
    s->arg = arg;
    apply_reading(s);
}
