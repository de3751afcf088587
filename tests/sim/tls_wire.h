/*
 * The toy protocol that stands for TLS in the simulation: the same flights,
 * the same order, no cryptography. A record is its type, its length in two
 * octets, its content and a check of two octets over content, type, direction
 * and sequence, so that a record lost, repeated or changed is noticed.
 *
 *   client > HELLO      nonce, name (SNI), ticket
 *   server > FLIGHT     version, resumed or not, certificate
 *   client > FINISHED   once the certificate is good
 *   server > FINISHED   of version 1.2 and not resumed only: one more trip
 *   server > TICKET     any time afterwards
 *   both   > DATA, ALERT (0: close_notify)
 */
#ifndef SIM_TLS_WIRE_H
#define SIM_TLS_WIRE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "tls/client.h"

enum tls_record {
    TLS_HELLO = 1,
    TLS_FLIGHT,
    TLS_FINISHED,
    TLS_TICKET,
    TLS_DATA,
    TLS_ALERT
};

enum {
    TLS_RECORD_HEAD = 3,
    TLS_RECORD_MAX = 16384, /* octets of content */
    TLS_NAME_MAX = 255,
    TLS_TICKET_LEN = 8
};

/* One direction of a session. */
struct tls_direction {
    uint32_t sequence;
    uint32_t key; /* octets are mixed with it, so that none pass in clear */
};

/* What a server shows of itself. */
struct tls_certificate {
    char name[TLS_NAME_MAX + 1];
    struct addr addr; /* iPAddress SAN; family 0: none */
    struct tls_pin key;
    bool is_expired;
    bool is_untrusted;
};

struct tls_hello {
    uint32_t nonce;
    char name[TLS_NAME_MAX + 1]; /* "" : none */
    bool has_ticket;
    uint8_t ticket[TLS_TICKET_LEN];
};

struct tls_flight {
    uint8_t version; /* 12 or 13 */
    bool is_resumed;
    struct tls_certificate certificate;
};

/* Append one record. Returns 0 | ERR_NOMEM | ERR_LIMIT. */
MUST_USE int tls_wire_put(struct buf *out, struct tls_direction *d,
                          enum tls_record type, struct span content);

/*
 * Take the first record off in, if it is whole. Returns its type, with its
 * content in content[0 .. *len - 1] | 0 (more octets are needed) |
 * ERR_TLS_PROTOCOL.
 */
MUST_USE int tls_wire_take(struct buf *in, struct tls_direction *d,
                           uint8_t content[TLS_RECORD_MAX], size_t *len);

/* The flights are their structs as they are: both ends are one program. */
MUST_USE int tls_wire_read(const uint8_t *content, size_t len, void *out,
                           size_t want);

#endif
