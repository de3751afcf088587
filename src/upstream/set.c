/*
 * Which servers a pool has, which of them are kept warm, and the review at the
 * end of each turn in which something changed.
 *
 * Servers live on their own, so that they can go from one configuration to the
 * next with connections, health and all. Requests know them by a bit, which is
 * a server's own as long as it lives.
 */
#include "upstream/internal.h"

#include "base/err.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- time ---- */

static void on_clock(struct net_turn *t)
{
    CONTAINER_OF(t, struct upstream_pool, clock)->now_us = 0;
}

uint64_t pool_now_us(struct upstream_pool *p)
{
    if (p->now_us == 0) {
        p->now_us = net_now_us(p->loop);
        net_turn_defer(p->loop, &p->clock);
    }
    return p->now_us;
}

/* ---- warmth ---- */

static void keep_warm(struct upstream_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        unsigned wanted = strategy_wants_warm(p, p->servers[i]);
        if (wanted > 0) {
            server_dial_if_due(p->servers[i], wanted, false);
        }
    }
}

bool pool_is_warm(const struct upstream_pool *p)
{
    uint32_t for_ms = p->config->warm_for_ms;

    return !p->is_closing && for_ms > 0 &&
           net_now_ms(p->loop) - p->asked_ms <= for_ms;
}

/* From when on connections that nobody uses are closed. */
static uint64_t cool_ms(const struct upstream_pool *p)
{
    uint64_t for_ms = p->config->warm_for_ms;

    return p->asked_ms + (for_ms > WARM_LEAST_MS ? for_ms : WARM_LEAST_MS) + 1;
}

/* An open connection is traffic too: keepalives, and the server's close. */
static bool close_unused(struct upstream_server *s)
{
    bool is_left = false;

    LIST_EACH (node, &s->conns) {
        struct upstream_conn *c =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (c->outstanding == 0) {
            conn_close(c, 0);
        } else {
            is_left = true;
        }
    }
    return is_left;
}

static void on_cool(struct net_timer *t)
{
    struct upstream_pool *p = CONTAINER_OF(t, struct upstream_pool, cool);
    uint64_t now_ms = net_now_ms(p->loop);
    bool is_left = p->pending > 0;

    if (now_ms < cool_ms(p)) {
        net_timer_start(t, cool_ms(p) - now_ms);
        return;
    }
    for (size_t i = 0; i < p->count && p->pending == 0; i++) {
        net_timer_stop(&p->servers[i]->retry);
        is_left = close_unused(p->servers[i]) || is_left;
    }
    if (is_left) {
        net_timer_start(t, WARM_LEAST_MS);
    }
}

void pool_wake(struct upstream_pool *p)
{
    uint64_t now_ms = net_now_ms(p->loop);

    if (p->config->warm_for_ms > 0 &&
        (p->stats.requests == 0 || !pool_is_warm(p) ||
         now_ms - p->asked_ms > SPARE_FOR_MS || strategy_wants_spare(p))) {
        pool_review(p);
    }
    pool_check_sleep(p);
    p->asked_ms = now_ms;
    if (!net_timer_is_active(&p->cool)) {
        net_timer_start(&p->cool, cool_ms(p) - now_ms);
    }
}

/* ---- review ---- */

static void on_review(struct net_turn *t)
{
    struct upstream_pool *p = CONTAINER_OF(t, struct upstream_pool, turn);

    if (p->is_closing) {
        return;
    }
    if (p->has_slept) {
        p->has_slept = false;
        pool_connect_anew(p);
        if (!list_is_empty(&p->waiting)) {
            pool_dial_for_clients(p);
        }
    }
    keep_warm(p);
    if (!list_is_empty(&p->waiting)) {
        pool_retry_waiting(p);
        demand_go_on(p);
        pool_fail_hopeless(p);
    }
}

void pool_review(struct upstream_pool *p)
{
    net_turn_defer(p->loop, &p->turn);
}

/* ---- the set ---- */

static void destroy_servers(struct upstream_server **servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        server_destroy(servers[i]);
    }
}

/* Do both name the same server, to be proved in the same way? */
static bool is_same(const struct config_server *a,
                    const struct config_server *b)
{
    if (!addr_equal(&a->addr, &b->addr) || a->more_count != b->more_count ||
        a->pin_count != b->pin_count || !text_equal(a->name, b->name) ||
        !text_equal(a->ca_file, b->ca_file)) {
        return false;
    }
    for (size_t i = 0; i < a->more_count; i++) {
        if (!addr_equal(&a->more[i], &b->more[i])) {
            return false;
        }
    }
    return a->pin_count == 0 ||
           memcmp(a->pins, b->pins, a->pin_count * sizeof(*a->pins)) == 0;
}

/* The server of p that entry means, if it is not in servers yet. */
static struct upstream_server *find_same(const struct upstream_pool *p,
                                         const struct config_server *entry,
                                         const struct tls_trust *trust,
                                         struct upstream_server *const *servers,
                                         size_t count)
{
    for (size_t i = 0; i < p->count; i++) {
        bool is_taken = false;
        for (size_t j = 0; j < count; j++) {
            is_taken = is_taken || servers[j] == p->servers[i];
        }
        if (!is_taken && is_same(p->servers[i]->config, entry) &&
            tls_trust_equal(p->servers[i]->trust, trust)) {
            return p->servers[i];
        }
    }
    return NULL;
}

/* servers[i]: the one of p that entry means, or a new one. One that was proved
 * by another trust is another server. */
static int find_or_create(struct upstream_pool *p,
                          const struct config_server *entry,
                          struct tls_trust *common,
                          struct upstream_server **servers, size_t i,
                          bool *is_new)
{
    struct tls_trust *trust = NULL;
    int err = server_trust(entry, common, &trust);

    if (err != 0) {
        return err;
    }
    servers[i] = find_same(p, entry, trust, servers, i);
    *is_new = servers[i] == NULL;
    if (*is_new) {
        err = server_create(p, entry, trust, &servers[i]);
    }
    tls_trust_release(trust);
    return err;
}

/* Fill servers (zeroed) for set, with those that p has already. On failure the
 * new ones are gone. Returns as upstream_pool_create(). */
static int gather(struct upstream_pool *p, const struct config_pool *set,
                  struct tls_trust *trust, struct upstream_server **servers,
                  bool *is_new)
{
    for (size_t i = 0; i < set->server_count; i++) {
        int err =
            find_or_create(p, &set->servers[i], trust, servers, i, &is_new[i]);
        if (err != 0) {
            for (size_t j = 0; j < i; j++) {
                server_destroy(is_new[j] ? servers[j] : NULL);
            }
            return err;
        }
    }
    return 0;
}

/* Bits of those that stay are theirs; new ones get what is left. */
static void give_bits(struct upstream_server **servers, size_t count,
                      const bool *is_new)
{
    uint64_t used = 0;

    for (size_t i = 0; i < count; i++) {
        used |= is_new[i] ? 0 : UINT64_C(1) << servers[i]->bit;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_new[i]) {
            servers[i]->bit = (unsigned)__builtin_ctzll(~used);
            used |= UINT64_C(1) << servers[i]->bit;
        }
        servers[i]->index = (unsigned)i;
    }
}

/* Take over servers for set; *gone (of *gone_count) are those left out. */
static void adopt(struct upstream_pool *p, const struct config *config,
                  const struct config_pool *set,
                  struct upstream_server **servers,
                  struct upstream_server **gone, size_t *gone_count)
{
    *gone_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        bool stays = false;
        for (size_t j = 0; j < set->server_count; j++) {
            stays = stays || servers[j] == p->servers[i];
        }
        if (!stays) {
            gone[(*gone_count)++] = p->servers[i];
        }
    }
    for (size_t i = 0; i < set->server_count; i++) {
        servers[i]->config = &set->servers[i];
    }
    free(p->servers);
    p->servers = servers;
    p->count = set->server_count;
    p->config = config;
    p->set = set;
}

struct upstream_change {
    struct upstream_pool *pool;
    const struct config *config;
    const struct config_pool *set;
    struct upstream_server **servers; /* owned, and those that are new */
    bool is_new[UPSTREAM_SERVERS_MAX];
    struct plain_change *plain; /* of a plain pool, instead */
};

/* Returns as upstream_pool_create(). */
static int prepare_servers(struct upstream_change *c, struct tls_trust *trust)
{
    struct upstream_server **servers =
        calloc(c->set->server_count, sizeof(struct upstream_server *));

    if (servers == NULL) {
        return ERR_NOMEM;
    }
    int err = gather(c->pool, c->set, trust, servers, c->is_new);
    if (err != 0) {
        free(servers);
        return err;
    }
    c->servers = servers;
    return 0;
}

int upstream_pool_prepare(struct upstream_pool *p, const struct config *config,
                          const struct config_pool *set,
                          struct tls_trust *trust, struct upstream_change **out)
{
    struct upstream_change *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->pool = p;
    c->config = config;
    c->set = set;
    int err = p->plain != NULL ? plain_prepare(p->plain, config, set, &c->plain)
                               : prepare_servers(c, trust);
    if (err != 0) {
        free(c);
        return err;
    }
    *out = c;
    return 0;
}

void upstream_pool_commit(struct upstream_change *c)
{
    struct upstream_pool *p = c->pool;
    struct upstream_server *gone[UPSTREAM_SERVERS_MAX];
    size_t gone_count = 0;

    if (c->plain != NULL) {
        plain_commit(c->plain);
    } else {
        give_bits(c->servers, c->set->server_count, c->is_new);
        adopt(p, c->config, c->set, c->servers, gone, &gone_count);
        destroy_servers(gone, gone_count);
        pool_review(p);
    }
    free(c);
}

void upstream_pool_discard(struct upstream_change *c)
{
    if (c == NULL) {
        return;
    }
    plain_discard(c->plain);
    for (size_t i = 0; c->servers != NULL && i < c->set->server_count; i++) {
        server_destroy(c->is_new[i] ? c->servers[i] : NULL);
    }
    free(c->servers);
    free(c);
}

int upstream_pool_reconfigure(struct upstream_pool *p,
                              const struct config *config,
                              const struct config_pool *set,
                              struct tls_trust *trust)
{
    struct upstream_change *c = NULL;
    int err = upstream_pool_prepare(p, config, set, trust, &c);

    if (err == 0) {
        upstream_pool_commit(c);
    }
    return err;
}

/* ---- life ---- */

int upstream_pool_create(struct net_loop *loop, const struct config *config,
                         const struct config_pool *set, struct tls_trust *trust,
                         struct upstream_pool **out)
{
    struct upstream_pool *p = calloc(1, sizeof(*p));
    uint64_t seed = 0;

    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->loop = loop;
    p->config = config;
    p->set = set;
    p->asked_ms = net_now_ms(loop);
    p->asleep_ms = pool_asleep_ms(p);
    p->tokens = HEDGE_BURST * HEDGE_COST;
    list_init(&p->waiting);
    net_turn_init(&p->turn, on_review);
    net_turn_init(&p->clock, on_clock);
    net_timer_init(&p->cool, loop, on_cool);
    demand_init(p);
    net_random(loop, &seed, sizeof(seed));
    rng_seed(&p->rng, seed);
    int err = set->is_plain ? plain_create(loop, config, set, &p->plain)
                            : upstream_pool_reconfigure(p, config, set, trust);
    if (err != 0) {
        upstream_pool_destroy(p);
        return err;
    }
    if (p->plain == NULL) {
        net_timer_start(&p->cool, cool_ms(p) - p->asked_ms);
    }
    *out = p;
    return 0;
}

void upstream_pool_destroy(struct upstream_pool *p)
{
    if (p == NULL) {
        return;
    }
    p->is_closing = true;
    plain_destroy(p->plain);
    net_timer_stop(&p->cool);
    destroy_servers(p->servers, p->count);
    demand_stop(p);
    net_turn_cancel(&p->turn);
    net_turn_cancel(&p->clock);
    free(p->servers);
    free(p);
}
