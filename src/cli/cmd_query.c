/*
 * dotstub query: one question through what answers a client's, made in this
 * process from the configuration: policy, zones, pools, TLS; all but the
 * listeners. The answer is the one that a client would get.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/load_with.h"
#include "cli/print_message.h"
#include "cli/stack.h"
#include "dns/message.h"
#include "dns/name.h"
#include "upstream/upstream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NO_REPLY = 9 }; /* as dig has it */

struct query {
    struct stack_question question;
    const char *type, *server; /* as given, or NULL */
    bool is_short;
    struct stack stack;
};

/* As clients do: an answer that was cut is asked for again over TCP. */
static int ask_as_client(struct query *q)
{
    struct stack *s = &q->stack;
    int err = stack_ask(s, &q->question);

    if (err == 0 && !q->question.is_tcp && s->answer_len >= DNS_HEADER_LEN &&
        (dns_get16(s->answer + 2) & DNS_FLAG_TC) != 0) {
        if (!q->is_short) {
            puts(";; Truncated, asked again as over TCP.");
        }
        q->question.is_tcp = true;
        err = stack_ask(s, &q->question);
    }
    return err;
}

/* ---- what came of it ---- */

/* The servers that gave something: one, or more when the first was late. */
static void print_servers(const struct upstream_pool *pool, unsigned pad_block)
{
    struct upstream_server_report *all =
        calloc(UPSTREAM_SERVERS_MAX, sizeof(*all));
    size_t count =
        all == NULL ? 0 : upstream_pool_report(pool, all, UPSTREAM_SERVERS_MAX);

    for (size_t i = 0; i < count; i++) {
        const struct upstream_server_report *r = &all[i];
        if (r->why[0] != '\0') {
            bool is_cut = strlen(r->why) == UPSTREAM_WHY_LEN - 1;
            printf(";; SERVER: %s failed: %s%s\n", r->label, r->why,
                   is_cut ? "…" : "");
        }
        if (r->answers == 0) {
            continue;
        }
        printf(";; SERVER: %s", r->label);
        if (r->tls_version[0] != '\0') {
            printf(" (%s, %s, %s handshake", r->tls_version, r->tls_cipher,
                   r->resumed > 0 ? "resumed" : "full");
            if (pad_block > 0) {
                printf(", query padded to a multiple of %u", pad_block);
            }
            putchar(')');
        }
        putchar('\n');
    }
    free(all);
}

static void print_origin(const struct query *q)
{
    const struct upstream_pool *pool = q->stack.asked.pool;
    const struct setup *s = q->stack.setup;

    for (size_t i = 0; i < s->pool_count; i++) {
        if (pool == NULL || q->stack.pools[i] != pool) {
            continue;
        }
        if (i > 0) {
            printf(";; ZONE: %s\n", s->config->zones[i - 1].name);
        }
        if (s->pools[i]->is_plain) {
            puts(";; in clear text, as the configuration has it");
        }
        print_servers(pool,
                      s->pools[i]->is_plain ? 0 : s->config->padding_block);
        return;
    }
    puts(";; SERVER: none was asked; dotstub answers this itself");
}

static void print_trace(const struct trace *t)
{
    for (size_t i = 0; i < t->count; i++) {
        printf(";; %8.3f ms  %s\n", (double)t->steps[i].at_us / 1000.0,
               t->steps[i].text);
    }
}

/* The data alone. Where there is none because of an error, why. */
static int print_short(const struct query *q, struct span answer)
{
    int err = print_message_short(stdout, answer);

    if (err == 0 && (dns_get16(answer.ptr + 2) & DNS_RCODE_MASK) != 0) {
        (void)fflush(stdout);
        fprintf(stderr, "dotstub: %s: ", q->question.name);
        print_message_why(stderr, answer);
        fputc('\n', stderr);
    }
    return err;
}

static int print_all(const struct query *q)
{
    struct span answer = span_of(q->stack.answer, q->stack.answer_len);
    int err;

    if (q->is_short) {
        err = print_short(q, answer);
    } else {
        printf("; <<>> dotstub query <<>> %s%s%s\n", q->question.name,
               q->type != NULL ? " " : "", q->type != NULL ? q->type : "");
        err = print_message(stdout, answer);
        if (q->question.is_traced) {
            print_trace(&q->stack.trace);
        }
        printf(";; Query time: %.1f ms, connecting included\n",
               (double)q->stack.took_us / 1000.0);
        print_origin(q);
        printf(";; MSG SIZE rcvd: %zu\n", q->stack.answer_len);
    }
    if (err != 0) {
        fprintf(stderr, "dotstub: the answer: %s\n", err_text(err));
        return CLI_FAILURE;
    }
    return cli_end_output();
}

/* Takes config. */
static int run(struct query *q, struct config *config)
{
    int code = stack_open(&q->stack, config);

    if (code == CLI_OK) {
        int err = ask_as_client(q);
        assert(err == 0); /* the name was read before */
        (void)err;
        code = print_all(q);
        if (code == CLI_OK && stack_has_failed(&q->stack)) {
            code = EXIT_NO_REPLY;
        }
    }
    stack_close(&q->stack);
    return code;
}

static int take_question(struct query *q, const struct cli_args *args)
{
    uint8_t name[DNS_NAME_MAX];
    int type = DNS_TYPE_A;

    q->question.name = args->operands[0];
    if (args->operand_count > 1) {
        q->type = args->operands[1];
        type = dns_type_from_text(q->type);
    }
    if (dns_name_from_text(q->question.name, strlen(q->question.name), name) <
        0) {
        return cli_usage_error("not a domain name:", q->question.name, NULL, 0);
    }
    if (type < 0) {
        return cli_usage_error("not a record type:", q->type, NULL, 0);
    }
    q->question.type = (uint16_t)type;
    return CLI_OK;
}

int cmd_query(int argc, char **argv)
{
    struct query q = {.type = NULL};
    const struct cli_option options[] = {
        {"server", &q.server, NULL},
        {"tcp", NULL, &q.question.is_tcp},
        {"dnssec", NULL, &q.question.has_do},
        {"cd", NULL, &q.question.has_cd},
        {"short", NULL, &q.is_short},
        {"trace", NULL, &q.question.is_traced},
    };
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 2,
    };
    int code = cli_parse(argc, argv, &args);
    struct config *config = NULL;

    if (code != -1) {
        return code;
    }
    if (args.operand_count == 0) {
        return cli_usage_error("a name is missing after", "query", NULL, 0);
    }
    code = take_question(&q, &args);
    if (code == CLI_OK) {
        char *servers[] = {(char *)(uintptr_t)q.server};
        code = load_with_servers(&args, servers, q.server != NULL, "--server",
                                 &config);
    }
    return code == CLI_OK ? run(&q, config) : code;
}
