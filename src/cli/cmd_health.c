/*
 * dotstub health: does the one that runs here answer? By a query over its own
 * door, so that it tells what a client would see. Where nobody listens at that
 * door, because a service manager gave it another one or because the file was
 * changed since, it is asked over its control socket.
 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/format.h"
#include "cli/print_message.h"
#include "dns/message.h"
#include "net/dgram.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 2000, AGAIN_MS = 500, WHY_LEN = 128 };

/* "localhost A": answered without asking anybody. */
static const uint8_t alive_query[] = {
    0,   0,   1,   0,   0,   1,   0,   0,   0, 0, 0, 0, 9, 'l',
    'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0, 0, 1, 0, 1,
};

/* ". NS": every resolver knows it. With an OPT, to hear why if it does not. */
static const uint8_t ready_query[] = {
    0, 0, 1, 0, 0, 1,  0, 0,   0, 0, 0, 1, 0, 0,
    2, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0,
};

struct health {
    struct net_loop *loop;
    const struct config_door *door;
    struct span query;
    bool is_ready;              /* does it have to know the answer? */
    struct net_dgram **sockets; /* one for each address that could be asked */
    size_t count;
    size_t refused; /* said that nobody listens, since the last round */
    struct net_timer end, again;
    struct control_session *control;
    bool has_control_ended; /* seen from inside its callback */
    bool is_control_asked;
    bool is_healthy, is_by_control;
    uint8_t *answer;           /* the last one that was no success; owned */
    size_t answer_len;         /* 0: none */
    int last_err;              /* of sending or receiving; 0: none */
    char control_why[WHY_LEN]; /* "": it was not asked, or answered */
};

static void succeed(struct health *h, bool by_control)
{
    h->is_healthy = true;
    h->is_by_control = by_control;
    net_loop_stop(h->loop);
}

/* What an answer of the daemon's says, whichever way it came. */
static void judge(struct health *h, struct span message, bool by_control)
{
    struct dns_response r;

    if (dns_response_parse(message, &r) != 0) {
        return;
    }
    /* Who does not serve this machine (allow) is alive all the same. */
    if (r.rcode == DNS_RCODE_NOERROR ||
        (!h->is_ready && r.rcode == DNS_RCODE_REFUSED)) {
        succeed(h, by_control);
        return;
    }
    uint8_t *copy = realloc(h->answer, message.len);
    if (copy != NULL) {
        memcpy(copy, message.ptr, message.len);
        h->answer = copy;
        h->answer_len = message.len;
    }
}

/* ---- the control socket ---- */

static void on_control(void *arg, const struct control_answer *a)
{
    struct health *h = arg;

    h->has_control_ended = a == NULL || a->is_end;
    if (a == NULL) {
        (void)snprintf(h->control_why, WHY_LEN, "it ended the connection");
    } else if (a->error[0] != '\0') {
        (void)format_clean(a->error, h->control_why, WHY_LEN);
    } else if (a->is_end && !h->is_ready) {
        succeed(h, true);
    } else if (a->is_end) {
        judge(h, span_of(a->message, a->message_len), true);
    }
}

/* Counters need all workers to speak up; an explanation goes to a server. */
static void ask_control(struct health *h)
{
    struct control_request r = {.command = CONTROL_STATS};
    int err = 0;

    if (h->door->control == NULL ||
        (h->control != NULL && !h->has_control_ended)) {
        return;
    }
    if (h->is_ready) {
        r = (struct control_request){
            .command = CONTROL_EXPLAIN, .name_len = 1, .type = DNS_TYPE_NS};
    }
    control_session_close(h->control);
    h->control = NULL;
    h->has_control_ended = false;
    h->is_control_asked = true;
    h->control_why[0] = '\0';
    err = control_session_open(h->loop, h->door->control, on_control, h,
                               &h->control);
    if (err == 0) {
        err = control_session_ask(h->control, &r);
        h->has_control_ended = err != 0;
    }
    if (err != 0) {
        (void)snprintf(h->control_why, WHY_LEN, "%s",
                       control_unreachable_text(err));
    }
}

/* ---- the door ---- */

static void on_datagram(void *arg, int err, struct span data)
{
    struct health *h = arg;

    if (err == 0) {
        judge(h, data, false);
        return;
    }
    h->last_err = err;
    h->refused += err == ERR_NET_REFUSED;
    if (h->refused == h->count) {
        ask_control(h);
    }
}

static void on_end(struct net_timer *t)
{
    net_loop_stop(CONTAINER_OF(t, struct health, end)->loop);
}

static void ask(struct net_timer *t)
{
    struct health *h = CONTAINER_OF(t, struct health, again);

    h->refused = 0;
    for (size_t i = 0; i < h->count; i++) {
        int err = net_dgram_send(h->sockets[i], h->query);
        h->last_err = err != 0 ? err : h->last_err;
    }
    if (h->count == 0) {
        ask_control(h);
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

static int open_sockets(struct health *h)
{
    h->sockets = calloc(h->door->listen_count + 1, sizeof(struct net_dgram *));
    if (h->sockets == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < h->door->listen_count; i++) {
        const struct addr addr = reachable(&h->door->listen[i]);
        int err = net_dgram_open(h->loop, &addr, on_datagram, h,
                                 &h->sockets[h->count]);
        h->count += err == 0;
        h->last_err = err != 0 ? err : h->last_err;
    }
    return 0;
}

static int run(struct health *h)
{
    int err = net_loop_create(&h->loop);

    if (err != 0) {
        return err;
    }
    net_timer_init(&h->end, h->loop, on_end);
    net_timer_init(&h->again, h->loop, ask);
    err = open_sockets(h);
    if (err == 0) {
        net_timer_start(&h->end, WAIT_MS);
        net_timer_start(&h->again, 0);
        net_loop_run(h->loop);
    }
    net_timer_stop(&h->end);
    net_timer_stop(&h->again);
    control_session_close(h->control);
    for (size_t i = 0; i < h->count; i++) {
        net_dgram_close(h->sockets[i]);
    }
    free(h->sockets);
    net_loop_destroy(h->loop);
    return err;
}

/* ---- what came of it ---- */

static void print_silence(const struct health *h)
{
    const struct config_door *door = h->door;
    char text[ADDR_TEXT_MAX];

    if (door->listen_count > 0) {
        fprintf(stderr, "no answer from %s%s within %d ms%s%s",
                addr_text(&door->listen[0], text),
                door->listen_count > 1 ? " and the others" : "", WAIT_MS,
                h->last_err != 0 ? ": " : "",
                h->last_err != 0 ? err_text(h->last_err) : "");
    } else {
        fprintf(stderr, "it is not known where it listens");
    }
    if (h->is_control_asked) {
        fprintf(stderr, "; nor from %s%s%s", door->control,
                h->control_why[0] != '\0' ? ": " : "", h->control_why);
    }
}

static int report(const struct health *h, int err)
{
    if (h->is_healthy && h->is_by_control) {
        printf("healthy, by %s: it listens elsewhere than the configuration "
               "says\n",
               h->door->control);
        return cli_end_output();
    }
    if (h->is_healthy) {
        puts("healthy");
        return cli_end_output();
    }
    fprintf(stderr, "dotstub: ");
    if (err != 0) {
        fprintf(stderr, "%s", err_text(err));
    } else if (h->answer_len > 0) {
        fprintf(stderr,
                "%s: ", h->is_ready ? "the root's name servers" : "localhost");
        print_message_why(stderr, span_of(h->answer, h->answer_len));
    } else {
        print_silence(h);
    }
    fputc('\n', stderr);
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
    struct config_door door;
    struct health h = {.door = &door};

    if (code != -1) {
        return code;
    }
    if (cli_door(args.config_file, &door) != 0) {
        return CLI_FAILURE;
    }
    if (door.is_nowhere) { /* it is said which file cannot be read */
        config_door_finish(&door);
        return CLI_FAILURE;
    }
    h.is_ready = is_ready;
    h.query = is_ready ? span_of(ready_query, sizeof(ready_query))
                       : span_of(alive_query, sizeof(alive_query));
    int err = run(&h);
    code = report(&h, err);
    free(h.answer);
    config_door_finish(&door);
    return code;
}
