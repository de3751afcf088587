/*
 * Names with a meaning of their own, which the public DNS does not know and
 * should not be asked for: they are answered here.
 */
#ifndef POLICY_SPECIAL_H
#define POLICY_SPECIAL_H

#include "base/attr.h"
#include "policy/names.h"

#include <stdbool.h>
#include <stdint.h>

enum special_kind {
    SPECIAL_NXDOMAIN,  /* neither the name nor anything below it is */
    SPECIAL_EMPTY,     /* a zone with nothing in it: the name is, without data;
                          nothing below it is */
    SPECIAL_NODATA,    /* the name and all below are, without data */
    SPECIAL_LOCALHOST, /* the name and all below have the loopback addresses */
    SPECIAL_LOOPBACK,  /* the reverse name of a loopback address */
};

/* Put all special names into the table. Returns 0 | ERR_NOMEM. */
MUST_USE int special_add(struct names *t);

/* What a node whose special is not 0 is. */
enum special_kind special_kind_of(const struct names_node *node);

/*
 * How many labels a zone that holds a special name must have to claim it. Zones
 * at the special suffix or below it do, and for reverse names those above it
 * too, below in-addr.arpa and ip6.arpa: who writes "172.in-addr.arpa" has the
 * private networks in mind.
 */
unsigned special_claim_labels(const struct names_node *node);

/*
 * Is the question for the name itself (not below it) one that its public
 * parent must answer? A DS says that the name is not signed; without it a
 * client that validates would refuse what is answered here (RFC 4035 section
 * 3.1.4.1, RFC 8375 section 4, RFC 6303 section 7). It tells nobody anything.
 */
bool special_is_parents(const struct names_node *node, uint16_t type);

#endif
