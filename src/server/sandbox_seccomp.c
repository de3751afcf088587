/*
 * The system calls that are left. The filter is made when dotstub is built
 * (make_filter.c has the lists); here it is given what only this process knows.
 * A call that it does not name fails with EPERM, or (is_deadly) ends the
 * process: that is for finding out what is missing.
 */
#include "server/sandbox.h"

#include "base/err.h"
#include "base/log.h"

#define LOG_ROOM "server"

#ifndef HAS_SECCOMP

void sandbox_prepare(void)
{
}

int sandbox_seccomp(bool is_deadly, bool has_tap)
{
    (void)is_deadly;
    (void)has_tap;
    log_info("sandbox: built without libseccomp");
    return ERR_NET_OTHER;
}

const char *sandbox_library(void)
{
    return "built without libseccomp";
}

#else

#    include <errno.h>
#    include <linux/filter.h>
#    include <linux/seccomp.h>
#    include <string.h>
#    include <sys/prctl.h>
#    include <sys/socket.h>
#    include <unistd.h>

#    include "server/sandbox_filter.h"

static int install(const struct sock_filter *code, size_t count)
{
    const struct sock_fprog program = {
        .len = (unsigned short)count,
        .filter = (struct sock_filter *)code,
    };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        log_warning("sandbox: seccomp: %s", strerror(errno));
        return ERR_NET_OTHER;
    }
    return 0;
}

void sandbox_prepare(void)
{
    (void)install(filter_preparing, COUNT_OF(filter_preparing));
}

int sandbox_seccomp(bool is_deadly, bool has_tap)
{
    struct sock_filter code[COUNT_OF(filter_serving)];

    memcpy(code, filter_serving, sizeof(code));
    for (size_t i = 0; i < COUNT_OF(code); i++) {
        if (code[i].k == FILTER_PID) {
            code[i].k = (uint32_t)getpid();
        } else if (code[i].k == FILTER_FAMILY) {
            code[i].k = has_tap ? AF_UNIX : AF_NETLINK;
        } else if (is_deadly && code[i].k == FILTER_REFUSES) {
            code[i].k = SECCOMP_RET_KILL_PROCESS;
        }
    }
    return install(code, COUNT_OF(code));
}

const char *sandbox_library(void)
{
    return "filter made by " FILTER_MAKER;
}

#endif
