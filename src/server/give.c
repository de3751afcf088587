/*
 * A file is only given away if it was made right here: in a folder of the
 * user's, whatever has its name already may lead anywhere.
 */
#include "server/give.h"

#include "base/err.h"
#include "base/log.h"
#include "config/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_ROOM "server"

static bool find(const struct config *config, struct config_user *out)
{
    return config->user != NULL && geteuid() == 0 &&
           config_user_find(config->user, out) == 0;
}

void give_query_log(const struct config *config)
{
    const char *path = config->query_log;
    struct config_user user;

    if (path == NULL || strcmp(path, "stderr") == 0 || !find(config, &user)) {
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  S_IRUSR | S_IWUSR | S_IRGRP);
    if (fd < 0) {
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
