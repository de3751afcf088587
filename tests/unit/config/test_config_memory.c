/*
 * Memory that runs out at any point of loading: the result is ERR_NOMEM, no
 * line is said and (under AddressSanitizer) nothing is lost. The linker sends
 * the room's allocations here; libraries' own are not touched.
 */
#include "base/attr.h"
#include "base/err.h"
#include "config/door.h"
#include "expect.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_counting;
static unsigned long left; /* allocations that succeed while counting */
static bool has_failed;

static bool fails(void)
{
    if (!is_counting) {
        return false;
    }
    if (left == 0) {
        has_failed = true;
        return true;
    }
    left--;
    return false;
}

/* Names that the linker gives. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
FILE *__real_open_memstream(char **text, size_t *len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
FILE *__wrap_open_memstream(char **text, size_t *len);

void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return fails() ? NULL : __real_realloc(old, len);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

FILE *__wrap_open_memstream(char **text, size_t *len)
{
    return fails() ? NULL : __real_open_memstream(text, len);
}

/* Load with room for allocations; false when that was enough. With an
 * environment, yaml is not read. */
static bool runs_out(const char *yaml, char *const *environment,
                     unsigned long allocations)
{
    struct config *c = NULL;
    struct config_diagnostics d;

    left = allocations;
    has_failed = false;
    is_counting = true;
    int err = environment == NULL
                  ? config_load_text(yaml, strlen(yaml), "t", &c, &d)
                  : config_load_environ("/no/such/file", environment, &c, &d);
    is_counting = false;
    if (has_failed) {
        assert_int_equal(err, ERR_NOMEM);
        assert_null(c);
        assert_int_equal(d.count, 0);
    }
    config_diagnostics_finish(&d);
    config_destroy(c);
    return has_failed;
}

#define GOOD \
    "listen: [127.0.0.1, '::1']\n" \
    "servers:\n" \
    "- quad9\n" \
    "- {address: 192.0.2.1, name: a.b, ca_file: /dev/null,\n" \
    "   pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}\n" \
    "ca_file: /dev/null\nca_dir: /\n"
#define BAD \
    "servers: [x, {address: y, ca_file: /dev/null}, quad9, quad9]\n" \
    "DNS_SERVERS: [1.1.1.1]\nca_file: /\nworkers: x\nworkers: y\n"
#define BROKEN "servers: [quad9\n"
#define ZONES \
    "servers: {addresses: ['::1', '::2'], name: a.b}\n" \
    "zones: {a.: udp://10.0.0.1, b: nxdomain, 10.0.0.0/14: quad9,\n" \
    "  c: {servers: {resolv_conf: /dev/null}, strategy: race}}\n" \
    "hosts: [system, /dev/null]\nrecords: a.lan A 192.0.2.1\n" \
    "deny_names: [a, b, c, d, e]\nallow: [any, private, 192.0.2.1]\n" \
    "admin: ['::1']\ncontrol: /tmp/x\nquery_log: /dev/null\nuser: a\n" \
    "dnstap: tcp://127.0.0.1:6000\ndnstap_identity: a\n"
#define BAD_ZONES \
    "zones: {a: [udp://10.0.0.1, quad9, {address: x, ca_file: /dev/null}],\n" \
    "  .: udp://10.0.0.1, a.: 1, c: {servers: {resolv_conf: /}}}\n" \
    "servers: {addresses: [], ca_file: /dev/null}\nrecords: [a.lan A x]\n" \
    "allow: [x, any]\ndeny_names: [., a]\n"

static void test_memory(void **state)
{
    static const char *const texts[] = {GOOD, BAD, BROKEN, ZONES, BAD_ZONES};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        unsigned long allocations = 0;
        while (runs_out(texts[i], NULL, allocations)) {
            allocations++;
        }
        assert_in_range(allocations, 5, 1000);
    }
}

static void test_environment(void **state)
{
    static char servers[] = "DOTSTUB_SERVERS=quad9,9.9.9.8#a.b";
    static char zones[] = "DOTSTUB_ZONES={a: nxdomain}";
    static char near[] = "DOTSTUB_LISTENS=x";
    static char broken[] = "DOTSTUB_LISTEN=[x";
    char *const good[] = {servers, zones, near, NULL};
    char *const bad[] = {servers, broken, near, NULL};
    char *const *const environments[] = {good, bad};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(environments); i++) {
        unsigned long allocations = 0;
        while (runs_out(NULL, environments[i], allocations)) {
            allocations++;
        }
        assert_in_range(allocations, 5, 1000);
    }
}

/* Where it is asked: a file whose keys are looked for beside a fault. */
static void test_door(void **state)
{
    static const char text[] = BROKEN "listen: 127.0.0.1\n";
    static char variable[] = "DOTSTUB_CONTROL=/tmp/x";
    char *const environment[] = {variable, NULL};
    char file[] = "/tmp/dotstub-memory-XXXXXX";
    int fd = mkstemp(file);
    unsigned long allocations = 0;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    do {
        struct config_door door;
        struct config_diagnostics d;

        left = allocations++;
        has_failed = false;
        is_counting = true;
        int err = config_door_load(file, environment, &door, &d);
        is_counting = false;
        assert_int_equal(err, has_failed ? ERR_NOMEM : 0);
        config_diagnostics_finish(&d);
        config_door_finish(&door);
    } while (has_failed);
    assert_in_range(allocations, 20, 1000);
    assert_int_equal(unlink(file), 0);
}

/* A resolv.conf read while memory runs out. */
static void test_resolv(void **state)
{
    static const char text[] = "nameserver 10.0.0.1\nnameserver ::1\n";
    struct config_pool p = {.servers = NULL};

    (void)state;
    left = 0;
    is_counting = true;
    int err = config_resolv_conf_text(text, sizeof(text) - 1, NULL, 0, &p);
    is_counting = false;
    assert_int_equal(err, ERR_NOMEM);
    assert_null(p.servers);
    assert_int_equal(p.server_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_door),
        cmocka_unit_test(test_resolv),
    };

    return cmocka_run_group_tests_name("config_memory", tests, NULL, NULL);
}
