/*
 * Drawn over itself in one line that never wraps: 80 columns are enough. There
 * is no colour in it, so nothing to turn off.
 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_LEN = 30, WHAT_LEN = 34 };

void progress_init(struct progress *p, FILE *out, size_t total)
{
    const char *term = getenv("TERM");

    *p = (struct progress){.out = out, .total = total};
    p->is_on = total > 0 && isatty(fileno(out)) && term != NULL &&
               strcmp(term, "dumb") != 0;
}

void progress_step(struct progress *p, size_t steps, const char *what)
{
    char bar[BAR_LEN + 1];

    p->done = steps > p->total - p->done ? p->total : p->done + steps;
    if (!p->is_on) {
        return;
    }
    size_t full = p->done * BAR_LEN / p->total;
    memset(bar, '#', full);
    memset(bar + full, '.', BAR_LEN - full);
    bar[BAR_LEN] = '\0';
    fprintf(p->out, "\r[%s] %3zu %% %-*.*s", bar, p->done * 100 / p->total,
            WHAT_LEN, WHAT_LEN, what);
    (void)fflush(p->out);
}

void progress_end(struct progress *p)
{
    if (p->is_on) {
        fprintf(p->out, "\r%*s\r", BAR_LEN + WHAT_LEN + 10, "");
        (void)fflush(p->out);
    }
}
