/*
 * dotstub: the table of its commands, and which one a command line means.
 */
#include "cli/cli.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

const struct command cli_commands[] = {
    {"run", "serve DNS, until SIGTERM or SIGINT (the default)",
     "usage: dotstub [run] [-c FILE]\n"
     "\n"
     "Take DNS queries over UDP and TCP, and forward them over verified\n"
     "TLS. Runs in the foreground and logs to standard error.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE ";\n"
     "                     - is standard input)\n",
     cmd_run},
    {"check", "read the configuration, and say all that is wrong with it",
     "usage: dotstub check [-c FILE]\n"
     "\n"
     "Exit code 0 when dotstub can run with it, 2 when it cannot.\n"
     "\n"
     "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE ";\n"
     "                     - is standard input)\n",
     cmd_check},
    {"version", "print the versions of dotstub and its libraries",
     "usage: dotstub version\n", cmd_version},
    {"help", "print this, or how a command is used",
     "usage: dotstub help [COMMAND]\n", cmd_help},
    {"keys", "print the keys of the configuration, for scripts",
     "usage: dotstub keys\n"
     "\n"
     "Print all keys of the configuration: name, kind, default, bounds.\n",
     cmd_keys},
};

const size_t cli_command_count = COUNT_OF(cli_commands);

const struct command *cli_find(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].name, name) == 0) {
            return &cli_commands[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Before any command --version is one more. */
static const char *const first_options[] = {"--config", "--help", "--version"};

static bool is_nearly_version(const char *word)
{
    struct suggest s;

    suggest_init(&s, word);
    for (size_t i = 0; i < COUNT_OF(first_options); i++) {
        suggest_offer(&s, first_options[i]);
    }
    return s.best != NULL && strcmp(s.best, "--version") == 0;
}

/* Options without a command are those of run. */
static int run_default(int argc, char **argv)
{
    static char name[] = "run";

    argv[0] = name;
    return cmd_run(argc, argv);
}

int cli_unknown_command(const char *word)
{
    const char *names[COUNT_OF(cli_commands)];

    for (size_t i = 0; i < cli_command_count; i++) {
        names[i] = cli_commands[i].name;
    }
    return cli_usage_error("unknown command", word, names, cli_command_count);
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        return run_default(argc, argv);
    }
    if (is_one_of(argv[1], "-h", "--help")) {
        return cmd_help(argc - 1, argv + 1);
    }
    if (is_one_of(argv[1], "-V", "--version")) {
        return cmd_version(argc - 1, argv + 1);
    }
    if (strncmp(argv[1], "--", 2) == 0 && is_nearly_version(argv[1])) {
        return cli_usage_error("unknown option", argv[1], first_options,
                               COUNT_OF(first_options));
    }
    if (argv[1][0] == '-') {
        return run_default(argc, argv);
    }
    command = cli_find(argv[1]);
    if (command == NULL) {
        return cli_unknown_command(argv[1]);
    }
    return command->run(argc - 1, argv + 1);
}
