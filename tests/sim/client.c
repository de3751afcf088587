/*
 * Simulated UDP clients, and the hand that deals out questions.
 */
#include "client.h"

#include "dns/wire.h"
#include "zone.h"

#include <assert.h>
#include <string.h>

static int kind_of(const struct sim_clients *c)
{
    const char *kinds = c->kinds != NULL ? c->kinds : "aaaaaaaaaaaabbdxxsh";
    uint32_t at = rng_below(&c->loop->world->rng, (uint32_t)strlen(kinds));
    return kinds[at];
}

size_t sim_clients_question(struct sim_clients *c, uint16_t id, uint8_t *out,
                            uint16_t *edns_size)
{
    static const uint16_t sizes[] = {0, 512, 1232, 1232, 1232, 4096};
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_A, DNS_TYPE_AAAA,
                                     DNS_TYPE_TXT, 65280};
    struct sim_world *w = c->loop->world;
    bool is_common = sim_chance(w, c->common_percent);
    uint16_t type =
        is_common ? DNS_TYPE_A : types[rng_below(&w->rng, COUNT_OF(types))];
    uint64_t name = is_common ? rng_below(&w->rng, SIM_COMMON_NAMES)
                              : SIM_COMMON_NAMES + c->next_name++;

    *edns_size = sizes[rng_below(&w->rng, COUNT_OF(sizes))];
    bool is_home = sim_chance(w, c->home_percent);
    return (is_home ? zone_query_home : zone_query)(id, kind_of(c), name, type,
                                                    *edns_size, out);
}

/* ---- UDP ---- */

static void on_answers(void *arg, const struct net_udp_datagram *batch,
                       size_t count)
{
    struct udp_client *u = arg;
    struct addr from;

    for (size_t i = 0; i < count; i++) {
        net_udp_path_peer(batch[i].path, &from);
        if (!addr_equal(&from, &u->all->target)) {
            sim_ledger_fault(u->all->ledger, "an answer from another address");
        }
        sim_ledger_answer(u->all->ledger, &u->queries, batch[i].data);
    }
}

static bool is_id_in_use(const struct udp_client *u, uint16_t id)
{
    LIST_EACH (node, &u->queries) {
        struct sim_query *q = CONTAINER_OF(node, struct sim_query, node);
        if (dns_get16(q->message) == id) {
            return true;
        }
    }
    return false;
}

static void ask_udp(struct sim_clients *c)
{
    struct sim_world *w = c->loop->world;
    struct udp_client *u = &c->udp[rng_below(&w->rng, SIM_UDP_CLIENTS)];
    uint8_t message[LEDGER_QUERY_MAX];
    uint16_t edns_size = 0;
    uint16_t id = 0;

    do {
        id = (uint16_t)rng_next(&w->rng);
    } while (is_id_in_use(u, id));
    size_t len = sim_clients_question(c, id, message, &edns_size);
    (void)sim_ledger_ask(c->ledger, span_of(message, len), false, edns_size,
                         &u->queries);
    struct net_udp_path path;
    sim_udp_path_to(&c->target, &path);
    memcpy(net_udp_reserve(u->socket), message, len);
    net_udp_commit(u->socket, &path, len);
    c->datagrams++;
}

/* What no answer is due to: too short, or a response. */
static void send_noise(struct sim_clients *c)
{
    struct sim_world *w = c->loop->world;
    struct udp_client *u = &c->udp[rng_below(&w->rng, SIM_UDP_CLIENTS)];
    struct net_udp_path path;
    size_t len = sim_between(w, 1, 100);
    uint8_t *out = net_udp_reserve(u->socket);

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)rng_next(&w->rng);
    }
    if (len >= DNS_HEADER_LEN) {
        out[2] |= 0x80;
    }
    sim_udp_path_to(&c->target, &path);
    net_udp_commit(u->socket, &path, len);
    c->datagrams++;
}

/* ---- all of them ---- */

void sim_clients_ask(struct sim_clients *c)
{
    struct sim_world *w = c->loop->world;
    uint32_t count = sim_between(w, 1, c->burst == 0 ? 1 : c->burst);

    for (uint32_t i = 0; i < count; i++) {
        if (sim_chance(w, c->tcp_percent)) {
            sim_clients_arrive_tcp(c);
        } else {
            ask_udp(c);
        }
    }
    if (sim_chance(w, c->noise_percent)) {
        send_noise(c);
    }
}

static void on_next(struct sim_event *e)
{
    struct sim_clients *c = CONTAINER_OF(e, struct sim_clients, next);

    sim_clients_ask(c);
    sim_event_in(c->loop->world, e,
                 sim_between(c->loop->world, 1, 2 * c->gap_us));
}

void sim_clients_start(struct sim_clients *c)
{
    list_init(&c->tcp);
    for (unsigned i = 0; i < SIM_UDP_CLIENTS; i++) {
        struct udp_client *u = &c->udp[i];
        struct addr addr = c->target;
        addr.port = 0;
        u->all = c;
        list_init(&u->queries);
        int err = net_udp_open(c->loop, &addr, false, 1 << 20, on_answers, u,
                               NULL, &u->socket);
        assert(err == 0);
        (void)err;
    }
    sim_event_init(&c->next, on_next);
    if (!c->is_by_hand) {
        sim_event_in(c->loop->world, &c->next, c->gap_us);
    }
    c->is_asking = true;
}

void sim_clients_stop(struct sim_clients *c)
{
    sim_event_cancel(c->loop->world, &c->next);
    c->is_asking = false;
}

void sim_clients_finish(struct sim_clients *c)
{
    sim_clients_stop(c);
    sim_clients_finish_tcp(c);
    for (unsigned i = 0; i < SIM_UDP_CLIENTS; i++) {
        net_udp_close(c->udp[i].socket);
        sim_ledger_excuse(&c->udp[i].queries);
    }
}
