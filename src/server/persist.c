/*
 * What is read is a regular file, a piece at a time. Writing goes to a new file
 * beside the old one, readable by its owner alone (it tells what was asked),
 * which takes the old one's place when all of it is on disk.
 */
#include "server/persist.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_ROOM "server"

enum { SUFFIX_LEN = 8 };

/* ---- reading ---- */

/* The octets of an open file (int *). */
static int read_from(void *arg, uint64_t at, uint8_t *out, size_t cap)
{
    const int *fd = arg;
    size_t len = 0;
    ssize_t n;

    do {
        n = pread(*fd, out + len, cap - len, (off_t)(at + len));
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        len += n > 0 ? (size_t)n : 0;
    } while (n != 0 && len < cap);
    return (int)len;
}

/* A regular file, open. Returns 0 | what the system said. */
static int open_file(const char *path, int *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return errno;
    }
    int error = fstat(fd, &st) != 0 ? errno : 0;
    if (error == 0 && !S_ISREG(st.st_mode)) {
        error = EINVAL;
    }
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    *out = fd;
    return 0;
}

static void load(struct cache *c, int fd, const char *path, uint64_t wall_s,
                 uint64_t boot_ms)
{
    size_t count = 0;
    int err = cache_load(c, read_from, &fd, wall_s, boot_ms, &count);

    if (err == ERR_INVAL) {
        log_warning("%s: damaged, or not a cache of this version; the cache "
                    "starts empty",
                    path);
    } else if (err != 0) {
        log_warning("%s: %s; the cache starts empty", path, err_text(err));
    } else {
        log_info("%s: %zu answers read", path, count);
    }
}

void persist_load(struct cache *c, const char *path, uint64_t wall_s,
                  uint64_t boot_ms)
{
    int fd = -1;
    int error = open_file(path, &fd);

    if (error == ENOENT) {
        log_info("%s: not there yet; the cache starts empty", path);
    } else if (error != 0) {
        log_warning("%s: %s; the cache starts empty", path, strerror(error));
    } else {
        load(c, fd, path, wall_s, boot_ms);
        (void)close(fd);
    }
}

/* ---- writing ---- */

static int write_to(void *arg, struct span octets)
{
    FILE *file = arg;

    return fwrite(octets.ptr, 1, octets.len, file) == octets.len ? 0 : ERR_IO;
}

/* Everything into the open file, and the file onto the disk. */
static int write_all(struct cache *c, FILE *file, uint64_t wall_s,
                     uint64_t boot_ms)
{
    int err = cache_save(c, wall_s, boot_ms, write_to, file);

    if (err == 0 && (fflush(file) != 0 || fsync(fileno(file)) != 0)) {
        err = ERR_IO;
    }
    return err;
}

static int save(struct cache *c, const char *path, char *temporary,
                uint64_t wall_s, uint64_t boot_ms)
{
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");

    if (file == NULL) {
        if (fd >= 0) {
            (void)close(fd);
            (void)unlink(temporary);
        }
        return ERR_IO;
    }
    int err = write_all(c, file, wall_s, boot_ms);
    if (fclose(file) != 0 && err == 0) {
        err = ERR_IO;
    }
    if (err == 0 && rename(temporary, path) != 0) {
        err = ERR_IO;
    }
    if (err != 0) {
        int error = errno;
        (void)unlink(temporary);
        errno = error;
    }
    return err;
}

void persist_save(struct cache *c, const char *path, uint64_t wall_s,
                  uint64_t boot_ms)
{
    size_t len = strlen(path) + SUFFIX_LEN;
    char *temporary = malloc(len);
    int err = ERR_NOMEM;

    if (temporary != NULL) {
        snprintf(temporary, len, "%s.XXXXXX", path);
        errno = 0;
        err = save(c, path, temporary, wall_s, boot_ms);
    }
    free(temporary);
    if (err != 0) {
        log_warning("%s: the cache could not be written: %s", path,
                    errno != 0 ? strerror(errno) : err_text(err));
    } else {
        log_info("%s: the cache was written", path);
    }
}
