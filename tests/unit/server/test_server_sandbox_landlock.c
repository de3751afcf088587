/*
 * Where a process that has locked itself in may append its query log: files of
 * one folder, or one device. Each case runs in a process of its own.
 */
#include "server/sandbox.h"

#include "config/config.h"
#include "server/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NO_LANDLOCK = 250 };

/* real/log, a file; away/log, a link to it; pipe/log, a pipe */
static char folder[] = "/tmp/test_landlock_XXXXXX";
static char fd_path[32]; /* of a pipe without a name */

static const struct output_case {
    const char *title;
    const char *log;   /* relative: below folder */
    const char *opens; /* what is opened then, to append */
    bool is_removed;   /* opens is, before */
    int want;          /* errno */
} cases[] = {
    {"the file", "real/log", "real/log", false, 0},
    {"another one in its place", "real/log", "real/log", true, 0},
    {"a file elsewhere", "real/log", "away/other", false, EACCES},
    {"one that is made", "real/new", "real/new", false, 0},
    {"where a link leads", "away/log", "real/log", true, 0},
    {"a pipe", "pipe/log", "pipe/log", false, 0},
    {"a device", "/dev/full", "/dev/full", false, 0},
    {"another device", "/dev/full", "/dev/zero", false, EACCES},
    {"a pipe without a name", fd_path, fd_path, false, 0},
    {"a device beside that", fd_path, "/dev/zero", false, EACCES},
};

static const char *full_path(const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s%s%s", name[0] == '/' ? "" : folder,
             name[0] == '/' ? "" : "/", name);
    return out;
}

/* In the process that is locked in: 0 or an error number. */
static int open_locked_in(const struct output_case *c)
{
    char log[PATH_MAX];
    char opens[PATH_MAX];
    struct config config = {.query_log = (char *)full_path(c->log, log)};
    const struct config_pool *pools[] = {&config.pool};
    const struct setup s = {.config = &config, .pools = pools, .pool_count = 1};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        sandbox_landlock(&s, NULL) <= 0) {
        return NO_LANDLOCK;
    }
    if (c->is_removed && unlink(full_path(c->opens, opens)) != 0) {
        return errno;
    }
    return open(full_path(c->opens, opens), O_RDWR | O_APPEND | O_CREAT, 0600) <
                   0
               ? errno
               : 0;
}

static void make(const char *name, mode_t kind)
{
    char path[PATH_MAX];

    (void)full_path(name, path);
    (void)unlink(path);
    assert_int_equal(
        S_ISDIR(kind) ? mkdir(path, 0700) : mknod(path, kind | 0600, 0), 0);
}

static void test_outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = -1;
        make("real/log", S_IFREG);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(open_locked_in(&cases[i]));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == NO_LANDLOCK) {
            skip();
        }
        if (WEXITSTATUS(status) != cases[i].want) {
            fail_msg("%s: %s", cases[i].title, strerror(WEXITSTATUS(status)));
        }
    }
}

static int set_up(void **state)
{
    char target[PATH_MAX];
    char link[PATH_MAX];
    int fds[2];

    (void)state;
    assert_non_null(mkdtemp(folder));
    make("real", S_IFDIR);
    make("away", S_IFDIR);
    make("pipe", S_IFDIR);
    make("pipe/log", S_IFIFO);
    assert_int_equal(
        symlink(full_path("real/log", target), full_path("away/log", link)), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    snprintf(fd_path, sizeof(fd_path), "/dev/fd/%d", fds[1]);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"real/log", "real/new", "away/log",
                                        "pipe/log"};
    static const char *const folders[] = {"real", "away", "pipe"};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unlink(full_path(names[i], path));
    }
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        (void)rmdir(full_path(folders[i], path));
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
