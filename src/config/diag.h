/*
 * Diagnostics while a file is read: collected in any order, handed over in the
 * order of lines. Adding one never fails in the caller's hands: running out of
 * memory is remembered and reported at the end.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* More than any person reads; the rest are counted. */
enum { DIAG_MAX = 500, DIAG_QUOTE_MAX = 96, DIAG_PATH_MAX = 160 };

/* A place in the file, from 1; line 0 is the file as a whole. Columns count
 * characters. */
struct mark {
    unsigned line;
    unsigned column;
    const char *variable; /* it is in this variable of the environment, not in
                             the file; NULL: in the file. Borrowed */
};

struct diag_item {
    struct mark at;
    size_t order; /* of adding, decides between equal marks */
    bool is_error;
    char *text;
};

struct diag {
    const char *file; /* borrowed */
    struct diag_item *items;
    size_t count;
    size_t capacity;
    size_t errors;
    size_t dropped;
    char **variables; /* names that marks point to, owned */
    size_t variable_count;
    bool is_out_of_memory;
};

/* A value cut to a length fit for a message. */
struct diag_quote {
    char text[DIAG_QUOTE_MAX];
};

/* Where something is, for "… is %s already". */
struct diag_place {
    char text[DIAG_QUOTE_MAX + 16];
};

void diag_init(struct diag *d, const char *file);
void diag_finish(struct diag *d);

/* A copy of a variable's name that lives as long as d; NULL: out of memory. */
const char *diag_variable(struct diag *d, const char *name, size_t len);

/* path (may be NULL or "") is the key's, as "servers[0].port". */
void diag_error(struct diag *d, struct mark at, const char *path,
                const char *fmt, ...) PRINTF_LIKE(4, 5);
void diag_warning(struct diag *d, struct mark at, const char *path,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Hand all of them over, sorted. Returns 0 | ERR_NOMEM (out is empty). */
MUST_USE int diag_export(struct diag *d, struct config_diagnostics *out);

/* "in line 3", "in DOTSTUB_SERVERS". */
struct diag_place diag_place(struct mark at);

/* text, cut at a character's edge with "…" where it is long. */
struct diag_quote diag_quote(const char *text);

#endif
