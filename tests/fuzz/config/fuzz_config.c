/*
 * A configuration's text. Whatever it is, there is either a configuration
 * within its bounds or at least one error, and each line of the diagnostics
 * is one line of printable text.
 */
#include "base/err.h"
#include "config/config.h"

#include "../require.h"

#include <string.h>

static void require_config(const struct config *c)
{
    REQUIRE(c->listen_count >= 1 && c->listen_count <= 64);
    REQUIRE(c->server_count >= 1 && c->server_count <= 64);
    for (size_t i = 0; i < c->listen_count; i++) {
        REQUIRE(c->listen[i].port != 0);
    }
    for (size_t i = 0; i < c->server_count; i++) {
        const struct config_server *s = &c->servers[i];
        REQUIRE(s->label != NULL && s->addr.port != 0);
        REQUIRE(s->name == NULL || *s->name != '\0');
        REQUIRE((s->pins == NULL) == (s->pin_count == 0));
        REQUIRE(s->weight >= 1 && s->weight <= 100);
    }
    REQUIRE(c->retry_min_ms <= c->retry_max_ms);
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

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load_text((const char *)octets, len, "fuzz.yaml", &c, &d);

    REQUIRE(err == 0 || err == ERR_CONFIG);
    REQUIRE((err == 0) == (c != NULL));
    REQUIRE((err == 0) == (d.errors == 0));
    REQUIRE(err == 0 || d.count > 0);
    require_lines(&d);
    if (c != NULL) {
        require_config(c);
    }
    config_diagnostics_finish(&d);
    config_destroy(c);
    return 0;
}
