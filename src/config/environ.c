/*
 * A variable becomes a pair of the tree, as if it stood in the file; from there
 * on only its marks tell the difference.
 */
#include "config/environ.h"

#include "base/err.h"
#include "config/keys.h"
#include "config/source.h"
#include "config/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "DOTSTUB_";

enum { PREFIX_LEN = sizeof(prefix) - 1, NAME_MAX_LEN = 64 };

/* One variable, cut. */
struct variable {
    const char *name; /* whole, not NUL-ended */
    size_t name_len;
    const char *value; /* without blanks around it */
    size_t value_len;
};

/* Is it one of ours, with a value? */
static bool cut(const char *text, struct variable *v)
{
    const char *equals = strchr(text, '=');

    if (strncmp(text, prefix, PREFIX_LEN) != 0 || equals == NULL) {
        return false;
    }
    *v = (struct variable){.name = text, .name_len = (size_t)(equals - text)};
    v->value = equals + 1 + strspn(equals + 1, " \t\r\n");
    v->value_len = strlen(v->value);
    while (v->value_len > 0 &&
           strchr(" \t\r\n", v->value[v->value_len - 1]) != NULL) {
        v->value_len--;
    }
    return v->value_len > 0;
}

/* The key's name in lower case; false: longer than any. */
static bool key_name(const struct variable *v, char out[NAME_MAX_LEN])
{
    size_t len = v->name_len - PREFIX_LEN;

    if (len >= NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)tolower((unsigned char)v->name[PREFIX_LEN + i]);
    }
    out[len] = '\0';
    return true;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < TOP_TOTAL; i++) {
        if (strcmp(keys_at(i)->name, name) == 0) {
            return keys_at(i);
        }
    }
    return NULL;
}

/* A slip in the name, where it is certainly one; others may use the prefix for
 * what they like, and Kubernetes does. */
static int warn_near(const struct variable *v, const char *name, struct diag *d)
{
    char upper[NAME_MAX_LEN] = "";
    struct suggest s;

    suggest_init(&s, name);
    for (size_t i = 0; i < TOP_TOTAL; i++) {
        suggest_offer(&s, keys_at(i)->name);
    }
    if (s.best == NULL) {
        return 0;
    }
    for (size_t i = 0; s.best[i] != '\0' && i < NAME_MAX_LEN - 1; i++) {
        upper[i] = (char)toupper((unsigned char)s.best[i]);
    }
    struct mark at = {1, 1, diag_variable(d, v->name, v->name_len)};
    if (at.variable == NULL) {
        return ERR_NOMEM;
    }
    diag_warning(d, at, NULL, "is no key; did you mean %s%s?", prefix, upper);
    return 0;
}

/* "[::1]:53" and "[::1],127.0.0.1" begin as a list in YAML does. */
static bool is_bracketed_address(const char *text)
{
    size_t len = strspn(text + 1, "0123456789abcdefABCDEF:.");
    const char *end = text + 1 + len;

    return memchr(text + 1, ':', len) != NULL && *end == ']';
}

static bool is_yaml(const struct variable *v, const struct key *key)
{
    if (key->kind == KEY_KIND_MAP ||
        memchr(v->value, '\n', v->value_len) != NULL) {
        return true;
    }
    return strchr("[{\"'", *v->value) != NULL &&
           !(*v->value == '[' && is_bracketed_address(v->value));
}

/* The entries between the commas. */
static int add_entries(struct tree *t, const struct source *s, struct mark at)
{
    const char *text = s->text;

    t->root = tree_add(t, NULL, NODE_LIST, at, NULL, 0);
    while (t->root != NULL) {
        size_t len = strcspn(text, ",");
        size_t before = strspn(text, " \t");
        size_t end = len;
        before = before > len ? len : before;
        while (end > before && strchr(" \t", text[end - 1]) != NULL) {
            end--;
        }
        if (tree_add(t, t->root, NODE_SCALAR, at, text + before,
                     end - before) == NULL) {
            return ERR_NOMEM;
        }
        if (text[len] == '\0') {
            return 0;
        }
        text += len + 1;
    }
    return ERR_NOMEM;
}

/* What the value says, as a tree of its own. */
static int parse(const struct source *s, const struct key *key, bool as_yaml,
                 struct mark at, struct tree *out, struct diag *d)
{
    *out = (struct tree){.root = NULL};
    if (as_yaml) {
        return tree_parse(s, out, d);
    }
    bool is_list = key->kind == KEY_KIND_LIST && key->item != KEY_KIND_RECORD;
    if (is_list && strchr(s->text, ',') != NULL) {
        return add_entries(out, s, at);
    }
    out->root = tree_add(out, NULL, NODE_SCALAR, at, s->text, s->len);
    return out->root == NULL ? ERR_NOMEM : 0;
}

static int put(const struct variable *v, const struct key *key, struct tree *t,
               struct diag *d)
{
    struct mark at = {1, 1, diag_variable(d, v->name, v->name_len)};
    struct source s;
    struct tree value = {.root = NULL};

    if (at.variable == NULL) {
        return ERR_NOMEM;
    }
    int err = source_copy(v->value, v->value_len, &s, d);
    if (err != 0) {
        return err;
    }
    s.variable = at.variable;
    err = source_clean(&s, d);
    if (err == 0) {
        err = parse(&s, key, is_yaml(v, key), at, &value, d);
    }
    t->is_cut |= value.is_cut;
    if (err == 0 && !value.is_cut) {
        err = tree_put(t, key->name, at, &value);
    }
    tree_finish(&value);
    source_finish(&s);
    return err;
}

static int apply(const struct variable *v, struct tree *t, struct diag *d)
{
    char name[NAME_MAX_LEN];

    if (!key_name(v, name)) {
        return 0;
    }
    const struct key *key = find_key(name);
    if (key == NULL) {
        return warn_near(v, name, d);
    }
    int err = put(v, key, t, d);
    if (err == ERR_CONFIG) {
        t->is_cut = true; /* it is in d */
        return 0;
    }
    return err;
}

int environ_apply(char *const *environment, struct tree *t, struct diag *d)
{
    struct variable v;
    int err = 0;

    for (; err == 0 && *environment != NULL; environment++) {
        if (cut(*environment, &v)) {
            err = apply(&v, t, d);
        }
    }
    return err;
}

static bool has_servers(char *const *environment)
{
    struct variable v;
    char name[NAME_MAX_LEN];

    for (; *environment != NULL; environment++) {
        if (cut(*environment, &v) && key_name(&v, name) &&
            (strcmp(name, "servers") == 0 || strcmp(name, "zones") == 0)) {
            return true;
        }
    }
    return false;
}

bool environ_replaces(char *const *environment, const char *file)
{
    return strcmp(file, "-") != 0 && has_servers(environment) &&
           access(file, F_OK) != 0 && errno == ENOENT;
}
