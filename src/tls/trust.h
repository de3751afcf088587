/*
 * Trust anchors: the certification authorities that may vouch for a server.
 * Loaded once, never changed afterwards, shared by all workers (RFC 5280 6.1).
 * Most are parsed a little later, when the first server proves who it is: see
 * tls_client_prepare().
 */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_trust;

/*
 * Start the cryptography of the process: once, before other tls_ calls, from
 * the thread that starts all others. Returns 0 | ERR_TLS_SETUP.
 */
MUST_USE int tls_global_init(void);
void tls_global_finish(void);

/* The version of Mbed TLS that runs, static. From one thread at a time. */
const char *tls_library_version(void);

/*
 * Load the CA certificates of file (PEM, any number, or one DER) and of every
 * regular file in dir. NULL: not used. Both NULL: the system's store, found as
 * $SSL_CERT_FILE, else $SSL_CERT_DIR (one that is set is used or is an error),
 * else the places of Debian, Alpine, Fedora, SUSE, FreeBSD in that order.
 * Certificates that cannot be read are skipped (a log line says how many); none
 * at all is an error.
 * why (optional, why_len octets) receives a sentence naming file and reason.
 * Returns 0 | ERR_NOTFOUND (no such file, or no store on this system) |
 * ERR_TLS_SETUP (no usable certificate) | ERR_NOMEM.
 */
MUST_USE int tls_trust_load(const char *file, const char *dir,
                            struct tls_trust **out, char *why, size_t why_len);

/* Count of certificates loaded. Parses those that are not. Thread-safe. */
size_t tls_trust_count(struct tls_trust *t);

/* Were both loaded from the same octets? NULL: no trust. */
bool tls_trust_equal(const struct tls_trust *a, const struct tls_trust *b);

/* Where they came from ("/etc/ssl/certs/ca-certificates.crt"). */
const char *tls_trust_origin(const struct tls_trust *t);

/* One more owner; each gives it back with tls_trust_release(). Thread-safe. */
struct tls_trust *tls_trust_retain(struct tls_trust *t);
void tls_trust_release(struct tls_trust *t);

#endif
