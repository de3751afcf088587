/*
 * X.509 certificates by Mbed TLS's writer. psa_crypto_init() is assumed done.
 */
#include "support/tls_certs.h"

#include "base/addr.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES_MAX = 16, DER_MAX = 4096, HOUR_S = 3600 };

/* Stop unless ret is 0 or more; there is no test without certificates. */
static int must(int ret, const char *what)
{
    if (ret < 0) {
        fprintf(stderr, "%s failed: -0x%04x\n", what, (unsigned)-ret);
        abort();
    }
    return ret;
}

static void *must_alloc(size_t len)
{
    void *p = calloc(1, len);

    if (p == NULL) {
        abort();
    }
    return p;
}

static void make_key(mbedtls_pk_context *key, enum tls_cert_key kind)
{
    mbedtls_pk_init(key);
    if (kind == TLS_CERT_RSA) {
        must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)),
             "pk_setup");
        must(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), mbedtls_psa_get_random,
                                 MBEDTLS_PSA_RANDOM_STATE, 2048, 65537),
             "rsa_gen_key");
        return;
    }
    must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
         "pk_setup");
    must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                             mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE),
         "ecp_gen_key");
}

/* The form of RFC 5280's GeneralizedTime, without its Z. */
static void time_text(int64_t when_s, char text[16])
{
    time_t when = (time_t)when_s;
    struct tm tm;

    gmtime_r(&when, &tm);
    if (strftime(text, 16, "%Y%m%d%H%M%S", &tm) == 0) {
        abort();
    }
}

static void set_validity(mbedtls_x509write_cert *w,
                         const struct tls_cert_options *o)
{
    int64_t now_s = time(NULL);
    bool is_default = o->from_s == 0 && o->to_s == 0;
    char from[16], to[16];

    time_text(now_s + (is_default ? -HOUR_S : o->from_s), from);
    time_text(now_s + (is_default ? 24 * HOUR_S : o->to_s), to);
    must(mbedtls_x509write_crt_set_validity(w, from, to), "validity");
}

/* Subject alternative names, as the list that the writer takes. */
struct sans {
    mbedtls_x509_san_list nodes[NAMES_MAX];
    struct addr ips[NAMES_MAX];
    size_t count;
};

static mbedtls_x509_buf *add_san(struct sans *s, int type)
{
    mbedtls_x509_san_list *node = &s->nodes[s->count];

    if (s->count == NAMES_MAX) {
        abort();
    }
    /* The writer takes them from the last to the first. */
    node->next = s->count == 0 ? NULL : node - 1;
    s->count++;
    node->node.type = type;
    return &node->node.san.unstructured_name;
}

static void set_sans(mbedtls_x509write_cert *w,
                     const struct tls_cert_options *o, struct sans *s)
{
    for (const char *const *n = o->names; n != NULL && *n != NULL; n++) {
        mbedtls_x509_buf *san = add_san(s, MBEDTLS_X509_SAN_DNS_NAME);

        san->p = (unsigned char *)(uintptr_t)*n;
        san->len = strlen(*n);
    }
    for (const char *const *n = o->ips; n != NULL && *n != NULL; n++) {
        struct addr *ip = &s->ips[s->count];
        mbedtls_x509_buf *san = add_san(s, MBEDTLS_X509_SAN_IP_ADDRESS);

        must(addr_parse_ip(*n, strlen(*n), ip), "addr_parse_ip");
        san->p = ip->ip;
        san->len = addr_ip_len(ip);
    }
    if (s->count > 0) {
        must(mbedtls_x509write_crt_set_subject_alternative_name(
                 w, &s->nodes[s->count - 1]),
             "subject_alternative_name");
    }
}

static void write_der(mbedtls_x509write_cert *w, struct tls_cert *c)
{
    unsigned char der[DER_MAX];
    int len = must(mbedtls_x509write_crt_der(w, der, sizeof(der),
                                             mbedtls_psa_get_random,
                                             MBEDTLS_PSA_RANDOM_STATE),
                   "crt_der");

    /* The writer fills the buffer from its end. */
    must(mbedtls_x509_crt_parse_der(&c->crt, der + sizeof(der) - len,
                                    (size_t)len),
         "crt_parse_der");
}

void tls_cert_init(struct tls_cert *c, const struct tls_cert_options *o)
{
    mbedtls_x509write_cert w;
    unsigned char serial[8] = {1};
    struct sans sans = {.count = 0};
    struct tls_cert *issuer;

    mbedtls_x509_crt_init(&c->crt);
    make_key(&c->key, o->key);
    snprintf(c->subject, sizeof(c->subject), "%s", o->subject);
    /* Only its key is used, which Mbed TLS wants without const. */
    issuer = o->issuer == NULL ? c : (struct tls_cert *)(uintptr_t)o->issuer;

    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, &c->key);
    mbedtls_x509write_crt_set_issuer_key(&w, &issuer->key);
    must(mbedtls_x509write_crt_set_subject_name(&w, c->subject), "subject");
    must(mbedtls_x509write_crt_set_issuer_name(&w, issuer->subject), "issuer");
    mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, serial + 1, 7);
    must(mbedtls_x509write_crt_set_serial_raw(&w, serial, sizeof(serial)),
         "serial");
    set_validity(&w, o);
    must(mbedtls_x509write_crt_set_basic_constraints(&w, o->is_ca, -1),
         "basic_constraints");
    set_sans(&w, o, &sans);
    write_der(&w, c);
    mbedtls_x509write_crt_free(&w);
}

void tls_cert_finish(struct tls_cert *c)
{
    mbedtls_x509_crt_free(&c->crt);
    mbedtls_pk_free(&c->key);
}

char *tls_cert_pem(const struct tls_cert *c)
{
    size_t max = 2 * DER_MAX, len;
    char *text = must_alloc(max);

    must(mbedtls_pem_write_buffer(
             "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
             c->crt.raw.p, c->crt.raw.len, (unsigned char *)text, max, &len),
         "pem_write_buffer");
    return text;
}

char *tls_cert_key_pem(const struct tls_cert *c)
{
    size_t max = 2 * DER_MAX;
    char *text = must_alloc(max);

    must(mbedtls_pk_write_key_pem(&c->key, (unsigned char *)text, max),
         "pk_write_key_pem");
    return text;
}

void tls_cert_pin(const struct tls_cert *c, uint8_t sha256[32])
{
    must(mbedtls_sha256(c->crt.pk_raw.p, c->crt.pk_raw.len, sha256, 0),
         "sha256");
}
