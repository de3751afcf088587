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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
    char target[80];
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

/* ---- a receiver that does not read ---- */

enum {
    LONG = 60000, /* octets of a message */
    LONG_MANY = 4000,
    MAY_WAIT = 4 * 1024 * 1024, /* octets, of all workers */
    FRAME_LEN = 4,
};

static const uint8_t accept_frame[] =
    "\0\0\0\0" /* a control frame, of 34 octets: … */
    "\0\0\0\42"
    "\0\0\0\1" /* ACCEPT … */
    "\0\0\0\1" /* … this content type, of 22 octets */
    "\0\0\0\26protobuf:dnstap.Dnstap";

static void read_all(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, out, len);
        assert_true(n > 0);
        out += n;
        len -= (size_t)n;
    }
}

/* Let it begin: READY, ACCEPT. */
static int receive(int listening)
{
    uint8_t ready[256];
    int fd = accept(listening, NULL, NULL);

    assert_true(fd >= 0);
    read_all(fd, ready, 2 * FRAME_LEN);
    assert_in_range(ready[7], 1, sizeof(ready));
    read_all(fd, ready, ready[7]);
    ssize_t len = sizeof(accept_frame) - 1;
    assert_int_equal(write(fd, accept_frame, (size_t)len), len);
    return fd;
}

static int listen_at(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* Messages that are neither written nor dropped: they wait. */
static size_t waiting(const struct fixture *f, unsigned told)
{
    return told - (size_t)(f->counts.written + f->counts.dropped);
}

static void tell_long(struct fixture *f)
{
    uint8_t *octets = calloc(1, LONG);
    struct dnstap_event e = event_of(query);

    assert_non_null(octets);
    memcpy(octets, query, sizeof(query));
    e.message = span_of(octets, LONG);
    for (unsigned i = 0; i < LONG_MANY; i++) {
        dnstap_query(dnstap_queue_of(f->tap, i % 2), &e);
        /* One may have left, and not be counted yet. */
        if (waiting(f, i + 1) > MAY_WAIT / LONG + 1) {
            fail_msg("%zu of %u wait", waiting(f, i + 1), i + 1);
        }
    }
    free(octets);
}

/* As many octets wait as may, whoever does not take them, and each message that
 * is not among them is counted at once. */
static void test_what_waits_is_bounded(void **state)
{
    static const struct {
        const char *title;
        bool is_there, does_begin;
    } cases[] = {
        {"nobody", false, false},
        {"does not answer", true, false},
        {"does not read", true, true},
    };

    struct fixture *f = *state;

    (void)snprintf(f->target, sizeof(f->target), "unix:%s", f->path);
    f->config.dnstap = f->target;
    f->config.tap =
        (struct config_tap){.kind = CONFIG_TAP_UNIX, .path = f->target + 5};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int listening = cases[i].is_there ? listen_at(f->path) : -1;
        f->counts = (struct dnstap_counts){0};
        start(f);
        int fd = cases[i].does_begin ? receive(listening) : -1;
        tell_long(f);
        dnstap_release(f->tap);
        print_message("# %s: %u written\n", cases[i].title,
                      (unsigned)f->counts.written);
        assert_int_equal(waiting(f, LONG_MANY), 0);
        assert_true(f->counts.written == 0 || cases[i].does_begin);
        if (fd >= 0) {
            assert_int_equal(close(fd), 0);
        }
        if (listening >= 0) {
            assert_int_equal(close(listening), 0);
        }
        (void)unlink(f->path);
    }
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
        cmocka_unit_test_setup_teardown(test_what_waits_is_bounded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_there_is_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_suits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_opened, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
