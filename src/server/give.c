/*
 * A file is only given away if it was made right here, in a folder that no link
 * leads to: what has a name already in a folder of the user's may be a link to
 * anywhere.
 */
#include "server/give.h"

#include "base/err.h"
#include "base/log.h"
#include "config/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_ROOM "server"

static bool find(const struct config *config, struct config_user *out)
{
    return config->user != NULL && geteuid() == 0 &&
           config_user_find(config->user, out) == 0;
}

/* A new file. Returns its descriptor, or -1. */
static int make_without_links(const char *path)
{
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                           .mode = S_IRUSR | S_IWUSR | S_IRGRP,
                           .resolve = RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

void give_query_log(const struct config *config)
{
    const char *path = config->query_log;
    struct config_user user;

    if (path == NULL || config_log_is_stderr(path) || !find(config, &user)) {
        return;
    }
    int fd = make_without_links(path);
    if (fd < 0) {
        if (errno != EEXIST) {
            log_info("query log %s is not made for user %s: %s", path,
                     config->user,
                     errno == ELOOP ? "a link is on the way to it"
                                    : strerror(errno));
        }
        return;
    }
    if (fchown(fd, user.uid, user.gid) != 0) {
        log_warning("%s cannot be given to user %s: %s", path, config->user,
                    strerror(errno));
    }
    (void)close(fd);
}

void give_control(const struct config *config, struct control *control)
{
    struct config_user user;

    if (control == NULL || !find(config, &user)) {
        return;
    }
    int err = control_give(control, user.uid, user.gid);
    if (err != 0) {
        log_warning("%s cannot be given to user %s: %s", config->control,
                    config->user, err_text(err));
    }
}
