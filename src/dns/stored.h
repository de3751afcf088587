/*
 * Answers that are kept: a server's message without its OPT, with the places
 * of its TTLs beside it, from which answers to clients are made.
 */
#ifndef DNS_STORED_H
#define DNS_STORED_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/build.h"
#include "dns/message.h"

/* A view of a kept message. */
struct dns_stored {
    struct span message; /* 12 octets that are never read, the question in any
                            spelling, and all records but the OPT */
    struct span options; /* of the OPT: whole extended errors, nothing else */
    const uint16_t *ttl_at; /* offsets in message, one a record */
    uint16_t question_len;
    uint16_t flags;
    uint16_t rcode;                                           /* 12 bits */
    uint16_t answer_count, authority_count, additional_count; /* no OPT */
};

/* How old an answer is. */
struct dns_age {
    uint32_t age_s;   /* taken off each TTL, which does not go below 0 */
    uint32_t fixed_s; /* above 0: each TTL is this instead */
};

/*
 * Write the answer for a client, as dns_build_answer() would from the message
 * that was kept, but for the TTLs. s->question_len must equal a->question_len.
 * Returns the length | ERR_DNS_SPACE. out must not overlap what s points at.
 */
MUST_USE int dns_build_stored(const struct dns_asker *a,
                              const struct dns_stored *s, struct dns_age age,
                              const struct dns_extra *extra, uint8_t *out,
                              size_t cap);

/*
 * The extended errors of a server's OPT, as whole options (RFC 8914), one
 * behind the other; those without a code are left out. Writes them to out when
 * it is not NULL. Returns their octets.
 */
size_t dns_stored_options(const struct dns_opt *o, uint8_t *out);

#endif
