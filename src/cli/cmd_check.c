/*
 * dotstub check: is the configuration good?
 */
#include "cli/cli.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

int cmd_check(int argc, char **argv)
{
    struct cli_args args = {.config_file = CLI_CONFIG_FILE};
    int code = cli_parse(argc, argv, &args);
    struct config *config;
    char text[SERVER_LISTEN_TEXT_MAX];
    const char *name;

    if (code != -1) {
        return code;
    }
    config = cli_load(args.config_file);
    if (config == NULL) {
        return CLI_BAD_CONFIG;
    }
    name = strcmp(args.config_file, "-") == 0 ? "<stdin>" : args.config_file;
    printf("%s is good: %zu server%s, listening on %s\n", name,
           config->server_count, config->server_count == 1 ? "" : "s",
           server_listen_text(config, text, sizeof(text)));
    config_destroy(config);
    return cli_end_output();
}
