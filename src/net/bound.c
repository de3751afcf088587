/*
 * A listening TCP socket that is not the loop's.
 */
#include "net/bound.h"

#include "net/sockaddr.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int net_bound_listen(const struct addr *addr, struct addr *bound, int *fd)
{
    int socket_fd;
    int err = net_socket_bind(addr, SOCK_STREAM, false, bound, &socket_fd);

    if (err != 0) {
        return err;
    }
    if (listen(socket_fd, SOMAXCONN) != 0) {
        err = net_error(errno, "listen");
        (void)close(socket_fd);
        return err;
    }
    *fd = socket_fd;
    return 0;
}
