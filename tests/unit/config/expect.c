/*
 * Loads each case and compares all that is said; also that there is a result
 * or an error, never both and never neither.
 */
#include "expect.h"

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *expect_join(const struct config_diagnostics *d)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    for (size_t i = 0; i < d->count; i++) {
        fprintf(out, "%s\n", d->lines[i]);
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool is_as_expected(const struct expect_case *t)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load_text(t->yaml, strlen(t->yaml), "t", &c, &d);
    char *got = expect_join(&d);
    bool is_right = strcmp(got, t->want) == 0;

    if (!is_right) {
        print_error("%s:\n--- got\n", t->title);
        print_error("%s--- want\n", got);
        print_error("%s", t->want);
    }
    if ((err == 0) != (d.errors == 0) || (err == 0) != (c != NULL) ||
        (err != 0 && err != ERR_CONFIG)) {
        print_error("%s: %s with %zu errors\n", t->title, err_name(err),
                    d.errors);
        is_right = false;
    }
    free(got);
    config_diagnostics_finish(&d);
    config_destroy(c);
    return is_right;
}

void expect_cases(const struct expect_case *cases, size_t count)
{
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        wrong += !is_as_expected(&cases[i]);
    }
    assert_int_equal(wrong, 0);
}

struct config *expect_load(const char *yaml)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load_text(yaml, strlen(yaml), "t", &c, &d);
    char *got = expect_join(&d);

    assert_string_equal(got, "");
    assert_int_equal(err, 0);
    assert_non_null(c);
    free(got);
    config_diagnostics_finish(&d);
    return c;
}
