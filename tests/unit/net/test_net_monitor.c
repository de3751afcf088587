/*
 * The machine's own network, in a network namespace of the test's own, whose
 * loopback and pair of links are changed by ip(8). What the kernel has to say
 * is there when ip returns, but for the carrier of links, which is waited for.
 */
#include "run.h"

#include "net/monitor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { GONE_MAX = 32 };

struct bed {
    struct net_loop *loop;
    struct net_monitor *monitor;
    struct net_timer timer;
    struct addr gone[GONE_MAX];
    int gone_count, changes;
    bool closes;
};

static const char *refused; /* why there is no namespace; NULL: there is */

/* ---- a stand-in for the kernel's bad days ---- */

static int recv_errno; /* of the next recvmsg(); 0: the real one */
static bool is_truncated, is_forged;

ssize_t __real_recvmsg(int fd, struct msghdr *head, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *head, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *head, int flags)
{
    if (recv_errno != 0) {
        errno = recv_errno;
        recv_errno = 0;
        return -1;
    }
    ssize_t n = __real_recvmsg(fd, head, flags);
    if (n > 0 && is_truncated) {
        head->msg_flags |= MSG_TRUNC;
    }
    if (n > 0 && is_forged) {
        ((struct sockaddr_nl *)head->msg_name)->nl_pid = 77;
    }
    return n;
}

/* ---- the namespace ---- */

static bool ip(const char *what)
{
    char command[160];

    (void)snprintf(command, sizeof(command), "ip %s 2>/dev/null", what);
    return system(command) == 0;
}

/* Be root in a user namespace of our own; it lasts through exec only so. */
static bool become_root(void)
{
    unsigned uid = getuid();
    FILE *map;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    map = fopen("/proc/self/uid_map", "w");
    if (map == NULL) {
        return false;
    }
    bool is_written = fprintf(map, "0 %u 1", uid) > 0;
    return fclose(map) == 0 && is_written;
}

static int enter(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) != 0 && !become_root()) {
        refused = "no network namespace of our own";
    } else if (!ip("link set lo up")) {
        refused = "no ip(8)";
    }
    if (refused != NULL) {
        print_message("# skipped: %s\n", refused);
    }
    return 0;
}

static void on_change(void *arg, enum net_change change,
                      const struct addr *addr)
{
    struct bed *b = arg;

    assert_non_null(b->monitor);
    if (change == NET_ADDRESS_GONE) {
        assert_int_equal(b->changes, 0); /* those that went come first */
        assert_true(b->gone_count < GONE_MAX);
        b->gone[b->gone_count++] = *addr;
    } else {
        b->changes++;
    }
    if (b->closes) {
        net_monitor_close(b->monitor);
        b->monitor = NULL;
    }
    net_loop_stop(b->loop);
}

static void on_timer(struct net_timer *t)
{
    net_loop_stop(t->loop);
}

static void forget(struct bed *b)
{
    b->gone_count = 0;
    b->changes = 0;
}

/* Hear what is there; nothing need be. */
static void hear(struct bed *b)
{
    forget(b);
    net_loop_stop(b->loop);
    loop_run(b->loop);
}

/* Hear until nothing comes for longer than carriers take. */
static void settle(struct bed *b)
{
    do {
        forget(b);
        net_timer_start(&b->timer, 300);
        loop_run(b->loop);
    } while (b->changes > 0);
}

static void wait_for_change(struct bed *b)
{
    forget(b);
    while (b->changes == 0) {
        loop_run(b->loop);
    }
}

static void expect_nothing(struct bed *b)
{
    forget(b);
    net_timer_start(&b->timer, 300);
    loop_run(b->loop);
    assert_int_equal(b->changes, 0);
    assert_int_equal(b->gone_count, 0);
}

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));

    *state = b;
    if (refused != NULL) {
        return 0;
    }
    b->loop = loop_create();
    net_timer_init(&b->timer, b->loop, on_timer);
    assert_int_equal(net_monitor_start(b->loop, on_change, b, &b->monitor), 0);
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    if (refused == NULL) {
        net_timer_stop(&b->timer);
        net_monitor_close(b->monitor);
        net_loop_destroy(b->loop);
    }
    free(b);
    return 0;
}

static struct bed *bed_of(void **state)
{
    if (refused != NULL) {
        skip();
    }
    return *state;
}

static void assert_gone(const struct bed *b, const char *address)
{
    struct addr want = addr_of(address);

    assert_int_equal(b->gone_count, 1);
    assert_true(addr_equal(&b->gone[0], &want));
}

static void wait_for_gone(struct bed *b, const char *address)
{
    do {
        forget(b);
        loop_run(b->loop);
    } while (b->gone_count == 0);
    assert_gone(b, address);
}

/* ---- addresses: of IPv6 the kernel tells some things when it has time ---- */

static const struct address_case {
    const char *address, *with_len;
} address_cases[] = {
    {"192.0.2.1", "192.0.2.1/24"},
    {"2001:db8::1", "2001:db8::1/64 nodad"},
};

static void addresses_come_and_go(void **state)
{
    struct bed *b = bed_of(state);

    for (size_t i = 0; i < COUNT_OF(address_cases); i++) {
        const struct address_case *c = &address_cases[i];
        char command[96];
        (void)snprintf(command, sizeof(command), "addr add %s dev lo",
                       c->with_len);
        assert_true(ip(command));
        wait_for_change(b);
        assert_int_equal(b->changes, 1);
        assert_int_equal(b->gone_count, 0);
        settle(b);
        (void)snprintf(command, sizeof(command), "addr del %.*s dev lo",
                       (int)strcspn(c->with_len, " "), c->with_len);
        assert_true(ip(command));
        wait_for_gone(b, c->address);
        assert_int_equal(b->changes, 1);
        settle(b);
    }
}

static void a_renewed_lifetime_is_not_told(void **state)
{
    struct bed *b = bed_of(state);
    const char *renew = "addr change 2001:db8::2/64 dev lo nodad valid_lft "
                        "1000 preferred_lft 500";

    assert_true(ip("addr add 2001:db8::2/64 dev lo nodad valid_lft 900 "
                   "preferred_lft 400"));
    wait_for_change(b);
    settle(b);
    assert_true(ip(renew));
    expect_nothing(b);
    assert_true(ip("addr del 2001:db8::2/64 dev lo"));
    wait_for_gone(b, "2001:db8::2");
    settle(b);
}

static void known_from_the_start(void **state)
{
    struct bed *b = bed_of(state);

    net_monitor_close(b->monitor);
    assert_true(ip("addr add 192.0.2.3/24 dev lo"));
    assert_int_equal(net_monitor_start(b->loop, on_change, b, &b->monitor), 0);
    assert_true(ip("addr change 192.0.2.3/24 dev lo valid_lft 1000 "
                   "preferred_lft 500"));
    hear(b);
    assert_int_equal(b->changes, 0);
    assert_true(ip("addr del 192.0.2.3/24 dev lo"));
    hear(b);
    assert_gone(b, "192.0.2.3");
}

static void gone_and_back_in_one_turn(void **state)
{
    struct bed *b = bed_of(state);

    assert_true(ip("addr add 192.0.2.4/24 dev lo"));
    hear(b);
    assert_true(ip("addr del 192.0.2.4/24 dev lo"));
    assert_true(ip("addr add 192.0.2.4/24 dev lo"));
    hear(b);
    assert_int_equal(b->gone_count, 0);
    assert_int_equal(b->changes, 1);
    assert_true(ip("addr add 192.0.2.4/32 dev lo")); /* a second time */
    hear(b);
    assert_true(ip("addr del 192.0.2.4/24 dev lo"));
    hear(b);
    assert_int_equal(b->gone_count, 0);
    assert_int_equal(b->changes, 1);
    assert_true(ip("addr del 192.0.2.4/32 dev lo"));
    hear(b);
    assert_gone(b, "192.0.2.4");
}

static void many_in_one_turn(void **state)
{
    struct bed *b = bed_of(state);

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 8; j++) {
            char command[64];
            (void)snprintf(command, sizeof(command),
                           "addr %s 192.0.2.%d/32 dev lo",
                           i == 0 ? "add" : "del", 10 + j);
            assert_true(ip(command));
        }
        hear(b);
        assert_int_equal(b->changes, 1);
        assert_int_equal(b->gone_count, 8 * i);
    }
}

/* ---- routes and links ---- */

static void routes(void **state)
{
    struct bed *b = bed_of(state);

    assert_true(ip("route add 198.51.100.0/24 dev lo"));
    hear(b);
    assert_int_equal(b->changes, 1);
    assert_true(ip("route replace 198.51.100.0/24 dev lo"));
    hear(b);
    assert_int_equal(b->changes, 0);
    assert_true(ip("route add 198.51.100.0/24 dev lo table 77"));
    hear(b);
    assert_int_equal(b->changes, 0);
    assert_true(ip("route del 198.51.100.0/24 dev lo"));
    hear(b);
    assert_int_equal(b->changes, 1);
    assert_int_equal(b->gone_count, 0);
}

static void neighbours_are_not_told(void **state)
{
    struct bed *b = bed_of(state);

    hear(b);
    (void)ip("neigh add 192.0.2.77 lladdr 02:00:00:00:00:01 dev lo");
    hear(b);
    assert_int_equal(b->changes, 0);
}

static void links(void **state)
{
    struct bed *b = bed_of(state);

    if (!ip("link add left type veth peer name right")) {
        print_message("# skipped: no veth\n");
        skip();
    }
    /* No addresses of IPv6, which would come a second later. */
    assert_true(ip("link set left addrgenmode none"));
    assert_true(ip("link set right addrgenmode none"));
    hear(b);
    assert_int_equal(b->changes, 0); /* they are down */
    assert_true(ip("link set left up"));
    wait_for_change(b);
    assert_true(ip("link set right up")); /* the carrier comes */
    wait_for_change(b);
    settle(b);
    assert_true(ip("link set left txqueuelen 500"));
    hear(b);
    assert_int_equal(b->changes, 0);
    assert_true(ip("addr add 192.0.2.20/24 dev left"));
    hear(b);
    assert_int_equal(b->changes, 1);
    assert_true(ip("link set right down")); /* the carrier goes */
    wait_for_change(b);
    settle(b);
    assert_true(ip("link del left"));
    hear(b);
    assert_int_equal(b->changes, 1);
    assert_gone(b, "192.0.2.20");
}

/* ---- bad days ---- */

static void dropped_messages_are_made_good(void **state)
{
    static const struct {
        int code;
        bool is_truncated;
    } cases[] = {{ENOBUFS, false}, {0, true}};
    struct bed *b = bed_of(state);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(ip("addr add 192.0.2.5/24 dev lo"));
        assert_true(ip("addr add 192.0.2.6/24 dev lo"));
        hear(b);
        assert_true(ip("addr del 192.0.2.6/24 dev lo"));
        recv_errno = cases[i].code;
        is_truncated = cases[i].is_truncated;
        hear(b);
        is_truncated = false;
        assert_int_equal(b->changes, 1);
        assert_gone(b, "192.0.2.6");
        assert_true(ip("addr del 192.0.2.5/24 dev lo"));
        hear(b);
        assert_gone(b, "192.0.2.5");
    }
}

static void only_the_kernel_is_believed(void **state)
{
    struct bed *b = bed_of(state);

    is_forged = true;
    assert_true(ip("addr add 192.0.2.7/24 dev lo"));
    hear(b);
    is_forged = false;
    assert_int_equal(b->changes, 0);
    assert_true(ip("addr del 192.0.2.7/24 dev lo"));
}

static void closed_when_it_tells(void **state)
{
    struct bed *b = bed_of(state);

    assert_true(ip("addr add 192.0.2.8/32 dev lo"));
    assert_true(ip("addr add 192.0.2.9/32 dev lo"));
    hear(b);
    assert_true(ip("addr del 192.0.2.8/32 dev lo"));
    assert_true(ip("addr del 192.0.2.9/32 dev lo"));
    b->closes = true;
    hear(b);
    assert_int_equal(b->gone_count, 1);
    assert_int_equal(b->changes, 0);
    net_monitor_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(addresses_come_and_go),
        CASE(a_renewed_lifetime_is_not_told),
        CASE(known_from_the_start),
        CASE(gone_and_back_in_one_turn),
        CASE(many_in_one_turn),
        CASE(routes),
        CASE(neighbours_are_not_told),
        CASE(links),
        CASE(dropped_messages_are_made_good),
        CASE(only_the_kernel_is_believed),
        CASE(closed_when_it_tells),
    };

    return cmocka_run_group_tests_name("net_monitor", tests, enter, NULL);
}
