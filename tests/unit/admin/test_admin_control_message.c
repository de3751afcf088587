/*
 * Lines of the control socket: what is understood, what is refused and why,
 * and that what one end writes the other reads.
 */
#include "admin/control_message.h"

#include "base/err.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct span text_span(const char *text)
{
    return span_of(text, strlen(text));
}

static void bad_requests(void **state)
{
    static const struct {
        const char *line;
        const char *want; /* in the reason */
    } cases[] = {
        {"", "not a JSON object"},
        {"stats", "not a JSON object"},
        {"[]", "not an object"},
        {"null", "not"},
        {"{\"command\":\"stats\"} x", "not a JSON object"},
        {"{\"command\":\"stats\",\"command\":\"stats\"}", "duplicate"},
        {"{}", "\"command\""},
        {"{\"command\":null}", "\"command\""},
        {"{\"command\":\"Stats\"}", "\"command\""},
        {"{\"command\":\"explain\"}", "\"name\""},
        {"{\"command\":\"explain\",\"name\":\"\"}", "\"name\""},
        {"{\"command\":\"explain\",\"name\":[]}", "\"name\""},
        {"{\"command\":\"flush\",\"name\":\"a..b\"}", "\"name\""},
        {"{\"command\":\"flush\",\"type\":\"TYPE0\"}", "\"type\""},
        {"{\"command\":\"flush\",\"type\":28}", "\"type\""},
        {"{\"command\":\"log-level\"}", "\"level\""},
        {"{\"command\":\"log-level\",\"level\":\"\"}", "\"level\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct control_request r;
        char why[CONTROL_WHY_LEN] = "";

        assert_int_equal(
            control_request_read(text_span(cases[i].line), &r, why), ERR_INVAL);
        if (strstr(why, cases[i].want) == NULL) {
            fail_msg("%s: %s", cases[i].line, why);
        }
    }
}

static void requests_survive_the_way(void **state)
{
    static const struct {
        enum control_command command;
        const char *name;
        uint16_t type;
        bool with_subtree;
        enum log_level level;
    } cases[] = {
        {CONTROL_STATS, NULL, 0, false, LOG_ERROR},
        {CONTROL_FLUSH, NULL, 0, false, LOG_ERROR},
        {CONTROL_FLUSH, "example.net.", 28, true, LOG_ERROR},
        {CONTROL_RELOAD, NULL, 0, false, LOG_ERROR},
        {CONTROL_LOG_LEVEL, NULL, 0, false, LOG_DEBUG},
        {CONTROL_EXPLAIN, ".", 65280, false, LOG_ERROR},
        {CONTROL_EXPLAIN, "a\\.b\\\\\\000\\255\"", 1, false, LOG_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct control_request in = {.command = cases[i].command,
                                     .type = cases[i].type,
                                     .with_subtree = cases[i].with_subtree,
                                     .level = cases[i].level};
        struct control_request out;
        char why[CONTROL_WHY_LEN];
        struct buf line;

        if (cases[i].name != NULL) {
            assert_int_equal(control_read_name(cases[i].name, &in), 0);
        }
        buf_init(&line, CONTROL_LINE_MAX);
        assert_int_equal(control_request_write(&in, &line), 0);
        assert_int_equal(line.data[line.tail - 1], '\n');
        assert_int_equal(control_request_read(buf_span(&line), &out, why), 0);
        assert_memory_equal(&in, &out, sizeof(in));
        buf_finish(&line);
    }
}

static void answers(void **state)
{
    struct control_answer a;

    (void)state;
    assert_int_equal(
        control_answer_read(text_span("{\"at_us\":12,\"step\":\"one\"}"), &a),
        0);
    assert_false(a.is_end);
    assert_int_equal(a.at_us, 12);
    assert_string_equal(a.step, "one");
    assert_string_equal(a.error, "");
    control_answer_finish(&a);

    assert_int_equal(
        control_answer_read(
            text_span("{\"end\":true,\"message\":\"00ff\",\"report\":{\"a\":1},"
                      "\"removed\":3,\"text\":\"x\"}"),
            &a),
        0);
    assert_true(a.is_end);
    assert_int_equal(a.message_len, 2);
    assert_memory_equal(a.message, "\x00\xff", 2);
    assert_string_equal(a.report, "{\"a\":1}");
    assert_int_equal(a.removed, 3);
    assert_string_equal(a.text, "x");
    control_answer_finish(&a);

    assert_int_equal(control_answer_read(text_span("{\"error\":\"no\"}"), &a),
                     0);
    assert_true(a.is_end);
    control_answer_finish(&a);
}

static void bad_answers(void **state)
{
    static const char *const cases[] = {"", "[]", "{\"message\":\"0g\"}",
                                        "{\"message\":\"zz\"}", "{\"end\":"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct control_answer a;

        assert_int_equal(control_answer_read(text_span(cases[i]), &a),
                         ERR_INVAL);
        assert_null(a.message);
        control_answer_finish(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(requests_survive_the_way),
        cmocka_unit_test(answers),
        cmocka_unit_test(bad_answers),
    };

    return cmocka_run_group_tests_name("admin_control_message", tests, NULL,
                                       NULL);
}
