/*
 * Listening: ports, pauses, and accept(2) without file descriptors, which
 * comes from a stand-in for accept4 (--wrap of the linker).
 */
#include "run.h"

#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>

int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);

static int accept_errno; /* 0: the real one is called */
static unsigned accept_failures;

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    if (accept_errno != 0) {
        errno = accept_errno;
        accept_failures++;
        return -1;
    }
    return __real_accept4(fd, addr, len, flags);
}

struct fixture {
    struct net_loop *loop;
    struct net_listener *listener;
    struct addr addr;
    struct net_timer timer;
    struct net_stream *clients[3];
    unsigned connected;
    unsigned accepted;
    unsigned stop_at; /* accepted */
    bool closes_itself;
    bool has_looked; /* while it was paused */
};

static void on_accept(void *arg, struct net_stream *s, const struct addr *peer)
{
    struct fixture *f = arg;

    assert_int_equal(peer->family, f->addr.family);
    net_stream_close(s);
    f->accepted++;
    if (f->closes_itself) {
        net_listener_close(f->listener);
        f->listener = NULL;
    }
    if (f->accepted == f->stop_at) {
        net_loop_stop(f->loop);
    }
}

static void on_connect(void *arg, int err)
{
    struct fixture *f = arg;

    /* Those in the queue of a listener that goes are reset. */
    assert_true(err == 0 || f->closes_itself);
    f->connected++;
}

static void on_read(void *arg, int err, struct span in)
{
    (void)arg;
    (void)err;
    (void)in;
}

static const struct net_stream_events events = {
    .on_connect = on_connect,
    .on_read = on_read,
};

static void connect_one(struct fixture *f, size_t i)
{
    assert_int_equal(
        net_stream_connect(f->loop, &f->addr, &events, f, &f->clients[i]), 0);
}

static void setup(struct fixture *f, const char *ip)
{
    struct addr a = addr_of(ip);

    memset(f, 0, sizeof(*f));
    accept_errno = 0;
    accept_failures = 0;
    f->loop = loop_create();
    assert_int_equal(
        net_listener_open(f->loop, &a, false, on_accept, f, &f->listener), 0);
    net_listener_addr(f->listener, &f->addr);
    assert_int_not_equal(f->addr.port, 0);
    assert_true(addr_ip_equal(&f->addr, &a));
}

static void teardown(struct fixture *f)
{
    for (size_t i = 0; i < COUNT_OF(f->clients); i++) {
        net_stream_close(f->clients[i]);
    }
    net_listener_close(f->listener);
    net_loop_destroy(f->loop);
}

static void on_look(struct net_timer *t)
{
    struct fixture *f = CONTAINER_OF(t, struct fixture, timer);

    if (f->connected < 2) { /* the kernel does this, not we */
        net_timer_start(t, 1);
        return;
    }
    assert_int_equal(f->accepted, 0);
    f->has_looked = true;
    net_listener_resume(f->listener);
    net_listener_resume(f->listener);
}

static void pause_leaves_connections_queued(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1");
    f.stop_at = 2;
    net_listener_pause(f.listener);
    net_listener_pause(f.listener);
    connect_one(&f, 0);
    connect_one(&f, 1);
    net_timer_init(&f.timer, f.loop, on_look);
    net_timer_start(&f.timer, 1);
    loop_run(f.loop);
    assert_true(f.has_looked);
    assert_int_equal(f.accepted, 2);
    teardown(&f);
}

static void on_descriptors(struct net_timer *t)
{
    (void)t;
    accept_errno = 0;
}

/* One try, then a pause: no busy loop; and the connection is not lost. */
static void out_of_descriptors(void **state)
{
    static const int codes[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct fixture f;

        setup(&f, "::1");
        f.stop_at = 1;
        accept_errno = codes[i];
        connect_one(&f, 0);
        net_timer_init(&f.timer, f.loop, on_descriptors);
        net_timer_start(&f.timer, 60);
        loop_run(f.loop);
        assert_int_equal(f.accepted, 1);
        assert_in_range(accept_failures, 1, 2);
        teardown(&f);
    }
}

static void on_early_resume(struct net_timer *t)
{
    struct fixture *f = CONTAINER_OF(t, struct fixture, timer);

    if (accept_failures == 0) {
        net_timer_start(t, 1);
        return;
    }
    net_listener_pause(f->listener);
    net_listener_resume(f->listener); /* must not try again at once */
    assert_int_equal(accept_failures, 1);
    accept_errno = 0;
}

static void resume_keeps_the_pause_for_descriptors(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1");
    f.stop_at = 1;
    accept_errno = EMFILE;
    connect_one(&f, 0);
    net_timer_init(&f.timer, f.loop, on_early_resume);
    net_timer_start(&f.timer, 1);
    uint64_t before_ms = net_now_ms(f.loop);
    loop_run(f.loop);
    assert_true(net_now_ms(f.loop) >= before_ms + 100);
    assert_int_equal(accept_failures, 1);
    teardown(&f);
}

static void listener_closes_itself(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "127.0.0.1");
    f.closes_itself = true;
    f.stop_at = 1;
    connect_one(&f, 0);
    connect_one(&f, 1);
    loop_run(f.loop);
    assert_int_equal(f.accepted, 1);
    teardown(&f);
}

static void addresses_that_cannot_be_had(void **state)
{
    struct fixture f;
    struct addr a = addr_of("192.0.2.1");
    struct net_listener *l = NULL;

    (void)state;
    setup(&f, "127.0.0.1");
    assert_int_equal(net_listener_open(f.loop, &a, false, on_accept, NULL, &l),
                     ERR_NET_NO_ADDR);
    assert_int_equal(
        net_listener_open(f.loop, &f.addr, false, on_accept, NULL, &l),
        ERR_NET_IN_USE);
    assert_null(l);
    net_listener_close(NULL);
    teardown(&f);
}

static void port_is_shared(void **state)
{
    struct net_loop *loop = loop_create();
    struct addr a = addr_of("127.0.0.1");
    struct net_listener *one;
    struct net_listener *two;

    (void)state;
    assert_int_equal(net_listener_open(loop, &a, true, on_accept, NULL, &one),
                     0);
    net_listener_addr(one, &a);
    assert_int_equal(net_listener_open(loop, &a, true, on_accept, NULL, &two),
                     0);
    net_listener_close(one);
    net_listener_close(two);
    net_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause_leaves_connections_queued),
        cmocka_unit_test(out_of_descriptors),
        cmocka_unit_test(resume_keeps_the_pause_for_descriptors),
        cmocka_unit_test(listener_closes_itself),
        cmocka_unit_test(addresses_that_cannot_be_had),
        cmocka_unit_test(port_is_shared),
    };

    return cmocka_run_group_tests_name("net_listener", tests, NULL, NULL);
}
