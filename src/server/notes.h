/*
 * What a reload has to say: it goes to the log, and is kept for whoever asked
 * for the reload. One reload at a time, in the main thread. What is noted while
 * there is none, at the start, is in the log alone.
 */
#ifndef SERVER_NOTES_H
#define SERVER_NOTES_H

#include "base/attr.h"

void note_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void note_warning(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Lines of config_load(), which say themselves what they are. */
struct config_diagnostics;
void note_diagnostics(const struct config_diagnostics *d);

/* Another reload begins. */
void notes_clear(void);

/* All errors since then, "; " between them, and all warnings, each a line with
 * its end. Long ones are cut. "": none. */
const char *notes_errors(void);
const char *notes_warnings(void);

#endif
