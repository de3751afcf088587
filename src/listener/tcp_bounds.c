/*
 * Which connections are let in: the bounds on clients in all and for one
 * address. Invariant: accepting is paused exactly while all places are taken
 * by clients that are busy, so that an accepted connection has a place, or
 * can be given that of the longest idle client.
 */
#include "listener/internal.h"

static void pause_all(struct listener *l, bool is_paused)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        struct net_listener *tcp = l->sockets[i]->tcp;
        if (tcp == NULL) {
            continue;
        }
        if (is_paused) {
            net_listener_pause(tcp);
        } else {
            net_listener_resume(tcp);
        }
    }
}

void tcp_pause_accepting(struct listener *l)
{
    if (l->is_accept_paused) {
        pause_all(l, true);
    }
}

void tcp_update_accepting(struct listener *l)
{
    bool is_full = l->client_count >= l->config->tcp_max_clients &&
                   list_is_empty(&l->idle_clients);

    if (is_full != l->is_accept_paused && !l->is_draining) {
        l->is_accept_paused = is_full;
        pause_all(l, is_full);
    }
}

/* A place for one more client, taken from the longest idle if need be. */
static bool make_room(struct listener *l)
{
    if (l->client_count < l->config->tcp_max_clients) {
        return true;
    }
    if (list_is_empty(&l->idle_clients)) {
        return false;
    }
    l->stats.tcp_clients_evicted++;
    tcp_client_close(LIST_FIRST(&l->idle_clients, struct tcp_client, node));
    return true;
}

void tcp_on_accept(void *arg, struct net_stream *s, const struct addr *peer)
{
    struct listener_socket *socket = arg;
    struct listener *l = socket->listener;
    struct peer_key key = peers_key(peer);

    if (l->is_draining || !guard_admits_connection(l->guard, peer) ||
        peers_count(&l->peers, &key) >=
            l->config->tcp_max_clients_per_address ||
        !make_room(l)) {
        l->stats.tcp_clients_refused++;
        net_stream_close(s);
        return;
    }
    tcp_client_start(l, s, peer, &key);
}
