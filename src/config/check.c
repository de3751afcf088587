/*
 * The top of the file: the keys in it, those that are missing, the defaults.
 */
#include "config/check.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

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
    {"forward_zone", "zones"},
    {"forward_zones", "zones"},
    {"stub_zone", "zones"},
    {"zone", "zones"},
    {"domains", "zones"},
    {"split_dns", "zones"},
    {"conditional_forwarders", "zones"},
    {"access_control", "allow"},
    {"acl", "allow"},
    {"allow_from", "allow"},
    {"allow_query", "allow"},
    {"allowed_clients", "allow"},
    {"local_data", "records"},
    {"rewrites", "records"},
    {"hosts_file", "hosts"},
    {"hosts_files", "hosts"},
    {"addn_hosts", "hosts"},
    {"blocklist", "deny_lists"},
    {"blocklists", "deny_lists"},
    {"block_lists", "deny_lists"},
    {"denylist", "deny_lists"},
    {"denylists", "deny_lists"},
    {"blacklist", "deny_lists"},
    {"filters", "deny_lists"},
    {"block", "deny_names"},
    {"blocked_names", "deny_names"},
    {"allowlist", "deny_except"},
    {"whitelist", "deny_except"},
    {"deny_any", "minimal_any"},
    {"refuse_any", "minimal_any"},
    {"any_query", "minimal_any"},
    {"stop_dns_rebind", "rebind_protection"},
    {"private_address", "rebind_protection"},
    {"rebind_domain_ok", "rebind_allow"},
    {"private_domain", "rebind_allow"},
    {"ip_ratelimit", "rate_limit"},
    {"ratelimit", "rate_limit"},
    {"rrl", "response_rate_limit"},
    {"responses_per_second", "response_rate_limit"},
    {"slip", "response_rate_slip"},
    {"answer_cookie", "cookies"},
    {"dns_cookies", "cookies"},
    {"edns_client_subnet", "ecs"},
    {"client_subnet", "ecs"},
    {"control_socket", "control"},
    {"control_interface", "control"},
    {"metrics", "admin"},
    {"metrics_listen", "admin"},
    {"http", "admin"},
    {"prometheus", "admin"},
    {"webserver", "admin"},
    {"username", "user"},
    {"run_as", "user"},
    {"setuid", "user"},
    {"seccomp", "sandbox"},
    {"log_queries", "query_log"},
    {"querylog", "query_log"},
    {"dnstap_output", "dnstap"},
    {"dnstap_socket_path", "dnstap"},
    {"dnstap_sink", "dnstap"},
    {"hedge", "hedge_budget"},
    {"hedging", "hedge_budget"},
    {"keep_warm", "warm_for"},
    {"warm", "warm_for"},
    {NULL, NULL},
};

void draft_finish(struct draft *draft)
{
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        draft_value_finish(&draft->values[i]);
    }
    draft_value_finish(&draft->allow);
    draft_pool_finish(&draft->pool);
    for (size_t i = 0; i < draft->target_count; i++) {
        draft_target_finish(&draft->targets[i]);
    }
    free(draft->targets);
    for (size_t i = 0; i < draft->zone_count; i++) {
        free(draft->zones[i].name);
    }
    free(draft->zones);
    *draft = (struct draft){.zone_count = 0};
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
    if (keys_is_number(key->kind)) {
        (void)value_parse((enum value_kind)key->kind, key->fallback, &number,
                          hint);
    }
    return number;
}

/* The words of a list's default. */
static int set_default_list(const char *words, struct draft_value *v)
{
    int err = 0;

    while (err == 0 && *words != '\0') {
        size_t len = strcspn(words, " ");
        err = draft_value_add(v, strndup(words, len));
        words += len + (words[len] == ' ');
    }
    return err;
}

static int set_default(const struct key *key, struct draft_value *v)
{
    switch (key->kind) {
    case KEY_KIND_SWITCH:
        v->number = strcmp(key->fallback, "on") == 0;
        return 0;
    case KEY_KIND_LIST:
        return key->fallback == NULL ? 0 : set_default_list(key->fallback, v);
    case KEY_KIND_SOCKET:
    case KEY_KIND_LOG:
    case KEY_KIND_USER:
    case KEY_KIND_TAP:
    case KEY_KIND_TEXT:
        if (key->fallback == NULL || strcmp(key->fallback, "off") == 0) {
            return 0;
        }
        v->path = strdup(key->fallback);
        return v->path == NULL ? ERR_NOMEM : 0;
    default:
        v->number = fallback_number(key);
        return 0;
    }
}

static int set_default_allow(struct draft *draft)
{
    const struct cidr *ranges;
    size_t count = access_default(&ranges);

    return draft_value_add_ranges(&draft->allow, ranges, count);
}

static int set_defaults(struct draft *draft)
{
    int err = 0;

    for (size_t i = 0; i < KEYS_TOTAL && err == 0; i++) {
        err = set_default(&keys_table[i], &draft->values[i]);
    }
    return err != 0 ? err : set_default_allow(draft);
}

static void set_default_listen(struct draft *draft)
{
    static const struct addr loopback[] = {
        {.ip = {127, 0, 0, 1}, .family = 4, .port = ENDPOINT_PORT_DNS},
        {.ip = {[15] = 1}, .family = 6, .port = ENDPOINT_PORT_DNS},
    };

    for (size_t i = 0; i < COUNT_OF(loopback); i++) {
        draft->listen.items[draft->listen.count++].addr = loopback[i];
    }
}

static void check_allow(struct check *c, const struct node *n)
{
    struct draft_value *v = &c->draft->allow;

    v->is_given = true;
    v->at = n->at;
    check_list(c, &keys_of_top[TOP_ALLOW], n, v);
    if (v->count == 0 && !v->is_bad) {
        diag_error(c->d, n->at, "allow",
                   "the list is empty: no client would be answered");
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
    case KEY_KIND_SWITCH:
        v->is_bad = !check_switch(c, n, key->name, &v->number);
        break;
    case KEY_KIND_LIST:
        check_list(c, key, n, v);
        break;
    case KEY_KIND_SOCKET:
    case KEY_KIND_LOG:
    case KEY_KIND_USER:
        v->is_bad = !check_word(c, key, n, key->name, &v->path);
        break;
    case KEY_KIND_TAP:
        v->is_bad = !check_tap(c, n, key->name, &v->path);
        break;
    case KEY_KIND_TEXT:
        v->is_bad = !check_any_text(c, n, key->name, &v->path);
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
    struct draft *draft = c->draft;
    int index = check_key(c, set, pair);
    switch (index) {
    case -1:
        break;
    case TOP_LISTEN:
        check_listen(c, pair, "listen", ENDPOINT_LISTEN, &draft->listen);
        break;
    case TOP_SERVERS:
        check_servers(c, pair, "servers", ENDPOINT_SERVER, &draft->pool);
        break;
    case TOP_ZONES:
        check_zones(c, pair);
        break;
    case TOP_ALLOW:
        check_allow(c, pair);
        break;
    case TOP_ADMIN:
        check_listen(c, pair, "admin", ENDPOINT_ADMIN, &draft->admin);
        break;
    default:
        check_table_key(c, (enum key_id)(index - TOP_TABLE), pair);
        break;
    }
}

static void check_map(struct check *c, const struct node *root, bool is_cut)
{
    const char *names[TOP_TOTAL];
    struct mark seen[TOP_TOTAL] = {{0}};
    struct key_set set = {names, TOP_TOTAL, synonyms, seen, "", root->first};

    for (size_t i = 0; i < TOP_TOTAL; i++) {
        names[i] = keys_at(i)->name;
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
    check_take_root(c, seen[TOP_SERVERS]);
    if (seen[TOP_SERVERS].line == 0 && c->draft->root.at.line == 0) {
        diag_error(c->d, root->at, "servers",
                   "missing; at least one server is needed, such as "
                   "servers: [quad9]");
    }
    check_rules(c);
}

int check_tree(struct check *c, const struct tree *tree)
{
    const struct node *root = tree->root;

    if (set_defaults(c->draft) != 0) {
        return ERR_NOMEM;
    }
    if (root != NULL && root->kind == NODE_MAP) {
        check_map(c, root, tree->is_cut);
    } else if (tree->is_cut) {
        return 0; /* the error of syntax says it all */
    } else if (root == NULL || node_is_null(root)) {
        diag_error(c->d, (struct mark){1, 1, NULL}, NULL,
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
