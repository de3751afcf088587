/*
 * UDP sockets of a server.
 *
 * The socket is ours and libuv only polls it: uv_udp_t cannot tell to which
 * address a datagram came nor choose from which an answer leaves, and sends
 * one request after the other.
 *
 * In: one set of buffers serves all sockets of a loop. Message headers are
 * prepared once and after a batch only what the kernel has changed is mended.
 *
 * Out: answers lie one behind the other in `octets`, so that a batch of usual
 * answers touches two pages, not one each. What is gathered leaves in flush(),
 * at the end of the turn or when the batch is full. Invariant: first <= count;
 * while count > first the flush is deferred or the socket is polled for
 * room to write.
 */
#include "net/udp.h"

#include "base/err.h"
#include "base/log.h"
#include "net/sockaddr.h"
#include "net/udp_path.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_ROOM "net"

enum {
    /* Batches read in one turn: a flood must leave time for TCP. */
    ROUNDS_MAX = 4,
    /* Buffers that all begin at the same offset of a page would compete for
     * the same few lines of the first cache. */
    SLOT_LEN = NET_UDP_RECV_MAX + 128,
    /* The batch is full from here on: a batch of answers of 1232 octets
     * fits. */
    OUT_LEN = NET_UDP_BATCH * 1280,
    OUT_ALIGN = 64,
};

/* Of one loop: what comes in, by whatever socket. */
struct inbox {
    struct mmsghdr messages[NET_UDP_BATCH];
    struct iovec pieces[NET_UDP_BATCH];
    struct net_udp_path paths[NET_UDP_BATCH];
    struct net_udp_control controls[NET_UDP_BATCH];
    uint8_t octets[NET_UDP_BATCH][SLOT_LEN];
};

/* Of one socket: what is gathered to go out. */
struct outbox {
    struct mmsghdr messages[NET_UDP_BATCH];
    struct iovec pieces[NET_UDP_BATCH];
    struct net_udp_path paths[NET_UDP_BATCH];
    struct net_udp_control controls[NET_UDP_BATCH];
    size_t first; /* the oldest that is not sent */
    size_t count; /* one past the newest */
    size_t used;  /* of octets */
    /* The last answer may reach past OUT_LEN, and behind it there is still
     * room for one that will be dropped. */
    uint8_t octets[OUT_LEN + 2 * NET_UDP_SEND_MAX];
};

struct net_udp {
    uv_poll_t poll;
    struct net_loop *loop;
    struct net_turn flush;
    struct inbox *in;   /* the loop's */
    struct outbox *out; /* owned */
    net_udp_recv_fn *fn;
    void *arg;
    struct net_udp_stats stats;
    struct addr addr;
    int fd;
    bool is_blocked; /* the kernel takes no more for now */
    bool is_closing;
};

/* ---- out ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

static void poll_for(struct net_udp *u, int events)
{
    int rc = uv_poll_start(&u->poll, events, on_ready);

    assert(rc == 0); /* it fails only on a socket that is closed */
    (void)rc;
}

static bool is_full(const struct outbox *out)
{
    return out->count == NET_UDP_BATCH || out->used >= OUT_LEN;
}

/* Hand the kernel what is gathered, as far as it takes it. */
static void flush(struct net_udp *u)
{
    struct outbox *out = u->out;

    while (out->first < out->count) {
        int n = sendmmsg(u->fd, out->messages + out->first,
                         (unsigned)(out->count - out->first), 0);

        u->stats.send_calls++;
        if (n > 0) {
            out->first += (size_t)n;
            u->stats.sent += (uint64_t)n;
        } else if (errno == EAGAIN) {
            if (!u->is_blocked && !u->is_closing) {
                u->is_blocked = true;
                poll_for(u, UV_READABLE | UV_WRITABLE);
            }
            return;
        } else if (errno != EINTR) {
            /* The first cannot go (no route, a firewall, too long, ...); it
             * must not keep the others. */
            (void)net_error(errno, "sendmmsg");
            out->first++;
            u->stats.send_failed++;
        }
    }
    out->first = 0;
    out->count = 0;
    out->used = 0;
}

static void on_flush(struct net_turn *t)
{
    struct net_udp *u = CONTAINER_OF(t, struct net_udp, flush);

    if (!u->is_blocked) {
        flush(u);
    }
}

uint8_t *net_udp_reserve(struct net_udp *u)
{
    if (is_full(u->out) && !u->is_blocked) {
        flush(u);
    }
    return u->out->octets + u->out->used;
}

void net_udp_commit(struct net_udp *u, const struct net_udp_path *to,
                    size_t len)
{
    struct outbox *out = u->out;
    size_t i = out->count;

    assert(len <= NET_UDP_SEND_MAX);
    if (is_full(out)) { /* and blocked: the peer asks again */
        u->stats.send_failed++;
        return;
    }
    out->paths[i] = *to;
    out->pieces[i].iov_base = out->octets + out->used;
    out->pieces[i].iov_len = len;
    net_udp_path_write(&out->paths[i], &out->controls[i],
                       &out->messages[i].msg_hdr);
    out->used += (len + OUT_ALIGN - 1) / OUT_ALIGN * OUT_ALIGN;
    out->count++;
    net_loop_defer_flush(u->loop, &u->flush);
}

/* ---- in ---- */

/* Room for the longest of what the kernel writes; it put the true lengths. */
static void reset_message(struct msghdr *m)
{
    m->msg_namelen = sizeof(((struct net_udp_path *)0)->peer);
    m->msg_controllen = sizeof(struct net_udp_control);
}

/* Hand up the first count messages, but those that were too long. */
static void deliver(struct net_udp *u, size_t count)
{
    struct inbox *in = u->in;
    struct net_udp_datagram batch[NET_UDP_BATCH];
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct mmsghdr *m = &in->messages[i];

        if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            u->stats.oversized++;
        } else {
            net_udp_path_read(&in->paths[i], &m->msg_hdr);
            batch[kept].data = span_of(in->octets[i], m->msg_len);
            batch[kept].path = &in->paths[i];
            kept++;
        }
        reset_message(&m->msg_hdr);
    }
    u->stats.received += kept;
    if (kept > 0) {
        u->fn(u->arg, batch, kept);
    }
}

/* Returns the number of datagrams that were there. */
static size_t receive_batch(struct net_udp *u)
{
    struct inbox *in = u->in;
    int n;

    do {
        n = recvmmsg(u->fd, in->messages, NET_UDP_BATCH, MSG_DONTWAIT, NULL);
        u->stats.recv_calls++;
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno != EAGAIN) {
            (void)net_error(errno, "recvmmsg"); /* of an earlier send */
        }
        return 0;
    }
    deliver(u, (size_t)n);
    return (size_t)n;
}

/* libuv stops to poll when the socket has an error: take it off, go on. */
static void clear_error(struct net_udp *u, int status)
{
    int code = 0;
    socklen_t len = sizeof(code);

    (void)getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &code, &len);
    (void)net_error(code != 0 ? code : -status, "poll");
    u->is_blocked = false;
    poll_for(u, UV_READABLE);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct net_udp *u = poll->data;

    if (status != 0) {
        clear_error(u, status);
        events = UV_READABLE | UV_WRITABLE;
    } else if (u->is_blocked && (events & UV_WRITABLE) != 0) {
        u->is_blocked = false;
        poll_for(u, UV_READABLE);
    }
    if ((events & UV_WRITABLE) != 0) {
        flush(u);
    }
    if ((events & UV_READABLE) != 0) {
        int rounds = 0;

        while (rounds < ROUNDS_MAX && !u->is_closing &&
               receive_batch(u) == NET_UDP_BATCH) {
            rounds++;
        }
    }
}

/* ---- life ---- */

static struct inbox *inbox_create(void)
{
    /* Pages of octets stay untouched, and without memory, until used. */
    struct inbox *in = malloc(sizeof(*in));

    if (in == NULL) {
        return NULL;
    }
    memset(in->messages, 0, sizeof(in->messages));
    memset(in->paths, 0, sizeof(in->paths));
    for (size_t i = 0; i < NET_UDP_BATCH; i++) {
        struct msghdr *m = &in->messages[i].msg_hdr;

        in->pieces[i].iov_base = in->octets[i];
        in->pieces[i].iov_len = NET_UDP_RECV_MAX;
        m->msg_iov = &in->pieces[i];
        m->msg_iovlen = 1;
        m->msg_name = in->paths[i].peer;
        m->msg_control = in->controls[i].octets;
        reset_message(m);
    }
    return in;
}

static struct outbox *outbox_create(void)
{
    struct outbox *out = malloc(sizeof(*out));

    if (out == NULL) {
        return NULL;
    }
    memset(out, 0, offsetof(struct outbox, octets));
    for (size_t i = 0; i < NET_UDP_BATCH; i++) {
        struct msghdr *m = &out->messages[i].msg_hdr;

        m->msg_iov = &out->pieces[i];
        m->msg_iovlen = 1;
    }
    return out;
}

static bool is_wildcard(const struct addr *a)
{
    static const uint8_t none[16];

    return memcmp(a->ip, none, sizeof(none)) == 0;
}

/* Ask for the size as the one who may pass the machine's bound, else as
 * anybody. */
static void set_buffer(int fd, int force_name, int name, int size)
{
    if (setsockopt(fd, SOL_SOCKET, force_name, &size, sizeof(size)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, name, &size, sizeof(size));
    }
}

/* The kernel counts twice what is asked for, for its own data; *got does not.
 */
static void set_buffers(int fd, size_t wanted, size_t *got)
{
    int size = wanted > INT_MAX / 2 ? INT_MAX / 2 : (int)wanted;
    socklen_t len = sizeof(size);

    if (wanted > 0) {
        set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, size);
        set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, size);
    }
    if (got != NULL &&
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) == 0) {
        *got = (size_t)size / 2;
    }
}

/* Sizes follow the interface alone, whatever ICMP says of the path: a forged
 * message must not make answers leave in small fragments, into which false
 * ones can be slipped. */
static void ignore_path_mtu(int fd, bool is_v4)
{
#if defined(IP_PMTUDISC_OMIT) && defined(IPV6_PMTUDISC_OMIT)
    int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    int name = is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
    int mode = is_v4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_OMIT;

    (void)setsockopt(fd, level, name, &mode, sizeof(mode));
#else
    (void)fd;
    (void)is_v4;
#endif
}

static int open_socket(struct net_udp *u, const struct addr *addr,
                       bool is_shared)
{
    int err = net_socket_bind(addr, SOCK_DGRAM, is_shared, &u->addr, &u->fd);
    int rc;

    if (err != 0) {
        return err;
    }
    ignore_path_mtu(u->fd, addr->family == 4);
    if (is_wildcard(addr)) {
        err = net_udp_path_enable(u->fd, addr->family == 4);
    }
    if (err == 0) {
        rc = uv_poll_init(&u->loop->uv, &u->poll, u->fd);
        err = net_error(-rc, "uv_poll_init");
    }
    if (err != 0) {
        close(u->fd);
        return err;
    }
    u->poll.data = u;
    poll_for(u, UV_READABLE);
    return 0;
}

int net_udp_open(struct net_loop *l, const struct addr *addr, bool is_shared,
                 size_t recv_buffer, net_udp_recv_fn *fn, void *arg,
                 size_t *got_buffer, struct net_udp **out)
{
    struct net_udp *u = calloc(1, sizeof(*u));
    int err = ERR_NOMEM;

    if (u == NULL) {
        return err;
    }
    if (l->udp_inbox == NULL) {
        l->udp_inbox = inbox_create();
    }
    u->in = l->udp_inbox;
    u->out = outbox_create();
    if (u->in == NULL || u->out == NULL) {
        goto fail_udp;
    }
    u->loop = l;
    u->fn = fn;
    u->arg = arg;
    net_turn_init(&u->flush, on_flush);
    err = open_socket(u, addr, is_shared);
    if (err != 0) {
        goto fail_udp;
    }
    set_buffers(u->fd, recv_buffer, got_buffer);
    *out = u;
    return 0;

fail_udp:
    free(u->out);
    free(u);
    return err;
}

void net_udp_addr(const struct net_udp *u, struct addr *out)
{
    *out = u->addr;
}

const struct net_udp_stats *net_udp_stats(const struct net_udp *u)
{
    return &u->stats;
}

static void on_closed(uv_handle_t *handle)
{
    struct net_udp *u = handle->data;

    free(u->out);
    free(u);
}

void net_udp_close(struct net_udp *u)
{
    if (u == NULL) {
        return;
    }
    assert(!u->is_closing);
    u->is_closing = true;
    flush(u);
    net_turn_cancel(&u->flush);
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(u->fd); /* not polled any more */
}
