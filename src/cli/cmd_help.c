/*
 * dotstub help: the commands, or how one is used.
 */
#include "cli/cli.h"

#include <stdio.h>

static void print_commands(void)
{
    printf("usage: dotstub [COMMAND] [-c FILE] [OPTION]...\n"
           "\n"
           "A DNS stub resolver that asks over verified DNS over TLS.\n"
           "\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("  %-9s  %s\n", cli_commands[i].name, cli_commands[i].summary);
    }
    printf("\n"
           "  -c, --config FILE  configuration (default " CLI_CONFIG_FILE ")\n"
           "  -h, --help         this, or with a command how it is used\n"
           "  -V, --version      versions of dotstub and its libraries\n"
           "\n"
           "See dotstub(8) and dotstub.yaml(5).\n");
}

int cmd_help(int argc, char **argv)
{
    struct cli_args args = {.operands_max = 1};
    char name[] = "help";
    const struct command *command;
    int code;

    argv[0] = name; /* also called as --help */
    code = cli_parse(argc, argv, &args);
    if (code != -1) {
        return code;
    }
    if (args.operand == NULL) {
        print_commands();
        return cli_end_output();
    }
    command = cli_find(args.operand);
    if (command == NULL) {
        return cli_unknown_command(args.operand);
    }
    fputs(command->usage, stdout);
    return cli_end_output();
}
