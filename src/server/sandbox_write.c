/*
 * What a reload names to be written, in a process that has locked itself in.
 * Whether it may be is not worked out but tried, as it will be done later: no
 * second opinion on links and folders. What else is wrong with a file is said
 * when it is written.
 */
#include "server/sandbox.h"

#include "base/err.h"
#include "base/text.h"
#include "server/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file, or none: fd is what the system returned. */
static int made(int fd, const char *path)
{
    int error = fd < 0 ? errno : 0;

    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(path);
    }
    return error;
}

/* Can a file be made beside it, to take its place? Returns errno. */
static int try_beside(const char *file)
{
    char *path = NULL;

    if (asprintf(&path, "%s.XXXXXX", file) < 0) {
        return ENOMEM;
    }
    int error = made(mkostemp(path, O_CLOEXEC), path);
    free(path);
    return error;
}

/* Can it be appended to? Returns errno. A pipe is left alone: who reads it
 * would take the end of this try for the end of all. */
static int try_to_append(const char *file)
{
    const int flags =
        O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    const mode_t mode = S_IRUSR | S_IWUSR | S_IRGRP;
    struct stat st;

    if (stat(file, &st) == 0 && S_ISFIFO(st.st_mode)) {
        return 0;
    }
    int error = made(open(file, flags | O_EXCL, mode), file);
    if (error != EEXIST) {
        return error;
    }
    int fd = open(file, flags, mode); /* it is there, or a link to nothing */
    error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

static bool is_new(const char *before, const char *next)
{
    return next != NULL && !text_equal(before, next);
}

static int refuse(const char *key, const char *file, const struct config *next)
{
    note_error("%s: %s: the process has locked itself in and cannot write in "
               "this folder; %s",
               key, file, sandbox_way_out(next));
    return ERR_NET_ACCESS;
}

int sandbox_may_write(const struct config *before, const struct config *next)
{
    int err = 0;

    if (!sandbox_is_locked_in()) {
        return 0;
    }
    if (is_new(before->cache_file, next->cache_file) &&
        try_beside(next->cache_file) == EACCES) {
        err = refuse("cache_file", next->cache_file, next);
    }
    if (is_new(before->query_log, next->query_log) &&
        !config_log_is_stderr(next->query_log) &&
        try_to_append(next->query_log) == EACCES) {
        err = refuse("query_log", next->query_log, next);
    }
    return err;
}
