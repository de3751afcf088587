/*
 * The control socket. Callbacks record what happened and leave the rest to the
 * end of the turn (on_turn), where lines are taken and clients closed; so a
 * hook may call back whenever it likes.
 *
 * Invariant: a client whose request is being worked on (is_busy) stays, if
 * need be without its stream, until the hook has called back.
 */
#include "admin/control.h"

#include "admin/control_message.h"
#include "admin/json.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "dns/message.h"
#include "net/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_ROOM "admin"

enum {
    QUIET_MS = 60000,
    IN_MAX = CONTROL_LINE_MAX + 128 * 1024, /* a line, and what a read brings */
    BACKLOG_MAX = 256 * 1024,               /* beyond it no request is taken */
};

struct control {
    struct net_loop *loop;
    struct net_local *listener;
    struct admin_hooks hooks;
    struct list clients;
    size_t client_count;
};

struct control_client {
    struct list node;
    struct control *control;
    struct net_stream *stream; /* NULL: gone */
    struct buf in;
    struct net_turn turn;
    struct net_timer timer;
    bool is_busy;
    bool is_finishing; /* no more requests: close when all is sent */
    bool is_broken;
};

/* ---- coming and going ---- */

static void client_free(struct control_client *c)
{
    c->control->client_count--;
    list_remove(&c->node);
    net_turn_cancel(&c->turn);
    net_timer_stop(&c->timer);
    net_stream_close(c->stream);
    buf_finish(&c->in);
    free(c);
}

/* Look at the client at the end of this turn. */
static void touch(struct control_client *c)
{
    net_turn_defer(c->control->loop, &c->turn);
}

static void settle(struct control_client *c)
{
    bool is_done =
        c->is_finishing && !c->is_busy && net_stream_backlog(c->stream) == 0;

    if (!c->is_broken && !is_done) {
        return;
    }
    if (!c->is_busy) {
        client_free(c);
        return;
    }
    net_stream_close(c->stream);
    c->stream = NULL;
    net_timer_stop(&c->timer);
}

/* ---- answers ---- */

/* Takes line; NULL: there was no memory for it. */
static void say(struct control_client *c, json_t *line)
{
    struct buf out;

    buf_init(&out, CONTROL_ANSWER_MAX);
    if (c->stream != NULL && !c->is_broken) {
        c->is_broken = line == NULL || json_write(line, &out) != 0 ||
                       buf_append(&out, span_of("\n", 1)) != 0 ||
                       net_stream_write(c->stream, buf_span(&out)) != 0;
        net_timer_start(&c->timer, QUIET_MS);
    }
    buf_finish(&out);
    json_decref(line);
}

static void say_error(struct control_client *c, const char *text)
{
    say(c, json_pack("{s:o}", "error", json_text(text)));
}

static void say_text(struct control_client *c, const char *text)
{
    say(c, json_pack("{s:b, s:o}", "end", 1, "text", json_text(text)));
}

/* The hook has called back. */
static void end_request(struct control_client *c)
{
    c->is_busy = false;
    touch(c);
}

/* ---- the commands ---- */

static void on_report(void *arg, const struct admin_report *report)
{
    struct control_client *c = arg;

    if (report == NULL) {
        say_error(c, err_text(ERR_NOMEM));
    } else {
        say(c, json_pack("{s:b, s:o}", "end", 1, "report",
                         json_report_tree(report)));
    }
    end_request(c);
}

/* Each line of text, before what ends the answer. */
static void say_lines(struct control_client *c, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char *line = strndup(text, len);

        say(c,
            line == NULL ? NULL : json_pack("{s:o}", "text", json_text(line)));
        free(line);
        text += len + (text[len] == '\n');
    }
}

static void on_reloaded(void *arg, int err, const char *text)
{
    struct control_client *c = arg;

    if (err != 0) {
        say_error(c, text != NULL ? text : err_text(err));
    } else {
        say_lines(c, text != NULL ? text : "");
        say_text(c, "going on with the new configuration");
    }
    end_request(c);
}

/* The octets of a message in hexadecimal; NULL: no memory. */
static json_t *message_text(struct span message)
{
    char *hex = malloc(2 * message.len + 1);
    json_t *out;

    if (hex == NULL) {
        return NULL;
    }
    hex[0] = '\0';
    for (size_t i = 0; i < message.len; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", message.ptr[i]);
    }
    out = json_string(hex);
    free(hex);
    return out;
}

static void on_explained(void *arg, const struct trace *trace,
                         struct span answer)
{
    struct control_client *c = arg;

    for (size_t i = 0; i < trace->count; i++) {
        say(c,
            json_pack("{s:I, s:o}", "at_us", (json_int_t)trace->steps[i].at_us,
                      "step", json_text(trace->steps[i].text)));
    }
    if (answer.len == 0) {
        say_error(c, "no answer came of it");
    } else {
        say(c, json_pack("{s:b, s:I, s:o}", "end", 1, "steps_lost",
                         (json_int_t)trace->lost, "message",
                         message_text(answer)));
    }
    end_request(c);
}

/* A query as a program with EDNS would send it. */
static size_t write_query(const struct control_request *r, uint8_t out[512])
{
    static const uint8_t opt[] = {0, 0, DNS_TYPE_OPT, 4, 208, 0, 0, 0, 0, 0, 0};
    uint8_t *p = out + DNS_HEADER_LEN;

    memset(out, 0, DNS_HEADER_LEN);
    dns_put16(out + 2, DNS_FLAG_RD);
    dns_put16(out + 4, 1);  /* question */
    dns_put16(out + 10, 1); /* OPT */
    memcpy(p, r->name, r->name_len);
    p += r->name_len;
    dns_put16(p, r->type == 0 ? DNS_TYPE_A : r->type);
    dns_put16(p + 2, DNS_CLASS_IN);
    memcpy(p + 4, opt, sizeof(opt));
    return (size_t)(p + 4 - out) + sizeof(opt);
}

static int start_explain(struct control_client *c,
                         const struct control_request *r)
{
    const struct admin_hooks *h = &c->control->hooks;
    uint8_t query[512];
    size_t len = write_query(r, query);

    return h->explain(h->arg, span_of(query, len), on_explained, c);
}

static void flush(struct control_client *c, const struct control_request *r)
{
    const struct admin_hooks *h = &c->control->hooks;
    size_t removed = h->flush(h->arg, span_of(r->name, r->name_len), r->type,
                              r->with_subtree);

    say(c, json_pack("{s:b, s:I}", "end", 1, "removed", (json_int_t)removed));
}

static void set_log_level(struct control_client *c,
                          const struct control_request *r)
{
    const struct admin_hooks *h = &c->control->hooks;

    h->set_log_level(h->arg, r->level);
    say_text(c, log_level_name(r->level));
}

/* What a hook will answer later. */
static void start(struct control_client *c, const struct control_request *r)
{
    const struct admin_hooks *h = &c->control->hooks;
    int err = 0;

    c->is_busy = true;
    if (r->command == CONTROL_STATS) {
        err = h->gather(h->arg, on_report, c);
    } else if (r->command == CONTROL_RELOAD) {
        err = h->reload(h->arg, on_reloaded, c);
    } else {
        err = start_explain(c, r);
    }
    if (err != 0) {
        say_error(c, err == ERR_LIMIT ? "another one is being worked on"
                                      : err_text(err));
        end_request(c);
    }
}

static void take_line(struct control_client *c, struct span line)
{
    struct control_request r;
    char why[CONTROL_WHY_LEN];

    if (control_request_read(line, &r, why) != 0) {
        say_error(c, why);
    } else if (r.command == CONTROL_FLUSH) {
        flush(c, &r);
    } else if (r.command == CONTROL_LOG_LEVEL) {
        set_log_level(c, &r);
    } else {
        start(c, &r);
    }
}

/* ---- lines in ---- */

static bool may_take(const struct control_client *c)
{
    return !c->is_busy && !c->is_broken &&
           net_stream_backlog(c->stream) <= BACKLOG_MAX;
}

/* Octets of the first line and its end; 0: it is not whole. */
static size_t line_len(const struct buf *in)
{
    struct span s = buf_span(in);
    const uint8_t *end = s.ptr == NULL ? NULL : memchr(s.ptr, '\n', s.len);

    return end == NULL ? 0 : (size_t)(end - s.ptr) + 1;
}

static void take_lines(struct control_client *c)
{
    size_t len;

    while (may_take(c) && (len = line_len(&c->in)) > 0) {
        if (len > CONTROL_LINE_MAX) {
            break;
        }
        take_line(c, span_of(buf_span(&c->in).ptr, len - 1));
        buf_consume(&c->in, len);
    }
    if (may_take(c) && buf_len(&c->in) > CONTROL_LINE_MAX) {
        say_error(c, "a request longer than 4096 octets");
        buf_clear(&c->in);
        c->is_finishing = true;
    }
    if (may_take(c) && !c->is_finishing) {
        net_stream_read_start(c->stream);
    } else {
        net_stream_read_stop(c->stream);
    }
}

static void on_turn(struct net_turn *turn)
{
    struct control_client *c = CONTAINER_OF(turn, struct control_client, turn);

    if (c->stream == NULL) { /* it left while a hook was at work */
        if (!c->is_busy) {
            client_free(c);
        }
        return;
    }
    take_lines(c);
    settle(c);
}

static void on_read(void *arg, int err, struct span in)
{
    struct control_client *c = arg;

    if (err == ERR_NET_EOF) {
        c->is_finishing = true;
    } else if (err != 0 || buf_append(&c->in, in) != 0) {
        c->is_broken = true;
    }
    net_timer_start(&c->timer, QUIET_MS);
    touch(c);
}

static void on_drain(void *arg)
{
    touch(arg);
}

static void on_timer(struct net_timer *t)
{
    struct control_client *c = CONTAINER_OF(t, struct control_client, timer);

    if (c->is_busy) {
        net_timer_start(t, QUIET_MS);
        return;
    }
    c->is_broken = true;
    touch(c);
}

static const struct net_stream_events client_events = {
    .on_read = on_read,
    .on_drain = on_drain,
};

/* ---- the socket ---- */

static void refuse(struct net_stream *s, const char *line)
{
    if (net_stream_write(s, span_of(line, strlen(line))) != 0) {
        log_debug("control: refused, and gone");
    }
    net_stream_close(s);
}

static void on_accept(void *arg, struct net_stream *s, unsigned uid)
{
    struct control *control = arg;
    struct control_client *c;

    if (uid != 0 && uid != geteuid()) {
        log_warning_limited("control: user %u may not ask", uid);
        refuse(s, "{\"error\":\"only root and the user that dotstub runs as "
                  "may ask\"}\n");
        return;
    }
    c = control->client_count < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*c))
                                                    : NULL;
    if (c == NULL) {
        refuse(s, "{\"error\":\"too many are asking\"}\n");
        return;
    }
    c->control = control;
    c->stream = s;
    buf_init(&c->in, IN_MAX);
    net_turn_init(&c->turn, on_turn);
    net_timer_init(&c->timer, control->loop, on_timer);
    net_timer_start(&c->timer, QUIET_MS);
    list_push_back(&control->clients, &c->node);
    control->client_count++;
    net_stream_attach(s, &client_events, c);
}

static void log_failure(const char *path, int err)
{
    if (err == ERR_NET_IN_USE) {
        log_notice("%s belongs to another program that runs: going on "
                   "without a control socket",
                   path);
    } else {
        log_info("%s: %s: going on without a control socket", path,
                 err == ERR_INVAL ? "the name is too long" : err_text(err));
    }
}

struct control *control_open(struct net_loop *loop, const char *path,
                             const struct admin_hooks *hooks)
{
    struct control *c = calloc(1, sizeof(*c));
    int err = c == NULL ? ERR_NOMEM : 0;

    if (err == 0) {
        c->loop = loop;
        c->hooks = *hooks;
        list_init(&c->clients);
        json_object_seed(0); /* reads the system's random source, once */
        err = net_local_open(loop, path, on_accept, c, &c->listener);
    }
    if (err != 0) {
        log_failure(path, err);
        free(c);
        return NULL;
    }
    return c;
}

int control_give(struct control *c, unsigned uid, unsigned gid)
{
    return net_local_give(c->listener, uid, gid);
}

void control_close(struct control *c)
{
    if (c == NULL) {
        return;
    }
    net_local_close(c->listener);
    LIST_EACH (node, &c->clients) {
        client_free(CONTAINER_OF(node, struct control_client, node));
    }
    free(c);
}
