/*
 * dotstub health: does the one that runs here answer? By a query over its own
 * door, so that it tells what a client would see.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "dns/message.h"
#include "net/dgram.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 2000, AGAIN_MS = 500 };

/* "localhost A": answered without asking anybody. */
static const uint8_t alive_query[] = {
    0,   0,   1,   0,   0,   1,   0,   0,   0, 0, 0, 0, 9, 'l',
    'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0, 0, 1, 0, 1,
};

/* ". NS": every resolver knows it. */
static const uint8_t ready_query[] = {
    0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1,
};

struct health {
    struct net_loop *loop;
    struct span query;
    bool is_ready;              /* does it have to know the answer? */
    struct net_dgram **sockets; /* one for each address that could be asked */
    size_t count;
    struct net_timer end, again;
    bool is_healthy;
    int rcode;    /* of the last answer; -1: none */
    int last_err; /* of sending or receiving; 0: none */
};

static void on_datagram(void *arg, int err, struct span data)
{
    struct health *h = arg;
    struct dns_response r;

    h->last_err = err != 0 ? err : h->last_err;
    if (err != 0 || dns_response_parse(data, &r) != 0) {
        return;
    }
    h->rcode = r.rcode;
    /* Who does not serve this machine (allow) is alive all the same. */
    if (r.rcode == DNS_RCODE_NOERROR ||
        (!h->is_ready && r.rcode == DNS_RCODE_REFUSED)) {
        h->is_healthy = true;
        net_loop_stop(h->loop);
    }
}

static void on_end(struct net_timer *t)
{
    net_loop_stop(CONTAINER_OF(t, struct health, end)->loop);
}

static void ask(struct net_timer *t)
{
    struct health *h = CONTAINER_OF(t, struct health, again);

    for (size_t i = 0; i < h->count; i++) {
        int err = net_dgram_send(h->sockets[i], h->query);
        h->last_err = err != 0 ? err : h->last_err;
    }
    net_timer_start(&h->again, AGAIN_MS);
}

/* A wildcard address is asked on the loopback. */
static struct addr reachable(const struct addr *a)
{
    static const uint8_t zero[16];
    struct addr out = *a;

    if (memcmp(a->ip, zero, sizeof(zero)) != 0) {
        return out;
    }
    if (a->family == 4) {
        out.ip[0] = 127;
        out.ip[3] = 1;
    } else {
        out.ip[15] = 1;
    }
    return out;
}

static int open_sockets(struct health *h, const struct config *config)
{
    int err = 0;

    h->sockets = calloc(config->listen_count, sizeof(struct net_dgram *));
    if (h->sockets == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct addr addr = reachable(&config->listen[i]);
        err = net_dgram_open(h->loop, &addr, on_datagram, h,
                             &h->sockets[h->count]);
        h->count += err == 0;
    }
    return h->count > 0 ? 0 : err;
}

static int run(struct health *h, const struct config *config)
{
    int err = net_loop_create(&h->loop);

    if (err != 0) {
        return err;
    }
    net_timer_init(&h->end, h->loop, on_end);
    net_timer_init(&h->again, h->loop, ask);
    err = open_sockets(h, config);
    if (err == 0) {
        net_timer_start(&h->end, WAIT_MS);
        net_timer_start(&h->again, 0);
        net_loop_run(h->loop);
    }
    net_timer_stop(&h->end);
    net_timer_stop(&h->again);
    for (size_t i = 0; i < h->count; i++) {
        net_dgram_close(h->sockets[i]);
    }
    free(h->sockets);
    net_loop_destroy(h->loop);
    return err;
}

static int report(const struct health *h, const struct config *config, int err)
{
    char text[ADDR_TEXT_MAX];

    if (h->is_healthy) {
        puts("healthy");
        return cli_end_output();
    }
    if (err != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
    } else if (h->rcode >= 0) {
        fprintf(stderr, "dotstub: the answer was error %d\n", h->rcode);
    } else {
        fprintf(stderr, "dotstub: no answer from %s within %d ms%s%s\n",
                addr_text(&config->listen[0], text), WAIT_MS,
                h->last_err != 0 ? ": " : "",
                h->last_err != 0 ? err_text(h->last_err) : "");
    }
    return CLI_FAILURE;
}

int cmd_health(int argc, char **argv)
{
    bool is_ready = false;
    const struct cli_option options[] = {{"ready", NULL, &is_ready}};
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
    };
    int code = cli_parse(argc, argv, &args);
    struct health h = {.rcode = -1};

    if (code != -1) {
        return code;
    }
    struct config *config = cli_load(args.config_file);
    if (config == NULL) {
        return CLI_BAD_CONFIG;
    }
    h.is_ready = is_ready;
    h.query = is_ready ? span_of(ready_query, sizeof(ready_query))
                       : span_of(alive_query, sizeof(alive_query));
    int err = run(&h, config);
    code = report(&h, config, err);
    config_destroy(config);
    return code;
}
