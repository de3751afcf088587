/*
 * What control groups say about CPUs, as text.
 */
#include "server/cpus.h"
#include "server/server.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_cpu_max(void **state)
{
    static const struct {
        const char *text;
        unsigned want;
    } cases[] = {
        {"max 100000\n", 0},
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"150000 100000\n", 2},
        {"50000 100000", 1},
        {"1000 100000", 1},
        {"800000 100000", 8},
        {"9223372036854775807 1", INT32_MAX},
        {"99999999999999999999 100000", 0},
        {"100000", 0},
        {"100000 0", 0},
        {"-1 100000", 0},
        {"", 0},
        {"\n", 0},
        {"nonsense", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cpus_from_cpu_max(cases[i].text), cases[i].want);
    }
}

static void test_quota(void **state)
{
    static const struct {
        const char *quota, *period;
        unsigned want;
    } cases[] = {
        {"-1\n", "100000\n", 0},
        {"200000\n", "100000\n", 2},
        {"250000\n", "100000\n", 3},
        {"10000\n", "100000\n", 1},
        {"0\n", "100000\n", 0},
        {"200000\n", "", 0},
        {"", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cpus_from_quota(cases[i].quota, cases[i].period),
                         cases[i].want);
    }
}

static void test_cgroup_path(void **state)
{
    static const char hybrid[] = "12:memory:/user.slice\n"
                                 "4:cpu,cpuacct:/docker/0123\n"
                                 "3:cpuset:/\n"
                                 "1:name=systemd:/init.scope\n"
                                 "0::/system.slice/dotstub.service\n";
    static const struct {
        const char *text, *controller, *want;
    } cases[] = {
        {hybrid, "", "/system.slice/dotstub.service"},
        {hybrid, "cpu", "/docker/0123"},
        {hybrid, "cpuacct", "/docker/0123"},
        {hybrid, "cpuset", "/"},
        {hybrid, "pids", NULL},
        {hybrid, "cp", NULL},
        {"0::/\n", "", "/"},
        {"0::/", "", "/"},
        {"0::/a:b\n", "", "/a:b"},
        {"1:cpu:/only\n", "", NULL},
        {"0::\n", "", NULL},
        {"0::../outside\n", "", NULL},
        {"no colon\n0:\n", "", NULL},
        {"", "", NULL},
        {"0::/0123456789012345678901234567890123456789\n", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[32];
        const char *is = cpus_cgroup_path(cases[i].text, cases[i].controller,
                                          path, sizeof(path));

        if (cases[i].want == NULL) {
            assert_null(is);
        } else {
            assert_non_null(is);
            assert_string_equal(is, cases[i].want);
        }
    }
}

/* The longest path that fits fills the buffer to the last octet. */
static void test_cgroup_path_bound(void **state)
{
    char path[4];

    (void)state;
    assert_string_equal(cpus_cgroup_path("0::/ab\n", "", path, sizeof(path)),
                        "/ab");
    assert_null(cpus_cgroup_path("0::/abc\n", "", path, sizeof(path)));
}

static void test_worker_count(void **state)
{
    struct config config = {.workers = 7};
    unsigned count;

    (void)state;
    assert_int_equal(server_worker_count(&config), 7);
    config.workers = 0;
    count = server_worker_count(&config);
    assert_in_range(count, 1, 4);
    assert_true(count <= cpus_available());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_max),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_cgroup_path),
        cmocka_unit_test(test_cgroup_path_bound),
        cmocka_unit_test(test_worker_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
