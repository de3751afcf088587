/*
 * Writing answers for clients: those of servers, of the cache, and errors of
 * ours. Private to the resolver.
 */
#ifndef RESOLVER_ANSWER_H
#define RESOLVER_ANSWER_H

#include "resolver/flight.h"
#include "resolver/resolver.h"

/* What our OPT says to q's client. q NULL: a query that was not looked at. */
struct dns_extra answer_extra(const struct resolver *r,
                              const struct resolver_query *q);

/* An answer without records: rcode, and an extended error (text may be NULL).
 * q as above; cap: at least 512. Returns the octets written. */
size_t answer_error(const struct resolver *r, const struct resolver_query *q,
                    const struct dns_asker *a, unsigned rcode, int ede,
                    const char *text, uint8_t *out, size_t cap);

/* The same for a query that cannot be served; counted. */
size_t answer_verdict(struct resolver *r, const struct resolver_query *q,
                      const struct dns_asker *a, enum dns_verdict verdict,
                      uint8_t *out, size_t cap);

/* For a query without a question, with this cookie, which has the right form:
 * it asks for one, or whether the one it has is good. RFC 7873 section 5.4. */
size_t answer_bare(const struct resolver *r, struct resolver_query *q,
                   struct span cookie, uint8_t *out, size_t cap);

#endif
