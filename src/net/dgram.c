/*
 * UDP sockets of a client: ours, connected, and polled by libuv.
 *
 * What an earlier datagram met with (a port where nobody listens) the kernel
 * tells by the next call on the socket, whatever that is. net_dgram_send()
 * keeps such an error in `untold` for the end of the turn, and sends again:
 * the new datagram has met with nothing yet.
 */
#include "net/dgram.h"

#include "base/err.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECV_MAX = 4096,
    /* Read in one turn: a flood must leave time for others. */
    RECEIVES_MAX = 64,
    /* More than a socket's buffer holds by default. */
    STRAYS_MAX = 4096,
};

struct net_dgram {
    uv_poll_t poll;
    struct net_loop *loop;
    struct net_turn tell;
    net_dgram_fn *fn;
    void *arg;
    int fd;
    int untold; /* ERR_NET_*, while tell is deferred */
    bool is_closing;
};

/* ---- in ---- */

static void tell_error(struct net_dgram *d, int err)
{
    if (err != 0 && !d->is_closing) {
        d->fn(d->arg, err, span_of(NULL, 0));
    }
}

static void on_tell(struct net_turn *t)
{
    struct net_dgram *d = CONTAINER_OF(t, struct net_dgram, tell);

    tell_error(d, d->untold);
}

/* Returns whether there may be more. */
static bool receive(struct net_dgram *d)
{
    uint8_t *buffer = d->loop->read_buffer;
    ssize_t n = recv(d->fd, buffer, RECV_MAX, MSG_TRUNC);

    if (n < 0) {
        int code = errno;

        if (code != EAGAIN && code != EINTR) {
            tell_error(d, net_error(code, "recv"));
        }
        return code != EAGAIN;
    }
    if (n <= RECV_MAX) {
        d->fn(d->arg, 0, span_of(buffer, (size_t)n));
    }
    return true;
}

static void poll_in(struct net_dgram *d);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct net_dgram *d = poll->data;

    (void)events;
    if (status != 0) { /* libuv stops to poll a socket with an error */
        poll_in(d);
    }
    for (int i = 0; i < RECEIVES_MAX && !d->is_closing; i++) {
        if (!receive(d)) {
            return;
        }
    }
}

static void poll_in(struct net_dgram *d)
{
    int rc = uv_poll_start(&d->poll, UV_READABLE, on_ready);

    assert(rc == 0); /* it fails only on a socket that is closed */
    (void)rc;
}

/* ---- out ---- */

static int send_once(struct net_dgram *d, struct span data)
{
    ssize_t n = send(d->fd, data.ptr, data.len, MSG_NOSIGNAL);

    return n < 0 ? errno : 0;
}

int net_dgram_send(struct net_dgram *d, struct span data)
{
    int code = send_once(d, data);

    if (code == ECONNREFUSED) {
        d->untold = net_error(code, "send, of an earlier datagram");
        net_turn_defer(d->loop, &d->tell);
        code = send_once(d, data);
    }
    if (code == EAGAIN || code == ENOBUFS || code == EINTR) {
        return 0; /* lost */
    }
    return net_error(code, "send");
}

/* ---- life ---- */

/* From bind(2), which connect(2) does by itself, to its end the socket takes
 * datagrams from anywhere. */
static void drop_strays(struct net_dgram *d)
{
    uint8_t octet;

    for (unsigned i = 0; i < STRAYS_MAX; i++) {
        if (recv(d->fd, &octet, sizeof(octet), 0) < 0) {
            return;
        }
    }
}

static int open_socket(struct net_dgram *d, const struct addr *peer)
{
    union net_sockaddr sa;
    socklen_t len = net_sockaddr_from(&sa, peer);
    int err = 0;

    d->fd =
        socket(sa.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) {
        return net_error(errno, "socket");
    }
    if (connect(d->fd, &sa.any, len) != 0) {
        err = net_error(errno, "connect");
    }
    if (err == 0) {
        err = net_error(-uv_poll_init(&d->loop->uv, &d->poll, d->fd),
                        "uv_poll_init");
    }
    if (err != 0) {
        (void)close(d->fd);
        return err;
    }
    d->poll.data = d;
    drop_strays(d);
    poll_in(d);
    return 0;
}

int net_dgram_open(struct net_loop *l, const struct addr *peer,
                   net_dgram_fn *fn, void *arg, struct net_dgram **out)
{
    struct net_dgram *d = calloc(1, sizeof(*d));
    int err;

    if (d == NULL) {
        return ERR_NOMEM;
    }
    d->loop = l;
    d->fn = fn;
    d->arg = arg;
    net_turn_init(&d->tell, on_tell);
    err = open_socket(d, peer);
    if (err != 0) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void net_dgram_close(struct net_dgram *d)
{
    if (d == NULL) {
        return;
    }
    assert(!d->is_closing);
    d->is_closing = true;
    net_turn_cancel(&d->tell);
    uv_close((uv_handle_t *)&d->poll, on_closed);
    (void)close(d->fd); /* not polled any more */
}
