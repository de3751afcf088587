/*
 * The keys of the common Python DoT proxies: DNS_SERVERS, SOCKET_ADDRESS and
 * LISTEN_PORT.
 * They are not read, but the message says the same in dotstub's words, made of
 * the values that are there.
 */
#include "config/check.h"

#include "config/endpoint.h"
#include "config/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was found of one server or socket; NULL: not given. */
struct foreign {
    const char *host, *port, *name;
};

/* The scalar of the pair whose key is one of words; NULL: none. */
static const char *pick(const struct node *map, const char *const *words)
{
    for (const struct node *n = map->first; n != NULL; n = n->next) {
        if (n->kind != NODE_SCALAR || n->key->kind != NODE_SCALAR) {
            continue;
        }
        for (size_t i = 0; words[i] != NULL; i++) {
            if (suggest_is_same(n->key->text, words[i]) && *n->text != '\0') {
                return n->text;
            }
        }
    }
    return NULL;
}

static struct foreign from_map(const struct node *n)
{
    static const char *const hosts[] = {"host", "ip",     "address",
                                        "addr", "server", NULL};
    static const char *const ports[] = {"port", NULL};
    static const char *const names[] = {
        "hostname", "name", "server_hostname", "tls_hostname", "server_name",
        "sni",      NULL};

    return (struct foreign){pick(n, hosts), pick(n, ports), pick(n, names)};
}

/* A scalar "host" or "host:port", a mapping, or a pair [host, port]. */
static struct foreign from_node(const struct node *n)
{
    if (n->kind == NODE_MAP) {
        return from_map(n);
    }
    if (n->kind == NODE_SCALAR) {
        return (struct foreign){.host = n->text};
    }
    const struct node *host = n->first;
    const struct node *port = host == NULL ? NULL : host->next;
    struct foreign f = {.host = NULL};
    if (host != NULL && host->kind == NODE_SCALAR) {
        f.host = host->text;
    }
    if (port != NULL && port->kind == NODE_SCALAR) {
        f.port = port->text;
    }
    return f;
}

/* f as dotstub writes it, when dotstub would take it. */
static bool print_entry(FILE *out, const struct foreign *f,
                        enum endpoint_role role, bool is_first)
{
    char text[2 * HOST_NAME_MAX_LEN];
    char why[HOST_WHY_MAX];
    char addr[ADDR_TEXT_MAX];
    struct endpoint e;

    if (f->host == NULL || strlen(f->host) > HOST_NAME_MAX_LEN) {
        return false;
    }
    bool is_v6 =
        strchr(f->host, ':') != strrchr(f->host, ':') && f->host[0] != '[';
    int len =
        snprintf(text, sizeof(text), "%s%s%s%s%s%s%s", is_v6 ? "[" : "",
                 f->host, is_v6 ? "]" : "", f->port == NULL ? "" : ":",
                 f->port == NULL ? "" : f->port, f->name == NULL ? "" : "#",
                 f->name == NULL ? "" : f->name);
    if (len >= (int)sizeof(text) || endpoint_parse(text, role, &e, why) != 0) {
        return false;
    }
    bool is_dot = role == ENDPOINT_SERVER && e.addr.port == ENDPOINT_PORT_DOT;
    fprintf(out, "%s\"%s%s%s\"", is_first ? "" : ", ",
            is_dot ? addr_ip_text(&e.addr, addr) : addr_text(&e.addr, addr),
            *e.name == '\0' ? "" : "#", e.name);
    return true;
}

/* Is n a list of entries, and not the pair [host, port]? */
static bool is_list_of(const struct node *n, enum endpoint_role role)
{
    if (n->kind != NODE_LIST) {
        return false;
    }
    return role == ENDPOINT_SERVER || n->first == NULL ||
           n->first->kind != NODE_SCALAR;
}

/* A port alone is one of this machine, for this machine. */
static size_t print_port(FILE *out, const struct node *n)
{
    struct foreign f = {.host = "127.0.0.1"};

    if (n->kind != NODE_SCALAR || *n->text == '\0') {
        return 0;
    }
    f.port = n->text;
    return print_entry(out, &f, ENDPOINT_LISTEN, true);
}

/* Every entry that can be said; returns how many. */
static size_t print_entries(FILE *out, const struct node *n,
                            enum endpoint_role role)
{
    size_t count = 0;

    if (!is_list_of(n, role)) {
        struct foreign f = from_node(n);
        return print_entry(out, &f, role, true);
    }
    for (const struct node *item = n->first;
         item != NULL && count < CHECK_ENTRIES_MAX; item = item->next) {
        struct foreign f = from_node(item);
        count += print_entry(out, &f, role, count == 0);
    }
    return count;
}

static void report(struct check *c, const struct node *pair,
                   enum endpoint_role role, bool is_port)
{
    const char *word = role == ENDPOINT_SERVER ? "servers" : "listen";
    const char *example = role == ENDPOINT_SERVER ? "\"9.9.9.9#dns.quad9.net\""
                                                  : "\"127.0.0.1:53\"";
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        c->d->is_out_of_memory = true;
        return;
    }
    size_t count =
        is_port ? print_port(out, pair) : print_entries(out, pair, role);
    bool is_bad = ferror(out) != 0;
    if (fclose(out) != 0 || is_bad) {
        c->d->is_out_of_memory = true;
    } else {
        diag_error(c->d, pair->key->at, pair->key->text,
                   "is a key of another proxy; in dotstub's words: %s: [%s]",
                   word, count == 0 ? example : text);
    }
    free(text);
}

bool check_foreign(struct check *c, const struct node *pair, bool *is_servers)
{
    if (pair->key->kind != NODE_SCALAR) {
        return false;
    }
    const char *word = pair->key->text;
    bool is_port = suggest_is_same(word, "listen_port");
    *is_servers = suggest_is_same(word, "dns_servers");
    if (!is_port && !*is_servers && !suggest_is_same(word, "socket_address")) {
        return false;
    }
    report(c, pair, *is_servers ? ENDPOINT_SERVER : ENDPOINT_LISTEN, is_port);
    return true;
}
