/*
 * The life of a plain pool, its random numbers, and another configuration
 * under way.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- what nobody can guess ---- */

/* The system is asked for many at once: each query takes some. */
void plain_random(struct plain *p, void *out, size_t len)
{
    assert(len <= PLAIN_DICE_LEN);
    if (p->dice_left < len) {
        net_random(p->loop, p->dice, sizeof(p->dice));
        p->dice_left = sizeof(p->dice);
    }
    p->dice_left -= len;
    memcpy(out, p->dice + p->dice_left, len);
}

static bool is_taken(const struct list *copies, uint16_t id)
{
    LIST_EACH (node, copies) {
        if (CONTAINER_OF(node, struct plain_copy, mate)->look.id == id) {
            return true;
        }
    }
    return false;
}

uint16_t plain_fresh_id(struct plain *p, const struct list *copies)
{
    uint16_t id = 0;

    do { /* carriers are far from having 65,536 copies */
        plain_random(p, &id, sizeof(id));
    } while (is_taken(copies, id));
    return id;
}

struct plain_copy *plain_find(const struct list *copies, struct span message)
{
    if (message.len < DNS_HEADER_LEN) {
        return NULL;
    }
    LIST_EACH (node, copies) {
        struct plain_copy *c = CONTAINER_OF(node, struct plain_copy, mate);
        if (c->look.id == dns_get16(message.ptr)) {
            return c;
        }
    }
    return NULL;
}

/* ---- servers ---- */

static void servers_destroy(struct plain_server **servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        plain_server_destroy(servers[i]);
    }
    free(servers);
}

static bool is_same(const struct config_server *a,
                    const struct config_server *b)
{
    return a->transport == b->transport && addr_equal(&a->addr, &b->addr);
}

/* The server of p that is entry in another configuration, and is in none of
 * the first count of taken; NULL: there is none. */
static struct plain_server *find_same(const struct plain *p,
                                      const struct config_server *entry,
                                      struct plain_server *const *taken,
                                      size_t count)
{
    for (size_t i = 0; i < p->count; i++) {
        struct plain_server *s = p->servers[i];
        bool is_taken_already = false;
        for (size_t j = 0; j < count; j++) {
            is_taken_already = is_taken_already || taken[j] == s;
        }
        if (!is_taken_already && is_same(s->config, entry)) {
            return s;
        }
    }
    return NULL;
}

static bool is_among(struct plain_server *const *servers, size_t count,
                     const struct plain_server *s)
{
    for (size_t i = 0; i < count; i++) {
        if (servers[i] == s) {
            return true;
        }
    }
    return false;
}

/* Destroy what p has not. */
static void discard_servers(const struct plain *p,
                            struct plain_server **servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_among(p->servers, p->count, servers[i])) {
            plain_server_destroy(servers[i]);
        }
    }
    free(servers);
}

/* Servers of set: those that p has, and new ones. */
static int servers_create(struct plain *p, const struct config_pool *set,
                          struct plain_server ***out)
{
    struct plain_server **servers =
        calloc(set->server_count, sizeof(struct plain_server *));

    if (servers == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < set->server_count; i++) {
        const struct config_server *entry = &set->servers[i];
        servers[i] = find_same(p, entry, servers, i);
        if (servers[i] == NULL) {
            servers[i] = plain_server_create(p, entry);
        }
        if (servers[i] != NULL) {
            continue;
        }
        discard_servers(p, servers, i);
        return ERR_NOMEM;
    }
    *out = servers;
    return 0;
}

/* ---- life ---- */

static void on_turn(struct net_turn *t)
{
    plain_go_on(CONTAINER_OF(t, struct plain, turn));
}

void plain_review(struct plain *p)
{
    net_turn_defer(p->loop, &p->turn);
}

/* Each query may be on its way twice at once; one that few servers answer more
 * often, when others leave room. */
static size_t copies_max(const struct config *config)
{
    return 2 * (size_t)config->max_queries + UPSTREAM_SERVERS_MAX;
}

static void take_servers(struct plain *p, const struct config *config,
                         const struct config_pool *set,
                         struct plain_server **servers)
{
    p->config = config;
    p->set = set;
    p->servers = servers;
    p->count = set->server_count;
    for (unsigned i = 0; i < p->count; i++) {
        servers[i]->index = i;
        servers[i]->config = &set->servers[i];
    }
    p->copies.max = copies_max(config);
}

int plain_create(struct net_loop *loop, const struct config *config,
                 const struct config_pool *set, struct plain **out)
{
    struct plain *p = calloc(1, sizeof(*p));
    struct plain_server **servers = NULL;
    uint64_t seed = 0;

    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->loop = loop;
    int err = servers_create(p, set, &servers);
    if (err != 0) {
        free(p);
        return err;
    }
    list_init(&p->requests);
    list_init(&p->again);
    net_turn_init(&p->turn, on_turn);
    net_random(loop, &seed, sizeof(seed));
    rng_seed(&p->rng, seed);
    slab_init(&p->copies, sizeof(struct plain_copy), copies_max(config));
    slab_init(&p->sockets, sizeof(struct plain_socket),
              PLAIN_SOCKETS_MAX + UPSTREAM_SERVERS_MAX);
    take_servers(p, config, set, servers);
    *out = p;
    return 0;
}

void plain_destroy(struct plain *p)
{
    if (p == NULL) {
        return;
    }
    assert(p->pending == 0);
    servers_destroy(p->servers, p->count);
    net_turn_cancel(&p->turn);
    slab_finish(&p->copies);
    slab_finish(&p->sockets);
    free(p);
}

/* ---- another configuration, another network ---- */

/* What mask says of the servers of before, said of those of now. */
static uint64_t mask_moved(const struct plain *p, uint64_t mask,
                           struct plain_server *const *before,
                           const uint64_t *bits, size_t count)
{
    uint64_t moved = 0;

    for (size_t i = 0; i < count; i++) {
        if ((mask & bits[i]) != 0 &&
            is_among(p->servers, p->count, before[i])) {
            moved |= plain_server_bit(before[i]);
        }
    }
    return moved;
}

/* Copies on servers that went are lost. */
static void leave_servers(struct plain *p, struct upstream_request *req)
{
    LIST_EACH (node, &req->plain.copies) {
        struct plain_copy *c = CONTAINER_OF(node, struct plain_copy, node);
        if (!is_among(p->servers, p->count, c->server)) {
            plain_copy_lost(c, false);
        }
    }
}

struct plain_change {
    struct plain *pool;
    const struct config *config;
    const struct config_pool *set;
    struct plain_server **servers; /* owned, and those that pool has not */
};

int plain_prepare(struct plain *p, const struct config *config,
                  const struct config_pool *set, struct plain_change **out)
{
    struct plain_change *c = malloc(sizeof(*c));

    if (c == NULL) {
        return ERR_NOMEM;
    }
    *c = (struct plain_change){.pool = p, .config = config, .set = set};
    int err = servers_create(p, set, &c->servers);
    if (err != 0) {
        free(c);
        return err;
    }
    *out = c;
    return 0;
}

void plain_commit(struct plain_change *c)
{
    struct plain *p = c->pool;
    struct plain_server **before = p->servers;
    size_t count = p->count;
    uint64_t bits[UPSTREAM_SERVERS_MAX];

    for (size_t i = 0; i < count; i++) {
        bits[i] = plain_server_bit(before[i]);
    }
    take_servers(p, c->config, c->set, c->servers);
    LIST_EACH (node, &p->requests) {
        struct upstream_request *req =
            CONTAINER_OF(node, struct upstream_request, plain.node);
        req->asked = mask_moved(p, req->asked, before, bits, count);
        leave_servers(p, req);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_among(p->servers, p->count, before[i])) {
            plain_server_destroy(before[i]);
        }
    }
    free(before);
    free(c);
}

void plain_discard(struct plain_change *c)
{
    if (c != NULL) {
        discard_servers(c->pool, c->servers, c->set->server_count);
        free(c);
    }
}

int plain_reconfigure(struct plain *p, const struct config *config,
                      const struct config_pool *set)
{
    struct plain_change *c = NULL;
    int err = plain_prepare(p, config, set, &c);

    if (err == 0) {
        plain_commit(c);
    }
    return err;
}

static bool is_from(const struct plain_stream *t, const struct addr *gone)
{
    struct addr local;

    return gone == NULL || net_stream_local(t->stream, &local) != 0 ||
           addr_ip_equal(&local, gone);
}

/* Queries over UDP are sent anew soon, from other sockets, as if lost. */
void plain_network_changed(struct plain *p, const struct addr *gone)
{
    for (size_t i = 0; i < p->count; i++) {
        struct plain_server *s = p->servers[i];
        s->retry_ms = 0;
        if (s->stream != NULL && is_from(s->stream, gone)) {
            plain_tcp_close(s->stream, ERR_NET_RESET);
        }
    }
}
