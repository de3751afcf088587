/*
 * unbound.conf: forward zones over TLS, those in clear text for zones of their
 * own and stub zones, where it listens, and the settings that have an equal. A
 * file is a row of "key: value"; a clause such as "forward-zone:" is a key
 * without a value.
 */
#include "cli/import.h"

#include "policy/access.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ADDRESSES_MAX = 64 };

/* The forward or stub zone being read; its servers are known at its end, for
 * whether they are over TLS may stand behind them. */
struct zone {
    char *name; /* in the text */
    struct mark at;
    struct {
        char *text;
        struct mark at;
    } addresses[ADDRESSES_MAX];
    size_t count;
    bool is_tls, is_tcp, is_here, is_stub;
};

struct unbound {
    struct import *im;
    struct mark at; /* the line */
    char clause[32];
    char *port;
    bool is_all_tls; /* server: tls-upstream */
    bool is_all_tcp; /* server: tcp-upstream */
    struct zone zone;
    struct {
        char *text;
        struct mark at;
    } interfaces[ADDRESSES_MAX]; /* port may stand behind them */
    size_t interface_count;
    struct import_list allow, rebind_allow;
    bool has_rebind_protection;
};

/* ---- forward zones ---- */

static void end_zone(struct unbound *u)
{
    struct zone *z = &u->zone;
    size_t taken = 0;

    for (size_t i = 0; z->is_here && i < z->count; i++) {
        const struct import_entry entry = {
            .address = z->addresses[i].text,
            .zone = z->name,
            .is_plain = !z->is_tls && !u->is_all_tls,
            .is_tcp = z->is_tcp || u->is_all_tcp,
        };
        taken += import_add(u->im, z->addresses[i].at, &entry) != NULL;
    }
    if (z->is_stub && taken > 0) {
        import_note(u->im, z->at.line,
                    "stub-zone %s: servers of the zone itself were asked, "
                    "without recursion; dotstub asks them for recursion, and "
                    "follows no delegation",
                    z->name == NULL ? "." : z->name);
    }
    if (z->is_here) {
        import_end_zone(u->im, z->at, z->name);
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

/* Is key "forward-WHAT" or "stub-WHAT"? */
static bool is_of_zone(const char *key, const char *what)
{
    const char *dash = strchr(key, '-');

    return dash != NULL && strcmp(dash + 1, what) == 0;
}

static void read_zone(struct unbound *u, const char *key, char *value)
{
    struct zone *z = &u->zone;

    if (strcmp(key, "name") == 0) {
        z->name = value;
        z->at = u->at;
    } else if (is_of_zone(key, "addr")) {
        add_address(u, value);
    } else if (is_of_zone(key, "tls-upstream") ||
               is_of_zone(key, "ssl-upstream")) {
        z->is_tls = import_is_yes(value);
    } else if (is_of_zone(key, "tcp-upstream")) {
        z->is_tcp = import_is_yes(value);
    } else if (is_of_zone(key, "host")) {
        import_name(u->im, u->at, key, value);
    } else if (is_of_zone(key, "first")) {
        if (import_is_yes(value)) {
            import_note(u->im, u->at.line,
                        "%s: dotstub never asks anybody else", key);
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
    if (u->allow.len > 0) { /* this machine is served in any case there */
        import_list_add(&u->allow, "127.0.0.0/8");
        import_list_add(&u->allow, "::1");
    }
    import_list_set(u->im, "allow", &u->allow);
    if (u->has_rebind_protection) {
        import_set(u->im, "rebind_protection", "on");
        import_list_set(u->im, "rebind_allow", &u->rebind_allow);
    }
}

/* "RANGE allow": who is served. What is refused need not be said here. */
static void read_access(struct unbound *u, char *value, char *rest)
{
    const char *action = import_word(&rest);
    struct cidr range;

    if (action == NULL || strncmp(action, "allow", 5) != 0) {
        import_note(u->im, u->at.line,
                    "access-control: %s %s: who is not in allow is refused",
                    value, action == NULL ? "" : action);
    } else if (cidr_parse(value, strlen(value), &range) != 0) {
        import_note(u->im, u->at.line, "access-control: %s is no range", value);
    } else {
        import_list_add(&u->allow, value);
    }
}

/* Times and numbers that mean the same here, within dotstub's bounds. */
static const struct {
    const char *theirs, *ours, *unit;
    unsigned long min, max;
} numbers[] = {
    {"cache-max-ttl", "max_ttl", "s", 1, 604800},
    {"cache-min-ttl", "min_ttl", "s", 0, 3600},
    {"cache-max-negative-ttl", "max_negative_ttl", "s", 1, 86400},
    {"serve-expired-ttl", "serve_stale", "s", 1, 604800},
    {"num-threads", "workers", "", 1, 64},
};

static bool read_number(struct unbound *u, const char *key, const char *value)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char *end;
        unsigned long number = strtoul(value, &end, 10);

        if (strcmp(numbers[i].theirs, key) != 0) {
            continue;
        }
        if (*value >= '0' && *value <= '9' && *end == '\0' &&
            number >= numbers[i].min && number <= numbers[i].max) {
            import_set(u->im, numbers[i].ours, "%lu%s", number,
                       number == 0 ? "" : numbers[i].unit);
        } else {
            import_note(u->im, u->at.line, "%s: %s: see %s", key, value,
                        numbers[i].ours);
        }
        return true;
    }
    return false;
}

static void read_stale(struct unbound *u, const char *value)
{
    if (!import_is_yes(value)) {
        import_set(u->im, "serve_stale", "0");
    }
}

/* What is said better elsewhere. */
static const struct {
    const char *theirs, *ours;
} hints[] = {
    {"local-data", "records"},
    {"local-zone", "zones, records or deny_names"},
    {"private-address", "rebind_protection, which has ranges of its own"},
    {"msg-cache-size", "cache_size"},
    {"rrset-cache-size", "cache_size"},
    {"verbosity", "log_level"},
    {"log-queries", "query_log"},
    {"username", "user"},
    {"ip-ratelimit", "rate_limit"},
};

static void read_other(struct unbound *u, const char *key)
{
    for (size_t i = 0; i < COUNT_OF(hints); i++) {
        if (strcmp(hints[i].theirs, key) == 0) {
            import_note(u->im, u->at.line, "%s: see %s", key, hints[i].ours);
            return;
        }
    }
    import_note(u->im, u->at.line, "%s: left out", key);
}

static void read_server(struct unbound *u, const char *key, char *value,
                        char *rest)
{
    if (strcmp(key, "interface") == 0 || strcmp(key, "ip-address") == 0) {
        add_interface(u, value);
    } else if (strcmp(key, "port") == 0) {
        u->port = value;
    } else if (strcmp(key, "tls-upstream") == 0 ||
               strcmp(key, "ssl-upstream") == 0) {
        u->is_all_tls = import_is_yes(value);
    } else if (strcmp(key, "tcp-upstream") == 0) {
        u->is_all_tcp = import_is_yes(value);
    } else if (strcmp(key, "tls-cert-bundle") == 0 && *value != '\0') {
        import_set(u->im, "ca_file", "%s", import_quote(value).text);
    } else if (strcmp(key, "tls-system-cert") == 0) {
        /* as dotstub does without ca_file */
    } else if (strcmp(key, "access-control") == 0) {
        read_access(u, value, rest);
    } else if (strcmp(key, "serve-expired") == 0) {
        read_stale(u, value);
    } else if (strcmp(key, "private-domain") == 0) {
        import_list_add(&u->rebind_allow, value);
    } else if (!read_number(u, key, value)) {
        u->has_rebind_protection |= strcmp(key, "private-address") == 0;
        read_other(u, key);
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
    u->zone.is_stub = strcmp(name, "stub-zone") == 0;
    if (strcmp(name, "forward-zone") == 0 || u->zone.is_stub) {
        u->zone.is_here = true;
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
        import_note(u->im, u->at.line,
                    "%s: %s was not read; import it by itself", line, value);
    } else if (u->zone.is_here) {
        read_zone(u, line, value);
    } else if (strcmp(u->clause, "server") == 0) {
        read_server(u, line, value, rest);
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
