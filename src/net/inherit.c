/*
 * Each user of an inherited socket closes a copy of it; the first one stays
 * open for as long as the process lives, so that a reload finds it again.
 */
#include "net/inherit.h"

#include "base/err.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct inherited {
    struct addr addr;
    int type;
    int fd;
} inherited[NET_INHERIT_MAX];

static unsigned inherited_count;

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

int net_inherit(int fd, struct addr *out)
{
    union net_sockaddr sa;
    socklen_t len = sizeof(sa);
    int type = option_of(fd, SO_TYPE);
    bool is_listening = option_of(fd, SO_ACCEPTCONN) == 1;
    struct addr addr;

    if (inherited_count == NET_INHERIT_MAX) {
        return ERR_LIMIT;
    }
    if ((type != SOCK_DGRAM && (type != SOCK_STREAM || !is_listening)) ||
        getsockname(fd, &sa.any, &len) != 0 ||
        net_sockaddr_to(&sa, &addr) != 0 || addr.port == 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        return ERR_INVAL;
    }
    inherited[inherited_count++] = (struct inherited){addr, type, fd};
    *out = addr;
    return 0;
}

int net_inherited(const struct addr *addr, int type)
{
    for (unsigned i = 0; i < inherited_count; i++) {
        if (inherited[i].type == type && addr_equal(&inherited[i].addr, addr)) {
            return fcntl(inherited[i].fd, F_DUPFD_CLOEXEC, 3);
        }
    }
    return -1;
}
