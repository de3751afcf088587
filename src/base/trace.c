/*
 * Steps are written one behind the other; when there is no room, they are
 * counted.
 */
#include "base/trace.h"

#include <stdarg.h>
#include <stdio.h>

void trace_init(struct trace *t, uint64_t now_us)
{
    t->started_us = now_us;
    t->count = 0;
    t->lost = 0;
}

void trace_add(struct trace *t, uint64_t now_us, const char *format, ...)
{
    va_list args;

    if (t->count == TRACE_STEPS_MAX) {
        t->lost++;
        return;
    }
    struct trace_step *step = &t->steps[t->count++];
    step->at_us = now_us > t->started_us ? now_us - t->started_us : 0;
    va_start(args, format);
    (void)vsnprintf(step->text, sizeof(step->text), format, args);
    va_end(args);
}
