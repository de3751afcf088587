/*
 * IP addresses and host names as people write them, and what is wrong with
 * those that are neither.
 */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>

enum {
    HOST_NAME_MAX_LEN = 253, /* octets without the trailing dot */
    HOST_WHY_MAX = 320,
};

/*
 * Parse an IP address (no port, no brackets). Returns 0 | ERR_INVAL, and then
 * why says what is wrong with it.
 */
MUST_USE int host_parse_ip(const char *text, struct addr *out,
                           char why[HOST_WHY_MAX]);

/*
 * Check a host name that a certificate can be valid for (RFC 1123 section 2.1;
 * RFC 5890 A-labels) and copy it without its trailing dot. Returns and why as
 * host_parse_ip().
 */
MUST_USE int host_parse_name(const char *text, char out[HOST_NAME_MAX_LEN + 1],
                             char why[HOST_WHY_MAX]);

/*
 * Check the name of a domain, where '_' is allowed as well, and copy it in
 * lower case without its trailing dot; the root is none. Returns and why as
 * host_parse_ip().
 */
MUST_USE int host_parse_domain(const char *text,
                               char out[HOST_NAME_MAX_LEN + 1],
                               char why[HOST_WHY_MAX]);

/* Letters, digits, '-' and dots, one dot at least: like a name in the DNS? */
bool host_looks_like_name(const char *text);

/* 127.0.0.0/8 and ::1. */
bool host_is_loopback(const struct addr *a);

/* 0.0.0.0 and ::. */
bool host_is_any(const struct addr *a);

/* Does what is sent to server arrive at a socket bound to listen? */
bool host_is_self(const struct addr *server, const struct addr *listen);

/* 224.0.0.0/4, 255.255.255.255 and ff00::/8. */
bool host_is_multicast(const struct addr *a);

#endif
