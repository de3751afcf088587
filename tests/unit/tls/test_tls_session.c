/*
 * The session as a machine: octets in any pieces, both versions, what is
 * offered, closing, bounds.
 */
#include "fixture.h"

#include "tls/private.h"

#include <mbedtls/ssl_ciphersuites.h>
#include <stdlib.h>

struct shape {
    mbedtls_ssl_protocol_version version;
    size_t step;
    const char *version_text;
};

static const struct shape shapes[] = {
    {MBEDTLS_SSL_VERSION_TLS1_3, 0, "TLSv1.3"},
    {MBEDTLS_SSL_VERSION_TLS1_3, 1, "TLSv1.3"},
    {MBEDTLS_SSL_VERSION_TLS1_3, 7, "TLSv1.3"},
    {MBEDTLS_SSL_VERSION_TLS1_2, 0, "TLSv1.2"},
    {MBEDTLS_SSL_VERSION_TLS1_2, 1, "TLSv1.2"},
    {MBEDTLS_SSL_VERSION_TLS1_2, 1000, "TLSv1.2"},
};

static void check_exchange(const struct shape *shape)
{
    struct tls_server *server = fix_server(shape->version);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_session_info info;
    struct tls_pair p;

    tls_pair_init(&p, client, server);
    p.step = shape->step;
    assert_int_equal(buf_len(tls_session_output(p.session)), 0);
    assert_false(tls_session_is_ready(p.session));
    tls_pair_pump(&p);
    assert_int_equal(p.client_err, 0);
    assert_true(tls_session_is_ready(p.session));
    assert_true(tls_peer_is_ready(p.peer));
    assert_string_equal(tls_peer_sni(p.peer), "dns.example");
    tls_session_info(p.session, &info);
    assert_string_equal(info.version, shape->version_text);
    /* Which comes first depends on the processor; AES-256 never does. */
    assert_null(strstr(info.cipher, "256-GCM"));
    assert_false(info.is_resumed);
    assert_false(info.has_alpn);

    assert_int_equal(tls_session_send(p.session, SPAN("question")), 0);
    assert_int_equal(tls_session_send(p.session, SPAN("s")), 0);
    tls_pair_pump(&p);
    assert_holds(&p.got_by_server, "questions");
    assert_int_equal(tls_peer_send(p.peer, SPAN("answer")), 0);
    assert_int_equal(tls_peer_send(p.peer, SPAN("two")), 0);
    tls_pair_pump(&p);
    assert_holds(&p.got_by_client, "answertwo");
    assert_string_equal(tls_session_error_text(p.session), "");

    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_exchange(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        check_exchange(&shapes[i]);
    }
}

/* The last flight of a TLS 1.3 server, tickets and an answer in one piece. */
static void test_tickets_and_answer_at_once(void **state)
{
    struct ready r;

    (void)state;
    r.server = tls_server_create(
        &(struct tls_server_options){.cert = &fix.leaf, .tickets = 3});
    r.client = tls_pair_client(fix.trust, "dns.example");
    tls_pair_init(&r.p, r.client, r.server);
    tls_pair_feed_client(&r.p, span_of(NULL, 0));
    /* To the server and back, then the client's Finished. */
    for (int i = 0; i < 2; i++) {
        struct buf *out = tls_session_output(r.p.session);

        assert_int_equal(
            tls_peer_recv(r.p.peer, buf_span(out), &r.p.got_by_server), 0);
        buf_clear(out);
        if (i == 0) {
            tls_pair_feed_client(&r.p, buf_span(tls_peer_output(r.p.peer)));
            buf_clear(tls_peer_output(r.p.peer));
        }
    }
    assert_int_equal(tls_client_ticket_count(r.client), 0);
    assert_int_equal(tls_peer_send(r.p.peer, SPAN("answer")), 0);
    assert_int_equal(
        tls_pair_feed_client(&r.p, buf_span(tls_peer_output(r.p.peer))), 0);
    assert_holds(&r.p.got_by_client, "answer");
    assert_int_equal(tls_client_ticket_count(r.client), 3);
    ready_finish(&r);
}

static void test_peer_closes(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct ready r;

        ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf,
                                                    .version = versions[i]});
        assert_int_equal(tls_peer_send(r.p.peer, SPAN("last")), 0);
        tls_peer_close(r.p.peer);
        tls_pair_pump(&r.p);
        assert_int_equal(r.p.client_err, ERR_TLS_CLOSED);
        assert_holds(&r.p.got_by_client, "last");
        assert_string_equal(tls_session_error_text(r.p.session),
                            "peer closed the session");
        assert_int_equal(tls_session_send(r.p.session, SPAN("x")),
                         ERR_TLS_CLOSED);
        ready_finish(&r);
    }
}

static void test_client_closes(void **state)
{
    struct ready r;

    (void)state;
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    tls_session_close(r.p.session);
    tls_pair_pump(&r.p);
    assert_int_equal(r.p.server_err, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    ready_finish(&r);
}

static void test_alpn(void **state)
{
    static const char *dot[] = {"h2", "dot", NULL};
    static const char *other[] = {"h2", NULL};
    struct tls_session_info info;
    struct ready r;

    (void)state;
    ready_init(&r,
               &(struct tls_server_options){.cert = &fix.leaf, .alpn = dot});
    assert_int_equal(r.p.client_err, 0);
    tls_session_info(r.p.session, &info);
    assert_true(info.has_alpn);
    ready_finish(&r);

    ready_init(&r,
               &(struct tls_server_options){.cert = &fix.leaf, .alpn = other});
    assert_int_equal(r.p.client_err, ERR_TLS_PROTOCOL);
    assert_contains(tls_session_error_text(r.p.session),
                    "no_application_protocol (120) during the handshake");
    ready_finish(&r);
}

/* Suites without authenticated encryption or forward secrecy, and versions
 * before TLS 1.2, are not even offered. */
static void test_weak_suites_are_refused(void **state)
{
    static const int cbc[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0};
    static const int ccm8[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};
    static const int *const sets[] = {cbc, ccm8};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        struct ready r;

        ready_init(&r, &(struct tls_server_options){
                           .cert = &fix.leaf,
                           .version = MBEDTLS_SSL_VERSION_TLS1_2,
                           .suites = sets[i]});
        assert_false(tls_session_is_ready(r.p.session));
        assert_int_equal(r.p.client_err, ERR_TLS_PROTOCOL);
        assert_contains(tls_session_error_text(r.p.session),
                        "handshake_failure (40)");
        ready_finish(&r);
    }
}

static void test_suites_that_are_taken(void **state)
{
    static const int suites[] = {
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(suites); i++) {
        int one[] = {suites[i], 0};
        struct tls_session_info info;
        struct ready r;

        ready_init(&r, &(struct tls_server_options){
                           .cert = &fix.leaf,
                           .version = i < 3 ? MBEDTLS_SSL_VERSION_TLS1_2
                                            : MBEDTLS_SSL_VERSION_TLS1_3,
                           .suites = one});
        assert_int_equal(r.p.client_err, 0);
        tls_session_info(r.p.session, &info);
        assert_string_equal(info.cipher,
                            mbedtls_ssl_get_ciphersuite_name(suites[i]));
        assert_int_equal(tls_session_send(r.p.session, SPAN("q")), 0);
        tls_pair_pump(&r.p);
        assert_holds(&r.p.got_by_server, "q");
        ready_finish(&r);
    }
}

/* A certificate with an RSA key, in both versions. */
static void test_rsa(void **state)
{
    struct tls_cert rsa;

    (void)state;
    tls_cert_init(&rsa, &(struct tls_cert_options){.subject = "CN=dns.example",
                                                   .names = fix_names,
                                                   .issuer = &fix.ca,
                                                   .key = TLS_CERT_RSA});
    for (int i = 0; i < 2; i++) {
        struct ready r;

        ready_init(&r, &(struct tls_server_options){
                           .cert = &rsa,
                           .version = i == 0 ? MBEDTLS_SSL_VERSION_TLS1_2
                                             : MBEDTLS_SSL_VERSION_TLS1_3});
        assert_int_equal(r.p.client_err, 0);
        assert_true(tls_session_is_ready(r.p.session));
        ready_finish(&r);
    }
    tls_cert_finish(&rsa);
}

/* Turn the rsa_pkcs1_sha256 of a ServerKeyExchange, 256 octets long, into
 * rsa_pss_rsae_sha256. */
static void claim_pss(struct buf *flight)
{
    static const uint8_t pkcs1[] = {4, 1, 1, 0};
    uint8_t *at = memmem(flight->data + flight->head, buf_len(flight), pkcs1,
                         sizeof(pkcs1));

    assert_non_null(at);
    at[0] = 8;
    at[1] = 4;
}

/* Where Mbed TLS refuses PSS in TLS 1.2, the next session does not offer it. */
static void check_pss_refused(const struct tls_cert *rsa)
{
    struct tls_server *server = tls_server_create(&(struct tls_server_options){
        .cert = rsa, .version = MBEDTLS_SSL_VERSION_TLS1_2});
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair p;

    tls_pair_init(&p, client, server);
    tls_pair_feed_client(&p, span_of(NULL, 0));
    assert_int_equal(tls_peer_recv(p.peer,
                                   buf_span(tls_session_output(p.session)),
                                   &p.got_by_server),
                     0);
    claim_pss(tls_peer_output(p.peer));
    assert_int_equal(
        tls_pair_feed_client(&p, buf_span(tls_peer_output(p.peer))),
        ERR_TLS_PROTOCOL);
    if (strstr(tls_session_error_text(p.session), "-0x6600") != NULL) {
        assert_contains(tls_session_error_text(p.session),
                        "the next attempt does without RSA-PSS");
        assert_true(client->avoids_pss);
    }
    tls_pair_finish(&p);
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    assert_true(tls_session_is_ready(p.session));
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

/* Where that was wrong, as TLS 1.3 with an RSA key needs it, we come back. */
static void check_pss_needed(const struct tls_cert *rsa)
{
    struct tls_server *server = tls_server_create(&(struct tls_server_options){
        .cert = rsa, .version = MBEDTLS_SSL_VERSION_TLS1_3});
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair p;

    client->avoids_pss = true;
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    assert_int_equal(p.client_err, ERR_TLS_PROTOCOL);
    tls_pair_finish(&p);
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    assert_true(tls_session_is_ready(p.session));
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_pss(void **state)
{
    struct tls_cert rsa;

    (void)state;
    tls_cert_init(&rsa, &(struct tls_cert_options){.subject = "CN=dns.example",
                                                   .names = fix_names,
                                                   .issuer = &fix.ca,
                                                   .key = TLS_CERT_RSA});
    check_pss_refused(&rsa);
    check_pss_needed(&rsa);
    tls_cert_finish(&rsa);
}

/* More than any DNS message, through many records and odd pieces. */
static void test_big_stream(void **state)
{
    enum { LEN = 65537 };
    uint8_t *sent = malloc(LEN);
    struct ready r;

    (void)state;
    assert_non_null(sent);
    for (size_t i = 0; i < LEN; i++) {
        sent[i] = (uint8_t)(i * 31 + i / 251);
    }
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    for (size_t at = 0; at < LEN; at += 1111) {
        size_t len = LEN - at < 1111 ? LEN - at : 1111;

        assert_int_equal(tls_peer_send(r.p.peer, span_of(sent + at, len)), 0);
        assert_int_equal(tls_session_send(r.p.session, span_of(sent + at, len)),
                         0);
    }
    r.p.step = 1003;
    tls_pair_pump(&r.p);
    assert_int_equal(buf_len(&r.p.got_by_client), LEN);
    assert_memory_equal(buf_span(&r.p.got_by_client).ptr, sent, LEN);
    assert_int_equal(buf_len(&r.p.got_by_server), LEN);
    assert_memory_equal(buf_span(&r.p.got_by_server).ptr, sent, LEN);
    ready_finish(&r);
    free(sent);
}

static void test_largest_record(void **state)
{
    enum { LEN = 16384 };
    uint8_t *sent = calloc(1, LEN);
    struct ready r;

    (void)state;
    assert_non_null(sent);
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    assert_int_equal(tls_session_send(r.p.session, span_of(sent, LEN)), 0);
    tls_pair_pump(&r.p);
    assert_int_equal(buf_len(&r.p.got_by_server), LEN);
    ready_finish(&r);
    free(sent);
}

/* At the bound a record is refused whole, and the session goes on. */
static void test_output_bound(void **state)
{
    static const uint8_t block[16384];
    size_t sent = 0;
    struct ready r;
    struct buf *out;
    int err;

    (void)state;
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    out = tls_session_output(r.p.session);
    while ((err = tls_session_send(r.p.session,
                                   span_of(block, sizeof(block)))) == 0) {
        sent += sizeof(block);
        assert_true(buf_len(out) <= 1024 * 1024);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_true(sent > 1000 * 1000);
    tls_pair_pump(&r.p);
    assert_int_equal(buf_len(&r.p.got_by_server), sent);
    /* The memory of the burst is given back. */
    tls_pair_pump(&r.p);
    assert_true(out->cap <= 4096);
    assert_int_equal(tls_session_send(r.p.session, SPAN("on")), 0);
    tls_pair_pump(&r.p);
    assert_int_equal(buf_len(&r.p.got_by_server), sent + 2);
    ready_finish(&r);
}

static void test_plaintext_bound(void **state)
{
    struct ready r;
    struct buf small;

    (void)state;
    buf_init(&small, 8);
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    assert_int_equal(tls_peer_send(r.p.peer, SPAN("12345678")), 0);
    assert_int_equal(tls_peer_send(r.p.peer, SPAN("9")), 0);
    assert_int_equal(tls_session_recv(r.p.session,
                                      buf_span(tls_peer_output(r.p.peer)),
                                      &small),
                     ERR_LIMIT);
    assert_holds(&small, "12345678");
    assert_contains(tls_session_error_text(r.p.session),
                    "plaintext is not taken");
    buf_finish(&small);
    ready_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_tickets_and_answer_at_once),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_client_closes),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_weak_suites_are_refused),
        cmocka_unit_test(test_suites_that_are_taken),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_pss),
        cmocka_unit_test(test_big_stream),
        cmocka_unit_test(test_largest_record),
        cmocka_unit_test(test_output_bound),
        cmocka_unit_test(test_plaintext_bound),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
