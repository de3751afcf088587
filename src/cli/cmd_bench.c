/*
 * dotstub bench: how fast are these servers from here, and how do they behave?
 * One after another, so that none is measured through the noise of the others;
 * only the wait for the end of idle connections is for all at once.
 */
#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/import.h"
#include "cli/load_with.h"
#include "cli/measure.h"
#include "cli/progress.h"
#include "tls/chain.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 20, IDLE_MAX_S = 300, EXTRA_STEPS = 4, LABEL_COLUMN = 36 };

struct bench {
    struct setup *setup;
    struct net_loop *loop;
    struct measure *all;
    struct measure **sorted; /* into all, the fastest first */
    size_t count;
    unsigned queries, idle_s;
    struct progress progress;
    const char *label; /* of the server being measured */
};

/* ---- measuring ---- */

static void on_step(void *arg)
{
    struct bench *b = arg;

    progress_step(&b->progress, 1, b->label);
}

static bool have_all_ended(struct bench *b)
{
    bool have_ended = true;

    for (size_t i = 0; i < b->count; i++) {
        have_ended = measure_has_ended(&b->all[i]) && have_ended;
    }
    return have_ended;
}

static void on_second(struct net_timer *t)
{
    net_loop_stop(t->loop);
}

static void wait_idle(struct bench *b)
{
    struct net_timer second;

    net_timer_init(&second, b->loop, on_second);
    for (unsigned i = 0; i < b->idle_s && !have_all_ended(b); i++) {
        progress_step(&b->progress, 1, "waiting for idle connections");
        net_timer_start(&second, 1000);
        while (net_timer_is_active(&second) && !have_all_ended(b)) {
            net_loop_run(b->loop);
        }
    }
    net_timer_stop(&second);
}

static int compare(const void *a, const void *b)
{
    const struct measure *x = *(struct measure *const *)a;
    const struct measure *y = *(struct measure *const *)b;

    if (x->is_good != y->is_good) {
        return x->is_good ? -1 : 1;
    }
    uint32_t x_us = measure_rtt(x, 500);
    uint32_t y_us = measure_rtt(y, 500);
    if (x_us != y_us) {
        return x_us < y_us ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

static void measure_all(struct bench *b)
{
    size_t steps = b->queries + EXTRA_STEPS;

    progress_init(&b->progress, stderr, b->count * steps + b->idle_s);
    for (size_t i = 0; i < b->count; i++) {
        b->label = b->all[i].server->label;
        progress_step(&b->progress, 0, b->label);
        measure_run(&b->all[i], b->loop, b->queries, on_step, b);
        progress_step(&b->progress, EXTRA_STEPS, b->label);
        if (b->idle_s == 0) {
            probe_finish(&b->all[i].idle);
        }
    }
    if (b->idle_s > 0) {
        wait_idle(b);
    }
    progress_end(&b->progress);
    qsort(b->sorted, b->count, sizeof(struct measure *), compare);
}

/* ---- the table ---- */

static void print_ms(uint32_t us)
{
    if (us == 0) {
        printf("        -");
    } else {
        printf(" %8.1f", (double)us / 1000.0);
    }
}

static void print_idle(const struct bench *b, const struct measure *m)
{
    if (b->idle_s == 0) {
        return;
    }
    if (m->idle_ms > 0) {
        printf("  %7.1f s", (double)m->idle_ms / 1000.0);
    } else {
        printf("   > %4u s", b->idle_s);
    }
}

static void print_row(const struct bench *b, const struct measure *m)
{
    char told[16] = "-";

    if (!m->is_good) {
        return;
    }
    if (m->keepalive_ds >= 0) {
        (void)snprintf(told, sizeof(told), "%.1f s",
                       (double)m->keepalive_ds / 10.0);
    }
    printf("%-*s %-7s", LABEL_COLUMN, m->server->label, m->info.version);
    print_ms(m->full_us);
    print_ms(m->was_resumed ? m->resumed_us : 0);
    print_ms(measure_rtt(m, 500));
    print_ms(measure_rtt(m, 950));
    print_ms(measure_rtt(m, 990));
    printf("  %-5s %-4s %9s", m->order == MEASURE_OUT_OF_ORDER ? "out" : "in",
           m->pads ? "yes" : "no", told);
    print_idle(b, m);
    putchar('\n');
}

static void print_table(const struct bench *b)
{
    printf("%-*s %-7s %8s %8s %8s %8s %8s  %-5s %-4s %9s%s\n", LABEL_COLUMN,
           "SERVER", "TLS", "FULL", "RESUMED", "P50", "P95", "P99", "ORDER",
           "PADS", "KEEPALIVE", b->idle_s > 0 ? "       IDLE" : "");
    for (size_t i = 0; i < b->count; i++) {
        print_row(b, b->sorted[i]);
    }
    puts("\nTimes in ms: connecting with a full and a resumed handshake, TCP "
         "included; then\nqueries over a warm connection. ORDER: \"out\" if a "
         "quick answer overtook a slow\none, \"in\" if none was seen to. "
         "KEEPALIVE: the idle limit that the server told.");
    if (b->idle_s > 0) {
        puts("IDLE: after so long it closed an idle connection (\">\": it did "
             "not).");
    }
    putchar('\n');
}

/* ---- the list to use ---- */

static void print_mapping(const struct config_server *s)
{
    char text[ADDR_TEXT_MAX];
    char pin[TLS_PIN_TEXT_MAX];

    if (s->more_count == 0) {
        printf("  - address: \"%s\"\n", addr_ip_text(&s->addr, text));
    } else {
        printf("  - addresses: [\"%s\"", addr_ip_text(&s->addr, text));
        for (size_t i = 0; i < s->more_count; i++) {
            printf(", \"%s\"", addr_ip_text(&s->more[i], text));
        }
        puts("]");
    }
    printf("    port: %u\n", s->addr.port);
    if (s->name != NULL) {
        printf("    name: \"%s\"\n", s->name);
    }
    for (size_t i = 0; i < s->pin_count; i++) {
        printf("%s      - %s\n", i == 0 ? "    pins:\n" : "",
               tls_pin_text(&s->pins[i], pin));
    }
    if (s->ca_file != NULL) {
        printf("    ca_file: %s\n", import_quote(s->ca_file).text);
    }
    if (s->weight != 1) {
        printf("    weight: %u\n", s->weight);
    }
}

static void print_list(const struct bench *b)
{
    bool has_any = b->count > 0 && b->sorted[0]->is_good;

    puts(has_any ? "servers:" : "# servers: none of them answers");
    for (size_t i = 0; i < b->count; i++) {
        const struct measure *m = b->sorted[i];
        const struct config_server *s = m->server;

        if (!m->is_good) {
            printf("  # left out: %s (%s)\n", s->label, m->why);
        } else if (s->pin_count == 0 && s->ca_file == NULL && s->weight == 1 &&
                   s->more_count == 0) {
            printf("  - \"%s\"\n", s->label);
        } else {
            print_mapping(s);
        }
        if (m->is_good && m->why[0] != '\0') {
            printf("  #   %s\n", m->why);
        }
    }
}

/* ---- the command ---- */

static int prepare(struct bench *b)
{
    const struct config_pool *pool = &b->setup->config->pool;
    int err = net_loop_create(&b->loop);

    b->all = calloc(pool->server_count, sizeof(*b->all));
    b->sorted = calloc(pool->server_count, sizeof(struct measure *));
    if (err == 0 && (b->all == NULL || b->sorted == NULL)) {
        err = ERR_NOMEM;
    }
    for (size_t i = 0; err == 0 && i < pool->server_count; i++) {
        err = measure_init(&b->all[i], &pool->servers[i], b->setup->trust);
        b->sorted[i] = &b->all[i];
        b->count += err == 0;
    }
    return err;
}

static void clean_up(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++) {
        measure_finish(&b->all[i]);
    }
    net_loop_destroy(b->loop);
    free(b->all);
    free(b->sorted);
    load_setup_finish(b->setup);
}

/* Takes config. */
static int run(struct bench *b, struct config *config)
{
    int code = CLI_FAILURE;

    log_setup(LOG_ERROR, LOG_TEXT);
    b->setup = load_setup(config);
    if (b->setup == NULL) {
        return CLI_BAD_CONFIG;
    }
    int err = prepare(b);
    if (err == 0) {
        measure_all(b);
        print_table(b);
        print_list(b);
        code = cli_end_output();
        code = b->sorted[0]->is_good ? code : CLI_FAILURE;
    } else {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
    }
    clean_up(b);
    return code;
}

/* Returns CLI_OK | CLI_USAGE. */
static int take_number(const char *text, const char *what, unsigned max,
                       unsigned *out)
{
    char *end;
    unsigned long number;

    if (text == NULL) {
        return CLI_OK;
    }
    number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || number < 1 ||
        number > max) {
        fprintf(stderr, "dotstub: %s: 1 to %u, not '%s'", what, max, text);
        cli_print_see();
        return CLI_USAGE;
    }
    *out = (unsigned)number;
    return CLI_OK;
}

int cmd_bench(int argc, char **argv)
{
    struct bench b = {.queries = QUERIES};
    const char *idle = NULL;
    const char *queries = NULL;
    const struct cli_option options[] = {{"idle", &idle, NULL},
                                         {"queries", &queries, NULL}};
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 64,
    };
    int code = cli_parse(argc, argv, &args);
    struct config *config = NULL;

    if (code != -1) {
        return code;
    }
    code = take_number(idle, "--idle", IDLE_MAX_S, &b.idle_s);
    if (code == CLI_OK) {
        code =
            take_number(queries, "--queries", MEASURE_QUERIES_MAX, &b.queries);
    }
    if (code == CLI_OK) {
        code = load_with_servers(&args, args.operands, args.operand_count,
                                 "bench", &config);
    }
    if (code != CLI_OK) {
        return code;
    }
    if (config->pool.is_plain) {
        fprintf(stderr, "dotstub: bench is for servers over TLS, and this "
                        "configuration has none\n");
        config_destroy(config);
        return CLI_FAILURE;
    }
    return run(&b, config);
}
