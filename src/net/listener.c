/*
 * TCP, connections in.
 *
 * The listening socket is ours and libuv only polls it: uv_listen() accepts by
 * itself, cannot be paused, and when file descriptors run out it accepts and
 * closes connections with a spare one, which clients see as failures. Here
 * they wait in the kernel's queue.
 *
 * Invariant: the socket is polled unless it is paused by the owner or the
 * timer `retry` runs.
 */
#include "net/stream.h"

#include "base/err.h"
#include "base/log.h"
#include "net/accepted.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_ROOM "net"

enum {
    BACKLOG = 1024,
    /* In one turn, so that a flood of connections leaves time for others. */
    ACCEPT_MAX = 64,
    RETRY_MS = 100,
};

struct net_listener {
    uv_poll_t poll;
    struct net_loop *loop;
    struct net_timer retry; /* after a failure of accept */
    net_accept_fn *fn;
    void *arg;
    struct addr addr;
    int fd;
    bool is_paused;
    bool is_closing;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void apply_polling(struct net_listener *l)
{
    int rc;

    if (l->is_paused || net_timer_is_active(&l->retry)) {
        rc = uv_poll_stop(&l->poll);
    } else {
        rc = uv_poll_start(&l->poll, UV_READABLE, on_readable);
    }
    assert(rc == 0);
    (void)rc;
}

static void on_retry(struct net_timer *t)
{
    apply_polling(CONTAINER_OF(t, struct net_listener, retry));
}

static void retry_later(struct net_listener *l, const char *why)
{
    char text[ADDR_TEXT_MAX];

    log_warning_limited("%s accepts no connection for %d ms: %s",
                        addr_text(&l->addr, text), RETRY_MS, why);
    net_timer_start(&l->retry, RETRY_MS);
    apply_polling(l);
}

/* Errors that belong to one connection, which is lost; accept(2) also hands
 * on what the network told about it. */
static bool is_passing(int errno_code)
{
    switch (errno_code) {
    case EINTR:
    case ECONNABORTED:
    case EPERM: /* a firewall rule */
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

/* Returns false when there is no more to accept now. */
static bool accept_one(struct net_listener *l)
{
    union net_sockaddr sa;
    socklen_t len = sizeof(sa);
    int fd = accept4(l->fd, &sa.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct net_stream *s;
    struct addr peer;
    int err;

    if (fd < 0) {
        if (errno != EAGAIN && !is_passing(errno)) {
            retry_later(l, strerror(errno));
            return false;
        }
        return errno != EAGAIN;
    }
    err = net_sockaddr_to(&sa, &peer);
    if (err != 0) {
        close(fd);
        return true;
    }
    err = net_stream_from_fd(l->loop, fd, &s);
    if (err != 0) {
        retry_later(l, err_text(err));
        return false;
    }
    l->fn(l->arg, s, &peer);
    return !l->is_closing && !l->is_paused;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct net_listener *l = poll->data;
    int count = 0;

    (void)events;
    if (status != 0) { /* libuv has stopped to poll */
        retry_later(l, uv_strerror(status));
        return;
    }
    while (count < ACCEPT_MAX && accept_one(l)) {
        count++;
    }
}

static int listen_and_poll(struct net_listener *l)
{
    int rc;

    if (listen(l->fd, BACKLOG) != 0) {
        return net_error(errno, "listen");
    }
    rc = uv_poll_init(&l->loop->uv, &l->poll, l->fd);
    if (rc != 0) {
        return net_error(-rc, "uv_poll_init");
    }
    l->poll.data = l;
    apply_polling(l);
    return 0;
}

int net_listener_open(struct net_loop *loop, const struct addr *addr,
                      bool is_shared, net_accept_fn *fn, void *arg,
                      struct net_listener **out)
{
    struct net_listener *l = calloc(1, sizeof(*l));
    int err = ERR_NOMEM;

    if (l == NULL) {
        return err;
    }
    l->loop = loop;
    l->fn = fn;
    l->arg = arg;
    net_timer_init(&l->retry, loop, on_retry);
    err = net_socket_bind(addr, SOCK_STREAM, is_shared, &l->addr, &l->fd);
    if (err != 0) {
        goto fail_listener;
    }
    err = listen_and_poll(l);
    if (err != 0) {
        goto fail_socket;
    }
    *out = l;
    return 0;

fail_socket:
    close(l->fd);
fail_listener:
    free(l);
    return err;
}

void net_listener_addr(const struct net_listener *l, struct addr *out)
{
    *out = l->addr;
}

void net_listener_pause(struct net_listener *l)
{
    l->is_paused = true;
    apply_polling(l);
}

void net_listener_resume(struct net_listener *l)
{
    l->is_paused = false;
    apply_polling(l);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void net_listener_close(struct net_listener *l)
{
    if (l == NULL) {
        return;
    }
    assert(!l->is_closing);
    l->is_closing = true;
    net_timer_stop(&l->retry);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd); /* not polled any more */
}
