/*
 * The places are those of the file; what a resolv.conf says is not among them,
 * as it may be another one by the time that dotstub runs.
 */
#include "cli/privacy.h"

#include <stdio.h>

const struct privacy_place *privacy_places_find(const struct privacy_places *p,
                                                const struct addr *addr)
{
    for (size_t i = 0; i < p->count; i++) {
        if (addr_equal(&p->all[i].addr, addr)) {
            return &p->all[i];
        }
    }
    return NULL;
}

static void add(struct privacy_places *p, const struct config_server *s,
                const struct addr *addr)
{
    if (privacy_places_find(p, addr) != NULL) {
        return;
    }
    if (p->count == PRIVACY_PLACES_MAX) {
        p->left_out++;
        return;
    }
    struct privacy_place *place = &p->all[p->count++];
    place->addr = *addr;
    place->is_plain = s->transport != CONFIG_TLS;
    (void)snprintf(place->label, sizeof(place->label), "%s", s->label);
}

static void add_pool(struct privacy_places *p, const struct config_pool *pool)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct config_server *s = &pool->servers[i];

        add(p, s, &s->addr);
        for (size_t k = 0; k < s->more_count; k++) {
            add(p, s, &s->more[k]);
        }
    }
}

void privacy_places_init(struct privacy_places *p, const struct config *config)
{
    *p = (struct privacy_places){.count = 0};
    add_pool(p, &config->pool);
    for (size_t i = 0; i < config->zone_count; i++) {
        add_pool(p, &config->zones[i].pool);
    }
}
