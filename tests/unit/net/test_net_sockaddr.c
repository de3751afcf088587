/*
 * Between struct addr, the system's addresses and the system's errors.
 */
#include "run.h"

#include "net/sockaddr.h"

#include <errno.h>
#include <unistd.h>

static const char *const addresses[] = {
    "0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "fe80::1%1",
};

static void test_addresses_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct addr a = addr_of(addresses[i]);
        union net_sockaddr sa;
        struct addr back;

        a.port = 853;
        assert_int_equal(net_sockaddr_from(&sa, &a),
                         a.family == 4 ? sizeof(sa.v4) : sizeof(sa.v6));
        assert_int_equal(net_sockaddr_to(&sa, &back), 0);
        assert_true(addr_equal(&a, &back));
    }
}

static void test_other_families_are_refused(void **state)
{
    union net_sockaddr sa = {.any = {.sa_family = AF_UNIX}};
    struct addr a;

    (void)state;
    assert_int_equal(net_sockaddr_to(&sa, &a), ERR_INVAL);
}

static const struct error_case {
    int errno_code;
    int want;
} error_cases[] = {
    {0, 0},
    {ENOMEM, ERR_NOMEM},
    {ECONNREFUSED, ERR_NET_REFUSED},
    {ECONNRESET, ERR_NET_RESET},
    {EPIPE, ERR_NET_RESET},
    {ENETUNREACH, ERR_NET_UNREACHABLE},
    {EHOSTUNREACH, ERR_NET_UNREACHABLE},
    {ETIMEDOUT, ERR_NET_TIMEOUT},
    {EADDRINUSE, ERR_NET_IN_USE},
    {EACCES, ERR_NET_ACCESS},
    {EADDRNOTAVAIL, ERR_NET_NO_ADDR},
    {EMFILE, ERR_NET_FILES},
    {EXDEV, ERR_NET_OTHER},
};

static void test_errors_are_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(error_cases); i++) {
        assert_int_equal(net_error(error_cases[i].errno_code, "test"),
                         error_cases[i].want);
    }
}

static const struct bind_case {
    const char *ip;
    int type;
    bool is_shared;
    int want_again; /* when the same port is bound once more */
} bind_cases[] = {
    {"127.0.0.1", SOCK_DGRAM, false, ERR_NET_IN_USE},
    {"127.0.0.1", SOCK_DGRAM, true, 0},
    {"::1", SOCK_DGRAM, false, ERR_NET_IN_USE},
    {"127.0.0.1", SOCK_STREAM, true, 0},
    {"::1", SOCK_STREAM, true, 0},
};

static void test_ports_are_shared_when_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bind_cases); i++) {
        const struct bind_case *c = &bind_cases[i];
        struct addr a = addr_of(c->ip);
        struct addr bound;
        struct addr again;
        int fds[2] = {-1, -1};

        assert_int_equal(
            net_socket_bind(&a, c->type, c->is_shared, &bound, &fds[0]), 0);
        assert_int_not_equal(bound.port, 0);
        assert_true(addr_ip_equal(&a, &bound));
        assert_int_equal(
            net_socket_bind(&bound, c->type, c->is_shared, &again, &fds[1]),
            c->want_again);
        close(fds[0]);
        if (fds[1] >= 0) {
            assert_true(addr_equal(&bound, &again));
            close(fds[1]);
        }
    }
}

/* The same port on all addresses of IPv4 and of IPv6 are two sockets. */
static void test_ipv6_takes_ipv6_only(void **state)
{
    struct addr a = addr_of("0.0.0.0");
    struct addr b = addr_of("::");
    struct addr bound;
    int fds[2];

    (void)state;
    assert_int_equal(net_socket_bind(&a, SOCK_DGRAM, false, &bound, &fds[0]),
                     0);
    b.port = bound.port;
    assert_int_equal(net_socket_bind(&b, SOCK_DGRAM, false, &bound, &fds[1]),
                     0);
    close(fds[0]);
    close(fds[1]);
}

static void test_address_of_another_machine(void **state)
{
    struct addr a = addr_of("192.0.2.1");
    struct addr bound;
    int fd = -1;

    (void)state;
    assert_int_equal(net_socket_bind(&a, SOCK_DGRAM, false, &bound, &fd),
                     ERR_NET_NO_ADDR);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_come_back),
        cmocka_unit_test(test_other_families_are_refused),
        cmocka_unit_test(test_errors_are_ours),
        cmocka_unit_test(test_ports_are_shared_when_asked),
        cmocka_unit_test(test_ipv6_takes_ipv6_only),
        cmocka_unit_test(test_address_of_another_machine),
    };

    return cmocka_run_group_tests_name("net_sockaddr", tests, NULL, NULL);
}
