/*
 * IPv4 addresses in IPv6 clothes, ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
 * Private to policy: what it knows of IPv4 clients holds for these too.
 */
#ifndef POLICY_MAPPED_H
#define POLICY_MAPPED_H

#include "base/addr.h"

#include <stdbool.h>
#include <string.h>

enum { MAPPED_PREFIX_LEN = 96 };

static inline bool policy_is_mapped(const struct addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return a->family == 6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

/* *a without its clothes; others as they are. */
static inline struct addr policy_unmapped(const struct addr *a)
{
    struct addr v4 = {.family = 4, .port = a->port};

    if (!policy_is_mapped(a)) {
        return *a;
    }
    memcpy(v4.ip, a->ip + 12, 4);
    return v4;
}

#endif
