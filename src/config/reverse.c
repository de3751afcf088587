/*
 * A label stands for 8 bits of an IPv4 address and for 4 of an IPv6 address. A
 * range that ends inside a label is all values of that label which begin alike.
 */
#include "config/reverse.h"

#include <stdio.h>

static unsigned bits_per_label(const struct cidr *range)
{
    return range->addr.family == 4 ? 8 : 4;
}

/* Labels that the range fixes, the last perhaps in part. */
static unsigned label_count(const struct cidr *range)
{
    unsigned bits = bits_per_label(range);

    return (range->prefix_len + bits - 1) / bits;
}

size_t reverse_count(const struct cidr *range)
{
    return (size_t)1 << (label_count(range) * bits_per_label(range) -
                         range->prefix_len);
}

/* The value of a label, counted from the front of the address. */
static unsigned label(const struct cidr *range, unsigned i)
{
    const uint8_t *ip = range->addr.ip;

    if (range->addr.family == 4) {
        return ip[i];
    }
    return i % 2 == 0 ? ip[i / 2] >> 4 : ip[i / 2] & 0xfu;
}

const char *reverse_name(const struct cidr *range, size_t i,
                         char out[REVERSE_TEXT_MAX])
{
    bool is_v4 = range->addr.family == 4;
    unsigned left = label_count(range);
    unsigned more = (unsigned)i; /* only the last label varies */
    size_t used = 0;

    for (; left > 0; left--) {
        used += (size_t)snprintf(out + used, REVERSE_TEXT_MAX - used,
                                 is_v4 ? "%u." : "%x.",
                                 label(range, left - 1) + more);
        more = 0;
    }
    snprintf(out + used, REVERSE_TEXT_MAX - used, "%s",
             is_v4 ? "in-addr.arpa." : "ip6.arpa.");
    return out;
}
