/*
 * What can be seen of a server's certificates: of one that is believed and of
 * one that is not, and never anything that a terminal would obey.
 */
#include "fixture.h"

#include "tls/chain.h"

static const char *const hostile_names[] = {"evil\"\x1b[31m\xff", NULL};

/* Shake hands with a server that has this certificate; the error. */
static int shake(const struct tls_cert *cert, struct tls_chain *chain)
{
    struct tls_server *server = tls_server_create(&(struct tls_server_options){
        .cert = cert, .version = MBEDTLS_SSL_VERSION_TLS1_3});
    const struct tls_client_options options = {
        .trust = fix.trust, .name = "dns.example", .chain = chain};
    struct tls_client *client;
    struct tls_pair p;

    assert_int_equal(tls_client_create(&options, &client), 0);
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    int err = p.client_err;
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
    return err;
}

static void test_chain_of_a_good_server(void **state)
{
    struct tls_chain chain = {.count = 0};
    char text[TLS_PIN_TEXT_MAX];
    struct tls_pin pin;

    (void)state;
    assert_int_equal(shake(&fix.leaf, &chain), 0);
    assert_int_equal(chain.count, 2);
    assert_string_equal(chain.all[0].subject, "\"CN=dns.example\"");
    assert_string_equal(chain.all[0].issuer, "\"CN=Test Root\"");
    assert_string_equal(chain.all[0].names, "\"dns.example, *.example.net\"");
    assert_string_equal(chain.all[1].subject, "\"CN=Test Root\"");
    assert_true(strcmp(chain.all[0].valid_from, chain.all[0].valid_to) < 0);
    /* A pin is written as configurations read it. */
    assert_int_equal(tls_pin_parse(tls_pin_text(&chain.all[0].pin, text), &pin),
                     0);
    assert_memory_equal(&pin, &chain.all[0].pin, sizeof(pin));
    assert_memory_not_equal(&chain.all[1].pin, &pin, sizeof(pin));
}

static void test_chain_of_one_that_is_refused(void **state)
{
    struct tls_cert cert;
    struct tls_chain chain = {.count = 0};

    (void)state;
    tls_cert_init(&cert, &(struct tls_cert_options){.subject = "CN=own",
                                                    .names = hostile_names});
    assert_int_equal(shake(&cert, &chain), ERR_TLS_UNTRUSTED);
    tls_cert_finish(&cert);
    assert_int_equal(chain.count, 1);
    assert_string_equal(chain.all[0].subject, "\"CN=own\"");
    assert_string_equal(chain.all[0].names, "\"evil\\x22\\x1b[31m\\xff\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_of_a_good_server),
        cmocka_unit_test(test_chain_of_one_that_is_refused),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
