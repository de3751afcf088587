/*
 * The text of a configuration file: bounded, UTF-8, and free of characters
 * that a YAML parser would stumble over without saying so plainly.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/attr.h"
#include "config/diag.h"

#include <stddef.h>

enum { SOURCE_MAX = 1024 * 1024 }; /* octets */

struct source {
    char *text;           /* owned, NUL-ended */
    size_t len;           /* octets before the NUL */
    const char *variable; /* it is the value of this one; NULL: a file's */
};

/*
 * Read file ("-": standard input). What is wrong goes to d.
 * Returns 0 | ERR_CONFIG (in d) | ERR_NOMEM; then s is empty.
 */
MUST_USE int source_read(const char *file, struct source *s, struct diag *d);

/* Copy len octets of text. Returns as source_read(). */
MUST_USE int source_copy(const char *text, size_t len, struct source *s,
                         struct diag *d);

void source_finish(struct source *s);

/*
 * Check the characters; drop a UTF-8 byte order mark, and blank tabs in lines
 * that hold nothing else than a comment, where they do no harm. What is wrong
 * goes to d. Returns 0 | ERR_CONFIG (in d).
 */
MUST_USE int source_clean(struct source *s, struct diag *d);

/* What is left of the line from at on; NULL: there is no such place. The text
 * goes on after the line's end. */
const char *source_at(const struct source *s, struct mark at);

#endif
