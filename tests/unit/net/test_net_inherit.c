/*
 * Sockets that somebody else opened: which are of use, and who finds them.
 */
#include "net/inherit.h"

#include "base/err.h"
#include "net/sockaddr.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int bound(int family, int type)
{
    union net_sockaddr sa = {.any = {.sa_family = (sa_family_t)family}};
    int fd = socket(family, type, 0);

    if (family == AF_INET) {
        sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        sa.v6.sin6_addr = in6addr_loopback;
    }
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &sa.any, sizeof(sa)), 0);
    return fd;
}

static int listening(int family)
{
    int fd = bound(family, SOCK_STREAM);

    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static bool is_same_file(int a, int b)
{
    struct stat of_a, of_b;

    assert_int_equal(fstat(a, &of_a), 0);
    assert_int_equal(fstat(b, &of_b), 0);
    return of_a.st_ino == of_b.st_ino;
}

static void test_refused(void **state)
{
    int fds[] = {
        socket(AF_INET, SOCK_DGRAM, 0),  /* not bound: no port */
        socket(AF_INET, SOCK_STREAM, 0), /* not listening */
        bound(AF_INET, SOCK_STREAM),     socket(AF_UNIX, SOCK_DGRAM, 0),
        open("/dev/null", O_RDWR),       -1,
    };
    struct addr addr = {.port = 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        assert_int_equal(net_inherit(fds[i], &addr), ERR_INVAL);
        assert_int_equal(addr.port, 7);
        if (fds[i] >= 0) {
            assert_int_equal(close(fds[i]), 0); /* still the caller's */
        }
    }
}

static void test_found(void **state)
{
    static const int families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        struct addr udp, tcp;
        int udp_fd = bound(families[i], SOCK_DGRAM);
        int tcp_fd = listening(families[i]);
        assert_int_equal(net_inherit(udp_fd, &udp), 0);
        assert_int_equal(net_inherit(tcp_fd, &tcp), 0);

        int copy = net_inherited(&udp, SOCK_DGRAM);
        int another = net_inherited(&udp, SOCK_DGRAM);
        assert_true(copy >= 0 && another >= 0 && copy != another);
        assert_true(is_same_file(copy, udp_fd));
        close(copy);
        close(another);
        copy = net_inherited(&udp, SOCK_DGRAM); /* for a reload */
        assert_true(is_same_file(copy, udp_fd));
        close(copy);
        copy = net_inherited(&tcp, SOCK_STREAM);
        assert_true(is_same_file(copy, tcp_fd));
        assert_true((fcntl(copy, F_GETFL) & O_NONBLOCK) != 0);
        assert_int_equal(fcntl(copy, F_GETFD), FD_CLOEXEC);
        close(copy);
        /* The kernel gave them different ports. */
        assert_int_equal(net_inherited(&udp, SOCK_STREAM), -1);
        assert_int_equal(net_inherited(&tcp, SOCK_DGRAM), -1);
    }
}

/* Whoever binds the address afterwards gets it. */
static void test_taken_by_bind(void **state)
{
    struct addr addr, got;
    int fd = bound(AF_INET, SOCK_DGRAM);
    int taken = -1;

    (void)state;
    assert_int_equal(net_inherit(fd, &addr), 0);
    assert_int_equal(net_socket_bind(&addr, SOCK_DGRAM, false, &got, &taken),
                     0);
    assert_true(addr_equal(&addr, &got));
    assert_true(is_same_file(fd, taken));
    close(taken);
}

/* Last: they cannot be given back. */
static void test_bound_of_count(void **state)
{
    struct addr addr;
    int err = 0;

    (void)state;
    for (unsigned i = 0; err == 0 && i <= NET_INHERIT_MAX; i++) {
        int fd = bound(AF_INET, SOCK_DGRAM);
        err = net_inherit(fd, &addr);
        if (err != 0) {
            close(fd);
        }
    }
    assert_int_equal(err, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_taken_by_bind),
        cmocka_unit_test(test_bound_of_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
