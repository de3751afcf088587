/*
 * Functions of a shared library that is loaded when it is needed, not when the
 * program starts: what only some configurations use costs the others nothing,
 * and need not be on the machine.
 */
#ifndef BASE_LATE_H
#define BASE_LATE_H

#include "base/attr.h"

#include <stddef.h>

struct late_function {
    const char *name;
    size_t at; /* of the pointer to it, in octets from the table's start */
};

/* Fills table from the first of the files (names for dlopen(3), NULL at the
 * end) that has all functions; it stays for as long as the process.
 * Returns 0 | ERR_NOTFOUND: there is none. */
MUST_USE int late_load(const char *const *files,
                       const struct late_function *functions, size_t count,
                       void *table);

#endif
