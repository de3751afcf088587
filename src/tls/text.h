/*
 * A sentence under construction: bounded, never overflows, always ends with
 * NUL. What comes from a certificate is quoted and escaped, as it may be shown
 * on a terminal.
 */
#ifndef TLS_TEXT_H
#define TLS_TEXT_H

#include "base/attr.h"
#include "base/span.h"

#include <mbedtls/x509_crt.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_TEXT_MAX = 768 };

struct tls_text {
    size_t len;
    char data[TLS_TEXT_MAX];
};

/* Append; what does not fit is cut. */
void tls_text_add(struct tls_text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Append the octets, those not printable in ASCII as \xNN, the first 80. */
void tls_text_add_escaped(struct tls_text *t, struct span s);

/* Start the next statement: "; " unless it is the first. */
void tls_text_next(struct tls_text *t);

/* Append a distinguished name in quotes: "CN=example". */
void tls_text_add_dn(struct tls_text *t, const mbedtls_x509_name *dn);

/* Append the names of a certificate that count for us, in quotes. */
void tls_text_add_sans(struct tls_text *t, const mbedtls_x509_crt *crt);

/* Append "2026-01-02 03:04:05 UTC". */
void tls_text_add_time(struct tls_text *t, const mbedtls_x509_time *when);

/* Append what this machine's clock says, in the same form. */
void tls_text_add_now(struct tls_text *t);

/* Append "sha256/…", as pins are written in configurations. */
void tls_text_add_pin(struct tls_text *t, const uint8_t sha256[32]);

#endif
