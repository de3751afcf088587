/*
 * The service manager's side of it: messages to a socket, sockets by number.
 */
#include "server/activate.h"

#include "base/err.h"
#include "net/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- messages ---- */

static int abstract_socket(char name[64])
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(name, 64, "@test_server_activate.%d", (int)getpid());
    memcpy(sa.sun_path, name, strlen(name));
    sa.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&sa,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(name))),
                     0);
    return fd;
}

static void assert_said(int fd, const char *want)
{
    char text[256] = "";
    ssize_t len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (want == NULL) {
        assert_int_equal(len, -1);
        return;
    }
    assert_true(len > 0);
    text[len] = '\0';
    assert_memory_equal(text, want, strlen(want));
}

static void test_without_manager(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open();
    notify("READY=1"); /* nowhere */
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_open();
    assert_int_equal(notify_watchdog_ms(), 0);
}

static void test_messages(void **state)
{
    char name[64];
    char long_text[600];
    int fd = abstract_socket(name);

    (void)state;
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open();
    notify("READY=1\nSTATUS=%s", "Serving DNS");
    assert_said(fd, "READY=1\nSTATUS=Serving DNS");
    notify_reloading();
    assert_said(fd, "RELOADING=1\nMONOTONIC_USEC=");
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    notify("STATUS=%s", long_text); /* not a part of it */
    assert_said(fd, NULL);
    close(fd);
    notify("WATCHDOG=1"); /* the manager has gone */
}

static void test_watchdog(void **state)
{
    static const struct {
        const char *usec;
        long pid; /* 0: ours, -1: none */
        uint64_t want_ms;
    } cases[] = {
        {"30000000", 0, 15000},
        {"30000000", -1, 15000},
        {"30000000", 1, 0},
        {"0", 0, 0},
        {"", 0, 0},
    };
    char pid[24];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("WATCHDOG_USEC", cases[i].usec, 1);
        snprintf(pid, sizeof(pid), "%ld",
                 cases[i].pid == 0 ? (long)getpid() : cases[i].pid);
        unsetenv("WATCHDOG_PID");
        if (cases[i].pid >= 0) {
            setenv("WATCHDOG_PID", pid, 1);
        }
        assert_int_equal(notify_watchdog_ms(), cases[i].want_ms);
    }
}

/* ---- sockets ---- */

static void udp_at(int fd, struct sockaddr_in *sa)
{
    socklen_t len = sizeof(*sa);
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    *sa = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(s, (struct sockaddr *)sa, len) != 0 ||
        getsockname(s, (struct sockaddr *)sa, &len) != 0 || dup2(s, fd) != fd) {
        _exit(100);
    }
    if (s != fd) {
        close(s);
    }
}

static bool tcp_at(int fd, const struct sockaddr_in *sa)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    bool is_bound = bind(s, (const struct sockaddr *)sa, sizeof(*sa)) == 0;

    if (is_bound && (listen(s, 1) != 0 || dup2(s, fd) != fd)) {
        _exit(100);
    }
    if (s != fd || !is_bound) {
        close(s);
    }
    return is_bound;
}

/* What is free for UDP may be somebody's TCP port. */
static void pair_at(int udp, int tcp, struct sockaddr_in *sa)
{
    int attempts = 100;

    do {
        udp_at(udp, sa);
    } while (!tcp_at(tcp, sa) && --attempts > 0);
    if (attempts == 0) {
        _exit(100);
    }
}

static void pass(unsigned count, pid_t to)
{
    char text[24];

    snprintf(text, sizeof(text), "%u", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%d", (int)to);
    setenv("LISTEN_PID", text, 1);
}

/* Each in a process of its own: numbers 3 and 4 are taken there. Returns 0 or
 * which step failed. */
static int take_a_pair(void)
{
    struct addr first = {.port = 1};
    struct config config = {.listen = calloc(1, sizeof(struct addr)),
                            .listen_count = 1};
    struct sockaddr_in sa;

    pair_at(3, 4, &sa);
    pass(2, getpid());
    config.listen[0] = first;
    if (activate_sockets() != 0 || activate_listen(&config) != 0) {
        return 1;
    }
    if (config.listen_count != 1 ||
        config.listen[0].port != ntohs(sa.sin_port)) {
        return 2; /* one address, of both */
    }
    int udp = net_inherited(&config.listen[0], SOCK_DGRAM);
    int tcp = net_inherited(&config.listen[0], SOCK_STREAM);
    if (udp < 0 || tcp < 0 || udp == tcp) {
        return 3;
    }
    if (fcntl(3, F_GETFD) != FD_CLOEXEC || getenv("LISTEN_FDS") != NULL) {
        return 4; /* children would take them for theirs */
    }
    return 0;
}

static int take_nothing(void)
{
    struct config config = {.listen_count = 0};

    unsetenv("LISTEN_FDS");
    return activate_sockets() == 0 && activate_listen(&config) == 0 &&
                   config.listen == NULL
               ? 0
               : 1;
}

static int leave_those_of_others(void)
{
    struct config config = {.listen_count = 0};
    struct sockaddr_in sa;

    udp_at(3, &sa);
    pass(1, getpid() + 1);
    return activate_sockets() == 0 && activate_listen(&config) == 0 &&
                   config.listen_count == 0
               ? 0
               : 1;
}

static int refuse_a_pipe(void)
{
    int ends[2];

    if (pipe(ends) != 0 || dup2(ends[0], 3) != 3) {
        return 100;
    }
    pass(1, getpid());
    return activate_sockets() == ERR_INVAL ? 0 : 1;
}

static int refuse_what_is_not_there(void)
{
    close(3);
    pass(1, getpid());
    return activate_sockets() == ERR_INVAL ? 0 : 1;
}

static void test_sockets(void **state)
{
    static const struct {
        const char *title;
        int (*fn)(void);
    } cases[] = {
        {"UDP and TCP of one address", take_a_pair},
        {"none", take_nothing},
        {"another process's", leave_those_of_others},
        {"a pipe", refuse_a_pipe},
        {"a number that is not open", refuse_what_is_not_there},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            _exit(cases[i].fn());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("%s: status %x", cases[i].title, status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_manager),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
