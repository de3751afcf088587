/*
 * The configuration of Mbed TLS for one server. Invariant: no session made
 * from it can become ready without TLS 1.2 or later, an AEAD suite with
 * forward secrecy, and a server that satisfies the policy.
 */
#include "tls/client.h"

#include "base/err.h"
#include "base/log.h"
#include "tls/pem.h"
#include "tls/private.h"

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#    include <asm/hwcap.h>
#    include <sys/auxv.h>
#endif

#define LOG_ROOM "tls"

/* ALPN of DNS over TLS, RFC 7858 and the IANA registry. A server need not know
 * it. */
static const char *alpn_protocols[] = {"dot", NULL};

#define SUITES_AES_128 \
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256, \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
#define SUITES_CHACHA \
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
#define SUITES_AES_256 \
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384

static const int suites_aes_first[] = {SUITES_AES_128, SUITES_CHACHA,
                                       SUITES_AES_256, 0};
static const int suites_chacha_first[] = {SUITES_CHACHA, SUITES_AES_128,
                                          SUITES_AES_256, 0};

#define SIGNATURES_EC \
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, \
        MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384, \
        MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512
#define SIGNATURES_PKCS1 \
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384, \
        MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512
#define SIGNATURES_PSS \
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256, \
        MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384, \
        MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512

/* Mbed TLS 3.6.6 offers RSA-PSS, as TLS 1.3 must, but refuses it from a TLS 1.2
 * server with an illegal_parameter. Most servers go by our order, and then take
 * PKCS #1 in TLS 1.2; in TLS 1.3 they must take PSS. For a server that goes by
 * its own order there is a second configuration without PSS. Neither changes
 * which versions are offered, so nobody can bring us down to 1.2 by it. */
static const uint16_t signatures[] = {SIGNATURES_EC, SIGNATURES_PKCS1,
                                      SIGNATURES_PSS, MBEDTLS_TLS1_3_SIG_NONE};
static const uint16_t signatures_without_pss[] = {
    SIGNATURES_EC, SIGNATURES_PKCS1, MBEDTLS_TLS1_3_SIG_NONE};

/* Without instructions for it, AES is slower than ChaCha20, and its tables
 * leak through the cache. */
static bool has_aes_instructions(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
    return false;
#endif
}

/* What follows "sha256/" and the like; NULL when it is none of them. */
static const char *pin_base64(const char *text, size_t *len)
{
    static const struct {
        const char *before, *after;
    } forms[] = {{"sha256/", ""}, {"sha256=", ""}, {"pin-sha256=\"", "\""}};

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        size_t before = strlen(forms[i].before);
        size_t after = strlen(forms[i].after);
        size_t all = strlen(text);

        if (all >= before + after &&
            strncmp(text, forms[i].before, before) == 0 &&
            strcmp(text + all - after, forms[i].after) == 0) {
            *len = all - before - after;
            return text + before;
        }
    }
    return NULL;
}

int tls_pin_parse(const char *text, struct tls_pin *out)
{
    enum { PIN_BASE64_LEN = 44 };
    uint8_t octets[PIN_BASE64_LEN];
    size_t len = 0;
    const char *base64 = pin_base64(text, &len);

    /* 44 characters leave no room for white space inside. */
    if (base64 == NULL || len != PIN_BASE64_LEN ||
        tls_base64_decode(span_of(base64, len), octets, &len) != 0 ||
        len != TLS_PIN_LEN) {
        return ERR_INVAL;
    }
    memcpy(out->sha256, octets, TLS_PIN_LEN);
    return 0;
}

static bool is_usable(const struct tls_client_options *o)
{
    struct addr ip;

    if (o->trust == NULL && (o->name != NULL || o->pin_count == 0)) {
        log_error("no trust anchors to verify a server with");
        return false;
    }
    if (o->name == NULL) {
        return true;
    }
    /* RFC 6066 section 3: an address is not a name that can be sent. */
    if (o->name[0] == '\0' || o->name[0] == '.' ||
        strlen(o->name) > MBEDTLS_SSL_MAX_HOST_NAME_LEN ||
        addr_parse_ip(o->name, strlen(o->name), &ip) == 0) {
        log_error("\"%s\" is not a name that a server can be verified by",
                  o->name);
        return false;
    }
    return true;
}

static int policy_init(struct tls_policy *p,
                       const struct tls_client_options *options)
{
    *p = (struct tls_policy){.addr = options->addr,
                             .pin_count = options->pin_count};
    if (options->name != NULL) {
        size_t len = strlen(options->name);

        /* The dot of the root is not part of it either. */
        p->name = strndup(options->name,
                          options->name[len - 1] == '.' ? len - 1 : len);
        if (p->name == NULL) {
            return ERR_NOMEM;
        }
    }
    if (options->pin_count > 0) {
        p->pins = calloc(options->pin_count, sizeof(*p->pins));
        if (p->pins == NULL) {
            free(p->name);
            return ERR_NOMEM;
        }
        memcpy(p->pins, options->pins, options->pin_count * sizeof(*p->pins));
    }
    if (options->trust != NULL) {
        p->trust = tls_trust_retain(options->trust);
    }
    return 0;
}

static void policy_finish(struct tls_policy *p)
{
    tls_trust_release(p->trust);
    free(p->pins);
    free(p->name);
}

static void configure_security(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_rng(conf, mbedtls_psa_get_random,
                         MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ciphersuites(
        conf, has_aes_instructions() ? suites_aes_first : suites_chacha_first);
    /* Resumption makes new keys too, so a stolen ticket opens nothing. */
    mbedtls_ssl_conf_tls13_key_exchange_modes(
        conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
}

static void configure_policy(mbedtls_ssl_config *conf, struct tls_client *c)
{
    mbedtls_ssl_conf_ca_chain(conf,
                              c->policy.trust == NULL
                                  ? &c->no_anchors
                                  : tls_trust_chain(c->policy.trust),
                              NULL);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
}

static int configure(struct tls_client *c, mbedtls_ssl_config *conf,
                     const uint16_t *signature_list)
{
    int ret = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT,
                                          MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);

    if (ret == 0) {
        ret = mbedtls_ssl_conf_alpn_protocols(conf, alpn_protocols);
    }
    if (ret != 0) {
        log_error("the TLS configuration failed: -0x%04x", (unsigned)-ret);
        return ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? ERR_NOMEM : ERR_TLS_SETUP;
    }
    configure_security(conf);
    mbedtls_ssl_conf_sig_algs(conf, signature_list);
    configure_policy(conf, c);
    return 0;
}

int tls_client_create(const struct tls_client_options *options,
                      struct tls_client **out)
{
    struct tls_client *c;
    int err;

    if (!is_usable(options)) {
        return ERR_TLS_SETUP;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->chain = options->chain;
    err = policy_init(&c->policy, options);
    if (err != 0) {
        goto fail_client;
    }
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_ssl_config_init(&c->conf_without_pss);
    mbedtls_x509_crt_init(&c->no_anchors);
    err = configure(c, &c->conf, signatures);
    if (err == 0) {
        err = configure(c, &c->conf_without_pss, signatures_without_pss);
    }
    if (err != 0) {
        goto fail_conf;
    }
    *out = c;
    return 0;

fail_conf:
    mbedtls_ssl_config_free(&c->conf_without_pss);
    mbedtls_ssl_config_free(&c->conf);
    policy_finish(&c->policy);
fail_client:
    free(c);
    return err;
}

void tls_client_destroy(struct tls_client *c)
{
    if (c == NULL) {
        return;
    }
    tls_tickets_clear(&c->tickets);
    mbedtls_ssl_config_free(&c->conf_without_pss);
    mbedtls_ssl_config_free(&c->conf);
    policy_finish(&c->policy);
    free(c);
}

void tls_client_prepare(struct tls_client *c)
{
    if (c->policy.trust != NULL) {
        tls_trust_complete(c->policy.trust);
    }
}

void tls_client_forget_tickets(struct tls_client *c)
{
    tls_tickets_clear(&c->tickets);
}

void tls_client_moved(struct tls_client *c)
{
    tls_tickets_forget_spent(&c->tickets);
}

size_t tls_client_ticket_count(const struct tls_client *c)
{
    return c->tickets.count;
}
