/*
 * Log lines to stderr: levels, plain text or JSON lines, rate-limited so that
 * a fault that repeats thousands of times a second costs a line, not the disk.
 * May be called from any thread; a line leaves in one write(2).
 *
 * Plain:  "2026-01-02T03:04:05.678Z warning upstream: text"
 * JSON:   {"time":"…","level":"warning","room":"upstream","message":"text"}
 *
 * The names that clients ask for are never logged below LOG_DEBUG.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

#include <stdbool.h>

enum log_level {
    LOG_ERROR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG,
};

enum log_format { LOG_TEXT, LOG_JSON };

/* At any time: other threads' next lines are as it says. */
void log_setup(enum log_level level, enum log_format format);
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* "error", "warning", "notice", "info", "debug". */
const char *log_level_name(enum log_level level);

/*
 * Write one line. room is the folder that speaks ("upstream"). Control
 * characters in the text are escaped; longer than 2,000 octets is cut.
 */
void log_write(enum log_level level, const char *room, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * A limit for one place in the code: at most burst lines in 10 s, then one
 * line "(N more like this)" when the next window opens. Zero one statically.
 */
struct log_limit {
    _Atomic unsigned long window; /* 10 s steps of the monotonic clock */
    _Atomic unsigned count;
    _Atomic unsigned dropped;
};
bool log_limit_pass(struct log_limit *limit, unsigned burst);

#define LOG_AT(level, ...) \
    do { \
        if (log_is_on(level)) { \
            log_write(level, LOG_ROOM, __VA_ARGS__); \
        } \
    } while (0)

/* Each .c that logs defines LOG_ROOM "room" before its first use. */
#define log_error(...)   LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  LOG_AT(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   LOG_AT(LOG_DEBUG, __VA_ARGS__)

/* A warning from a place that may repeat: at most 5 lines in 10 s. */
#define log_warning_limited(...) \
    do { \
        static struct log_limit log_limit_here; \
        if (log_is_on(LOG_WARNING) && log_limit_pass(&log_limit_here, 5)) { \
            log_write(LOG_WARNING, LOG_ROOM, __VA_ARGS__); \
        } \
    } while (0)

#endif
