/*
 * dotstub flush: forget answers.
 */
#include "cli/control.h"

#include <inttypes.h>

static void on_answer(void *arg, const struct control_answer *a)
{
    (void)arg;
    printf("%" PRIu64 " answer%s forgotten\n", a->removed,
           a->removed == 1 ? "" : "s");
}

int cmd_flush(int argc, char **argv)
{
    struct control_request r = {.command = CONTROL_FLUSH};
    const char *socket = NULL;
    const struct cli_option options[] = {
        {"socket", &socket, NULL},
        {"subtree", NULL, &r.with_subtree},
    };
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 2,
    };
    int code = cli_parse(argc, argv, &args);

    if (code != -1) {
        return code;
    }
    if (args.operand_count > 0 &&
        control_read_name(args.operands[0], &r) != 0) {
        return cli_usage_error("not a domain name:", args.operands[0], NULL, 0);
    }
    if (args.operand_count > 1 &&
        control_read_type(args.operands[1], &r) != 0) {
        return cli_usage_error("not a record type:", args.operands[1], NULL, 0);
    }
    if (r.with_subtree && args.operand_count == 0) {
        return cli_usage_error("a name is missing after", "--subtree", NULL, 0);
    }
    return control_run(socket, args.config_file, &r, on_answer, NULL);
}
