/*
 * Reading a file whole, never more than the bound plus one octet of it.
 */
#include "config/source.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct mark whole_file = {.line = 0};

static int fail(struct diag *d, const char *what)
{
    diag_error(d, whole_file, NULL, "%s", what);
    return ERR_CONFIG;
}

static int fail_size(struct diag *d)
{
    diag_error(d, whole_file, NULL,
               "is larger than 1 MiB; a configuration has a few kilobytes: "
               "is this the right file?");
    return ERR_CONFIG;
}

static int fail_open(struct diag *d, int errnum)
{
    diag_error(d, whole_file, NULL, "cannot be read: %s", strerror(errnum));
    return ERR_CONFIG;
}

/* Read to the end or to the bound. Returns 0 | ERR_CONFIG. */
static int read_all(int fd, struct source *s, struct diag *d)
{
    while (s->len <= SOURCE_MAX) {
        ssize_t n = read(fd, s->text + s->len, SOURCE_MAX + 1 - s->len);
        if (n == 0) {
            s->text[s->len] = '\0';
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return fail_open(d, errno);
        }
        s->len += n < 0 ? 0 : (size_t)n;
    }
    return fail_size(d);
}

static int read_fd(int fd, struct source *s, struct diag *d)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return fail(d, "is a directory; the name of a file is needed");
    }
    *s = (struct source){.text = malloc(SOURCE_MAX + 2)};
    if (s->text == NULL) {
        return ERR_NOMEM;
    }
    int err = read_all(fd, s, d);
    if (err != 0) {
        source_finish(s);
        return err;
    }
    /* Give back what was not used; if that fails the old block is as good. */
    char *smaller = realloc(s->text, s->len + 1);
    s->text = smaller != NULL ? smaller : s->text;
    return 0;
}

int source_read(const char *file, struct source *s, struct diag *d)
{
    *s = (struct source){.text = NULL};
    if (strcmp(file, "-") == 0) {
        return read_fd(STDIN_FILENO, s, d);
    }
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail_open(d, errno);
    }
    int err = read_fd(fd, s, d);
    close(fd);
    return err;
}

int source_copy(const char *text, size_t len, struct source *s, struct diag *d)
{
    *s = (struct source){.text = NULL};
    if (len > SOURCE_MAX) {
        return fail_size(d);
    }
    s->text = malloc(len + 1);
    if (s->text == NULL) {
        return ERR_NOMEM;
    }
    if (len > 0) {
        memcpy(s->text, text, len);
    }
    s->text[len] = '\0';
    s->len = len;
    return 0;
}

void source_finish(struct source *s)
{
    free(s->text);
    *s = (struct source){.text = NULL};
}

const char *source_at(const struct source *s, struct mark at)
{
    const char *p = s->text;
    unsigned line = 1;
    unsigned column = 1;

    while (*p != '\0' && (line < at.line || column < at.column)) {
        bool is_end = *p == '\n' || (*p == '\r' && p[1] != '\n');
        if (line == at.line && (is_end || *p == '\r')) {
            return NULL;
        }
        p++;
        /* Octets that continue a character are not columns. */
        while (((unsigned char)*p & 0xc0) == 0x80) {
            p++;
        }
        line += is_end;
        column = is_end ? 1 : column + 1;
    }
    return line == at.line && column == at.column ? p : NULL;
}
