/*
 * stubby.yml: GetDNS's settings, of which stubby uses those of a stub resolver.
 */
#include "cli/import.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_pins(struct import *im, struct import_server *s,
                      const struct node *list)
{
    for (const struct node *n = list == NULL ? NULL : list->first; n != NULL;
         n = n->next) {
        const char *digest = import_scalar(n, "digest");
        const char *value = import_scalar(n, "value");
        char text[128];

        if (digest == NULL || value == NULL || strcmp(digest, "sha256") != 0) {
            import_note(im, n->at.line, "a pin that is not of sha256");
            continue;
        }
        (void)snprintf(text, sizeof(text), "sha256/%s", value);
        import_pin(im, s, n->at, text);
    }
}

static void read_server(struct import *im, const struct node *n)
{
    const struct import_entry e = {
        .address = import_scalar(n, "address_data"),
        .port = import_scalar(n, "tls_port"),
        .name = import_scalar(n, "tls_auth_name"),
    };

    if (e.address == NULL) {
        diag_error(&im->faults, n->at, "upstream_recursive_servers",
                   "address_data is missing");
        return;
    }
    struct import_server *s = import_add(im, n->at, &e);
    if (s == NULL) {
        return;
    }
    read_pins(im, s, import_get(n, "tls_pubkey_pinset"));
    if (s->pin_count > 0 && e.name != NULL) {
        import_note(im, n->at.line,
                    "dotstub wants the name and one of the pins, where stubby "
                    "is content with either");
    }
}

static void read_servers(struct import *im, const struct node *list)
{
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        read_server(im, n);
    }
}

static void read_listen(struct import *im, const struct node *list)
{
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (n->kind == NODE_SCALAR) {
            import_listen(im, n->at, n->text, "53");
        }
    }
}

static void read_transports(struct import *im, const struct node *list)
{
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (n->kind == NODE_SCALAR &&
            strcmp(n->text, "GETDNS_TRANSPORT_TLS") != 0) {
            import_note(im, n->at.line,
                        "%s: dotstub never falls back to clear text", n->text);
        }
    }
}

static void read_authentication(struct import *im, const struct node *n)
{
    if (strcmp(n->text, "GETDNS_AUTHENTICATION_REQUIRED") != 0) {
        import_note(im, n->at.line,
                    "dotstub always verifies servers; opportunistic TLS is "
                    "not to be had");
    }
}

static void read_padding(struct import *im, const struct node *n)
{
    long block = strtol(n->text, NULL, 10);

    if (block == 0 || (block >= 16 && block <= 512)) {
        import_set(im, "padding_block", "%ld", block);
    } else if (block != 1) { /* 1: a sensible policy; dotstub's own */
        import_note(im, n->at.line,
                    "padding to %ld octets: the default (128) is used", block);
    }
}

static void read_ecs(struct import *im, const struct node *n)
{
    if (import_is_yes(n->text)) {
        import_set(im, "ecs", "zero");
    }
}

static void read_timeout(struct import *im, const struct node *n)
{
    long ms = strtol(n->text, NULL, 10);

    if (ms >= 100 && ms <= 60000) {
        import_set(im, "query_timeout", "%ldms", ms);
    } else {
        import_note(im, n->at.line, "timeout: the default (4s) is used");
    }
}

static void read_idle(struct import *im, const struct node *n)
{
    import_note(im, n->at.line,
                "idle_timeout: dotstub keeps connections ready as long as the "
                "server does; upstream_idle closes them sooner");
}

static void read_round_robin(struct import *im, const struct node *n)
{
    import_set(im, "strategy",
               import_is_yes(n->text) ? "round_robin" : "failover");
}

static void read_ca_file(struct import *im, const struct node *n)
{
    import_set(im, "ca_file", "%s", import_quote(n->text).text);
}

static void read_ca_path(struct import *im, const struct node *n)
{
    import_set(im, "ca_dir", "%s", import_quote(n->text).text);
}

static void read_type(struct import *im, const struct node *n)
{
    if (strcmp(n->text, "GETDNS_RESOLUTION_STUB") != 0) {
        import_note(im, n->at.line, "%s: dotstub is a stub resolver", n->text);
    }
}

static void no_dnssec(struct import *im, const struct node *n)
{
    import_note(im, n->at.line,
                "%s: dotstub passes DNSSEC records on and checks none itself",
                n->key->text);
}

static void no_need(struct import *im, const struct node *n)
{
    import_note(im, n->at.line,
                "%s: dotstub has its own way (TLS 1.2 or later, AEAD suites, "
                "see connect_timeout, retry_min, retry_max)",
                n->key->text);
}

static const struct {
    const char *key;
    enum node_kind kind;
    void (*read)(struct import *im, const struct node *n);
} keys[] = {
    {"resolution_type", NODE_SCALAR, read_type},
    {"dns_transport_list", NODE_LIST, read_transports},
    {"tls_authentication", NODE_SCALAR, read_authentication},
    {"tls_query_padding_blocksize", NODE_SCALAR, read_padding},
    {"edns_client_subnet_private", NODE_SCALAR, read_ecs},
    {"round_robin_upstreams", NODE_SCALAR, read_round_robin},
    {"idle_timeout", NODE_SCALAR, read_idle},
    {"timeout", NODE_SCALAR, read_timeout},
    {"tls_ca_file", NODE_SCALAR, read_ca_file},
    {"tls_ca_path", NODE_SCALAR, read_ca_path},
    {"listen_addresses", NODE_LIST, read_listen},
    {"upstream_recursive_servers", NODE_LIST, read_servers},
    {"dnssec", NODE_SCALAR, no_dnssec},
    {"dnssec_return_status", NODE_SCALAR, no_dnssec},
    {"dnssec_return_only_secure", NODE_SCALAR, no_dnssec},
    {"dnssec_trust_anchors", NODE_SCALAR, no_dnssec},
    {"trust_anchors_backoff_time", NODE_SCALAR, no_dnssec},
    {"tls_min_version", NODE_SCALAR, no_need},
    {"tls_max_version", NODE_SCALAR, no_need},
    {"tls_cipher_list", NODE_SCALAR, no_need},
    {"tls_ciphersuites", NODE_SCALAR, no_need},
    {"tls_curves_list", NODE_SCALAR, no_need},
    {"tls_connection_retries", NODE_SCALAR, no_need},
    {"tls_backoff_time", NODE_SCALAR, no_need},
    {"limit_outstanding_queries", NODE_SCALAR, no_need},
};

static void read_pair(struct import *im, const struct node *n)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i].key, n->key->text) != 0) {
            continue;
        }
        if (n->kind != keys[i].kind) {
            diag_error(&im->faults, n->at, n->key->text, "is %s, not %s",
                       node_kind_text(n),
                       keys[i].kind == NODE_LIST ? "a list" : "a value");
        } else {
            keys[i].read(im, n);
        }
        return;
    }
    import_note(im, n->key->at.line, "%s: left out", n->key->text);
}

void import_stubby(struct import *im, const struct node *root)
{
    for (const struct node *n = root->first; n != NULL; n = n->next) {
        read_pair(im, n);
    }
}
