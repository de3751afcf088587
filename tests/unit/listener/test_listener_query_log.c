/*
 * The query log: its lines, what they leave out, and that nothing waits for
 * who does not read it.
 */
#include "listener/query_log.h"

#include "base/err.h"
#include "dns/wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* NXDOMAIN for a"b\.c AAAA */
static const uint8_t answer[] = "\0\1\x81\x83\0\1\0\0\0\0\0\0"
                                "\5a\"b.c\0\0\x1c\0";

struct fixture {
    struct net_loop *loop;
    struct config config;
    char path[64];
    char text[200000];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fd;

    assert_non_null(f);
    assert_int_equal(net_loop_create(&f->loop), 0);
    (void)snprintf(f->path, sizeof(f->path), "/tmp/test_query_log.XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    f->config = (struct config){.query_log = f->path,
                                .query_log_sample = 1,
                                .query_log_addresses = CONFIG_ADDRESS_FULL,
                                .query_log_names = true};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)unlink(f->path);
    net_loop_destroy(f->loop);
    free(f);
    return 0;
}

static const char *read_back(struct fixture *f)
{
    FILE *file = fopen(f->path, "re");

    assert_non_null(file);
    f->text[fread(f->text, 1, sizeof(f->text) - 1, file)] = '\0';
    (void)fclose(file);
    return f->text;
}

static struct addr client_of(const char *ip)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(ip, strlen(ip), &a), 0);
    return a;
}

/* One answer, and the log's text without its time. */
static const char *log_one(struct fixture *f, const char *ip)
{
    struct query_log *log = query_log_open(f->loop, &f->config);
    struct addr client = client_of(ip);
    const char *text;

    assert_non_null(log);
    query_log_answer(log, &client, true, span_of(answer, sizeof(answer)), 42,
                     RESOLVER_FROM_STALE);
    assert_string_equal(read_back(f), ""); /* it is gathered first */
    query_log_close(log);
    text = read_back(f);
    assert_int_equal(truncate(f->path, 0), 0);
    assert_true(strlen(text) > 24 && text[strlen(text) - 1] == '\n');
    return f->config.log_format == LOG_JSON ? text + 34 : text + 24;
}

static void lines(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(log_one(f, "192.0.2.77"),
                        " query tcp 192.0.2.77 a\"b\\.c. AAAA NXDOMAIN 42us "
                        "stale\n");
    assert_string_equal(log_one(f, "2001:db8:1:2::3"),
                        " query tcp 2001:db8:1:2::3 a\"b\\.c. AAAA NXDOMAIN "
                        "42us stale\n");
    f->config.query_log_addresses = CONFIG_ADDRESS_SHORT;
    assert_string_equal(log_one(f, "192.0.2.77"),
                        " query tcp 192.0.2.0 a\"b\\.c. AAAA NXDOMAIN 42us "
                        "stale\n");
    assert_string_equal(log_one(f, "2001:db8:1:2::3"),
                        " query tcp 2001:db8:1:: a\"b\\.c. AAAA NXDOMAIN 42us "
                        "stale\n");
    f->config.query_log_addresses = CONFIG_ADDRESS_NONE;
    f->config.query_log_names = false;
    assert_string_equal(log_one(f, "192.0.2.77"),
                        " query tcp - - AAAA NXDOMAIN 42us stale\n");
    f->config.log_format = LOG_JSON;
    assert_string_equal(log_one(f, "192.0.2.77"),
                        ",\"transport\":\"tcp\",\"type\":\"AAAA\",\"rcode\":"
                        "\"NXDOMAIN\",\"us\":42,\"from\":\"stale\"}\n");
    f->config.query_log_names = true;
    assert_string_equal(log_one(f, "192.0.2.77"),
                        ",\"transport\":\"tcp\",\"name\":\"a\\\"b\\\\.c.\","
                        "\"type\":\"AAAA\",\"rcode\":\"NXDOMAIN\",\"us\":42,"
                        "\"from\":\"stale\"}\n");
}

static void off(void **state)
{
    struct fixture *f = *state;

    f->config.query_log = NULL;
    assert_null(query_log_open(f->loop, &f->config));
    f->config.query_log = (char[]){"/nonexistent/log"};
    assert_null(query_log_open(f->loop, &f->config));
    query_log_close(NULL);
}

static size_t count(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

/* More than the buffer holds, and one of so many. */
static void many(void **state)
{
    struct fixture *f = *state;
    struct addr client = client_of("192.0.2.1");
    struct query_log *log;

    f->config.query_log_sample = 3;
    log = query_log_open(f->loop, &f->config);
    for (int i = 0; i < 6000; i++) {
        query_log_answer(log, &client, false, span_of(answer, sizeof(answer)),
                         1, RESOLVER_FROM_CACHE);
    }
    assert_true(count(read_back(f)) > 500); /* when it was full */
    query_log_close(log);
    assert_int_equal(count(read_back(f)), 2000);
}

static void pipe_that_nobody_reads(void **state)
{
    struct fixture *f = *state;
    struct addr client = client_of("192.0.2.1");
    struct query_log *log;
    size_t len = 0;
    ssize_t n;

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    log = query_log_open(f->loop, &f->config);
    alarm(60);
    for (int i = 0; i < 20000; i++) {
        query_log_answer(log, &client, false, span_of(answer, sizeof(answer)),
                         1, RESOLVER_FROM_CACHE);
    }
    query_log_close(log);
    alarm(0);
    while ((n = read(reader, f->text, sizeof(f->text))) > 0) {
        len += (size_t)n;
    }
    close(reader);
    assert_true(len > 4096); /* what the pipe held */
}

static void not_a_message(void **state)
{
    struct fixture *f = *state;
    struct addr client = client_of("192.0.2.1");
    struct query_log *log = query_log_open(f->loop, &f->config);

    query_log_answer(log, &client, false, span_of(answer, 5), 1,
                     RESOLVER_FROM_CACHE);
    query_log_close(log);
    assert_string_equal(read_back(f), "");
}

static void one_line(struct query_log *log)
{
    struct addr client = client_of("192.0.2.1");

    query_log_answer(log, &client, false, span_of(answer, sizeof(answer)), 1,
                     RESOLVER_FROM_CACHE);
}

/* The file was moved away: lines go into a new one. Where there cannot be one,
 * they go on into the file that is open. */
static void renewed(void **state)
{
    struct fixture *f = *state;
    struct query_log *log = query_log_open(f->loop, &f->config);
    char moved[80];
    char other[] = "/nonexistent/log";

    (void)snprintf(moved, sizeof(moved), "%s.1", f->path);
    one_line(log);
    assert_int_equal(rename(f->path, moved), 0);
    log = query_log_renew(log, f->loop, &f->config);
    assert_non_null(log);
    assert_string_equal(read_back(f), "");
    one_line(log);
    f->config.query_log = other;
    f->config.log_format = LOG_JSON;
    log = query_log_renew(log, f->loop, &f->config);
    assert_non_null(log);
    one_line(log);
    query_log_close(log);
    assert_int_equal(count(read_back(f)), 2);
    assert_non_null(strstr(f->text, "\n{")); /* the rest of it is as asked */
    assert_int_equal(rename(moved, f->path), 0);
    assert_int_equal(count(read_back(f)), 1);
    f->config.query_log = f->path;
    log = query_log_open(f->loop, &f->config);
    f->config.query_log = NULL;
    assert_null(query_log_renew(log, f->loop, &f->config));
}

/* Standard error in a file that was not opened for appending: nobody writes
 * over the other's lines. */
static void shared_file(void **state)
{
    struct fixture *f = *state;
    int before = dup(STDERR_FILENO);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    struct query_log *log;
    char word[] = "stderr";

    assert_true(before >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    f->config.query_log = word;
    log = query_log_open(f->loop, &f->config);
    one_line(log);
    query_log_close(log);
    ssize_t n = write(STDERR_FILENO, "more\n", 5);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    close(fd);
    assert_int_equal(n, 5);
    assert_int_equal(count(read_back(f)), 2);
    assert_non_null(strstr(f->text, " 1us cache\nmore\n"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines),         TEST(off),
        TEST(many),          TEST(pipe_that_nobody_reads),
        TEST(not_a_message), TEST(renewed),
        TEST(shared_file),
    };
#undef TEST

    return cmocka_run_group_tests_name("listener_query_log", tests, NULL, NULL);
}
