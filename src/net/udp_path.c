/*
 * Paths of datagrams: who sent one, and which of our addresses it came to.
 * An answer must leave from that address, or the client does not take it
 * (RFC 2181 section 4.1).
 */
#include "net/udp_path.h"

#include "net/sockaddr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct sockaddr_in6) ==
                   sizeof(((struct net_udp_path *)0)->peer),
               "a path holds any peer's address");

void net_udp_path_peer(const struct net_udp_path *p, struct addr *out)
{
    union net_sockaddr sa;
    int err;

    memset(&sa, 0, sizeof(sa));
    memcpy(&sa, p->peer, p->peer_len);
    err = net_sockaddr_to(&sa, out);
    assert(err == 0); /* the kernel wrote it */
    (void)err;
}

void net_udp_path_local(const struct net_udp_path *p, struct addr *out)
{
    if (p->local_len > 0) {
        out->family = p->local_len == 4 ? 4 : 6;
        out->scope_id = p->ifindex;
        memcpy(out->ip, p->local, p->local_len);
    }
}

int net_udp_path_enable(int fd, bool is_v4)
{
    int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    int name = is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO;
    int on = 1;

    if (setsockopt(fd, level, name, &on, sizeof(on)) != 0) {
        return net_error(errno, "IP_PKTINFO");
    }
    return 0;
}

static void read_v4(struct net_udp_path *p, const struct cmsghdr *c)
{
    struct in_pktinfo info;

    /* spec_dst is ours even when the query went to all (broadcast). */
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    memcpy(p->local, &info.ipi_spec_dst, 4);
    p->local_len = 4;
}

static void read_v6(struct net_udp_path *p, const struct cmsghdr *c)
{
    struct in6_pktinfo info;

    memcpy(&info, CMSG_DATA(c), sizeof(info));
    if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
        return; /* nothing can be sent from there */
    }
    memcpy(p->local, &info.ipi6_addr, 16);
    p->local_len = 16;
    /* Others are found without it, and the way back may lead through another
     * interface. */
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
        p->ifindex = info.ipi6_ifindex;
    }
}

void net_udp_path_read(struct net_udp_path *p, struct msghdr *m)
{
    p->peer_len = (uint8_t)m->msg_namelen;
    p->local_len = 0;
    p->ifindex = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            read_v4(p, c);
        } else if (c->cmsg_level == IPPROTO_IPV6 &&
                   c->cmsg_type == IPV6_PKTINFO) {
            read_v6(p, c);
        }
    }
}

static void write_v4(const struct net_udp_path *p, struct cmsghdr *c)
{
    struct in_pktinfo info = {0};

    memcpy(&info.ipi_spec_dst, p->local, 4);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void write_v6(const struct net_udp_path *p, struct cmsghdr *c)
{
    struct in6_pktinfo info = {.ipi6_ifindex = p->ifindex};

    memcpy(&info.ipi6_addr, p->local, 16);
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(c), &info, sizeof(info));
}

void net_udp_path_write(struct net_udp_path *p, struct net_udp_control *control,
                        struct msghdr *m)
{
    struct cmsghdr *c = (struct cmsghdr *)control->octets;

    m->msg_name = p->peer;
    m->msg_namelen = p->peer_len;
    m->msg_control = control->octets;
    switch (p->local_len) {
    case 4:
        write_v4(p, c);
        m->msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
        break;
    case 16:
        write_v6(p, c);
        m->msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));
        break;
    default:
        m->msg_controllen = 0; /* the socket has one address alone */
    }
}
