/*
 * What is learnt from the kernel's messages, and what is news.
 */
#include "rtnl_packets.h"

#include "net/known.h"

#include <stdio.h>
#include <stdlib.h>

static bool learn(struct net_known *k, const struct packet *p)
{
    struct span rest = span_of_packet(p);
    struct net_rtnl r;

    assert_true(net_rtnl_next(&rest, &r));
    return net_known_take(k, &r);
}

static bool learn_addr(struct net_known *k, uint16_t type, const char *ip)
{
    struct packet p = {.len = 0};

    put_addr(&p, type, ip, 0);
    return learn(k, &p);
}

static bool learn_link(struct net_known *k, uint16_t type, int ifindex,
                       unsigned flags)
{
    struct packet p = {.len = 0};

    put_link(&p, type, ifindex, flags);
    return learn(k, &p);
}

static bool learn_route(struct net_known *k, uint16_t type, uint32_t gateway,
                        uint32_t lifetime)
{
    struct packet p = {.len = 0};

    put_route(&p, type, RT_TABLE_MAIN, RTN_UNICAST, gateway, lifetime);
    return learn(k, &p);
}

static void repetitions_are_no_news(void **state)
{
    struct net_known *k = calloc(1, sizeof(*k));

    (void)state;
    assert_true(learn_addr(k, RTM_NEWADDR, "192.0.2.1"));
    assert_false(learn_addr(k, RTM_NEWADDR, "192.0.2.1"));
    assert_true(learn_addr(k, RTM_NEWADDR, "192.0.2.2"));
    assert_true(learn_addr(k, RTM_DELADDR, "192.0.2.1"));
    assert_false(learn_addr(k, RTM_DELADDR, "192.0.2.1"));
    assert_false(learn_addr(k, RTM_NEWADDR, "192.0.2.2"));
    assert_false(learn_link(k, RTM_NEWLINK, 3, IFF_BROADCAST)); /* is down */
    assert_false(learn_link(k, RTM_DELLINK, 3, 0));
    assert_true(learn_link(k, RTM_NEWLINK, 3, IFF_UP));
    assert_false(learn_link(k, RTM_NEWLINK, 3, IFF_UP | IFF_PROMISC));
    assert_true(learn_link(k, RTM_NEWLINK, 3, IFF_UP | IFF_LOWER_UP));
    assert_true(learn_link(k, RTM_NEWLINK, 3, IFF_UP));
    assert_true(learn_link(k, RTM_DELLINK, 3, IFF_UP));
    assert_false(learn_link(k, RTM_DELLINK, 3, IFF_UP));
    assert_true(learn_route(k, RTM_NEWROUTE, 1, 100));
    assert_false(learn_route(k, RTM_NEWROUTE, 1, 200));
    assert_true(learn_route(k, RTM_NEWROUTE, 2, 200));
    assert_true(learn_route(k, RTM_DELROUTE, 1, 1));
    assert_true(learn_route(k, RTM_NEWROUTE, 1, 300));
    free(k);
}

/* What has no place is told each time; nothing is written past the end. */
static void sets_are_bounded(void **state)
{
    struct net_known *k = calloc(1, sizeof(*k));
    char ip[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250);
        assert_true(learn_addr(k, RTM_NEWADDR, ip));
        assert_true(learn_link(k, RTM_NEWLINK, i + 1, IFF_UP));
        assert_true(learn_route(k, RTM_NEWROUTE, (uint32_t)i, 1));
    }
    assert_int_equal(k->addr_count, NET_KNOWN_ADDRS);
    assert_int_equal(k->link_count, NET_KNOWN_LINKS);
    assert_true(learn_addr(k, RTM_NEWADDR, ip));
    assert_true(learn_addr(k, RTM_DELADDR, ip));
    assert_true(learn_link(k, RTM_NEWLINK, 1000, IFF_UP));
    assert_true(learn_link(k, RTM_DELLINK, 1000, 0));
    assert_false(learn_route(k, RTM_NEWROUTE, 999, 1));
    assert_true(learn_route(k, RTM_NEWROUTE, 0, 1));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250);
        (void)learn_addr(k, RTM_DELADDR, ip);
        (void)learn_link(k, RTM_DELLINK, i + 1, 0);
    }
    assert_int_equal(k->addr_count, 0);
    assert_int_equal(k->link_count, 0);
    free(k);
}

/* Loopback is there in any machine that runs this. */
static void the_kernel_is_asked(void **state)
{
    enum { SIZE = 65536 };
    struct net_known *k = calloc(1, sizeof(*k));
    uint8_t *buffer = malloc(SIZE);
    struct addr loopback = addr_of("127.0.0.1");
    struct addr other = addr_of("203.0.113.77");

    (void)state;
    int err = net_known_learn(k, buffer, SIZE);
    if (err != 0) {
        print_message("# skipped: no netlink: %s\n", err_name(err));
        free(buffer);
        free(k);
        skip();
    }
    assert_true(net_known_has_addr(k, &loopback));
    assert_false(net_known_has_addr(k, &other));
    assert_true(k->link_count > 0);
    free(buffer);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_no_news),
        cmocka_unit_test(sets_are_bounded),
        cmocka_unit_test(the_kernel_is_asked),
    };

    return cmocka_run_group_tests_name("net_known", tests, NULL, NULL);
}
