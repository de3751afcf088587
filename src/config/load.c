/*
 * The schema, and the way from what libcyaml loads to struct config. Numbers,
 * choices and paths are loaded right into their members; addresses, names and
 * pins are taken over one by one.
 */
#include "config/load.h"

#include "base/err.h"

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
    char **pins;
    unsigned pins_count;
    unsigned weight;
    uint16_t port;
};

struct raw {
    struct config config; /* listen, servers and their counts stay empty */
    struct raw_listen *listen;
    unsigned listen_count;
    struct raw_server *servers;
    unsigned servers_count;
};

enum {
    NEEDED = CYAML_FLAG_DEFAULT,
    STRING = CYAML_FLAG_POINTER,
    MAYBE = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
    ANY_LENGTH = SOURCE_MAX,
};

static const cyaml_schema_value_t pin_schema = {
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

static const cyaml_schema_field_t server_fields[] = {
    CYAML_FIELD_STRING_PTR("address", STRING, struct raw_server, address, 1,
                           ANY_LENGTH),
    CYAML_FIELD_UINT("port", NEEDED, struct raw_server, port),
    CYAML_FIELD_STRING_PTR("name", MAYBE, struct raw_server, name, 1,
                           ANY_LENGTH),
    CYAML_FIELD_STRING_PTR("ca_file", MAYBE, struct raw_server, ca_file, 1,
                           ANY_LENGTH),
    CYAML_FIELD_UINT("weight", NEEDED, struct raw_server, weight),
    CYAML_FIELD_SEQUENCE("pins", MAYBE, struct raw_server, pins, &pin_schema, 1,
                         CHECK_PINS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t server_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_server, server_fields),
};

#define FIELD_NUMBER(name_, member_, ...) \
    CYAML_FIELD_UINT(#name_, NEEDED, struct raw, config.member_),
#define FIELD_CHOICE(name_, member_, default_, choices_) \
    CYAML_FIELD_ENUM(#name_, NEEDED, struct raw, config.member_, choices_, \
                     COUNT_OF(choices_)),
#define FIELD_PATH(name_, member_, kind_) \
    CYAML_FIELD_STRING_PTR(#name_, MAYBE, struct raw, config.member_, 1, \
                           ANY_LENGTH),

static const cyaml_schema_field_t raw_fields[] = {
    CYAML_FIELD_SEQUENCE("listen", STRING, struct raw, listen, &listen_schema,
                         1, CHECK_ENTRIES_MAX),
    CYAML_FIELD_SEQUENCE("servers", STRING, struct raw, servers, &server_schema,
                         1, CHECK_ENTRIES_MAX),
    KEYS(FIELD_NUMBER, FIELD_CHOICE, FIELD_PATH) CYAML_FIELD_END,
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

static int take_listen(const struct raw *raw, struct config *c)
{
    c->listen = calloc(raw->listen_count, sizeof(*c->listen));
    if (c->listen == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->listen_count; i++) {
        const struct raw_listen *l = &raw->listen[i];
        int err = take_address(l->address, l->port, &c->listen[i]);
        if (err != 0) {
            return err;
        }
        c->listen_count++;
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

static int make_label(struct config_server *s)
{
    char text[ADDR_TEXT_MAX];
    bool has_name = s->name != NULL;

    if (asprintf(&s->label, "%s%s%s", addr_text(&s->addr, text),
                 has_name ? "#" : "", has_name ? s->name : "") < 0) {
        s->label = NULL;
        return ERR_NOMEM;
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
    err = take_pins(raw, s);
    return err != 0 ? err : make_label(s);
}

static int take_servers(struct raw *raw, struct config *c)
{
    c->servers = calloc(raw->servers_count, sizeof(*c->servers));
    if (c->servers == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < raw->servers_count; i++) {
        c->server_count++; /* what is half done is freed with it */
        int err = take_server(&raw->servers[i], &c->servers[i]);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static int take(struct raw *raw, struct config **out)
{
    struct config *c = malloc(sizeof(*c));

    if (c == NULL) {
        return ERR_NOMEM;
    }
    *c = raw->config;
    raw->config.ca_file = NULL;
    raw->config.ca_dir = NULL;
    raw->config.cache_file = NULL;
    int err = take_listen(raw, c);
    if (err == 0) {
        err = take_servers(raw, c);
    }
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
    return err == ERR_CONFIG ? fail(d, "an address or a pin") : err;
}
