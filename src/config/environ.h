/*
 * Keys from the environment: DOTSTUB_CACHE_SIZE says cache_size, in place of
 * what the file says. The value is YAML, or for a list its entries with commas
 * between.
 */
#ifndef CONFIG_ENVIRON_H
#define CONFIG_ENVIRON_H

#include "base/attr.h"
#include "config/diag.h"
#include "config/tree.h"

#include <stdbool.h>

/*
 * Put every key that environment (NULL-ended, "NAME=value") has into t; a
 * variable without a value is none. One that is nearly a key is warned of.
 * Faults are in d, and t is cut then. Returns 0 | ERR_NOMEM.
 */
MUST_USE int environ_apply(char *const *environment, struct tree *t,
                           struct diag *d);

/* Is file ("-": standard input) not there, and not needed, because there are
 * servers in environment? */
bool environ_replaces(char *const *environment, const char *file);

#endif
