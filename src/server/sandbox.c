/*
 * The order matters: the user first, while that is allowed; privileges last but
 * for the filters, which need no_new_privs.
 */
#include "server/sandbox.h"

#include "base/err.h"
#include "base/log.h"
#include "config/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define LOG_ROOM "server"

/* ---- another user ---- */

/* No program could get any of them back. Only root may say so; the kernel says
 * where they end. */
static void drop_bounding_set(void)
{
    unsigned long i = 0;

    while (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0) {
        i++;
    }
}

int sandbox_become(const char *name)
{
    struct config_user user;
    int err = config_user_find(name, &user);

    if (err != 0) {
        log_error("user: %s: %s", name, err_text(err));
        return err;
    }
    if (geteuid() == user.uid && getuid() == user.uid) {
        return 0;
    }
    drop_bounding_set();
    if (setgroups(0, NULL) != 0 ||
        setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0) {
        log_error("user: cannot become '%s': %s", name, strerror(errno));
        return ERR_NET_ACCESS;
    }
    if (getuid() != user.uid || geteuid() != user.uid) {
        log_error("user: did not become '%s'", name);
        return ERR_NET_ACCESS;
    }
    return 0;
}

/* ---- privileges ---- */

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version =
                                                  _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    drop_bounding_set();
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0) {
        log_warning("sandbox: capabilities are kept: %s", strerror(errno));
    }
}

static bool drop_privileges(void)
{
    const struct rlimit no_core = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        log_warning("sandbox: no_new_privs: %s", strerror(errno));
        return false;
    }
    return true;
}

/* Sanitizers read files, map memory and stop threads as they like. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#    else
    return false;
#    endif
#else
    return false;
#endif
}

const char *sandbox_way_out(const struct config *next)
{
    return next != NULL && next->sandbox == CONFIG_SANDBOX_OFF
               ? "restart it"
               : "restart it, or set sandbox to off";
}

void sandbox_enter(const struct setup *s, const char *file)
{
    char landlock[32] = "";

    if (s->config->sandbox == CONFIG_SANDBOX_OFF) {
        return;
    }
    if (is_sanitized()) {
        log_info("sandbox: off, in a build with a sanitizer");
        return;
    }
    bool has_no_new_privs = drop_privileges();
    int abi = sandbox_landlock(s, file);
    if (abi > 0) {
        snprintf(landlock, sizeof(landlock), ", Landlock (ABI %d)", abi);
    } else if (abi == 0) {
        log_info("sandbox: this system has no Landlock");
    }
    bool has_seccomp =
        sandbox_seccomp(s->config->sandbox == CONFIG_SANDBOX_KILL,
                        s->config->dnstap != NULL &&
                            s->config->tap.kind == CONFIG_TAP_UNIX) == 0;
    log_info("sandbox: %s%s%s",
             has_no_new_privs ? "no_new_privs" : "capabilities dropped",
             landlock, has_seccomp ? ", seccomp" : "");
}
