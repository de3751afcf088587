/*
 * What all simulated servers know: the answer to any question, computed from
 * the question alone, so that a client can tell a right answer from any other.
 * The first letter of the name says of what kind the answer is. Names lie below
 * simulated.example, or in ZONE_HOME, which has a server of its own.
 */
#ifndef SIM_ZONE_H
#define SIM_ZONE_H

#include "base/span.h"
#include "dns/message.h"

#define ZONE_HOME "home.example"

enum {
    ZONE_PLAIN = 'a',   /* one record */
    ZONE_LASTING = 'l', /* one record, of minutes or hours */
    ZONE_BIG = 'b',     /* 1,500-4,000 octets: too long for most UDP clients */
    ZONE_HUGE = 'h',    /* up to 60,000 octets */
    ZONE_NODATA = 'd',
    ZONE_NXDOMAIN = 'x',
    ZONE_SERVFAIL = 's', /* every server says so */
    ZONE_MESSAGE_MAX = 65535
};

/* What a client got. */
enum zone_verdict {
    ZONE_RIGHT,
    ZONE_TRUNCATED, /* TC=1 and no answer: right if it did not fit */
    ZONE_GAVE_UP,   /* SERVFAIL of dotstub's own */
    ZONE_RELAYED,   /* an error that only a server may have made */
    ZONE_WRONG      /* anything else */
};

/*
 * Write the server's answer to query (a whole message, parsed as q).
 * Returns its length, at most ZONE_MESSAGE_MAX.
 */
size_t zone_answer(struct span query, const struct dns_query *q, uint8_t *out);

/* The same, with no records and another RCODE. */
size_t zone_error(struct span query, const struct dns_query *q, unsigned rcode,
                  uint8_t *out);

/* Is it in ZONE_HOME? */
bool zone_is_home(const struct dns_question *q);

/* A question's kind, ZONE_*, and the number after it. */
int zone_kind(const struct dns_question *q);
uint64_t zone_number(const struct dns_question *q);

/* Octets of the whole right answer without OPT. */
size_t zone_answer_len(const struct dns_question *q);

/*
 * Judge what a client got as the answer to its query. why (static text) is set
 * when it is ZONE_WRONG or ZONE_RELAYED.
 */
enum zone_verdict zone_judge(struct span query, struct span answer,
                             const char **why);

/*
 * Write a client's query: id, a name of the kind with this number, spelt in
 * mixed case by the number. edns_size 0: without OPT.
 * Returns its length, at most 300.
 */
size_t zone_query(uint16_t id, int kind, uint64_t number, uint16_t type,
                  uint16_t edns_size, uint8_t *out);

/* The same query for a name in ZONE_HOME. */
size_t zone_query_home(uint16_t id, int kind, uint64_t number, uint16_t type,
                       uint16_t edns_size, uint8_t *out);

/* Put edns-tcp-keepalive (RFC 7828) into the OPT that ends an answer of ours.
 * Returns the new length; the same when there is no OPT. */
size_t zone_add_keepalive(uint8_t *message, size_t len, unsigned units);

#endif
