/*
 * The control socket with hooks of the tests' own: when they call back at once,
 * later, with an error, or not before the client is gone.
 */
#include "admin/control.h"

#include "admin/control_message.h"
#include "base/err.h"
#include "net/local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct net_loop *loop;
    char folder[64];
    char path[128];
    struct control *control;
    struct net_stream *client;
    char got[65536];
    size_t got_len;
    size_t want_lines; /* stop the loop when they are there */
    bool has_ended;

    /* what the hooks do */
    int err;
    bool answers_at_once;
    struct net_timer later;
    void (*reloaded)(void *arg, int err, const char *text);
    const char *text; /* of a reload that succeeds */
    admin_explain_fn *explained;
    void *arg;
    uint8_t query[512];
    size_t query_len;
    enum log_level level;
    uint16_t type;
    size_t name_len;
    bool with_subtree;
};

/* ---- hooks ---- */

static void answer(struct fixture *f)
{
    if (f->reloaded != NULL) {
        f->reloaded(f->arg, f->err, f->err == 0 ? f->text : "file:1:1: wrong");
        f->reloaded = NULL;
    }
    if (f->explained != NULL) {
        struct trace trace;
        trace_init(&trace, 100);
        trace_add(&trace, 107, "a \"step\" with \xff");
        f->explained(f->arg, &trace,
                     span_of(f->query, f->err == 0 ? f->query_len : 0));
        f->explained = NULL;
    }
}

static void on_later(struct net_timer *t)
{
    answer(CONTAINER_OF(t, struct fixture, later));
}

static void answer_soon(struct fixture *f, void *arg)
{
    f->arg = arg;
    if (f->answers_at_once) {
        answer(f);
    } else {
        net_timer_start(&f->later, 5);
    }
}

static int hook_gather(void *arg, admin_report_fn *fn, void *fn_arg)
{
    (void)arg;
    (void)fn;
    (void)fn_arg;
    return ERR_NOMEM;
}

static size_t hook_flush(void *arg, struct span name, uint16_t type,
                         bool with_subtree)
{
    struct fixture *f = arg;

    f->name_len = name.len;
    f->type = type;
    f->with_subtree = with_subtree;
    return 7;
}

static int hook_reload(void *arg,
                       void (*done)(void *arg, int err, const char *text),
                       void *done_arg)
{
    struct fixture *f = arg;

    if (f->err == ERR_LIMIT) {
        return ERR_LIMIT;
    }
    f->reloaded = done;
    answer_soon(f, done_arg);
    return 0;
}

static void hook_set_log_level(void *arg, enum log_level level)
{
    struct fixture *f = arg;

    f->level = level;
}

static int hook_explain(void *arg, struct span query, admin_explain_fn *fn,
                        void *fn_arg)
{
    struct fixture *f = arg;

    memcpy(f->query, query.ptr, query.len);
    f->query_len = query.len;
    f->explained = fn;
    answer_soon(f, fn_arg);
    return 0;
}

/* ---- the client ---- */

static void on_read(void *arg, int err, struct span in)
{
    struct fixture *f = arg;
    size_t lines = 0;

    if (err != 0) {
        f->has_ended = true;
        net_loop_stop(f->loop);
        return;
    }
    assert_true(f->got_len + in.len < sizeof(f->got));
    memcpy(f->got + f->got_len, in.ptr, in.len);
    f->got_len += in.len;
    f->got[f->got_len] = '\0';
    for (size_t i = 0; i < f->got_len; i++) {
        lines += f->got[i] == '\n';
    }
    if (lines >= f->want_lines) {
        net_loop_stop(f->loop);
    }
}

static const struct net_stream_events events = {.on_read = on_read};

static void run(struct fixture *f)
{
    alarm(60);
    net_loop_run(f->loop);
    alarm(0);
}

/* Send text, and wait for so many lines (0: for the end). */
static const char *ask(struct fixture *f, const char *text, size_t lines)
{
    f->got_len = 0;
    f->got[0] = '\0';
    f->want_lines = lines == 0 ? SIZE_MAX : lines;
    assert_int_equal(net_stream_write(f->client, span_of(text, strlen(text))),
                     0);
    run(f);
    return f->got;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct admin_hooks hooks = {
        f,           hook_gather,        hook_flush,
        hook_reload, hook_set_log_level, hook_explain};

    assert_non_null(f);
    assert_int_equal(net_loop_create(&f->loop), 0);
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_control.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/deep/socket", f->folder);
    net_timer_init(&f->later, f->loop, on_later);
    f->control = control_open(f->loop, f->path, &hooks);
    assert_non_null(f->control);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
    net_stream_attach(f->client, &events, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char folder[96];

    net_stream_close(f->client);
    net_timer_stop(&f->later);
    control_close(f->control);
    net_loop_destroy(f->loop);
    (void)snprintf(folder, sizeof(folder), "%s/deep", f->folder);
    assert_int_equal(rmdir(folder), 0); /* the socket is gone */
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void commands(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        ask(f, "{\"command\":\"flush\",\"name\":\"a.b\",\"type\":\"MX\"}\r\n",
            1),
        "{\"end\":true,\"removed\":7}\n");
    assert_int_equal(f->name_len, 5);
    assert_int_equal(f->type, 15);
    assert_false(f->with_subtree);
    assert_string_equal(ask(f, "{\"command\":\"flush\",\"subtree\":true}\n", 1),
                        "{\"end\":true,\"removed\":7}\n");
    assert_int_equal(f->name_len, 0);
    assert_true(f->with_subtree);
    assert_string_equal(
        ask(f, "{\"command\":\"log-level\",\"level\":\"Debug\"}\n", 1),
        "{\"end\":true,\"text\":\"debug\"}\n");
    assert_int_equal(f->level, LOG_DEBUG);
    assert_string_equal(ask(f, "{\"command\":\"stats\"}\n", 1),
                        "{\"error\":\"out of memory\"}\n");
}

static void reload(void **state)
{
    struct fixture *f = *state;
    const char *line = "{\"command\":\"reload\"}\n";

    for (int at_once = 0; at_once < 2; at_once++) {
        f->answers_at_once = at_once == 1;
        f->err = 0;
        assert_string_equal(ask(f, line, 1),
                            "{\"end\":true,\"text\":\"going on with the new "
                            "configuration\"}\n");
        f->text = "warning: workers: later\nwarning: user: later\n";
        assert_string_equal(ask(f, line, 3),
                            "{\"text\":\"warning: workers: later\"}\n"
                            "{\"text\":\"warning: user: later\"}\n"
                            "{\"end\":true,\"text\":\"going on with the new "
                            "configuration\"}\n");
        f->text = NULL;
        f->err = ERR_CONFIG;
        assert_string_equal(ask(f, line, 1),
                            "{\"error\":\"file:1:1: wrong\"}\n");
    }
    f->err = ERR_LIMIT;
    assert_string_equal(ask(f, line, 1),
                        "{\"error\":\"another one is being worked on\"}\n");
}

static void explain(void **state)
{
    struct fixture *f = *state;
    static const uint8_t want[] = "\0\0\1\0\0\1\0\0\0\0\0\1\1x\0\0\x1c\0\1"
                                  "\0\0\x29\4\xd0\0\0\0\0\0";
    const char *line =
        "{\"command\":\"explain\",\"name\":\"x\",\"type\":\"AAAA\"}\n";

    ask(f, line, 2);
    assert_int_equal(f->query_len, sizeof(want));
    assert_memory_equal(f->query, want, sizeof(want));
    assert_non_null(
        strstr(f->got, "{\"at_us\":7,\"step\":\"a \\\"step\\\" with ?\"}\n"));
    assert_non_null(strstr(f->got, "\"message\":\"0000010000010000"));
    f->err = ERR_NET_OTHER;
    ask(f, line, 2);
    assert_non_null(strstr(f->got, "{\"error\":\"no answer came of it\"}\n"));
}

/* Each waits for the one before. */
static void many_at_once(void **state)
{
    struct fixture *f = *state;

    ask(f,
        "{\"command\":\"reload\"}\n{\"command\":\"explain\",\"name\":\".\"}\n"
        "nonsense\n{\"command\":\"flush\"}\n",
        5);
    const char *text = f->got;
    const char *const want[] = {"new configuration", "step", "message",
                                "not a JSON object", "removed"};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        text = strstr(text, want[i]);
        assert_non_null(text);
    }
}

static void octet_by_octet(void **state)
{
    struct fixture *f = *state;
    const char *line = "{\"command\":\"flush\"}\n";

    for (size_t i = 0; line[i + 1] != '\0'; i++) {
        assert_int_equal(net_stream_write(f->client, span_of(line + i, 1)), 0);
    }
    assert_string_equal(ask(f, "\n", 1), "{\"end\":true,\"removed\":7}\n");
}

static void line_too_long(void **state)
{
    struct fixture *f = *state;
    static char line[CONTROL_LINE_MAX + 2];

    memset(line, 'x', sizeof(line) - 1);
    ask(f, line, 0);
    assert_true(f->has_ended);
    assert_string_equal(f->got,
                        "{\"error\":\"a request longer than 4096 octets\"}\n");
}

static void client_that_leaves(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        net_stream_write(f->client, span_of("{\"command\":\"reload\"}\n", 21)),
        0);
    net_stream_shutdown(f->client);
    net_stream_close(f->client);
    f->client = NULL;
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
    net_stream_attach(f->client, &events, f);
    ask(f, "{\"command\":\"reload\"}\n", 1);
    assert_non_null(strstr(f->got, "new configuration"));
}

/* The control goes while a hook is at work: it must not call back then. */
static void end_while_busy(void **state)
{
    struct fixture *f = *state;

    ask(f, "{\"command\":\"flush\"}\n{\"command\":\"reload\"}\n", 1);
    assert_non_null(f->reloaded);
}

static void more_than_it_takes(void **state)
{
    struct fixture *f = *state;
    struct net_stream *others[CONTROL_CLIENTS_MAX];

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(net_local_connect(f->loop, f->path, &others[i]), 0);
        if (i + 1 == COUNT_OF(others)) {
            net_stream_attach(others[i], &events, f);
        } else {
            net_stream_attach(others[i], &events, NULL);
        }
    }
    f->want_lines = 1;
    run(f);
    assert_string_equal(f->got, "{\"error\":\"too many are asking\"}\n");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        net_stream_close(others[i]);
    }
    ask(f, "{\"command\":\"flush\"}\n", 1);
}

static void cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    const struct admin_hooks hooks = {.arg = f};
    char path[300];

    assert_null(control_open(f->loop, f->path, &hooks)); /* it is in use */
    assert_null(control_open(f->loop, "/proc/none/socket", &hooks));
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_null(control_open(f->loop, path, &hooks));
    ask(f, "{\"command\":\"flush\"}\n", 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(commands),
        TEST(reload),
        TEST(explain),
        TEST(many_at_once),
        TEST(octet_by_octet),
        TEST(line_too_long),
        TEST(client_that_leaves),
        TEST(end_while_busy),
        TEST(more_than_it_takes),
        TEST(cannot_be_opened),
    };
#undef TEST

    return cmocka_run_group_tests_name("admin_control", tests, NULL, NULL);
}
