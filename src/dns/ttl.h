/*
 * The TTLs of a server's message: where they are, and how long the message as
 * a whole may be believed (RFC 1035 section 3.2.1, RFC 2181 section 8,
 * RFC 2308).
 */
#ifndef DNS_TTL_H
#define DNS_TTL_H

#include "base/span.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stdint.h>

/* What the records of a message say together. The OPT is no record here. */
struct dns_ttl {
    uint16_t count;      /* records */
    uint32_t least_s;    /* the least TTL; UINT32_MAX: there is no record */
    bool has_asked;      /* the answer section has a record of the type asked
                            (any, for ANY) */
    bool has_soa;        /* the authority section has a SOA */
    uint32_t negative_s; /* least of its TTL and its MINIMUM (RFC 2308 section
                            5); set when has_soa */
};

/* Survey msg, which dns_response_parse() read as r, with a question. */
void dns_ttl_survey(struct span msg, const struct dns_response *r,
                    struct dns_ttl *out);

/*
 * Write where in msg each record has its TTL, in order, to at (as many as
 * dns_ttl.count). The offsets are those after the OPT was cut out.
 */
void dns_ttl_offsets(struct span msg, const struct dns_response *r,
                     uint16_t *at);

/* The TTL at p as a number; above 2^31 - 1 means 0 (RFC 2181 section 8). */
uint32_t dns_ttl_read(const uint8_t *p);

#endif
