/*
 * What a reload cannot change: it is as it was when the process started, until
 * the next start.
 */
#ifndef SERVER_LATER_H
#define SERVER_LATER_H

#include "config/config.h"

/* Warn of each such value of next that is not the one in use. start: the
 * configuration that the process started with; workers: how many run. */
void later_tell(const struct config *start, unsigned workers,
                const struct config *next);

#endif
