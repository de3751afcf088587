/*
 * dotstub reload: have the daemon read its configuration again.
 */
#include "cli/control.h"
#include "cli/format.h"

static void on_answer(void *arg, const struct control_answer *a)
{
    (void)arg;
    format_print(stdout, a->text);
    putchar('\n');
}

int cmd_reload(int argc, char **argv)
{
    const struct control_request r = {.command = CONTROL_RELOAD};
    const char *socket = NULL;
    const struct cli_option options[] = {{"socket", &socket, NULL}};
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
    };
    int code = cli_parse(argc, argv, &args);

    return code != -1
               ? code
               : control_run(socket, args.config_file, &r, on_answer, NULL);
}
