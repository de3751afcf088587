/*
 * The top of the file: the keys in it, those that are missing, the defaults.
 */
#include "config/check.h"

#include "base/err.h"
#include "config/endpoint.h"

#include <stdlib.h>
#include <string.h>

/* The two lists come before the keys of the table. */
enum { TOP_LISTEN, TOP_SERVERS, TOP_TABLE, TOP_TOTAL = TOP_TABLE + KEYS_TOTAL };

static const struct synonym synonyms[] = {
    {"upstreams", "servers"},
    {"upstream", "servers"},
    {"nameservers", "servers"},
    {"nameserver", "servers"},
    {"forwarders", "servers"},
    {"forward", "servers"},
    {"resolvers", "servers"},
    {"upstream_recursive_servers", "servers"},
    {"upstream_servers", "servers"},
    {"dot_servers", "servers"},
    {"listen_addresses", "listen"},
    {"listen_address", "listen"},
    {"listen_on", "listen"},
    {"listeners", "listen"},
    {"bind", "listen"},
    {"bind_address", "listen"},
    {"interface", "listen"},
    {"interfaces", "listen"},
    {"address", "listen"},
    {"port", "listen"},
    {"timeout", "query_timeout"},
    {"threads", "workers"},
    {"num_threads", "workers"},
    {"log", "log_level"},
    {"verbosity", "log_level"},
    {"ca_path", "ca_dir"},
    {"ca_bundle", "ca_file"},
    {"tls_cert_bundle", "ca_file"},
    {"tls_ca_file", "ca_file"},
    {"padding", "padding_block"},
    {"policy", "strategy"},
    {"cache", "cache_size"},
    {NULL, NULL},
};

void draft_finish(struct draft *draft)
{
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        free(draft->values[i].path);
    }
    for (size_t i = 0; i < draft->server_count; i++) {
        free(draft->servers[i].ca_file);
    }
    *draft = (struct draft){.server_count = 0};
}

/* A default, from the words of the table. They are right: a test reads them
 * as a file. */
static uint64_t fallback_number(const struct key *key)
{
    char hint[VALUE_TEXT_MAX];
    uint64_t number = 0;

    if (key->fallback == NULL ||
        (key->zero != NULL && strcmp(key->fallback, key->zero) == 0)) {
        return 0;
    }
    for (size_t i = 0; i < key->choice_count; i++) {
        if (strcmp(key->fallback, key->choices[i].str) == 0) {
            return (uint64_t)key->choices[i].val;
        }
    }
    if (key->kind <= (enum key_kind)KEY_KIND_SIZE) {
        (void)value_parse((enum value_kind)key->kind, key->fallback, &number,
                          hint);
    }
    return number;
}

static void set_defaults(struct draft *draft)
{
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        draft->values[i].number = fallback_number(&keys_table[i]);
    }
}

static void set_default_listen(struct draft *draft)
{
    static const struct addr loopback[] = {
        {.ip = {127, 0, 0, 1}, .family = 4, .port = ENDPOINT_PORT_DNS},
        {.ip = {[15] = 1}, .family = 6, .port = ENDPOINT_PORT_DNS},
    };

    for (size_t i = 0; i < COUNT_OF(loopback); i++) {
        draft->listen[draft->listen_count++].addr = loopback[i];
    }
}

static void check_table_key(struct check *c, enum key_id id,
                            const struct node *n)
{
    const struct key *key = &keys_table[id];
    struct draft_value *v = &c->draft->values[id];

    v->at = n->at;
    v->is_given = true;
    switch (key->kind) {
    case KEY_KIND_CHOICE:
        v->is_bad = !check_choice(c, key, n, key->name, &v->number);
        break;
    case KEY_KIND_FILE:
    case KEY_KIND_FOLDER:
    case KEY_KIND_STATE:
        v->is_bad = !check_file(c, key, n, key->name, &v->path);
        break;
    default:
        v->is_bad = !check_number(c, key, n, key->name, &v->number);
        break;
    }
}

static void check_pair(struct check *c, const struct key_set *set,
                       const struct node *pair)
{
    bool is_servers;

    if (check_foreign(c, pair, &is_servers)) {
        int stands_for = is_servers ? TOP_SERVERS : TOP_LISTEN;
        /* The key is not missing as well; nor twice, if it is there. */
        if (!check_says(set, set->names[stands_for])) {
            set->seen[stands_for] = pair->key->at;
        }
        return;
    }
    int index = check_key(c, set, pair);
    if (index == TOP_LISTEN) {
        check_listen(c, pair);
    } else if (index == TOP_SERVERS) {
        check_servers(c, pair);
    } else if (index >= TOP_TABLE) {
        check_table_key(c, (enum key_id)(index - TOP_TABLE), pair);
    }
}

static void check_map(struct check *c, const struct node *root, bool is_cut)
{
    const char *names[TOP_TOTAL] = {"listen", "servers"};
    struct mark seen[TOP_TOTAL] = {{0}};
    struct key_set set = {names, TOP_TOTAL, synonyms, seen, "", root->first};

    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        names[TOP_TABLE + i] = keys_table[i].name;
    }
    for (const struct node *pair = root->first; pair != NULL;
         pair = pair->next) {
        check_pair(c, &set, pair);
    }
    if (seen[TOP_LISTEN].line == 0) {
        set_default_listen(c->draft);
    }
    if (is_cut) {
        return;
    }
    if (seen[TOP_SERVERS].line == 0) {
        diag_error(c->d, root->at, "servers",
                   "missing; at least one server is needed, such as "
                   "servers: [quad9]");
    }
    check_rules(c);
}

int check_tree(struct check *c, const struct tree *tree)
{
    const struct node *root = tree->root;

    set_defaults(c->draft);
    if (root != NULL && root->kind == NODE_MAP) {
        check_map(c, root, tree->is_cut);
    } else if (tree->is_cut) {
        return 0; /* the error of syntax says it all */
    } else if (root == NULL || node_is_null(root)) {
        diag_error(c->d, (struct mark){1, 1}, NULL,
                   "the file is empty; at least one server is needed, such as "
                   "servers: [quad9]");
    } else {
        diag_error(c->d, root->at, NULL,
                   "%s where keys are expected, such as servers: [quad9]%s",
                   node_kind_text(root),
                   root->kind == NODE_SCALAR && strchr(root->text, ':') != NULL
                       ? " (with a blank behind the ':')"
                       : "");
    }
    return c->d->is_out_of_memory ? ERR_NOMEM : 0;
}
