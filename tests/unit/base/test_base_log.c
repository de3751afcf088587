/*
 * Log lines, read back from a pipe that stands in for stderr.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_ROOM "room"

enum { STAMP_LEN = 24 }; /* "2026-01-02T03:04:05.678Z" */

static int pipe_ends[2];
static int real_stderr;
static char got[65536];

/* From here on stderr is the pipe; nothing may be asserted until released. */
static void capture(void)
{
    int err = pipe2(pipe_ends, O_NONBLOCK);

    assert_int_equal(err, 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
}

/* Give stderr back; what was written is in got, its length returned. */
static size_t release(void)
{
    ssize_t len = read(pipe_ends[0], got, sizeof(got) - 1);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    got[len > 0 ? len : 0] = '\0';
    return len > 0 ? (size_t)len : 0;
}

static const struct line_case {
    const char *title;
    const char *text;
    const char *want_text;
    const char *want_json;
} line_cases[] = {
    {"plain", "all is well", "all is well", "all is well"},
    {"empty", "", "", ""},
    {"line feed", "a\nb", "a\\x0ab", "a\\u000ab"},
    {"escape and delete", "\033[31m\x7f", "\\x1b[31m\\x7f",
     "\\u001b[31m\\u007f"},
    {"quote and backslash", "\"a\\b\"", "\"a\\b\"", "\\\"a\\\\b\\\""},
    {"UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7",
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7",
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7"},
    {"U+0085 is a control", "\xc2\x85", "\\xc2\\x85", "\\ufffd\\ufffd"},
    {"overlong", "\xc0\xaf", "\\xc0\\xaf", "\\ufffd\\ufffd"},
    {"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd"},
    {"cut character", "a\xe2\x82", "a\\xe2\\x82", "a\\ufffd\\ufffd"},
    {"lone tail", "\x80z", "\\x80z", "\\ufffdz"},
};

static void escapes_what_could_forge_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(line_cases); i++) {
        const struct line_case *c = &line_cases[i];
        char want[200];

        log_setup(LOG_INFO, LOG_TEXT);
        capture();
        log_warning("%s", c->text);
        (void)release();
        (void)snprintf(want, sizeof(want), " warning room: %s\n", c->want_text);
        assert_true(strlen(got) > STAMP_LEN);
        assert_string_equal(got + STAMP_LEN, want);

        log_setup(LOG_INFO, LOG_JSON);
        capture();
        log_warning("%s", c->text);
        (void)release();
        (void)snprintf(want, sizeof(want),
                       "\",\"level\":\"warning\",\"room\":\"room\","
                       "\"message\":\"%s\"}\n",
                       c->want_json);
        assert_memory_equal(got, "{\"time\":\"", 9);
        assert_string_equal(got + 9 + STAMP_LEN, want);
    }
}

static void stamp_is_utc_with_milliseconds(void **state)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    capture();
    log_info("x");
    (void)release();
    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] == 'd') {
            assert_in_range(got[i], '0', '9');
        } else {
            assert_int_equal(got[i], form[i]);
        }
    }
}

static void levels_choose(void **state)
{
    (void)state;
    log_setup(LOG_NOTICE, LOG_TEXT);
    assert_true(log_is_on(LOG_ERROR));
    assert_true(log_is_on(LOG_NOTICE));
    assert_false(log_is_on(LOG_INFO));
    capture();
    log_info("not this");
    log_debug("not this");
    assert_int_equal(release(), 0);
    log_set_level(LOG_DEBUG);
    assert_true(log_is_on(LOG_DEBUG));
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
}

static void long_text_is_cut_between_characters(void **state)
{
    char text[4001];
    size_t len;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_setup(LOG_INFO, LOG_TEXT);
    capture();
    log_info("%s", text);
    len = release();
    assert_int_equal(len, STAMP_LEN + strlen(" info room: \n") + 2000);

    memcpy(text + 1999, "\xc3\xa9", 2);
    capture();
    log_info("%s", text);
    len = release();
    assert_int_equal(len, STAMP_LEN + strlen(" info room: \n") + 1999);

    /* The longest line there can be: each octet an escape of six. */
    memset(text, 1, sizeof(text) - 1);
    log_setup(LOG_INFO, LOG_JSON);
    capture();
    log_info("%s", text);
    len = release();
    assert_true(len > 12000);
    assert_int_equal(got[len - 1], '\n');
}

static void full_pipe_loses_the_line_and_keeps_errno(void **state)
{
    static char filler[4096];
    int kept;

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    capture();
    while (write(pipe_ends[1], filler, sizeof(filler)) > 0) {
    }
    errno = ENOENT;
    log_info("lost");
    kept = errno;
    (void)release();
    assert_int_equal(kept, ENOENT);
}

static size_t count_lines(const char *part)
{
    size_t count = 0;

    for (const char *p = got; (p = strstr(p, part)) != NULL; p++) {
        count++;
    }
    return count;
}

static void repeats_are_limited(void **state)
{
    struct log_limit limit = {0};
    unsigned passed = 0;
    unsigned long window;

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    (void)log_limit_pass(&limit, 0); /* opens the window */
    limit.count = 0;
    limit.dropped = 0;
    window = limit.window;
    for (unsigned i = 0; i < 100; i++) {
        passed += log_limit_pass(&limit, 5);
    }
    if (limit.window == window) { /* else ten seconds ended just now */
        assert_int_equal(passed, 5);
        assert_int_equal(limit.dropped, 95);
    }
    limit.dropped = 95;
    limit.window = window + 1000; /* another than now's */
    capture();
    passed = log_limit_pass(&limit, 5);
    (void)release();
    assert_int_equal(passed, 1);
    assert_int_equal(count_lines("(95 more like this)\n"), 1);
    assert_int_equal(limit.dropped, 0);
}

static void limited_macro_lets_five_pass(void **state)
{
    size_t lines;

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    capture();
    for (int i = 0; i < 50; i++) {
        log_warning_limited("again");
    }
    (void)release();
    lines = count_lines("room: again\n");
    assert_in_range(lines, 5, 10); /* over 5: a window ended within */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_could_forge_a_line),
        cmocka_unit_test(stamp_is_utc_with_milliseconds),
        cmocka_unit_test(levels_choose),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(full_pipe_loses_the_line_and_keeps_errno),
        cmocka_unit_test(repeats_are_limited),
        cmocka_unit_test(limited_macro_lets_five_pass),
    };
    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
