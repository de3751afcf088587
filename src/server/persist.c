/*
 * Reading is bounded, and of a regular file only. Writing goes to a new file
 * beside the old one, readable by its owner alone (it tells what was asked),
 * which takes the old one's place when all of it is on disk.
 */
#include "server/persist.h"

#include "base/buf.h"
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

enum { CHUNK = 65536, SUFFIX_LEN = 8 };
#define FILE_MAX ((size_t)1 << 35) /* the longest cache, 32 GiB */

/* ---- reading ---- */

static int read_all(int fd, size_t max, struct buf *out)
{
    buf_init(out, max);
    for (;;) {
        uint8_t *to = buf_reserve(out, CHUNK);
        if (to == NULL) {
            return ENOMEM;
        }
        ssize_t n = read(fd, to, CHUNK);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
}

static int read_file(const char *path, struct buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return errno;
    }
    int error = fstat(fd, &st) != 0 ? errno : 0;
    if (error == 0 && (!S_ISREG(st.st_mode) || st.st_size < 0 ||
                       (size_t)st.st_size > FILE_MAX)) {
        error = EINVAL;
    }
    if (error == 0) {
        error = read_all(fd, (size_t)st.st_size + 2 * CHUNK, out);
    }
    (void)close(fd);
    return error;
}

void persist_load(struct cache *c, const char *path, uint64_t wall_s,
                  uint64_t boot_ms)
{
    struct buf content = {0};
    size_t count = 0;
    int error = read_file(path, &content);

    if (error == ENOENT) {
        log_info("%s: not there yet; the cache starts empty", path);
    } else if (error != 0) {
        log_warning("%s: %s; the cache starts empty", path, strerror(error));
    } else if (cache_load(c, buf_span(&content), wall_s, boot_ms, &count) !=
               0) {
        log_warning("%s: damaged, or not a cache of this version; the cache "
                    "starts empty",
                    path);
    } else {
        log_info("%s: %zu answers read", path, count);
    }
    buf_finish(&content);
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
