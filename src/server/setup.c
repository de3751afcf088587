/*
 * Making a setup: each part is loaded in turn, and whatever fails is logged
 * with the file and the reason.
 */
#include "server/setup.h"

#include "base/err.h"
#include "base/log.h"
#include "server/activate.h"
#include "server/notes.h"

#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "server"

enum { WHY_LEN = 512 };

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- the configuration, shared ---- */

struct setup_config *setup_config_retain(struct setup_config *s)
{
    s->refs++;
    return s;
}

void setup_config_release(struct setup_config *s)
{
    if (s != NULL && --s->refs == 0) {
        config_destroy(s->config);
        free(s->asked);
        free(s);
    }
}

static struct setup_config *shared_new(struct config *config)
{
    struct setup_config *s = calloc(1, sizeof(*s));
    size_t len = config->listen_count * sizeof(*config->listen);

    if (s == NULL) {
        config_destroy(config);
        return NULL;
    }
    s->refs = 1;
    s->config = config;
    s->asked = malloc(len);
    if (s->asked == NULL) {
        setup_config_release(s);
        return NULL;
    }
    memcpy(s->asked, config->listen, len);
    return s;
}

/* ---- trust ---- */

/* Must the certificate of one of these lead to the common anchors? */
static bool needs_trust(const struct config_pool *p)
{
    for (size_t i = 0; i < p->server_count; i++) {
        const struct config_server *s = &p->servers[i];

        if (s->transport == CONFIG_TLS && s->ca_file == NULL &&
            (s->name != NULL || s->pin_count == 0)) {
            return true;
        }
    }
    return false;
}

/* Workers read these files too, when it is too late to say no. */
static int check_own_trust(const struct config_pool *p)
{
    char why[WHY_LEN] = "";

    for (size_t i = 0; i < p->server_count; i++) {
        struct tls_trust *own = NULL;
        int err = p->servers[i].ca_file == NULL
                      ? 0
                      : tls_trust_load(p->servers[i].ca_file, NULL, &own, why,
                                       WHY_LEN);
        tls_trust_release(own);
        if (err != 0) {
            note_error("%s: %s", p->servers[i].label, why);
            return err;
        }
    }
    return 0;
}

static int load_trust(struct setup *s)
{
    const struct config *c = s->config;
    bool is_needed = false;
    char why[WHY_LEN] = "";

    for (size_t i = 0; i < s->pool_count; i++) {
        is_needed =
            is_needed || (s->pools[i] != NULL && needs_trust(s->pools[i]));
    }
    if (!is_needed) {
        return 0;
    }
    int err = tls_trust_load(c->ca_file, c->ca_dir, &s->trust, why, WHY_LEN);
    if (err != 0) {
        note_error("trusted certificates: %s", why);
        return err;
    }
    size_t count = tls_trust_count(s->trust);
    log_info("%zu trusted certificate%s from %s", count, plural(count),
             tls_trust_origin(s->trust));
    return 0;
}

/* ---- the servers of zones ---- */

/* The nameserver lines of a file. Without any (the network is not up yet, or
 * gone) the zone has no servers until the file changes. */
static int read_resolv_conf(const struct setup *s, size_t i)
{
    const struct config_zone *zone = &s->config->zones[i];
    struct config_pool *pool = &s->read[i];
    char why[WHY_LEN] = "";
    int err = config_resolv_conf(zone->resolv_conf, s->config->listen,
                                 s->config->listen_count, pool, why, WHY_LEN);

    pool->is_plain = true;
    pool->strategy = zone->pool.strategy;
    pool->race_width = zone->pool.race_width;
    pool->has_random_case = zone->pool.has_random_case;
    if (err == 0) {
        return 0;
    }
    note_warning("zone %s has no servers: %s", zone->name, why);
    return err == ERR_NOMEM ? err : 0;
}

static int gather_pools(struct setup *s)
{
    const struct config *c = s->config;

    s->pools = calloc(1 + c->zone_count, sizeof(const struct config_pool *));
    s->read = calloc(1 + c->zone_count, sizeof(*s->read));
    if (s->pools == NULL || s->read == NULL) {
        return ERR_NOMEM;
    }
    s->pool_count = 1 + c->zone_count;
    s->pools[0] = &c->pool;
    for (size_t i = 0; i < c->zone_count; i++) {
        const struct config_zone *zone = &c->zones[i];

        if (zone->resolv_conf != NULL) {
            int err = read_resolv_conf(s, i);
            if (err != 0) {
                return err;
            }
            s->pools[i + 1] = s->read[i].server_count > 0 ? &s->read[i] : NULL;
        } else if (!zone->is_nxdomain) {
            s->pools[i + 1] = &zone->pool;
        }
    }
    return 0;
}

/* ---- policy ---- */

static int make_policy(struct setup *s, const uint8_t hash_key[16],
                       bool is_strict)
{
    const struct config *c = s->config;
    struct policy_zone *zones = calloc(c->zone_count + 1, sizeof(*zones));
    struct policy_counts counts;
    char why[WHY_LEN] = "";

    if (zones == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < c->zone_count; i++) {
        zones[i] = (struct policy_zone){
            .name = c->zones[i].name,
            .is_nxdomain = c->zones[i].is_nxdomain,
        };
    }
    int err = policy_create(&c->policy, zones, c->zone_count, hash_key,
                            is_strict, &s->policy, why, WHY_LEN);
    free(zones);
    if (err != 0) {
        note_error("%s", why[0] != '\0' ? why : err_text(err));
        return err;
    }
    policy_counts(s->policy, &counts);
    if (counts.local_names + counts.denied_names + counts.zones > 0) {
        log_info("%zu local name%s, %zu denied name%s, %zu zone%s",
                 counts.local_names, plural(counts.local_names),
                 counts.denied_names, plural(counts.denied_names), counts.zones,
                 plural(counts.zones));
    }
    return 0;
}

/* ---- all of it ---- */

static int create(struct setup_config *shared, struct tls_trust *trust,
                  const uint8_t hash_key[16], bool is_strict,
                  struct setup **out)
{
    struct setup *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        setup_config_release(shared);
        return ERR_NOMEM;
    }
    s->shared = shared;
    s->config = shared->config;
    int err = gather_pools(s);
    if (err == 0) {
        err = make_policy(s, hash_key, is_strict);
    }
    for (size_t i = 0; i < s->pool_count && err == 0; i++) {
        err = s->pools[i] == NULL ? 0 : check_own_trust(s->pools[i]);
    }
    if (err == 0 && trust != NULL) {
        s->trust = tls_trust_retain(trust);
    } else if (err == 0) {
        err = load_trust(s);
    }
    if (err != 0) {
        setup_destroy(s);
        return err;
    }
    *out = s;
    return 0;
}

int setup_create(struct config *config, const uint8_t hash_key[16],
                 bool is_strict, struct setup **out)
{
    if (activate_listen(config) != 0) {
        config_destroy(config);
        return ERR_NOMEM;
    }
    struct setup_config *shared = shared_new(config);
    if (shared == NULL) {
        return ERR_NOMEM;
    }
    return create(shared, NULL, hash_key, is_strict, out);
}

int setup_create_again(const struct setup *before, const uint8_t hash_key[16],
                       struct setup **out)
{
    return create(setup_config_retain(before->shared), before->trust, hash_key,
                  false, out);
}

void setup_destroy(struct setup *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->pool_count; i++) {
        config_pool_finish(&s->read[i]);
    }
    free(s->read);
    free(s->pools);
    policy_release(s->policy);
    tls_trust_release(s->trust);
    dnstap_release(s->tap);
    setup_config_release(s->shared);
    free(s);
}

void setup_each_file(const struct config *config,
                     void (*fn)(void *arg, const char *path), void *arg)
{
    policy_each_file(&config->policy, fn, arg);
    for (size_t i = 0; i < config->zone_count; i++) {
        if (config->zones[i].resolv_conf != NULL) {
            fn(arg, config->zones[i].resolv_conf);
        }
    }
}
