/*
 * What is left to a process that has locked itself in. Each case runs in a
 * process of its own, which reports an error number by its exit status.
 */
#include "server/sandbox.h"

#include "config/config.h"
#include "server/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NO_LANDLOCK = 250, NO_SECCOMP = 251, ABI_TOO_OLD = 252 };

static char folder[] = "/tmp/test_sandbox_XXXXXX";
static char secret[64], granted[64], stored[64];
static uint16_t server_port; /* somebody listens there … */
static uint16_t other_port;  /* … and there */

/* ---- what is tried: 0, or errno ---- */

static int outcome(long rc)
{
    return rc >= 0 ? 0 : errno;
}

static int read_secret(void)
{
    return outcome(open(secret, O_RDONLY));
}

static int read_shadow(void)
{
    return outcome(open("/etc/shadow", O_RDONLY));
}

static int read_configuration(void)
{
    return outcome(open(granted, O_RDONLY));
}

static int write_configuration(void)
{
    return outcome(open(granted, O_WRONLY));
}

static int list_root(void)
{
    return outcome(open("/", O_RDONLY | O_DIRECTORY));
}

static int write_cache(void)
{
    char fresh[80];

    snprintf(fresh, sizeof(fresh), "%s.new", stored);
    int fd = open(fresh, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0) {
        return errno;
    }
    return outcome(rename(fresh, stored));
}

static int run_shell(void)
{
    char *argv[] = {(char[]){"sh"}, NULL};

    return outcome(execve("/bin/sh", argv, argv + 1));
}

static int fork_child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        _exit(0);
    }
    return outcome(pid);
}

static int trace_parent(void)
{
    return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int kill_parent(void)
{
    return outcome(kill(getppid(), 0));
}

static int change_mode(void)
{
    return outcome(chmod(secret, 0777));
}

static int raw_packets(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int unix_socket(void)
{
    return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int connect_to_port(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return outcome(connect(fd, (struct sockaddr *)&sa, sizeof(sa)));
}

static int connect_to_server(void)
{
    return connect_to_port(server_port);
}

static int connect_elsewhere(void)
{
    return connect_to_port(other_port);
}

static int bind_udp(void)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    return fd < 0 ? errno
                  : outcome(bind(fd, (struct sockaddr *)&sa, sizeof(sa)));
}

static int map_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}

static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? EFAULT
                           : outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int type_into_terminal(void)
{
    return outcome(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int new_namespace(void)
{
    return outcome(unshare(CLONE_NEWUSER));
}

static int own_signals(void)
{
    return outcome(fcntl(STDIN_FILENO, F_SETOWN, getppid()));
}

static int raise_files(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0
               ? outcome(setrlimit(RLIMIT_NOFILE, &limit))
               : errno;
}

static void *do_nothing(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, do_nothing, NULL);

    return rc != 0 ? rc : pthread_join(thread, NULL);
}

static const struct attempt {
    const char *title;
    int (*fn)(void);
    int want;
    bool is_by_landlock; /* seccomp lets it pass */
    int least_abi;
} attempts[] = {
    {"another file", read_secret, EACCES, true, 1},
    {"/etc/shadow", read_shadow, EACCES, true, 1},
    {"the root folder", list_root, EACCES, true, 1},
    {"writing its configuration", write_configuration, EACCES, true, 1},
    {"another TCP port", connect_elsewhere, EACCES, true, 4},
    {"execve", run_shell, EPERM, false, 0},
    {"fork", fork_child, EPERM, false, 0},
    {"ptrace", trace_parent, EPERM, false, 0},
    {"kill", kill_parent, EPERM, false, 0},
    {"chmod", change_mode, EPERM, false, 0},
    {"packets", raw_packets, EPERM, false, 0},
    {"unix sockets", unix_socket, EPERM, false, 0},
    {"mmap of code", map_code, EPERM, false, 0},
    {"mprotect of code", make_code, EPERM, false, 0},
    {"TIOCSTI", type_into_terminal, EPERM, false, 0},
    {"F_SETOWN", own_signals, EPERM, false, 0},
    {"a user namespace", new_namespace, EPERM, false, 0},
    /* … and what must go on */
    {"its configuration", read_configuration, 0, true, 1},
    {"its cache", write_cache, 0, true, 1},
    {"its server", connect_to_server, 0, true, 1},
    {"a socket of a reload", bind_udp, 0, false, 0},
    {"a thread", start_thread, 0, false, 0},
    {"its limits", raise_files, 0, false, 0},
};

/* ---- the process that tries ---- */

static void lock_in(bool is_deadly)
{
    struct config_server server = {.label = (char[]){"x"}};
    struct config config = {.cache_file = stored};
    const struct config_pool *pools[] = {&config.pool};
    struct setup s = {.config = &config, .pools = pools, .pool_count = 1};

    server.addr.port = server_port;
    config.pool.servers = &server;
    config.pool.server_count = 1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        sandbox_landlock(&s, granted) < 0) {
        _exit(NO_LANDLOCK);
    }
    if (sandbox_seccomp(is_deadly, false) != 0) {
        _exit(NO_SECCOMP);
    }
}

/* The status of waitpid(2). */
static int run(const struct attempt *a, bool is_deadly)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        lock_in(is_deadly);
        _exit(a->fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int landlock_abi(void)
{
    struct config config = {.cache_file = NULL};
    const struct config_pool *pools[] = {&config.pool};
    struct setup s = {.config = &config, .pools = pools, .pool_count = 1};
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        int abi = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                      ? sandbox_landlock(&s, NULL)
                      : 0;
        _exit(abi > 0 ? abi : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void test_attempts(void **state)
{
    int abi = landlock_abi();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        const struct attempt *a = &attempts[i];
        if (abi < a->least_abi) {
            continue; /* an older system cannot */
        }
        int status = run(a, false);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP) {
            skip();
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != a->want) {
            fail_msg("%s: status %x, not %d", a->title, status, a->want);
        }
    }
}

/* What the filter forbids is the end of the process, and nothing else is. */
static void test_deadly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        const struct attempt *a = &attempts[i];
        int status = run(a, true);
        bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP) {
            skip();
        }
        if (is_killed != (a->want == EPERM)) {
            fail_msg("%s: status %x", a->title, status);
        }
    }
}

/* A server that a reload brings. */
static void test_ports_of_a_reload(void **state)
{
    static const struct {
        uint16_t port, more;
        bool may;
    } cases[] = {
        {853, 0, true}, {53, 0, true},   {8853, 0, true}, {8854, 0, false},
        {0, 0, false},  {443, 0, false}, {853, 53, true}, {853, 443, false},
    };
    int status = -1;

    (void)state;
    if (landlock_abi() < 4) {
        skip();
    }
    server_port = 8853;
    pid_t pid = fork();
    if (pid == 0) {
        lock_in(false);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct addr more = {.port = cases[i].more};
            struct config_server server = {.label = (char[]){"x"}};
            struct config_pool pool = {.servers = &server, .server_count = 1};
            const struct config_pool *pools[] = {NULL, &pool};
            struct config config = {.dnstap = NULL};
            struct setup s = {
                .config = &config, .pools = pools, .pool_count = 2};
            server.addr.port = cases[i].port;
            server.more = &more;
            server.more_count = cases[i].more != 0;
            if ((sandbox_may_reach(&s) == 0) != cases[i].may) {
                _exit((int)i + 1);
            }
            /* and a receiver */
            config.dnstap = server.label;
            config.tap = (struct config_tap){.kind = CONFIG_TAP_TCP,
                                             .addr = server.addr};
            s.pool_count = 0;
            if (server.more_count == 0 &&
                (sandbox_may_reach(&s) == 0) != cases[i].may) {
                _exit((int)i + 101);
            }
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A receiver at a unix socket, and nothing else, lets there be unix sockets. */
static void test_unix_sockets_for_a_tap(void **state)
{
    static const struct {
        const char *dnstap;
        enum config_tap_kind kind;
        int want;
    } cases[] = {
        {NULL, CONFIG_TAP_UNIX, EPERM},
        {"unix:/tmp/x", CONFIG_TAP_UNIX, 0},
        {"tcp:127.0.0.1:1", CONFIG_TAP_TCP, EPERM},
        {"/tmp/x", CONFIG_TAP_FILE, EPERM},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config = {.dnstap = (char *)(uintptr_t)cases[i].dnstap,
                                .tap = {.kind = cases[i].kind},
                                .sandbox = CONFIG_SANDBOX_ON};
        struct setup s = {.config = &config};
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            sandbox_enter(&s, NULL);
            _exit(raw_packets() == EPERM ? unix_socket() : NO_SECCOMP);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP) {
            return; /* a build with a sanitizer does not lock itself in */
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != cases[i].want) {
            fail_msg("%s: status %x", cases[i].dnstap, status);
        }
    }
}

static void test_user(void **state)
{
    static const struct {
        const char *name;
        uid_t want;
        bool is_there;
    } cases[] = {
        {"root", 0, true},    {"0", 0, true}, {"65534", 65534, true},
        {"roo", 0, false},    {"", 0, false}, {"root:x", 0, false},
        {"no one", 0, false},
    };

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            int err = sandbox_become(cases[i].name);
            bool is_right = (err == 0) == cases[i].is_there &&
                            geteuid() == cases[i].want &&
                            getuid() == cases[i].want &&
                            /* and there is no way back */
                            (geteuid() == 0 || setuid(0) != 0);
            _exit(is_right ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("%s: status %x", cases[i].name, status);
        }
    }
}

/* ---- set-up ---- */

static void make_file(char *path, size_t len, const char *below)
{
    char parent[48];

    snprintf(parent, sizeof(parent), "%s/%s", folder, below);
    assert_int_equal(mkdir(parent, 0700), 0);
    snprintf(path, len, "%s/file", parent);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static uint16_t listening_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin_port);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    make_file(secret, sizeof(secret), "secret");
    make_file(granted, sizeof(granted), "granted");
    make_file(stored, sizeof(stored), "stored");
    server_port = listening_port();
    other_port = listening_port();
    return 0;
}

static void remove_file(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    (void)state;
    remove_file(secret);
    remove_file(granted);
    remove_file(stored);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_deadly),
        cmocka_unit_test(test_ports_of_a_reload),
        cmocka_unit_test(test_unix_sockets_for_a_tap),
        cmocka_unit_test(test_user),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
