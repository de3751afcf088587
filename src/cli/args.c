/*
 * What all commands share: options, usage errors, loading the configuration.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "config/suggest.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const option_names[] = {"--config", "--help"};
static const char *const no_config_names[] = {"--help"};

int cli_usage_error(const char *what, const char *word,
                    const char *const *candidates, size_t count)
{
    struct suggest suggest;

    suggest_init(&suggest, word);
    for (size_t i = 0; i < count; i++) {
        suggest_offer(&suggest, candidates[i]);
    }
    fprintf(stderr, "dotstub: %s '%s'", what, word);
    if (suggest.best != NULL) {
        fprintf(stderr, "; did you mean '%s'?", suggest.best);
    }
    fprintf(stderr, " (see dotstub --help)\n");
    return CLI_USAGE;
}

/* getopt found an option it does not know, or one without its argument. */
static int bad_option(int argc, char **argv, bool has_config, int code)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

    if (code == ':') {
        return cli_usage_error("a file name is missing after", word, NULL, 0);
    }
    if (strncmp(word, "--", 2) == 0) {
        return cli_usage_error(
            "unknown option", word, has_config ? option_names : no_config_names,
            has_config ? COUNT_OF(option_names) : COUNT_OF(no_config_names));
    }
    return cli_usage_error("unknown option", letter, NULL, 0);
}

/* A file without its -c, as many programs take it. */
static int missing_option(const char *word)
{
    fprintf(stderr,
            "dotstub: unexpected argument '%s'; did you mean -c %s? "
            "(see dotstub --help)\n",
            word, word);
    return CLI_USAGE;
}

static int take_operands(int argc, char **argv, struct cli_args *args)
{
    int count = argc - optind;
    bool is_default = args->config_file != NULL &&
                      strcmp(args->config_file, CLI_CONFIG_FILE) == 0;

    if (count == 1 && args->operands_max == 0 && is_default) {
        return missing_option(argv[optind]);
    }
    if (count > (int)args->operands_max) {
        return cli_usage_error("unexpected argument",
                               argv[optind + (int)args->operands_max], NULL, 0);
    }
    args->operand = count > 0 ? argv[optind] : NULL;
    return -1;
}

int cli_parse(int argc, char **argv, struct cli_args *args)
{
    static const struct option with_config[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool has_config = args->config_file != NULL;
    int code;

    optind = 1;
    opterr = 0;
    while ((code = getopt_long(argc, argv, has_config ? ":c:h" : ":h",
                               has_config ? with_config : with_config + 1,
                               NULL)) != -1) {
        if (code == 'h') {
            fputs(cli_find(argv[0])->usage, stdout);
            return cli_end_output();
        }
        if (code != 'c') {
            return bad_option(argc, argv, has_config, code);
        }
        args->config_file = optarg;
    }
    return take_operands(argc, argv, args);
}

/* The file that is read when none is named, and it is not there. */
static bool is_default_missing(const char *file)
{
    return strcmp(file, CLI_CONFIG_FILE) == 0 && access(file, F_OK) != 0 &&
           errno == ENOENT;
}

struct config *cli_load(const char *file)
{
    struct config_diagnostics d;
    struct config *config = NULL;
    int err = config_load(file, &config, &d);

    const char *more = err == ERR_CONFIG && is_default_missing(file)
                           ? " (-c FILE names another)"
                           : "";

    for (size_t i = 0; i < d.count; i++) {
        fprintf(stderr, "%s%s\n", d.lines[i], more);
    }
    config_diagnostics_finish(&d);
    if (err != 0 && err != ERR_CONFIG) {
        fprintf(stderr, "%s: %s\n", file, err_text(err));
    }
    return err == 0 ? config : NULL;
}

int cli_end_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("dotstub: standard output");
        return CLI_FAILURE;
    }
    return CLI_OK;
}
