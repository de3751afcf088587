/*
 * Domain names in wire form: a run of labels, each a length octet (1-63) and
 * so many octets, ended by a zero octet; 255 octets at most (RFC 1035 3.1).
 * "Wire name" below means this form without compression pointers.
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/wire.h"

#include <stdbool.h>

/* Text needs up to four characters an octet ("\DDD") and a NUL. */
enum { DNS_NAME_TEXT_MAX = 1025 };

/*
 * Step over the name at offset at of msg, compressed or not.
 * Returns the octets it takes there (a pointer counts 2; it is not followed
 * but must point before itself) | ERR_DNS_SHORT | ERR_DNS_LABEL (types 01 and
 * 10) | ERR_DNS_LOOP | ERR_DNS_NAME. RFC 1035 section 4.1.4.
 */
MUST_USE int dns_name_skip(struct span msg, size_t at);

/*
 * Read the name at offset at, following pointers (each must go back, so it
 * ends), into out as a wire name in its own spelling.
 * Returns its length in out (1-255) | the errors of dns_name_skip().
 */
MUST_USE int dns_name_read(struct span msg, size_t at,
                           uint8_t out[DNS_NAME_MAX]);

/* Wire names equal but for ASCII case, RFC 4343. Lengths included. */
bool dns_name_equal(struct span a, struct span b);

/* Lower the ASCII letters of wire name src into dst; may be the same. */
void dns_name_lower(uint8_t *dst, const uint8_t *src, size_t len);

/*
 * Wire name to text: "www.example.net." or "."; dots and backslashes inside a
 * label as \. and \\, octets outside 33-126 as \DDD. Returns text.
 */
const char *dns_name_to_text(struct span name, char text[DNS_NAME_TEXT_MAX]);

/*
 * Text (len octets; the final dot may be missing; escapes as above) to a wire
 * name. Returns its length | ERR_INVAL (empty label, bad escape, label over
 * 63) | ERR_DNS_NAME (over 255).
 */
MUST_USE int dns_name_from_text(const char *text, size_t len,
                                uint8_t out[DNS_NAME_MAX]);

#endif
