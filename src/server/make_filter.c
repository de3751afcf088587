/*
 * Builds the filter of system calls, on the machine that builds dotstub:
 * libseccomp turns the lists below into a program for the kernel, which is
 * printed as a C array. Making it takes libseccomp longer than all else that
 * dotstub does before its first answer, so a starting process finds it made.
 *
 * A call that is not in the lists gets the default action. What a newer C
 * library or libuv tries first, and can do without, fails with ENOSYS, as on a
 * kernel that lacks it.
 */
#include "base/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Stand in the program for what only the running process knows. No call has
 * such a number, or takes such an argument. */
enum { MARK_PID = 0x7e570001, MARK_FAMILY = 0x7e570002 };

enum { INSTRUCTIONS_MAX = 4096 }; /* the kernel's limit, BPF_MAXINSNS */

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

#if defined(__s390__)
enum { CLONE_FLAGS = 1 };
#else
enum { CLONE_FLAGS = 0 };
#endif

#define WHOLE UINT32_MAX

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
    {"socket", 0, WHOLE, MARK_FAMILY}, /* AF_UNIX, for a dnstap receiver */
    /* abort(3) */
    {"tgkill", 0, WHOLE, MARK_PID},
    /* threads, and no processes */
    {"clone", CLONE_FLAGS, CLONE_THREAD, CLONE_THREAD},
    {"prctl", 0, WHOLE, PR_SET_NAME},
    /* limits of its own */
    {"prlimit64", 0, WHOLE, 0},
/* There the arguments are in memory, where a filter does not look. */
#if !defined(__s390__)
    /* no code but what is there already */
    {"mmap", 2, PROT_EXEC, 0},
#endif
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

/* All that a serving process may do. */
static int serving(scmp_filter_ctx ctx)
{
    int rc = 0;

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

/* Nothing is taken away but what the program above will not let libuv use. */
static int preparing(scmp_filter_ctx ctx)
{
    return add(ctx, SCMP_ACT_ERRNO(ENOSYS), "io_uring_setup");
}

/* The program's instructions, by way of a file without a name. Returns their
 * number, or a negative error number. */
static int export(scmp_filter_ctx ctx, struct sock_filter *out)
{
    FILE *f = tmpfile();
    int rc = f == NULL ? -errno : seccomp_export_bpf(ctx, fileno(f));

    if (rc == 0) {
        rewind(f);
        rc = (int)fread(out, sizeof(*out), INSTRUCTIONS_MAX, f);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return rc;
}

/* Prints one array. Returns 0, or a negative error number. */
static int print(FILE *to, const char *name, uint32_t otherwise,
                 int (*add_rules)(scmp_filter_ctx))
{
    static struct sock_filter code[INSTRUCTIONS_MAX];
    scmp_filter_ctx ctx = seccomp_init(otherwise);

    if (ctx == NULL) {
        return -ENOMEM;
    }
    /* A tree of comparisons: a call passes ten of them, not two hundred. */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int rc = add_rules(ctx);
    if (rc == 0) {
        rc = export(ctx, code);
    }
    seccomp_release(ctx);
    if (rc <= 0) {
        return rc == 0 ? -EIO : rc;
    }
    fprintf(to, "static const struct sock_filter %s[] = {\n", name);
    for (int i = 0; i < rc; i++) {
        fprintf(to, "    {0x%x, %u, %u, 0x%x},\n", code[i].code, code[i].jt,
                code[i].jf, code[i].k);
    }
    fputs("};\n", to);
    return 0;
}

static int print_all(FILE *to)
{
    const struct scmp_version *v = seccomp_version();

    fprintf(to,
            "/* Made by make_filter.c. */\n"
            "enum { FILTER_PID = 0x%x, FILTER_FAMILY = 0x%x };\n"
            "enum { FILTER_REFUSES = SECCOMP_RET_ERRNO | %d };\n"
            "#define FILTER_MAKER \"libseccomp %u.%u.%u\"\n",
            (unsigned)MARK_PID, (unsigned)MARK_FAMILY, EPERM, v->major,
            v->minor, v->micro);
    int rc = print(to, "filter_preparing", SCMP_ACT_ALLOW, preparing);
    return rc != 0
               ? rc
               : print(to, "filter_serving", SCMP_ACT_ERRNO(EPERM), serving);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: make_filter FILE\n", stderr);
        return 64;
    }
    FILE *to = fopen(argv[1], "we");
    int rc = to == NULL ? -errno : print_all(to);
    if (to != NULL && fclose(to) != 0 && rc == 0) {
        rc = -errno;
    }
    if (rc != 0) {
        fprintf(stderr, "make_filter: %s: %s\n", argv[1], strerror(-rc));
    }
    return rc == 0 ? 0 : 1;
}
