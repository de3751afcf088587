/*
 * The nameserver lines of a resolv.conf, from memory and from files; and
 * whether two servers are the same.
 */
#include "base/attr.h"
#include "base/err.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct resolv_case {
    const char *title;
    const char *text;
    const char *want; /* labels with a blank behind each; "": refused */
} resolv_cases[] = {
    {"of a pod",
     "nameserver 10.96.0.10\nsearch a.svc.cluster.local svc.cluster.local\n"
     "options ndots:5\n",
     "udp://10.96.0.10:53 "},
    {"several, in order", "nameserver 10.0.0.2\nnameserver 10.0.0.1\n",
     "udp://10.0.0.2:53 udp://10.0.0.1:53 "},
    {"blanks, tabs, words behind, no end of line",
     "nameserver \t 10.0.0.1  # x\nnameserver\tfd00::1\r\nnameserver 10.0.0.2",
     "udp://10.0.0.1:53 udp://[fd00::1]:53 udp://10.0.0.2:53 "},
    {"a scope", "nameserver fe80::1%1\n", "udp://[fe80::1%1]:53 "},
    {"comments and other words",
     "#nameserver 10.0.0.1\n;nameserver 10.0.0.1\n nameserver 10.0.0.1\n"
     "nameservers 10.0.0.1\nnameserver10.0.0.1\nnameserver 10.0.0.3\n",
     "udp://10.0.0.3:53 "},
    {"twice", "nameserver 10.0.0.1\nnameserver 10.0.0.1\n",
     "udp://10.0.0.1:53 "},
    {"itself is left out",
     "nameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver 127.0.0.53\n"
     "nameserver ::1\n",
     "udp://127.0.0.53:53 udp://[::1]:53 "},
    {"nothing but itself", "nameserver 127.0.0.1\n", ""},
    {"no machine", "nameserver 0.0.0.0\nnameserver 224.0.0.1\nnameserver ::\n",
     ""},
    {"no addresses",
     "nameserver\nnameserver \nnameserver x\nnameserver 1.2.3\n"
     "nameserver 10.0.0.1:53\nnameserver [::1]\n",
     ""},
    {"nothing", "", ""},
};

/* 127.0.0.1 and 192.0.2.1; ::1 at another port. */
static const struct addr self[] = {
    {.ip = {127, 0, 0, 1}, .family = 4, .port = 53},
    {.ip = {192, 0, 2, 1}, .family = 4, .port = 53},
    {.ip = {[15] = 1}, .family = 6, .port = 5300},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(resolv_cases); i++) {
        const struct resolv_case *t = &resolv_cases[i];
        struct config_pool p = {.strategy = CONFIG_RACE, .race_width = 3};
        char got[512] = "";
        int err = config_resolv_conf_text(t->text, strlen(t->text), self,
                                          COUNT_OF(self), &p);

        for (size_t j = 0; j < p.server_count; j++) {
            assert_int_equal(p.servers[j].transport, CONFIG_UDP);
            assert_int_equal(p.servers[j].weight, 1);
            strcat(strcat(got, p.servers[j].label), " ");
        }
        if (strcmp(got, t->want) != 0) {
            fail_msg("%s: %s", t->title, got);
        }
        assert_int_equal(err, *t->want == '\0' ? ERR_CONFIG : 0);
        assert_int_equal(p.strategy, CONFIG_RACE); /* is the caller's */
        assert_int_equal(p.race_width, 3);
        assert_int_equal(p.is_plain, err == 0);
        config_pool_finish(&p);
    }
}

/* NUL octets and lengths are the caller's; 65 servers are 64. */
static void test_bounds(void **state)
{
    struct config_pool p = {.servers = NULL};
    static const char zero[] = "nameserver 10.0.0.1\0\nnameserver 10.0.0.2\n";
    char text[65 * 24] = "";
    size_t len = 0;

    (void)state;
    assert_int_equal(
        config_resolv_conf_text(zero, sizeof(zero) - 1, NULL, 0, &p), 0);
    assert_int_equal(p.server_count, 1);
    assert_string_equal(p.servers[0].label, "udp://10.0.0.2:53");
    config_pool_finish(&p);
    assert_int_equal(config_resolv_conf_text(zero, 18, NULL, 0, &p),
                     ERR_CONFIG);
    for (unsigned i = 0; i < 65; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "nameserver 10.0.0.%u\n", i + 1);
    }
    assert_int_equal(config_resolv_conf_text(text, len, NULL, 0, &p), 0);
    assert_int_equal(p.server_count, 64);
    config_pool_finish(&p);
    config_pool_finish(&p);
}

static void test_files(void **state)
{
    struct config_pool p = {.servers = NULL};
    char why[256] = "";
    char file[] = "/tmp/dotstub-resolv-XXXXXX";
    int fd = mkstemp(file);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(
        config_resolv_conf("/no/such", NULL, 0, &p, why, sizeof(why)),
        ERR_NOTFOUND);
    assert_string_equal(why, "/no/such: No such file or directory");
    assert_int_equal(config_resolv_conf("/", NULL, 0, &p, why, sizeof(why)),
                     ERR_CONFIG);
    assert_string_equal(why, "/: Invalid argument");
    assert_int_equal(config_resolv_conf(file, NULL, 0, &p, why, sizeof(why)),
                     ERR_CONFIG);
    assert_non_null(strstr(why, ": no nameserver line names a server"));
    assert_null(strstr(why, "itself"));
    assert_int_equal(write(fd, "nameserver 127.0.0.1\n", 21), 21);
    assert_int_equal(
        config_resolv_conf(file, self, COUNT_OF(self), &p, why, sizeof(why)),
        ERR_CONFIG);
    assert_non_null(strstr(why, "that is not dotstub itself"));
    assert_int_equal(config_resolv_conf(file, NULL, 0, &p, why, sizeof(why)),
                     0);
    assert_int_equal(p.server_count, 1);
    config_pool_finish(&p);
    close(fd);
    unlink(file);
}

#define PIN_A "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "sha256/BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Each differs from all others, and is like itself loaded again. */
static void test_equal(void **state)
{
    static const char *const servers[] = {
        "9.9.9.9#a.b",
        "9.9.9.9:8853#a.b",
        "9.9.9.8#a.b",
        "9.9.9.9#a.c",
        "{address: 9.9.9.9, pins: " PIN_A "}",
        "{address: 9.9.9.9, pins: " PIN_B "}",
        "{address: 9.9.9.9, pins: [" PIN_A ", " PIN_B "]}",
        "{address: 9.9.9.9, name: a.b, pins: " PIN_A "}",
        "{address: 9.9.9.9, name: a.b, weight: 2}",
        "{address: 9.9.9.9, name: a.b, ca_file: /dev/null}",
        "{address: 9.9.9.9, name: a.b, ca_file: /dev/zero}",
        "{addresses: [9.9.9.9, '::2'], name: a.b}",
        "{addresses: [9.9.9.9, '::3'], name: a.b}",
        "{addresses: [9.9.9.9, '::2', '::3'], name: a.b}",
    };
    struct config *c[COUNT_OF(servers)];
    char yaml[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        snprintf(yaml, sizeof(yaml), "servers: %s\n", servers[i]);
        c[i] = expect_load(yaml);
    }
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        snprintf(yaml, sizeof(yaml), "servers: %s\n", servers[i]);
        struct config *again = expect_load(yaml);
        for (size_t j = 0; j < COUNT_OF(servers); j++) {
            if (config_server_equal(&again->pool.servers[0],
                                    &c[j]->pool.servers[0]) != (i == j)) {
                fail_msg("%s and %s", servers[i], servers[j]);
            }
        }
        config_destroy(again);
    }
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        config_destroy(c[i]);
    }
}

/* Transports differ; the case of a name does not. */
static void test_equal_more(void **state)
{
    struct config *c = expect_load(
        EXPECT_SERVER "zones: {a: udp://10.0.0.1, b: "
                      "tcp://10.0.0.1, c: 9.9.9.9#DNS.Quad9.net}\n");
    const struct config_server *udp = &c->zones[0].pool.servers[0];
    const struct config_server *tcp = &c->zones[1].pool.servers[0];
    const struct config_server *named = &c->zones[2].pool.servers[0];

    (void)state;
    assert_false(config_server_equal(udp, tcp));
    assert_true(config_server_equal(named, &c->pool.servers[0]));
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_files),      cmocka_unit_test(test_equal),
        cmocka_unit_test(test_equal_more),
    };

    return cmocka_run_group_tests_name("config_resolv", tests, NULL, NULL);
}
