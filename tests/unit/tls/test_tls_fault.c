/*
 * A peer that misbehaves: alerts, garbage, damage, things out of turn.
 */
#include "fixture.h"

static void test_alert(void **state)
{
    struct ready r;

    (void)state;
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    tls_peer_alert(r.p.peer, MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR);
    tls_pair_pump(&r.p);
    assert_int_equal(r.p.client_err, ERR_TLS_PROTOCOL);
    assert_string_equal(tls_session_error_text(r.p.session),
                        "the server sent the alert internal_error (80)");
    ready_finish(&r);
}

/* What is not TLS at all: an answer in clear text, HTTP, SSH, zeros. */
static void test_garbage_first(void **state)
{
    static const struct span garbage[] = {
        {(const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
        {(const uint8_t *)"SSH-2.0-OpenSSH_9.2p1\r\n", 23},
        {(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0", 12},
        {(const uint8_t *)"\x17\x03\x03\x00\x10sixteen octets..", 21},
        {(const uint8_t *)"\x16\x03\x03\xff\xff\x02", 6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        struct tls_server *server = fix_server(MBEDTLS_SSL_VERSION_TLS1_3);
        struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
        struct tls_pair p;

        tls_pair_init(&p, client, server);
        assert_int_equal(tls_pair_feed_client(&p, span_of(NULL, 0)), 0);
        assert_int_equal(tls_pair_feed_client(&p, garbage[i]),
                         ERR_TLS_PROTOCOL);
        assert_contains(tls_session_error_text(p.session),
                        "protocol error during the handshake: ");
        /* Nothing is processed any more. */
        assert_int_equal(
            tls_session_recv(p.session, garbage[i], &p.got_by_client),
            ERR_TLS_PROTOCOL);
        assert_int_equal(buf_len(&p.got_by_client), 0);
        tls_pair_finish(&p);
        tls_client_destroy(client);
        tls_server_destroy(server);
    }
}

/* One octet changed, at every place of the server's flights in turn: the
 * session may fail or wait for more, never become ready and never crash. */
static void flip_at(mbedtls_ssl_protocol_version version, size_t at,
                    bool *has_more)
{
    struct tls_server *server = fix_server(version);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct buf *to_server, *to_client;
    struct tls_pair p;
    size_t seen = 0;

    tls_pair_init(&p, client, server);
    to_server = tls_session_output(p.session);
    to_client = tls_peer_output(p.peer);
    *has_more = false;
    tls_pair_feed_client(&p, span_of(NULL, 0));
    while (buf_len(to_server) > 0) {
        (void)!tls_peer_recv(p.peer, buf_span(to_server), &p.got_by_server);
        buf_clear(to_server);
        if (at >= seen && at < seen + buf_len(to_client)) {
            to_client->data[to_client->head + at - seen] ^= 0x40;
            *has_more = true;
        }
        seen += buf_len(to_client);
        tls_pair_feed_client(&p, buf_span(to_client));
        buf_clear(to_client);
    }
    assert_true(tls_session_is_ready(p.session) == !*has_more);
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    for (int v = 0; v < 2; v++) {
        bool has_more = true;

        for (size_t at = 0; has_more; at += 37) {
            flip_at(v == 0 ? MBEDTLS_SSL_VERSION_TLS1_2
                           : MBEDTLS_SSL_VERSION_TLS1_3,
                    at, &has_more);
        }
    }
}

static void test_damaged_record(void **state)
{
    struct ready r;
    struct buf *out;

    (void)state;
    ready_init(&r, &(struct tls_server_options){.cert = &fix.leaf});
    assert_int_equal(tls_peer_send(r.p.peer, SPAN("good")), 0);
    assert_int_equal(tls_peer_send(r.p.peer, SPAN("evil")), 0);
    out = tls_peer_output(r.p.peer);
    out->data[out->tail - 1] ^= 1;
    tls_pair_pump(&r.p);
    assert_int_equal(r.p.client_err, ERR_TLS_PROTOCOL);
    assert_holds(&r.p.got_by_client, "good");
    assert_int_equal(tls_session_send(r.p.session, SPAN("x")),
                     ERR_TLS_PROTOCOL);
    ready_finish(&r);
}

/* Application data before the handshake is over must not come through. */
static void test_data_before_finished(void **state)
{
    static const uint8_t early[] = {0x17, 3,   3,   0,   6,  'e',
                                    'a',  'r', 'l', 'y', '!'};
    struct tls_server *server = fix_server(MBEDTLS_SSL_VERSION_TLS1_2);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair p;

    (void)state;
    tls_pair_init(&p, client, server);
    tls_pair_feed_client(&p, span_of(NULL, 0));
    (void)!tls_peer_recv(p.peer, buf_span(tls_session_output(p.session)),
                         &p.got_by_server);
    assert_int_equal(
        tls_pair_feed_client(&p, buf_span(tls_peer_output(p.peer))), 0);
    assert_false(tls_session_is_ready(p.session));
    assert_int_equal(tls_pair_feed_client(&p, span_of(early, sizeof(early))),
                     ERR_TLS_PROTOCOL);
    assert_int_equal(buf_len(&p.got_by_client), 0);
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_close_during_handshake(void **state)
{
    static const uint8_t close_notify[] = {0x15, 3, 3, 0, 2, 1, 0};
    struct tls_server *server = fix_server(MBEDTLS_SSL_VERSION_TLS1_3);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair p;

    (void)state;
    tls_pair_init(&p, client, server);
    tls_pair_feed_client(&p, span_of(NULL, 0));
    assert_int_equal(
        tls_pair_feed_client(&p, span_of(close_notify, sizeof(close_notify))),
        ERR_TLS_CLOSED);
    assert_string_equal(tls_session_error_text(p.session),
                        "peer closed during the handshake");
    tls_session_close(p.session); /* says nothing, as there is no session */
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alert),
        cmocka_unit_test(test_garbage_first),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_data_before_finished),
        cmocka_unit_test(test_close_during_handshake),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
