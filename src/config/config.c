/*
 * The way of a file: read, clean, parse to a tree, check into a draft, write
 * the draft as normalised YAML, load that with libcyaml. Each step adds what
 * it finds to the diagnostics; the next runs where it can still say more.
 */
#include "config/config.h"

#include "base/err.h"
#include "config/check.h"
#include "config/diag.h"
#include "config/load.h"
#include "config/source.h"
#include "config/tree.h"

#include <stdlib.h>
#include <string.h>

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

static int load_source(struct source *source, struct config **out,
                       struct diag *d)
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
    err = load_tree(source, &tree, out, d);
    tree_finish(&tree);
    return err;
}

/* Hand everything to the caller; err is what reading the source came to. */
static int load(struct source *source, int err, struct config **out,
                struct diag *d, struct config_diagnostics *diagnostics)
{
    struct config *c = NULL;

    if (err == 0) {
        err = load_source(source, &c, d);
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

int config_load(const char *file, struct config **out,
                struct config_diagnostics *d)
{
    struct diag diag;
    struct source source;

    diag_init(&diag, strcmp(file, "-") == 0 ? "<stdin>" : file);
    int err = source_read(file, &source, &diag);
    return load(&source, err, out, &diag, d);
}

int config_load_text(const char *text, size_t len, const char *file,
                     struct config **out, struct config_diagnostics *d)
{
    struct diag diag;
    struct source source;

    diag_init(&diag, file);
    int err = source_copy(text, len, &source, &diag);
    return load(&source, err, out, &diag, d);
}

void config_destroy(struct config *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->server_count; i++) {
        free(c->servers[i].label);
        free(c->servers[i].name);
        free(c->servers[i].pins);
        free(c->servers[i].ca_file);
    }
    free(c->servers);
    free(c->listen);
    free(c->ca_file);
    free(c->ca_dir);
    free(c->cache_file);
    free(c);
}
