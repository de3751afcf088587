/*
 * Certificates out of PEM text, RFC 7468, and the base64 of RFC 4648. Mbed TLS
 * has both, written so that secrets do not leak through timing: certificates
 * are public, and reading the system's store is a third of the start-up time.
 */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that text_len octets of base64 can give at most. */
static inline size_t tls_base64_max(size_t text_len)
{
    return text_len / 4 * 3 + 3;
}

/*
 * Decode base64 with padding; white space is skipped. out has room for
 * tls_base64_max(text.len). Returns 0 | ERR_INVAL.
 */
MUST_USE int tls_base64_decode(struct span text, uint8_t *out, size_t *out_len);

/* Whether text holds PEM at all (else it may be DER). */
bool tls_pem_is_pem(struct span text);

/*
 * Decode the next CERTIFICATE block of *text, and move *text behind it. out
 * has room for tls_base64_max(text->len). Returns 0 | ERR_NOTFOUND (no more) |
 * ERR_INVAL (a broken block, which is skipped: go on).
 */
MUST_USE int tls_pem_next(struct span *text, uint8_t *out, size_t *out_len);

#endif
