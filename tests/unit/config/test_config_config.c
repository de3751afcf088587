/*
 * Whole files: what is loaded from them, and files that are none.
 */
#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_listen(const struct config *c, size_t i, const char *want)
{
    char text[ADDR_TEXT_MAX];

    assert_true(i < c->listen_count);
    assert_string_equal(addr_text(&c->listen[i], text), want);
}

static void test_defaults(void **state)
{
    struct config *c = expect_load("servers: 9.9.9.9#dns.quad9.net\n");

    (void)state;
    assert_int_equal(c->listen_count, 2);
    expect_listen(c, 0, "127.0.0.1:53");
    expect_listen(c, 1, "[::1]:53");
    assert_int_equal(c->server_count, 1);
    assert_null(c->ca_file);
    assert_null(c->ca_dir);
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->strategy, CONFIG_FAILOVER);
    assert_int_equal(c->race_width, 2);
    assert_int_equal(c->query_timeout_ms, 4000);
    assert_int_equal(c->connect_timeout_ms, 2000);
    assert_int_equal(c->answer_timeout_ms, 1500);
    assert_int_equal(c->retry_min_ms, 250);
    assert_int_equal(c->retry_max_ms, 30000);
    assert_int_equal(c->upstream_idle_ms, 0);
    assert_int_equal(c->connections_per_server, 2);
    assert_int_equal(c->queries_per_connection, 1024);
    assert_int_equal(c->max_queries, 8192);
    assert_int_equal(c->padding_block, 128);
    assert_int_equal(c->max_udp_size, 1232);
    assert_int_equal(c->udp_buffer, 4194304);
    assert_int_equal(c->tcp_idle_timeout_ms, 10000);
    assert_int_equal(c->tcp_max_clients, 1000);
    assert_int_equal(c->tcp_max_clients_per_address, 100);
    assert_int_equal(c->tcp_max_queries_per_client, 128);
    assert_int_equal(c->tcp_max_unread, 262144);
    assert_int_equal(c->log_level, LOG_NOTICE);
    assert_int_equal(c->log_format, LOG_TEXT);
    assert_int_equal(c->cache_size, 33554432);
    assert_int_equal(c->min_ttl_ms, 0);
    assert_int_equal(c->max_ttl_ms, 86400000);
    assert_int_equal(c->max_negative_ttl_ms, 3600000);
    assert_int_equal(c->failure_ttl_ms, 5000);
    assert_int_equal(c->serve_stale_ms, 86400000);
    assert_int_equal(c->stale_answer_after_ms, 1800);
    config_destroy(c);
}

/* Every key takes a value that is not its default to its own member. */
static void test_all_keys(void **state)
{
    struct config *c = expect_load(
        "listen: ['192.0.2.1@5300', {address: '::', port: 54}, 192.0.2.1]\n"
        "servers: [cloudflare]\n"
        "ca_file: /dev/null\nca_dir: /\nworkers: 3\nstrategy: race\n"
        "race_width: 4\nquery_timeout: 5s\nconnect_timeout: 3s\n"
        "answer_timeout: 2s\nretry_min: 100ms\nretry_max: 1m\n"
        "upstream_idle: 90s\nconnections_per_server: 5\n"
        "queries_per_connection: 99\nmax_queries: 100\npadding_block: 256\n"
        "max_udp_size: 4096\nudp_buffer: 1MiB\ntcp_idle_timeout: 30s\n"
        "tcp_max_clients: 77\ntcp_max_clients_per_address: 7\n"
        "tcp_max_queries_per_client: 9\ntcp_max_unread: 64KiB\n"
        "log_level: debug\nlog_format: json\ncache_size: 8GiB\n");

    (void)state;
    assert_int_equal(c->listen_count, 3);
    expect_listen(c, 0, "192.0.2.1:5300");
    expect_listen(c, 1, "[::]:54");
    expect_listen(c, 2, "192.0.2.1:53");
    assert_int_equal(c->server_count, 4);
    assert_string_equal(c->ca_file, "/dev/null");
    assert_string_equal(c->ca_dir, "/");
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->strategy, CONFIG_RACE);
    assert_int_equal(c->race_width, 4);
    assert_int_equal(c->query_timeout_ms, 5000);
    assert_int_equal(c->connect_timeout_ms, 3000);
    assert_int_equal(c->answer_timeout_ms, 2000);
    assert_int_equal(c->retry_min_ms, 100);
    assert_int_equal(c->retry_max_ms, 60000);
    assert_int_equal(c->upstream_idle_ms, 90000);
    assert_int_equal(c->connections_per_server, 5);
    assert_int_equal(c->queries_per_connection, 99);
    assert_int_equal(c->max_queries, 100);
    assert_int_equal(c->padding_block, 256);
    assert_int_equal(c->max_udp_size, 4096);
    assert_int_equal(c->udp_buffer, 1048576);
    assert_int_equal(c->tcp_idle_timeout_ms, 30000);
    assert_int_equal(c->tcp_max_clients, 77);
    assert_int_equal(c->tcp_max_clients_per_address, 7);
    assert_int_equal(c->tcp_max_queries_per_client, 9);
    assert_int_equal(c->tcp_max_unread, 65536);
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_int_equal(c->log_format, LOG_JSON);
    assert_true(c->cache_size == UINT64_C(8) << 30);
    config_destroy(c);
}

/* A folder of our own with a file in it; the test's state. */
struct folder {
    char path[64];
    char file[96];
};

static int set_up_folder(void **state)
{
    static struct folder f;

    snprintf(f.path, sizeof(f.path), "/tmp/dotstub-config-XXXXXX");
    if (mkdtemp(f.path) == NULL) {
        return -1;
    }
    snprintf(f.file, sizeof(f.file), "%s/dotstub.yaml", f.path);
    *state = &f;
    return 0;
}

static int tear_down_folder(void **state)
{
    struct folder *f = *state;

    (void)unlink(f->file);
    return rmdir(f->path);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* Load file, which does not load, and compare all that is said of it; "%s" in
 * want is its name. */
static void expect_refused(const char *file, const char *want)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    char full[1024];

    assert_int_equal(config_load(file, &c, &d), ERR_CONFIG);
    char *got = expect_join(&d);
    size_t len = strlen(file);
    assert_true(strncmp(got, file, len) == 0);
    snprintf(full, sizeof(full), "%s%s", file, want);
    assert_string_equal(got, full);
    assert_null(c);
    free(got);
    config_diagnostics_finish(&d);
}

/* Paths are relative to the file's folder, wherever the program runs. */
static void test_relative_path(void **state)
{
    struct folder *f = *state;
    struct config *c = NULL;
    struct config_diagnostics d;

    write_file(f->file, "servers: quad9\nca_file: dotstub.yaml\nca_dir: .\n");
    assert_int_equal(config_load(f->file, &c, &d), 0);
    assert_int_equal(d.count, 0);
    assert_string_equal(c->ca_file, f->file);
    assert_memory_equal(c->ca_dir, f->path, strlen(f->path));
    config_diagnostics_finish(&d);
    config_destroy(c);
}

static void test_file_values(void **state)
{
    struct folder *f = *state;
    char want[512];

    write_file(f->file, "servers: quad9\nca_file: .\nca_dir: dotstub.yaml\n");
    snprintf(want, sizeof(want),
             ":2:10: ca_file: %s/. is a directory; did you mean ca_dir?\n"
             "%s:3:9: ca_dir: %s is a file; did you mean ca_file, or its "
             "folder?\n",
             f->path, f->file, f->file);
    expect_refused(f->file, want);

    write_file(f->file, "servers: quad9\nca_file: \"a\\nb\"\nca_dir: ~/certs");
    snprintf(want, sizeof(want),
             ":2:10: ca_file: \"a\\x0ab\" has a control character in it\n"
             "%s:3:9: ca_dir: %s/~/certs: No such file or directory; ~ is not "
             "expanded here, write the whole path\n",
             f->file, f->path);
    expect_refused(f->file, want);
}

static void test_unreadable(void **state)
{
    struct folder *f = *state;

    expect_refused("/no/such/file",
                   ": cannot be read: No such file or directory\n");
    expect_refused(f->path, ": is a directory; the name of a file is "
                            "needed\n");
    expect_refused("/dev/zero", ": is larger than 1 MiB; a configuration has "
                                "a few kilobytes: is this the right file?\n");
    expect_refused("/dev/null",
                   ":1:1: the file is empty; at least one server is needed, "
                   "such as servers: [quad9]\n");
    write_file(f->file, EXPECT_SERVER);
    assert_int_equal(chmod(f->file, 0), 0);
    if (access(f->file, R_OK) != 0) { /* root reads everything */
        expect_refused(f->file, ": cannot be read: Permission denied\n");
    }
}

static void test_stdin(void **state)
{
    struct folder *f = *state;
    struct config *c = NULL;
    struct config_diagnostics d;
    int saved = dup(STDIN_FILENO);

    write_file(f->file, EXPECT_SERVER "workers: x\n");
    assert_non_null(freopen(f->file, "r", stdin));
    assert_int_equal(config_load("-", &c, &d), ERR_CONFIG);
    assert_int_equal(d.count, 1);
    assert_string_equal(d.lines[0], "<stdin>:2:10: workers: x is not a whole "
                                    "number (auto, or 1 to 64)");
    config_diagnostics_finish(&d);
    if (saved >= 0) {
        assert_true(dup2(saved, STDIN_FILENO) >= 0);
        close(saved);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(config_strategy_name(CONFIG_FAILOVER), "failover");
    assert_string_equal(config_strategy_name(CONFIG_ROUND_ROBIN),
                        "round_robin");
    assert_string_equal(config_strategy_name(CONFIG_FASTEST), "fastest");
    assert_string_equal(config_strategy_name(CONFIG_RACE), "race");
    config_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test_setup_teardown(test_relative_path, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_file_values, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_stdin, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("config_config", tests, NULL, NULL);
}
