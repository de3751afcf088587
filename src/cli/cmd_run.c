/*
 * dotstub run: serve.
 */
#include "base/log.h"
#include "cli/cli.h"
#include "server/server.h"

int cmd_run(int argc, char **argv)
{
    struct cli_args args = {.config_file = CLI_CONFIG_FILE};
    int code = cli_parse(argc, argv, &args);
    struct config *config;

    if (code != -1) {
        return code;
    }
    config = cli_load(args.config_file);
    if (config == NULL) {
        return CLI_BAD_CONFIG;
    }
    log_setup(config->log_level, config->log_format);
    code = server_run(config) == 0 ? CLI_OK : CLI_FAILURE;
    config_destroy(config);
    return code;
}
