/*
 * What dnstap is told of a client's query, and of the answer that is about to
 * leave. Called only where the listener has a tap.
 */
#include "listener/internal.h"

static uint64_t tell_query(const struct listener *l, struct dnstap_event *e)
{
    e->query_us = net_wall_us(l->loop);
    dnstap_query(l->tap, e);
    return e->query_us;
}

static void tell_answer(const struct listener *l, struct dnstap_event *e,
                        uint64_t came_us)
{
    e->query_us = came_us;
    e->response_us = net_wall_us(l->loop);
    dnstap_response(l->tap, e);
}

static struct dnstap_event udp_event(const struct listener_socket *s,
                                     const struct net_udp_path *path,
                                     struct span message)
{
    struct dnstap_event e = {.local = s->addr, .message = message};

    net_udp_path_peer(path, &e.client);
    net_udp_path_local(path, &e.local);
    return e;
}

uint64_t tap_udp_query(const struct listener_socket *s,
                       const struct net_udp_datagram *d)
{
    struct dnstap_event e = udp_event(s, d->path, d->data);

    return tell_query(s->listener, &e);
}

void tap_udp_answer(const struct listener_socket *s,
                    const struct net_udp_path *path, uint64_t came_us,
                    struct span answer)
{
    struct dnstap_event e = udp_event(s, path, answer);

    tell_answer(s->listener, &e, came_us);
}

static struct dnstap_event tcp_event(struct tcp_client *c, struct span message)
{
    if (c->local.family == 0 && net_stream_local(c->stream, &c->local) != 0) {
        c->local.family = 0; /* it is broken already */
    }
    return (struct dnstap_event){.is_tcp = true,
                                 .client = c->addr,
                                 .local = c->local,
                                 .message = message};
}

uint64_t tap_tcp_query(struct tcp_client *c, struct span query)
{
    struct dnstap_event e = tcp_event(c, query);

    return tell_query(c->listener, &e);
}

void tap_tcp_answer(struct tcp_client *c, uint64_t came_us, struct span answer)
{
    struct dnstap_event e = tcp_event(c, answer);

    tell_answer(c->listener, &e, came_us);
}
