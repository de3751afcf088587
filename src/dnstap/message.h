/*
 * One dnstap message (dnstap.pb, dnstap.info): a query of a client, or the
 * answer that it got. The schema is a dozen fields of five kinds that are
 * promised to stay, and everything written is known before: so this is an
 * encoder for these fields alone, which allocates nothing and cannot write past
 * its buffer (docs/decisions/0014-dnstap.md).
 */
#ifndef DNSTAP_MESSAGE_H
#define DNSTAP_MESSAGE_H

#include "base/addr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dnstap_message {
    bool is_response;
    bool is_tcp;
    uint8_t family;            /* of the socket: 4 or 6; 0: not known */
    const struct addr *client; /* NULL: it is not told */
    const struct addr *local;  /* where the query came to; NULL: not known */
    uint64_t query_us;         /* since 1970; 0: not known */
    uint64_t response_us;      /* of a response */
    struct span octets;        /* the query, or the answer */
    struct span identity;      /* of who says so; empty: not told */
    struct span version;
};

/* Octets that m takes at most. */
size_t dnstap_message_max(const struct dnstap_message *m);

/* Write m to out, which has room for dnstap_message_max(m) octets. Returns the
 * octets written. */
size_t dnstap_message_encode(const struct dnstap_message *m, uint8_t *out);

#endif
