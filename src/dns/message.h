/*
 * Views over DNS messages: offsets and numbers found in one pass, pointing
 * into the message, which must outlive them. Nothing is copied or changed.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/wire.h"

#include <stdbool.h>

struct dns_question {
    const uint8_t *name; /* wire name, as spelt, inside the message */
    uint16_t name_len;
    uint16_t type;
    uint16_t klass;
};

/* Octets of the question on the wire: name, type, class. */
static inline size_t dns_question_len(const struct dns_question *q)
{
    return (size_t)q->name_len + 4;
}

/* The OPT record, RFC 6891 section 6.1.2. All zero when there is none. */
struct dns_opt {
    bool is_present;
    bool has_do; /* DNSSEC OK, RFC 3225 */
    uint8_t version;
    uint8_t rcode_high;  /* upper 8 bits of the RCODE */
    uint16_t udp_size;   /* as sent, not raised to 512 */
    uint32_t at;         /* offset of the record in the message */
    uint32_t len;        /* octets of the whole record */
    struct span options; /* its RDATA; well-formed once parsed */
};

/*
 * Find the next option of o with this code, from *cursor (0 at first) on.
 * Returns true and the option's data in value; *cursor moves past it.
 */
bool dns_opt_next(const struct dns_opt *o, uint16_t code, size_t *cursor,
                  struct span *value);

/* What a client asked. */
struct dns_query {
    uint16_t id;
    uint16_t flags;
    struct dns_question question; /* name NULL: not parsed (see verdict) */
    struct dns_opt opt;
    uint16_t extra_count; /* records besides question and OPT */
    bool has_keepalive;   /* option 11 in OPT, RFC 7828 */
    bool is_bare;         /* FORMERR for the want of a question alone */
    struct span cookie;   /* data of the first option 10, RFC 7873; it may be
                             empty; ptr NULL: there is none */
};

/* What to do with a message that came from a client. */
enum dns_verdict {
    DNS_QUERY_OK,
    DNS_QUERY_DROP,    /* under 12 octets, or a response (QR=1) */
    DNS_QUERY_FORMERR, /* question or OPT cannot be read, or not exactly one
                          question, or trailing octets, or two OPT */
    DNS_QUERY_NOTIMP,  /* opcode other than QUERY; AXFR and IXFR */
    DNS_QUERY_BADVERS, /* EDNS version above 0 */
    DNS_QUERY_REFUSED  /* question type OPT, TSIG and other meta types that
                          have no meaning in a question (RFC 6895 3.1) */
};

/*
 * Read a client's message. For every verdict but DROP, id and flags are set;
 * the question too when it could be read (else name is NULL), so that an error
 * can repeat it; opt when the walk reached it.
 * A question whose name is compressed is FORMERR. Records after the OPT whose
 * owner is compressed to a place at or behind the OPT are FORMERR (they could
 * not survive its removal).
 */
enum dns_verdict dns_query_parse(struct span msg, struct dns_query *out);

/* What a server answered. */
struct dns_response {
    uint16_t id;
    uint16_t flags;
    uint16_t rcode; /* 12 bits: OPT's upper 8 and the header's 4 */
    bool has_question;
    struct dns_question question; /* valid when has_question */
    uint16_t answer_count, authority_count, additional_count;
    struct dns_opt opt;
    bool has_keepalive; /* the server told its timeout, RFC 7828 */
    uint16_t keepalive; /* … in units of 100 ms; 0: close it now */
};

/*
 * Read a server's message, walking every record: names, types and lengths must
 * fit, the counts must be met exactly, at most one question and one OPT (in
 * the additional section, root owner), nothing may trail. RDATA is opaque
 * (RFC 3597). The same rule as for queries on what follows the OPT.
 * Returns 0 | ERR_DNS_SHORT | _LOOP | _LABEL | _NAME | _FORM | _TRAILING.
 */
MUST_USE int dns_response_parse(struct span msg, struct dns_response *out);

/* Is it the same question: name but for case, type, class? */
bool dns_question_equal(const struct dns_question *a,
                        const struct dns_question *b);

#endif
