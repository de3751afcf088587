/*
 * unbound.conf: forward zones over TLS, those in clear text for zones of their
 * own, and where it listens. A file is a row of "key: value"; a clause such as
 * "forward-zone:" is a key without a value.
 */
#include "cli/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ADDRESSES_MAX = 64 };

/* The forward zone being read; its servers are known at its end, for whether
 * they are over TLS may stand behind them. */
struct zone {
    char *name; /* in the text */
    struct mark at;
    struct {
        char *text;
        struct mark at;
    } addresses[ADDRESSES_MAX];
    size_t count;
    bool is_tls, is_forward;
};

struct unbound {
    struct import *im;
    struct mark at; /* the line */
    char clause[32];
    char *port;
    bool is_all_tls; /* server: tls-upstream */
    struct zone zone;
    struct {
        char *text;
        struct mark at;
    } interfaces[ADDRESSES_MAX]; /* port may stand behind them */
    size_t interface_count;
};

/* ---- forward zones ---- */

static void end_zone(struct unbound *u)
{
    struct zone *z = &u->zone;

    for (size_t i = 0; z->is_forward && i < z->count; i++) {
        (void)import_add(u->im, z->addresses[i].at,
                         &(struct import_entry){
                             .address = z->addresses[i].text,
                             .zone = z->name,
                             .is_plain = !z->is_tls && !u->is_all_tls,
                         });
    }
    *z = (struct zone){.name = NULL};
}

static void add_address(struct unbound *u, char *value)
{
    struct zone *z = &u->zone;

    if (z->count == ADDRESSES_MAX) {
        diag_error(&u->im->faults, u->at, "forward-addr", "more than %d",
                   ADDRESSES_MAX);
        return;
    }
    z->addresses[z->count].text = value;
    z->addresses[z->count++].at = u->at;
}

static void read_forward(struct unbound *u, const char *key, char *value)
{
    struct zone *z = &u->zone;

    if (strcmp(key, "name") == 0) {
        z->name = value;
        z->at = u->at;
    } else if (strcmp(key, "forward-addr") == 0) {
        add_address(u, value);
    } else if (strcmp(key, "forward-tls-upstream") == 0 ||
               strcmp(key, "forward-ssl-upstream") == 0) {
        z->is_tls = import_is_yes(value);
    } else if (strcmp(key, "forward-host") == 0) {
        import_note(u->im, u->at.line,
                    "forward-host %s: dotstub wants addresses, not names",
                    value);
    } else if (strcmp(key, "forward-first") == 0) {
        if (import_is_yes(value)) {
            import_note(u->im, u->at.line,
                        "forward-first: dotstub never asks anybody else");
        }
    } else {
        import_note(u->im, u->at.line, "%s: left out", key);
    }
}

/* ---- server: ---- */

static void add_interface(struct unbound *u, char *value)
{
    if (u->interface_count < ADDRESSES_MAX) {
        u->interfaces[u->interface_count].text = value;
        u->interfaces[u->interface_count++].at = u->at;
    }
}

static void end_server(struct unbound *u)
{
    for (size_t i = 0; i < u->interface_count; i++) {
        import_listen(u->im, u->interfaces[i].at, u->interfaces[i].text,
                      u->port != NULL ? u->port : "53");
    }
}

static void read_server(struct unbound *u, const char *key, char *value)
{
    if (strcmp(key, "interface") == 0 || strcmp(key, "ip-address") == 0) {
        add_interface(u, value);
    } else if (strcmp(key, "port") == 0) {
        u->port = value;
    } else if (strcmp(key, "tls-upstream") == 0 ||
               strcmp(key, "ssl-upstream") == 0) {
        u->is_all_tls = import_is_yes(value);
    } else if (strcmp(key, "tls-cert-bundle") == 0 && *value != '\0') {
        import_set(u->im, "ca_file", "%s", import_quote(value).text);
    } else if (strcmp(key, "tls-system-cert") == 0) {
        /* as dotstub does without ca_file */
    } else if (strcmp(key, "local-data") == 0 ||
               strcmp(key, "local-zone") == 0) {
        import_note(u->im, u->at.line, "%s: see records, zones, deny_names",
                    key);
    } else if (strcmp(key, "access-control") == 0) {
        import_note(u->im, u->at.line, "%s: see allow", key);
    } else {
        import_note(u->im, u->at.line, "%s: left out", key);
    }
}

/* ---- lines ---- */

/* Cut a comment off: '#' at the start of a word and not inside of quotes. */
static void cut_comment(char *line)
{
    char quote = '\0';

    for (char *p = line; *p != '\0'; p++) {
        if (quote != '\0') {
            quote = *p == quote ? '\0' : quote;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '#' && (p == line || strchr(" \t", p[-1]) != NULL)) {
            *p = '\0';
            return;
        }
    }
}

static void begin_clause(struct unbound *u, const char *name)
{
    end_zone(u);
    (void)snprintf(u->clause, sizeof(u->clause), "%s", name);
    if (strcmp(name, "forward-zone") == 0) {
        u->zone.is_forward = true;
    } else if (strcmp(name, "server") != 0) {
        import_note(u->im, u->at.line, "%s: left out", name);
    }
}

static void read_line(struct unbound *u, char *line)
{
    char *colon;
    char *value;
    char *rest;

    cut_comment(line);
    line += strspn(line, " \t");
    if (*line == '\0') {
        return;
    }
    colon = strchr(line, ':');
    if (colon == NULL) {
        diag_error(&u->im->faults, u->at, "", "\"%s\" is no \"key: value\"",
                   diag_quote(line).text);
        return;
    }
    *colon = '\0';
    rest = colon + 1;
    value = import_word(&rest);
    if (value == NULL) {
        begin_clause(u, line);
    } else if (strncmp(line, "include", 7) == 0) {
        import_note(u->im, u->at.line, "%s: %s was not read", line, value);
    } else if (strcmp(u->clause, "forward-zone") == 0) {
        read_forward(u, line, value);
    } else if (strcmp(u->clause, "server") == 0) {
        read_server(u, line, value);
    }
}

void import_unbound(struct import *im, const struct source *s)
{
    struct unbound u = {.im = im};
    char *copy = strdup(s->text);
    char *rest = copy;

    if (copy == NULL) {
        im->is_out_of_memory = true;
        return;
    }
    for (char *line; (line = import_line(&rest)) != NULL;) {
        u.at = (struct mark){.line = u.at.line + 1, .column = 1};
        read_line(&u, line);
    }
    end_zone(&u);
    end_server(&u);
    free(copy);
}
