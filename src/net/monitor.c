/*
 * The machine's own network: the kernel's messages (rtnl.h), less what they
 * repeat (known.h), told together at the end of each reading.
 *
 * When the kernel had to drop messages (ENOBUFS) the machine is asked what
 * there is now, and the difference is told.
 */
#include "net/monitor.h"

#include "base/err.h"
#include "base/log.h"
#include "net/known.h"
#include "net/rtnl.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_ROOM "net"

enum {
    GONE_MAX = 256,
    RECEIVES_MAX = 64, /* in one turn */
};

struct net_monitor {
    uv_poll_t poll;
    struct net_loop *loop;
    net_monitor_fn *fn;
    void *arg;
    int fd;
    struct net_known known;
    /* To be told at the end of this reading. */
    struct addr gone[GONE_MAX];
    size_t gone_count;
    bool is_changed;
    bool is_closing;
};

static void note_gone(struct net_monitor *m, const struct addr *addr)
{
    for (size_t i = 0; i < m->gone_count; i++) {
        if (addr_ip_equal(&m->gone[i], addr)) {
            return;
        }
    }
    if (m->gone_count < GONE_MAX) {
        m->gone[m->gone_count++] = *addr;
    }
}

static void take_change(struct net_monitor *m, const struct net_rtnl *r)
{
    if (net_known_take(&m->known, r)) {
        m->is_changed = true;
        if (r->kind == NET_RTNL_ADDR_WENT) {
            note_gone(m, &r->addr);
        }
    }
}

/* Messages were dropped. Addresses that are not found any more have gone. */
static void learn_anew(struct net_monitor *m)
{
    struct net_known *now = calloc(1, sizeof(*now));

    log_debug("the kernel's messages came too fast");
    m->is_changed = true;
    if (now == NULL ||
        net_known_learn(now, m->loop->read_buffer, NET_READ_BUFFER_LEN) != 0) {
        free(now);
        return; /* what is known stays; the next message mends it */
    }
    for (size_t i = 0; i < m->known.addr_count; i++) {
        note_gone(m, &m->known.addrs[i].addr); /* unless tell() finds it */
    }
    m->known = *now;
    free(now);
}

/* ---- reading and telling ---- */

/* What went and came back within a turn has not gone. */
static void tell(struct net_monitor *m)
{
    size_t count = m->gone_count;
    bool is_changed = m->is_changed;

    m->gone_count = 0;
    m->is_changed = false;
    for (size_t i = 0; i < count && !m->is_closing; i++) {
        if (!net_known_has_addr(&m->known, &m->gone[i])) {
            m->fn(m->arg, NET_ADDRESS_GONE, &m->gone[i]);
        }
    }
    if (is_changed && !m->is_closing) {
        m->fn(m->arg, NET_CHANGED, NULL);
    }
}

/* Returns whether there may be more. */
static bool receive(struct net_monitor *m)
{
    struct sockaddr_nl from = {0};
    struct iovec piece = {m->loop->read_buffer, NET_READ_BUFFER_LEN};
    struct msghdr head = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &piece,
        .msg_iovlen = 1,
    };
    ssize_t n = recvmsg(m->fd, &head, 0);
    struct net_rtnl change;

    if (n < 0 && errno == ENOBUFS) {
        learn_anew(m);
        return true;
    }
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    if (from.nl_pid != 0) { /* not the kernel */
        return true;
    }
    if ((head.msg_flags & MSG_TRUNC) != 0) {
        learn_anew(m);
        return true;
    }
    struct span rest = span_of(piece.iov_base, (size_t)n);
    while (net_rtnl_next(&rest, &change)) {
        take_change(m, &change);
    }
    return true;
}

static void poll_in(struct net_monitor *m);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct net_monitor *m = poll->data;
    int rounds = 0;

    (void)events;
    if (status != 0) { /* libuv stops to poll a socket with an error */
        poll_in(m);
    }
    while (rounds < RECEIVES_MAX && receive(m)) {
        rounds++;
    }
    tell(m);
}

static void poll_in(struct net_monitor *m)
{
    int rc = uv_poll_start(&m->poll, UV_READABLE, on_ready);

    assert(rc == 0); /* it fails only on a socket that is closed */
    (void)rc;
}

/* ---- life ---- */

static int open_socket(struct net_monitor *m)
{
    struct sockaddr_nl sa = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    int err = 0;

    m->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   NETLINK_ROUTE);
    if (m->fd < 0) {
        return net_error(errno, "socket, netlink");
    }
    if (bind(m->fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
        err = net_error(errno, "bind, netlink");
    }
    if (err == 0) {
        /* What changes from here on is heard. */
        err = net_known_learn(&m->known, m->loop->read_buffer,
                              NET_READ_BUFFER_LEN);
    }
    if (err == 0) {
        err = net_error(-uv_poll_init(&m->loop->uv, &m->poll, m->fd),
                        "uv_poll_init");
    }
    if (err != 0) {
        (void)close(m->fd);
        return err;
    }
    m->poll.data = m;
    poll_in(m);
    return 0;
}

int net_monitor_start(struct net_loop *l, net_monitor_fn *fn, void *arg,
                      struct net_monitor **out)
{
    struct net_monitor *m = calloc(1, sizeof(*m));
    int err;

    if (m == NULL) {
        return ERR_NOMEM;
    }
    m->loop = l;
    m->fn = fn;
    m->arg = arg;
    err = open_socket(m);
    if (err != 0) {
        free(m);
        return err == ERR_NET_NO_ADDR ? ERR_NET_OTHER : err;
    }
    *out = m;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void net_monitor_close(struct net_monitor *m)
{
    if (m == NULL) {
        return;
    }
    assert(!m->is_closing);
    m->is_closing = true;
    uv_close((uv_handle_t *)&m->poll, on_closed);
    (void)close(m->fd); /* not polled any more */
}
