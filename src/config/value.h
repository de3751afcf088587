/*
 * Numbers with units as people write them: "4s", "250ms", "16MiB", "8".
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum { VALUE_TEXT_MAX = 32 };

enum value_kind {
    VALUE_COUNT,      /* a whole number, no unit */
    VALUE_DURATION,   /* in milliseconds; a unit is needed, but for 0 */
    VALUE_SIZE,       /* in octets; "B" may be left out */
    VALUE_PERCENTAGE, /* a whole number; "%" may be left out */
};

enum value_result {
    VALUE_OK,
    VALUE_NO_UNIT, /* a duration without one; out is the number */
    VALUE_BAD,     /* something else */
};

/*
 * Read all of text; a number too large for out becomes UINT64_MAX. When the
 * result is VALUE_BAD, hint is what was probably meant, or "".
 */
enum value_result value_parse(enum value_kind kind, const char *text,
                              uint64_t *out, char hint[VALUE_TEXT_MAX]);

/* The shortest exact text of n: "1500ms", "64KiB"; returns text. */
const char *value_format(enum value_kind kind, uint64_t n,
                         char text[VALUE_TEXT_MAX]);

/* "a whole number", "a duration such as 4s or 250ms", … */
const char *value_kind_text(enum value_kind kind);

#endif
