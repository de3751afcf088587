/*
 * What a policy is made of; for the files of this room alone.
 */
#ifndef POLICY_INNER_H
#define POLICY_INNER_H

#include "policy/deny.h"
#include "policy/names.h"
#include "policy/policy.h"

#include <stdatomic.h>

enum { CLASS_ANY = 255 };

/* Why a name is denied: the data of the verdict POLICY_DENIED. */
struct policy_denial {
    int ede;
    const char *text;
};

struct policy {
    _Atomic unsigned references;
    bool has_minimal_any;
    bool has_rebind_protection;
    enum policy_deny_answer deny_answer;
    uint32_t local_ttl_s;
    size_t local_names, denied_names, zones; /* for policy_counts() */
    struct names names; /* all but the lists: one look for all rules */
    struct deny deny;   /* the lists */
};

/*
 * Mark the names that are answered here and have something below them
 * (NAMES_ABOVE), which is for negative answers alone; once all rules are in the
 * tables. Returns 0 | ERR_NOMEM.
 */
MUST_USE int answer_mark_above(struct policy *p);

#endif
