/*
 * Lists of files, names and the like: each entry checked as its kind asks. One
 * entry needs no list around it; an empty list is none of them.
 */
#include "config/check.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int draft_value_add(struct draft_value *v, char *item)
{
    /* Grown at every power of two. */
    bool is_full = (v->count & (v->count - 1)) == 0;

    if (item != NULL && is_full) {
        size_t capacity = v->count == 0 ? 1 : 2 * v->count;
        char **items = realloc(v->items, capacity * sizeof(*items));
        if (items == NULL) {
            free(item);
            item = NULL;
        } else {
            v->items = items;
        }
    }
    if (item == NULL) {
        return ERR_NOMEM;
    }
    v->items[v->count++] = item;
    return 0;
}

static void clear(struct draft_value *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->items[i]);
    }
    free(v->items);
    v->items = NULL;
    v->count = 0;
}

void draft_value_finish(struct draft_value *v)
{
    clear(v);
    free(v->path);
    *v = (struct draft_value){.path = NULL};
}

/* NULL: out of memory (remembered). */
static char *copy_text(struct check *c, const char *text)
{
    char *copy = strdup(text);

    c->d->is_out_of_memory |= copy == NULL;
    return copy;
}

/* A name and all below it, as DNS writes it. */
static char *check_domain(struct check *c, const struct node *n,
                          const char *path)
{
    char why[HOST_WHY_MAX];
    char name[HOST_NAME_MAX_LEN + 1];

    if (!check_scalar(c, n, path, "a name")) {
        return NULL;
    }
    if (host_parse_domain(n->text, name, why) != 0) {
        diag_error(c->d, n->at, path, "%s", why);
        return NULL;
    }
    return copy_text(c, name);
}

/* A file; the word `system` where one is meant by it. */
static char *check_listed_file(struct check *c, const struct key *key,
                               const struct node *n, const char *path)
{
    static const struct key file = {.name = "file", .kind = KEY_KIND_FILE};
    char *item = NULL;

    if (key == &keys_table[KEY_hosts] && n->kind == NODE_SCALAR &&
        strcmp(n->text, "system") == 0) {
        return copy_text(c, CHECK_SYSTEM_HOSTS);
    }
    return check_file(c, &file, n, path, &item) ? item : NULL;
}

/* A range of addresses, written as cidr_text() does. */
static char *check_listed_range(struct check *c, const struct node *n,
                                const char *path)
{
    struct cidr range;
    char text[ADDR_TEXT_MAX];

    if (!check_scalar(c, n, path, "a range of addresses such as 10.0.0.0/8") ||
        !check_range(c, n, path, &range)) {
        return NULL;
    }
    return copy_text(c, cidr_text(&range, text));
}

static char *check_record(struct check *c, const struct node *n,
                          const char *path)
{
    char why[HOST_WHY_MAX];

    if (!check_scalar(c, n, path, "a record such as router.lan A 192.0.2.1") ||
        !check_printable(c, n, path)) {
        return NULL;
    }
    if (policy_record_check(n->text, strlen(n->text), why, sizeof(why)) != 0) {
        diag_error(c->d, n->at, path, "\"%s\": %s", diag_quote(n->text).text,
                   why);
        return NULL;
    }
    return copy_text(c, n->text);
}

static char *check_item(struct check *c, const struct key *key,
                        const struct node *n, const char *path)
{
    switch (key->item) {
    case KEY_KIND_FILE:
        return check_listed_file(c, key, n, path);
    case KEY_KIND_RANGE:
        return check_listed_range(c, n, path);
    case KEY_KIND_RECORD:
        return check_record(c, n, path);
    default:
        return check_domain(c, n, path);
    }
}

int draft_value_add_ranges(struct draft_value *v, const struct cidr *ranges,
                           size_t count)
{
    char text[ADDR_TEXT_MAX];
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++) {
        err = draft_value_add(v, strdup(cidr_text(&ranges[i], text)));
    }
    return err;
}

/* Words that stand for several ranges. Returns whether n is one. */
static bool add_range_word(struct check *c, const struct key *key,
                           const struct node *n, struct draft_value *v)
{
    static const struct cidr all[] = {{.addr.family = 4}, {.addr.family = 6}};
    const struct cidr *ranges = all;
    size_t count = COUNT_OF(all);

    if (key->item != KEY_KIND_RANGE || n->kind != NODE_SCALAR) {
        return false;
    }
    if (strcmp(n->text, "private") == 0) {
        count = access_default(&ranges);
    } else if (strcmp(n->text, "any") != 0) {
        return false;
    }
    if (draft_value_add_ranges(v, ranges, count) != 0) {
        c->d->is_out_of_memory = true;
    }
    return true;
}

static void add(struct check *c, const struct key *key, const struct node *n,
                const char *path, struct draft_value *v)
{
    if (add_range_word(c, key, n, v)) {
        return;
    }
    char *item = check_item(c, key, n, path);
    if (item == NULL) {
        v->is_bad = true;
    } else if (draft_value_add(v, item) != 0) {
        c->d->is_out_of_memory = true;
    }
}

void check_list(struct check *c, const struct key *key, const struct node *n,
                struct draft_value *v)
{
    char path[DIAG_PATH_MAX];
    size_t i = 0;

    clear(v); /* the default */
    if (n->kind != NODE_LIST) {
        add(c, key, n, key->name, v);
        return;
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        if (i == key->max) {
            diag_error(c->d, item->at, key->name, "more than %zu entries", i);
            v->is_bad = true;
            return;
        }
        snprintf(path, sizeof(path), "%s[%zu]", key->name, i++);
        add(c, key, item, path, v);
    }
}
