/*
 * Servers of the configuration: their labels, their end, and whether two are
 * the same.
 */
#include "config/pool.h"

#include "base/err.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int pool_label(struct config_server *s)
{
    static const char *const schemes[] = {
        [CONFIG_TLS] = "", [CONFIG_UDP] = "udp://", [CONFIG_TCP] = "tcp://"};
    char text[ADDR_TEXT_MAX];
    bool has_name = s->name != NULL;

    if (asprintf(&s->label, "%s%s%s%s", schemes[s->transport],
                 addr_text(&s->addr, text), has_name ? "#" : "",
                 has_name ? s->name : "") < 0) {
        s->label = NULL;
        return ERR_NOMEM;
    }
    return 0;
}

void config_pool_finish(struct config_pool *p)
{
    for (size_t i = 0; i < p->server_count; i++) {
        free(p->servers[i].label);
        free(p->servers[i].more);
        free(p->servers[i].name);
        free(p->servers[i].pins);
        free(p->servers[i].ca_file);
    }
    free(p->servers);
    *p = (struct config_pool){.servers = NULL};
}

/* Both NULL, or the same octets. */
/* Names are compared as DNS does. */
static bool is_same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcasecmp(a, b) == 0;
}

static bool has_same_addresses(const struct config_server *a,
                               const struct config_server *b)
{
    bool is_same =
        addr_equal(&a->addr, &b->addr) && a->more_count == b->more_count;

    for (size_t i = 0; is_same && i < a->more_count; i++) {
        is_same = addr_equal(&a->more[i], &b->more[i]);
    }
    return is_same;
}

static bool has_same_pins(const struct config_server *a,
                          const struct config_server *b)
{
    bool is_same = a->pin_count == b->pin_count;

    for (size_t i = 0; is_same && i < a->pin_count; i++) {
        is_same = memcmp(a->pins[i].sha256, b->pins[i].sha256,
                         sizeof(a->pins[i].sha256)) == 0;
    }
    return is_same;
}

bool config_server_equal(const struct config_server *a,
                         const struct config_server *b)
{
    return a->transport == b->transport && a->weight == b->weight &&
           is_same_name(a->name, b->name) &&
           text_equal(a->ca_file, b->ca_file) && has_same_addresses(a, b) &&
           has_same_pins(a, b);
}
