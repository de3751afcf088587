/*
 * The certificates of a trust store. To parse all that a system has takes a
 * fifth of the time that dotstub needs to start, and the first certificate of
 * a server comes later still: so what a file holds is parsed in two steps. The
 * first stops at a certificate that is good, which shows that the file is of
 * use; tls_anchors_read_rest() does the others, and until then they are not
 * trusted.
 */
#ifndef TLS_ANCHORS_H
#define TLS_ANCHORS_H

#include "base/attr.h"
#include "base/span.h"

#include <mbedtls/x509_crt.h>
#include <stddef.h>
#include <stdint.h>

struct tls_anchor_block;

struct tls_anchors {
    mbedtls_x509_crt chain; /* parsed, each once; empty when count is 0 */
    mbedtls_x509_crt *last; /* of chain; where the next one goes */
    size_t count;
    size_t bad_count;                /* that could not be read */
    struct tls_anchor_block *blocks; /* owned; DER, which chain points into */
    uint8_t *text;                   /* owned; PEM read in part, or NULL */
    struct span rest;                /* of text, to be read */
    uint8_t *next_der;               /* where it goes */
};

void tls_anchors_init(struct tls_anchors *a);
void tls_anchors_finish(struct tls_anchors *a);

/*
 * Add a file's certificates: PEM, any number, or one DER. content has len
 * octets, is from malloc(), and is taken. The file is read to the first
 * certificate that is new and good: when it adds none to count, it has none.
 * What the files before left is read first. Returns 0 | ERR_NOMEM.
 */
MUST_USE int tls_anchors_add(struct tls_anchors *a, uint8_t *content,
                             size_t len);

/* Read what the last file still holds. */
void tls_anchors_read_rest(struct tls_anchors *a);

#endif
