/*
 * Datagrams to a server: what the simulated net cannot show, the kernel's
 * errors above all. The server is a plain socket; a datagram on loopback is
 * there when send() returns.
 */
#include "run.h"

#include "net/dgram.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static int send_errno; /* of the next send(); 0: the real one */
static int sends;

ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    int code = send_errno;

    sends++;
    send_errno = 0;
    if (code != 0) {
        errno = code;
        return -1;
    }
    return __real_send(fd, data, len, flags);
}

struct bed {
    struct net_loop *loop;
    struct net_dgram *dgram;
    struct addr addr; /* the server's */
    int fd;           /* the server's; -1: it is gone */
    union net_sockaddr client;
    socklen_t client_len;
    unsigned count, errors, last_len;
    int err; /* the last */
    bool closes;
};

static void on_dgram(void *arg, int err, struct span data)
{
    struct bed *b = arg;

    assert_non_null(b->dgram);
    if (err == 0) {
        b->count++;
        b->last_len = (unsigned)data.len;
    } else {
        b->errors++;
        b->err = err;
    }
    if (b->closes) {
        net_dgram_close(b->dgram);
        b->dgram = NULL;
    }
    net_loop_stop(b->loop);
}

static void setup(struct bed *b, const char *ip)
{
    struct addr any_port = addr_of(ip);

    memset(b, 0, sizeof(*b));
    b->loop = loop_create();
    assert_int_equal(
        net_socket_bind(&any_port, SOCK_DGRAM, false, &b->addr, &b->fd), 0);
    assert_int_equal(net_dgram_open(b->loop, &b->addr, on_dgram, b, &b->dgram),
                     0);
}

static void teardown(struct bed *b)
{
    net_dgram_close(b->dgram);
    if (b->fd >= 0) {
        close(b->fd);
    }
    net_loop_destroy(b->loop);
}

static int ask(struct bed *b)
{
    return net_dgram_send(b->dgram, span_of("query", 5));
}

/* Take what was asked; the client is known from then on. */
static void serve(struct bed *b, const void *answer, size_t len)
{
    char query[8];

    b->client_len = sizeof(b->client);
    assert_int_equal(recvfrom(b->fd, query, sizeof(query), 0, &b->client.any,
                              &b->client_len),
                     5);
    assert_memory_equal(query, "query", 5);
    assert_int_equal(
        sendto(b->fd, answer, len, 0, &b->client.any, b->client_len), len);
}

static void stop_server(struct bed *b)
{
    close(b->fd);
    b->fd = -1;
}

/* One turn, in which nothing need happen. */
static void run_once(struct bed *b)
{
    net_loop_stop(b->loop);
    loop_run(b->loop);
}

static void both_families(void **state)
{
    static const char *const ips[] = {"127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ips); i++) {
        struct bed b;
        setup(&b, ips[i]);
        assert_int_equal(ask(&b), 0);
        serve(&b, "answer", 6);
        loop_run(b.loop);
        assert_int_equal(b.count, 1);
        assert_int_equal(b.last_len, 6);
        teardown(&b);
    }
}

static void too_long_is_dropped(void **state)
{
    static const uint8_t large[65000];
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    assert_int_equal(ask(&b), 0);
    serve(&b, large, sizeof(large));
    assert_int_equal(ask(&b), 0);
    serve(&b, large, 4097);
    assert_int_equal(ask(&b), 0);
    serve(&b, large, 4096);
    loop_run(b.loop);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.last_len, 4096);
    assert_int_equal(b.errors, 0);
    teardown(&b);
}

static void other_addresses_are_not_heard(void **state)
{
    struct addr any_port = addr_of("127.0.0.1");
    struct addr bound;
    struct bed b;
    int stranger;

    (void)state;
    setup(&b, "127.0.0.1");
    assert_int_equal(ask(&b), 0);
    serve(&b, "right", 5);
    assert_int_equal(
        net_socket_bind(&any_port, SOCK_DGRAM, false, &bound, &stranger), 0);
    (void)sendto(stranger, "false one", 9, 0, &b.client.any, b.client_len);
    loop_run(b.loop);
    run_once(&b);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.last_len, 5);
    close(stranger);
    teardown(&b);
}

static void refusal_is_told(void **state)
{
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    stop_server(&b);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(ask(&b), 0);
        assert_int_equal(b.errors, i - 1);
        loop_run(b.loop);
        assert_int_equal(b.errors, i);
        assert_int_equal(b.err, ERR_NET_REFUSED);
    }
    teardown(&b);
}

/* The second send() is told of the first datagram; both must be sent, and the
 * error be told once from the loop. */
static void refusal_in_the_way_of_the_next(void **state)
{
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    stop_server(&b);
    assert_int_equal(ask(&b), 0);
    assert_int_equal(
        net_socket_bind(&b.addr, SOCK_DGRAM, false, &b.addr, &b.fd), 0);
    sends = 0;
    assert_int_equal(ask(&b), 0);
    assert_int_equal(sends, 2);
    assert_int_equal(b.errors, 0);
    serve(&b, "answer", 6);
    while (b.errors == 0 || b.count == 0) {
        loop_run(b.loop);
    }
    run_once(&b);
    assert_int_equal(b.errors, 1);
    assert_int_equal(b.count, 1);
    teardown(&b);
}

static void closed_with_an_error_untold(void **state)
{
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    stop_server(&b);
    assert_int_equal(ask(&b), 0);
    assert_int_equal(ask(&b), 0);
    net_dgram_close(b.dgram);
    b.dgram = NULL;
    run_once(&b);
    assert_int_equal(b.errors, 0);
    teardown(&b);
}

/* The answer is read in the same turn as the error. */
static void closed_when_refused(void **state)
{
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    b.closes = true;
    assert_int_equal(ask(&b), 0);
    serve(&b, "answer", 6);
    stop_server(&b);
    assert_int_equal(ask(&b), 0);
    loop_run(b.loop);
    run_once(&b);
    assert_int_equal(b.errors + b.count, 1);
    assert_null(b.dgram);
    teardown(&b);
}

static const struct send_case {
    int code, want;
} send_cases[] = {
    {EAGAIN, 0}, /* lost */
    {ENOBUFS, 0},
    {EPERM, ERR_NET_ACCESS},
    {ENETUNREACH, ERR_NET_UNREACHABLE},
    {ENETDOWN, ERR_NET_UNREACHABLE},
    {EMSGSIZE, ERR_NET_OTHER},
};

static void errors_of_send(void **state)
{
    struct bed b;

    (void)state;
    setup(&b, "127.0.0.1");
    for (size_t i = 0; i < COUNT_OF(send_cases); i++) {
        sends = 0;
        send_errno = send_cases[i].code;
        assert_int_equal(ask(&b), send_cases[i].want);
        assert_int_equal(sends, 1);
    }
    assert_int_equal(ask(&b), 0);
    serve(&b, "answer", 6);
    loop_run(b.loop);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.errors, 0);
    teardown(&b);
}

static void ports_differ(void **state)
{
    enum { MANY = 16 };
    struct net_dgram *dgrams[MANY];
    uint16_t ports[MANY];
    struct bed b;
    int steps = 0;

    (void)state;
    setup(&b, "127.0.0.1");
    for (size_t i = 0; i < MANY; i++) {
        struct addr from;
        assert_int_equal(
            net_dgram_open(b.loop, &b.addr, on_dgram, &b, &dgrams[i]), 0);
        assert_int_equal(net_dgram_send(dgrams[i], span_of("query", 5)), 0);
        serve(&b, "x", 1);
        assert_int_equal(net_sockaddr_to(&b.client, &from), 0);
        ports[i] = from.port;
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(ports[j], ports[i]);
        }
        steps += i > 0 && abs(ports[i] - ports[i - 1]) > 64;
    }
    assert_true(steps > MANY / 2); /* not one after the other */
    for (size_t i = 0; i < MANY; i++) {
        net_dgram_close(dgrams[i]);
    }
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families),
        cmocka_unit_test(too_long_is_dropped),
        cmocka_unit_test(other_addresses_are_not_heard),
        cmocka_unit_test(refusal_is_told),
        cmocka_unit_test(refusal_in_the_way_of_the_next),
        cmocka_unit_test(closed_with_an_error_untold),
        cmocka_unit_test(closed_when_refused),
        cmocka_unit_test(errors_of_send),
        cmocka_unit_test(ports_differ),
    };

    return cmocka_run_group_tests_name("net_dgram", tests, NULL, NULL);
}
