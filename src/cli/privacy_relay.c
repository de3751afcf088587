/*
 * One loop over poll(2): new connections from inside, octets both ways, packets
 * of the tap. Octets are carried as they are; TLS goes on between the stack and
 * the server, and the relay could not read it if it wanted to.
 */
#include "cli/privacy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RELAYS_MAX = 64,
    BUFFER = 16384,
    PACKET_MAX = 65536 + 64,
    INSIDE = 0,
    OUTSIDE = 1,
};

/* Two ends; what came from end d and was not taken by the other one. */
struct relay {
    int fd[2]; /* -1: not in use */
    bool has_ended[2];
    size_t at[2], len[2];
    uint8_t data[2][BUFFER];
};

struct run {
    const struct privacy_places *places;
    const int *fds; /* tap, listeners */
    int channel;
    struct privacy_tap *tap;
    struct relay *relays;
    uint8_t *packet;
    struct pollfd polled[2 + PRIVACY_PLACES_MAX + 2 * RELAYS_MAX];
};

/* ---- relays ---- */

static void end_relay(struct relay *r)
{
    (void)close(r->fd[INSIDE]);
    (void)close(r->fd[OUTSIDE]);
    r->fd[INSIDE] = r->fd[OUTSIDE] = -1;
}

static int connect_to(const struct addr *a)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(a->port),
                              .sin6_scope_id = a->scope_id};
    int fd = socket(a->family == 4 ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0) {
        return -1;
    }
    memcpy(&v4.sin_addr, a->ip, 4);
    memcpy(&v6.sin6_addr, a->ip, 16);
    rc = a->family == 4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                        : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
    if (rc != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void begin_relay(struct run *run, size_t place)
{
    int inside =
        accept4(run->fds[1 + place], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct relay *r = run->relays;

    if (inside < 0) {
        return;
    }
    while (r < run->relays + RELAYS_MAX && r->fd[INSIDE] >= 0) {
        r++;
    }
    int outside = r < run->relays + RELAYS_MAX
                      ? connect_to(&run->places->all[place].addr)
                      : -1;
    if (outside < 0) {
        (void)close(inside);
        return;
    }
    memset(r, 0, offsetof(struct relay, data));
    r->fd[INSIDE] = inside;
    r->fd[OUTSIDE] = outside;
}

static short wanted(const struct relay *r, int end)
{
    int other = 1 - end;
    short events = 0;

    if (r->len[end] == 0 && !r->has_ended[end]) {
        events |= POLLIN;
    }
    if (r->len[other] > 0) {
        events |= POLLOUT;
    }
    return events;
}

/* Returns false: the relay is over. */
static bool carry(struct relay *r, int from)
{
    int to = 1 - from;

    if (r->len[from] == 0 && !r->has_ended[from]) {
        ssize_t n = recv(r->fd[from], r->data[from], BUFFER, 0);
        if (n < 0) {
            return errno == EAGAIN || errno == ENOTCONN || errno == EINTR;
        }
        r->has_ended[from] = n == 0;
        r->len[from] = (size_t)n;
        r->at[from] = 0;
        if (n == 0) {
            (void)shutdown(r->fd[to], SHUT_WR);
        }
    }
    if (r->len[from] > 0) {
        ssize_t n = send(r->fd[to], r->data[from] + r->at[from], r->len[from],
                         MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == ENOTCONN || errno == EINTR;
        }
        r->at[from] += (size_t)n;
        r->len[from] -= (size_t)n;
    }
    return !(r->has_ended[INSIDE] && r->has_ended[OUTSIDE]);
}

/* ---- the tap ---- */

static void drain_tap(struct run *run)
{
    struct sockaddr_ll from;
    socklen_t len = sizeof(from);
    ssize_t n;

    /* The loopback shows each packet twice: as it leaves, as it arrives. */
    while ((n = recvfrom(run->fds[0], run->packet, PACKET_MAX, MSG_TRUNC,
                         (struct sockaddr *)&from, &len)) >= 0) {
        if (from.sll_pkttype == PACKET_OUTGOING) {
            privacy_tap_packet(run->tap, run->packet,
                               n < PACKET_MAX ? (size_t)n : PACKET_MAX);
        }
        len = sizeof(from);
    }
}

static void count_lost(struct run *run)
{
    struct tpacket_stats stats = {0};
    socklen_t len = sizeof(stats);

    if (getsockopt(run->fds[0], SOL_PACKET, PACKET_STATISTICS, &stats, &len) ==
        0) {
        run->tap->unseen += stats.tp_drops;
    }
}

/* ---- the loop ---- */

static nfds_t gather(struct run *run)
{
    size_t listeners = run->places->count;
    nfds_t n = 0;

    run->polled[n++] = (struct pollfd){run->channel, POLLIN, 0};
    run->polled[n++] = (struct pollfd){run->fds[0], POLLIN, 0};
    for (size_t i = 0; i < listeners; i++) {
        run->polled[n++] = (struct pollfd){run->fds[1 + i], POLLIN, 0};
    }
    for (size_t i = 0; i < RELAYS_MAX; i++) {
        const struct relay *r = &run->relays[i];
        run->polled[n++] = (struct pollfd){r->fd[0], wanted(r, 0), 0};
        run->polled[n++] = (struct pollfd){r->fd[1], wanted(r, 1), 0};
    }
    return n;
}

static void serve(struct run *run)
{
    size_t listeners = run->places->count;
    const struct pollfd *relays = run->polled + 2 + listeners;

    for (size_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *r = &run->relays[i];
        if (r->fd[0] >= 0 &&
            (relays[2 * i].revents | relays[2 * i + 1].revents) != 0 &&
            (!carry(r, INSIDE) || !carry(r, OUTSIDE))) {
            end_relay(r);
        }
    }
    for (size_t i = 0; i < listeners; i++) {
        if (run->polled[2 + i].revents != 0) {
            begin_relay(run, i);
        }
    }
}

static void loop(struct run *run)
{
    bool is_over = false;

    while (!is_over) {
        if (poll(run->polled, gather(run), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            break;
        }
        drain_tap(run);
        is_over = run->polled[0].revents != 0;
        if (!is_over) {
            serve(run);
        }
    }
    drain_tap(run);
    count_lost(run);
}

void privacy_relay_run(const struct privacy_places *places, int *fds,
                       int channel, struct privacy_tap *t)
{
    struct run *run = calloc(1, sizeof(*run));
    struct relay *relays = calloc(RELAYS_MAX, sizeof(*relays));
    uint8_t *packet = malloc(PACKET_MAX);

    if (run != NULL && relays != NULL && packet != NULL) {
        *run = (struct run){.places = places,
                            .fds = fds,
                            .channel = channel,
                            .tap = t,
                            .relays = relays,
                            .packet = packet};
        for (size_t i = 0; i < RELAYS_MAX; i++) {
            relays[i].fd[0] = relays[i].fd[1] = -1;
        }
        loop(run);
        for (size_t i = 0; i < RELAYS_MAX; i++) {
            if (relays[i].fd[0] >= 0) {
                end_relay(&relays[i]);
            }
        }
    } else {
        t->unseen++;
    }
    for (size_t i = 0; i < 1 + places->count; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    free(packet);
    free(relays);
    free(run);
}
