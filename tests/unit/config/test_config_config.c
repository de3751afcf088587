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
    assert_int_equal(c->pool.server_count, 1);
    assert_null(c->ca_file);
    assert_null(c->ca_dir);
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->pool.strategy, CONFIG_FAILOVER);
    assert_int_equal(c->pool.race_width, 2);
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

static void expect_range(const struct config *c, size_t i, const char *want)
{
    char text[ADDR_TEXT_MAX];

    assert_true(i < c->allow_count);
    assert_string_equal(cidr_text(&c->allow[i], text), want);
}

/* Of what came later: readiness, names, access, running. */
static void test_more_defaults(void **state)
{
    static const char *const tlds[] = {"arpa", "com", "edu", "gov",
                                       "io",   "mil", "net", "org"};
    struct config *c = expect_load("servers: 9.9.9.9#dns.quad9.net\n");
    const struct policy_options *p = &c->policy;
    const struct cidr *ranges;

    (void)state;
    assert_int_equal(c->warm_for_ms, 600000);
    assert_int_equal(c->hedge_budget_percent, 3);
    assert_int_equal(c->hedge_min_ms, 10);
    assert_int_equal(c->hedge_max_ms, 1000);
    assert_int_equal(c->zone_count, 0);
    assert_false(c->pool.is_plain);
    assert_false(c->pool.has_random_case);
    assert_int_equal(c->pool.servers[0].more_count, 0);
    assert_null(c->pool.servers[0].more);
    assert_int_equal(p->hosts_count + p->record_count + p->deny_list_count +
                         p->deny_name_count + p->deny_except_count +
                         p->search_noise_count + p->rebind_allow_count,
                     0);
    assert_int_equal(p->local_ttl_s, 60);
    assert_int_equal(p->deny_answer, POLICY_DENY_NXDOMAIN);
    assert_int_equal(p->search_noise_tld_count, COUNT_OF(tlds));
    for (size_t i = 0; i < COUNT_OF(tlds); i++) {
        assert_string_equal(p->search_noise_tlds[i], tlds[i]);
    }
    assert_false(p->has_minimal_any);
    assert_false(p->has_rebind_protection);
    assert_int_equal(c->allow_count, access_default(&ranges));
    for (size_t i = 0; i < c->allow_count; i++) {
        char text[ADDR_TEXT_MAX];
        expect_range(c, i, cidr_text(&ranges[i], text));
    }
    assert_int_equal(c->rate_limit, 0);
    assert_int_equal(c->rate_burst, 0);
    assert_int_equal(c->response_rate_limit, 0);
    assert_int_equal(c->response_rate_slip, 2);
    assert_false(c->has_cookies);
    assert_false(c->sends_ecs_zero);
    assert_string_equal(c->control, "/run/dotstub/control.sock");
    assert_int_equal(c->admin_count, 0);
    assert_null(c->user);
    assert_int_equal(c->sandbox, CONFIG_SANDBOX_ON);
    assert_null(c->query_log);
    assert_int_equal(c->query_log_sample, 1);
    assert_int_equal(c->query_log_addresses, CONFIG_ADDRESS_SHORT);
    assert_true(c->query_log_names);
    assert_null(c->dnstap);
    assert_null(c->dnstap_identity);
    assert_int_equal(c->dnstap_addresses, CONFIG_ADDRESS_SHORT);
    config_destroy(c);
}

/* Every key takes a value that is not its default to its own member. */
static void test_all_keys(void **state)
{
    struct config *c = expect_load(
        "listen: ['192.0.2.1@5300', {address: '::', port: 54}, 192.0.2.1]\n"
        "servers: [cloudflare, quad9]\n"
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
    assert_int_equal(c->pool.server_count, 4);
    assert_string_equal(c->ca_file, "/dev/null");
    assert_string_equal(c->ca_dir, "/");
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->pool.strategy, CONFIG_RACE);
    assert_int_equal(c->pool.race_width, 4);
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

static void expect_list(char **items, size_t count, const char *want)
{
    char got[256] = "";

    for (size_t i = 0; i < count; i++) {
        strcat(strcat(got, items[i]), " ");
    }
    assert_string_equal(got, want);
}

static void test_all_policy_keys(void **state)
{
    struct config *c = expect_load(
        "servers: quad9\nhosts: [system, /dev/null]\n"
        "records: [a.lan A 192.0.2.1, 'b.lan 60 TXT \"x y\"']\n"
        "local_ttl: 5m\ndeny_lists: /dev/null\n"
        "deny_names: [A.Example., b.example]\ndeny_except: c.a.example\n"
        "deny_answer: zero\nsearch_noise: [svc.Cluster.local]\n"
        "search_noise_tlds: [COM, co.uk]\nminimal_any: yes\n"
        "rebind_protection: true\nrebind_allow: [plex.direct]\n");
    const struct policy_options *p = &c->policy;

    (void)state;
    expect_list(p->hosts, p->hosts_count, "/etc/hosts /dev/null ");
    expect_list(p->records, p->record_count,
                "a.lan A 192.0.2.1 b.lan 60 TXT \"x y\" ");
    assert_int_equal(p->local_ttl_s, 300);
    expect_list(p->deny_lists, p->deny_list_count, "/dev/null ");
    expect_list(p->deny_names, p->deny_name_count, "a.example b.example ");
    expect_list(p->deny_except, p->deny_except_count, "c.a.example ");
    assert_int_equal(p->deny_answer, POLICY_DENY_ZERO);
    expect_list(p->search_noise, p->search_noise_count, "svc.cluster.local ");
    expect_list(p->search_noise_tlds, p->search_noise_tld_count, "com co.uk ");
    assert_true(p->has_minimal_any);
    assert_true(p->has_rebind_protection);
    expect_list(p->rebind_allow, p->rebind_allow_count, "plex.direct ");
    config_destroy(c);

    c = expect_load("servers: quad9\nsearch_noise_tlds: []\n"
                    "search_noise: a.example\nhosts: []\n");
    assert_int_equal(c->policy.search_noise_tld_count, 0);
    assert_int_equal(c->policy.hosts_count, 0);
    config_destroy(c);
}

static void test_all_running_keys(void **state)
{
    struct config *c = expect_load(
        "servers: quad9\nwarm_for: 0\nhedge_budget: 10%\nhedge_min: 20ms\n"
        "hedge_max: 500ms\nallow: [any, 192.0.2.1, '2001:db8::/32']\n"
        "rate_limit: 100\nrate_burst: 300\nresponse_rate_limit: 20\n"
        "response_rate_slip: 3\ncookies: on\necs: zero\n"
        "control: /tmp/dotstub-test.sock\n"
        "admin: [127.0.0.1, {address: '::1', port: 80}]\nuser: nobody\n"
        "sandbox: kill\nquery_log: stderr\nquery_log_sample: 10\n"
        "query_log_addresses: full\nquery_log_names: no\n");
    char text[ADDR_TEXT_MAX];

    (void)state;
    assert_int_equal(c->warm_for_ms, 0);
    assert_int_equal(c->hedge_budget_percent, 10);
    assert_int_equal(c->hedge_min_ms, 20);
    assert_int_equal(c->hedge_max_ms, 500);
    assert_int_equal(c->allow_count, 4);
    expect_range(c, 0, "0.0.0.0/0");
    expect_range(c, 1, "::/0");
    expect_range(c, 2, "192.0.2.1/32");
    expect_range(c, 3, "2001:db8::/32");
    assert_int_equal(c->rate_limit, 100);
    assert_int_equal(c->rate_burst, 300);
    assert_int_equal(c->response_rate_limit, 20);
    assert_int_equal(c->response_rate_slip, 3);
    assert_true(c->has_cookies);
    assert_true(c->sends_ecs_zero);
    assert_string_equal(c->control, "/tmp/dotstub-test.sock");
    assert_int_equal(c->admin_count, 2);
    assert_string_equal(addr_text(&c->admin[0], text), "127.0.0.1:9053");
    assert_string_equal(addr_text(&c->admin[1], text), "[::1]:80");
    assert_string_equal(c->user, "nobody");
    assert_int_equal(c->sandbox, CONFIG_SANDBOX_KILL);
    assert_string_equal(c->query_log, "stderr");
    assert_int_equal(c->query_log_sample, 10);
    assert_int_equal(c->query_log_addresses, CONFIG_ADDRESS_FULL);
    assert_false(c->query_log_names);
    config_destroy(c);

    c = expect_load("servers: quad9\ncontrol: off\nquery_log: /dev/null\n"
                    "admin: off\nallow: private\n");
    assert_null(c->control);
    assert_string_equal(c->query_log, "/dev/null");
    assert_int_equal(c->admin_count, 0);
    expect_range(c, 0, "127.0.0.0/8");
    config_destroy(c);
}

static void test_dnstap(void **state)
{
    struct config *c = expect_load("servers: quad9\ndnstap_identity: 'a \"b'\n"
                                   "dnstap: unix:///tmp/dnstap-test.sock\n"
                                   "dnstap_addresses: none\n");
    char text[ADDR_TEXT_MAX];

    (void)state;
    assert_string_equal(c->dnstap, "unix:/tmp/dnstap-test.sock");
    assert_int_equal(c->tap.kind, CONFIG_TAP_UNIX);
    assert_string_equal(c->tap.path, "/tmp/dnstap-test.sock");
    assert_string_equal(c->dnstap_identity, "a \"b");
    assert_int_equal(c->dnstap_addresses, CONFIG_ADDRESS_NONE);
    config_destroy(c);

    c = expect_load("servers: quad9\ndnstap: 'tcp://[::1]:6000'\n");
    assert_int_equal(c->tap.kind, CONFIG_TAP_TCP);
    assert_null(c->tap.path);
    assert_string_equal(addr_text(&c->tap.addr, text), "[::1]:6000");
    config_destroy(c);

    c = expect_load("servers: quad9\ndnstap: /tmp/dnstap-test.fstrm\n");
    assert_int_equal(c->tap.kind, CONFIG_TAP_FILE);
    assert_string_equal(c->tap.path, "/tmp/dnstap-test.fstrm");
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

    write_file(f->file, "servers: quad9\nhosts: dotstub.yaml\nca_dir: .\n");
    assert_int_equal(config_load(f->file, &c, &d), 0);
    assert_int_equal(d.count, 0);
    assert_string_equal(c->policy.hosts[0], f->file);
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

    write_file(f->file, "servers: {address: 9.9.9.9, ca_file: dotstub.yaml}\n"
                        "ca_file: dotstub.yaml\n");
    snprintf(want, sizeof(want),
             ":1:38: servers.ca_file: %s holds no certificate that can be read "
             "(PEM is a text with -----BEGIN CERTIFICATE-----)\n"
             "%s:2:10: ca_file: %s holds no certificate that can be read (PEM "
             "is a text with -----BEGIN CERTIFICATE-----)\n",
             f->file, f->file, f->file);
    expect_refused(f->file, want);
}

/* The program writes as that user; root alone becomes another one. */
static void test_user_that_may_not(void **state)
{
    struct folder *f = *state;
    char want[512];
    char yaml[256];
    char log[160];

    if (geteuid() != 0) {
        skip();
    }
    snprintf(log, sizeof(log), "%s/log", f->path);
    write_file(log, "");
    assert_int_equal(chmod(log, 0644), 0);
    for (unsigned i = 0; i < 2; i++) {
        const char *user = i == 0 ? "nobody" : "4000000";

        assert_int_equal(chmod(f->path, 0755), 0);
        snprintf(yaml, sizeof(yaml),
                 "servers: quad9\ncache_file: cache\nquery_log: log\n"
                 "user: %s\n",
                 user);
        write_file(f->file, yaml);
        snprintf(want, sizeof(want),
                 ":2:13: cache_file: %s cannot be written by user %s\n"
                 "%s:3:12: query_log: %s cannot be written by user %s\n",
                 f->path, user, f->file, log, user);
        expect_refused(f->file, want);
    }
    struct config *c = NULL;
    struct config_diagnostics d;
    assert_int_equal(chmod(f->path, 0777), 0);
    assert_int_equal(unlink(log), 0); /* the program makes it */
    assert_int_equal(config_load(f->file, &c, &d), 0);
    assert_int_equal(d.count, 0);
    config_diagnostics_finish(&d);
    config_destroy(c);
}

/* Folders that the systemd unit makes: the file may name them before. */
static void test_folders_to_come(void **state)
{
    struct folder *f = *state;
    struct config *c = NULL;
    struct config_diagnostics d;

    if (access("/var/lib/dotstub", F_OK) == 0 ||
        access("/var/log/dotstub", F_OK) == 0) {
        skip();
    }
    write_file(f->file, "servers: quad9\ncache_file: /var/lib/dotstub/cache\n"
                        "query_log: /var/log/dotstub/queries\n");
    assert_int_equal(config_load(f->file, &c, &d), 0);
    assert_int_equal(d.count, 2);
    assert_true(d.is_warning[0] && d.is_warning[1]);
    assert_non_null(strstr(d.lines[0], ": cache_file: /var/lib/dotstub is not "
                                       "there yet; the systemd unit makes it"));
    assert_non_null(strstr(d.lines[1], ": query_log: /var/log/dotstub is "));
    config_diagnostics_finish(&d);
    config_destroy(c);
    write_file(f->file, "servers: quad9\ncache_file: /var/lib/dotstub/a/b\n");
    expect_refused(f->file, ":2:13: cache_file: /var/lib/dotstub/a: No such "
                            "file or directory\n");
}

static void test_user_that_is_not_there(void **state)
{
    struct folder *f = *state;

    write_file(f->file, "servers: quad9\nuser: no-such-user\n");
    expect_refused(f->file, ":2:7: user: there is no user 'no-such-user' on "
                            "this machine\n");
    write_file(f->file, "servers: quad9\nuser: 4294967295\n");
    expect_refused(f->file, ":2:7: user: 4294967295 is not a number that a "
                            "user can have\n");
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
        cmocka_unit_test(test_more_defaults),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_all_policy_keys),
        cmocka_unit_test(test_all_running_keys),
        cmocka_unit_test(test_dnstap),
        cmocka_unit_test_setup_teardown(test_relative_path, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_file_values, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_user_that_may_not, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_folders_to_come, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_user_that_is_not_there,
                                        set_up_folder, tear_down_folder),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test_setup_teardown(test_stdin, set_up_folder,
                                        tear_down_folder),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("config_config", tests, NULL, NULL);
}
