/*
 * The schema, and the way from what libcyaml loads to struct config. Numbers,
 * choices and paths are loaded right into their members; addresses, names and
 * pins are taken over one by one.
 */
#include "config/load.h"

#include "base/err.h"
#include "config/pool.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raw_listen {
    char *address;
    uint16_t port;
};

struct raw_server {
    char *address;
    char *name;    /* NULL: none */
    char *ca_file; /* NULL: none */
    char **more;   /* addresses */
    unsigned more_count;
    char **pins;
    unsigned pins_count;
    enum config_transport transport;
    unsigned weight;
    uint16_t port;
};

struct raw_zone {
    struct config_zone zone; /* servers and their count stay empty */
    struct raw_server *servers;
    unsigned servers_count;
};

struct raw {
    struct config config; /* what is below stays empty in it */
    struct raw_listen *listen;
    unsigned listen_count;
    struct raw_listen *admin;
    unsigned admin_count;
    struct raw_server *servers;
    unsigned servers_count;
    struct raw_zone *zones;
    unsigned zones_count;
    char **allow;
    unsigned allow_count;
};

enum {
    NEEDED = CYAML_FLAG_DEFAULT,
    STRING = CYAML_FLAG_POINTER,
    MAYBE = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
    ANY_LENGTH = SOURCE_MAX,
};

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, ANY_LENGTH),
};

static const cyaml_schema_field_t listen_fields[] = {
    CYAML_FIELD_STRING_PTR("address", STRING, struct raw_listen, address, 1,
                           ANY_LENGTH),
    CYAML_FIELD_UINT("port", NEEDED, struct raw_listen, port),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t listen_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_listen, listen_fields),
};

static const cyaml_strval_t transports[] = {
    {"tls", CONFIG_TLS},
    {"udp", CONFIG_UDP},
    {"tcp", CONFIG_TCP},
};

static const cyaml_schema_field_t server_fields[] = {
    CYAML_FIELD_STRING_PTR("address", STRING, struct raw_server, address, 1,
                           ANY_LENGTH),
    CYAML_FIELD_UINT("port", NEEDED, struct raw_server, port),
    CYAML_FIELD_STRING_PTR("name", MAYBE, struct raw_server, name, 1,
                           ANY_LENGTH),
    CYAML_FIELD_STRING_PTR("ca_file", MAYBE, struct raw_server, ca_file, 1,
                           ANY_LENGTH),
    CYAML_FIELD_UINT("weight", NEEDED, struct raw_server, weight),
    CYAML_FIELD_ENUM("transport", NEEDED, struct raw_server, transport,
                     transports, COUNT_OF(transports)),
    CYAML_FIELD_SEQUENCE("more", MAYBE, struct raw_server, more, &text_schema,
                         1, CHECK_MORE_MAX),
    CYAML_FIELD_SEQUENCE("pins", MAYBE, struct raw_server, pins, &text_schema,
                         1, CHECK_PINS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t server_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_server, server_fields),
};

static const cyaml_schema_field_t zone_fields[] = {
    CYAML_FIELD_STRING_PTR("name", STRING, struct raw_zone, zone.name, 1,
                           ANY_LENGTH),
    CYAML_FIELD_BOOL("nxdomain", NEEDED, struct raw_zone, zone.is_nxdomain),
    CYAML_FIELD_STRING_PTR("resolv_conf", MAYBE, struct raw_zone,
                           zone.resolv_conf, 1, ANY_LENGTH),
    CYAML_FIELD_BOOL("cache", NEEDED, struct raw_zone, zone.is_cached),
    CYAML_FIELD_UINT("serve_stale", NEEDED, struct raw_zone,
                     zone.serve_stale_ms),
    CYAML_FIELD_ENUM("strategy", NEEDED, struct raw_zone, zone.pool.strategy,
                     keys_strategies, COUNT_OF(keys_strategies)),
    CYAML_FIELD_UINT("race_width", NEEDED, struct raw_zone,
                     zone.pool.race_width),
    CYAML_FIELD_BOOL("random_case", NEEDED, struct raw_zone,
                     zone.pool.has_random_case),
    CYAML_FIELD_SEQUENCE("servers", MAYBE, struct raw_zone, servers,
                         &server_schema, 1, CHECK_ENTRIES_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t zone_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_zone, zone_fields),
};

#define FIELD_NUMBER(name_, member_, ...) \
    CYAML_FIELD_UINT(#name_, NEEDED, struct raw, config.member_),
#define FIELD_CHOICE(name_, member_, default_, choices_) \
    CYAML_FIELD_ENUM(#name_, NEEDED, struct raw, config.member_, choices_, \
                     COUNT_OF(choices_)),
#define FIELD_SWITCH(name_, member_, default_) \
    CYAML_FIELD_BOOL(#name_, NEEDED, struct raw, config.member_),
#define FIELD_PATH(name_, member_, kind_, default_) \
    CYAML_FIELD_STRING_PTR(#name_, MAYBE, struct raw, config.member_, 1, \
                           ANY_LENGTH),
#define FIELD_LIST(name_, member_, count_, kind_, default_, max_) \
    CYAML_FIELD_SEQUENCE_COUNT(#name_, MAYBE, struct raw, config.member_, \
                               config.count_, &text_schema, 0, max_),

static const cyaml_schema_field_t raw_fields[] = {
    CYAML_FIELD_SEQUENCE("listen", STRING, struct raw, listen, &listen_schema,
                         1, CHECK_ENTRIES_MAX),
    CYAML_FIELD_SEQUENCE("servers", STRING, struct raw, servers, &server_schema,
                         1, CHECK_ENTRIES_MAX),
    CYAML_FIELD_SEQUENCE("admin", MAYBE, struct raw, admin, &listen_schema, 1,
                         CHECK_ENTRIES_MAX),
    CYAML_FIELD_SEQUENCE("zones", MAYBE, struct raw, zones, &zone_schema, 1,
                         CHECK_ZONES_MAX),
    CYAML_FIELD_SEQUENCE("allow", STRING, struct raw, allow, &text_schema, 1,
                         CYAML_UNLIMITED),
    CYAML_FIELD_BOOL("random_case", NEEDED, struct raw,
                     config.pool.has_random_case),
    KEYS(FIELD_NUMBER, FIELD_CHOICE, FIELD_SWITCH, FIELD_PATH, FIELD_LIST)
        CYAML_FIELD_END,
};

static const cyaml_schema_value_t raw_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, raw_fields),
};

/* Say nothing: log_fn is not set. What it allocates, free() frees. */
static const cyaml_config_t cyaml_config = {
    .log_level = CYAML_LOG_ERROR,
    .mem_fn = cyaml_mem,
    .flags = CYAML_CFG_NO_ALIAS,
};

static int take_address(const char *text, uint16_t port, struct addr *out)
{
    if (addr_parse_ip(text, strlen(text), out) != 0) {
        return ERR_CONFIG;
    }
    out->port = port;
    return 0;
}

/* *out is left to the caller whatever comes. */
static int take_places(const struct raw_listen *raw, unsigned raw_count,
                       struct addr **out, size_t *count)
{
    if (raw_count == 0) {
        return 0;
    }
    *out = calloc(raw_count, sizeof(**out));
    if (*out == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw_count; i++) {
        int err = take_address(raw[i].address, raw[i].port, &(*out)[i]);
        if (err != 0) {
            return err;
        }
        (*count)++;
    }
    return 0;
}

static int take_allow(const struct raw *raw, struct config *c)
{
    c->allow = calloc(raw->allow_count, sizeof(*c->allow));
    if (c->allow == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->allow_count; i++) {
        const char *text = raw->allow[i];
        if (cidr_parse(text, strlen(text), &c->allow[i]) != 0) {
            return ERR_CONFIG;
        }
        c->allow_count++;
    }
    return 0;
}

static int take_more(const struct raw_server *raw, struct config_server *s)
{
    if (raw->more_count == 0) {
        return 0;
    }
    s->more = calloc(raw->more_count, sizeof(*s->more));
    if (s->more == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->more_count; i++) {
        int err = take_address(raw->more[i], raw->port, &s->more[i]);
        if (err != 0) {
            return err;
        }
        s->more_count++;
    }
    return 0;
}

static int take_pins(const struct raw_server *raw, struct config_server *s)
{
    if (raw->pins_count == 0) {
        return 0;
    }
    s->pins = calloc(raw->pins_count, sizeof(*s->pins));
    if (s->pins == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->pins_count; i++) {
        if (tls_pin_parse(raw->pins[i], &s->pins[i]) != 0) {
            return ERR_CONFIG;
        }
        s->pin_count++;
    }
    return 0;
}

/* Takes the strings of raw over. */
static int take_server(struct raw_server *raw, struct config_server *s)
{
    int err = take_address(raw->address, raw->port, &s->addr);

    if (err != 0) {
        return err;
    }
    s->name = raw->name;
    raw->name = NULL;
    s->ca_file = raw->ca_file;
    raw->ca_file = NULL;
    s->weight = raw->weight;
    s->transport = raw->transport;
    err = take_more(raw, s);
    if (err == 0) {
        err = take_pins(raw, s);
    }
    return err != 0 ? err : pool_label(s);
}

static int take_servers(struct raw_server *raw, unsigned count,
                        struct config_pool *p)
{
    if (count == 0) {
        return 0;
    }
    p->servers = calloc(count, sizeof(*p->servers));
    if (p->servers == NULL) {
        return ERR_NOMEM;
    }
    p->is_plain = raw[0].transport != CONFIG_TLS;
    for (unsigned i = 0; i < count; i++) {
        p->server_count++; /* what is half done is freed with it */
        int err = take_server(&raw[i], &p->servers[i]);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static int take_zones(struct raw *raw, struct config *c)
{
    if (raw->zones_count == 0) {
        return 0;
    }
    c->zones = calloc(raw->zones_count, sizeof(*c->zones));
    if (c->zones == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->zones_count; i++) {
        struct raw_zone *r = &raw->zones[i];
        struct config_zone *z = &c->zones[c->zone_count++];
        *z = r->zone;
        r->zone = (struct config_zone){.name = NULL};
        z->pool.is_plain = z->resolv_conf != NULL;
        int err = take_servers(r->servers, r->servers_count, &z->pool);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static int take_all(struct raw *raw, struct config *c)
{
    int err = take_places(raw->listen, raw->listen_count, &c->listen,
                          &c->listen_count);

    if (err == 0) {
        err = take_places(raw->admin, raw->admin_count, &c->admin,
                          &c->admin_count);
    }
    if (err == 0) {
        err = take_allow(raw, c);
    }
    if (err == 0) {
        err = take_servers(raw->servers, raw->servers_count, &c->pool);
    }
    if (err == 0 && c->dnstap != NULL) {
        err = config_tap_parse(c->dnstap, &c->tap);
    }
    return err != 0 ? err : take_zones(raw, c);
}

static int take(struct raw *raw, struct config **out)
{
    struct config *c = malloc(sizeof(*c));

    if (c == NULL) {
        return ERR_NOMEM;
    }
    *c = raw->config;
    raw->config = (struct config){.listen = NULL}; /* all of it is c's now */
    c->policy.local_ttl_s /= KEYS_SECOND;          /* the document has ms */
    int err = take_all(raw, c);
    if (err != 0) {
        config_destroy(c);
        return err;
    }
    *out = c;
    return 0;
}

static int fail(struct diag *d, const char *why)
{
    diag_error(d, (struct mark){.line = 0}, NULL,
               "an error in dotstub, please report it: the checked "
               "configuration does not load: %s",
               why);
    return ERR_CONFIG;
}

int load_normal(const char *text, size_t len, struct config **out,
                struct diag *d)
{
    cyaml_data_t *data = NULL;
    cyaml_err_t problem = cyaml_load_data(
        (const uint8_t *)text, len, &cyaml_config, &raw_schema, &data, NULL);

    if (problem == CYAML_ERR_OOM) {
        return ERR_NOMEM;
    }
    if (problem != CYAML_OK) {
        return fail(d, cyaml_strerror(problem));
    }
    int err = take(data, out);
    cyaml_free(&cyaml_config, &raw_schema, data, 0);
    return err == ERR_CONFIG || err == ERR_INVAL
               ? fail(d, "an address, a range or a pin")
               : err;
}
