/*
 * Certificates made while a test runs: authorities, servers, and every way to
 * get one wrong. Each has a fresh key. Aborts the program when it cannot.
 */
#ifndef SUPPORT_TLS_CERTS_H
#define SUPPORT_TLS_CERTS_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_cert_key { TLS_CERT_EC, TLS_CERT_RSA };

struct tls_cert;

/* Zeroed members mean: no names, server, EC key, self-signed, valid from an
 * hour ago for a day. */
struct tls_cert_options {
    const char *subject;           /* "CN=example" */
    const char *const *names;      /* DNS names, NULL-ended; NULL: none */
    const char *const *ips;        /* IPv4 or IPv6, NULL-ended; NULL: none */
    const struct tls_cert *issuer; /* NULL: self-signed */
    bool is_ca;
    enum tls_cert_key key;
    int64_t from_s, to_s; /* validity, from now; both 0: default */
};

struct tls_cert {
    mbedtls_x509_crt crt; /* one; no chain */
    mbedtls_pk_context key;
    char subject[128];
};

/* Never fails. tls_cert_finish() it. */
void tls_cert_init(struct tls_cert *c, const struct tls_cert_options *options);
void tls_cert_finish(struct tls_cert *c);

/* The certificate as PEM text with its NUL, in memory for free(). */
char *tls_cert_pem(const struct tls_cert *c);

/* The private key as PEM text with its NUL, in memory for free(). */
char *tls_cert_key_pem(const struct tls_cert *c);

/* SHA-256 of the public key, as in pins. */
void tls_cert_pin(const struct tls_cert *c, uint8_t sha256[32]);

#endif
