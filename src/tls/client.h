/*
 * What is common to all TLS sessions to one server: how it proves who it is,
 * and the tickets it gave us. One for each server and worker (not shared
 * between threads). RFC 8446, RFC 7858, RFC 8310 (strict profile only).
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/addr.h"
#include "base/attr.h"
#include "tls/trust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_PIN_LEN = 32, TLS_TICKETS_MAX = 4 };

struct tls_chain;

/* SHA-256 of a SubjectPublicKeyInfo, RFC 7858 section 4.2. */
struct tls_pin {
    uint8_t sha256[TLS_PIN_LEN];
};

/* Parse "sha256/BASE64" or "sha256=BASE64" or "pin-sha256=\"BASE64\"".
 * Returns 0 | ERR_INVAL. */
MUST_USE int tls_pin_parse(const char *text, struct tls_pin *out);

/*
 * How the server is authenticated; all that are given must hold:
 *   name   the certificate is valid for this DNS name, by its subject
 *          alternative names only (and it is sent as SNI)
 *   no name, no pins   the certificate has addr as an iPAddress SAN; no SNI
 *   pins   with a name: one certificate of the verified chain has one of these
 *          keys; without: the server's own certificate has
 * With a name, or with neither: the chain must lead to a trust anchor. With
 * pins and no name (RFC 7858's key-pinned profile): the pin alone decides,
 * whatever the certificate's names, dates and issuer. Only the server's own
 * key counts then: an authority's in a chain that nobody verified proves
 * nothing.
 */
struct tls_client_options {
    struct tls_trust *trust;    /* retained; NULL only for pins, no name */
    const char *name;           /* a DNS name. NULL: none. Copied */
    struct addr addr;           /* of the server */
    const struct tls_pin *pins; /* copied */
    size_t pin_count;
    struct tls_chain *chain; /* receives the certificates that the server shows
                                (tls/chain.h); borrowed. NULL: nobody asks */
};

struct tls_client;

/* Returns 0 | ERR_NOMEM | ERR_TLS_SETUP (logged; also for a name that is none,
 * or nothing to verify with). */
MUST_USE int tls_client_create(const struct tls_client_options *options,
                               struct tls_client **out);

/* All sessions made from it must be destroyed before. NULL is accepted. */
void tls_client_destroy(struct tls_client *c);

/*
 * Do now what the next handshake would have to wait for: the parsing of the
 * trust anchors, half a millisecond for those of a system, once. Never needed;
 * meant for a moment when there is nothing else to do, such as while a server
 * makes up its answer.
 */
void tls_client_prepare(struct tls_client *c);

/* Forget the tickets: the next session is a full handshake. */
void tls_client_forget_tickets(struct tls_client *c);

/* This machine is on another network: a ticket that was shown on the last one
 * is not shown again (RFC 8446 C.4). */
void tls_client_moved(struct tls_client *c);

/* Tickets (or, for TLS 1.2, sessions) in store now that
 * were not used yet. */
size_t tls_client_ticket_count(const struct tls_client *c);

#endif
