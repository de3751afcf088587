/*
 * dotstub flush: forget answers.
 */
#include "cli/control.h"

#include "admin/json_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_report(void *arg, const struct control_answer *a)
{
    struct json_report r = {.tree = NULL};
    bool *is_off = arg;

    if (a->report != NULL &&
        json_report_read(span_of(a->report, strlen(a->report)), &r) == 0) {
        *is_off = r.report.cache_max == 0;
    }
    json_report_finish(&r);
}

static void on_answer(void *arg, const struct control_answer *a)
{
    uint64_t *removed = arg;

    *removed = a->removed;
}

/* Nothing was there to be forgotten: can there be anything? */
static void print_removed(const char *path, uint64_t removed)
{
    const struct control_request r = {.command = CONTROL_STATS};
    bool is_off = false;

    if (removed == 0) {
        (void)control_ask(path, &r, on_report, &is_off);
    }
    printf("%" PRIu64 " answer%s forgotten%s\n", removed,
           removed == 1 ? "" : "s", is_off ? ": the cache is off" : "");
}

static int flush(const char *path, const struct control_request *r)
{
    uint64_t removed = 0;
    int code = control_ask(path, r, on_answer, &removed);

    if (code != CLI_OK) {
        return code;
    }
    print_removed(path, removed);
    return cli_end_output();
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
    char *path = control_path(socket, args.config_file, &code);
    if (path != NULL) {
        code = flush(path, &r);
        free(path);
    }
    return code;
}
