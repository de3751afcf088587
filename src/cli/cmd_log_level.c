/*
 * dotstub log-level: say more, or less, until the next reload.
 */
#include "cli/control.h"
#include "cli/format.h"

static void on_answer(void *arg, const struct control_answer *a)
{
    (void)arg;
    printf("log level: ");
    format_print(stdout, a->text);
    putchar('\n');
}

static int bad_level(const char *word)
{
    const char *names[LOG_DEBUG + 1];

    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        names[i] = log_level_name((enum log_level)i);
    }
    return cli_usage_error("not error, warning, notice, info or debug:", word,
                           names, COUNT_OF(names));
}

int cmd_log_level(int argc, char **argv)
{
    struct control_request r = {.command = CONTROL_LOG_LEVEL};
    const char *socket = NULL;
    const struct cli_option options[] = {{"socket", &socket, NULL}};
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 1,
    };
    int code = cli_parse(argc, argv, &args);

    if (code != -1) {
        return code;
    }
    if (args.operand == NULL) {
        return cli_usage_error("a level is missing after", argv[0], NULL, 0);
    }
    if (control_read_level(args.operand, &r) != 0) {
        return bad_level(args.operand);
    }
    return control_run(socket, args.config_file, &r, on_answer, NULL);
}
