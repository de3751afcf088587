/*
 * Messages that dotstub sends: the query towards a server, and the answer
 * towards a client, each made from the other side's message in one copy.
 * OPT is hop by hop (RFC 6891 section 6.1.1): what came in never goes out.
 */
#ifndef DNS_BUILD_H
#define DNS_BUILD_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/message.h"

#include <stdbool.h>

/* ---- towards a server ---- */

enum {
    /* Our OPT and its options, but for the octets that padding fills in:
     * 11 + 4 (padding) + 8 (ECS) + 4 (keepalive). */
    DNS_UPSTREAM_OPT_MAX = 27,
    /* Room for any query that is a question and nothing more, padded to 128:
     * 12 + 255 + 4 + DNS_UPSTREAM_OPT_MAX, rounded up. */
    DNS_UPSTREAM_PLAIN_MAX = 384,
    DNS_UPSTREAM_UDP_SIZE = 1232 /* we announce it; over TLS it has no effect */
};

/* What our OPT tells a server besides DO. */
struct dns_upstream_options {
    unsigned pad_block; /* RFC 7830, RFC 8467 4.1: the query is padded to the
                           next multiple of so many octets; 0: not */
    bool has_keepalive; /* an empty edns-tcp-keepalive, which asks the server
                           for its timeout (RFC 7828 3.2.1); not over UDP */
    bool has_ecs_zero;  /* client subnet 0/0: nothing is to be told to other
                           servers (RFC 7871 7.1.2) */
};

/*
 * Write the query for a server: ID 0, the client's RD, CD and unknown flags,
 * AD set (we understand it: RFC 6840 5.7), the question as spelt, the client's
 * records but OPT, and an OPT of our own: DO as the client's, and the options
 * asked for; padding counts them in. QR, AA, TC, RA and RCODE are cleared.
 * Returns the length | ERR_DNS_SPACE (cap too small; DNS_UPSTREAM_PLAIN_MAX
 * always suffices when q->extra_count is 0 and pad_block is at most 128, and
 * msg.len + DNS_UPSTREAM_OPT_MAX + pad_block always does).
 */
MUST_USE int dns_build_upstream(struct span msg, const struct dns_query *q,
                                const struct dns_upstream_options *options,
                                uint8_t *out, size_t cap);

/* ---- towards a client ---- */

/* What must be known of a client's query to answer it. Filled by
 * dns_asker_init(); the question points at memory of the caller's choosing. */
struct dns_asker {
    const uint8_t *question; /* name, type, class as the client spelt them */
    uint16_t question_len;   /* octets; 0: the question could not be read */
    uint16_t id;
    uint16_t flags; /* as the client sent them */
    uint16_t limit; /* octets an answer may have: for UDP
                                min(max(512, EDNS size), max_udp_size), for TCP
                                65535 */
    bool has_opt;
    bool has_do;
    bool wants_keepalive; /* TCP, and option 11 was sent */
};

/*
 * Take over what an answer needs. question: where the caller keeps (or will
 * copy) the question's octets. is_tcp chooses the limit.
 */
void dns_asker_init(struct dns_asker *a, const struct dns_query *q,
                    const uint8_t *question, bool is_tcp,
                    uint16_t max_udp_size);

enum { DNS_COOKIE_LEN = 24 };

/* What to say besides the answer itself. */
struct dns_extra {
    int ede;              /* enum dns_ede; DNS_EDE_NONE: nothing to add */
    const char *ede_text; /* NUL-ended, UTF-8, may be NULL; cut at 255 octets */
    uint16_t udp_size;    /* announced in OPT: our max_udp_size */
    uint16_t keepalive;   /* units of 100 ms, sent when asker wants it */
    const uint8_t *cookie; /* DNS_COOKIE_LEN octets (RFC 7873), or NULL */
};

/*
 * Write the answer for a client from a server's message (parsed as r):
 * client's ID, spelling of the question, RD and CD; RA, AA, RCODE as the
 * server's; AD only if the client set AD or DO (RFC 6840 5.8).
 * Other sections are copied as they are; the server's OPT is left out, its
 * extended errors (RFC 8914) are carried into ours. OPT is added only if the
 * client sent one; never padded. A 12-bit RCODE that needs OPT becomes
 * SERVFAIL for a client without OPT.
 * When it does not fit a->limit: header with TC=1, question, OPT, no records
 * (RFC 2181 section 9); that OPT has the cookie and nothing else.
 * The question's length in r must equal a->question_len (the caller matched
 * them); the same compression offsets then hold.
 * Returns the length | ERR_DNS_SPACE (cap below min(limit, what it takes)).
 * out must not overlap msg.
 */
MUST_USE int dns_build_answer(const struct dns_asker *a, struct span msg,
                              const struct dns_response *r,
                              const struct dns_extra *extra, uint8_t *out,
                              size_t cap);

/*
 * Write an answer of ours that has no records: rcode (12 bits; above 15 and a
 * client without OPT: SERVFAIL), QR and RA set, opcode, RD and CD as the
 * client's, the question if it was read, OPT if the client sent one, EDE.
 * opcode is taken from a->flags. Always fits 512 octets (text is cut).
 * Returns the length | ERR_DNS_SPACE (cap under 512 and too small).
 */
MUST_USE int dns_build_error(const struct dns_asker *a, unsigned rcode,
                             const struct dns_extra *extra, uint8_t *out,
                             size_t cap);

/*
 * Cut a whole answer that was written for a client, len octets at msg, down to
 * what tells it to ask over TCP: header with TC=1, question, and of the OPT
 * what a cut answer has. It is not longer than a query with the same cookie.
 * Returns the new length.
 */
size_t dns_cut_answer(uint8_t *msg, size_t len);

#endif
