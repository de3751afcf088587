/*
 * dotstub keys: the keys of the configuration, for tests and completion.
 */
#include "cli/cli.h"

#include <stdio.h>

int cmd_keys(int argc, char **argv)
{
    struct cli_args args = {0};
    int code = cli_parse(argc, argv, &args);

    if (code != -1) {
        return code;
    }
    config_print_keys(stdout);
    return cli_end_output();
}
