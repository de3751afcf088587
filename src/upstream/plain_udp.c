/*
 * Copies over UDP. Each has a socket of its own, connected to its server, so
 * that the kernel gives it a port that nobody knows and hands over nothing
 * from anywhere else (RFC 5452 section 9.2); it is closed with the copy. When
 * there are PLAIN_SOCKETS_MAX of them, copies share, told apart by their IDs.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"
#include "dns/frame.h"

/* ---- sockets ---- */

/* The port answered that nobody listens there, or there is no way to it. */
static void socket_failed(struct plain_socket *k, int err)
{
    bool is_last = false;

    do { /* with its last copy the socket is gone */
        struct plain_copy *c = LIST_FIRST(&k->copies, struct plain_copy, mate);
        is_last = c->mate.next == &k->copies;
        plain_server_failed(c->server, c->sent_us, err, NULL);
        plain_copy_lost(c, false);
    } while (!is_last);
}

static void on_datagram(void *arg, int err, struct span data)
{
    struct plain_socket *k = arg;
    struct plain *p = k->server->pool;
    uint8_t octets[PLAIN_DATAGRAM_MAX];
    struct dns_response response;
    struct span message;

    if (err != 0) {
        socket_failed(k, err);
        return;
    }
    struct plain_copy *c = plain_find(&k->copies, data);
    if (c == NULL || plain_message_accept(&c->look, c->question, data, octets,
                                          &message, &response) != 0) {
        p->stats.dropped++;
        return;
    }
    plain_copy_answered(c, message, &response);
}

static int socket_open(struct plain_server *s, struct plain_socket **out)
{
    struct plain *p = s->pool;
    struct plain_socket *k = slab_take(&p->sockets);

    if (k == NULL) {
        return ERR_LIMIT;
    }
    int err =
        net_dgram_open(p->loop, &s->config->addr, on_datagram, k, &k->dgram);
    if (err != 0) {
        slab_give(&p->sockets, k);
        return err;
    }
    k->server = s;
    list_init(&k->copies);
    list_push_back(&s->sockets, &k->node);
    *out = k;
    return 0;
}

/* One of s that is in use, each in its turn; NULL: there is none. */
static struct plain_socket *socket_shared(struct plain_server *s)
{
    if (list_is_empty(&s->sockets)) {
        return NULL;
    }
    struct plain_socket *k = LIST_FIRST(&s->sockets, struct plain_socket, node);
    list_remove(&k->node);
    list_push_back(&s->sockets, &k->node);
    return k;
}

static int socket_for(struct plain_server *s, struct plain_socket **out)
{
    struct plain_socket *shared = NULL;
    int err = ERR_LIMIT;

    if (s->pool->sockets.used < PLAIN_SOCKETS_MAX ||
        list_is_empty(&s->sockets)) {
        err = socket_open(s, out);
    }
    if (err == ERR_LIMIT || err == ERR_NOMEM || err == ERR_NET_FILES) {
        shared = socket_shared(s);
    }
    if (shared != NULL) {
        *out = shared;
        err = 0;
    }
    return err;
}

static void socket_close_if_unused(struct plain_socket *k)
{
    if (list_is_empty(&k->copies)) {
        list_remove(&k->node);
        net_dgram_close(k->dgram);
        slab_give(&k->server->pool->sockets, k);
    }
}

/* ---- copies ---- */

int plain_udp_send(struct plain_copy *c)
{
    struct upstream_request *req = c->req;
    struct plain *p = c->server->pool;
    uint8_t octets[PLAIN_QUERY_MAX];
    struct plain_socket *k = NULL;

    int err = socket_for(c->server, &k);
    if (err != 0) {
        return err;
    }
    c->look.id = plain_fresh_id(p, &k->copies);
    size_t len = plain_message_write(
        &c->look,
        span_of(req->frame + DNS_FRAME_HEAD, req->frame_len - DNS_FRAME_HEAD),
        c->question, octets);
    c->sent_us = net_now_us(p->loop);
    err = net_dgram_send(k->dgram, span_of(octets, len));
    if (err != 0) {
        socket_close_if_unused(k);
        return err;
    }
    c->socket = k;
    list_push_back(&k->copies, &c->mate);
    return 0;
}

void plain_udp_detach(struct plain_copy *c)
{
    struct plain_socket *k = c->socket;

    list_remove(&c->mate);
    c->socket = NULL;
    socket_close_if_unused(k);
}
