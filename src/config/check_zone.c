/*
 * `zones`: suffixes, each with servers of its own. A name is one suffix, a
 * range of addresses one or several (reverse.h); what is said of them is read
 * once, into a target that they share.
 *
 * "." stands for what no other zone takes: its servers are those of the draft.
 * `search` stands for the search domains of a resolv.conf; it is read last, so
 * that a zone that is written out comes before one that is not.
 */
#include "config/check.h"

#include "base/err.h"
#include "config/resolv.h"
#include "config/reverse.h"
#include "config/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void draft_target_finish(struct draft_target *t)
{
    draft_pool_finish(&t->pool);
    free(t->resolv_conf);
    t->resolv_conf = NULL;
}

/* Room for one more of len octets, at every power of two; NULL: out of memory
 * (remembered), items stays as it is. */
static void *grow(struct check *c, void *items, size_t count, size_t len)
{
    if ((count & (count - 1)) != 0) {
        return items;
    }
    void *grown = realloc(items, (count == 0 ? 1 : 2 * count) * len);
    c->d->is_out_of_memory |= grown == NULL;
    return grown;
}

/* A new target, empty; NULL: out of memory (remembered). */
static struct draft_target *add_target(struct check *c)
{
    struct draft *draft = c->draft;
    struct draft_target *targets =
        grow(c, draft->targets, draft->target_count, sizeof(*targets));

    if (targets == NULL) {
        return NULL;
    }
    draft->targets = targets;
    struct draft_target *t = &targets[draft->target_count++];
    *t = (struct draft_target){.is_nxdomain = false};
    return t;
}

/* NULL: there is none of that name. */
static const struct draft_zone *find_zone(const struct draft *draft,
                                          const char *name)
{
    for (size_t i = 0; i < draft->zone_count; i++) {
        if (strcmp(draft->zones[i].name, name) == 0) {
            return &draft->zones[i];
        }
    }
    return NULL;
}

/* The zone name leads to the target made last. False: it does not (reported).
 */
static bool add_zone(struct check *c, const char *name, const struct node *key,
                     const char *path)
{
    struct draft *draft = c->draft;
    const struct draft_zone *other = find_zone(draft, name);

    if (other != NULL) {
        diag_error(c->d, key->at, path, "%s is %s already", name,
                   diag_place(other->at).text);
        return false;
    }
    if (draft->zone_count == CHECK_ZONES_MAX) {
        diag_error(c->d, key->at, path,
                   "more than %d zones (a range of addresses may be several, "
                   "and so may search)",
                   CHECK_ZONES_MAX);
        return false;
    }
    struct draft_zone *zones =
        grow(c, draft->zones, draft->zone_count, sizeof(*zones));
    if (zones == NULL) {
        return false;
    }
    draft->zones = zones;
    char *copy = strdup(name);
    if (copy == NULL) {
        c->d->is_out_of_memory = true;
        return false;
    }
    draft->zones[draft->zone_count++] = (struct draft_zone){
        .name = copy, .at = key->at, .target = draft->target_count - 1};
    return true;
}

static void add_root(struct check *c, const struct node *key, const char *path)
{
    struct draft *draft = c->draft;

    if (draft->root.at.line != 0) {
        diag_error(c->d, key->at, path, "is %s already",
                   diag_place(draft->root.at).text);
        return;
    }
    draft->root =
        (struct draft_zone){.at = key->at, .target = draft->target_count - 1};
}

static void add_range(struct check *c, const struct node *key, const char *path)
{
    struct cidr range;
    char name[REVERSE_TEXT_MAX];

    if (strchr(key->text, '/') == NULL) {
        diag_error(c->d, key->at, path,
                   "an address is no suffix; did you mean %s/%s, its reverse "
                   "name?",
                   key->text, strchr(key->text, ':') == NULL ? "32" : "128");
        return;
    }
    if (!check_range(c, key, path, &range)) {
        return;
    }
    /* One message is enough for all of them. */
    size_t i = 0;
    while (i < reverse_count(&range) &&
           add_zone(c, reverse_name(&range, i, name), key, path)) {
        i++;
    }
}

static void add_name(struct check *c, const struct node *key, const char *path)
{
    char why[HOST_WHY_MAX];
    char name[HOST_NAME_MAX_LEN + 2];

    if (host_parse_domain(key->text, name, why) != 0) {
        diag_error(c->d, key->at, path, "%s", why);
        return;
    }
    memcpy(name + strlen(name), ".", 2);
    (void)add_zone(c, name, key, path);
}

/* Other programs' words for a zone without servers. */
static bool means_nxdomain(const char *text)
{
    static const char *const words[] = {
        "nxdomain", "always_nxdomain",
        "static",   "refuse",
        "refused",  "block",
        "deny",     "none",
        "off",      "no",
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (suggest_is_same(words[i], text)) {
            return true;
        }
    }
    return false;
}

/* {resolv_conf: FILE}: may be missing now and come later. */
static void check_resolv_conf(struct check *c, const struct node *n,
                              const char *path, struct draft_target *t)
{
    static const struct synonym synonyms[] = {
        {"resolv.conf", "resolv_conf"}, {"file", "resolv_conf"}, {NULL, NULL}};
    static const struct key key = {.name = "resolv_conf",
                                   .kind = KEY_KIND_LATER};
    const char *names[] = {"resolv_conf"};
    struct mark seen[COUNT_OF(names)] = {{0}};
    struct key_set set = {names, COUNT_OF(names), synonyms, seen,
                          path,  n->first};
    char sub[DIAG_PATH_MAX];

    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        if (check_key(c, &set, pair) == 0) {
            (void)check_file(c, &key, pair,
                             check_path_join(sub, path, key.name),
                             &t->resolv_conf);
        }
    }
    if (seen[0].line == 0) {
        diag_error(c->d, n->at, path, "resolv_conf is missing");
    }
}

/* Is n a mapping that has to do with a resolv.conf, and not a server? */
static bool is_resolv_conf(const struct node *n)
{
    return n->kind == NODE_MAP && n->first != NULL && n->first == n->last &&
           n->first->key->kind == NODE_SCALAR &&
           (suggest_is_same(n->first->key->text, "resolv_conf") ||
            suggest_is_same(n->first->key->text, "resolv.conf") ||
            suggest_is_same(n->first->key->text, "file"));
}

/* Servers in any form, or the word for none. */
static void check_target_servers(struct check *c, const struct node *n,
                                 const char *path, struct draft_target *t)
{
    if (is_resolv_conf(n)) {
        check_resolv_conf(c, n, path, t);
    } else if (n->kind == NODE_SCALAR && strcmp(n->text, "nxdomain") == 0) {
        t->is_nxdomain = true;
    } else if (n->kind == NODE_SCALAR && means_nxdomain(n->text)) {
        diag_error(c->d, n->at, path,
                   "%s is not a server; did you mean "
                   "nxdomain?",
                   diag_quote(n->text).text);
    } else {
        check_servers(c, n, path, ENDPOINT_ZONE, &t->pool);
    }
}

static void check_target_value(struct check *c, enum zone_key_id id,
                               const struct node *n, const char *path,
                               struct draft_value *v)
{
    const struct key *key = &keys_of_zone[id];

    v->at = n->at;
    v->is_given = true;
    v->is_bad = key->kind == KEY_KIND_SWITCH
                    ? !check_switch(c, n, path, &v->number)
                : key->kind == KEY_KIND_CHOICE
                    ? !check_choice(c, key, n, path, &v->number)
                    : !check_number(c, key, n, path, &v->number);
}

/* {servers: …, strategy: …} */
static void check_target_map(struct check *c, const struct node *n,
                             const char *path, struct draft_target *t)
{
    static const struct synonym synonyms[] = {
        {"server", "servers"},
        {"forward", "servers"},
        {"forward_to", "servers"},
        {"forward_addr", "servers"},
        {"forwarders", "servers"},
        {"upstream", "servers"},
        {"upstreams", "servers"},
        {"nameservers", "servers"},
        {"address", "servers"},
        {"addresses", "servers"},
        {"policy", "strategy"},
        {"caps_for_id", "random_case"},
        {"0x20", "random_case"},
        {"use_caps_for_id", "random_case"},
        {"no_cache", "cache"},
        {"cache_size", "cache"},
        {NULL, NULL}};
    const char *names[ZONE_KEYS_TOTAL];
    struct mark seen[ZONE_KEYS_TOTAL] = {{0}};
    struct key_set set = {names, ZONE_KEYS_TOTAL, synonyms, seen,
                          path,  n->first};
    char sub[DIAG_PATH_MAX];

    for (size_t i = 0; i < ZONE_KEYS_TOTAL; i++) {
        names[i] = keys_of_zone[i].name;
    }
    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        int index = check_key(c, &set, pair);
        if (index < 0) {
            continue;
        }
        check_path_join(sub, path, names[index]);
        if (index == ZONE_KEY_SERVERS) {
            check_target_servers(c, pair, sub, t);
        } else {
            check_target_value(c, (enum zone_key_id)index, pair, sub,
                               &t->values[index]);
        }
    }
    if (seen[ZONE_KEY_SERVERS].line == 0) {
        diag_error(c->d, n->at, path,
                   "servers is missing (nxdomain in place of the mapping is a "
                   "zone without any)");
    }
}

static void check_target(struct check *c, const struct node *n,
                         const char *path, struct draft_target *t)
{
    snprintf(t->path, sizeof(t->path), "%s", path);
    t->values[ZONE_KEY_CACHE].number = true;
    if (is_resolv_conf(n)) {
        diag_error(c->d, n->first->key->at, path,
                   "did you mean {servers: {resolv_conf: FILE}}?");
    } else if (n->kind == NODE_MAP) {
        check_target_map(c, n, path, t);
    } else {
        check_target_servers(c, n, path, t);
    }
}

static void check_zone(struct check *c, const struct node *pair)
{
    char path[DIAG_PATH_MAX];
    const struct node *key = pair->key;
    bool is_root = key->kind == NODE_SCALAR && strcmp(key->text, ".") == 0;

    if (key->kind != NODE_SCALAR) {
        diag_error(c->d, key->at, "zones", "%s where a suffix is expected",
                   node_kind_text(key));
        return;
    }
    check_path_join(path, "zones", is_root ? "\".\"" : key->text);
    struct draft_target *t = add_target(c);
    if (t == NULL) {
        return;
    }
    if (is_root) {
        add_root(c, key, path);
    } else if (check_looks_like_range(key->text)) {
        add_range(c, key, path);
    } else {
        add_name(c, key, path);
    }
    check_target(c, pair, path, t);
    if (is_root) {
        check_root(c, t);
    }
}

/* ---- search ---- */

/* A zone for word, a domain of the search line of t's file. False: no more of
 * them will do (reported). */
static bool add_domain(struct check *c, const struct node *key,
                       const struct draft_target *t, const char *word)
{
    char why[HOST_WHY_MAX];
    char name[HOST_NAME_MAX_LEN + 2];
    const char *file = t->resolv_conf;

    if (host_parse_domain(word, name, why) != 0) {
        diag_warning(c->d, key->at, t->path,
                     "%s: a search domain is skipped: %s",
                     diag_quote(file).text, why);
        return true;
    }
    bool is_single = strchr(name, '.') == NULL;
    memcpy(name + strlen(name), ".", 2);
    if (find_zone(c->draft, name) != NULL) {
        return true;
    }
    if (is_single) {
        diag_warning(
            c->d, key->at, t->path,
            "%s: a search domain is skipped: \"%s\" is a single label; "
            "where it is meant, write it as a zone of its own",
            diag_quote(file).text, word);
        return true;
    }
    return add_zone(c, name, key, t->path);
}

/* One zone for each domain of the file. Others write it, so what is wrong in it
 * is no error; only more domains than there is room for are. */
static void add_search(struct check *c, const struct node *key,
                       const struct draft_target *t)
{
    char *line = NULL;
    int err = resolv_search(t->resolv_conf, &line);

    if (err == ERR_NOMEM) {
        c->d->is_out_of_memory = true;
        return;
    }
    if (err != 0 || *line == '\0') {
        diag_warning(c->d, key->at, t->path,
                     "%s: %s; no zone comes of it before the configuration is "
                     "loaded again",
                     diag_quote(t->resolv_conf).text,
                     err != 0 ? strerror(errno) : "no search line");
    }
    char *rest = NULL;
    char *word = err != 0 ? NULL : strtok_r(line, " ", &rest);
    while (word != NULL && add_domain(c, key, t, word)) {
        word = strtok_r(NULL, " ", &rest);
    }
    free(line);
}

/* `search`, NULL: it is not there. All other zones are in the draft. */
static void check_search(struct check *c, const struct node *pair)
{
    static const char path[] = "zones.search";
    struct draft_target *t = pair == NULL ? NULL : add_target(c);

    if (t == NULL) {
        return;
    }
    size_t errors = c->d->errors;
    check_target(c, pair, path, t);
    if (t->resolv_conf != NULL) {
        add_search(c, pair->key, t);
    } else if (c->d->errors == errors) {
        diag_error(c->d, pair->key->at, path,
                   "stands for the domains of the search line of a "
                   "resolv.conf, as in search: {servers: {resolv_conf: "
                   "/etc/resolv.conf}}; a zone of that name is \"search.\"");
    }
}

static bool is_search(const struct node *key)
{
    return key->kind == NODE_SCALAR && strcmp(key->text, "search") == 0;
}

void check_zones(struct check *c, const struct node *n)
{
    const struct node *search = NULL;

    if (n->kind != NODE_MAP) {
        diag_error(c->d, n->at, "zones",
                   "%s where a mapping of suffixes is needed, such as zones: "
                   "{cluster.local: \"udp://10.96.0.10\"}",
                   node_kind_text(n));
        return;
    }
    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        if (!is_search(pair->key)) {
            check_zone(c, pair);
        } else if (search == NULL) {
            search = pair;
        } else {
            diag_error(c->d, pair->key->at, "zones.search", "is %s already",
                       diag_place(search->key->at).text);
        }
    }
    check_search(c, search);
}
