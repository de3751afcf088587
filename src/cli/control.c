/*
 * Asking the daemon: one connection, requests and answers as lines.
 */
#include "cli/control.h"
#include "cli/format.h"

#include "base/buf.h"
#include "base/err.h"
#include "net/local.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000 };

/* ---- where ---- */

char *control_path(const char *socket, const char *config_file, int *code)
{
    struct config_door door;
    char *path = NULL;

    *code = CLI_FAILURE;
    if (socket != NULL) {
        return strdup(socket);
    }
    if (cli_door(config_file, &door) != 0) {
        return NULL;
    }
    if (door.is_control_bad) {
        fprintf(stderr, "dotstub: so it is not known where to ask; --socket "
                        "PATH says it\n");
        *code = CLI_BAD_CONFIG;
    } else if (door.control == NULL) {
        fprintf(stderr, "dotstub: the configuration has no control socket "
                        "(control: off)\n");
    }
    path = door.control;
    door.control = NULL;
    config_door_finish(&door);
    return path;
}

const char *control_unreachable_text(int err)
{
    switch (err) {
    case ERR_NOTFOUND:
    case ERR_NET_REFUSED:
        return "no dotstub is running there";
    case ERR_NET_ACCESS:
        return "permission denied (root and the user that dotstub runs as may "
               "ask)";
    case ERR_INVAL:
        return "not a name that a socket can have";
    default:
        return err_text(err);
    }
}

int control_say_unreachable(const char *path, int err)
{
    fprintf(stderr, "dotstub: %s: %s\n", path, control_unreachable_text(err));
    return CLI_FAILURE;
}

/* ---- a session ---- */

struct control_session {
    struct net_loop *loop;
    struct net_stream *stream;
    struct buf in;
    control_answer_fn *fn;
    void *arg;
    bool has_ended;
};

static void end_session(struct control_session *s)
{
    if (!s->has_ended) {
        s->has_ended = true;
        net_stream_read_stop(s->stream);
        s->fn(s->arg, NULL);
    }
}

static void take_line(struct control_session *s, struct span line)
{
    struct control_answer a;

    if (control_answer_read(line, &a) != 0) {
        end_session(s);
        return;
    }
    s->fn(s->arg, &a);
    control_answer_finish(&a);
}

static void on_read(void *arg, int err, struct span in)
{
    struct control_session *s = arg;

    if (err != 0 || buf_append(&s->in, in) != 0) {
        end_session(s);
    }
    while (!s->has_ended) {
        struct span all = buf_span(&s->in);
        const uint8_t *end =
            all.ptr == NULL ? NULL : memchr(all.ptr, '\n', all.len);
        if (end == NULL) {
            return;
        }
        take_line(s, span_of(all.ptr, (size_t)(end - all.ptr)));
        buf_consume(&s->in, (size_t)(end - all.ptr) + 1);
    }
}

static const struct net_stream_events session_events = {.on_read = on_read};

int control_session_open(struct net_loop *loop, const char *path,
                         control_answer_fn *fn, void *arg,
                         struct control_session **out)
{
    struct control_session *s = calloc(1, sizeof(*s));
    int err = s == NULL ? ERR_NOMEM : 0;

    if (err == 0) {
        err = net_local_connect(loop, path, &s->stream);
    }
    if (err != 0) {
        free(s);
        return err;
    }
    s->loop = loop;
    s->fn = fn;
    s->arg = arg;
    buf_init(&s->in, CONTROL_ANSWER_MAX);
    net_stream_attach(s->stream, &session_events, s);
    *out = s;
    return 0;
}

int control_session_ask(struct control_session *s,
                        const struct control_request *r)
{
    struct buf line;

    buf_init(&line, CONTROL_LINE_MAX);
    int err = control_request_write(r, &line);
    if (err == 0) {
        err = net_stream_write(s->stream, buf_span(&line));
    }
    buf_finish(&line);
    return err;
}

void control_session_close(struct control_session *s)
{
    if (s != NULL) {
        net_stream_close(s->stream);
        buf_finish(&s->in);
        free(s);
    }
}

/* ---- one question ---- */

struct once {
    struct net_loop *loop;
    struct net_timer patience;
    const char *path;
    control_answer_fn *fn;
    void *arg;
    int code;
};

static void on_answer(void *arg, const struct control_answer *a)
{
    struct once *o = arg;

    if (a == NULL) {
        fprintf(stderr, "dotstub: %s: the connection ended without an answer\n",
                o->path);
    } else if (a->error[0] != '\0') {
        fprintf(stderr, "dotstub: ");
        format_print(stderr, a->error);
        fprintf(stderr, "\n");
    } else {
        o->fn(o->arg, a);
        o->code = a->is_end ? CLI_OK : o->code;
    }
    if (a == NULL || a->is_end) {
        net_loop_stop(o->loop);
    }
}

static void on_patience(struct net_timer *t)
{
    struct once *o = CONTAINER_OF(t, struct once, patience);

    fprintf(stderr, "dotstub: %s: no answer within %d s\n", o->path,
            PATIENCE_MS / 1000);
    net_loop_stop(o->loop);
}

static void ask_in_loop(struct once *o, const struct control_request *r)
{
    struct control_session *s = NULL;
    int err = control_session_open(o->loop, o->path, on_answer, o, &s);

    if (err == 0) {
        err = control_session_ask(s, r);
    }
    if (err != 0) {
        o->code = control_say_unreachable(o->path, err);
    } else {
        net_timer_init(&o->patience, o->loop, on_patience);
        net_timer_start(&o->patience, PATIENCE_MS);
        net_loop_run(o->loop);
        net_timer_stop(&o->patience);
    }
    control_session_close(s);
}

int control_ask(const char *path, const struct control_request *r,
                control_answer_fn *fn, void *arg)
{
    struct once o = {.path = path, .fn = fn, .arg = arg, .code = CLI_FAILURE};
    int err = net_loop_create(&o.loop);

    if (err != 0) {
        fprintf(stderr, "dotstub: event loop: %s\n", err_text(err));
        return CLI_FAILURE;
    }
    ask_in_loop(&o, r);
    net_loop_destroy(o.loop);
    return o.code;
}

int control_run(const char *socket, const char *config_file,
                const struct control_request *r, control_answer_fn *fn,
                void *arg)
{
    int code = CLI_FAILURE;
    char *path = control_path(socket, config_file, &code);

    if (path != NULL) {
        code = control_ask(path, r, fn, arg);
        free(path);
    }
    if (code == CLI_OK) {
        code = cli_end_output();
    }
    return code;
}
