/*
 * One TLS session of a client, as a machine that takes octets and gives
 * octets. It sees no socket, never blocks, never calls back.
 *
 * Life: create; then, as ciphertext comes from the peer, tls_session_recv();
 * after every call send what tls_session_output() holds. Once
 * tls_session_is_ready() the server is verified and tls_session_send() may be
 * used. A session that was resumed was verified when its ticket was given.
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "tls/client.h"

#include <stdbool.h>

struct tls_session;

/* Returns 0 | ERR_NOMEM | ERR_TLS_SETUP. client must outlive the session.
 * Nothing is in the output before the first tls_session_recv(), which takes a
 * ticket of the client's if there is one (tls/ticket.h says when). A
 * handshake that fails with one makes the client forget the others too. */
MUST_USE int tls_session_create(struct tls_client *client,
                                struct tls_session **out);

/* Accepts NULL. Sends nothing. */
void tls_session_destroy(struct tls_session *s);

/*
 * Advance the session with octets from the peer.
 *
 * in   ciphertext, borrowed for the call; may be empty (starts the
 *      handshake). It is always taken whole.
 * out  decrypted octets are appended: zero, part of, or several messages.
 *
 * Ciphertext to send, alerts included, is left in tls_session_output().
 * Returns 0 | ERR_TLS_UNTRUSTED | ERR_TLS_PROTOCOL | ERR_TLS_CLOSED (the peer
 * sent close_notify; octets before it are in out) | ERR_NOMEM | ERR_LIMIT (out
 * is full). After an error only _output(), _error_text(), _info() and
 * _destroy() may be called.
 */
MUST_USE int tls_session_recv(struct tls_session *s, struct span in,
                              struct buf *out);

/* The handshake is complete and the server is who it should be. */
bool tls_session_is_ready(const struct tls_session *s);

/*
 * Encrypt plaintext (1 to 16,384 octets) as one record into the output.
 * Only when ready. Returns 0 | ERR_NOMEM | ERR_LIMIT | ERR_TLS_PROTOCOL. After
 * ERR_LIMIT (the output holds 1 MiB) and ERR_NOMEM nothing was sent and the
 * session goes on.
 */
MUST_USE int tls_session_send(struct tls_session *s, struct span plaintext);

/* Put a close_notify alert into the output (RFC 8446 6.1). */
void tls_session_close(struct tls_session *s);

/* Ciphertext to be sent; the caller consumes what it has sent. */
struct buf *tls_session_output(struct tls_session *s);

/*
 * Why the session failed, for people: what was expected and what was found
 * (names, dates, and this machine's clock when it is the likely cause).
 * Valid until destroyed; "" when it did not fail.
 */
const char *tls_session_error_text(const struct tls_session *s);

struct tls_session_info {
    const char *version; /* "TLSv1.3", static */
    const char *cipher;  /* "TLS1-3-AES-128-GCM-SHA256", static */
    bool is_resumed;
    bool has_alpn; /* the server chose "dot" (RFC 7858 has no need of it) */
};

/* Valid once ready. */
void tls_session_info(const struct tls_session *s,
                      struct tls_session_info *out);

#endif
