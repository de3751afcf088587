/*
 * The sessions of one server that may be resumed: TLS 1.3 tickets (RFC 8446
 * section 4.6.1) and TLS 1.2 sessions. Kept in their serial form, which is a
 * few hundred octets; newest first; each leaves the store when it is used.
 *
 * RFC 8446 C.4: whoever sees a ticket twice knows that one client made both
 * connections. So the last one that was used is used again only while that is
 * plain anyway: from the same network, within half a minute, and when there is
 * no other. A server that closes often would be asked for a full handshake each
 * time otherwise.
 */
#ifndef TLS_TICKET_H
#define TLS_TICKET_H

#include "tls/client.h"
#include "tls/verify.h"

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_ticket {
    unsigned char *data; /* owned; holds keys */
    size_t len;
    int64_t expires_at_s; /* by the wall clock */
    int64_t used_at_s;    /* the first time; of a spent one */
    struct tls_proof proof;
};

/* Zeroed memory is an empty store. */
struct tls_tickets {
    struct tls_ticket items[TLS_TICKETS_MAX]; /* oldest first */
    size_t count;
    struct tls_ticket spent; /* the last that was used, or no data */
};

/* Store a copy of session, obtained from a server that proof stands for; the
 * oldest gives way. One that cannot be used again, or no memory: nothing. */
void tls_tickets_put(struct tls_tickets *t, const mbedtls_ssl_session *session,
                     const struct tls_proof *proof);

/*
 * Take the newest that has not expired out of the store, or else the spent one,
 * and set it for ssl. True when there was one; proof_out then says what it
 * stands for.
 */
bool tls_tickets_use(struct tls_tickets *t, mbedtls_ssl_context *ssl,
                     struct tls_proof *proof_out);

/* The one that was used last is not to be used again: this machine is on
 * another network now, or the server declined it. */
void tls_tickets_forget_spent(struct tls_tickets *t);

/* Forget all, overwriting the keys. */
void tls_tickets_clear(struct tls_tickets *t);

#endif
