/*
 * `servers`: a list of servers, each a line of text, a provider's word or a
 * mapping. A server never enters the draft with less than the file asks for.
 */
#include "config/check.h"

#include "base/err.h"
#include "config/endpoint.h"
#include "config/provider.h"
#include "tls/client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct draft_server *find_same(const struct draft *draft,
                                            const struct draft_server *s)
{
    for (size_t i = 0; i < draft->server_count; i++) {
        const struct draft_server *other = &draft->servers[i];
        if (addr_equal(&other->addr, &s->addr) &&
            strcasecmp(other->name, s->name) == 0) {
            return other;
        }
    }
    return NULL;
}

/* Take s (and what it owns) into the draft, unless it is there already or
 * there is no room; then it is reported and false is returned. */
static bool add(struct check *c, struct draft_server *s, const char *path)
{
    struct draft *draft = c->draft;
    const struct draft_server *same = find_same(draft, s);
    char text[ADDR_TEXT_MAX];

    if (same != NULL) {
        diag_error(c->d, s->at, path, "%s%s%s is in line %u already",
                   addr_text(&s->addr, text), *s->name == '\0' ? "" : "#",
                   s->name, same->at.line);
    } else if (draft->server_count == CHECK_ENTRIES_MAX) {
        diag_error(c->d, s->at, path, "more than %d servers",
                   CHECK_ENTRIES_MAX);
    } else {
        snprintf(s->path, sizeof(s->path), "%s", path);
        draft->servers[draft->server_count++] = *s;
        return true;
    }
    free(s->ca_file);
    return false;
}

/* Things that are allowed and probably not wanted. */
static void warn(struct check *c, const struct draft_server *s,
                 const char *path)
{
    unsigned port = s->addr.port;

    if (*s->name == '\0' && s->pin_count == 0) {
        diag_warning(c->d, s->at, path,
                     "no name: the server is authenticated by its IP address "
                     "in the certificate; add #NAME where you know it");
    }
    if (port == 53 || port == 443) {
        diag_warning(c->d, s->at, path,
                     "port %u is that of %s; DNS over TLS has 853", port,
                     port == 53 ? "unencrypted DNS" : "HTTPS");
    }
}

/* "- 192.0.2.1 #name" and "- '192.0.2.1'#name" lose the name to a comment. */
static bool has_lost_name(struct check *c, const struct node *n,
                          const char *path)
{
    const char *p = source_at(c->source, n->after);
    char name[HOST_NAME_MAX_LEN + 1];

    if (p == NULL) {
        return false;
    }
    p += strspn(p, " \t");
    size_t len = *p == '#' ? strcspn(p + 1, " \t\r\n") : 0;
    if (len == 0 || len >= sizeof(name)) {
        return false;
    }
    memcpy(name, p + 1, len);
    name[len] = '\0';
    if (!host_looks_like_name(name)) {
        return false;
    }
    diag_error(c->d, n->at, path,
               "#%s is a comment here, so the name would be lost; did you "
               "mean %s#%s? (A comment has a blank behind its #)",
               diag_quote(name).text, diag_quote(n->text).text,
               diag_quote(name).text);
    return true;
}

static void add_provider(struct check *c, const struct provider *p,
                         struct mark at, const char *path)
{
    for (size_t i = 0; p->addresses[i] != NULL; i++) {
        struct draft_server s = {.weight = 1, .at = at};
        const char *ip = p->addresses[i];
        if (addr_parse_ip(ip, strlen(ip), &s.addr) != 0) {
            continue; /* not reached: the table is tested */
        }
        s.addr.port = ENDPOINT_PORT_DOT;
        snprintf(s.name, sizeof(s.name), "%s", p->name);
        if (!add(c, &s, path)) {
            return;
        }
    }
}

/* A bare IPv6 address that takes ":853" for its last group is legal. */
static void warn_swallowed_port(struct check *c, const struct node *n,
                                const char *path)
{
    size_t len = strcspn(n->text, "#");
    struct addr unused;

    if (len > 4 && *n->text != '[' &&
        strncmp(n->text + len - 4, ":853", 4) == 0 &&
        strchr(n->text, ':') != n->text + len - 4 &&
        addr_parse_ip(n->text, len - 4, &unused) == 0) {
        diag_warning(c->d, n->at, path,
                     "853 is read as a part of the address; with a port it is "
                     "\"[%.*s]:853\"",
                     (int)len - 4, n->text);
    }
}

static void check_text(struct check *c, const struct node *n, const char *path)
{
    const struct provider *p = provider_find(n->text);
    struct endpoint e;
    char why[HOST_WHY_MAX];

    if (p != NULL) {
        add_provider(c, p, n->at, path);
        return;
    }
    if (endpoint_parse(n->text, ENDPOINT_SERVER, &e, why) != 0) {
        p = strpbrk(n->text, ".:") == NULL ? provider_near(n->text) : NULL;
        if (p != NULL) {
            diag_error(c->d, n->at, path,
                       "\"%s\" is not known; did you mean %s?",
                       diag_quote(n->text).text, p->word);
        } else {
            diag_error(c->d, n->at, path, "%s", why);
        }
        return;
    }
    if (*e.name == '\0' && has_lost_name(c, n, path)) {
        return;
    }
    struct draft_server s = {.addr = e.addr, .weight = 1, .at = n->at};
    memcpy(s.name, e.name, sizeof(s.name));
    warn_swallowed_port(c, n, path);
    if (add(c, &s, path)) {
        warn(c, &s, path);
    }
}

/* Forms of pins that other programs use. */
static void report_pin(struct check *c, const struct node *n, const char *path)
{
    struct tls_pin unused;
    char guess[64];
    struct diag_quote quote = diag_quote(n->text);

    snprintf(guess, sizeof(guess), "sha256/%.50s", n->text);
    if (strlen(n->text) == 44 && tls_pin_parse(guess, &unused) == 0) {
        diag_error(c->d, n->at, path,
                   "\"%s\" does not name its hash; did you mean %s?",
                   quote.text, guess);
    } else if (strlen(n->text) >= 64 &&
               strspn(n->text, "0123456789abcdefABCDEF:") == strlen(n->text)) {
        diag_error(c->d, n->at, path,
                   "\"%s\" is hexadecimal; a pin is sha256/ and 44 characters "
                   "of base64",
                   quote.text);
    } else {
        diag_error(c->d, n->at, path,
                   "\"%s\" is not a pin: sha256/ and 44 characters of base64 "
                   "(the SHA-256 of the server's public key)",
                   quote.text);
    }
}

static bool add_pin(struct check *c, const struct node *n, const char *path,
                    struct draft_server *s)
{
    struct tls_pin unused;

    if (!check_scalar(c, n, path, "a pin")) {
        return false;
    }
    if (tls_pin_parse(n->text, &unused) != 0) {
        report_pin(c, n, path);
        return false;
    }
    if (s->pin_count == CHECK_PINS_MAX) {
        diag_error(c->d, n->at, path, "more than %d pins", CHECK_PINS_MAX);
        return false;
    }
    s->pins[s->pin_count++] = n->text;
    return true;
}

static bool check_pins(struct check *c, const struct node *n, const char *path,
                       struct draft_server *s)
{
    char sub[DIAG_PATH_MAX + 24];
    bool is_good = true;
    size_t i = 0;

    if (n->kind != NODE_LIST) {
        return add_pin(c, n, path, s);
    }
    if (n->first == NULL) {
        diag_error(c->d, n->at, path,
                   "the list is empty; a pin, or no key `pins`, is needed");
        return false;
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        snprintf(sub, sizeof(sub), "%s[%zu]", path, i++);
        is_good &= add_pin(c, item, sub, s);
    }
    return is_good;
}

static bool check_name(struct check *c, const struct node *n, const char *path,
                       struct draft_server *s)
{
    char why[HOST_WHY_MAX];

    if (!check_scalar(c, n, path, "a host name")) {
        return false;
    }
    if (host_parse_name(n->text, s->name, why) != 0) {
        diag_error(c->d, n->at, path, "%s", why);
        return false;
    }
    return true;
}

/* One pair of a server's mapping. */
static bool check_pair(struct check *c, enum server_key_id id,
                       const struct node *n, const char *path,
                       struct draft_server *s)
{
    const struct key *key = &keys_of_server[id];
    uint16_t port = s->addr.port;
    uint64_t number = 0;
    bool is_good = false;

    switch (id) {
    case SERVER_KEY_ADDRESS:
        is_good = check_address(c, n, path, &s->addr);
        s->addr.port = port;
        return is_good;
    case SERVER_KEY_NAME:
        return check_name(c, n, path, s);
    case SERVER_KEY_PINS:
        return check_pins(c, n, path, s);
    case SERVER_KEY_CA_FILE:
        return check_file(c, key, n, path, &s->ca_file);
    case SERVER_KEY_PORT:
        is_good = check_number(c, key, n, path, &number);
        s->addr.port = (uint16_t)number;
        return is_good;
    case SERVER_KEY_WEIGHT:
        is_good = check_number(c, key, n, path, &number);
        s->weight = (unsigned)number;
        return is_good;
    default:
        return false;
    }
}

static void check_mapping(struct check *c, const struct node *n,
                          const char *path)
{
    static const struct synonym synonyms[] = {
        {"ip", "address"},       {"host", "address"},
        {"hostname", "name"},    {"auth_name", "name"},
        {"sni", "name"},         {"tls_auth_name", "name"},
        {"server_name", "name"}, {"tls_hostname", "name"},
        {"pinset", "pins"},      {"tls_pubkey_pinset", "pins"},
        {"spki", "pins"},        {NULL, NULL},
    };
    const char *names[SERVER_KEYS_TOTAL];
    struct mark seen[SERVER_KEYS_TOTAL] = {{0}};
    struct key_set set = {names, SERVER_KEYS_TOTAL, synonyms, seen,
                          path,  n->first};
    struct draft_server s = {
        .addr.port = ENDPOINT_PORT_DOT, .weight = 1, .at = n->at};
    char sub[DIAG_PATH_MAX];
    bool is_good = true;

    for (size_t i = 0; i < SERVER_KEYS_TOTAL; i++) {
        names[i] = keys_of_server[i].name;
    }
    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        int index = check_key(c, &set, pair);
        if (index < 0) {
            is_good = false;
            continue;
        }
        check_path_join(sub, path, names[index]);
        is_good &= check_pair(c, (enum server_key_id)index, pair, sub, &s);
    }
    if (seen[SERVER_KEY_ADDRESS].line == 0) {
        diag_error(c->d, n->at, path, "address is missing");
        is_good = false;
    }
    if (!is_good) {
        free(s.ca_file);
    } else if (add(c, &s, path)) {
        warn(c, &s, path);
    }
}

static void check_entry(struct check *c, const struct node *n, const char *path)
{
    if (check_entry_form(c, n, path)) {
        return;
    }
    if (n->kind == NODE_MAP) {
        check_mapping(c, n, path);
    } else if (check_scalar(c, n, path,
                            "a server such as 9.9.9.9#dns.quad9.net")) {
        check_text(c, n, path);
    }
}

void check_servers(struct check *c, const struct node *n)
{
    if (n->kind == NODE_LIST && n->first == NULL) {
        diag_error(c->d, n->at, "servers",
                   "the list is empty; at least one server is needed, such as "
                   "servers: [quad9]");
        return;
    }
    check_entries(c, n, "servers", check_entry);
}
