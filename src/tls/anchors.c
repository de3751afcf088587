/*
 * Parsing of trust anchors. PEM is decoded into one block of DER for each
 * file, and the parsed certificates point into it.
 *
 * Invariant: text is NULL, or rest lies in it and next_der in the first block,
 * with room for all that rest can give.
 */
#include "tls/anchors.h"

#include "base/err.h"
#include "base/log.h"
#include "tls/pem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "tls"

struct tls_anchor_block {
    struct tls_anchor_block *next;
    uint8_t data[];
};

void tls_anchors_init(struct tls_anchors *a)
{
    *a = (struct tls_anchors){.last = &a->chain};
    mbedtls_x509_crt_init(&a->chain);
}

static void drop_text(struct tls_anchors *a)
{
    free(a->text);
    a->text = NULL;
}

static void drop_block(struct tls_anchors *a)
{
    struct tls_anchor_block *next = a->blocks->next;

    free(a->blocks);
    a->blocks = next;
}

void tls_anchors_finish(struct tls_anchors *a)
{
    mbedtls_x509_crt_free(&a->chain);
    drop_text(a);
    while (a->blocks != NULL) {
        drop_block(a);
    }
}

/* The same certificate, octet for octet: directories hold each one twice, by
 * its name and by its hash. */
static bool has_certificate(const struct tls_anchors *a, struct span der)
{
    if (a->count == 0) {
        return false;
    }
    for (const mbedtls_x509_crt *c = &a->chain; c != NULL; c = c->next) {
        if (c->raw.len == der.len && memcmp(c->raw.p, der.ptr, der.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether der, which must outlive a, was taken into the chain. */
static bool add_certificate(struct tls_anchors *a, struct span der)
{
    int ret;

    if (has_certificate(a, der)) {
        return false;
    }
    ret = mbedtls_x509_crt_parse_der_nocopy(a->last, der.ptr, der.len);
    if (ret != 0) {
        log_debug("a certificate could not be read: -0x%04x", (unsigned)-ret);
        a->bad_count++;
        return false;
    }
    if (a->count > 0) {
        a->last = a->last->next;
    }
    a->count++;
    return true;
}

/* Read on to the next certificate that is taken; false at the text's end. */
static bool read_next(struct tls_anchors *a)
{
    size_t len;
    int err;

    while ((err = tls_pem_next(&a->rest, a->next_der, &len)) != ERR_NOTFOUND) {
        if (err != 0) {
            a->bad_count++;
        } else if (add_certificate(a, span_of(a->next_der, len))) {
            a->next_der += len;
            return true;
        }
    }
    return false;
}

void tls_anchors_read_rest(struct tls_anchors *a)
{
    if (a->text == NULL) {
        return;
    }
    while (read_next(a)) {
    }
    drop_text(a);
}

/* All of rest is one certificate. */
static bool read_der(struct tls_anchors *a)
{
    if (a->rest.len == 0) {
        return false;
    }
    memcpy(a->next_der, a->rest.ptr, a->rest.len);
    return add_certificate(a, span_of(a->next_der, a->rest.len));
}

static bool push_block(struct tls_anchors *a, size_t len)
{
    struct tls_anchor_block *block = malloc(sizeof(*block) + len);

    if (block == NULL) {
        return false;
    }
    block->next = a->blocks;
    a->blocks = block;
    return true;
}

int tls_anchors_add(struct tls_anchors *a, uint8_t *content, size_t len)
{
    bool is_pem = tls_pem_is_pem(span_of(content, len));
    bool is_taken;

    tls_anchors_read_rest(a);
    if (!push_block(a, is_pem ? tls_base64_max(len) : len)) {
        free(content);
        return ERR_NOMEM;
    }
    a->text = content;
    a->rest = span_of(content, len);
    a->next_der = a->blocks->data;
    is_taken = is_pem ? read_next(a) : read_der(a);
    if (!is_pem || !is_taken) {
        drop_text(a);
    }
    if (!is_taken) {
        drop_block(a);
    }
    return 0;
}
