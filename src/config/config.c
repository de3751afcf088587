/*
 * The way of a file: read, clean, parse to a tree, put what the environment
 * says into it, check it into a draft, write the draft as normalised YAML, load
 * that with libcyaml. Each step adds what
 * it finds to the diagnostics; the next runs where it can still say more.
 */
#include "config/config.h"

#include "base/err.h"
#include "config/check.h"
#include "config/diag.h"
#include "config/environ.h"
#include "config/load.h"
#include "config/source.h"
#include "config/tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From a good draft to the configuration. */
static int finish(const struct draft *draft, struct config **out,
                  struct diag *d)
{
    char *text = NULL;
    size_t len = 0;
    int err = normal_write(draft, &text, &len);

    if (err == 0) {
        err = load_normal(text, len, out, d);
    }
    free(text);
    return err;
}

static int load_tree(const struct source *source, const struct tree *tree,
                     struct config **out, struct diag *d)
{
    struct draft *draft = calloc(1, sizeof(*draft));
    struct check check = {
        .file = d->file, .source = source, .d = d, .draft = draft};

    if (draft == NULL) {
        return ERR_NOMEM;
    }
    int err = check_tree(&check, tree);
    if (err == 0) {
        err = d->errors > 0 ? ERR_CONFIG : finish(draft, out, d);
    }
    draft_finish(draft);
    free(draft);
    return err;
}

static int load_source(struct source *source, char *const *environment,
                       struct config **out, struct diag *d)
{
    struct tree tree;
    int err = source_clean(source, d);

    if (err != 0) {
        return err;
    }
    err = tree_parse(source, &tree, d);
    if (err != 0) {
        return err;
    }
    err = environ_apply(environment, &tree, d);
    if (err == 0) {
        err = load_tree(source, &tree, out, d);
    }
    tree_finish(&tree);
    return err;
}

/* Without a file: was a variable meant to take its place? */
static int look_at_environment(char *const *environment, struct diag *d)
{
    struct tree tree = {.root = NULL};
    int err = environ_apply(environment, &tree, d);

    tree_finish(&tree);
    return err != 0 ? err : ERR_CONFIG;
}

/* Hand everything to the caller; err is what reading the source came to. */
static int load(struct source *source, int err, char *const *environment,
                struct config **out, struct diag *d,
                struct config_diagnostics *diagnostics)
{
    struct config *c = NULL;

    if (err == 0) {
        err = load_source(source, environment, &c, d);
    } else if (err == ERR_CONFIG) {
        err = look_at_environment(environment, d);
    }
    source_finish(source);
    int export_err = diag_export(d, diagnostics);
    diag_finish(d);
    err = export_err != 0 ? export_err : err;
    if (err != 0) {
        config_destroy(c);
        return err;
    }
    *out = c;
    return 0;
}

int config_load_environ(const char *file, char *const *environment,
                        struct config **out, struct config_diagnostics *d)
{
    struct diag diag;
    struct source source;
    int err;

    diag_init(&diag, strcmp(file, "-") == 0 ? "<stdin>" : file);
    if (environ_replaces(environment, file)) {
        diag_warning(&diag, (struct mark){.line = 0}, NULL,
                     "is not there; the environment and defaults are used");
        err = source_copy("", 0, &source, &diag);
    } else {
        err = source_read(file, &source, &diag);
    }
    return load(&source, err, environment, out, &diag, d);
}

int config_load(const char *file, struct config **out,
                struct config_diagnostics *d)
{
    return config_load_environ(file, environ, out, d);
}

int config_load_text(const char *text, size_t len, const char *file,
                     struct config **out, struct config_diagnostics *d)
{
    static char *const nothing[] = {NULL};
    struct diag diag;
    struct source source;

    diag_init(&diag, file);
    int err = source_copy(text, len, &source, &diag);
    return load(&source, err, nothing, out, &diag, d);
}

static void finish_list(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i]);
    }
    free(items);
}

void config_destroy(struct config *c)
{
    if (c == NULL) {
        return;
    }
    config_pool_finish(&c->pool);
    for (size_t i = 0; i < c->zone_count; i++) {
        config_pool_finish(&c->zones[i].pool);
        free(c->zones[i].name);
        free(c->zones[i].resolv_conf);
    }
    free(c->zones);
    free(c->allow);
    free(c->admin);
#define FINISH_NOTHING(...)
#define FINISH_PATH(name_, member_, ...) free(c->member_);
#define FINISH_LIST(name_, member_, count_, ...) \
    finish_list(c->member_, c->count_);
    KEYS(FINISH_NOTHING, FINISH_NOTHING, FINISH_NOTHING, FINISH_PATH,
         FINISH_LIST)
    free(c->listen);
    free(c);
}
