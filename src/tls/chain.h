/*
 * The certificates that a server showed, for people to look at: what a
 * verification walked over, whether or not it ended well. Plain data; what
 * comes out of a certificate is escaped.
 */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include "tls/client.h"

#include <stddef.h>

enum {
    TLS_SHOWN_CERTIFICATES = 8,
    TLS_SHOWN_NAME_LEN = 256,
    TLS_PIN_TEXT_MAX = 56, /* "sha256/", 44 characters and NUL */
};

struct tls_certificate {
    char subject[TLS_SHOWN_NAME_LEN]; /* in quotes */
    char issuer[TLS_SHOWN_NAME_LEN];  /* in quotes */
    char names[TLS_SHOWN_NAME_LEN];   /* those that count, in quotes */
    char valid_from[32], valid_to[32];
    struct tls_pin pin;
};

/* Zero it and name it in struct tls_client_options: full handshakes fill it,
 * resumed ones leave it alone. */
struct tls_chain {
    size_t count; /* 0: no certificate came */
    /* The server's own, then each one's issuer; the anchor too if the chain
     * leads to one. */
    struct tls_certificate all[TLS_SHOWN_CERTIFICATES];
};

/* "sha256/…", as configurations have it; returns text. */
const char *tls_pin_text(const struct tls_pin *pin,
                         char text[TLS_PIN_TEXT_MAX]);

#endif
