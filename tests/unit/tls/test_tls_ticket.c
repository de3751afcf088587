/*
 * Resumption: tickets are kept, used one by one, bounded, bound to their
 * client, and do not outlive what they stand for.
 */
#include "fixture.h"

#include "tls/private.h"

#include <time.h>

/* A handshake with one exchange. Returns whether it was resumed. */
static bool connect_once(struct tls_client *client, struct tls_server *server)
{
    struct tls_session_info info;
    struct tls_pair p;

    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    assert_int_equal(p.client_err, 0);
    assert_true(tls_session_is_ready(p.session));
    tls_session_info(p.session, &info);
    assert_int_equal(tls_session_send(p.session, SPAN("question")), 0);
    tls_pair_pump(&p);
    assert_holds(&p.got_by_server, "question");
    tls_pair_finish(&p);
    return info.is_resumed;
}

static struct tls_server *ticket_server(mbedtls_ssl_protocol_version version,
                                        unsigned tickets)
{
    return tls_server_create(&(struct tls_server_options){
        .cert = &fix.leaf, .version = version, .tickets = tickets});
}

static void test_tls13(void **state)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 1);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");

    (void)state;
    assert_int_equal(tls_client_ticket_count(client), 0);
    assert_false(connect_once(client, server));
    assert_int_equal(tls_client_ticket_count(client), 1);
    /* The ticket is spent, and the resumed session gives the next. */
    for (int i = 0; i < 3; i++) {
        assert_true(connect_once(client, server));
        assert_int_equal(tls_client_ticket_count(client), 1);
    }
    tls_client_forget_tickets(client);
    assert_int_equal(tls_client_ticket_count(client), 0);
    assert_false(connect_once(client, server));
    tls_client_destroy(client);
    tls_server_destroy(server);
}

/* Of three sessions at once each takes a ticket of its own while there are
 * some. */
static void test_tls13_each_its_own(void **state)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 2);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair pairs[3];

    (void)state;
    assert_false(connect_once(client, server));
    assert_int_equal(tls_client_ticket_count(client), 2);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        tls_pair_init(&pairs[i], client, server);
        /* To make a session costs no ticket, only to start it does. */
        assert_int_equal(tls_client_ticket_count(client), i < 2 ? 2 - i : 0);
        if (i == 2) {
            tls_client_moved(client); /* or the third would use the second's */
        }
        tls_pair_feed_client(&pairs[i], span_of(NULL, 0));
    }
    assert_int_equal(tls_client_ticket_count(client), 0);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct tls_session_info info;

        tls_pair_pump(&pairs[i]);
        assert_true(tls_session_is_ready(pairs[i].session));
        tls_session_info(pairs[i].session, &info);
        assert_true(info.is_resumed == (i < 2));
        tls_pair_finish(&pairs[i]);
    }
    tls_client_destroy(client);
    tls_server_destroy(server);
}

/* As from a server that gives none on resumption. */
static void lose_fresh(struct tls_client *client)
{
    struct tls_tickets *t = &client->tickets;

    while (t->count > 0) {
        free(t->items[--t->count].data);
    }
}

/* A client that has used the only ticket it has. */
static struct tls_client *spender(struct tls_server *server)
{
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");

    assert_false(connect_once(client, server));
    assert_true(connect_once(client, server));
    lose_fresh(client);
    return client;
}

static void end_half_a_minute_later(struct tls_client *client)
{
    client->tickets.spent.used_at_s -= 30;
}

static void test_used_again(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};
    static void (*const ends[])(struct tls_client *) = {
        end_half_a_minute_later, tls_client_moved, tls_client_forget_tickets};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions) * COUNT_OF(ends); i++) {
        struct tls_server *server =
            ticket_server(versions[i % COUNT_OF(versions)], 1);
        struct tls_client *client = spender(server);

        for (int again = 0; again < 2; again++) {
            assert_true(connect_once(client, server));
            lose_fresh(client);
        }
        ends[i / COUNT_OF(versions)](client);
        assert_false(connect_once(client, server));
        tls_client_destroy(client);
        tls_server_destroy(server);
    }
}

/* A server that declines it once is not shown it again. */
static void test_spent_and_declined(void **state)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 1);
    struct tls_client *client = spender(server);

    (void)state;
    tls_server_forget_tickets(server);
    assert_false(connect_once(client, server));
    assert_null(client->tickets.spent.data);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_newest_are_kept(void **state)
{
    struct tls_server *server =
        ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, TLS_TICKETS_MAX + 3);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");

    (void)state;
    assert_false(connect_once(client, server));
    assert_int_equal(tls_client_ticket_count(client), TLS_TICKETS_MAX);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

static void test_tls12(void **state)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_2, 1);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");

    (void)state;
    assert_false(connect_once(client, server));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tls_client_ticket_count(client), 1);
        assert_true(connect_once(client, server));
    }
    tls_client_destroy(client);
    tls_server_destroy(server);
}

/* Without a name there is none to bind the ticket to. */
static void test_by_address(void **state)
{
    static const char *const ips[] = {"192.0.2.1", NULL};
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};
    struct tls_cert cert;

    (void)state;
    tls_cert_init(&cert, &(struct tls_cert_options){.subject = "CN=by address",
                                                    .ips = ips,
                                                    .issuer = &fix.ca});
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct tls_server *server =
            tls_server_create(&(struct tls_server_options){
                .cert = &cert, .version = versions[i], .tickets = 1});
        struct tls_client *client = tls_pair_client(fix.trust, NULL);

        assert_false(connect_once(client, server));
        assert_true(connect_once(client, server));
        tls_client_destroy(client);
        tls_server_destroy(server);
    }
    tls_cert_finish(&cert);
}

/* A server that has lost its keys gets a full handshake, verified anew. */
static void test_server_declines(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct tls_server *server = ticket_server(versions[i], 1);
        struct tls_client *client = tls_pair_client(fix.trust, "dns.example");

        assert_false(connect_once(client, server));
        tls_server_forget_tickets(server);
        assert_false(connect_once(client, server));
        assert_true(connect_once(client, server));
        tls_client_destroy(client);
        tls_server_destroy(server);
    }
}

/* A server that declines and is another now must not pass for the first. */
static void test_declined_and_untrusted(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};
    struct tls_cert self;

    (void)state;
    tls_cert_init(&self, &(struct tls_cert_options){.subject = "CN=self",
                                                    .names = fix_names});
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct tls_server *first = ticket_server(versions[i], 2);
        struct tls_server *second =
            tls_server_create(&(struct tls_server_options){
                .cert = &self, .version = versions[i], .tickets = 2});
        struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
        struct tls_pair p;

        assert_false(connect_once(client, first));
        tls_pair_init(&p, client, second);
        tls_pair_pump(&p);
        assert_int_equal(p.client_err, ERR_TLS_UNTRUSTED);
        assert_false(tls_session_is_ready(p.session));
        /* Whatever the cause, tickets are not tried again. */
        assert_int_equal(tls_client_ticket_count(client), 0);
        tls_pair_finish(&p);
        tls_client_destroy(client);
        tls_server_destroy(second);
        tls_server_destroy(first);
    }
    tls_cert_finish(&self);
}

/* The version that a ticket is for is gone: the next attempt is a full one. */
static void test_server_changes_version(void **state)
{
    struct tls_server *newer = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 3);
    struct tls_server *older = ticket_server(MBEDTLS_SSL_VERSION_TLS1_2, 1);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_pair p;

    (void)state;
    assert_false(connect_once(client, newer));
    tls_pair_init(&p, client, older);
    tls_pair_pump(&p);
    assert_int_equal(tls_client_ticket_count(client),
                     p.client_err != 0 ? 0 : 1);
    tls_pair_finish(&p);
    connect_once(client, older);
    tls_client_destroy(client);
    tls_server_destroy(older);
    tls_server_destroy(newer);
}

static void test_clients_do_not_share(void **state)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 2);
    struct tls_client *first = tls_pair_client(fix.trust, "dns.example");
    struct tls_client *second = tls_pair_client(fix.trust, "dns.example");

    (void)state;
    assert_false(connect_once(first, server));
    assert_false(connect_once(second, server));
    tls_client_destroy(second);
    tls_client_destroy(first);
    tls_server_destroy(server);
}

/* Set what the ticket in store stands for, and see whether it is used. */
static bool is_used_after(int64_t verified_at_s, int64_t expires_at_s)
{
    struct tls_server *server = ticket_server(MBEDTLS_SSL_VERSION_TLS1_3, 1);
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    bool is_resumed;

    assert_false(connect_once(client, server));
    client->tickets.items[0].proof.verified_at_s = verified_at_s;
    client->tickets.items[0].expires_at_s = expires_at_s;
    is_resumed = connect_once(client, server);
    tls_client_destroy(client);
    tls_server_destroy(server);
    return is_resumed;
}

static void test_expiry(void **state)
{
    int64_t now_s = time(NULL);

    (void)state;
    assert_true(is_used_after(now_s - 100, now_s + 100));
    assert_false(is_used_after(now_s - 100, now_s - 1));
    /* The clock went back: nothing is known of the age. */
    assert_false(is_used_after(now_s + 1000, now_s + 2000));
}

/* When a ticket of this lifetime, with this proof, expires from now. */
static int64_t expiry_of(unsigned lifetime_s, int64_t cert_to_s,
                         int64_t verified_before_s)
{
    struct tls_server *server;
    struct tls_client *client = tls_pair_client(fix.trust, "dns.example");
    struct tls_cert cert;
    int64_t left_s;

    tls_cert_init(&cert, &(struct tls_cert_options){.subject = "CN=server",
                                                    .names = fix_names,
                                                    .issuer = &fix.ca,
                                                    .from_s = -100,
                                                    .to_s = cert_to_s});
    server = tls_server_create(
        &(struct tls_server_options){.cert = &cert,
                                     .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                     .tickets = 1,
                                     .ticket_lifetime_s = lifetime_s});
    assert_false(connect_once(client, server));
    if (verified_before_s > 0) {
        /* Resumed, the session hands the age of the proof on. */
        client->tickets.items[0].proof.verified_at_s -= verified_before_s;
        assert_true(connect_once(client, server));
    }
    assert_int_equal(tls_client_ticket_count(client), 1);
    left_s = client->tickets.items[0].expires_at_s - time(NULL);
    tls_client_destroy(client);
    tls_server_destroy(server);
    tls_cert_finish(&cert);
    return left_s;
}

static void test_expiry_is_the_earliest(void **state)
{
    enum { SLACK = 30, DAY = 24 * 3600 };
    static const struct {
        unsigned lifetime_s;
        int64_t cert_to_s;
        int64_t verified_before_s;
        int64_t want_s;
    } expiries[] = {
        {3600, DAY, 0, 3600},           /* the server's word */
        {DAY, 1000, 0, 1000},           /* the certificate's end */
        {7 * DAY, DAY / 2, 0, DAY / 2}, /* the certificate's end */
        {2 * DAY, DAY - 1, 6 * DAY + DAY / 2, DAY / 2}, /* seven days */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expiries); i++) {
        int64_t got_s = expiry_of(expiries[i].lifetime_s, expiries[i].cert_to_s,
                                  expiries[i].verified_before_s);

        assert_in_range(got_s, expiries[i].want_s - SLACK, expiries[i].want_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls13),
        cmocka_unit_test(test_tls13_each_its_own),
        cmocka_unit_test(test_used_again),
        cmocka_unit_test(test_spent_and_declined),
        cmocka_unit_test(test_newest_are_kept),
        cmocka_unit_test(test_tls12),
        cmocka_unit_test(test_by_address),
        cmocka_unit_test(test_server_declines),
        cmocka_unit_test(test_declined_and_untrusted),
        cmocka_unit_test(test_server_changes_version),
        cmocka_unit_test(test_clients_do_not_share),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_expiry_is_the_earliest),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
