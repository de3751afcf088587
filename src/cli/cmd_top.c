/*
 * dotstub top: what the daemon does, again and again. It asks for a report
 * each second and keeps the last ones, so that a frame can tell what happened
 * meanwhile. A daemon that goes away is waited for.
 */
#include "cli/control.h"
#include "cli/format.h"

#include "admin/json_report.h"
#include "base/err.h"
#include "cli/terminal.h"
#include "cli/top_frame.h"
#include "net/input.h"
#include "net/signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INTERVAL_MS = 1000,
    KEPT = 10, /* reports, the newest first */
    FRAME_MAX = 256 * 1024,
};

static const int signals[] = {SIGINT, SIGTERM, SIGWINCH, SIGTSTP};

struct top {
    struct net_loop *loop;
    struct net_timer tick;
    struct net_signal *handlers[COUNT_OF(signals)];
    struct net_input *input;
    struct terminal terminal;
    const char *path;
    struct control_session *session;
    bool has_ended;  /* the session, seen from inside its callback */
    bool is_waiting; /* for a report */
    bool is_once;
    unsigned frames; /* shown */
    struct json_report reports[KEPT];
    size_t count;
    struct top_view view; /* its history; the rest is set for each frame */
    char message[128];
    int code;
};

static void stop(struct top *t, int code)
{
    t->code = code;
    net_loop_stop(t->loop);
}

/* ---- frames ---- */

static void write_out(struct top *t, struct span data)
{
    while (data.len > 0) {
        ssize_t n = write(STDOUT_FILENO, data.ptr, data.len);
        if (n < 0 && errno == EAGAIN) { /* somebody made it not blocking */
            struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&room, 1, INTERVAL_MS);
        } else if (n < 0 && errno != EINTR) {
            stop(t, CLI_FAILURE); /* nobody looks any more */
            return;
        }
        data = n > 0 ? span_from(data, (size_t)n) : data;
    }
}

static void show(struct top *t)
{
    struct top_style style = {
        .has_colour = t->terminal.has_colour,
        .is_utf8 = t->terminal.is_utf8,
        .is_live = t->terminal.is_entered,
    };
    struct buf out;

    terminal_size(&style.columns, &style.rows);
    if (!style.is_live) {
        style.rows = 0;
    }
    t->view.now = t->count > 0 ? &t->reports[0].report : NULL;
    t->view.second = t->count > 1 ? &t->reports[1].report : NULL;
    t->view.window = t->count > 1 ? &t->reports[t->count - 1].report : NULL;
    t->view.message = t->message[0] != '\0' ? t->message : NULL;
    buf_init(&out, FRAME_MAX);
    if (!style.is_live && t->frames > 0) {
        write_out(t, span_of("\n", 1));
    }
    top_frame(&t->view, &style, &out);
    write_out(t, buf_span(&out));
    buf_finish(&out);
    t->frames++;
}

/* ---- reports ---- */

static void remember_rate(struct top *t)
{
    struct top_view *v = &t->view;

    if (t->count < 2) {
        return;
    }
    if (v->history_count == TOP_HISTORY) {
        memmove(v->history, v->history + 1,
                (TOP_HISTORY - 1) * sizeof(v->history[0]));
        v->history_count--;
    }
    v->history[v->history_count++] =
        top_rate(&t->reports[1].report, &t->reports[0].report);
}

static int keep_report(struct top *t, const struct control_answer *a)
{
    struct json_report r;

    if (a->report == NULL) {
        return ERR_INVAL;
    }
    int err = json_report_read(span_of(a->report, strlen(a->report)), &r);
    if (err != 0) {
        return err;
    }
    json_report_finish(&t->reports[KEPT - 1]);
    memmove(t->reports + 1, t->reports, (KEPT - 1) * sizeof(t->reports[0]));
    t->reports[0] = r;
    t->count += t->count < KEPT;
    remember_rate(t);
    return 0;
}

/* The daemon went, or refuses. On a screen that is shown, and it is tried
 * again; else it is the end. */
static void fail(struct top *t, const char *why)
{
    char clean[96];

    t->has_ended = true;
    t->is_waiting = false;
    (void)snprintf(t->message, sizeof(t->message), "no answer: %s",
                   format_clean(why, clean, sizeof(clean)));
    if (t->terminal.is_entered) {
        show(t);
        return;
    }
    fprintf(stderr, "dotstub: %s: %s\n", t->path, clean);
    stop(t, CLI_FAILURE);
}

static void on_answer(void *arg, const struct control_answer *a)
{
    struct top *t = arg;

    if (a == NULL || a->error[0] != '\0' || keep_report(t, a) != 0) {
        fail(t, a == NULL             ? "the connection ended"
                : a->error[0] != '\0' ? a->error
                                      : "the answer has no report");
        return;
    }
    t->is_waiting = false;
    t->message[0] = '\0';
    if (!t->is_once) {
        show(t);
    } else if (t->count > 1) { /* two, to have rates */
        show(t);
        stop(t, CLI_OK);
    }
}

static int ask(struct top *t)
{
    const struct control_request r = {.command = CONTROL_STATS};
    int err = 0;

    if (t->has_ended) {
        control_session_close(t->session);
        t->session = NULL;
        t->has_ended = false;
    }
    if (t->session == NULL) {
        err = control_session_open(t->loop, t->path, on_answer, t, &t->session);
    }
    if (err == 0) {
        err = control_session_ask(t->session, &r);
        t->has_ended = err != 0;
    }
    t->is_waiting = err == 0;
    return err;
}

static void on_tick(struct net_timer *timer)
{
    struct top *t = CONTAINER_OF(timer, struct top, tick);
    int err = t->is_waiting ? 0 : ask(t);

    if (err != 0) {
        bool is_gone = err == ERR_NOTFOUND || err == ERR_NET_REFUSED;
        fail(t, is_gone ? "no dotstub is running" : err_text(err));
    }
    net_timer_start(timer, INTERVAL_MS);
}

/* ---- the terminal ---- */

static void on_key(void *arg)
{
    struct top *t = arg;
    char keys[16];
    ssize_t n = read(t->terminal.keys, keys, sizeof(keys));

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        stop(t, CLI_OK); /* the terminal is gone */
    }
    for (ssize_t i = 0; i < n; i++) {
        if (keys[i] == 'q' || keys[i] == 'Q') {
            stop(t, CLI_OK);
        }
    }
}

static void on_signal(void *arg, int signum)
{
    struct top *t = arg;

    if (signum == SIGTSTP) { /* come back to a screen of our own */
        terminal_leave(&t->terminal);
        (void)raise(SIGSTOP);
        terminal_enter(&t->terminal);
    }
    if (signum == SIGTSTP || signum == SIGWINCH) {
        if (t->terminal.is_entered) {
            show(t);
        }
        return;
    }
    stop(t, CLI_OK);
}

static int listen_to_all(struct top *t)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        int err = net_signal_start(t->loop, signals[i], on_signal, t,
                                   &t->handlers[i]);
        if (err != 0) {
            return err;
        }
    }
    return t->terminal.keys < 0 ? 0
                                : net_input_start(t->loop, t->terminal.keys,
                                                  on_key, t, &t->input);
}

static int run(struct top *t)
{
    terminal_init(&t->terminal);
    if (t->is_once) {
        t->terminal.is_live = false;
    }
    int err = listen_to_all(t);
    if (err == 0) {
        err = ask(t);
    }
    if (err == 0) {
        terminal_enter(&t->terminal);
        net_timer_start(&t->tick, INTERVAL_MS);
        net_loop_run(t->loop);
    } else {
        t->code = control_say_unreachable(t->path, err);
    }
    terminal_leave(&t->terminal);
    return t->code;
}

static void finish(struct top *t)
{
    net_timer_stop(&t->tick);
    control_session_close(t->session);
    net_input_close(t->input);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        net_signal_close(t->handlers[i]);
    }
    net_loop_destroy(t->loop);
    terminal_finish(&t->terminal);
    for (size_t i = 0; i < KEPT; i++) {
        json_report_finish(&t->reports[i]);
    }
    free(t);
}

static int top(const char *path, bool is_once)
{
    struct top *t = calloc(1, sizeof(*t));
    int code = CLI_FAILURE;

    if (t == NULL || net_loop_create(&t->loop) != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(ERR_NOMEM));
        free(t);
        return code;
    }
    t->path = path;
    t->is_once = is_once;
    t->terminal.keys = -1;
    net_timer_init(&t->tick, t->loop, on_tick);
    code = run(t);
    finish(t);
    return code;
}

int cmd_top(int argc, char **argv)
{
    const char *socket = NULL;
    bool is_once = false;
    const struct cli_option options[] = {
        {"once", NULL, &is_once},
        {"socket", &socket, NULL},
    };
    struct cli_args args = {
        .config_file = CLI_CONFIG_FILE,
        .options = options,
        .option_count = COUNT_OF(options),
    };
    int code = cli_parse(argc, argv, &args);

    if (code != -1) {
        return code;
    }
    char *path = control_path(socket, args.config_file, &code);
    if (path == NULL) {
        return code;
    }
    code = top(path, is_once);
    free(path);
    return code;
}
