/*
 * An IP address with a port: plain data, comparable, no socket types.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDR_TEXT_MAX = 72 }; /* "[v6%scope]:port" and its NUL fit */

struct addr {
    uint8_t ip[16];    /* network order; IPv4 uses the first 4, rest 0 */
    uint32_t scope_id; /* IPv6 link-local only, else 0 */
    uint16_t port;     /* host order; 0 when not given */
    uint8_t family;    /* 4 or 6 */
};

/* Octets of the address itself: 4 or 16. */
static inline size_t addr_ip_len(const struct addr *a)
{
    return a->family == 4 ? 4 : 16;
}

/*
 * Parse an address without port: "192.0.2.1", "2001:db8::1", "fe80::1%eth0"
 * (scope by interface name or number). len octets of text, not NUL-ended.
 * Returns 0 (port 0) | ERR_INVAL.
 */
MUST_USE int addr_parse_ip(const char *text, size_t len, struct addr *out);

/* "192.0.2.1" or "2001:db8::1"; returns text. */
const char *addr_ip_text(const struct addr *a, char text[ADDR_TEXT_MAX]);

/* "192.0.2.1:853" or "[2001:db8::1]:853"; returns text. */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);

/* Leave the network alone, for texts that are not to say who: the /24 of an
 * IPv4 address, the /48 of an IPv6 address. */
void addr_shorten(struct addr *a);

/* Same family, address, scope and port. */
bool addr_equal(const struct addr *a, const struct addr *b);

/* Same family, address and scope, whatever the port. */
bool addr_ip_equal(const struct addr *a, const struct addr *b);

#endif
