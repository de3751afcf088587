/*
 * `servers`: a list of servers, each a line of text, a provider's word or a
 * mapping. A server never enters the draft with less than the file asks for.
 */
#include "config/check.h"

#include "config/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Which pool is read, and what may be in it. */
struct reading {
    struct draft_pool *pool;
    enum endpoint_role role;
};

/* Things that are allowed and probably not wanted. */
static void warn(struct check *c, const struct draft_server *s,
                 const char *path, enum endpoint_role role)
{
    unsigned port = s->addr.port;
    bool is_zone = role == ENDPOINT_ZONE;

    if (s->transport != CONFIG_TLS) {
        return;
    }
    if (*s->name == '\0' && s->pin_count == 0) {
        diag_warning(c->d, s->at, path,
                     "no name: the server is authenticated by its IP address "
                     "in the certificate; add #NAME where you know it%s",
                     is_zone ? " (one in clear text is udp://ADDRESS)" : "");
    }
    if (port == 53 || port == 443) {
        diag_warning(
            c->d, s->at, path, "port %u is that of %s; DNS over TLS has 853%s",
            port, port == 53 ? "unencrypted DNS" : "HTTPS",
            is_zone && port == 53 ? " (a server in clear text is udp://ADDRESS)"
                                  : "");
    }
}

/* "- 192.0.2.1 #name" and "- '192.0.2.1'#name" lose the name to a comment. */
static bool has_lost_name(struct check *c, const struct node *n,
                          const char *path)
{
    const char *p =
        n->after.variable == NULL ? source_at(c->source, n->after) : NULL;
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

/* An address of the table of providers, which is right: a test reads it. */
static struct addr provider_address(const char *ip)
{
    struct addr a = {.family = 0};

    (void)!addr_parse_ip(ip, strlen(ip), &a);
    a.port = ENDPOINT_PORT_DOT;
    return a;
}

/* Each IPv4 address is one server with the IPv6 address of its rank: where one
 * of the two does not work, the other does, and the server is none that
 * fails. */
static void add_provider(struct check *c, const struct provider *p,
                         struct mark at, const char *path,
                         struct draft_pool *pool)
{
    size_t count = 0;

    while (p->addresses[count] != NULL) {
        count++;
    }
    for (size_t i = 0; i < count / 2; i++) {
        struct draft_server s = {
            .addr = provider_address(p->addresses[i]),
            .more = {provider_address(p->addresses[i + count / 2])},
            .more_count = 1,
            .weight = 1,
            .at = at};
        snprintf(s.name, sizeof(s.name), "%s", p->name);
        if (!check_pool_add(c, &s, path, pool)) {
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

static void check_text(struct check *c, const struct node *n, const char *path,
                       const struct reading *r)
{
    const struct provider *p = provider_find(n->text);
    struct endpoint e;
    char why[HOST_WHY_MAX];

    if (p != NULL) {
        add_provider(c, p, n->at, path, r->pool);
        return;
    }
    if (endpoint_parse(n->text, r->role, &e, why) != 0) {
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
    struct draft_server s = {
        .addr = e.addr, .transport = e.transport, .weight = 1, .at = n->at};
    memcpy(s.name, e.name, sizeof(s.name));
    warn_swallowed_port(c, n, path);
    if (check_pool_add(c, &s, path, r->pool)) {
        warn(c, &s, path, r->role);
    }
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

/* One more address of s, which has *count. */
static bool add_address(struct check *c, const struct node *n, const char *path,
                        struct draft_server *s, size_t *count)
{
    struct addr a;

    if (!check_address(c, n, path, &a)) {
        return false;
    }
    for (size_t i = 0; i < *count; i++) {
        if (addr_ip_equal(draft_server_address(s, i), &a)) {
            diag_error(c->d, n->at, path, "%s is in this list already",
                       diag_quote(n->text).text);
            return false;
        }
    }
    if (*count > CHECK_MORE_MAX) {
        diag_error(c->d, n->at, path, "more than %d addresses",
                   CHECK_MORE_MAX + 1);
        return false;
    }
    if (*count == 0) {
        s->addr = a;
    } else {
        s->more[s->more_count++] = a;
    }
    (*count)++;
    return true;
}

/* `address` or `addresses`: one, or a list. */
static bool check_addresses(struct check *c, const struct node *n,
                            const char *path, struct draft_server *s)
{
    char sub[DIAG_PATH_MAX + 24];
    bool is_good = true;
    size_t count = 0;
    size_t i = 0;

    if (s->addr.family != 0) {
        diag_error(c->d, n->at, path,
                   "address and addresses are the same key; one is enough");
        return false;
    }
    if (n->kind != NODE_LIST) {
        return add_address(c, n, path, s, &count);
    }
    if (n->first == NULL) {
        diag_error(c->d, n->at, path, "the list is empty");
        return false;
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        snprintf(sub, sizeof(sub), "%s[%zu]", path, i++);
        is_good &= add_address(c, item, sub, s, &count);
    }
    return is_good;
}

/* One pair of a server's mapping. The port is kept in *port until all
 * addresses are there. */
static bool check_pair(struct check *c, enum server_key_id id,
                       const struct node *n, const char *path,
                       struct draft_server *s, uint64_t *port)
{
    const struct key *key = &keys_of_server[id];
    uint64_t number = 0;
    bool is_good = false;

    switch (id) {
    case SERVER_KEY_ADDRESS:
    case SERVER_KEY_ADDRESSES:
        return check_addresses(c, n, path, s);
    case SERVER_KEY_NAME:
        return check_name(c, n, path, s);
    case SERVER_KEY_PINS:
        return check_pins(c, n, path, s);
    case SERVER_KEY_CA_FILE:
        return check_file(c, key, n, path, &s->ca_file);
    case SERVER_KEY_PORT:
        return check_number(c, key, n, path, port);
    case SERVER_KEY_WEIGHT:
        is_good = check_number(c, key, n, path, &number);
        s->weight = (unsigned)number;
        return is_good;
    default:
        return false;
    }
}

/* Set the port of all addresses, and see whether the server is whole. */
static bool complete(struct check *c, const char *path, uint64_t port,
                     struct draft_server *s)
{
    s->addr.port = (uint16_t)port;
    for (size_t i = 0; i < s->more_count; i++) {
        s->more[i].port = (uint16_t)port;
    }
    if (s->more_count > 0 && *s->name == '\0' && s->pin_count == 0) {
        diag_error(c->d, s->at, path,
                   "name or pins is missing: several addresses are one server "
                   "when one name or key holds for all of them");
        return false;
    }
    return true;
}

/* {resolv_conf: …} in place of a server. Returns whether it was (reported). */
static bool explain_resolv_conf(struct check *c, const struct node *n,
                                const char *path, enum endpoint_role role)
{
    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        if (pair->key->kind == NODE_SCALAR &&
            strcmp(pair->key->text, "resolv_conf") == 0) {
            diag_error(
                c->d, pair->key->at, path,
                role == ENDPOINT_ZONE
                    ? "resolv_conf stands for all servers of a zone; "
                      "write servers: {resolv_conf: FILE}, without a "
                      "list"
                    : "servers of a resolv.conf are asked in clear text, "
                      "which is possible only in a zone that names it, "
                      "such as zones: {cluster.local: {servers: "
                      "{resolv_conf: /etc/resolv.conf}}}");
            return true;
        }
    }
    return false;
}

static const struct synonym synonyms[] = {
    {"ip", "address"},
    {"host", "address"},
    {"ips", "addresses"},
    {"address_data", "address"},
    {"hostname", "name"},
    {"auth_name", "name"},
    {"sni", "name"},
    {"tls_auth_name", "name"},
    {"server_name", "name"},
    {"tls_hostname", "name"},
    {"pinset", "pins"},
    {"tls_pubkey_pinset", "pins"},
    {"spki", "pins"},
    {"tls_port", "port"},
    {NULL, NULL},
};

/* Read every pair of n into s; is all of it good? */
static bool read_mapping(struct check *c, const struct node *n,
                         const char *path, struct draft_server *s)
{
    const char *names[SERVER_KEYS_TOTAL];
    struct mark seen[SERVER_KEYS_TOTAL] = {{0}};
    struct key_set set = {names, SERVER_KEYS_TOTAL, synonyms, seen,
                          path,  n->first};
    uint64_t port = ENDPOINT_PORT_DOT;
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
        is_good &=
            check_pair(c, (enum server_key_id)index, pair, sub, s, &port);
    }
    if (seen[SERVER_KEY_ADDRESS].line == 0 &&
        seen[SERVER_KEY_ADDRESSES].line == 0) {
        diag_error(c->d, n->at, path, "address is missing");
        is_good = false;
    }
    return is_good && complete(c, path, port, s);
}

static void check_mapping(struct check *c, const struct node *n,
                          const char *path, const struct reading *r)
{
    struct draft_server s = {.weight = 1, .at = n->at};

    if (explain_resolv_conf(c, n, path, r->role)) {
        return;
    }
    if (!read_mapping(c, n, path, &s)) {
        free(s.ca_file);
    } else if (check_pool_add(c, &s, path, r->pool)) {
        warn(c, &s, path, r->role);
    }
}

static void check_entry(struct check *c, const struct node *n, const char *path,
                        void *arg)
{
    const struct reading *r = arg;

    if (check_entry_form(c, n, path)) {
        return;
    }
    if (n->kind == NODE_MAP) {
        check_mapping(c, n, path, r);
    } else if (check_scalar(c, n, path,
                            "a server such as 9.9.9.9#dns.quad9.net")) {
        check_text(c, n, path, r);
    }
}

void check_servers(struct check *c, const struct node *n, const char *path,
                   enum endpoint_role role, struct draft_pool *out)
{
    struct reading r = {.pool = out, .role = role};

    if (n->kind == NODE_LIST && n->first == NULL) {
        diag_error(c->d, n->at, path,
                   "the list is empty; at least one server is needed, such as "
                   "servers: [quad9]");
        return;
    }
    check_entries(c, n, path, check_entry, &r);
}
