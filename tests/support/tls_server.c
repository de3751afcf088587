/*
 * The other end of a session, over memory.
 */
#include "support/tls_server.h"

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl_ticket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 24 * 3600, BUFFER_MAX = 64 * 1024 * 1024 };

struct tls_server {
    mbedtls_ssl_config conf;
    mbedtls_ssl_ticket_context tickets;
    unsigned ticket_lifetime_s;
    mbedtls_x509_crt chain;
};

struct tls_peer {
    mbedtls_ssl_context ssl;
    struct span input;
    struct buf output;
    bool is_ready;
    int err;
    char sni[256];
};

static void must(int ret, const char *what)
{
    if (ret != 0) {
        fprintf(stderr, "%s failed: -0x%04x\n", what, (unsigned)-ret);
        abort();
    }
}

static void *must_alloc(size_t len)
{
    void *p = calloc(1, len);

    if (p == NULL) {
        abort();
    }
    return p;
}

static int on_sni(void *arg, mbedtls_ssl_context *ssl,
                  const unsigned char *name, size_t len)
{
    struct tls_peer *p = mbedtls_ssl_get_user_data_p(ssl);

    (void)arg;
    if (len < sizeof(p->sni)) {
        memcpy(p->sni, name, len);
        p->sni[len] = '\0';
    }
    return 0;
}

static void setup_tickets(struct tls_server *s)
{
    mbedtls_ssl_ticket_init(&s->tickets);
    must(mbedtls_ssl_ticket_setup(
             &s->tickets, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE,
             MBEDTLS_CIPHER_AES_256_GCM, s->ticket_lifetime_s),
         "ticket_setup");
}

static void configure(struct tls_server *s, const struct tls_server_options *o)
{
    mbedtls_ssl_config *conf = &s->conf;

    must(mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER,
                                     MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT),
         "config_defaults");
    mbedtls_ssl_conf_rng(conf, mbedtls_psa_get_random,
                         MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_sni(conf, on_sni, NULL);
    mbedtls_ssl_conf_preference_order(conf,
                                      MBEDTLS_SSL_SRV_CIPHERSUITE_ORDER_CLIENT);
    if (o->version != MBEDTLS_SSL_VERSION_UNKNOWN) {
        mbedtls_ssl_conf_min_tls_version(conf, o->version);
        mbedtls_ssl_conf_max_tls_version(conf, o->version);
    }
    if (o->suites != NULL) {
        mbedtls_ssl_conf_ciphersuites(conf, o->suites);
    }
    if (o->alpn != NULL) {
        must(mbedtls_ssl_conf_alpn_protocols(conf, o->alpn), "alpn");
    }
    if (o->tickets > 0) {
        mbedtls_ssl_conf_session_tickets_cb(conf, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse,
                                            &s->tickets);
    }
    mbedtls_ssl_conf_new_session_tickets(conf, (uint16_t)o->tickets);
}

static void set_certificate(struct tls_server *s,
                            const struct tls_server_options *o)
{
    /* Mbed TLS takes the key without const, and does not change it. */
    mbedtls_pk_context *key = (mbedtls_pk_context *)(uintptr_t)&o->cert->key;

    mbedtls_x509_crt_init(&s->chain);
    must(mbedtls_x509_crt_parse_der(&s->chain, o->cert->crt.raw.p,
                                    o->cert->crt.raw.len),
         "crt_parse_der");
    if (o->intermediate != NULL) {
        must(mbedtls_x509_crt_parse_der(&s->chain, o->intermediate->crt.raw.p,
                                        o->intermediate->crt.raw.len),
             "crt_parse_der");
    }
    must(mbedtls_ssl_conf_own_cert(&s->conf, &s->chain, key), "own_cert");
}

struct tls_server *tls_server_create(const struct tls_server_options *o)
{
    struct tls_server *s = must_alloc(sizeof(*s));

    s->ticket_lifetime_s =
        o->ticket_lifetime_s == 0 ? DAY_S : o->ticket_lifetime_s;
    mbedtls_ssl_config_init(&s->conf);
    setup_tickets(s);
    configure(s, o);
    set_certificate(s, o);
    return s;
}

void tls_server_destroy(struct tls_server *s)
{
    if (s != NULL) {
        mbedtls_ssl_config_free(&s->conf);
        mbedtls_ssl_ticket_free(&s->tickets);
        mbedtls_x509_crt_free(&s->chain);
        free(s);
    }
}

void tls_server_forget_tickets(struct tls_server *s)
{
    mbedtls_ssl_ticket_free(&s->tickets);
    setup_tickets(s);
}

static int bio_recv(void *arg, unsigned char *data, size_t max)
{
    struct tls_peer *p = arg;
    size_t len = p->input.len < max ? p->input.len : max;

    if (len == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(data, p->input.ptr, len);
    p->input = span_from(p->input, len);
    return (int)len;
}

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct tls_peer *p = arg;

    if (buf_append(&p->output, span_of(data, len)) != 0) {
        abort();
    }
    return (int)len;
}

struct tls_peer *tls_server_accept(struct tls_server *s)
{
    struct tls_peer *p = must_alloc(sizeof(*p));

    buf_init(&p->output, BUFFER_MAX);
    mbedtls_ssl_init(&p->ssl);
    must(mbedtls_ssl_setup(&p->ssl, &s->conf), "ssl_setup");
    mbedtls_ssl_set_user_data_p(&p->ssl, p);
    mbedtls_ssl_set_bio(&p->ssl, p, bio_send, bio_recv, NULL);
    return p;
}

void tls_peer_destroy(struct tls_peer *p)
{
    if (p != NULL) {
        mbedtls_ssl_free(&p->ssl);
        buf_finish(&p->output);
        free(p);
    }
}

static int shake_hands(struct tls_peer *p)
{
    int ret = mbedtls_ssl_handshake(&p->ssl);

    if (ret == 0) {
        p->is_ready = true;
    }
    return ret;
}

static int read_plain(struct tls_peer *p, struct buf *plain)
{
    for (;;) {
        uint8_t *room = buf_reserve(plain, MBEDTLS_SSL_IN_CONTENT_LEN);
        int ret;

        if (room == NULL) {
            abort();
        }
        ret = mbedtls_ssl_read(&p->ssl, room, MBEDTLS_SSL_IN_CONTENT_LEN);
        if (ret < 0) {
            return ret;
        }
        buf_commit(plain, (size_t)ret);
    }
}

int tls_peer_recv(struct tls_peer *p, struct span in, struct buf *plain)
{
    int ret = p->err;

    p->input = in;
    if (ret == 0 && !p->is_ready) {
        ret = shake_hands(p);
    }
    if (ret == 0) {
        ret = read_plain(p, plain);
    }
    p->input = span_of(NULL, 0);
    if (ret == MBEDTLS_ERR_SSL_WANT_READ) {
        return 0;
    }
    p->err = ret;
    return ret;
}

int tls_peer_send(struct tls_peer *p, struct span plain)
{
    int ret = mbedtls_ssl_write(&p->ssl, plain.ptr, plain.len);

    return ret < 0 ? ret : 0;
}

void tls_peer_close(struct tls_peer *p)
{
    must(mbedtls_ssl_close_notify(&p->ssl), "close_notify");
}

void tls_peer_alert(struct tls_peer *p, int code)
{
    must(mbedtls_ssl_send_alert_message(&p->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                        (unsigned char)code),
         "send_alert_message");
}

bool tls_peer_is_ready(const struct tls_peer *p)
{
    return p->is_ready;
}

const char *tls_peer_sni(const struct tls_peer *p)
{
    return p->sni;
}

struct buf *tls_peer_output(struct tls_peer *p)
{
    return &p->output;
}
