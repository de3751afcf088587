/*
 * A configuration is within its bounds, or there is at least one error, and
 * each line of the diagnostics is one line of printable text.
 */
#include "require_config.h"

#include "base/err.h"

#include "../require.h"

#include <string.h>

static void require_server(const struct config_server *s, bool is_plain)
{
    REQUIRE(s->label != NULL && s->addr.port != 0);
    REQUIRE(s->name == NULL || *s->name != '\0');
    REQUIRE((s->pins == NULL) == (s->pin_count == 0));
    REQUIRE((s->more == NULL) == (s->more_count == 0));
    REQUIRE(s->more_count <= 7);
    REQUIRE(s->more_count == 0 || s->name != NULL || s->pin_count > 0);
    for (size_t i = 0; i < s->more_count; i++) {
        REQUIRE(s->more[i].port == s->addr.port);
    }
    REQUIRE(s->weight >= 1 && s->weight <= 100);
    /* Nothing is verified in clear text, and nothing pretends to be. */
    REQUIRE((s->transport != CONFIG_TLS) == is_plain);
    REQUIRE(!is_plain || (s->name == NULL && s->pin_count == 0));
    REQUIRE((strstr(s->label, "://") != NULL) == is_plain);
}

void require_pool(const struct config_pool *p, bool plain_may_be)
{
    REQUIRE(p->server_count >= 1 && p->server_count <= 64);
    REQUIRE(plain_may_be || !p->is_plain);
    for (size_t i = 0; i < p->server_count; i++) {
        require_server(&p->servers[i], p->is_plain);
    }
}

static void require_zone(const struct config *c, size_t i)
{
    const struct config_zone *z = &c->zones[i];
    size_t len = strlen(z->name);

    REQUIRE(len >= 2 && len <= 254 && z->name[len - 1] == '.');
    for (size_t j = 0; j < i; j++) {
        REQUIRE(strcmp(c->zones[j].name, z->name) != 0);
    }
    for (const char *p = z->name; *p != '\0'; p++) {
        REQUIRE(*p < 'A' || *p > 'Z');
    }
    if (z->is_nxdomain || z->resolv_conf != NULL) {
        REQUIRE(z->pool.server_count == 0);
    } else {
        require_pool(&z->pool, true);
    }
}

static void require_config(const struct config *c)
{
    REQUIRE(c->listen_count >= 1 && c->listen_count <= 64);
    for (size_t i = 0; i < c->listen_count; i++) {
        REQUIRE(c->listen[i].port != 0);
    }
    require_pool(&c->pool, true);
    REQUIRE(c->zone_count <= 256);
    for (size_t i = 0; i < c->zone_count; i++) {
        require_zone(c, i);
    }
    REQUIRE(c->allow_count >= 1);
    REQUIRE(c->admin_count <= 64);
    REQUIRE(c->retry_min_ms <= c->retry_max_ms);
    REQUIRE(c->hedge_min_ms <= c->hedge_max_ms);
    REQUIRE(c->hedge_budget_percent <= 100);
    REQUIRE(c->max_udp_size >= 512 && c->max_udp_size <= 4096);
    REQUIRE(c->query_timeout_ms >= 100 && c->query_timeout_ms <= 60000);
}

static void require_lines(const struct config_diagnostics *d)
{
    for (size_t i = 0; i < d->count; i++) {
        for (const char *p = d->lines[i]; *p != '\0'; p++) {
            REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
        }
    }
}

void require_outcome(int err, struct config *c, struct config_diagnostics *d)
{
    REQUIRE(err == 0 || err == ERR_CONFIG);
    REQUIRE((err == 0) == (c != NULL));
    REQUIRE((err == 0) == (d->errors == 0));
    REQUIRE(err == 0 || d->count > 0);
    require_lines(d);
    if (c != NULL) {
        require_config(c);
    }
    config_diagnostics_finish(d);
    config_destroy(c);
}
