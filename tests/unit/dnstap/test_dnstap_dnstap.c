/*
 * The whole of it into files and to nobody: what is written, what is dropped,
 * and that both are counted. Receivers at sockets are in tests/e2e.
 */
#include "dnstap/dnstap.h"

#include "base/err.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 100000 };

static const uint8_t query[12] = {0x12, 0x34, 1, 0, 0, 1};
static const uint8_t answer[12] = {0x12, 0x34, 0x81, 0x80, 0, 1};

struct fixture {
    struct dnstap_counts counts;
    struct config config;
    struct dnstap *tap;
    char folder[32];
    char path[64];
    char old[64];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_setup(LOG_ERROR, LOG_TEXT);
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_dnstap.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/tap", f->folder);
    (void)snprintf(f->old, sizeof(f->old), "%s/tap.1", f->folder);
    f->config = (struct config){
        .dnstap = f->path,
        .tap = {.kind = CONFIG_TAP_FILE, .path = f->path},
        .dnstap_addresses = CONFIG_ADDRESS_SHORT,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)unlink(f->path);
    (void)unlink(f->old);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    assert_int_equal(dnstap_create(&f->config, 2, "v", &f->counts, &f->tap), 0);
    assert_int_equal(dnstap_start(f->tap), 0);
    assert_int_equal(dnstap_start(f->tap), 0);
}

static struct dnstap_event event_of(const uint8_t message[12])
{
    return (struct dnstap_event){
        .client = {.family = 4, .ip = {192, 0, 2, 77}, .port = 4242},
        .query_us = 1000000,
        .response_us = 2000000,
        .message = span_of(message, 12),
    };
}

static void tell(struct fixture *f, unsigned worker)
{
    const struct dnstap_event q = event_of(query);
    const struct dnstap_event a = event_of(answer);

    dnstap_query(dnstap_queue_of(f->tap, worker), &q);
    dnstap_response(dnstap_queue_of(f->tap, worker), &a);
}

/* Octets of a file; *out is the caller's. */
static size_t read_file(const char *path, char **out)
{
    struct stat st;
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    *out = malloc((size_t)st.st_size + 1);
    assert_non_null(*out);
    size_t len = fread(*out, 1, (size_t)st.st_size, file);
    (void)fclose(file);
    return len;
}

/* How often it has these octets. */
static unsigned occurrences(const char *path, const void *what, size_t len)
{
    char *text;
    unsigned count = 0;
    size_t text_len = read_file(path, &text);

    for (size_t i = 0; i + len <= text_len; i++) {
        count += memcmp(text + i, what, len) == 0;
    }
    free(text);
    return count;
}

static void test_file(void **state)
{
    struct fixture *f = *state;

    start(f);
    tell(f, 0);
    tell(f, 1);
    dnstap_release(f->tap);
    assert_int_equal(f->counts.written, 4);
    assert_int_equal(f->counts.dropped, 0);
    assert_int_equal(occurrences(f->path, query, 12), 2);
    assert_int_equal(occurrences(f->path, answer, 12), 2);
    assert_int_equal(occurrences(f->path, "\300\0\2\0", 4), 4);
    assert_int_equal(occurrences(f->path, "\300\0\2\115", 4), 0);
}

static void test_what_is_no_query(void **state)
{
    struct fixture *f = *state;
    struct dnstap_event e = event_of(answer);

    start(f);
    dnstap_query(dnstap_queue_of(f->tap, 0), &e);
    e.message = span_of(query, 11);
    dnstap_query(dnstap_queue_of(f->tap, 0), &e);
    dnstap_release(f->tap);
    assert_int_equal(f->counts.written + f->counts.dropped, 0);
}

/* Nobody is there, and more comes than a queue holds. */
static void test_every_message_is_counted(void **state)
{
    struct fixture *f = *state;
    char target[80];

    (void)snprintf(target, sizeof(target), "unix:%s", f->path);
    f->config.dnstap = target;
    f->config.tap =
        (struct config_tap){.kind = CONFIG_TAP_UNIX, .path = target + 5};
    start(f);
    for (unsigned i = 0; i < MANY / 2; i++) {
        tell(f, i % 2);
    }
    dnstap_release(f->tap);
    assert_int_equal(f->counts.written, 0);
    assert_int_equal(f->counts.dropped, MANY);
}

static void test_what_was_there_is_kept(void **state)
{
    struct fixture *f = *state;

    start(f);
    tell(f, 0);
    dnstap_release(f->tap);
    start(f);
    dnstap_release(f->tap);
    assert_int_equal(occurrences(f->old, query, 12), 1);
    assert_int_equal(occurrences(f->path, query, 12), 0);
}

static void test_what_suits(void **state)
{
    struct fixture *f = *state;
    char identity[] = "me";

    start(f);
    struct config same = f->config;
    same.dnstap = strdup(f->path);
    assert_true(dnstap_suits(f->tap, &same));
    same.dnstap_identity = identity;
    assert_false(dnstap_suits(f->tap, &same));
    same.dnstap_identity = NULL;
    same.dnstap_addresses = CONFIG_ADDRESS_FULL;
    assert_false(dnstap_suits(f->tap, &same));
    free(same.dnstap);
    assert_int_equal(rename(f->path, f->old), 0);
    assert_false(dnstap_suits(f->tap, &f->config));
    assert_ptr_equal(dnstap_retain(f->tap), f->tap);
    dnstap_release(f->tap);
    tell(f, 0);
    dnstap_release(f->tap);
    assert_int_equal(occurrences(f->old, query, 12), 1);
}

static void test_what_cannot_be_opened(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(dnstap_create(&f->config, 1, "v", &f->counts, &f->tap), 0);
    assert_int_equal(dnstap_start(f->tap), ERR_IO);
    dnstap_release(f->tap);
    assert_int_equal(rmdir(f->path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_query, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_every_message_is_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_there_is_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_suits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_opened, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
