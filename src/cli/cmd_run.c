/*
 * dotstub run: serve.
 */
#include "base/log.h"
#include "cli/cli.h"
#include "server/server.h"

#include <malloc.h>
#include <string.h>

/* One heap for all threads: glibc's others grow page by page, with a system
 * call for each, and what happens often allocates nothing. */
static void share_one_heap(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

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
    share_one_heap();
    const char *file =
        strcmp(args.config_file, "-") == 0 ? NULL : args.config_file;
    return server_run(file, config) == 0 ? CLI_OK : CLI_FAILURE;
}
