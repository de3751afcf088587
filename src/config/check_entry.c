/*
 * What the entries of `listen` and `servers` have in common: the list around
 * them, the YAML traps in them, and an `address` of its own.
 */
#include "config/check.h"

#include "base/err.h"
#include "config/endpoint.h"
#include "config/provider.h"

#include <stdio.h>
#include <string.h>

void check_entries(struct check *c, const struct node *n, const char *name,
                   check_entry_fn *check_entry, void *arg)
{
    char path[DIAG_PATH_MAX];
    size_t i = 0;

    /* One entry needs no list around it. */
    if (n->kind != NODE_LIST) {
        check_entry(c, n, name, arg);
        return;
    }
    if (n->first == NULL) {
        diag_error(c->d, n->at, name, "the list is empty");
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        if (i == CHECK_ENTRIES_MAX) {
            diag_error(c->d, item->at, name, "more than %d entries",
                       CHECK_ENTRIES_MAX);
            return;
        }
        snprintf(path, sizeof(path), "%s[%zu]", name, i++);
        check_entry(c, item, path, arg);
    }
}

/* "- 2001:db8::" is a key without a value in YAML, "- 192.0.2.1: 853" one
 * with a value. Returns whether it was one of these (reported). */
static bool explain_pair(struct check *c, const struct node *n,
                         const char *path)
{
    const struct node *pair = n->first;
    struct addr unused;
    char text[64];

    if (pair == NULL || pair->next != NULL || pair->key->kind != NODE_SCALAR ||
        pair->kind != NODE_SCALAR) {
        return false;
    }
    const char *key = pair->key->text;
    snprintf(text, sizeof(text), "%.60s:", key);
    if (*pair->text == '\0' &&
        addr_parse_ip(text, strlen(text), &unused) == 0) {
        diag_error(c->d, n->at, path,
                   "an address that ends with ':' needs quotes in YAML; did "
                   "you mean \"%s\"?",
                   text);
        return true;
    }
    if (addr_parse_ip(key, strlen(key), &unused) == 0) {
        diag_error(c->d, n->at, path,
                   "a blank behind ':' makes a mapping in YAML; did you mean "
                   "%s:%s?",
                   key, diag_quote(pair->text).text);
        return true;
    }
    return false;
}

bool check_entry_form(struct check *c, const struct node *n, const char *path)
{
    const struct node *only = n->first;

    if (n->kind != NODE_LIST) {
        return n->kind == NODE_MAP && explain_pair(c, n, path);
    }
    if (only != NULL && only->next == NULL && only->kind == NODE_SCALAR &&
        strchr(only->text, ':') != NULL) {
        diag_error(c->d, n->at, path,
                   "brackets make a list in YAML and need quotes here; did you "
                   "mean \"[%s]\"?",
                   diag_quote(only->text).text);
    } else {
        diag_error(c->d, n->at, path, "a list where an address is needed");
    }
    return true;
}

/* More than an address, or a word that stands for several. */
static void explain_address(struct check *c, const struct node *n,
                            const char *path, const char *why)
{
    struct endpoint e;
    char unused[HOST_WHY_MAX];
    char text[ADDR_TEXT_MAX];

    bool is_url = strstr(n->text, "://") != NULL;

    if (is_url && endpoint_parse(n->text, ENDPOINT_ZONE, &e, unused) == 0 &&
        e.transport != CONFIG_TLS) {
        diag_error(c->d, n->at, path,
                   "a server in clear text has no keys of its own; write - "
                   "\"%s\" in place of the mapping, in a zone",
                   diag_quote(n->text).text);
    } else if (provider_find(n->text) != NULL) {
        diag_error(c->d, n->at, path,
                   "the word %s stands for whole servers; write - %s in place "
                   "of the mapping",
                   n->text, n->text);
    } else if (endpoint_parse(n->text, ENDPOINT_SERVER, &e, unused) == 0) {
        diag_error(c->d, n->at, path,
                   "\"%s\" is more than an address; did you mean address: %s "
                   "(port and name are keys beside it)?",
                   diag_quote(n->text).text, addr_ip_text(&e.addr, text));
    } else {
        diag_error(c->d, n->at, path, "%s", why);
    }
}

bool check_address(struct check *c, const struct node *n, const char *path,
                   struct addr *out)
{
    char why[HOST_WHY_MAX];

    if (!check_scalar(c, n, path, "an IP address")) {
        return false;
    }
    if (host_parse_ip(n->text, out, why) != 0) {
        explain_address(c, n, path, why);
        return false;
    }
    return true;
}
