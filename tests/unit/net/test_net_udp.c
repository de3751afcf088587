/*
 * UDP sockets of a server, over loopback. A stand-in for sendmmsg (--wrap of
 * the linker) plays the kernel that has no room.
 */
#include "udp_server.h"

#include <errno.h>

int __real_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags);

static int full_calls;   /* EAGAIN this often */
static unsigned at_most; /* messages taken by one call; 0: no bound */

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
    if (full_calls > 0) {
        full_calls--;
        errno = EAGAIN;
        return -1;
    }
    if (at_most != 0 && count > at_most) {
        count = at_most;
    }
    return __real_sendmmsg(fd, m, count, flags);
}

/* ---- paths ---- */

static const struct path_case {
    const char *bound;
    const char *asked;
} path_cases[] = {
    {"127.0.0.1", "127.0.0.1"},
    {"127.0.0.3", "127.0.0.3"},
    {"0.0.0.0", "127.0.0.1"},
    {"0.0.0.0", "127.0.0.2"},
    {"::1", "::1"},
    {"::", "::1"},
};

static void answers_leave_from_the_address_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(path_cases); i++) {
        struct server s;
        struct addr asked = addr_of(path_cases[i].asked);
        struct addr from;
        struct addr peer;
        char in[8];
        int fd = client_open(asked.family);

        setup(&s, path_cases[i].bound);
        asked.port = s.addr.port;
        s.stop_at = 1;
        ask(fd, &asked, "query", 5);
        loop_run(s.loop);
        assert_int_equal(hear(fd, in, sizeof(in), &from), 5);
        assert_memory_equal(in, "query", 5);
        assert_true(addr_equal(&from, &asked));
        net_udp_path_peer(&s.path, &peer);
        assert_int_equal(peer.family, asked.family);
        assert_int_not_equal(peer.port, 0);
        close(fd);
        teardown(&s);
    }
}

static void ask_once(struct server *s, const char *ip)
{
    struct addr asked = addr_of(ip);
    struct addr from;
    char in[8];
    int fd = client_open(asked.family);

    asked.port = s->addr.port;
    s->count = 0;
    s->stop_at = 1;
    ask(fd, &asked, "query", 5);
    loop_run(s->loop);
    assert_int_equal(hear(fd, in, sizeof(in), &from), 5);
    assert_true(addr_equal(&from, &asked));
    close(fd);
}

/* Sockets of a loop share what the kernel writes lengths into. */
static void sockets_of_both_families_in_turn(void **state)
{
    struct server v4;
    struct server v6 = {.copies = 1};
    struct addr any = addr_of("::");
    struct addr client = addr_of("::1");
    struct addr local;
    struct addr peer;

    (void)state;
    setup(&v4, "0.0.0.0");
    v6.loop = v4.loop;
    assert_int_equal(
        net_udp_open(v6.loop, &any, false, 0, on_batch, &v6, NULL, &v6.udp), 0);
    net_udp_addr(v6.udp, &v6.addr);
    local = v6.addr;
    for (int i = 0; i < 3; i++) {
        ask_once(&v4, "127.0.0.2");
        ask_once(&v6, "::1");
        net_udp_path_peer(&v6.path, &peer);
        assert_true(addr_ip_equal(&peer, &client));
        net_udp_path_local(&v6.path, &local);
        assert_true(addr_ip_equal(&local, &client));
        assert_int_equal(local.port, v6.addr.port);
    }
    net_udp_close(v6.udp);
    teardown(&v4);
}

/* ---- batches ---- */

enum { MANY = 5 * NET_UDP_BATCH + 3 };

/* Ask `count` times, and expect them answered in their order. */
static void exchange(struct server *s, uint32_t count)
{
    int fd = client_open(4);
    struct addr from;
    uint32_t in;

    s->stop_at = count;
    for (uint32_t i = 0; i < count; i++) {
        ask(fd, &s->addr, &i, sizeof(i));
    }
    loop_run(s->loop);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(hear(fd, &in, sizeof(in), &from), sizeof(in));
        assert_int_equal(in, i);
    }
    assert_int_equal(hear(fd, &in, sizeof(in), &from), -1);
    close(fd);
}

static void many_are_answered_in_batches(void **state)
{
    const struct net_udp_stats *stats;
    struct server s;

    (void)state;
    setup(&s, "127.0.0.1");
    exchange(&s, MANY);
    stats = net_udp_stats(s.udp);
    assert_int_equal(stats->received, MANY);
    assert_int_equal(stats->sent, MANY);
    assert_in_range(stats->recv_calls, 6, 8);
    assert_in_range(stats->send_calls, 6, 7);
    assert_int_equal(s.batches, 6);
    teardown(&s);
}

/* One batch, of many clients that asked many of our addresses. */
static void each_of_a_batch_has_its_own_path(void **state)
{
    enum { CLIENTS = 9 };
    struct server s;
    int fds[CLIENTS];

    (void)state;
    setup(&s, "0.0.0.0");
    for (uint8_t i = 0; i < CLIENTS; i++) {
        struct addr to = addr_of("127.0.0.1");

        to.ip[3] = i + 1;
        to.port = s.addr.port;
        fds[i] = client_open(4);
        ask(fds[i], &to, &i, 1);
    }
    s.stop_at = CLIENTS;
    loop_run(s.loop);
    assert_int_equal(s.batches, 1);
    for (uint8_t i = 0; i < CLIENTS; i++) {
        struct addr from;
        uint8_t in;

        assert_int_equal(hear(fds[i], &in, 1, &from), 1);
        assert_int_equal(in, i);
        assert_int_equal(from.ip[3], i + 1);
        assert_int_equal(hear(fds[i], &in, 1, &from), -1);
        close(fds[i]);
    }
    teardown(&s);
}

static void kernel_takes_a_part(void **state)
{
    struct server s;

    (void)state;
    setup(&s, "127.0.0.1");
    at_most = 5;
    exchange(&s, MANY);
    at_most = 0;
    assert_int_equal(net_udp_stats(s.udp)->sent, MANY);
    teardown(&s);
}

static void on_late(struct net_timer *t)
{
    struct server *s = CONTAINER_OF(t, struct server, timer);
    const struct net_udp_stats *stats = net_udp_stats(s->udp);

    if (stats->sent + stats->send_failed < s->copies) {
        net_timer_start(t, 1);
    } else {
        net_loop_stop(s->loop);
    }
}

/* Stop when all answers have left, or are lost. */
static void stop_later(struct server *s)
{
    net_timer_init(&s->timer, s->loop, on_late);
    net_timer_start(&s->timer, 1);
}

static const struct room_case {
    size_t len;  /* of each answer */
    size_t kept; /* answers, while the kernel has no room */
} room_cases[] = {
    {4, NET_UDP_BATCH},
    {1232, NET_UDP_BATCH},
    {4000, 11}, /* the octets are full before the batch is */
    {NET_UDP_SEND_MAX, 10},
};

static void kernel_has_no_room(void **state)
{
    static uint8_t data[NET_UDP_SEND_MAX];
    static uint8_t in[NET_UDP_SEND_MAX];

    (void)state;
    memset(data, 0x5a, sizeof(data));
    for (size_t i = 0; i < COUNT_OF(room_cases); i++) {
        const struct room_case *c = &room_cases[i];
        struct server s;
        struct addr from;
        int fd = client_open(4);

        setup(&s, "127.0.0.1");
        full_calls = 2;
        s.copies = c->kept + 10; /* ten are dropped */
        ask(fd, &s.addr, data, c->len);
        stop_later(&s);
        loop_run(s.loop);
        assert_int_equal(full_calls, 0);
        for (size_t n = 0; n < c->kept; n++) {
            assert_int_equal(hear(fd, in, sizeof(in), &from), c->len);
            assert_memory_equal(in, data, c->len);
        }
        assert_int_equal(hear(fd, in, sizeof(in), &from), -1);
        assert_int_equal(net_udp_stats(s.udp)->sent, c->kept);
        assert_int_equal(net_udp_stats(s.udp)->send_failed, 10);
        s.copies = 1;
        s.count = 0;
        exchange(&s, 2); /* and it goes on */
        close(fd);
        teardown(&s);
    }
}

/* ---- sizes ---- */

static const struct size_case {
    size_t len;
    bool is_answered;
} size_cases[] = {
    {0, true},
    {1, true},
    {512, true},
    {NET_UDP_RECV_MAX, true},
    {NET_UDP_RECV_MAX + 1, false},
    {60000, false},
};

static void long_datagrams_are_dropped(void **state)
{
    static uint8_t data[60000];
    static uint8_t in[60000];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 31);
    }
    for (size_t i = 0; i < COUNT_OF(size_cases); i++) {
        const struct size_case *c = &size_cases[i];
        struct server s;
        struct addr from;
        int fd = client_open(4);

        setup(&s, "127.0.0.1");
        s.stop_at = c->is_answered ? 2 : 1;
        ask(fd, &s.addr, data, c->len);
        ask(fd, &s.addr, "next", 4);
        loop_run(s.loop);
        if (c->is_answered) {
            assert_int_equal(hear(fd, in, sizeof(in), &from), c->len);
            assert_memory_equal(in, data, c->len);
        }
        assert_int_equal(hear(fd, in, sizeof(in), &from), 4);
        assert_int_equal(net_udp_stats(s.udp)->oversized, !c->is_answered);
        close(fd);
        teardown(&s);
    }
}

/* More octets than are kept at one time leave in several calls. */
static void long_answers_do_not_overflow(void **state)
{
    static uint8_t data[NET_UDP_SEND_MAX];
    static uint8_t in[NET_UDP_SEND_MAX];
    struct server s;
    struct addr from;
    int fd = client_open(4);
    size_t count = 0;

    (void)state;
    setup(&s, "127.0.0.1");
    s.copies = 2 * NET_UDP_BATCH;
    s.stop_at = 1;
    memset(data, 0xa5, sizeof(data));
    ask(fd, &s.addr, data, sizeof(data));
    loop_run(s.loop);
    assert_int_equal(net_udp_stats(s.udp)->sent, s.copies);
    while (hear(fd, in, sizeof(in), &from) == sizeof(in)) {
        assert_memory_equal(in, data, sizeof(in));
        count++;
    }
    assert_true(count > 0); /* how many is for the client's buffer to say */
    close(fd);
    teardown(&s);
}

/* ---- failures ---- */

static void on_mixed(void *arg, const struct net_udp_datagram *batch,
                     size_t count)
{
    struct server *s = arg;
    struct span data = batch->data;
    struct net_udp_path refused = *batch->path;

    assert_int_equal(count, 1);
    s->path = *batch->path;
    answer(s, data);
    refused.peer[2] = 0; /* port 0: the kernel refuses it */
    refused.peer[3] = 0;
    (void)net_udp_reserve(s->udp);
    net_udp_commit(s->udp, &refused, 1);
    answer(s, data);
    net_loop_stop(s->loop);
}

static void refused_answer_keeps_no_other(void **state)
{
    struct server s = {.loop = loop_create()};
    struct addr a = addr_of("127.0.0.1");
    struct addr from;
    char in[8];
    int fd = client_open(4);

    (void)state;
    assert_int_equal(
        net_udp_open(s.loop, &a, false, 0, on_mixed, &s, NULL, &s.udp), 0);
    net_udp_addr(s.udp, &s.addr);
    ask(fd, &s.addr, "query", 5);
    loop_run(s.loop);
    assert_int_equal(hear(fd, in, sizeof(in), &from), 5);
    assert_int_equal(hear(fd, in, sizeof(in), &from), 5);
    assert_int_equal(net_udp_stats(s.udp)->sent, 2);
    assert_int_equal(net_udp_stats(s.udp)->send_failed, 1);
    close(fd);
    teardown(&s);
}

static void addresses_that_cannot_be_had(void **state)
{
    struct server s;
    struct addr a = addr_of("192.0.2.1");
    struct net_udp *u = NULL;

    (void)state;
    setup(&s, "127.0.0.1");
    assert_int_equal(net_udp_open(s.loop, &a, false, 0, on_batch, &s, NULL, &u),
                     ERR_NET_NO_ADDR);
    assert_int_equal(
        net_udp_open(s.loop, &s.addr, false, 0, on_batch, &s, NULL, &u),
        ERR_NET_IN_USE);
    assert_null(u);
    net_udp_close(NULL);
    teardown(&s);
}

/* ---- when ---- */

static void on_answer_late(struct net_timer *t)
{
    struct server *s = CONTAINER_OF(t, struct server, timer);

    answer(s, span_of("late", 4));
    net_loop_stop(s->loop);
}

static void on_query_for_later(void *arg, const struct net_udp_datagram *batch,
                               size_t count)
{
    struct server *s = arg;

    (void)count;
    s->path = *batch->path;
    net_timer_init(&s->timer, s->loop, on_answer_late);
    net_timer_start(&s->timer, 1);
}

static void answers_of_a_timer_leave_in_its_turn(void **state)
{
    struct server s = {.loop = loop_create()};
    struct addr a = addr_of("127.0.0.1");
    struct addr from;
    char in[8];
    int fd = client_open(4);

    (void)state;
    assert_int_equal(net_udp_open(s.loop, &a, false, 0, on_query_for_later, &s,
                                  NULL, &s.udp),
                     0);
    net_udp_addr(s.udp, &s.addr);
    ask(fd, &s.addr, "query", 5);
    loop_run(s.loop);
    assert_int_equal(hear(fd, in, sizeof(in), &from), 4);
    close(fd);
    teardown(&s);
}

static void on_query_closes(void *arg, const struct net_udp_datagram *batch,
                            size_t count)
{
    struct server *s = arg;

    s->path = *batch->path;
    s->count++;
    answer(s, batch->data);
    net_udp_close(s->udp);
    s->udp = NULL;
    /* What came with it is still there to be read. */
    assert_int_equal(count, 2);
    assert_memory_equal(batch[1].data.ptr, "two", 3);
    net_loop_stop(s->loop);
}

static void close_inside_of_the_callback(void **state)
{
    struct server s = {.loop = loop_create()};
    struct addr a = addr_of("127.0.0.1");
    struct addr from;
    char in[8];
    int fd = client_open(4);

    (void)state;
    assert_int_equal(
        net_udp_open(s.loop, &a, false, 0, on_query_closes, &s, NULL, &s.udp),
        0);
    net_udp_addr(s.udp, &s.addr);
    ask(fd, &s.addr, "one", 3);
    ask(fd, &s.addr, "two", 3);
    loop_run(s.loop);
    assert_int_equal(s.count, 1);
    assert_int_equal(hear(fd, in, sizeof(in), &from), 3); /* it was sent */
    assert_int_equal(hear(fd, in, sizeof(in), &from), -1);
    close(fd);
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_leave_from_the_address_asked),
        cmocka_unit_test(sockets_of_both_families_in_turn),
        cmocka_unit_test(many_are_answered_in_batches),
        cmocka_unit_test(each_of_a_batch_has_its_own_path),
        cmocka_unit_test(kernel_takes_a_part),
        cmocka_unit_test(kernel_has_no_room),
        cmocka_unit_test(long_datagrams_are_dropped),
        cmocka_unit_test(long_answers_do_not_overflow),
        cmocka_unit_test(refused_answer_keeps_no_other),
        cmocka_unit_test(addresses_that_cannot_be_had),
        cmocka_unit_test(answers_of_a_timer_leave_in_its_turn),
        cmocka_unit_test(close_inside_of_the_callback),
    };

    return cmocka_run_group_tests_name("net_udp", tests, NULL, NULL);
}
