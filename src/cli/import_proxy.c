/*
 * config.yml of the small DoT proxies in Python: servers in DNS_SERVERS, each a
 * mapping or "host:port"; the place to listen in SOCKET_ADDRESS or LISTEN_PORT.
 */
#include "cli/import.h"

#include "config/suggest.h"

#include <string.h>

/* The scalar behind the first of these keys that there is. */
static const char *pick(const struct node *map, const char *const *keys)
{
    const char *text = NULL;

    for (; *keys != NULL && text == NULL; keys++) {
        text = import_scalar(map, *keys);
    }
    return text;
}

struct place {
    const char *host, *port, *name;
};

/* A mapping, a pair [host, port], or text. */
static struct place place_of(const struct node *n)
{
    static const char *const hosts[] = {"host", "ip",     "address",
                                        "addr", "server", NULL};
    static const char *const ports[] = {"port", NULL};
    static const char *const names[] = {
        "hostname", "name", "server_hostname", "tls_hostname", "server_name",
        "sni",      NULL};

    if (n->kind == NODE_MAP) {
        return (struct place){pick(n, hosts), pick(n, ports), pick(n, names)};
    }
    if (n->kind == NODE_SCALAR) {
        return (struct place){.host = n->text};
    }
    const struct node *host = n->first;
    const struct node *port = host == NULL ? NULL : host->next;
    return (struct place){
        .host = host != NULL && host->kind == NODE_SCALAR ? host->text : NULL,
        .port = port != NULL && port->kind == NODE_SCALAR ? port->text : NULL,
    };
}

static void read_server(struct import *im, const struct node *n)
{
    struct place p = place_of(n);

    if (p.host == NULL) {
        diag_error(&im->faults, n->at, "DNS_SERVERS", "an address is missing");
        return;
    }
    (void)import_add(im, n->at,
                     &(struct import_entry){
                         .address = p.host, .port = p.port, .name = p.name});
}

static void read_servers(struct import *im, const struct node *n)
{
    if (n->kind != NODE_LIST) {
        read_server(im, n);
        return;
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        read_server(im, item);
    }
}

static void read_socket(struct import *im, const struct node *n)
{
    struct place p = place_of(n);

    if (p.host == NULL) {
        diag_error(&im->faults, n->at, "SOCKET_ADDRESS",
                   "an address is missing");
        return;
    }
    import_listen(im, n->at, p.host, p.port);
}

void import_proxy(struct import *im, const struct node *root)
{
    for (const struct node *n = root->first; n != NULL; n = n->next) {
        const char *key = n->key->text;

        if (suggest_is_same(key, "DNS_SERVERS")) {
            read_servers(im, n);
        } else if (suggest_is_same(key, "SOCKET_ADDRESS")) {
            read_socket(im, n);
        } else if (suggest_is_same(key, "LISTEN_PORT") &&
                   n->kind == NODE_SCALAR) {
            import_listen(im, n->at, "127.0.0.1", n->text);
        } else {
            import_note(im, n->key->at.line, "%s: left out", key);
        }
    }
}
