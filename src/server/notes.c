/*
 * Two texts of fixed size: what does not fit is in the log.
 */
#include "server/notes.h"

#include "base/log.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_ROOM "server"

enum { KEPT_LEN = 4096, LINE_LEN = 1024 };

struct notes {
    char text[KEPT_LEN];
    size_t len;
};

static struct notes errors, warnings;

static void put(struct notes *n, const char *before, const char *line,
                const char *after)
{
    size_t room = sizeof(n->text) - n->len;
    int len = snprintf(n->text + n->len, room, "%s%s%s", before, line, after);

    if (len > 0 && (size_t)len < room) {
        n->len += (size_t)len;
    } else {
        n->text[n->len] = '\0';
    }
}

static void keep_error(const char *line)
{
    put(&errors, errors.len == 0 ? "" : "; ", line, "");
}

void note_error(const char *fmt, ...)
{
    char line[LINE_LEN];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    log_error("%s", line);
    keep_error(line);
}

void note_warning(const char *fmt, ...)
{
    char line[LINE_LEN];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    log_warning("%s", line);
    put(&warnings, "warning: ", line, "\n");
}

void note_diagnostics(const struct config_diagnostics *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->is_warning[i]) {
            log_warning("%s", d->lines[i]);
            put(&warnings, "", d->lines[i], "\n");
        } else {
            log_error("%s", d->lines[i]);
            keep_error(d->lines[i]);
        }
    }
}

void notes_clear(void)
{
    errors = (struct notes){.len = 0};
    warnings = (struct notes){.len = 0};
}

const char *notes_errors(void)
{
    return errors.text;
}

const char *notes_warnings(void)
{
    return warnings.text;
}
