/*
 * Which clients are answered: ranges of addresses.
 */
#ifndef POLICY_ACCESS_H
#define POLICY_ACCESS_H

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "192.0.2.0/24", "2001:db8::/32", "::1". */
struct cidr {
    struct addr addr; /* bits below the prefix are 0 */
    uint8_t prefix_len;
};

/*
 * Parse one; without "/n" it is one address. An IPv4-mapped one (::ffff:0:0/96
 * and what lies in it) becomes IPv4. Returns 0 | ERR_INVAL (not an address, an
 * interface behind it, a prefix too long or with leading zeros, bits set below
 * the prefix).
 */
MUST_USE int cidr_parse(const char *text, size_t len, struct cidr *out);

/* Is a within c? An IPv4-mapped IPv6 address counts as IPv4. */
bool cidr_holds(const struct cidr *c, const struct addr *a);

/* "10.0.0.0/8" into text (ADDR_TEXT_MAX); returns text. */
const char *cidr_text(const struct cidr *c, char text[ADDR_TEXT_MAX]);

struct access;

/* The ranges are copied, sorted and merged. Returns 0 | ERR_NOMEM. */
MUST_USE int access_create(const struct cidr *ranges, size_t count,
                           struct access **out);
/* Accepts NULL. */
void access_destroy(struct access *a);

/* Loopback, RFC 1918, 3927, 4193, 6598 and fe80::/10: the default. Returns the
 * count, and the ranges in *out (static). */
size_t access_default(const struct cidr **out);

/* Any thread; a binary search. ::/0 has no IPv4 in it. */
bool access_allows(const struct access *a, const struct addr *client);

#endif
