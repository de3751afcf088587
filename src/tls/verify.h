/*
 * Whether a server is who it should be, and if not, why in words. Mbed TLS
 * builds the chain and checks signatures, dates and the name; it asks here for
 * each certificate, where the rest is decided: pins, addresses, and that only
 * subject alternative names count (RFC 8310 section 8.1).
 */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include "base/addr.h"
#include "tls/client.h"
#include "tls/text.h"
#include "tls/trust.h"

#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who the server should be; the meaning is in tls/client.h. */
struct tls_policy {
    struct tls_trust *trust; /* retained; NULL only with pins, without name */
    char *name;              /* owned; NULL: none */
    struct addr addr;
    struct tls_pin *pins; /* owned */
    size_t pin_count;
};

/* When a server was verified by its certificate, and until when that may be
 * relied on. By the wall clock, as certificates are. */
struct tls_proof {
    int64_t verified_at_s;
    int64_t expires_at_s; /* the first certificate of the chain to expire */
};

enum { TLS_CHAIN_MAX = MBEDTLS_X509_MAX_VERIFY_CHAIN_SIZE };

/* One verification. Zero it and set policy and text. */
struct tls_verify {
    const struct tls_policy *policy;
    struct tls_text *text;   /* receives the reasons of a refusal */
    struct tls_chain *chain; /* receives what was looked at, or NULL */
    struct tls_proof proof;  /* valid when all certificates passed */
    bool is_leaf_seen;       /* the server's own certificate was looked at */
    bool is_pin_seen;
    size_t key_count;
    struct tls_pin keys[TLS_CHAIN_MAX]; /* of the chain, top first */
};

/* Keep what can be seen of crt; in chain.c. */
void tls_chain_note(struct tls_chain *chain, const mbedtls_x509_crt *crt,
                    const struct tls_pin *pin, int depth);

/*
 * For mbedtls_ssl_set_verify(); arg is the struct tls_verify. Called from the
 * top of the chain down to the server's certificate at depth 0. What it leaves
 * in flags makes the handshake fail.
 */
int tls_verify_certificate(void *arg, mbedtls_x509_crt *crt, int depth,
                           uint32_t *flags);

/* Say in text what is wrong with crt; flags as Mbed TLS has them. */
void tls_verify_explain(const struct tls_policy *policy,
                        const mbedtls_x509_crt *crt, int depth, uint32_t flags,
                        struct tls_text *text);

/* What Mbed TLS checks only after it asked here. */
#define TLS_VERIFY_USES \
    (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | \
     MBEDTLS_X509_BADCERT_NS_CERT_TYPE)

/* Say in text for which of these flags the server's certificate is refused. */
void tls_verify_explain_uses(uint32_t flags, struct tls_text *text);

#endif
