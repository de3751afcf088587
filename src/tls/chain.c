/*
 * Keeps what was seen of each certificate. Called from the verification, from
 * the top of the chain down to the server's own.
 */
#include "tls/chain.h"

#include "tls/text.h"
#include "tls/verify.h"

#include <mbedtls/x509_crt.h>
#include <string.h>

static void keep(const struct tls_text *t, char out[], size_t out_len)
{
    size_t len = t->len < out_len ? t->len : out_len - 1;

    memcpy(out, t->data, len);
    out[len] = '\0';
}

static void keep_time(const mbedtls_x509_time *when, char out[], size_t out_len)
{
    struct tls_text t = {.len = 0};

    tls_text_add_time(&t, when);
    keep(&t, out, out_len);
}

static void keep_dn(const mbedtls_x509_name *dn, char out[], size_t out_len)
{
    struct tls_text t = {.len = 0};

    tls_text_add_dn(&t, dn);
    keep(&t, out, out_len);
}

void tls_chain_note(struct tls_chain *chain, const mbedtls_x509_crt *crt,
                    const struct tls_pin *pin, int depth)
{
    struct tls_text sans = {.len = 0};
    size_t at = (size_t)depth;

    if (at >= TLS_SHOWN_CERTIFICATES) {
        return;
    }
    struct tls_certificate *c = &chain->all[at];
    keep_dn(&crt->subject, c->subject, sizeof(c->subject));
    keep_dn(&crt->issuer, c->issuer, sizeof(c->issuer));
    tls_text_add_sans(&sans, crt);
    keep(&sans, c->names, sizeof(c->names));
    keep_time(&crt->valid_from, c->valid_from, sizeof(c->valid_from));
    keep_time(&crt->valid_to, c->valid_to, sizeof(c->valid_to));
    c->pin = *pin;
    if (chain->count < at + 1) {
        chain->count = at + 1;
    }
}

const char *tls_pin_text(const struct tls_pin *pin, char text[TLS_PIN_TEXT_MAX])
{
    struct tls_text t = {.len = 0};

    tls_text_add_pin(&t, pin->sha256);
    keep(&t, text, TLS_PIN_TEXT_MAX);
    return text;
}
