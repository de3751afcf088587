/*
 * The order and form of diagnostics, and that nothing of a file reaches the
 * terminal as it is.
 */
#include "base/err.h"
#include "config/diag.h"
#include "expect.h"

#include <stdlib.h>
#include <string.h>

static void expect_export(struct diag *d, const char *want)
{
    struct config_diagnostics out;

    assert_int_equal(diag_export(d, &out), 0);
    char *got = expect_join(&out);
    assert_string_equal(got, want);
    free(got);
    config_diagnostics_finish(&out);
    diag_finish(d);
}

static void test_order(void **state)
{
    struct diag d;

    (void)state;
    diag_init(&d, "f.yaml");
    diag_error(&d, (struct mark){3, 1, NULL}, "b", "third");
    diag_warning(&d, (struct mark){2, 9, NULL}, "a", "second, %d", 2);
    diag_error(&d, (struct mark){2, 1, NULL}, NULL, "first");
    diag_error(&d, (struct mark){3, 1, NULL}, "", "fourth");
    diag_error(&d, (struct mark){0, 0, NULL}, NULL, "of the file");
    assert_int_equal(d.errors, 4);
    expect_export(&d, "f.yaml: of the file\n"
                      "f.yaml:2:1: first\n"
                      "f.yaml:2:9: warning: a: second, 2\n"
                      "f.yaml:3:1: b: third\n"
                      "f.yaml:3:1: fourth\n");
}

/* What is in the environment comes after what is in the file. */
static void test_variables(void **state)
{
    struct diag d;

    (void)state;
    diag_init(&d, "f.yaml");
    struct mark b = {1, 1, diag_variable(&d, "B\n=1", 2)};
    struct mark a = {1, 1, diag_variable(&d, "A", 1)};
    diag_error(&d, b, "x", "third");
    diag_warning(&d, a, NULL, "second");
    diag_error(&d, (struct mark){9, 1, NULL}, NULL, "first, %s and %s",
               diag_place(a).text, diag_place((struct mark){7, 1, NULL}).text);
    expect_export(&d, "f.yaml:9:1: first, in A and in line 7\n"
                      "environment A: warning: second\n"
                      "environment B\\x0a: x: third\n");
}

static void test_escape(void **state)
{
    struct diag d;

    (void)state;
    diag_init(&d, "f\n");
    diag_error(&d, (struct mark){1, 1, NULL}, "\x1b[1m", "%s",
               "\t\x7f\xc2\x9bz\xc3\xbc");
    expect_export(&d, "f\\x0a:1:1: \\x1b[1m: \\x09\\x7f\\x9bz\xc3\xbc\n");
}

static void test_bound(void **state)
{
    struct diag d;
    struct config_diagnostics out;

    (void)state;
    diag_init(&d, "f");
    for (unsigned i = 0; i < DIAG_MAX + 7; i++) {
        diag_error(&d, (struct mark){i + 1, 1, NULL}, NULL, "x");
    }
    assert_int_equal(diag_export(&d, &out), 0);
    assert_int_equal(out.count, DIAG_MAX + 1);
    assert_string_equal(out.lines[DIAG_MAX], "f: 7 more like these are not "
                                             "shown");
    config_diagnostics_finish(&out);
    config_diagnostics_finish(&out); /* twice does no harm */
    config_diagnostics_finish(NULL);
    diag_finish(&d);
}

/* A long value is cut between characters, never inside one. */
static void test_quote(void **state)
{
    char text[400];

    (void)state;
    assert_string_equal(diag_quote("short").text, "short");
    for (size_t shift = 0; shift < 2; shift++) {
        memset(text, 'a', sizeof(text));
        for (size_t i = shift; i + 2 < sizeof(text); i += 2) {
            memcpy(text + i, "\xc3\xbc", 2);
        }
        text[sizeof(text) - 1] = '\0';
        struct diag_quote q = diag_quote(text);
        size_t len = strlen(q.text);
        assert_in_range(len, DIAG_QUOTE_MAX / 2, DIAG_QUOTE_MAX - 1);
        assert_string_equal(q.text + len - 3, "\xe2\x80\xa6");
        assert_int_equal((len - 3 - shift) % 2, 0);
    }
}

static void test_no_memory(void **state)
{
    struct diag d;
    struct config_diagnostics out;

    (void)state;
    diag_init(&d, "f");
    d.is_out_of_memory = true;
    assert_int_equal(diag_export(&d, &out), ERR_NOMEM);
    assert_int_equal(out.count, 0);
    assert_null(out.lines);
    diag_finish(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_escape),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_bound),
        cmocka_unit_test(test_quote),     cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("config_diag", tests, NULL, NULL);
}
