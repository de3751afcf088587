/*
 * What the files of this room share and no other room sees: the inside of a
 * client, and the door to the trust anchors.
 */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include "tls/client.h"
#include "tls/ticket.h"
#include "tls/trust.h"
#include "tls/verify.h"

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>

struct tls_client {
    mbedtls_ssl_config conf;
    mbedtls_ssl_config conf_without_pss;
    bool avoids_pss;             /* the next session uses the latter */
    mbedtls_x509_crt no_anchors; /* an empty chain, for pins without name */
    struct tls_policy policy;
    struct tls_chain *chain; /* borrowed, or NULL */
    struct tls_tickets tickets;
};

/* The anchors, to verify against and never to change. Not NULL, and always the
 * same; to be looked at only after tls_trust_complete(). */
mbedtls_x509_crt *tls_trust_chain(struct tls_trust *t);

/* Parse the anchors that are not. Thread-safe; costs next to nothing when it
 * was done before. */
void tls_trust_complete(struct tls_trust *t);

#endif
