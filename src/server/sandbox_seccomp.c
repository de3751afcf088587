/*
 * The system calls that are left. A call that is not in the list fails with
 * EPERM, or (is_deadly) ends the process: that is for finding out what is
 * missing. What a newer C library or libuv tries first, and can do without,
 * fails with ENOSYS, as on a kernel that lacks it.
 */
#include "server/sandbox.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

#define LOG_ROOM "server"

#ifndef HAS_SECCOMP

void sandbox_prepare(void)
{
}

int sandbox_seccomp(bool is_deadly)
{
    (void)is_deadly;
    log_info("sandbox: built without libseccomp");
    return ERR_NET_OTHER;
}

#else

#    include <fcntl.h>
#    include <sched.h>
#    include <seccomp.h>
#    include <stdint.h>
#    include <sys/ioctl.h>
#    include <sys/mman.h>
#    include <sys/prctl.h>
#    include <sys/socket.h>
#    include <unistd.h>

static const char *const allowed[] = {
    /* sockets and files that are open */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "lseek",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "close",
    "close_range",
    "shutdown",
    "dup",
    "dup2",
    "dup3",
    "fstat",
    "fsync",
    "fdatasync",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "sendfile",
    /* new sockets */
    "bind",
    "connect",
    "listen",
    "accept",
    "accept4",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "socketpair",
    "pipe2",
    /* files, within Landlock's rules */
    "open",
    "openat",
    "stat",
    "lstat",
    "newfstatat",
    "fstatat64",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    /* waiting and time */
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "eventfd2",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "restart_syscall",
    /* memory, threads, the end */
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "futex",
    "futex_time64",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "membarrier",
    "exit",
    "exit_group",
    "arch_prctl",
    /* signals */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "rt_sigtimedwait",
    "sigreturn",
    /* about itself */
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrandom",
    "getrlimit",
    "ugetrlimit",
    "setrlimit",
    "getrusage",
    "sysinfo",
    "uname",
};

/* What has another way when it is not there. What io_uring does, no filter
 * sees. */
static const char *const missing[] = {
    "clone3",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
};

#    if defined(__s390__)
enum { CLONE_FLAGS = 1 };
#    else
enum { CLONE_FLAGS = 0 };
#    endif

#    define WHOLE UINT32_MAX

/* Calls with one argument, under a mask, that is no other than this. */
static const struct limited {
    const char *name;
    unsigned arg;
    uint32_t mask;
    uint32_t value;
} limited[] = {
    {"socket", 0, WHOLE, AF_INET},
    {"socket", 0, WHOLE, AF_INET6},
    {"socket", 0, WHOLE, AF_NETLINK},
    /* threads, and no processes */
    {"clone", CLONE_FLAGS, CLONE_THREAD, CLONE_THREAD},
    {"prctl", 0, WHOLE, PR_SET_NAME},
    /* limits of its own */
    {"prlimit64", 0, WHOLE, 0},
/* There the arguments are in memory, where a filter does not look. */
#    if !defined(__s390__)
    /* no code but what is there already */
    {"mmap", 2, PROT_EXEC, 0},
#    endif
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    /* nothing that sends signals, or types into a terminal */
    {"fcntl", 1, WHOLE, F_DUPFD},
    {"fcntl", 1, WHOLE, F_DUPFD_CLOEXEC},
    {"fcntl", 1, WHOLE, F_GETFD},
    {"fcntl", 1, WHOLE, F_SETFD},
    {"fcntl", 1, WHOLE, F_GETFL},
    {"fcntl", 1, WHOLE, F_SETFL},
    {"fcntl64", 1, WHOLE, F_DUPFD},
    {"fcntl64", 1, WHOLE, F_DUPFD_CLOEXEC},
    {"fcntl64", 1, WHOLE, F_GETFD},
    {"fcntl64", 1, WHOLE, F_SETFD},
    {"fcntl64", 1, WHOLE, F_GETFL},
    {"fcntl64", 1, WHOLE, F_SETFL},
    {"ioctl", 1, WHOLE, FIONBIO},
    {"ioctl", 1, WHOLE, FIOCLEX},
    {"ioctl", 1, WHOLE, FIONREAD},
    {"ioctl", 1, WHOLE, TCGETS},
    {"ioctl", 1, WHOLE, TIOCGWINSZ},
};

/* A name that this machine's architecture does not have is no fault. */
static int add(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    if (number == __NR_SCMP_ERROR) {
        return 0;
    }
    int rc = seccomp_rule_add(ctx, action, number, 0);
    return rc == -EEXIST || rc == -EACCES || number < 0 ? 0 : rc;
}

static int add_limited(scmp_filter_ctx ctx, const struct limited *l)
{
    int number = seccomp_syscall_resolve_name(l->name);
    const struct scmp_arg_cmp compare = {l->arg, SCMP_CMP_MASKED_EQ, l->mask,
                                         l->value};

    if (number == __NR_SCMP_ERROR || number < 0) {
        return 0;
    }
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &compare);
}

static int add_all(scmp_filter_ctx ctx)
{
    /* abort(3) */
    const struct limited to_itself = {"tgkill", 0, WHOLE, (uint32_t)getpid()};
    int rc = add_limited(ctx, &to_itself);

    for (size_t i = 0; i < COUNT_OF(allowed) && rc == 0; i++) {
        rc = add(ctx, SCMP_ACT_ALLOW, allowed[i]);
    }
    for (size_t i = 0; i < COUNT_OF(missing) && rc == 0; i++) {
        rc = add(ctx, SCMP_ACT_ERRNO(ENOSYS), missing[i]);
    }
    for (size_t i = 0; i < COUNT_OF(limited) && rc == 0; i++) {
        rc = add_limited(ctx, &limited[i]);
    }
    return rc;
}

/* Takes ctx, NULL too. */
static int load(scmp_filter_ctx ctx, int rc)
{
    if (rc == 0) {
        rc = seccomp_load(ctx);
    }
    if (ctx != NULL) {
        seccomp_release(ctx);
    }
    if (rc != 0) {
        log_warning("sandbox: seccomp: %s", strerror(-rc));
        return ERR_NET_OTHER;
    }
    return 0;
}

void sandbox_prepare(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int rc = ctx == NULL ? -ENOMEM
                         : add(ctx, SCMP_ACT_ERRNO(ENOSYS), "io_uring_setup");

    (void)load(ctx, rc);
}

int sandbox_seccomp(bool is_deadly)
{
    scmp_filter_ctx ctx =
        seccomp_init(is_deadly ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));

    return load(ctx, ctx == NULL ? -ENOMEM : add_all(ctx));
}

#endif
