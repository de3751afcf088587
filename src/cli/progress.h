/*
 * A bar on a terminal while something takes its time; nothing elsewhere, so
 * that what is piped stays clean.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct progress {
    FILE *out;
    bool is_on;
    size_t done, total; /* steps */
};

/* out: usually stderr, where it does not mix with results. */
void progress_init(struct progress *p, FILE *out, size_t total);

/* So many steps are done; what says what comes next. */
void progress_step(struct progress *p, size_t steps, const char *what);

/* Take the bar away. */
void progress_end(struct progress *p);

#endif
