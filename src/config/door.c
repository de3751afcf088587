/*
 * The way of a configuration (config.c) with two keys alone, which goes on
 * where that one ends: after a fault the text is cut at the lines where a key
 * begins, and each of the two is read by itself.
 */
#include "config/door.h"

#include "base/err.h"
#include "config/check.h"
#include "config/diag.h"
#include "config/environ.h"
#include "config/source.h"
#include "config/tree.h"

#include <stdlib.h>
#include <string.h>

enum { LISTEN, CONTROL, WANTED };

static const char *const wanted[WANTED] = {"listen", "control"};
static const char *const variables[WANTED] = {"DOTSTUB_LISTEN=",
                                              "DOTSTUB_CONTROL="};

/* What is read, on its way. */
struct reading {
    struct tree tree;     /* of the wanted pairs alone */
    bool is_lost[WANTED]; /* it is in the file, beside a fault of syntax, and
                             cannot be read; or there is no file to read */
};

static bool is_pair_of(const struct node *pair, const char *key)
{
    return pair->key->kind == NODE_SCALAR && strcmp(pair->key->text, key) == 0;
}

static bool has_pair(const struct tree *t, const char *key)
{
    for (const struct node *n = t->root->first; n != NULL; n = n->next) {
        if (is_pair_of(n, key)) {
            return true;
        }
    }
    return false;
}

/* Leave the wanted pairs alone in the root, which becomes a mapping. The tree
 * owns the others until its end. */
static int keep_wanted(struct tree *t)
{
    struct mark start = {1, 1, NULL};
    struct node *n = NULL;

    if (t->root != NULL && t->root->kind == NODE_MAP) {
        n = t->root->first;
        t->root->first = NULL;
        t->root->last = NULL;
    } else {
        t->root = tree_add(t, NULL, NODE_MAP, start, NULL, 0);
    }
    while (n != NULL) {
        struct node *next = n->next;
        n->next = NULL;
        if (is_pair_of(n, wanted[LISTEN]) || is_pair_of(n, wanted[CONTROL])) {
            if (t->root->last == NULL) {
                t->root->first = n;
            } else {
                t->root->last->next = n;
            }
            t->root->last = n;
        }
        n = next;
    }
    return t->root == NULL ? ERR_NOMEM : 0;
}

/* ---- beside a fault ---- */

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line == '\0' ? NULL : line + 1;
}

static bool begins_key(const char *line, const char *key)
{
    size_t len = strlen(key);

    return strncmp(line, key, len) == 0 && line[len] == ':';
}

/* Does the line go on with the value of a key before it? */
static bool goes_on(const char *line)
{
    return strchr(" \t\r\n#", *line) != NULL ||
           (*line == '-' && strncmp(line, "---", 3) != 0);
}

/* The lines of key, behind as many empty ones as stand before them, so that
 * places are right. NULL: there are none, or there is no memory. */
static char *lines_of(const char *text, const char *key)
{
    size_t number = 0;
    const char *line = text;

    while (line != NULL && !begins_key(line, key)) {
        line = next_line(line);
        number++;
    }
    if (line == NULL) {
        return NULL;
    }
    const char *end = next_line(line);
    while (end != NULL && *end != '\0' && goes_on(end)) {
        end = next_line(end);
    }
    size_t len = end == NULL ? strlen(line) : (size_t)(end - line);
    char *out = malloc(number + len + 1);
    if (out != NULL) {
        memset(out, '\n', number);
        memcpy(out + number, line, len);
        out[number + len] = '\0';
    }
    return out;
}

/* Put what text says of key into t, if it can be read. Returns 0 | ERR_NOMEM |
 * ERR_CONFIG. */
static int read_lines(const char *text, const char *key, struct tree *t,
                      struct diag *d)
{
    struct source s = {.text = NULL};
    struct tree part = {.root = NULL};
    int err = source_copy(text, strlen(text), &s, d);

    if (err == 0) {
        err = source_clean(&s, d);
    }
    if (err == 0) {
        err = tree_parse(&s, &part, d);
    }
    source_finish(&s);
    if (err == 0 && (part.root == NULL || part.root->first == NULL)) {
        err = ERR_CONFIG;
    }
    if (err == 0) {
        struct mark at = part.root->first->key->at;
        part.root = part.root->first;
        part.root->next = NULL;
        err = tree_put(t, key, at, &part);
    }
    tree_finish(&part);
    return err;
}

/* The fault is told already, and what is wrong with these lines is the same. */
static int rescue(const char *text, struct reading *r)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < WANTED; i++) {
        char *lines = lines_of(text, wanted[i]);
        struct diag unheard;

        diag_init(&unheard, "");
        if (lines != NULL) {
            err = read_lines(lines, wanted[i], &r->tree, &unheard);
        }
        r->is_lost[i] = err == ERR_CONFIG;
        err = err == ERR_CONFIG ? 0 : err;
        diag_finish(&unheard);
        free(lines);
    }
    return err;
}

/* ---- the way ---- */

/* What can be known of the file's text. */
static int parse(struct source *s, struct reading *r, struct diag *d)
{
    int err = source_clean(s, d);

    if (err == 0) {
        err = tree_parse(s, &r->tree, d);
    } else {
        r->tree.is_cut = true;
    }
    if (err != 0 && err != ERR_CONFIG) {
        return err;
    }
    err = keep_wanted(&r->tree);
    return err == 0 && r->tree.is_cut ? rescue(s->text, r) : err;
}

static int apply_environment(char *const *environment, struct tree *t,
                             struct diag *d)
{
    char *ours[COUNT_OF(variables) + 1] = {NULL};
    size_t count = 0;

    for (; *environment != NULL && count < COUNT_OF(variables); environment++) {
        for (size_t i = 0; i < COUNT_OF(variables); i++) {
            if (strncmp(*environment, variables[i], strlen(variables[i])) ==
                0) {
                ours[count++] = *environment;
                break;
            }
        }
    }
    return environ_apply(ours, t, d);
}

static int take(struct draft *draft, const bool is_lost[WANTED],
                struct config_door *out)
{
    struct draft_value *control = &draft->values[KEY_control];

    out->listen = calloc(draft->listen.count + 1, sizeof(*out->listen));
    if (out->listen == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < draft->listen.count && !is_lost[LISTEN]; i++) {
        out->listen[out->listen_count++] = draft->listen.items[i].addr;
    }
    out->is_control_bad = control->is_bad || is_lost[CONTROL];
    if (!out->is_control_bad) {
        out->control = control->path;
        control->path = NULL;
    }
    return 0;
}

static int check(struct source *s, struct reading *r, struct config_door *out,
                 struct diag *d)
{
    struct draft *draft = calloc(1, sizeof(*draft));
    struct check c = {.file = d->file, .source = s, .d = d, .draft = draft};

    if (draft == NULL) {
        return ERR_NOMEM;
    }
    r->tree.is_cut = true; /* what else a file must have is not asked for */
    int err = check_tree(&c, &r->tree);
    if (err == 0) {
        err = take(draft, r->is_lost, out);
    }
    draft_finish(draft);
    free(draft);
    return err;
}

static int load(struct source *s, struct reading *r, char *const *environment,
                struct config_door *out, struct diag *d)
{
    int err = parse(s, r, d);

    if (err == 0) {
        err = apply_environment(environment, &r->tree, d);
    }
    for (size_t i = 0; err == 0 && i < WANTED; i++) {
        r->is_lost[i] = r->is_lost[i] && !has_pair(&r->tree, wanted[i]);
    }
    return err == 0 ? check(s, r, out, d) : err;
}

/* Without a file the environment may say where. */
static int load_file(const char *file, char *const *environment,
                     struct config_door *out, struct diag *d)
{
    struct reading r = {.is_lost = {false}};
    struct source s = {.text = NULL};
    int err = source_read(file, &s, d);
    bool is_unread = err == ERR_CONFIG;

    if (is_unread) {
        /* The program would not run with it, unless the environment is all
         * that it needs: it runs with something else then. */
        bool is_needed = !environ_replaces(environment, file);
        r.is_lost[LISTEN] = is_needed;
        r.is_lost[CONTROL] = is_needed;
        err = source_copy("", 0, &s, d);
    }
    if (err == 0) {
        err = load(&s, &r, environment, out, d);
    }
    out->is_nowhere =
        is_unread && out->listen_count == 0 && out->control == NULL;
    source_finish(&s);
    tree_finish(&r.tree);
    return err;
}

int config_door_load(const char *file, char *const *environment,
                     struct config_door *out, struct config_diagnostics *d)
{
    struct config_door door = {.listen = NULL};
    struct diag diag;

    *out = door;
    diag_init(&diag, strcmp(file, "-") == 0 ? "<stdin>" : file);
    int err = load_file(file, environment, &door, &diag);
    for (size_t i = 0; i < diag.count && !door.is_nowhere; i++) {
        diag.items[i].is_error = false;
    }
    diag.errors = door.is_nowhere ? diag.errors : 0;
    int export_err = diag_export(&diag, d);
    diag_finish(&diag);
    err = err != 0 ? err : export_err;
    if (err != 0) {
        config_door_finish(&door);
        return ERR_NOMEM;
    }
    *out = door;
    return 0;
}

void config_door_finish(struct config_door *door)
{
    free(door->listen);
    free(door->control);
    *door = (struct config_door){.listen = NULL};
}
