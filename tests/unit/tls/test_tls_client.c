/*
 * Pins as people write them, and options that cannot be kept.
 */
#include "fixture.h"

#include <stdlib.h>

#define B64_ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct pin_case {
    const char *text;
    int want;
    uint8_t first; /* octet of the result */
} pin_cases[] = {
    {"sha256/" B64_ZEROS, 0, 0},
    {"sha256=" B64_ZEROS, 0, 0},
    {"pin-sha256=\"" B64_ZEROS "\"", 0, 0},
    /* From RFC 7858, appendix A. */
    {"pin-sha256=\"FHkyLhvI0n70E47cJlRTamTrnYVcsYdjUGbr79CfAVI=\"", 0, 0x14},
    {"sha256///////////////////////////////////////////8=", 0, 0xff},
    {"", ERR_INVAL, 0},
    {"sha256/", ERR_INVAL, 0},
    {B64_ZEROS, ERR_INVAL, 0},
    {"sha1/" B64_ZEROS, ERR_INVAL, 0},
    {"SHA256/" B64_ZEROS, ERR_INVAL, 0},
    {"sha256/" B64_ZEROS "=", ERR_INVAL, 0},
    {"sha256/" B64_ZEROS " ", ERR_INVAL, 0},
    {" sha256/" B64_ZEROS, ERR_INVAL, 0},
    {"pin-sha256=\"" B64_ZEROS, ERR_INVAL, 0},
    {"pin-sha256=" B64_ZEROS, ERR_INVAL, 0},
    {"pin-sha256=\"", ERR_INVAL, 0},
    /* 31 and 33 octets. */
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", ERR_INVAL, 0},
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ERR_INVAL, 0},
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAA=", ERR_INVAL, 0},
    {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAA_AAAAAAAAAAAAAAA=", ERR_INVAL, 0},
};

static void test_pin_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pin_cases); i++) {
        struct tls_pin pin = {{0x77}};
        int err = tls_pin_parse(pin_cases[i].text, &pin);

        if (err != pin_cases[i].want) {
            fail_msg("%s: %s", pin_cases[i].text, err_name(err));
        }
        assert_int_equal(pin.sha256[0], err == 0 ? pin_cases[i].first : 0x77);
    }
}

static char long_name[300];

static const struct name_case {
    const char *name;
    int want;
} name_cases[] = {
    {"dns.example", 0},
    {"dns.example.", 0},
    {"localhost", 0},
    {"", ERR_TLS_SETUP},
    {".", ERR_TLS_SETUP},
    {"192.0.2.1", ERR_TLS_SETUP},
    {"2001:db8::1", ERR_TLS_SETUP},
    {long_name, ERR_TLS_SETUP},
};

static void test_names(void **state)
{
    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    for (size_t i = 0; i < COUNT_OF(name_cases); i++) {
        struct tls_client_options o = {.trust = fix.trust,
                                       .name = name_cases[i].name};
        struct tls_client *client = NULL;

        assert_int_equal(tls_client_create(&o, &client), name_cases[i].want);
        assert_true((client != NULL) == (name_cases[i].want == 0));
        tls_client_destroy(client);
    }
}

/* Without anchors only pins without a name can be checked. */
static void test_no_trust(void **state)
{
    const struct tls_pin pin = {{1}};
    struct tls_client_options o = {.trust = NULL};
    struct tls_client *client = NULL;

    (void)state;
    assert_int_equal(tls_client_create(&o, &client), ERR_TLS_SETUP);
    o.name = "dns.example";
    o.pins = &pin;
    o.pin_count = 1;
    assert_int_equal(tls_client_create(&o, &client), ERR_TLS_SETUP);
    assert_null(client);
    o.name = NULL;
    assert_int_equal(tls_client_create(&o, &client), 0);
    tls_client_prepare(client);
    tls_client_destroy(client);
}

/* All that was given is copied or retained. */
static void test_options_are_copied(void **state)
{
    struct tls_server *server = fix_server(MBEDTLS_SSL_VERSION_TLS1_3);
    struct tls_trust *trust = tls_pair_trust(&fix.ca);
    struct tls_pin *pin = malloc(sizeof(*pin));
    char *name = strdup("dns.example");
    struct tls_client_options o = {
        .trust = trust, .name = name, .pins = pin, .pin_count = 1};
    struct tls_client *client;
    struct tls_pair p;

    (void)state;
    tls_cert_pin(&fix.leaf, pin->sha256);
    assert_int_equal(tls_client_create(&o, &client), 0);
    free(name);
    free(pin);
    tls_trust_release(trust);
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    assert_int_equal(p.client_err, 0);
    assert_true(tls_session_is_ready(p.session));
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pin_parse),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_trust),
        cmocka_unit_test(test_options_are_copied),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
