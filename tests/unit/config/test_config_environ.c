/*
 * Keys from the environment: what they stand for, whose place they take, and
 * what is said of those that are not good.
 */
#include "base/attr.h"
#include "base/err.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VARIABLES_MAX = 6 };

/* A file that has what it must have, the test's state. */
static int set_up(void **state)
{
    static char file[64];

    snprintf(file, sizeof(file), "/tmp/dotstub-environ-XXXXXX");
    int fd = mkstemp(file);
    *state = file;
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    return unlink(*state);
}

static void write_file(const char *file, const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* Load file; what is said of it is *said, for the caller to free. */
static struct config *load(const char *file, const char *const *variables,
                           char **said)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    char *copy[VARIABLES_MAX + 1] = {NULL};

    for (size_t i = 0; i < VARIABLES_MAX && variables[i] != NULL; i++) {
        copy[i] = strdup(variables[i]);
    }
    int err = config_load_environ(file, copy, &c, &d);
    assert_int_equal(err == 0, d.errors == 0);
    assert_int_equal(err == 0, c != NULL);
    *said = expect_join(&d);
    config_diagnostics_finish(&d);
    for (size_t i = 0; i < VARIABLES_MAX; i++) {
        free(copy[i]);
    }
    return c;
}

static const struct said_case {
    const char *title;
    const char *yaml;
    const char *variables[VARIABLES_MAX];
    const char *want; /* "%s" in it is the file */
} said_cases[] = {
    {"nothing", EXPECT_SERVER, {NULL}, ""},
    {"not of ours",
     EXPECT_SERVER,
     {"PATH=/bin", "SERVERS=x", "dotstub_servers=x", "DOTSTUBSERVERS=x",
      "DOTSTUB_", "DOTSTUB_SERVERS"},
     ""},
    {"of others with our prefix",
     EXPECT_SERVER,
     {"DOTSTUB_BIN=x", "DOTSTUB_NO_SKIP=1", "DOTSTUB_PORT=tcp://10.0.0.1:53",
      "DOTSTUB_SERVICE_HOST=10.0.0.1", "DOTSTUB_PORT_53_UDP_PROTO=udp",
      "DOTSTUB_VERSION=1"},
     ""},
    {"nearly a key",
     EXPECT_SERVER,
     {"DOTSTUB_SERVER=x", "DOTSTUB_CACHESIZE=x",
      "DOTSTUB_LISTENS=", "DOTSTUB_QUERY_TIMEOT=1s"},
     "environment DOTSTUB_CACHESIZE: warning: is no key; did you mean "
     "DOTSTUB_CACHE_SIZE?\n"
     "environment DOTSTUB_QUERY_TIMEOT: warning: is no key; did you mean "
     "DOTSTUB_QUERY_TIMEOUT?\n"
     "environment DOTSTUB_SERVER: warning: is no key; did you mean "
     "DOTSTUB_SERVERS?\n"},
    {"an empty one is none",
     EXPECT_SERVER,
     {"DOTSTUB_SERVERS=", "DOTSTUB_CACHE_SIZE= \t\n"},
     ""},
    {"in the place of a mistake in the file",
     "servers: x\nworkers: y\nworkers: z\nmax_queries: v\n",
     {"DOTSTUB_SERVERS=quad9", "DOTSTUB_WORKERS=2"},
     "%s:4:14: max_queries: v is not a whole number (16 to 65536)\n"},
    {"errors name the variable",
     EXPECT_SERVER "workers: 1\n",
     {"DOTSTUB_CACHE_SIZE=1K", "DOTSTUB_LISTEN=localhost,[::1]:x",
      "DOTSTUB_SERVERS=[quad9, {address: x}]", "DOTSTUB_ALLOW=any,10.0.0.1/8"},
     "environment DOTSTUB_ALLOW: allow[1]: \"10.0.0.1/8\" has bits behind its "
     "prefix; did you mean 10.0.0.0/8?\n"
     "environment DOTSTUB_CACHE_SIZE: cache_size: 1K is not a size such as "
     "1232 or 16MiB (0, or 64KiB to 16GiB)\n"
     "environment DOTSTUB_LISTEN: listen[0]: \"localhost\" is a name; did you "
     "mean 127.0.0.1?\n"
     "environment DOTSTUB_LISTEN: listen[1]: \"x\" is not a port\n"
     "environment DOTSTUB_SERVERS: servers[1].address: \"x\" is not an IP "
     "address\n"},
    {"twice in a variable, and in variable and file",
     "zones: {.: quad9}\n",
     {"DOTSTUB_SERVERS=quad9, 9.9.9.9#dns.quad9.net"},
     "%s:1:9: zones.\".\": stands for servers, which are in DOTSTUB_SERVERS "
     "already\n"
     "environment DOTSTUB_SERVERS: servers[1]: 9.9.9.9:853#dns.quad9.net is "
     "in DOTSTUB_SERVERS already\n"},
    {"broken YAML hides what depends on it",
     "workers: 2\n",
     {"DOTSTUB_SERVERS=[quad9", "DOTSTUB_ZONES={a: *b}",
      "DOTSTUB_LISTEN=\"127.0.0.1"},
     "environment DOTSTUB_LISTEN: the quote that begins here is never closed\n"
     "environment DOTSTUB_SERVERS: the value ends inside a list or mapping; is "
     "a ']' or '}' missing?\n"
     "environment DOTSTUB_ZONES: YAML aliases (*word) are not used here; write "
     "the value out, or put it in quotes\n"},
    {"octets that are no text",
     EXPECT_SERVER,
     {"DOTSTUB_USER=\xff", "DOTSTUB_LOG_LEVEL=\x1b[1m"},
     "environment DOTSTUB_LOG_LEVEL: control character U+001B\n"
     "environment DOTSTUB_USER: octet 0xff is not UTF-8\n"},
    {"an entry that is missing",
     EXPECT_SERVER,
     {"DOTSTUB_DENY_NAMES=a.example,,b.example,"},
     "environment DOTSTUB_DENY_NAMES: deny_names[1]: has no value; a name is "
     "needed\n"
     "environment DOTSTUB_DENY_NAMES: deny_names[3]: has no value; a name is "
     "needed\n"},
    {"a comment of the file is none of the variable",
     "#dns.quad9.net\n",
     {"DOTSTUB_SERVERS=9.9.9.9"},
     "environment DOTSTUB_SERVERS: warning: servers: no name: the server is "
     "authenticated by its IP address in the certificate; add #NAME where you "
     "know it\n"},
    {"octets that are no text hide what depends on them",
     "workers: 2\n",
     {"DOTSTUB_SERVERS=\xff"},
     "environment DOTSTUB_SERVERS: octet 0xff is not UTF-8\n"},
    {"a file that says nothing", "---\n", {"DOTSTUB_SERVERS=quad9"}, ""},
    {"a list in several lines",
     "",
     {"DOTSTUB_SERVERS=\n- quad9\n- google\n- x\n"},
     "environment DOTSTUB_SERVERS: servers[2]: \"x\" is not an IP address\n"},
    {"a file without a document", "# nothing\n", {"DOTSTUB_SERVERS=quad9"}, ""},
    {"a file that is a list",
     "- a\n",
     {"DOTSTUB_SERVERS=quad9"},
     "%s:1:1: a list where keys are expected, such as servers: [quad9]\n"},
};

static void test_said(void **state)
{
    const char *file = *state;

    for (size_t i = 0; i < COUNT_OF(said_cases); i++) {
        const struct said_case *t = &said_cases[i];
        char want[2048];
        char *said = NULL;
        const char *mark = strstr(t->want, "%s");

        write_file(file, t->yaml);
        struct config *c = load(file, t->variables, &said);
        snprintf(want, sizeof(want), "%.*s%s%s",
                 mark == NULL ? 0 : (int)(mark - t->want), t->want,
                 mark == NULL ? "" : file, mark == NULL ? t->want : mark + 2);
        if (strcmp(said, want) != 0) {
            print_error("--- got\n");
            print_error("%s--- want\n", said);
            fail_msg("%s%s", want, t->title);
        }
        free(said);
        config_destroy(c);
    }
}

static struct config *load_well(const char *file, const char *const *variables)
{
    char *said = NULL;
    struct config *c = load(file, variables, &said);

    assert_string_equal(said, "");
    free(said);
    return c;
}

/* Each form of a value. */
static void test_loaded(void **state)
{
    static const char *const variables[] = {
        "DOTSTUB_SERVERS=9.9.9.9#dns.quad9.net , 1.1.1.1#cloudflare-dns.com",
        "DOTSTUB_LISTEN=[::1]:53,[::2],127.0.0.1:5300",
        "DOTSTUB_CACHE_SIZE= 64MiB ",
        "DOTSTUB_ZONES=a: udp://10.0.0.1\nb: nxdomain\n",
        "DOTSTUB_RECORDS=x.lan TXT \"a, b\"",
        "DOTSTUB_USER='root'",
        NULL};
    const char *file = *state;
    char text[ADDR_TEXT_MAX];

    write_file(file, "servers: quad9\ncache_size: 0\nworkers: 3\n");
    struct config *c = load_well(file, variables);
    assert_int_equal(c->pool.server_count, 2);
    assert_string_equal(c->pool.servers[1].label,
                        "1.1.1.1:853#cloudflare-dns.com");
    assert_int_equal(c->listen_count, 3);
    assert_string_equal(addr_text(&c->listen[0], text), "[::1]:53");
    assert_string_equal(addr_text(&c->listen[1], text), "[::2]:53");
    assert_int_equal(c->cache_size, 67108864);
    assert_int_equal(c->zone_count, 2);
    assert_int_equal(c->policy.record_count, 1);
    assert_string_equal(c->policy.records[0], "x.lan TXT \"a, b\"");
    assert_string_equal(c->user, "root");
    assert_int_equal(c->workers, 3);
    config_destroy(c);
}

/* YAML, one scalar, and a list that is one. */
static void test_forms(void **state)
{
    static const char *const variables[] = {
        "DOTSTUB_SERVERS=[\"9.9.9.9#dns.quad9.net\", cloudflare]",
        "DOTSTUB_LISTEN=\"[::1]:5300\"",
        "DOTSTUB_ZONES={a: udp://10.0.0.1, 10.0.0.0/8: {servers: "
        "tcp://10.0.0.1}}",
        "DOTSTUB_ALLOW=private",
        "DOTSTUB_COOKIES=on",
        "DOTSTUB_HOSTS=system,/dev/null",
        NULL};
    const char *file = *state;

    write_file(file, "");
    struct config *c = load_well(file, variables);
    assert_int_equal(c->pool.server_count, 3);
    assert_int_equal(c->listen_count, 1);
    assert_int_equal(c->listen[0].port, 5300);
    assert_int_equal(c->zone_count, 2);
    assert_true(c->has_cookies);
    assert_int_equal(c->policy.hosts_count, 2);
    assert_string_equal(c->policy.hosts[0], "/etc/hosts");
    config_destroy(c);
}

/* No file is needed where the servers are in the environment. */
static void test_no_file(void **state)
{
    static const char *const servers[] = {"DOTSTUB_SERVERS=quad9", NULL};
    static const char *const other[] = {"DOTSTUB_WORKERS=2", NULL};
    char *said = NULL;

    (void)state;
    struct config *c = load("/no/such/file", servers, &said);
    assert_non_null(c);
    assert_string_equal(said, "/no/such/file: warning: is not there; the "
                              "environment and defaults are used\n");
    assert_int_equal(c->pool.server_count, 2);
    config_destroy(c);
    free(said);

    assert_null(load("/no/such/file", other, &said));
    assert_string_equal(said, "/no/such/file: cannot be read: No such file or "
                              "directory\n");
    free(said);
    assert_null(load("/", servers, &said));
    assert_string_equal(said, "/: is a directory; the name of a file is "
                              "needed\n");
    free(said);

    static const char *const typo[] = {"DOTSTUB_SERVER=quad9", NULL};
    assert_null(load("/no/such/file", typo, &said));
    assert_string_equal(said, "/no/such/file: cannot be read: No such file or "
                              "directory\nenvironment DOTSTUB_SERVER: warning: "
                              "is no key; did you mean DOTSTUB_SERVERS?\n");
    free(said);
}

/* The process's own environment counts; text from memory has none. */
static void test_process(void **state)
{
    const char *file = *state;
    struct config *c = NULL;
    struct config_diagnostics d;

    write_file(file, EXPECT_SERVER);
    assert_int_equal(setenv("DOTSTUB_WORKERS", "7", 1), 0);
    assert_int_equal(config_load(file, &c, &d), 0);
    assert_int_equal(c->workers, 7);
    config_destroy(c);
    config_diagnostics_finish(&d);
    c = expect_load(EXPECT_SERVER);
    assert_int_equal(c->workers, 0);
    config_destroy(c);
    assert_int_equal(unsetenv("DOTSTUB_WORKERS"), 0);
}

/* A path of the environment has nothing to do with the file's folder. */
static void test_paths(void **state)
{
    static const char *const variables[] = {"DOTSTUB_CONTROL=x.sock", NULL};
    const char *file = *state;

    write_file(file, EXPECT_SERVER "cache_file: x.cache\n");
    struct config *c = load_well(file, variables);
    assert_string_equal(c->control, "x.sock");
    assert_string_equal(c->cache_file, "/tmp/x.cache");
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_said),    cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_process), cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests_name("config_environ", tests, set_up,
                                       tear_down);
}
