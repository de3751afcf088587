/*
 * Reading rtnetlink: a datagram is a sequence of messages, each a header, a
 * fixed part by its type, and attributes. All are aligned to 4 octets; they
 * are copied out nevertheless, and each length is checked against what is
 * there before it is used.
 */
#include "net/rtnl.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* linux/if.h has IFF_LOWER_UP, and does not go with net/if.h. */
enum { LINK_FLAGS = IFF_UP | IFF_RUNNING | IFF_LOWER_UP };

/* Copy the first len octets of *from and step over them, padding included. */
static bool take(struct span *from, void *out, size_t len)
{
    size_t padded = (len + 3u) & ~(size_t)3u;

    if (from->len < len) {
        return false;
    }
    memcpy(out, from->ptr, len);
    *from = span_from(*from, padded < from->len ? padded : from->len);
    return true;
}

/* Cut the first len octets of *from off, padding included. */
static struct span cut(struct span *from, size_t len)
{
    struct span first = span_of(from->ptr, len);
    size_t padded = (len + 3u) & ~(size_t)3u;

    *from = span_from(*from, padded < from->len ? padded : from->len);
    return first;
}

struct attribute {
    unsigned type;
    struct span value;
};

static bool next_attribute(struct span *rest, struct attribute *out)
{
    struct rtattr head;

    if (rest->len < sizeof(head)) {
        return false;
    }
    memcpy(&head, rest->ptr, sizeof(head));
    if (head.rta_len < sizeof(head) || head.rta_len > rest->len) {
        return false;
    }
    out->type = head.rta_type;
    out->value = span_from(cut(rest, head.rta_len), sizeof(head));
    return true;
}

/* ---- addresses ---- */

static bool is_link_local(const struct addr *a)
{
    return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static bool read_addr(struct span body, bool is_new, struct net_rtnl *out)
{
    struct ifaddrmsg m;
    struct attribute a;
    bool is_found = false;

    if (!take(&body, &m, sizeof(m)) ||
        (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)) {
        return false;
    }
    if (is_new && (m.ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0) {
        return false; /* it comes again when it can be used */
    }
    *out = (struct net_rtnl){
        .kind = is_new ? NET_RTNL_ADDR_CAME : NET_RTNL_ADDR_WENT,
        .ifindex = m.ifa_index,
        .prefix_len = m.ifa_prefixlen,
    };
    out->addr.family = m.ifa_family == AF_INET ? 4 : 6;
    while (next_attribute(&body, &a)) {
        /* On a point-to-point link IFA_ADDRESS is the other side's. */
        if ((a.type == IFA_LOCAL || (a.type == IFA_ADDRESS && !is_found)) &&
            a.value.len == addr_ip_len(&out->addr)) {
            memcpy(out->addr.ip, a.value.ptr, a.value.len);
            is_found = true;
        }
    }
    if (is_link_local(&out->addr)) {
        out->addr.scope_id = m.ifa_index;
    }
    return is_found;
}

/* ---- links ---- */

static bool read_link(struct span body, bool is_new, struct net_rtnl *out)
{
    struct ifinfomsg m;

    if (!take(&body, &m, sizeof(m)) || m.ifi_index <= 0 ||
        m.ifi_family !=
            AF_UNSPEC) { /* a bridge's ports are told as AF_BRIDGE */
        return false;
    }
    *out = (struct net_rtnl){
        .kind = is_new ? NET_RTNL_LINK : NET_RTNL_LINK_WENT,
        .ifindex = (uint32_t)m.ifi_index,
        .flags = m.ifi_flags & LINK_FLAGS,
    };
    return true;
}

/* ---- routes ---- */

static uint64_t hash(uint64_t h, struct span data)
{
    for (size_t i = 0; i < data.len; i++) {
        h = (h ^ data.ptr[i]) * 0x100000001b3u; /* FNV-1a */
    }
    return h;
}

/* Those that follow from addresses, which are told themselves, or that carry
 * nothing of ours. */
static bool is_of_no_matter(const struct rtmsg *m)
{
    bool is_table = m->rtm_table == RT_TABLE_MAIN ||
                    m->rtm_table == RT_TABLE_LOCAL ||
                    m->rtm_table == RT_TABLE_DEFAULT;

    return !is_table || (m->rtm_flags & RTM_F_CLONED) != 0 ||
           m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_BROADCAST ||
           m->rtm_type == RTN_ANYCAST || m->rtm_type == RTN_MULTICAST;
}

static bool read_route(struct span body, bool is_new, struct net_rtnl *out)
{
    struct rtmsg m;
    struct attribute a;

    if (!take(&body, &m, sizeof(m)) || is_of_no_matter(&m)) {
        return false;
    }
    m.rtm_flags = 0; /* what has become of it, not which it is */
    uint64_t h = hash(0xcbf29ce484222325u, span_of(&m, sizeof(m)));
    while (next_attribute(&body, &a)) {
        if (a.type != RTA_CACHEINFO && a.type != RTA_EXPIRES) { /* lifetimes */
            uint8_t type = (uint8_t)a.type;
            h = hash(hash(h, span_of(&type, 1)), a.value);
        }
    }
    *out = (struct net_rtnl){
        .kind = is_new ? NET_RTNL_ROUTE_CAME : NET_RTNL_ROUTE_WENT,
        .route = h,
    };
    return true;
}

/* ---- messages ---- */

static bool read_body(unsigned type, struct span body, struct net_rtnl *out)
{
    switch (type) {
    case NLMSG_DONE:
    case NLMSG_ERROR:
        *out = (struct net_rtnl){.kind = NET_RTNL_DONE};
        return true;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return read_addr(body, type == RTM_NEWADDR, out);
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return read_link(body, type == RTM_NEWLINK, out);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return read_route(body, type == RTM_NEWROUTE, out);
    default:
        return false;
    }
}

bool net_rtnl_next(struct span *rest, struct net_rtnl *out)
{
    while (rest->len >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;

        memcpy(&head, rest->ptr, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > rest->len) {
            break;
        }
        struct span body = span_from(cut(rest, head.nlmsg_len), sizeof(head));
        if (read_body(head.nlmsg_type, body, out)) {
            return true;
        }
    }
    *rest = span_of(NULL, 0);
    return false;
}
