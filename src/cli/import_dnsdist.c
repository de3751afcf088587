/*
 * dnsdist's configuration in YAML (2.0 and later): its backends over TLS, where
 * it listens in clear text, whom it serves and how it chooses.
 */
#include "cli/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_tls(const char *protocol)
{
    return protocol != NULL && strcasecmp(protocol, "DoT") == 0;
}

static void read_tls(struct import *im, struct import_server *s,
                     const struct node *tls)
{
    const char *validates = import_scalar(tls, "validate_certificates");
    const char *store = import_scalar(tls, "ca_store");

    if (validates != NULL && !import_is_yes(validates)) {
        import_note(im, tls->at.line,
                    "validate_certificates: dotstub always does");
    }
    if (store != NULL) {
        s->ca_file = strdup(store);
        im->is_out_of_memory = im->is_out_of_memory || s->ca_file == NULL;
    }
}

static void read_weight(struct import *im, struct import_server *s,
                        const struct node *n)
{
    const char *text = import_scalar(n, "weight");
    unsigned long weight = text == NULL ? 1 : strtoul(text, NULL, 10);

    if (weight >= 1 && weight <= 100) {
        s->weight = (unsigned)weight;
    } else {
        import_note(im, n->at.line, "weight %s: 1 to 100 here", text);
    }
    if (import_scalar(n, "order") != NULL) {
        import_note(im, n->at.line,
                    "order: servers are asked in the order of the file");
    }
}

static void read_backend(struct import *im, const struct node *n)
{
    const struct node *tls = import_get(n, "tls");
    const char *protocol = import_scalar(n, "protocol");
    const struct import_entry e = {
        .address = import_scalar(n, "address"),
        .name = import_scalar(tls, "subject_name"),
        .is_plain = protocol == NULL || strcasecmp(protocol, "Do53") == 0,
    };

    if (e.address == NULL) {
        diag_error(&im->faults, n->at, "backends", "address is missing");
        return;
    }
    if (!e.is_plain && !is_tls(protocol)) {
        import_note(im, n->at.line, "%s over %s: left out", e.address,
                    protocol);
        return;
    }
    if (import_get(n, "pools") != NULL) {
        import_note(im, n->at.line,
                    "pools of %s: see zones, for servers of some names",
                    e.address);
    }
    struct import_server *s = import_add(im, n->at, &e);
    if (s == NULL) {
        return;
    }
    read_weight(im, s, n);
    if (tls != NULL) {
        read_tls(im, s, tls);
    }
}

static void read_bind(struct import *im, const struct node *n)
{
    const char *address = import_scalar(n, "listen_address");
    const char *protocol = import_scalar(n, "protocol");

    if (address == NULL) {
        diag_error(&im->faults, n->at, "binds", "listen_address is missing");
    } else if (protocol != NULL && strcasecmp(protocol, "Do53") != 0) {
        import_note(im, n->at.line,
                    "listening on %s for %s: dotstub takes UDP and TCP",
                    address, protocol);
    } else {
        import_listen(im, n->at, address, "53");
    }
}

static void read_acl(struct import *im, const struct node *list)
{
    char text[1024] = "[";
    size_t len = 1;

    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (n->kind != NODE_SCALAR) {
            diag_error(&im->faults, n->at, "acl", "is no range of addresses");
            return;
        }
        struct import_quoted q = import_quote(n->text);
        size_t more = strlen(q.text) + 2;

        if (len + more + 2 > sizeof(text)) {
            import_note(im, n->at.line, "acl: too long, see allow");
            return;
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                                len == 1 ? "" : ", ", q.text);
    }
    import_set(im, "allow", "%s]", text);
}

static void read_policies(struct import *im, const struct node *n)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"firstAvailable", "failover"},
                 {"roundrobin", "round_robin"},
                 {"wrandom", "round_robin"},
                 {"leastOutstanding", "fastest"}};
    const char *word = import_scalar(n, "default_policy");

    for (size_t i = 0; word != NULL && i < COUNT_OF(words); i++) {
        if (strcasecmp(words[i].theirs, word) == 0) {
            import_set(im, "strategy", "%s", words[i].ours);
            return;
        }
    }
    import_note(im, n->at.line, "load_balancing_policies: see strategy");
}

static void each(struct import *im, const struct node *list,
                 void (*read)(struct import *im, const struct node *n))
{
    if (list->kind != NODE_LIST) {
        diag_error(&im->faults, list->at, list->key->text, "is not a list");
        return;
    }
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        read(im, n);
    }
}

void import_dnsdist(struct import *im, const struct node *root)
{
    for (const struct node *n = root->first; n != NULL; n = n->next) {
        const char *key = n->key->text;

        if (strcmp(key, "backends") == 0) {
            each(im, n, read_backend);
        } else if (strcmp(key, "binds") == 0) {
            each(im, n, read_bind);
        } else if (strcmp(key, "acl") == 0 && n->kind == NODE_LIST) {
            read_acl(im, n);
        } else if (strcmp(key, "load_balancing_policies") == 0) {
            read_policies(im, n);
        } else if (strcmp(key, "packet_caches") == 0) {
            import_note(im, n->key->at.line, "%s: see cache_size", key);
        } else {
            import_note(im, n->key->at.line, "%s: left out", key);
        }
    }
}
