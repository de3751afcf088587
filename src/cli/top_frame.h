/*
 * One frame of `dotstub top`: two reports in, lines of text out. Knows neither
 * a terminal nor a clock.
 */
#ifndef CLI_TOP_FRAME_H
#define CLI_TOP_FRAME_H

#include "admin/report.h"
#include "base/buf.h"

#include <stdbool.h>

enum { TOP_HISTORY = 120 };

/* What to show. */
struct top_view {
    const struct admin_report *now;    /* NULL: the daemon does not answer */
    const struct admin_report *second; /* about a second before; NULL: none:
                                          rates are since the start */
    const struct admin_report *window; /* the oldest of the last seconds, for
                                          latencies and shares; as second */
    double history[TOP_HISTORY];       /* queries a second, the newest last */
    size_t history_count;
    const char *message; /* in place of the last line; NULL: none */
};

/* How to show it. */
struct top_style {
    unsigned columns; /* longer lines are cut */
    unsigned rows;    /* more lines are left out; 0: no bound */
    bool has_colour;
    bool is_utf8;
    bool is_live; /* each line ends by clearing the rest of its row */
};

/* Append a frame; nothing is appended to lines that had no memory. */
void top_frame(const struct top_view *view, const struct top_style *style,
               struct buf *out);

/* Queries a second from a to b (b later). 0 when that cannot be told. */
double top_rate(const struct admin_report *a, const struct admin_report *b);

#endif
