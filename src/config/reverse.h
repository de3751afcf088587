/*
 * The names under which a range of addresses is looked up backwards: RFC 1035
 * section 3.5, RFC 3596 section 2.5.
 */
#ifndef CONFIG_REVERSE_H
#define CONFIG_REVERSE_H

#include "policy/access.h"

#include <stddef.h>

enum { REVERSE_TEXT_MAX = 80 };

/* How many names the range has: 1 when it ends where a label does, at most
 * 128. */
size_t reverse_count(const struct cidr *range);

/* The name of number i, "10.in-addr.arpa.", into out; returns out. */
const char *reverse_name(const struct cidr *range, size_t i,
                         char out[REVERSE_TEXT_MAX]);

#endif
