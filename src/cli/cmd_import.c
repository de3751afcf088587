/*
 * dotstub import: another program's configuration, in dotstub's words. What is
 * printed was read back by dotstub's own reader.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the kind ---- */

static const struct import_kind *kind_named(const char *name)
{
    for (size_t i = 0; i < import_kind_count; i++) {
        if (strcmp(import_kinds[i].name, name) == 0) {
            return &import_kinds[i];
        }
    }
    return NULL;
}

static int unknown_kind(const char *word)
{
    const char *names[8];
    size_t count = 0;

    for (; count < import_kind_count; count++) {
        names[count] = import_kinds[count].name;
    }
    return cli_usage_error("not stubby, unbound, resolved, dnsdist, "
                           "dnsdist-lua or proxy:",
                           word, names, count);
}

/* ---- faults ---- */

/* Show what could not be read, in the order of the lines. */
static void show_faults(struct import *im)
{
    struct config_diagnostics d;

    if (diag_export(&im->faults, &d) != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(ERR_NOMEM));
        return;
    }
    for (size_t i = 0; i < d.count; i++) {
        fprintf(stderr, "%s\n", d.lines[i]);
    }
    config_diagnostics_finish(&d);
}

/* ---- the result ---- */

/* Would dotstub take it, and is all of it there? Says why not. */
static int check(const char *text, size_t len, bool is_incomplete)
{
    struct config_diagnostics d;
    struct config *config = NULL;
    int err = config_load_text(text, len, "the result", &config, &d);

    for (size_t i = 0; i < d.count; i++) {
        fprintf(stderr, "%s\n", d.lines[i]);
    }
    config_diagnostics_finish(&d);
    config_destroy(config);
    if (err != 0) {
        fprintf(stderr, "dotstub: what is printed must be mended before it "
                        "can be used\n");
    } else if (is_incomplete) {
        fprintf(stderr, "dotstub: what is printed lacks something that must be "
                        "added by hand: see its comments\n");
    }
    return err != 0 || is_incomplete ? CLI_BAD_CONFIG : CLI_OK;
}

static int print_result(struct import *im, const char *file,
                        const struct import_kind *kind)
{
    char *text = NULL;
    size_t len = 0;

    if (import_write(im, file, kind, &text, &len) != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(ERR_NOMEM));
        return CLI_FAILURE;
    }
    (void)fwrite(text, 1, len, stdout);
    int code = cli_end_output();
    if (code == CLI_OK) {
        code = check(text, len, im->is_incomplete);
    }
    free(text);
    return code;
}

static int import(struct import *im, const char *file,
                  const struct import_kind *kind)
{
    struct source s = {.text = NULL};
    int err = source_read(file, &s, &im->faults);

    if (err == 0) {
        err = import_read(im, &s, &kind);
    }
    source_finish(&s);
    if (err == ERR_NOMEM) {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
        return CLI_FAILURE;
    }
    if (im->faults.errors > 0) {
        show_faults(im);
        return CLI_FAILURE;
    }
    return print_result(im, file, kind);
}

int cmd_import(int argc, char **argv)
{
    const char *from = NULL;
    const struct cli_option options[] = {{"from", &from, NULL}};
    struct cli_args args = {
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 1,
    };
    int code = cli_parse(argc, argv, &args);
    const struct import_kind *kind = NULL;
    struct import im;

    if (code != -1) {
        return code;
    }
    if (args.operand == NULL) {
        return cli_usage_error("a file is missing after", "import", NULL, 0);
    }
    if (from != NULL) {
        kind = kind_named(from);
        if (kind == NULL) {
            return unknown_kind(from);
        }
    }
    bool is_stdin = strcmp(args.operand, "-") == 0;
    if (import_init(&im, is_stdin ? "<stdin>" : args.operand) != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(ERR_NOMEM));
        code = CLI_FAILURE;
    } else {
        code = import(&im, args.operand, kind);
    }
    import_finish(&im);
    return code;
}
