/*
 * What is known of the machine's network.
 *
 * The kernel tells of an address each time its lifetime is renewed, of a link
 * for any reason, and programs put routes anew that are there already. So
 * addresses and links are kept as they are, and of routes those heard of last.
 */
#include "net/known.h"

#include "base/err.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- sets ---- */

static struct net_known_addr *find_addr(struct net_known *k,
                                        const struct net_rtnl *r)
{
    for (size_t i = 0; i < k->addr_count; i++) {
        struct net_known_addr *a = &k->addrs[i];

        if (a->ifindex == r->ifindex && a->prefix_len == r->prefix_len &&
            addr_ip_equal(&a->addr, &r->addr)) {
            return a;
        }
    }
    return NULL;
}

bool net_known_has_addr(const struct net_known *k, const struct addr *addr)
{
    for (size_t i = 0; i < k->addr_count; i++) {
        if (addr_ip_equal(&k->addrs[i].addr, addr)) {
            return true;
        }
    }
    return false;
}

static void add_addr(struct net_known *k, const struct net_rtnl *r)
{
    if (k->addr_count < NET_KNOWN_ADDRS) {
        k->addrs[k->addr_count++] = (struct net_known_addr){
            .addr = r->addr,
            .ifindex = r->ifindex,
            .prefix_len = r->prefix_len,
        };
    }
}

static struct net_known_link *find_link(struct net_known *k, uint32_t ifindex)
{
    for (size_t i = 0; i < k->link_count; i++) {
        if (k->links[i].ifindex == ifindex) {
            return &k->links[i];
        }
    }
    return NULL;
}

static struct net_known_link *add_link(struct net_known *k, uint32_t ifindex)
{
    struct net_known_link *link = find_link(k, ifindex);

    if (link == NULL && k->link_count < NET_KNOWN_LINKS) {
        link = &k->links[k->link_count++];
        *link = (struct net_known_link){.ifindex = ifindex};
    }
    return link;
}

/* ---- changes ---- */

static bool addr_came(struct net_known *k, const struct net_rtnl *r)
{
    if (find_addr(k, r) != NULL) {
        return false;
    }
    add_addr(k, r);
    return true;
}

static bool addr_went(struct net_known *k, const struct net_rtnl *r)
{
    struct net_known_addr *a = find_addr(k, r);

    if (a == NULL) {
        return k->addr_count == NET_KNOWN_ADDRS;
    }
    *a = k->addrs[--k->addr_count];
    return true;
}

static bool link_is(struct net_known *k, const struct net_rtnl *r)
{
    struct net_known_link *link = add_link(k, r->ifindex);
    bool is_news = link == NULL || link->flags != r->flags;

    if (link != NULL) {
        link->flags = r->flags;
    }
    return is_news;
}

/* One that could carry nothing is not missed. */
static bool link_went(struct net_known *k, const struct net_rtnl *r)
{
    struct net_known_link *link = find_link(k, r->ifindex);

    if (link == NULL) {
        return k->link_count == NET_KNOWN_LINKS;
    }
    bool is_news = link->flags != 0;
    *link = k->links[--k->link_count];
    return is_news;
}

static uint64_t *find_route(struct net_known *k, uint64_t route)
{
    for (size_t i = 0; i < NET_KNOWN_ROUTES; i++) {
        if (k->routes[i] == route) {
            return &k->routes[i];
        }
    }
    return NULL;
}

static bool route_came(struct net_known *k, const struct net_rtnl *r)
{
    if (find_route(k, r->route) != NULL) {
        return false;
    }
    k->routes[k->next_route] = r->route;
    k->next_route = (k->next_route + 1) % NET_KNOWN_ROUTES;
    return true;
}

static bool route_went(struct net_known *k, const struct net_rtnl *r)
{
    uint64_t *route = find_route(k, r->route);

    if (route != NULL) {
        *route = 0;
    }
    return true;
}

bool net_known_take(struct net_known *k, const struct net_rtnl *r)
{
    switch (r->kind) {
    case NET_RTNL_ADDR_CAME:
        return addr_came(k, r);
    case NET_RTNL_ADDR_WENT:
        return addr_went(k, r);
    case NET_RTNL_LINK:
        return link_is(k, r);
    case NET_RTNL_LINK_WENT:
        return link_went(k, r);
    case NET_RTNL_ROUTE_CAME:
        return route_came(k, r);
    case NET_RTNL_ROUTE_WENT:
        return route_went(k, r);
    case NET_RTNL_DONE:
        break;
    }
    return false;
}

/* ---- asking what there is ---- */

static int ask(int fd, uint16_t type)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg what;
    } request = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
                 .nlmsg_type = type,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .what = {.rtgen_family = AF_UNSPEC},
    };

    if (send(fd, &request, request.head.nlmsg_len, 0) < 0) {
        return net_error(errno, "send, netlink");
    }
    return 0;
}

/* The kernel makes the answer as it is read: there is nothing to wait for. */
static int hear(struct net_known *k, int fd, void *buffer, size_t size)
{
    struct net_rtnl r;

    for (;;) {
        ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
        if (n <= 0) {
            return n == 0 ? ERR_NET_OTHER : net_error(errno, "recv, netlink");
        }
        struct span rest = span_of(buffer, (size_t)n);
        while (net_rtnl_next(&rest, &r)) {
            if (r.kind == NET_RTNL_DONE) {
                return 0;
            }
            (void)net_known_take(k, &r);
        }
    }
}

int net_known_learn(struct net_known *k, void *buffer, size_t size)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int err;

    if (fd < 0) {
        return net_error(errno, "socket, netlink");
    }
    err = ask(fd, RTM_GETADDR);
    if (err == 0) {
        err = hear(k, fd, buffer, size);
    }
    if (err == 0) {
        err = ask(fd, RTM_GETLINK);
    }
    if (err == 0) {
        err = hear(k, fd, buffer, size);
    }
    (void)close(fd);
    return err;
}
