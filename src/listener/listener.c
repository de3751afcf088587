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
    int err = net_udp_open(l->loop, addr, is_shared, asked, udp_on_batch, s,
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

void listener_socket_free(struct listener_socket *s)
{
    if (s != NULL) {
        list_remove(&s->node);
        close_pair(s);
        free(s);
    }
}

static struct listener_socket *socket_new(struct listener *l,
                                          const struct addr *asked)
{
    struct listener_socket *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        list_init(&s->node);
        s->listener = l;
        s->asked = *asked;
        s->addr = *asked;
    }
    return s;
}

/* A socket that is open already for this address, or NULL. */
static struct listener_socket *find_open(const struct listener *l,
                                         const struct addr *addr)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        struct listener_socket *s = l->sockets[i];
        if (s->udp != NULL &&
            (addr_equal(&s->addr, addr) || addr_equal(&s->asked, addr))) {
            return s;
        }
    }
    return NULL;
}

/* Those of sockets that l does not have. */
static void free_new(const struct listener *l, struct listener_socket **sockets,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_kept = false;
        for (size_t k = 0; k < l->socket_count; k++) {
            is_kept = is_kept || l->sockets[k] == sockets[i];
        }
        if (!is_kept) {
            listener_socket_free(sockets[i]);
        }
    }
    free(sockets);
}

/* A socket for each address of config, opened or taken over; the IPv6 loopback
 * may be missing if another is there. */
static int open_sockets(struct listener *l, const struct config *config,
                        bool is_shared, struct listener_socket ***out,
                        char *why, size_t why_len)
{
    struct listener_socket **sockets =
        calloc(config->listen_count, sizeof(struct listener_socket *));
    size_t opened = 0;
    int err = sockets == NULL ? ERR_NOMEM : 0;

    for (size_t i = 0; i < config->listen_count && err == 0; i++) {
        const struct addr *addr = &config->listen[i];
        sockets[i] = find_open(l, addr);
        if (sockets[i] != NULL) {
            opened++;
            continue;
        }
        sockets[i] = socket_new(l, addr);
        err = sockets[i] == NULL
                  ? ERR_NOMEM
                  : open_socket(sockets[i], addr, is_shared, why, why_len);
        opened += err == 0;
        if (is_missing_loopback(addr, err) &&
            (opened > 0 || i + 1 < config->listen_count)) {
            err = 0;
        }
    }
    if (err == 0 && opened == 0) {
        err = ERR_NET_NO_ADDR;
    }
    if (err != 0) {
        free_new(l, sockets, sockets == NULL ? 0 : config->listen_count);
        return err;
    }
    *out = sockets;
    return 0;
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
    memcpy(l->guard_key, secret, sizeof(l->guard_key));
    net_turn_init(&l->drained_turn, on_drained_turn);
    net_timer_init(&l->drain_timer, loop, on_drain_timer);
    list_init(&l->retired);
    l->scratch = malloc(DNS_MESSAGE_MAX);
    if (l->scratch == NULL ||
        guard_create(config, l->guard_key, &l->guard) != 0) {
        listener_destroy(l);
        return NULL;
    }
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
    err = open_sockets(l, config, is_shared, &l->sockets, why, why_len);
    if (err != 0) {
        listener_destroy(l);
        return err;
    }
    l->socket_count = config->listen_count;
    if (query_log_is_early(config)) {
        l->query_log = query_log_open(loop, config);
    }
    *out = l;
    return 0;
}

void listener_log(struct listener *l)
{
    if (l->query_log == NULL) {
        l->query_log = query_log_open(l->loop, l->config);
    }
}

/* Is s in use still? */
static bool is_wanted(const struct listener *l, const struct listener_socket *s)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        if (l->sockets[i] == s) {
            return true;
        }
    }
    return false;
}

int listener_reconfigure(struct listener *l, const struct config *config,
                         bool is_shared, char *why, size_t why_len)
{
    struct listener_socket **before = l->sockets;
    size_t before_count = l->socket_count;
    struct guard *guard = NULL;
    int err = guard_create(config, l->guard_key, &guard);

    if (err == 0) {
        err = open_sockets(l, config, is_shared, &l->sockets, why, why_len);
    }
    if (err != 0) {
        guard_destroy(guard);
        return err;
    }
    guard_stats_add(&l->guard_before, guard_stats(l->guard));
    guard_destroy(l->guard);
    l->guard = guard;
    /* Another one, or the file was moved. */
    l->query_log = query_log_renew(l->query_log, l->loop, config);
    l->socket_count = config->listen_count;
    l->config = config;
    l->queries.max = config->max_queries;
    for (size_t i = 0; i < before_count; i++) {
        if (!is_wanted(l, before[i])) {
            net_listener_close(before[i]->tcp);
            before[i]->tcp = NULL;
            udp_retire(before[i]);
        }
    }
    free(before);
    tcp_pause_accepting(l); /* sockets that are new accept */
    tcp_update_accepting(l);
    return 0;
}

void listener_tap(struct listener *l, struct dnstap_queue *tap)
{
    l->tap = tap;
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
    query_log_close(l->query_log);
    guard_destroy(l->guard);
    slab_finish(&l->queries);
    while (l->spare_count > 0) {
        buf_finish(&l->spares[--l->spare_count]);
    }
    LIST_EACH (node, &l->retired) {
        listener_socket_free(CONTAINER_OF(node, struct listener_socket, node));
    }
    for (size_t i = 0; i < l->socket_count; i++) {
        listener_socket_free(l->sockets[i]);
    }
    free(l->scratch);
    free(l->sockets);
    free(l);
}

/* ---- looking ---- */

void listener_stats(const struct listener *l, struct listener_stats *out)
{
    *out = l->stats;
    out->guard = l->guard_before;
    guard_stats_add(&out->guard, guard_stats(l->guard));
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
    *out = l->sockets[i]->addr;
    return l->sockets[i]->udp != NULL;
}
