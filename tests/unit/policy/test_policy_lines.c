/*
 * Lines of files: endings, blanks, comments, lines at and past the buffer.
 */
#include "fixture.h"

#include "base/err.h"
#include "policy/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct lines opened(const char *path)
{
    char why[128] = "";
    struct lines l;

    assert_int_equal(lines_open(&l, path, 1 << 24, why, sizeof(why)), 0);
    return l;
}

static void require_line(struct lines *l, const char *want, size_t number)
{
    struct span line;

    assert_int_equal(lines_next(l, &line), 1);
    assert_int_equal(line.len, strlen(want));
    assert_memory_equal(line.ptr, want, line.len);
    assert_int_equal(l->number, number);
}

static void cuts_lines(void **state)
{
    char *path = make_text_file("one\n  two \t\r\n\n\r\nfi\r ve\nlast");
    struct lines l = opened(path);
    struct span line;

    (void)state;
    require_line(&l, "one", 1);
    require_line(&l, "two", 2);
    require_line(&l, "", 3);
    require_line(&l, "", 4);
    require_line(&l, "fi\r ve", 5);
    require_line(&l, "last", 6);
    assert_int_equal(lines_next(&l, &line), 0);
    assert_int_equal(lines_next(&l, &line), 0);
    assert_int_equal(l.bad_count, 0);
    lines_close(&l);
    drop_file(path);
}

static void an_empty_file_has_no_line(void **state)
{
    char *path = make_text_file("");
    struct lines l = opened(path);
    struct span line;

    (void)state;
    assert_int_equal(lines_next(&l, &line), 0);
    lines_close(&l);
    drop_file(path);
}

/* len times "x" between two short lines. */
static void try_long(size_t len, bool is_ended, bool is_given)
{
    size_t file_len = 2 + len + (is_ended ? 5 : 0);
    char *octets = malloc(file_len);
    struct lines l;
    struct span line;
    char *path;

    assert_non_null(octets);
    memset(octets, 'x', file_len);
    memcpy(octets, "a\n", 2);
    if (is_ended) {
        memcpy(octets + 2 + len, "\nb\r\n", 4);
        octets[file_len - 1] = 'c';
    }
    path = make_file(octets, file_len);
    l = opened(path);
    require_line(&l, "a", 1);
    if (is_given) {
        assert_int_equal(lines_next(&l, &line), 1);
        assert_int_equal(line.len, len);
    }
    if (is_ended) {
        require_line(&l, "b", 3);
        require_line(&l, "c", 4);
    }
    assert_int_equal(lines_next(&l, &line), 0);
    assert_int_equal(l.bad_count, is_given ? 0 : 1);
    assert_int_equal(l.bad_first, is_given ? 0 : 2);
    lines_close(&l);
    drop_file(path);
    free(octets);
}

static void lines_longer_than_the_buffer_are_dropped(void **state)
{
    (void)state;
    try_long(LINES_BUFFER_LEN - 1, true, true);
    try_long(LINES_BUFFER_LEN - 1, false, true);
    try_long(LINES_BUFFER_LEN, true, false);
    try_long(LINES_BUFFER_LEN + 1, true, false);
    try_long(3 * LINES_BUFFER_LEN, true, false);
    try_long(3 * LINES_BUFFER_LEN + 7, false, false);
}

/* Lines of many lengths, so that they meet the buffer's end everywhere. */
static void lines_meet_the_buffers_end(void **state)
{
    enum { COUNT = 4000 };
    size_t len = 0;
    char *octets = malloc(COUNT * 110);
    struct lines l;
    struct span line;
    char *path;

    (void)state;
    assert_non_null(octets);
    for (size_t i = 0; i < COUNT; i++) {
        memset(octets + len, 'a' + (int)(i % 26), i % 103);
        len += i % 103;
        octets[len++] = '\n';
    }
    path = make_file(octets, len);
    l = opened(path);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(lines_next(&l, &line), 1);
        assert_int_equal(line.len, i % 103);
        for (size_t j = 0; j < line.len; j++) {
            assert_int_equal(line.ptr[j], 'a' + (int)(i % 26));
        }
    }
    assert_int_equal(lines_next(&l, &line), 0);
    lines_close(&l);
    drop_file(path);
    free(octets);
}

static void what_is_no_file_is_refused(void **state)
{
    char why[128];
    char *path = make_text_file("0123456789");
    char fifo[64];
    struct lines l;

    (void)state;
    assert_int_equal(lines_open(&l, "/nonexistent/x", 99, why, sizeof(why)),
                     ERR_NOTFOUND);
    assert_string_equal(why, "No such file or directory");
    lines_close(&l);
    assert_int_equal(lines_open(&l, "/", 99, why, sizeof(why)), ERR_CONFIG);
    assert_string_equal(why, "is not a regular file");
    lines_close(&l);
    assert_int_equal(lines_open(&l, path, 9, why, sizeof(why)), ERR_CONFIG);
    assert_string_equal(why, "is larger than 0 MiB");
    assert_int_equal(lines_open(&l, path, 10, why, sizeof(why)), 0);
    lines_close(&l);
    (void)snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(lines_open(&l, fifo, 9, why, sizeof(why)), ERR_CONFIG);
    assert_int_equal(unlink(fifo), 0);
    drop_file(path);
}

/* A file that grows while it is read is cut where its bound is. */
static void no_more_is_read_than_the_bound(void **state)
{
    char *path = make_text_file("ab\ncd");
    char why[128];
    struct lines l;
    struct span line;
    FILE *file;

    (void)state;
    assert_int_equal(lines_open(&l, path, 7, why, sizeof(why)), 0);
    file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs("efgh\nij\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    require_line(&l, "ab", 1);
    require_line(&l, "cdef", 2);
    assert_int_equal(lines_next(&l, &line), 0);
    lines_close(&l);
    drop_file(path);
}

static void words_and_comments(void **state)
{
    static const struct {
        const char *line, *without, *first, *second;
    } cases[] = {
        {"", "", "", ""},
        {"a", "a", "a", ""},
        {"  a\t b  c ", "a\t b  c", "a", "b"},
        {"a #b", "a", "a", ""},
        {"a#b c", "a#b c", "a#b", "c"},
        {"# a", "", "", ""},
        {"a\t# b # c", "a", "a", ""},
        {" #", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span line = span_of(cases[i].line, strlen(cases[i].line));
        struct span word;

        line = lines_without_comment(line);
        assert_int_equal(line.len, strlen(cases[i].without));
        assert_memory_equal(line.ptr, cases[i].without, line.len);
        word = lines_word(&line);
        assert_int_equal(word.len, strlen(cases[i].first));
        assert_memory_equal(word.ptr, cases[i].first, word.len);
        word = lines_word(&line);
        assert_int_equal(word.len, strlen(cases[i].second));
        assert_memory_equal(word.ptr, cases[i].second, word.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines),
        cmocka_unit_test(an_empty_file_has_no_line),
        cmocka_unit_test(lines_longer_than_the_buffer_are_dropped),
        cmocka_unit_test(lines_meet_the_buffers_end),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(no_more_is_read_than_the_bound),
        cmocka_unit_test(words_and_comments),
    };
    return cmocka_run_group_tests_name("policy_lines", tests, NULL, NULL);
}
