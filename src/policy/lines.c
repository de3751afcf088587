/*
 * A window over a file. What is left of a line moves to the front before more
 * is read behind it; a line that fills the window alone is dropped up to its
 * end.
 */
#include "policy/lines.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_ROOM "policy"

static int fail(int err, const char *what, char *why, size_t why_len)
{
    (void)snprintf(why, why_len, "%s", what);
    return err;
}

/* Only a regular file ends for certain, and is there at once. */
static int check_kind(int file, size_t max, char *why, size_t why_len)
{
    struct stat st;

    if (fstat(file, &st) != 0) {
        return fail(ERR_IO, strerror(errno), why, why_len);
    }
    if (!S_ISREG(st.st_mode)) {
        return fail(ERR_CONFIG, "is not a regular file", why, why_len);
    }
    if ((uintmax_t)st.st_size > max) {
        (void)snprintf(why, why_len, "is larger than %zu MiB", max >> 20);
        return ERR_CONFIG;
    }
    return 0;
}

int lines_open(struct lines *l, const char *path, size_t max, char *why,
               size_t why_len)
{
    int err;

    *l = (struct lines){.path = path, .left = max};
    l->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (l->file < 0) {
        return fail(errno == ENOENT ? ERR_NOTFOUND : ERR_IO, strerror(errno),
                    why, why_len);
    }
    err = check_kind(l->file, max, why, why_len);
    if (err == 0) {
        l->data = malloc(LINES_BUFFER_LEN);
        if (l->data != NULL) {
            return 0;
        }
        err = fail(ERR_NOMEM, err_text(ERR_NOMEM), why, why_len);
    }
    (void)close(l->file);
    l->file = -1;
    return err;
}

void lines_close(struct lines *l)
{
    if (l->data == NULL) {
        return;
    }
    if (l->bad_count > 0) {
        log_warning("%s: lines not understood and passed over: %zu, the first "
                    "is line %zu",
                    l->path, l->bad_count, l->bad_first);
    }
    free(l->data);
    l->data = NULL;
    (void)close(l->file);
}

void lines_bad(struct lines *l)
{
    if (l->bad_count++ == 0) {
        l->bad_first = l->number;
    }
}

/* More octets behind those in the window. Returns 0 | ERR_IO. */
static int fill(struct lines *l)
{
    size_t room;
    ssize_t got;

    memmove(l->data, l->data + l->head, l->tail - l->head);
    l->tail -= l->head;
    l->head = 0;
    room = LINES_BUFFER_LEN - l->tail;
    room = room < l->left ? room : l->left;
    do {
        got = read(l->file, l->data + l->tail, room);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return ERR_IO;
    }
    l->is_at_end = got == 0;
    l->tail += (size_t)got;
    l->left -= (size_t)got;
    return 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct span trimmed(struct span s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    while (s.len > 0 && is_blank(*s.ptr)) {
        s = (struct span){s.ptr + 1, s.len - 1};
    }
    return s;
}

/* Some editors begin a file with a mark of its encoding. */
static struct span without_mark(struct span s)
{
    bool has_mark = s.len >= 3 && memcmp(s.ptr, "\xef\xbb\xbf", 3) == 0;

    return has_mark ? trimmed(span_from(s, 3)) : s;
}

/* A line of len octets at the head. Returns whether it is one to be given. */
static bool take(struct lines *l, size_t len, struct span *out)
{
    bool is_rest = l->is_inside_long;

    *out = trimmed(span_of(l->data + l->head, len));
    l->head += len;
    l->is_inside_long = false;
    l->number += is_rest ? 0 : 1;
    if (l->number == 1) {
        *out = without_mark(*out);
    }
    return !is_rest;
}

/* The window is full, and its line does not end in it. */
static void drop_long(struct lines *l)
{
    if (!l->is_inside_long) {
        l->number++;
        lines_bad(l);
    }
    l->is_inside_long = true;
    l->head = l->tail;
}

int lines_next(struct lines *l, struct span *out)
{
    for (;;) {
        size_t len = l->tail - l->head;
        const char *end =
            len == 0 ? NULL : memchr(l->data + l->head, '\n', len);

        if (end != NULL) {
            bool is_whole = take(l, (size_t)(end - l->data) - l->head, out);
            l->head++;
            if (is_whole) {
                return 1;
            }
        } else if (l->is_at_end) {
            return len > 0 && take(l, len, out) ? 1 : 0;
        } else {
            if (len == LINES_BUFFER_LEN) {
                drop_long(l);
            }
            if (fill(l) != 0) {
                return ERR_IO;
            }
        }
    }
}

struct span lines_word(struct span *line)
{
    struct span word = trimmed(*line);
    size_t len = 0;

    while (len < word.len && !is_blank(word.ptr[len])) {
        len++;
    }
    *line = span_from(word, len);
    return span_of(len == 0 ? (const void *)"" : word.ptr, len);
}

struct span lines_without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '#' && (i == 0 || is_blank(line.ptr[i - 1]))) {
            line.len = i;
        }
    }
    return trimmed(line);
}

bool lines_address(struct span word, struct addr *out)
{
    const uint8_t *percent =
        word.len == 0 ? NULL : memchr(word.ptr, '%', word.len);
    size_t len = percent == NULL ? word.len : (size_t)(percent - word.ptr);

    return addr_parse_ip((const char *)word.ptr, len, out) == 0;
}
