/*
 * Finding out which key a pair of a mapping means.
 */
#include "config/check.h"

#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

const char *check_path_join(char out[DIAG_PATH_MAX], const char *parent,
                            const char *name)
{
    snprintf(out, DIAG_PATH_MAX, "%s%s%s", parent, *parent == '\0' ? "" : ".",
             diag_quote(name).text);
    return out;
}

static int find_exact(const struct key_set *set, const char *word)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->names[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* The name that word probably means; NULL: no idea. */
static const char *find_near(const struct key_set *set, const char *word)
{
    struct suggest s;

    for (const struct synonym *y = set->synonyms; y->word != NULL; y++) {
        if (suggest_is_same(y->word, word)) {
            return y->name;
        }
    }
    suggest_init(&s, word);
    for (size_t i = 0; i < set->count; i++) {
        suggest_offer(&s, set->names[i]);
    }
    return s.best;
}

static void report_duplicate(struct check *c, const struct key_set *set,
                             const struct node *key, int index)
{
    char path[DIAG_PATH_MAX];

    diag_error(c->d, key->at, check_path_join(path, set->path, key->text),
               "duplicate key, it is in line %u already",
               set->seen[index].line);
}

/* Words of programs that can do without TLS, or without checking who answers.
 */
static bool is_about_trust(const char *word)
{
    static const char *const words[] = {
        "verify",     "verify_tls", "verify_ssl",  "tls_verify",
        "ssl_verify", "no_verify",  "skip_verify", "insecure_skip_verify",
        "insecure",   "tls",        "ssl",
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (suggest_is_same(words[i], word)) {
            return true;
        }
    }
    return false;
}

bool check_says(const struct key_set *set, const char *name)
{
    for (const struct node *n = set->first; n != NULL; n = n->next) {
        if (n->key->kind == NODE_SCALAR && strcmp(n->key->text, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A word that is no key. One that is certainly meant for a key is taken for
 * it, so that its value is checked in the same run; but the key itself, where
 * it is there too, comes before a guess. */
static int report_unknown(struct check *c, const struct key_set *set,
                          const struct node *key)
{
    char path[DIAG_PATH_MAX];
    const char *near;

    check_path_join(path, set->path, key->text);
    if (is_about_trust(key->text)) {
        diag_error(c->d, key->at, path,
                   "unknown key; servers are asked over TLS and verified "
                   "always, that cannot be turned off");
        return -1;
    }
    near = find_near(set, key->text);
    if (near == NULL) {
        diag_error(c->d, key->at, path, "unknown key");
        return -1;
    }
    diag_error(c->d, key->at, path, "unknown key; did you mean %s?", near);
    int index = find_exact(set, near);
    bool is_free =
        index >= 0 && set->seen[index].line == 0 && !check_says(set, near);
    return is_free ? index : -1;
}

int check_key(struct check *c, const struct key_set *set,
              const struct node *pair)
{
    const struct node *key = pair->key;

    if (key->kind != NODE_SCALAR) {
        diag_error(c->d, key->at, set->path, "%s where a key is expected",
                   node_kind_text(key));
        return -1;
    }
    int index = find_exact(set, key->text);
    if (index < 0) {
        index = report_unknown(c, set, key);
    } else if (set->seen[index].line != 0) {
        report_duplicate(c, set, key, index);
        index = -1;
    }
    if (index >= 0) {
        set->seen[index] = key->at;
    }
    return index;
}
