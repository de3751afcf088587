/*
 * One session: Mbed TLS between two memory buffers. Its reads come out of the
 * span that tls_session_recv() was given, its writes go to the output buffer.
 *
 * Invariants: is_ready is set in one place, on_handshake_done(), after the
 * server's certificate passed, or a ticket from a session where it did was
 * accepted. Once err is set nothing is processed any more.
 */
#include "tls/session.h"

#include "base/err.h"
#include "base/log.h"
#include "tls/fault.h"
#include "tls/private.h"

#include <assert.h>
#include <mbedtls/platform.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "tls"

enum {
    OUTPUT_MAX = 1024 * 1024,
    OUTPUT_KEEP_ABOVE = 16 * 1024,
    /* More than any header, nonce, tag and padding of one record. */
    RECORD_OVERHEAD_MAX = 128,
};

struct tls_session {
    mbedtls_ssl_context ssl;
    struct tls_client *client;
    struct span input; /* of the call being served; what is not taken yet */
    bool is_starved;   /* Mbed TLS asked for more input than there is */
    struct buf output; /* ciphertext */
    int output_err;    /* why the output did not take octets */
    int err;           /* the session is over */
    bool is_started;   /* a ticket, if any, was chosen */
    bool offers_pss;   /* among the signatures */
    bool has_offered;  /* resumption was asked for */
    bool is_resumed;   /* and granted */
    bool is_ready;
    struct tls_proof offered_proof; /* what the ticket stands for */
    struct tls_verify verify;
    struct tls_text text; /* why it failed */
};

static int bio_recv(void *arg, unsigned char *data, size_t max)
{
    struct tls_session *s = arg;
    size_t len = s->input.len < max ? s->input.len : max;

    if (len == 0) {
        s->is_starved = true;
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(data, s->input.ptr, len);
    s->input = span_from(s->input, len);
    return (int)len;
}

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct tls_session *s = arg;

    s->output_err = buf_append(&s->output, span_of(data, len));
    return s->output_err == 0 ? (int)len : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int setup(struct tls_session *s)
{
    const struct tls_client *c = s->client;
    int ret;

    s->offers_pss = !c->avoids_pss;
    ret = mbedtls_ssl_setup(&s->ssl,
                            s->offers_pss ? &c->conf : &c->conf_without_pss);
    if (ret == 0) {
        /* Without a name this says that we check who it is ourselves. */
        ret = mbedtls_ssl_set_hostname(&s->ssl, c->policy.name);
    }
    if (ret == MBEDTLS_ERR_SSL_ALLOC_FAILED) {
        return ERR_NOMEM;
    }
    if (ret != 0) {
        log_error("a TLS session could not be set up: -0x%04x", (unsigned)-ret);
        return ERR_TLS_SETUP;
    }
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    mbedtls_ssl_set_verify(&s->ssl, tls_verify_certificate, &s->verify);
    return 0;
}

int tls_session_create(struct tls_client *client, struct tls_session **out)
{
    struct tls_session *s = calloc(1, sizeof(*s));
    int err;

    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->client = client;
    s->verify.policy = &client->policy;
    s->verify.text = &s->text;
    s->verify.chain = client->chain;
    buf_init(&s->output, OUTPUT_MAX);
    mbedtls_ssl_init(&s->ssl);
    err = setup(s);
    if (err != 0) {
        tls_session_destroy(s);
        return err;
    }
    *out = s;
    return 0;
}

void tls_session_destroy(struct tls_session *s)
{
    if (s == NULL) {
        return;
    }
    mbedtls_ssl_free(&s->ssl);
    buf_finish(&s->output);
    free(s);
}

/* The session is over. Returns err. */
static int end(struct tls_session *s, int err)
{
    /* Whatever went wrong: if it was the ticket, do not try it again. */
    if (!s->is_ready && s->has_offered) {
        tls_client_forget_tickets(s->client);
    }
    s->err = err;
    return err;
}

/* Whether the next session should offer RSA-PSS, now that this one ended in the
 * handshake: client.c says why. Without it, a server may fail us for that. */
static void reconsider_pss(struct tls_session *s, int ret, int err)
{
    if (s->offers_pss && ret == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER &&
        mbedtls_ssl_get_version_number(&s->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
        s->client->avoids_pss = true;
        tls_text_add(&s->text, "; the next attempt does without RSA-PSS");
    } else if (!s->offers_pss && err == ERR_TLS_PROTOCOL) {
        s->client->avoids_pss = false;
    }
}

/* Mbed TLS returned ret, which ends the session. Returns our error. */
static int fail(struct tls_session *s, int ret)
{
    int err = s->output_err;

    log_debug("Mbed TLS ended a session with -0x%04x", (unsigned)-ret);
    if (err != 0) {
        tls_text_add(&s->text, "ciphertext is not taken: %s", err_text(err));
        return end(s, err);
    }
    err = tls_fault_explain(&s->ssl, ret, s->is_ready, &s->text);
    if (!s->is_ready) {
        reconsider_pss(s, ret, err);
    }
    return end(s, err);
}

/* A ticket arrived (TLS 1.3), or the handshake made a session (1.2). */
static void keep_session(struct tls_session *s)
{
    mbedtls_ssl_session session;

    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_get_session(&s->ssl, &session) == 0) {
        tls_tickets_put(&s->client->tickets, &session, &s->verify.proof);
    }
    mbedtls_ssl_session_free(&session);
}

/* The certificates have been judged and cost several KiB for as long as the
 * session lives. Mbed TLS needs them for renegotiation only, which is off, and
 * has no call to give them back; sessions from a ticket lack them too. */
static void drop_peer_certificates(struct tls_session *s)
{
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
    mbedtls_ssl_session *session = s->ssl.MBEDTLS_PRIVATE(session);
    mbedtls_x509_crt *chain = session->MBEDTLS_PRIVATE(peer_cert);

    session->MBEDTLS_PRIVATE(peer_cert) = NULL;
    mbedtls_x509_crt_free(chain);
    mbedtls_free(chain);
#else
    (void)s;
#endif
}

/* Mbed TLS is content. Make sure that it was for a reason that we know. */
static int on_handshake_done(struct tls_session *s)
{
    bool is_verified =
        s->verify.is_leaf_seen && mbedtls_ssl_get_verify_result(&s->ssl) == 0;

    s->is_resumed = !s->verify.is_leaf_seen && s->has_offered;
    if (!is_verified && !s->is_resumed) {
        tls_text_add(&s->text, "the server did not prove who it is");
        return end(s, ERR_TLS_UNTRUSTED);
    }
    if (s->is_resumed) {
        s->verify.proof = s->offered_proof;
    } else {
        tls_tickets_forget_spent(&s->client->tickets);
    }
    s->is_ready = true;
    drop_peer_certificates(s);
    if (mbedtls_ssl_get_version_number(&s->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
        keep_session(s);
    }
    return 0;
}

/* Go on with the handshake as far as the input goes. */
static int shake_hands(struct tls_session *s)
{
    int ret;

    if (!s->is_started) {
        s->is_started = true;
        s->has_offered =
            tls_tickets_use(&s->client->tickets, &s->ssl, &s->offered_proof);
    }
    if (s->input.len > 0) {
        tls_client_prepare(s->client); /* a certificate may be in it */
    }
    do {
        ret = mbedtls_ssl_handshake(&s->ssl);
    } while (ret == MBEDTLS_ERR_SSL_WANT_READ && !s->is_starved);
    if (ret == MBEDTLS_ERR_SSL_WANT_READ) {
        return 0;
    }
    return ret == 0 ? on_handshake_done(s) : fail(s, ret);
}

/* Append what is left of the decrypted record to out. */
static int take_record(struct tls_session *s, struct buf *out)
{
    size_t len = mbedtls_ssl_get_bytes_avail(&s->ssl);
    uint8_t *room;
    int ret;

    if (len == 0) {
        return 0;
    }
    room = buf_reserve(out, len);
    if (room == NULL) {
        int err = len > out->max - buf_len(out) ? ERR_LIMIT : ERR_NOMEM;

        tls_text_add(&s->text, "plaintext is not taken: %s", err_text(err));
        return end(s, err);
    }
    ret = mbedtls_ssl_read(&s->ssl, room, len);
    if (ret < 0) {
        return fail(s, ret);
    }
    buf_commit(out, (size_t)ret);
    return 0;
}

/* Decrypt record by record. A read of no octets decrypts the next one in
 * place and keeps it, so that its length is known before room is made. */
static int read_records(struct tls_session *s, struct buf *out)
{
    for (;;) {
        int ret = mbedtls_ssl_read(&s->ssl, NULL, 0);

        if (ret == 0) {
            int err = take_record(s, out);

            if (err != 0) {
                return err;
            }
        } else if (ret == MBEDTLS_ERR_SSL_WANT_READ) {
            /* Also said between two steps on one message, such as a ticket:
             * then it did not ask for input in vain. */
            if (s->is_starved) {
                return 0;
            }
        } else if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session(s);
        } else {
            return fail(s, ret);
        }
    }
}

/* After a burst, do not hold its memory while idle. */
static void trim_output(struct tls_session *s)
{
    if (buf_len(&s->output) == 0 && s->output.cap > OUTPUT_KEEP_ABOVE) {
        buf_shrink(&s->output, OUTPUT_KEEP_ABOVE);
    }
}

int tls_session_recv(struct tls_session *s, struct span in, struct buf *out)
{
    int err;

    if (s->err != 0) {
        return s->err;
    }
    trim_output(s);
    s->input = in;
    s->is_starved = false;
    err = s->is_ready ? 0 : shake_hands(s);
    if (err == 0 && s->is_ready) {
        err = read_records(s, out);
    }
    s->input = span_of(NULL, 0);
    return err;
}

bool tls_session_is_ready(const struct tls_session *s)
{
    return s->is_ready;
}

int tls_session_send(struct tls_session *s, struct span plaintext)
{
    size_t need = plaintext.len + RECORD_OVERHEAD_MAX;

    assert(s->is_ready);
    assert(plaintext.len > 0 && plaintext.len <= MBEDTLS_SSL_OUT_CONTENT_LEN);
    if (s->err != 0) {
        return s->err;
    }
    /* First, as what was encrypted cannot be taken back. */
    if (buf_reserve(&s->output, need) == NULL) {
        return need > s->output.max - buf_len(&s->output) ? ERR_LIMIT
                                                          : ERR_NOMEM;
    }
    while (plaintext.len > 0) {
        int ret = mbedtls_ssl_write(&s->ssl, plaintext.ptr, plaintext.len);

        if (ret <= 0) {
            return fail(s, ret);
        }
        plaintext = span_from(plaintext, (size_t)ret);
    }
    return 0;
}

void tls_session_close(struct tls_session *s)
{
    if (s->is_ready && s->err == 0) {
        int ret = mbedtls_ssl_close_notify(&s->ssl);

        if (ret != 0) {
            log_debug("no close_notify: -0x%04x", (unsigned)-ret);
        }
    }
}

struct buf *tls_session_output(struct tls_session *s)
{
    return &s->output;
}

const char *tls_session_error_text(const struct tls_session *s)
{
    return s->err == 0 ? "" : s->text.data;
}

void tls_session_info(const struct tls_session *s, struct tls_session_info *out)
{
    const char *alpn = mbedtls_ssl_get_alpn_protocol(&s->ssl);

    *out = (struct tls_session_info){
        .version = mbedtls_ssl_get_version(&s->ssl),
        .cipher = mbedtls_ssl_get_ciphersuite(&s->ssl),
        .is_resumed = s->is_resumed,
        .has_alpn = alpn != NULL && strcmp(alpn, "dot") == 0,
    };
}
