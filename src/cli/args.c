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

/* The command whose arguments were read last; NULL: none was. */
static const char *command_name;

void cli_print_see(void)
{
    if (command_name == NULL) {
        fprintf(stderr, " (see dotstub --help)\n");
    } else {
        fprintf(stderr, " (see dotstub help %s)\n", command_name);
    }
}

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
    cli_print_see();
    return CLI_USAGE;
}

enum { OWN_OPTIONS = 2, LETTER_FIRST = 256 };

/* The options of a command, as getopt_long() wants them. */
struct options {
    char names[OWN_OPTIONS + CLI_OPTIONS_MAX][24]; /* "--config" */
    struct option all[OWN_OPTIONS + CLI_OPTIONS_MAX + 1];
    size_t count;
};

static void add_option(struct options *o, const char *name, int has_argument,
                       int value)
{
    snprintf(o->names[o->count], sizeof(o->names[0]), "--%s", name);
    o->all[o->count] =
        (struct option){.name = name, .has_arg = has_argument, .val = value};
    o->count++;
}

static void options_init(struct options *o, const struct cli_args *args)
{
    *o = (struct options){.count = 0};
    if (args->config_file != NULL) {
        add_option(o, "config", required_argument, 'c');
    }
    add_option(o, "help", no_argument, 'h');
    for (size_t i = 0; i < args->option_count; i++) {
        add_option(o, args->options[i].name,
                   args->options[i].value != NULL ? required_argument
                                                  : no_argument,
                   LETTER_FIRST + (int)i);
    }
}

/* getopt found an option it does not know, or one without its argument. */
static int bad_option(int argc, char **argv, const struct options *options,
                      int code)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    const char *names[OWN_OPTIONS + CLI_OPTIONS_MAX];

    if (code == ':') {
        bool is_file = optopt == 'c';
        return cli_usage_error(is_file ? "a file name is missing after"
                                       : "an argument is missing after",
                               word, NULL, 0);
    }
    for (size_t i = 0; i < options->count; i++) {
        names[i] = options->names[i];
    }
    if (strncmp(word, "--", 2) == 0) {
        return cli_usage_error("unknown option", word, names, options->count);
    }
    return cli_usage_error("unknown option", letter, NULL, 0);
}

static void take_option(const struct cli_option *option)
{
    if (option->value != NULL) {
        *option->value = optarg;
    }
    if (option->is_given != NULL) {
        *option->is_given = true;
    }
}

/* A file without its -c, as many programs take it. */
static int missing_option(const char *word)
{
    fprintf(stderr, "dotstub: unexpected argument '%s'; did you mean -c %s?",
            word, word);
    cli_print_see();
    return CLI_USAGE;
}

static int take_operands(int argc, char **argv, struct cli_args *args)
{
    int count = argc - optind;
    bool is_default = args->config_file != NULL &&
                      strcmp(args->config_file, CLI_CONFIG_FILE) == 0;

    if (count == 1 && args->operands_max == 0 && is_default &&
        strpbrk(argv[optind], "./") != NULL) {
        return missing_option(argv[optind]);
    }
    if (count > (int)args->operands_max) {
        return cli_usage_error("unexpected argument",
                               argv[optind + (int)args->operands_max], NULL, 0);
    }
    args->operand = count > 0 ? argv[optind] : NULL;
    args->operands = argv + optind;
    args->operand_count = (unsigned)count;
    return -1;
}

int cli_parse(int argc, char **argv, struct cli_args *args)
{
    struct options options;
    int code;

    /* What help is asked about is not known to it. */
    command_name = strcmp(argv[0], "help") == 0 ? NULL : argv[0];
    options_init(&options, args);
    optind = 1;
    opterr = 0;
    while ((code = getopt_long(argc, argv,
                               args->config_file != NULL ? ":c:h" : ":h",
                               options.all, NULL)) != -1) {
        if (code == 'h') {
            fputs(cli_find(argv[0])->usage, stdout);
            return cli_end_output();
        }
        if (code == 'c') {
            args->config_file = optarg;
        } else if (code >= LETTER_FIRST) {
            take_option(&args->options[code - LETTER_FIRST]);
        } else {
            return bad_option(argc, argv, &options, code);
        }
    }
    return take_operands(argc, argv, args);
}

/* The file that is read when none is named, and it is not there. */
static bool is_default_missing(const char *file)
{
    return strcmp(file, CLI_CONFIG_FILE) == 0 && access(file, F_OK) != 0 &&
           errno == ENOENT;
}

static bool begins_with(const char *line, const char *start)
{
    return strncmp(line, start, strlen(start)) == 0;
}

/* Variables alone would do, but for one with a slip in its name. */
static void print_variables(void)
{
    struct config_diagnostics d;
    struct config *config = NULL;

    if (config_load("/dev/null", &config, &d) != 0) {
        config = NULL;
    }
    for (size_t i = 0; i < d.count; i++) {
        if (begins_with(d.lines[i], "environment ")) {
            fprintf(stderr, "%s\n", d.lines[i]);
        }
    }
    config_diagnostics_finish(&d);
    config_destroy(config);
}

struct config *cli_load(const char *file)
{
    return cli_load_quiet(file, NULL);
}

struct config *cli_load_quiet(const char *file, const char *known)
{
    struct config_diagnostics d;
    struct config *config = NULL;
    int err = config_load(file, &config, &d);
    bool is_missing = false;

    for (size_t i = 0; i < d.count; i++) {
        if (known != NULL && begins_with(d.lines[i], known)) {
            continue;
        }
        /* Without a file and without servers elsewhere this is the line. */
        is_missing = err == ERR_CONFIG && d.count == 1 &&
                     begins_with(d.lines[i], file) && is_default_missing(file);
        fprintf(stderr, "%s%s\n", d.lines[i],
                is_missing ? " (-c FILE names another)" : "");
    }
    config_diagnostics_finish(&d);
    if (is_missing) {
        print_variables();
    }
    if (err != 0 && err != ERR_CONFIG) {
        fprintf(stderr, "%s: %s\n", file, err_text(err));
    }
    return err == 0 ? config : NULL;
}

int cli_door(const char *file, struct config_door *out)
{
    struct config_diagnostics d;
    /* Nobody named it, and nothing is wrong with there being none. */
    int err = config_door_load(is_default_missing(file) ? "/dev/null" : file,
                               environ, out, &d);

    for (size_t i = 0; i < d.count; i++) {
        fprintf(stderr, "%s\n", d.lines[i]);
    }
    config_diagnostics_finish(&d);
    if (err != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
    }
    return err;
}

int cli_end_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("dotstub: standard output");
        return CLI_FAILURE;
    }
    return CLI_OK;
}
