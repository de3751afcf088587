/*
 * The namespace: the loopback has the servers' addresses, and the default route
 * leads into it as well, so that a packet to anywhere is seen by the tap before
 * it comes to nothing.
 */
#include "cli/privacy.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TAP_BUFFER = 8 * 1024 * 1024 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t address_of(const struct addr *a, union address *out)
{
    memset(out, 0, sizeof(*out));
    if (a->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(a->port);
        memcpy(&out->v4.sin_addr, a->ip, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(a->port);
    out->v6.sin6_scope_id = a->scope_id;
    memcpy(&out->v6.sin6_addr, a->ip, 16);
    return sizeof(out->v6);
}

/* ---- the loopback ---- */

static int bring_up_loopback(int fd)
{
    struct ifreq ifr = {.ifr_name = "lo"};

    if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0) {
        return -1;
    }
    ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &ifr);
}

/* As an alias, "lo:7", for this address alone. */
static int add_v4(int fd, const struct addr *a, uint16_t number)
{
    struct ifreq ifr = {.ifr_name = ""};
    union address addr;
    struct addr mask = {.family = 4, .ip = {255, 255, 255, 255}};

    (void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "lo:%u", number);
    (void)address_of(a, &addr);
    addr.v4.sin_port = 0;
    memcpy(&ifr.ifr_addr, &addr.v4, sizeof(addr.v4));
    if (ioctl(fd, SIOCSIFADDR, &ifr) != 0) {
        return -1;
    }
    (void)address_of(&mask, &addr);
    memcpy(&ifr.ifr_netmask, &addr.v4, sizeof(addr.v4));
    return ioctl(fd, SIOCSIFNETMASK, &ifr);
}

static int add_v6(int fd, const struct addr *a)
{
    /* struct in6_ifreq, whose header does not go together with libc's */
    struct {
        struct in6_addr addr;
        uint32_t prefix_len;
        int ifindex;
    } request = {.prefix_len = 128, .ifindex = (int)if_nametoindex("lo")};

    memcpy(&request.addr, a->ip, 16);
    return ioctl(fd, SIOCSIFADDR, &request);
}

static void add_routes(int fd4, int fd6)
{
    char name[] = "lo";
    struct rtentry v4 = {.rt_flags = RTF_UP, .rt_dev = name};
    struct in6_rtmsg v6 = {.rtmsg_flags = RTF_UP,
                           .rtmsg_metric = 1,
                           .rtmsg_ifindex = (int)if_nametoindex("lo")};

    v4.rt_dst.sa_family = AF_INET;
    v4.rt_genmask.sa_family = AF_INET;
    (void)ioctl(fd4, SIOCADDRT, &v4); /* without it packets fail at once */
    (void)ioctl(fd6, SIOCADDRT, &v6);
}

static bool is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, one, 16) == 0;
}

static int set_up(const struct privacy_places *places)
{
    int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd4 < 0 ? -1 : bring_up_loopback(fd4);

    for (size_t i = 0; rc == 0 && i < places->count; i++) {
        const struct addr *a = &places->all[i].addr;

        /* One that cannot be added has no listener; it is told at the end. */
        if (!is_loopback(a)) {
            (void)(a->family == 4 ? add_v4(fd4, a, (uint16_t)i)
                                  : add_v6(fd6, a));
        }
    }
    if (rc == 0) {
        add_routes(fd4, fd6);
    }
    if (fd6 >= 0) {
        (void)close(fd6);
    }
    if (fd4 >= 0) {
        (void)close(fd4);
    }
    return rc;
}

/* ---- sockets ---- */

static int listen_on(const struct privacy_place *place)
{
    const int on = 1;
    union address addr;
    socklen_t len = address_of(&place->addr, &addr);
    int fd = place->is_plain
                 ? -1
                 : socket(addr.any.sa_family,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
         bind(fd, &addr.any, len) != 0 || listen(fd, 16) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static int open_tap(void)
{
    const int size = TAP_BUFFER;
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    htons(ETH_P_ALL));

    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }
    return fd;
}

/* One octet with one descriptor, or without any (-1). */
static int send_fd(int channel, int fd)
{
    char octet = fd >= 0 ? 1 : 0;
    struct iovec iov = {.iov_base = &octet, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    ssize_t n = sendmsg(channel, &msg, MSG_NOSIGNAL);
    if (fd >= 0) {
        (void)close(fd);
    }
    return n == 1 ? 0 : ERR_NET_OTHER;
}

static int receive_fd(int channel, int *out)
{
    char octet = 0;
    struct iovec iov = {.iov_base = &octet, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};

    if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC) != 1) {
        return ERR_NET_EOF;
    }
    *out = -1;
    if (octet == 1 && msg.msg_controllen >= CMSG_LEN(sizeof(int)) &&
        control.head.cmsg_type == SCM_RIGHTS) {
        memcpy(out, CMSG_DATA(&control.head), sizeof(*out));
    }
    return 0;
}

int privacy_space_enter(const struct privacy_places *places, int channel)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 &&
        unshare(CLONE_NEWNET) != 0) {
        return ERR_NET_ACCESS;
    }
    int tap = open_tap();
    if (tap < 0 || set_up(places) != 0) {
        if (tap >= 0) {
            (void)close(tap);
        }
        return ERR_NET_ACCESS;
    }
    int err = send_fd(channel, tap);
    for (size_t i = 0; err == 0 && i < places->count; i++) {
        err = send_fd(channel, listen_on(&places->all[i]));
    }
    return err;
}

int privacy_space_receive(const struct privacy_places *places, int channel,
                          int *fds)
{
    for (size_t i = 0; i < 1 + places->count; i++) {
        if (receive_fd(channel, &fds[i]) != 0) {
            while (i-- > 0) {
                if (fds[i] >= 0) {
                    (void)close(fds[i]);
                }
            }
            return ERR_NET_EOF;
        }
    }
    return 0;
}
