/*
 * Socket addresses and system errors, turned into the program's own forms.
 */
#include "net/sockaddr.h"

#include "base/err.h"
#include "base/log.h"
#include "net/inherit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOG_ROOM "net"

socklen_t net_sockaddr_from(union net_sockaddr *out, const struct addr *a)
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

int net_sockaddr_to(const union net_sockaddr *s, struct addr *out)
{
    struct addr a = {.family = 4};

    switch (s->any.sa_family) {
    case AF_INET:
        a.port = ntohs(s->v4.sin_port);
        memcpy(a.ip, &s->v4.sin_addr, 4);
        break;
    case AF_INET6:
        a.family = 6;
        a.port = ntohs(s->v6.sin6_port);
        a.scope_id = s->v6.sin6_scope_id;
        memcpy(a.ip, &s->v6.sin6_addr, 16);
        break;
    default:
        return ERR_INVAL;
    }
    *out = a;
    return 0;
}

static const struct {
    int errno_code;
    int err;
} errors[] = {
    {ENOMEM, ERR_NOMEM},
    {ENOBUFS, ERR_NOMEM},
    {ECONNREFUSED, ERR_NET_REFUSED},
    {ECONNRESET, ERR_NET_RESET},
    {ECONNABORTED, ERR_NET_RESET},
    {EPIPE, ERR_NET_RESET},
    {ENETUNREACH, ERR_NET_UNREACHABLE},
    {EHOSTUNREACH, ERR_NET_UNREACHABLE},
    {ENETDOWN, ERR_NET_UNREACHABLE},
    {EHOSTDOWN, ERR_NET_UNREACHABLE},
    {ETIMEDOUT, ERR_NET_TIMEOUT},
    {EADDRINUSE, ERR_NET_IN_USE},
    {EACCES, ERR_NET_ACCESS},
    {EPERM, ERR_NET_ACCESS},
    {EADDRNOTAVAIL, ERR_NET_NO_ADDR},
    {EAFNOSUPPORT, ERR_NET_NO_ADDR}, /* a machine without IPv6 */
    {EMFILE, ERR_NET_FILES},
    {ENFILE, ERR_NET_FILES},
};

int net_error(int errno_code, const char *what)
{
    if (errno_code == 0) {
        return 0;
    }
    log_debug("%s: %s (errno %d)", what, strerror(errno_code), errno_code);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (errors[i].errno_code == errno_code) {
            return errors[i].err;
        }
    }
    return ERR_NET_OTHER;
}

static int set_option(int fd, int level, int name, const char *what)
{
    int on = 1;

    if (setsockopt(fd, level, name, &on, sizeof(on)) != 0) {
        return net_error(errno, what);
    }
    return 0;
}

static int prepare_socket(int fd, const struct addr *addr, int type,
                          bool is_shared)
{
    int err = 0;

    /* On UDP SO_REUSEADDR would let another socket take the port over. */
    if (type == SOCK_STREAM) {
        err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
    }
    if (err == 0 && is_shared) {
        err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT");
    }
    if (err == 0 && addr->family == 6) {
        err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
    }
    return err;
}

int net_socket_bind(const struct addr *addr, int type, bool is_shared,
                    struct addr *bound, int *out_fd)
{
    union net_sockaddr sa;
    socklen_t len = net_sockaddr_from(&sa, addr);
    int fd = net_inherited(addr, type);
    int err;

    if (fd >= 0) {
        *bound = *addr;
        *out_fd = fd;
        return 0;
    }
    fd = socket(sa.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return net_error(errno, "socket");
    }
    err = prepare_socket(fd, addr, type, is_shared);
    if (err == 0 && bind(fd, &sa.any, len) != 0) {
        err = net_error(errno, "bind");
    }
    len = sizeof(sa);
    if (err == 0 && getsockname(fd, &sa.any, &len) != 0) {
        err = net_error(errno, "getsockname");
    }
    if (err == 0) {
        err = net_sockaddr_to(&sa, bound);
    }
    if (err != 0) {
        close(fd);
        return err;
    }
    *out_fd = fd;
    return 0;
}
