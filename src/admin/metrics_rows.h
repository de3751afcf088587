/*
 * Private to metrics: members of a report that are metrics as they are. A
 * family begins with a row that has a help text, and goes on with rows that
 * have none.
 */
#ifndef ADMIN_METRICS_ROWS_H
#define ADMIN_METRICS_ROWS_H

#include <stddef.h>

/* SMALL_GAUGE: of an unsigned member; the others are uint64_t. */
enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_SMALL_GAUGE };

/* Not a member: worked out from two. No member that is told lies there. */
enum { METRICS_FULL_HANDSHAKES = 0 };

struct metrics_row {
    const char *name;
    const char *help;  /* NULL: the family of the row above goes on */
    const char *label; /* "transport=\"udp\"", or NULL */
    size_t at;         /* offset of the member */
    enum metrics_kind kind;
};

struct metrics_table {
    const struct metrics_row *rows;
    size_t count;
};

extern const struct metrics_table metrics_report; /* struct admin_report */
extern const struct metrics_table metrics_pool;   /* struct admin_pool */
extern const struct metrics_table metrics_server; /* upstream_server_report */

#endif
