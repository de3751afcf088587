/*
 * Frames of top: what they say, and that they fit.
 */
#include "cli/top_frame.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct upstream_server_report servers[2] = {
    {.label = "192.0.2.1:853#dot.example",
     .state = "up",
     .ready = 2,
     .in_flight = 3,
     .queries = 100,
     .handshakes = 4,
     .resumed = 3,
     .p50_us = 1500,
     .p95_us = 25000,
     .tls_version = "TLSv1.3"},
    {.label = "192.0.2.2:853#\x1b[2Jdot.example",
     .state = "down",
     .tls_version = "",
     .why = "certificate expired\x9b\n"},
};

static struct admin_pool pools[1] = {
    {.zone = ".", .strategy = "race", .servers = servers, .server_count = 2}};

static struct admin_report report_at(uint64_t uptime_ms, uint64_t queries,
                                     uint64_t hits)
{
    return (struct admin_report){
        .version = "1.2.3",
        .uptime_ms = uptime_ms,
        .started_at_s = 5,
        .workers = 2,
        .is_ready = true,
        .resolver = {.queries = queries, .hits = hits},
        .cache_max = 1 << 20,
        .pools = pools,
        .pool_count = 1,
    };
}

static const char *draw(const struct top_view *view,
                        const struct top_style *style, struct buf *out)
{
    buf_init(out, 1 << 20);
    top_frame(view, style, out);
    assert_int_equal(buf_append(out, span_of("", 1)), 0);
    return (const char *)out->data;
}

static void assert_has(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, text);
    }
}

static void says_what_happened(void **state)
{
    const struct admin_report before = report_at(10000, 1000, 900);
    const struct admin_report now = report_at(12000, 1300, 1050);
    const struct top_view view = {
        .now = &now, .second = &before, .window = &before};
    const struct top_style style = {.columns = 80};
    struct buf out;
    const char *text = draw(&view, &style, &out);

    (void)state;
    assert_has(text, "dotstub 1.2.3  up 00:00:12  2 workers  0 B  ready\n");
    assert_has(text, "queries        150 /s");
    assert_has(text, "cache       50.0 % hits");
    assert_has(text, "192.0.2.1:853#dot.example    up           2    3");
    assert_has(text, "  1.50   25.0  1.3   75%\n");
    assert_has(text, "192.0.2.2:853#?[2Jdot.examp~ down");
    assert_has(text, "  certificate expired");
    assert_null(strchr(text, '\x1b'));
    assert_true(top_rate(&before, &now) > 149.9);
    buf_finish(&out);
}

static void marks_cut_names_as_the_terminal_can(void **state)
{
    const struct admin_report now = report_at(1000, 50, 0);
    const struct top_view view = {.now = &now};
    const struct top_style style = {
        .columns = 70, .rows = 24, .is_utf8 = true, .is_live = true};
    struct buf out;
    const char *text = draw(&view, &style, &out);

    (void)state;
    assert_has(text, "\n192.0.2.1:853#dot… up           2");
    buf_finish(&out);
}

/* The daemon was started anew: its counters began again. */
static void another_run(void **state)
{
    const struct admin_report before = report_at(1000000, 100000, 0);
    struct admin_report now = report_at(1000, 50, 0);
    const struct top_view view = {
        .now = &now, .second = &before, .window = &before};
    const struct top_style style = {.columns = 80};
    struct buf out;

    (void)state;
    now.started_at_s = 6;
    assert_has(draw(&view, &style, &out), "queries       50.0 /s");
    assert_true(top_rate(&before, &now) == 0);
    buf_finish(&out);
}

static void fits(void **state)
{
    const struct admin_report now = report_at(1000, 50, 0);
    struct top_view view = {.now = &now, .message = "no answer: ……………………"};
    unsigned column;
    unsigned rows;

    (void)state;
    for (size_t i = 0; i < TOP_HISTORY; i++) {
        view.history[view.history_count++] = (double)i;
    }
    for (unsigned columns = 1; columns < 100; columns += 3) {
        const struct top_style style = {
            .columns = columns, .rows = columns % 30, .is_utf8 = true};
        struct buf out;
        const char *text = draw(&view, &style, &out);
        column = 0;
        rows = 0;
        for (; *text != '\0'; text++) {
            column = *text == '\n' ? 0 : column + ((*text & 0xc0) != 0x80);
            rows += *text == '\n';
            assert_true(column <= columns);
        }
        assert_true(style.rows == 0 || rows <= style.rows + 1);
        buf_finish(&out);
    }
}

static void colours_end(void **state)
{
    const struct admin_report now = report_at(1000, 50, 0);
    const struct top_view view = {.now = &now};
    const struct top_style style = {
        .columns = 5, .rows = 24, .has_colour = true, .is_live = true};
    struct buf out;
    const char *text = draw(&view, &style, &out);

    (void)state;
    assert_int_equal(strncmp(text, "\x1b[H", 3), 0);
    assert_has(text, "\x1b[1mdotst\x1b[0m\x1b[K\r\n");
    assert_has(text, "\x1b[J\x1b[24;1H");
    assert_null(strchr(text, '\x01'));
    buf_finish(&out);
}

static void nobody_answers(void **state)
{
    const struct top_view view = {.message = "no answer"};
    const struct top_style style = {.columns = 80};
    struct buf out;

    (void)state;
    assert_string_equal(draw(&view, &style, &out), "no answer\n");
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_happened),
        cmocka_unit_test(marks_cut_names_as_the_terminal_can),
        cmocka_unit_test(another_run),
        cmocka_unit_test(fits),
        cmocka_unit_test(colours_end),
        cmocka_unit_test(nobody_answers),
    };

    return cmocka_run_group_tests_name("cli_top_frame", tests, NULL, NULL);
}
