/*
 * What happened to one query, step by step, for whoever asks why. A query that
 * is not traced has NULL for its trace, and costs a comparison a step.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum { TRACE_STEPS_MAX = 48, TRACE_TEXT_LEN = 160 };

struct trace_step {
    uint64_t at_us; /* since the trace began */
    char text[TRACE_TEXT_LEN];
};

struct trace {
    uint64_t started_us;
    size_t count; /* at most TRACE_STEPS_MAX */
    size_t lost;  /* steps beyond that */
    struct trace_step steps[TRACE_STEPS_MAX];
};

void trace_init(struct trace *t, uint64_t now_us);

/* One more step; a long text is cut. t must not be NULL: see TRACE(). */
__attribute__((format(printf, 3, 4))) void
trace_add(struct trace *t, uint64_t now_us, const char *format, ...);

/* The arguments are looked at only when there is a trace. */
#define TRACE(t, now_us, ...) \
    do { \
        if ((t) != NULL) { \
            trace_add((t), (now_us), __VA_ARGS__); \
        } \
    } while (0)

#endif
