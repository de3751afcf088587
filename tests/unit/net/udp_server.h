/*
 * Shared by the tests of UDP: a server that answers what it is asked, and
 * plain sockets that ask. Mostly a datagram on loopback is there when sendto()
 * returns, and settle() sees to it when the machine is busy; so nothing else
 * here waits: ask, run the loop, look.
 */
#ifndef TESTS_NET_UDP_SERVER_H
#define TESTS_NET_UDP_SERVER_H

#include "run.h"

#include "net/sockaddr.h"
#include "net/udp.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    struct net_loop *loop;
    struct net_udp *udp;
    struct addr addr;
    struct net_timer timer;
    struct net_udp_path path; /* of the last datagram */
    size_t count;             /* datagrams */
    size_t batches;           /* calls with them */
    size_t stop_at;
    size_t last_len;
    size_t copies; /* of each answer */
};

static inline void answer(struct server *s, struct span data)
{
    uint8_t *out = net_udp_reserve(s->udp);

    if (data.len > 0) {
        memcpy(out, data.ptr, data.len);
    }
    net_udp_commit(s->udp, &s->path, data.len);
}

static inline void serve(struct server *s, const struct net_udp_datagram *d)
{
    s->path = *d->path;
    s->last_len = d->data.len;
    for (size_t i = 0; i < s->copies; i++) {
        answer(s, d->data);
    }
    if (++s->count == s->stop_at) {
        net_loop_stop(s->loop);
    }
}

static inline void on_batch(void *arg, const struct net_udp_datagram *batch,
                            size_t count)
{
    struct server *s = arg;

    assert_in_range(count, 1, NET_UDP_BATCH);
    s->batches++;
    for (size_t i = 0; i < count; i++) {
        serve(s, &batch[i]);
    }
}

/* Datagrams on their way queue up at a CPU; one queue, one order. */
static inline void stay_on_one_cpu(void)
{
    cpu_set_t one;
    int cpu = sched_getcpu();

    CPU_ZERO(&one);
    if (cpu >= 0) {
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    }
}

static inline void setup(struct server *s, const char *ip)
{
    struct addr a = addr_of(ip);
    size_t got = 0;

    stay_on_one_cpu();
    memset(s, 0, sizeof(*s));
    s->copies = 1;
    s->loop = loop_create();
    assert_int_equal(
        net_udp_open(s->loop, &a, false, 300000, on_batch, s, &got, &s->udp),
        0);
    assert_true(got > 0);
    net_udp_addr(s->udp, &s->addr);
    assert_int_not_equal(s->addr.port, 0);
}

static inline void teardown(struct server *s)
{
    net_udp_close(s->udp);
    net_loop_destroy(s->loop);
}

/* ---- the client's side ---- */

static inline int client_open(uint8_t family)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int size = 4 * 1024 * 1024;

    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return fd;
}

/* All that was sent is where it was sent to: a datagram behind it is. */
static inline void settle(void)
{
    struct addr a = addr_of("127.0.0.1");
    union net_sockaddr sa;
    socklen_t len = net_sockaddr_from(&sa, &a);
    struct pollfd p = {client_open(4), POLLIN, 0};

    assert_int_equal(bind(p.fd, &sa.any, len), 0);
    assert_int_equal(getsockname(p.fd, &sa.any, &len), 0);
    assert_int_equal(sendto(p.fd, "", 1, 0, &sa.any, len), 1);
    assert_int_equal(poll(&p, 1, 60000), 1);
    close(p.fd);
}

static inline void ask(int fd, const struct addr *to, const void *data,
                       size_t len)
{
    union net_sockaddr sa;
    socklen_t sa_len = net_sockaddr_from(&sa, to);

    assert_int_equal(sendto(fd, data, len, 0, &sa.any, sa_len), len);
    settle();
}

/* Length of the next answer, or -1. */
static inline ssize_t hear(int fd, void *data, size_t size, struct addr *from)
{
    union net_sockaddr sa;
    socklen_t len = sizeof(sa);

    settle();
    ssize_t n = recvfrom(fd, data, size, 0, &sa.any, &len);

    if (n >= 0) {
        assert_int_equal(net_sockaddr_to(&sa, from), 0);
    }
    return n;
}

#endif
