/*
 * Log lines to stderr. A line is put together on the stack and leaves in one
 * write(2), so lines of several threads never mix and no lock is needed. A
 * line that cannot be written (full pipe) is lost: logging never blocks more
 * than stderr itself does, and never fails the caller. errno is kept.
 *
 * This is the one place of the room that reads clocks: the wall clock for the
 * stamp of a line, the monotonic one for the limit on lines that repeat.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_MAX = 2000,
    ROOM_MAX = 32,
    /* An octet of text takes six at most ("\u001f"); the rest is the frame. */
    LINE_MAX_LEN = 6 * (TEXT_MAX + ROOM_MAX) + 128,
    LIMIT_WINDOW_S = 10,
};

static _Atomic int log_level = LOG_NOTICE;
static _Atomic int log_format = LOG_TEXT;

/* A line being put together; LINE_MAX_LEN is enough for any. */
struct line {
    char text[LINE_MAX_LEN];
    size_t len;
};

void log_setup(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&log_format, (int)format, memory_order_relaxed);
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warning", "notice", "info",
                                        "debug"};

    return (size_t)level < COUNT_OF(names) ? names[level] : "error";
}

static void line_add(struct line *l, const char *text, size_t len)
{
    memcpy(l->text + l->len, text, len);
    l->len += len;
}

static void line_puts(struct line *l, const char *text)
{
    line_add(l, text, strlen(text));
}

static void line_add_time(struct line *l)
{
    struct timespec now;
    struct tm tm;
    char stamp[32];
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    len = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    line_add(l, stamp, len);
    (void)snprintf(stamp, sizeof(stamp), ".%03uZ",
                   (unsigned)(now.tv_nsec / 1000000) % 1000);
    line_puts(l, stamp);
}

/*
 * Octets of the UTF-8 character at p (RFC 3629 section 4), printable ones
 * only: 0 for a broken one, and for the control characters U+0080 to U+009F.
 */
static size_t utf8_len(const uint8_t *p, const uint8_t *end)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
    uint32_t value = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));

    if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 ||
        (size_t)(end - p) < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (p[i] & 0x3f);
    }
    if (value < least[len] || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    return len;
}

/* One octet that may not stand as it is. */
static void line_add_escaped(struct line *l, uint8_t octet, bool is_json)
{
    char escape[8];

    if (is_json && octet >= 0x80) {
        line_puts(l, "\\ufffd"); /* JSON is UTF-8: there is no raw octet */
        return;
    }
    (void)snprintf(escape, sizeof(escape), is_json ? "\\u%04x" : "\\x%02x",
                   octet);
    line_puts(l, escape);
}

/* Text with everything escaped that could end, forge or hide a line. */
static void line_add_text(struct line *l, const char *text, size_t len,
                          bool is_json)
{
    const uint8_t *p = (const uint8_t *)text;
    const uint8_t *end = p + len;

    while (p < end) {
        size_t step = utf8_len(p, end);

        if (step == 0 || *p < 0x20 || *p == 0x7f) {
            line_add_escaped(l, *p++, is_json);
            continue;
        }
        if (is_json && (*p == '"' || *p == '\\')) {
            line_add(l, "\\", 1);
        }
        line_add(l, (const char *)p, step);
        p += step;
    }
}

static void line_build(struct line *l, enum log_level level, const char *room,
                       const char *text, size_t len)
{
    bool is_json = atomic_load_explicit(&log_format, memory_order_relaxed) ==
                   (int)LOG_JSON;

    line_puts(l, is_json ? "{\"time\":\"" : "");
    line_add_time(l);
    line_puts(l, is_json ? "\",\"level\":\"" : " ");
    line_puts(l, log_level_name(level));
    line_puts(l, is_json ? "\",\"room\":\"" : " ");
    line_add_text(l, room, strnlen(room, ROOM_MAX), is_json);
    line_puts(l, is_json ? "\",\"message\":\"" : ": ");
    line_add_text(l, text, len, is_json);
    line_puts(l, is_json ? "\"}\n" : "\n");
}

/* Octets of text within TEXT_MAX that do not cut a UTF-8 character in two. */
static size_t cut_len(const char *text, int printed)
{
    size_t len = printed < 0 ? 0 : (size_t)printed;

    if (len <= TEXT_MAX) {
        return len;
    }
    len = TEXT_MAX;
    while (len > TEXT_MAX - 4 && ((uint8_t)text[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

void log_write(enum log_level level, const char *room, const char *fmt, ...)
{
    int saved_errno = errno;
    char text[TEXT_MAX + 2]; /* one octet more than is used: see cut_len() */
    struct line line;
    va_list args;
    int printed;
    ssize_t written;

    va_start(args, fmt);
    printed = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    line.len = 0;
    line_build(&line, level, room, text, cut_len(text, printed));
    do {
        written = write(STDERR_FILENO, line.text, line.len);
    } while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

static unsigned long current_window(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec / LIMIT_WINDOW_S;
}

bool log_limit_pass(struct log_limit *limit, unsigned burst)
{
    unsigned long now = current_window();
    unsigned long window = atomic_load(&limit->window);

    if (window != now &&
        atomic_compare_exchange_strong(&limit->window, &window, now)) {
        unsigned dropped = atomic_exchange(&limit->dropped, 0);
        atomic_store(&limit->count, 0);
        if (dropped > 0) {
            log_write(LOG_WARNING, "log", "(%u more like this)", dropped);
        }
    }
    if (atomic_fetch_add(&limit->count, 1) < burst) {
        return true;
    }
    atomic_fetch_add(&limit->dropped, 1);
    return false;
}
