/*
 * dotstub explain: one query through the daemon, with every step on its way.
 */
#include "cli/control.h"

#include "base/err.h"
#include "cli/format.h"
#include "cli/print_message.h"

struct explain {
    bool is_readable; /* the answer was */
};

static void print_step(const struct control_answer *a)
{
    char text[FORMAT_LEN];

    printf("%9s ms  ", a->at_us == 0 ? "0" : format_ms(a->at_us, text));
    format_print(stdout, a->step);
    putchar('\n');
}

static void on_answer(void *arg, const struct control_answer *a)
{
    struct explain *e = arg;

    if (!a->is_end) {
        print_step(a);
        return;
    }
    putchar('\n');
    int err = print_message(stdout, span_of(a->message, a->message_len));
    e->is_readable = err == 0;
    if (err != 0) {
        fprintf(stderr, "dotstub: the answer: %s\n", err_text(err));
    }
}

int cmd_explain(int argc, char **argv)
{
    struct control_request r = {.command = CONTROL_EXPLAIN};
    struct explain e = {.is_readable = false};
    const char *socket = NULL;
    const struct cli_option options[] = {{"socket", &socket, NULL}};
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
    if (args.operand == NULL) {
        return cli_usage_error("a name is missing after", argv[0], NULL, 0);
    }
    if (control_read_name(args.operand, &r) != 0) {
        return cli_usage_error("not a domain name:", args.operand, NULL, 0);
    }
    if (args.operand_count > 1 &&
        control_read_type(args.operands[1], &r) != 0) {
        return cli_usage_error("not a record type:", args.operands[1], NULL, 0);
    }
    code = control_run(socket, args.config_file, &r, on_answer, &e);
    return code == CLI_OK && !e.is_readable ? CLI_FAILURE : code;
}
