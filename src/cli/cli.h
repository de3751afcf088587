/*
 * The command line: `dotstub [command] [options]`.
 *
 * Each command has a file of its own and a row in the table of main.c. A
 * command gets its name as argv[0] and returns the exit code of the process.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/attr.h"
#include "config/config.h"
#include "config/door.h"

#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILURE = 1,    /* could not start, or could not write */
    CLI_BAD_CONFIG = 2, /* diagnostics are on stderr */
    CLI_USAGE = 64      /* EX_USAGE of sysexits.h */
};

#define CLI_CONFIG_FILE "/etc/dotstub/dotstub.yaml"

struct command {
    const char *name;
    const char *summary; /* in the list of commands */
    const char *usage;   /* what `dotstub help NAME` prints */
    int (*run)(int argc, char **argv);
};

extern const struct command cli_commands[];
extern const size_t cli_command_count;

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_health(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_keys(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_pin(int argc, char **argv);
int cmd_privacy(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_log_level(int argc, char **argv);
int cmd_explain(int argc, char **argv);

/* The command of this name, or NULL. */
const struct command *cli_find(const char *name);

/* Report a command that is none. Returns CLI_USAGE. */
int cli_unknown_command(const char *word);

/* An option besides --config and --help: "--json", "--repeat N". */
struct cli_option {
    const char *name;   /* without the dashes */
    const char **value; /* receives the argument that it takes; NULL: none */
    bool *is_given;     /* may be NULL */
};

enum { CLI_OPTIONS_MAX = 8 };

/* What options and what else a command takes. */
struct cli_args {
    const char *config_file; /* set to the default by the caller; NULL: no -c */
    const struct cli_option *options; /* at most CLI_OPTIONS_MAX */
    size_t option_count;
    unsigned operands_max;
    const char *operand; /* the first that was given, or NULL */
    char **operands;     /* all of them */
    unsigned operand_count;
};

/*
 * Read the arguments of a command. Returns -1 to go on, or the exit code of
 * the process: help was asked for and printed, or a usage error was reported.
 */
MUST_USE int cli_parse(int argc, char **argv, struct cli_args *args);

/*
 * Say what is wrong with the command line, with the candidate nearest to word
 * if there is one ("run", "check" …). Returns CLI_USAGE.
 */
int cli_usage_error(const char *what, const char *word,
                    const char *const *candidates, size_t count);

/* End such a line: where to read how the command is used. */
void cli_print_see(void);

/* Load file and print its diagnostics. NULL: it is not usable. */
MUST_USE struct config *cli_load(const char *file);

/* The same without the diagnostics that begin with known, which were told. */
MUST_USE struct config *cli_load_quiet(const char *file, const char *known);

/* Where the configuration in file says that dotstub can be asked; what is wrong
 * with it is printed as warnings. Returns 0 | ERR_NOMEM (printed). */
MUST_USE int cli_door(const char *file, struct config_door *out);

/* Flush standard output. Returns CLI_OK, or CLI_FAILURE with a message. */
int cli_end_output(void);

#endif
