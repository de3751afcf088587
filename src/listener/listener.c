/*
 * The sockets of one worker: opened together, drained together.
 *
 * Draining closes what owes nothing at once and the rest as its answers are
 * given; whoever closes something calls listener_check_drained(), which tells
 * the owner at the end of the turn, when nobody below is at work.
 */
#include "listener/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "dns/wire.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "listener"

enum {
    PRIVILEGED_PORTS = 1024,
    /* A free UDP port may be taken for TCP: so often another one is tried. */
    PAIR_ATTEMPTS = 16,
};

/* ---- opening ---- */

/* What to do about an address that could not be opened. */
static const char *advice(int err, const struct addr *addr)
{
    switch (err) {
    case ERR_NET_ACCESS:
        return addr->port != 0 && addr->port < PRIVILEGED_PORTS
                   ? "; ports below 1024 need the capability "
                     "CAP_NET_BIND_SERVICE, or sysctl "
                     "net.ipv4.ip_unprivileged_port_start=0, or listen on "
                     "another port (such as 5300)"
                   : "";
    case ERR_NET_IN_USE:
        return addr->port == 53
                   ? "; another DNS server is listening there (ss -lunpt "
                     "tells which; systemd-resolved takes 127.0.0.53 and "
                     "127.0.0.54, and 127.0.0.1 only if told to)"
                   : "; another program is listening there (ss -lunpt tells "
                     "which)";
    case ERR_NET_NO_ADDR:
        return " (ip address lists those it has)";
    case ERR_NET_FILES:
        return "; raise the limit of open files (ulimit -n)";
    default:
        return "";
    }
}

static void explain(int err, const struct addr *addr, const char *kind,
                    char *why, size_t why_len)
{
    char text[ADDR_TEXT_MAX];

    (void)snprintf(why, why_len, "%s (%s): %s%s", addr_text(addr, text), kind,
                   err_text(err), advice(err, addr));
}

/* Say once for the process that the kernel gives smaller buffers. */
static void check_buffer(size_t asked, size_t got)
{
    static atomic_flag is_told = ATOMIC_FLAG_INIT;

    if (got < asked && !atomic_flag_test_and_set(&is_told)) {
        log_notice("UDP receive buffer: %zu octets instead of %zu; bursts "
                   "may be lost; sysctl net.core.rmem_max=%zu allows it",
                   got, asked, asked);
    }
}

static void close_pair(struct listener_socket *s)
{
    net_udp_close(s->udp);
    net_listener_close(s->tcp);
    s->udp = NULL;
    s->tcp = NULL;
}

/* Both sockets on one address and port. */
static int open_pair(struct listener_socket *s, const struct addr *addr,
                     bool is_shared, char *why, size_t why_len)
{
    struct listener *l = s->listener;
    size_t asked = l->config->udp_buffer;
    size_t got = asked;
    int err = net_udp_open(l->loop, addr, is_shared, asked, udp_on_datagram, s,
                           &got, &s->udp);

    if (err != 0) {
        explain(err, addr, "UDP", why, why_len);
        return err;
    }
    net_udp_addr(s->udp, &s->addr);
    err = net_listener_open(l->loop, &s->addr, is_shared, tcp_on_accept, s,
                            &s->tcp);
    if (err != 0) {
        explain(err, &s->addr, "TCP", why, why_len);
        close_pair(s);
        return err;
    }
    check_buffer(asked, got);
    return 0;
}

static int open_socket(struct listener_socket *s, const struct addr *addr,
                       bool is_shared, char *why, size_t why_len)
{
    int attempts = addr->port == 0 ? PAIR_ATTEMPTS : 1;
    int err;

    do {
        err = open_pair(s, addr, is_shared, why, why_len);
    } while (err == ERR_NET_IN_USE && --attempts > 0);
    return err;
}

/* ::1 is missing where IPv6 is off, as in many containers. */
static bool is_missing_loopback(const struct addr *addr, int err)
{
    static const uint8_t loopback[16] = {[15] = 1};

    return addr->family == 6 && memcmp(addr->ip, loopback, 16) == 0 &&
           (err == ERR_NET_NO_ADDR || err == ERR_NET_OTHER);
}

/* All addresses; the IPv6 loopback may be missing if another is there. */
static int open_sockets(struct listener *l, bool is_shared, char *why,
                        size_t why_len)
{
    size_t opened = 0;
    int err = 0;

    for (size_t i = 0; i < l->socket_count; i++) {
        struct listener_socket *s = &l->sockets[i];
        const struct addr *addr = &l->config->listen[i];

        s->listener = l;
        s->addr = *addr;
        err = open_socket(s, addr, is_shared, why, why_len);
        if (err == 0) {
            opened++;
        } else if (!is_missing_loopback(addr, err)) {
            return err;
        }
    }
    return opened > 0 ? 0 : err;
}

static void on_drained_turn(struct net_turn *turn)
{
    struct listener *l = CONTAINER_OF(turn, struct listener, drained_turn);

    net_timer_stop(&l->drain_timer);
    l->drained(l->drained_arg); /* last: it may destroy us */
}

static void on_drain_timer(struct net_timer *timer)
{
    struct listener *l = CONTAINER_OF(timer, struct listener, drain_timer);

    udp_close(l);
    tcp_close(l);
    listener_check_drained(l);
}

static struct listener *listener_new(struct net_loop *loop,
                                     const struct config *config,
                                     struct resolver *resolver)
{
    struct listener *l = calloc(1, sizeof(*l));
    uint64_t secret[2];

    if (l == NULL) {
        return NULL;
    }
    l->loop = loop;
    l->config = config;
    l->resolver = resolver;
    slab_init(&l->queries, sizeof(struct listener_query), config->max_queries);
    list_init(&l->udp_queries);
    list_init(&l->idle_clients);
    list_init(&l->busy_clients);
    net_random(loop, secret, sizeof(secret));
    peers_init(&l->peers, secret);
    net_turn_init(&l->drained_turn, on_drained_turn);
    net_timer_init(&l->drain_timer, loop, on_drain_timer);
    l->scratch = malloc(DNS_MESSAGE_MAX);
    l->sockets = calloc(config->listen_count, sizeof(*l->sockets));
    if (l->scratch == NULL || l->sockets == NULL) {
        listener_destroy(l);
        return NULL;
    }
    l->socket_count = config->listen_count;
    return l;
}

int listener_open(struct net_loop *loop, const struct config *config,
                  struct resolver *resolver, bool is_shared,
                  struct listener **out, char *why, size_t why_len)
{
    struct listener *l = listener_new(loop, config, resolver);
    int err = ERR_NOMEM;

    (void)snprintf(why, why_len, "%s", err_text(err));
    if (l == NULL) {
        return err;
    }
    err = open_sockets(l, is_shared, why, why_len);
    if (err != 0) {
        listener_destroy(l);
        return err;
    }
    *out = l;
    return 0;
}

/* ---- draining and closing ---- */

void listener_check_drained(struct listener *l)
{
    if (l->is_draining && l->client_count == 0 &&
        list_is_empty(&l->udp_queries)) {
        net_turn_defer(l->loop, &l->drained_turn);
    }
}

void listener_drain(struct listener *l, listener_drained_fn *drained, void *arg)
{
    l->is_draining = true;
    l->drained = drained;
    l->drained_arg = arg;
    udp_drain(l);
    tcp_drain(l);
    net_timer_start(&l->drain_timer, l->config->query_timeout_ms);
    listener_check_drained(l);
}

void listener_destroy(struct listener *l)
{
    if (l == NULL) {
        return;
    }
    l->is_draining = true;
    udp_close(l);
    tcp_close(l);
    net_turn_cancel(&l->drained_turn);
    net_timer_stop(&l->drain_timer);
    peers_finish(&l->peers);
    slab_finish(&l->queries);
    while (l->spare_count > 0) {
        buf_finish(&l->spares[--l->spare_count]);
    }
    free(l->scratch);
    free(l->sockets);
    free(l);
}

/* ---- looking ---- */

void listener_stats(const struct listener *l, struct listener_stats *out)
{
    *out = l->stats;
}

size_t listener_tcp_clients(const struct listener *l)
{
    return l->client_count;
}

size_t listener_pending(const struct listener *l)
{
    return l->queries.used;
}

bool listener_addr(const struct listener *l, size_t i, struct addr *out)
{
    *out = l->sockets[i].addr;
    return l->sockets[i].udp != NULL;
}
