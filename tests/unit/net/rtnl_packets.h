/*
 * Shared by the tests of what the kernel says of the network: its messages,
 * built octet by octet.
 */
#ifndef TESTS_NET_RTNL_PACKETS_H
#define TESTS_NET_RTNL_PACKETS_H

#include "run.h"

#include "net/rtnl.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

struct packet {
    uint8_t octets[1024];
    size_t len;
    size_t message; /* where the last one begins */
};

static inline void put(struct packet *p, const void *data, size_t len)
{
    assert_true(p->len + len + 4 <= sizeof(p->octets));
    memcpy(p->octets + p->len, data, len);
    p->len += len;
    memset(p->octets + p->len, 0, 4);
    p->len = (p->len + 3u) & ~(size_t)3u;
    uint32_t message_len = (uint32_t)(p->len - p->message);
    memcpy(p->octets + p->message, &message_len, sizeof(message_len));
}

static inline void begin(struct packet *p, uint16_t type, const void *body,
                         size_t len)
{
    struct nlmsghdr head = {.nlmsg_type = type};

    p->message = p->len;
    put(p, &head, sizeof(head));
    put(p, body, len);
}

static inline void attribute(struct packet *p, uint16_t type, const void *value,
                             size_t len)
{
    struct rtattr head = {.rta_len = (uint16_t)(sizeof(head) + len),
                          .rta_type = type};
    uint8_t whole[64];

    memcpy(whole, &head, sizeof(head));
    memcpy(whole + sizeof(head), value, len);
    put(p, whole, sizeof(head) + len);
}

static inline void put_addr(struct packet *p, uint16_t type, const char *ip,
                            uint8_t flags)
{
    struct addr a = addr_of(ip);
    struct ifaddrmsg m = {.ifa_family = a.family == 4 ? AF_INET : AF_INET6,
                          .ifa_prefixlen = 24,
                          .ifa_flags = flags,
                          .ifa_index = 7};

    begin(p, type, &m, sizeof(m));
    attribute(p, IFA_ADDRESS, a.ip, addr_ip_len(&a));
}

static inline void put_link(struct packet *p, uint16_t type, int ifindex,
                            unsigned flags)
{
    struct ifinfomsg m = {.ifi_index = ifindex, .ifi_flags = flags};

    begin(p, type, &m, sizeof(m));
    attribute(p, IFLA_IFNAME, "eth7", 5);
}

static inline void put_route(struct packet *p, uint16_t type, uint8_t table,
                             uint8_t kind, uint32_t gateway, uint32_t lifetime)
{
    struct rtmsg m = {.rtm_family = AF_INET,
                      .rtm_flags = lifetime % 7, /* RTNH_F_DEAD and such */
                      .rtm_table = table,
                      .rtm_type = kind,
                      .rtm_protocol = RTPROT_RA};

    begin(p, type, &m, sizeof(m));
    attribute(p, RTA_GATEWAY, &gateway, sizeof(gateway));
    attribute(p, RTA_EXPIRES, &lifetime, sizeof(lifetime));
}

static inline struct span span_of_packet(const struct packet *p)
{
    return span_of(p->octets, p->len);
}

#endif
