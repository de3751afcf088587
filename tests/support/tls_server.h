/*
 * A TLS server in memory: it takes octets and gives octets, as the client's
 * sessions do. For tests, fuzzing and measuring; made of Mbed TLS, so the two
 * sides agree on details where another implementation might differ.
 */
#ifndef SUPPORT_TLS_SERVER_H
#define SUPPORT_TLS_SERVER_H

#include "base/buf.h"
#include "base/span.h"
#include "support/tls_certs.h"

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed members mean: TLS 1.2 to 1.3, all suites, no ALPN, no tickets. */
struct tls_server_options {
    const struct tls_cert *cert;          /* borrowed */
    const struct tls_cert *intermediate;  /* sent behind it; borrowed */
    mbedtls_ssl_protocol_version version; /* this one only */
    const int *suites;                    /* 0-ended; borrowed */
    const char **alpn;                    /* NULL-ended; borrowed */
    unsigned tickets;                     /* how many to give (TLS 1.2: one) */
    unsigned ticket_lifetime_s;           /* 0: a day */
};

struct tls_server;

/* Aborts the program when it cannot. */
struct tls_server *tls_server_create(const struct tls_server_options *options);
void tls_server_destroy(struct tls_server *s);

/* New ticket keys: tickets given before are not accepted any more. */
void tls_server_forget_tickets(struct tls_server *s);

struct tls_peer;

/* A connection; the server must outlive it. */
struct tls_peer *tls_server_accept(struct tls_server *s);
void tls_peer_destroy(struct tls_peer *p);

/* Take octets of the client; what was decrypted is appended to plain.
 * Returns 0 or the code of Mbed TLS that ended the connection. */
int tls_peer_recv(struct tls_peer *p, struct span in, struct buf *plain);

/* Encrypt as one record. Returns 0 or a code of Mbed TLS. */
int tls_peer_send(struct tls_peer *p, struct span plain);

/* Queue a close_notify. */
void tls_peer_close(struct tls_peer *p);

/* Queue a fatal alert. */
void tls_peer_alert(struct tls_peer *p, int code);

bool tls_peer_is_ready(const struct tls_peer *p);

/* The name that the client asked for (SNI); "" when none. */
const char *tls_peer_sni(const struct tls_peer *p);

/* Octets for the client, to be consumed by the caller. */
struct buf *tls_peer_output(struct tls_peer *p);

#endif
