/*
 * The toy TLS: both sides against each other, in pieces and whole, and what
 * must not pass.
 */
#include "base/err.h"
#include "net_sim.h"
#include "tls/session.h"
#include "tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct talk {
    struct sim_world *w;
    struct tls_trust *trust;
    struct tls_client *client;
    struct tls_session *session;
    struct tls_server_identity identity;
    struct tls_server server;
    struct buf at_client, at_server; /* plaintext */
    int client_err, server_err;
};

static const struct addr server_addr = {
    .ip = {192, 0, 2, 1}, .family = 4, .port = 853};

static void talk_open(struct talk *t, const char *name, bool is_pinned)
{
    static const struct tls_pin pin = {{7}};

    *t = (struct talk){.w = sim_world_create(1)};
    assert_int_equal(tls_trust_load(NULL, NULL, &t->trust, NULL, 0), 0);
    const struct tls_client_options options = {
        .trust = t->trust,
        .name = name,
        .addr = server_addr,
        .pins = &pin,
        .pin_count = is_pinned ? 1 : 0,
    };
    assert_int_equal(tls_client_create(&options, &t->client), 0);
    t->identity.version = 13;
    t->identity.tickets = 1;
    t->identity.certificate.addr = server_addr;
    t->identity.certificate.key = pin;
    strcpy(t->identity.certificate.name, "dns.example");
    buf_init(&t->at_client, 1 << 20);
    buf_init(&t->at_server, 1 << 20);
}

static void talk_begin(struct talk *t)
{
    t->client_err = 0;
    t->server_err = 0;
    tls_server_init(&t->server, &t->identity);
    assert_int_equal(tls_session_create(t->client, &t->session), 0);
    t->client_err =
        tls_session_recv(t->session, span_of(NULL, 0), &t->at_client);
}

/* Carry octets to and fro, step at a time, until nothing moves. */
static void talk_go(struct talk *t, size_t step)
{
    for (bool has_moved = true; has_moved;) {
        struct buf *up = tls_session_output(t->session);
        struct buf *down = &t->server.output;
        has_moved = false;
        if (buf_len(up) > 0 && t->server_err == 0) {
            size_t n = buf_len(up) < step ? buf_len(up) : step;
            t->server_err = tls_server_recv(
                &t->server, span_of(buf_span(up).ptr, n), &t->at_server);
            buf_consume(up, n);
            has_moved = true;
        }
        if (buf_len(down) > 0 && t->client_err == 0) {
            size_t n = buf_len(down) < step ? buf_len(down) : step;
            t->client_err = tls_session_recv(
                t->session, span_of(buf_span(down).ptr, n), &t->at_client);
            buf_consume(down, n);
            has_moved = true;
        }
    }
}

static void talk_end(struct talk *t)
{
    tls_session_destroy(t->session);
    tls_server_finish(&t->server);
}

static void talk_close(struct talk *t)
{
    tls_client_destroy(t->client);
    tls_trust_release(t->trust);
    buf_finish(&t->at_client);
    buf_finish(&t->at_server);
    sim_world_destroy(t->w);
}

static void data_passes(void **state)
{
    (void)state;
    for (uint8_t version = 12; version <= 13; version++) {
        for (size_t step = 1; step < 3000; step = step * 3) {
            struct talk t;
            struct tls_session_info info;
            talk_open(&t, "dns.example", true);
            t.identity.version = version;
            talk_begin(&t);
            assert_false(tls_session_is_ready(t.session));
            talk_go(&t, step);
            assert_true(tls_session_is_ready(t.session));
            assert_int_equal(tls_session_send(t.session, span_of("ask", 3)), 0);
            tls_server_send(&t.server, span_of("tell", 4));
            talk_go(&t, step);
            assert_memory_equal(buf_span(&t.at_server).ptr, "ask", 3);
            assert_memory_equal(buf_span(&t.at_client).ptr, "tell", 4);
            tls_session_info(t.session, &info);
            assert_string_equal(info.version,
                                version == 12 ? "TLSv1.2" : "TLSv1.3");
            assert_false(info.is_resumed);
            talk_end(&t);
            talk_close(&t);
        }
    }
}

static void tickets_resume_once(void **state)
{
    static const bool is_resumed[] = {false, true, true};
    struct talk t;

    (void)state;
    talk_open(&t, "dns.example", false);
    for (size_t i = 0; i < COUNT_OF(is_resumed); i++) {
        struct tls_session_info info;
        talk_begin(&t);
        talk_go(&t, 100);
        tls_session_info(t.session, &info);
        assert_int_equal(info.is_resumed, is_resumed[i]);
        assert_int_equal(tls_client_ticket_count(t.client), 1);
        talk_end(&t);
    }
    t.identity.secret = 99; /* a restarted server does not know it */
    t.identity.certificate.is_expired = true;
    talk_begin(&t);
    talk_go(&t, 100);
    assert_int_equal(t.client_err, ERR_TLS_UNTRUSTED);
    talk_end(&t);
    talk_close(&t);
}

static const struct identity_case {
    const char *title;
    const char *name; /* asked for; NULL: none */
    bool is_pinned, is_expired, is_untrusted, has_other_name, has_other_key,
        has_other_addr;
    int want;
} identity_cases[] = {
    {.title = "good", .name = "dns.example", .is_pinned = true},
    {.title = "by address"},
    {.title = "expired",
     .name = "dns.example",
     .is_expired = true,
     .want = ERR_TLS_UNTRUSTED},
    {.title = "untrusted",
     .name = "dns.example",
     .is_untrusted = true,
     .want = ERR_TLS_UNTRUSTED},
    {.title = "other name",
     .name = "dns.example",
     .has_other_name = true,
     .want = ERR_TLS_UNTRUSTED},
    {.title = "other key",
     .name = "dns.example",
     .is_pinned = true,
     .has_other_key = true,
     .want = ERR_TLS_UNTRUSTED},
    {.title = "other address",
     .has_other_addr = true,
     .want = ERR_TLS_UNTRUSTED},
    {.title = "pin alone decides",
     .is_pinned = true,
     .is_expired = true,
     .is_untrusted = true,
     .has_other_name = true},
};

static void identity_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(identity_cases); i++) {
        const struct identity_case *c = &identity_cases[i];
        struct talk t;
        talk_open(&t, c->name, c->is_pinned);
        struct tls_certificate *cert = &t.identity.certificate;
        cert->is_expired = c->is_expired;
        cert->is_untrusted = c->is_untrusted;
        cert->name[0] ^= c->has_other_name;
        cert->key.sha256[5] ^= c->has_other_key;
        cert->addr.ip[3] ^= c->has_other_addr;
        talk_begin(&t);
        talk_go(&t, 10000);
        assert_int_equal(t.client_err, c->want);
        assert_int_equal(tls_session_is_ready(t.session), c->want == 0);
        assert_int_equal(strlen(tls_session_error_text(t.session)) > 0,
                         c->want != 0);
        assert_int_equal(t.server.data_records, 0);
        talk_end(&t);
        talk_close(&t);
    }
}

static void a_changed_octet_is_noticed(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, "dns.example", false);
    talk_begin(&t);
    talk_go(&t, 10000);
    tls_server_send(&t.server, span_of("tell", 4));
    t.server.output.data[t.server.output.head + 4] ^= 1;
    talk_go(&t, 10000);
    assert_int_equal(t.client_err, ERR_TLS_PROTOCOL);
    assert_int_equal(buf_len(&t.at_client), 0);
    talk_end(&t);
    talk_close(&t);
}

static void early_data_is_noticed(void **state)
{
    struct talk t;
    struct tls_direction d = {0};
    struct buf early;

    (void)state;
    buf_init(&early, 1000);
    talk_open(&t, "dns.example", false);
    talk_begin(&t);
    assert_int_equal(tls_wire_put(&early, &d, TLS_DATA, span_of("ask", 3)), 0);
    assert_int_equal(tls_server_recv(&t.server, buf_span(&early), &t.at_server),
                     ERR_TLS_PROTOCOL);
    assert_int_equal(t.server.early_data, 1);
    assert_int_equal(
        tls_session_recv(t.session, buf_span(&early), &t.at_client),
        ERR_TLS_PROTOCOL);
    buf_finish(&early);
    talk_end(&t);
    talk_close(&t);
}

static void close_notify_ends(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, "dns.example", false);
    talk_begin(&t);
    talk_go(&t, 10000);
    tls_server_send(&t.server, span_of("tell", 4));
    tls_server_close(&t.server);
    talk_go(&t, 10000);
    assert_int_equal(t.client_err, ERR_TLS_CLOSED);
    assert_int_equal(buf_len(&t.at_client), 4);
    talk_end(&t);
    talk_begin(&t);
    talk_go(&t, 10000);
    tls_session_close(t.session);
    talk_go(&t, 10000);
    assert_int_equal(t.server_err, ERR_TLS_CLOSED);
    talk_end(&t);
    talk_close(&t);
}

static void pins_are_read(void **state)
{
    struct tls_pin pin;

    (void)state;
    assert_int_equal(
        tls_pin_parse("sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                      &pin),
        0);
    for (unsigned i = 0; i < TLS_PIN_LEN; i++) {
        assert_int_equal(pin.sha256[i], i);
    }
    assert_int_equal(tls_pin_parse("sha256/AAEC", &pin), ERR_INVAL);
    assert_int_equal(tls_pin_parse("md5/AAEC", &pin), ERR_INVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_passes),
        cmocka_unit_test(tickets_resume_once),
        cmocka_unit_test(identity_is_checked),
        cmocka_unit_test(a_changed_octet_is_noticed),
        cmocka_unit_test(early_data_is_noticed),
        cmocka_unit_test(close_notify_ends),
        cmocka_unit_test(pins_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
