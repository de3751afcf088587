/*
 * Denied names of lists, by the million: a table of 64-bit keyed hashes and
 * nothing else. A name that is not denied is taken for one that is when its
 * hash is in the table by chance: with n names that is n in 2^64 for each
 * suffix looked at, so for a million names and 10,000 new names a second once
 * in some twenty years; and who has no key cannot look for such a name.
 */
#ifndef POLICY_DENY_H
#define POLICY_DENY_H

#include "base/attr.h"
#include "base/span.h"
#include "policy/lines.h"
#include "policy/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deny {
    uint64_t *slots; /* 0: free */
    size_t cap;      /* slots, a power of two; 0 while empty */
    size_t count;
    uint64_t depths; /* as in struct names */
};

/* Accepts a zeroed one. */
void deny_finish(struct deny *d);

/* Deny a wire name and all below. Returns 0 | ERR_NOMEM. */
MUST_USE int deny_add(struct deny *d, const struct sip *k, const uint8_t *name,
                      size_t len);

/* Is a suffix of the walk denied? */
bool deny_holds(const struct deny *d, struct names_walk *w);

/*
 * Take in one line of a list, trimmed:
 *     ads.example           the name and all below
 *     *.ads.example         the same
 *     ||ads.example^        the same, the simplest form of filter lists
 *     0.0.0.0 a.example b.example       hosts format, of any address that is
 *                           loopback or unspecified; the names that such files
 *                           have for the machine itself are passed over
 * "#" begins a comment, "!" a line of it, "[" the head of a filter list.
 * Returns 0 | ERR_INVAL (not understood) | ERR_NOMEM.
 */
MUST_USE int deny_line(struct deny *d, const struct sip *k, struct span line);

/* Take in a file. Lines that are not understood are counted by l. Returns 0 |
 * ERR_IO | ERR_NOMEM. */
MUST_USE int deny_read(struct deny *d, const struct sip *k, struct lines *l);

#endif
