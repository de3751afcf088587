/*
 * The kernel's messages, cut and bent in all places.
 */
#include "rtnl_packets.h"

#include <stdlib.h>

static void all_kinds(void **state)
{
    struct packet p = {.len = 0};
    struct net_rtnl r;

    (void)state;
    put_addr(&p, RTM_NEWADDR, "192.0.2.1", 0);
    put_addr(&p, RTM_DELADDR, "2001:db8::1", 0);
    put_link(&p, RTM_NEWLINK, 7, IFF_UP | IFF_BROADCAST | IFF_LOWER_UP);
    put_link(&p, RTM_DELLINK, 8, 0);
    put_route(&p, RTM_NEWROUTE, RT_TABLE_MAIN, RTN_UNICAST, 1, 100);
    put_route(&p, RTM_DELROUTE, RT_TABLE_MAIN, RTN_UNICAST, 1, 50);
    begin(&p, NLMSG_DONE, &p, 4);
    struct span rest = span_of_packet(&p);
    struct addr v4 = addr_of("192.0.2.1");
    struct addr v6 = addr_of("2001:db8::1");

    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_ADDR_CAME);
    assert_true(addr_equal(&r.addr, &v4));
    assert_int_equal(r.ifindex, 7);
    assert_int_equal(r.prefix_len, 24);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_ADDR_WENT);
    assert_true(addr_equal(&r.addr, &v6));
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_LINK);
    assert_int_equal(r.flags, IFF_UP | IFF_LOWER_UP);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_LINK_WENT);
    assert_int_equal(r.ifindex, 8);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_ROUTE_CAME);
    uint64_t route = r.route;
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_ROUTE_WENT);
    assert_true(r.route == route); /* whatever its lifetime */
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_DONE);
    assert_false(net_rtnl_next(&rest, &r));
    assert_int_equal(rest.len, 0);
}

/* On a point-to-point link our own is IFA_LOCAL, wherever it stands. */
static void the_local_address_counts(void **state)
{
    struct ifaddrmsg m = {.ifa_family = AF_INET, .ifa_index = 7};
    const uint8_t ours[4] = {192, 0, 2, 1};
    const uint8_t theirs[4] = {192, 0, 2, 2};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct packet p = {.len = 0};
        struct net_rtnl r;
        begin(&p, RTM_NEWADDR, &m, sizeof(m));
        attribute(&p, i == 0 ? IFA_LOCAL : IFA_ADDRESS, i == 0 ? ours : theirs,
                  4);
        attribute(&p, i == 0 ? IFA_ADDRESS : IFA_LOCAL, i == 0 ? theirs : ours,
                  4);
        struct span rest = span_of_packet(&p);
        assert_true(net_rtnl_next(&rest, &r));
        assert_memory_equal(r.addr.ip, ours, 4);
    }
}

static void link_local_has_a_scope(void **state)
{
    struct packet p = {.len = 0};
    struct net_rtnl r;

    (void)state;
    put_addr(&p, RTM_NEWADDR, "fe80::1", 0);
    put_addr(&p, RTM_NEWADDR, "fec0::1", 0);
    struct span rest = span_of_packet(&p);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.addr.scope_id, 7);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.addr.scope_id, 0);
}

static void of_no_matter(void **state)
{
    struct ifinfomsg bridge = {.ifi_family = AF_BRIDGE, .ifi_index = 3};
    struct ifaddrmsg bare = {.ifa_family = AF_INET};
    struct packet p = {.len = 0};
    struct net_rtnl r;

    (void)state;
    put_addr(&p, RTM_NEWADDR, "2001:db8::1", IFA_F_TENTATIVE);
    put_addr(&p, RTM_NEWADDR, "2001:db8::1", IFA_F_DADFAILED);
    put_route(&p, RTM_NEWROUTE, 77, RTN_UNICAST, 1, 1);
    put_route(&p, RTM_NEWROUTE, RT_TABLE_LOCAL, RTN_LOCAL, 1, 1);
    put_route(&p, RTM_NEWROUTE, RT_TABLE_LOCAL, RTN_BROADCAST, 1, 1);
    put_route(&p, RTM_NEWROUTE, RT_TABLE_LOCAL, RTN_MULTICAST, 1, 1);
    put_link(&p, RTM_NEWLINK, 0, IFF_UP);
    put_link(&p, RTM_NEWLINK, -3, IFF_UP);
    begin(&p, RTM_NEWLINK, &bridge, sizeof(bridge));
    begin(&p, RTM_NEWADDR, &bare, sizeof(bare)); /* without an address */
    begin(&p, RTM_NEWNEIGH, &bare, sizeof(bare));
    begin(&p, NLMSG_NOOP, &bare, 0);
    struct span rest = span_of_packet(&p);
    assert_false(net_rtnl_next(&rest, &r));
    /* … and they hide nothing. */
    put_link(&p, RTM_NEWLINK, 1, IFF_UP);
    rest = span_of_packet(&p);
    assert_true(net_rtnl_next(&rest, &r));
    assert_int_equal(r.kind, NET_RTNL_LINK);
    assert_int_equal(r.ifindex, 1);
}

static void an_address_of_a_false_length(void **state)
{
    struct ifaddrmsg m = {.ifa_family = AF_INET6, .ifa_index = 7};
    struct packet p = {.len = 0};
    struct net_rtnl r;

    (void)state;
    begin(&p, RTM_NEWADDR, &m, sizeof(m));
    attribute(&p, IFA_ADDRESS, "1234", 4);
    attribute(&p, IFA_LOCAL, "12345678901234567890", 20);
    struct span rest = span_of_packet(&p);
    assert_false(net_rtnl_next(&rest, &r));
}

/* ---- hostile octets ---- */

static unsigned count_changes(const uint8_t *octets, size_t len)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len); /* its end is guarded */
    unsigned count = 0;
    struct net_rtnl r;

    assert_non_null(exact);
    memcpy(exact, octets, len);
    struct span rest = span_of(exact, len);
    while (net_rtnl_next(&rest, &r)) {
        count++;
        assert_true(count < 100);
    }
    free(exact);
    return count;
}

static void build_all(struct packet *p)
{
    p->len = 0;
    put_addr(p, RTM_NEWADDR, "192.0.2.1", 0);
    put_link(p, RTM_NEWLINK, 7, IFF_UP);
    put_route(p, RTM_NEWROUTE, RT_TABLE_MAIN, RTN_UNICAST, 1, 100);
    put_addr(p, RTM_DELADDR, "2001:db8::1", 0);
}

static void cut_anywhere(void **state)
{
    struct packet p;

    (void)state;
    build_all(&p);
    assert_int_equal(count_changes(p.octets, p.len), 4);
    for (size_t len = 0; len < p.len; len++) {
        assert_true(count_changes(p.octets, len) < 4);
    }
}

static void bent_anywhere(void **state)
{
    static const uint8_t values[] = {0, 1, 2, 3, 4, 7, 0x7f, 0x80, 0xff};
    struct packet p;

    (void)state;
    build_all(&p);
    for (size_t at = 0; at < p.len; at++) {
        uint8_t was = p.octets[at];
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            p.octets[at] = values[i];
            assert_true(count_changes(p.octets, p.len) <= 4);
        }
        p.octets[at] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(the_local_address_counts),
        cmocka_unit_test(link_local_has_a_scope),
        cmocka_unit_test(of_no_matter),
        cmocka_unit_test(an_address_of_a_false_length),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(bent_anywhere),
    };

    return cmocka_run_group_tests_name("net_rtnl", tests, NULL, NULL);
}
