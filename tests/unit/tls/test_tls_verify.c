/*
 * Who is believed and who is not, and what is said about it.
 */
#include "fixture.h"

#include "tls/verify.h"

#include <mbedtls/base64.h>
#include <stdio.h>

static const char *const no_names[] = {NULL};
static const char *const good_ips[] = {"198.51.100.7", "192.0.2.1", NULL};
static const char *const v6_ips[] = {"2001:db8::1", NULL};
static const char *const other_ips[] = {"192.0.2.2", NULL};
static const char *const hostile_names[] = {"evil\"\x1b[31m\xff", NULL};
static const char *const ip_as_name[] = {"192.0.2.1", NULL};
static const char *const many_names[] = {"a.test", "b.test", "c.test",
                                         "d.test", "e.test", NULL};
static const char *const star_names[] = {"*.example", NULL};

enum { DAY = 24 * 3600, TLS_TEXT_LEN = 1024, SNI_LEN = 256 };

/* Shake hands with a server that has this certificate. Returns the error; its
 * text is in text. */
static int shake(const struct tls_client_options *client_options,
                 const struct tls_server_options *server_options, char *sni,
                 char text[TLS_TEXT_LEN])
{
    struct tls_server *server = tls_server_create(server_options);
    struct tls_client *client;
    struct tls_pair p;
    int err;

    assert_int_equal(tls_client_create(client_options, &client), 0);
    tls_pair_init(&p, client, server);
    tls_pair_pump(&p);
    err = p.client_err;
    assert_true(tls_session_is_ready(p.session) == (err == 0));
    if (err != 0) {
        /* The server was told (in TLS 1.3 by an alert in clear text, which it
         * cannot read as a record), and is not given one octet. */
        assert_int_not_equal(p.server_err, 0);
        assert_false(tls_peer_is_ready(p.peer));
    }
    snprintf(text, TLS_TEXT_LEN, "%s", tls_session_error_text(p.session));
    if (sni != NULL) {
        snprintf(sni, SNI_LEN, "%s", tls_peer_sni(p.peer));
    }
    tls_pair_finish(&p);
    tls_client_destroy(client);
    tls_server_destroy(server);
    return err;
}

static struct tls_client_options expecting(const char *name, const char *ip)
{
    struct tls_client_options o = {.trust = fix.trust, .name = name};

    assert_int_equal(addr_parse_ip(ip, strlen(ip), &o.addr), 0);
    return o;
}

/* How the server's certificate is made, what the client expects, the words. */
static const struct verify_case {
    const char *title;
    struct tls_cert_options cert; /* issuer: the trusted one */
    const char *name;
    const char *ip;
    int want;
    const char *words[3];
} cases[] = {
    {"exact name", {.names = fix_names}, "dns.example", NULL, 0, {NULL}},
    {"name in capitals", {.names = fix_names}, "DNS.Example", NULL, 0, {NULL}},
    {"dot of the root", {.names = fix_names}, "dns.example.", NULL, 0, {NULL}},
    {"wildcard", {.names = fix_names}, "a.example.net", NULL, 0, {NULL}},
    {"wildcard is one label",
     {.names = fix_names},
     "a.b.example.net",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"certificate is for \"dns.example, *.example.net\", expected "
      "\"a.b.example.net\""}},
    {"wildcard is not none",
     {.names = fix_names},
     "example.net",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"expected \"example.net\""}},
    {"wildcard of one label",
     {.names = star_names},
     "dns.example",
     NULL,
     0,
     {NULL}},
    {"wrong name",
     {.names = fix_names},
     "cloudflare-dns.com",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"certificate is for \"dns.example, *.example.net\", expected "
      "\"cloudflare-dns.com\""}},
    {"many names are cut",
     {.names = many_names},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"is for \"a.test, b.test, c.test, d.test, ...\", expected"}},
    {"CN does not count",
     {.subject = "CN=dns.example"},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"no subject alternative name (its subject \"CN=dns.example\" does not "
      "count), expected \"dns.example\""}},
    {"CN does not count beside a SAN",
     {.subject = "CN=dns.example", .ips = good_ips},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"is for \"198.51.100.7, 192.0.2.1\", expected \"dns.example\""}},
    {"escape sequences in a name",
     {.names = hostile_names},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"is for \"evil\\x22\\x1b[31m\\xff\", expected"}},
    {"IPv4 address", {.ips = good_ips}, NULL, "192.0.2.1", 0, {NULL}},
    {"IPv6 address", {.ips = v6_ips}, NULL, "2001:db8::1", 0, {NULL}},
    {"wrong address",
     {.ips = other_ips},
     NULL,
     "192.0.2.1",
     ERR_TLS_UNTRUSTED,
     {"is for \"192.0.2.2\", expected \"192.0.2.1\""}},
    {"address as a DNS name does not count",
     {.names = ip_as_name},
     NULL,
     "192.0.2.1",
     ERR_TLS_UNTRUSTED,
     {"is for \"192.0.2.1\", expected \"192.0.2.1\""}},
    {"no SAN, by address",
     {.subject = "CN=192.0.2.1", .names = no_names},
     NULL,
     "192.0.2.1",
     ERR_TLS_UNTRUSTED,
     {"no subject alternative name"}},
    {"expired",
     {.names = fix_names, .from_s = -2 * DAY, .to_s = -DAY},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"certificate expired on 2", " UTC (this machine's clock says 2",
      " UTC)"}},
    {"not yet valid",
     {.names = fix_names, .from_s = DAY, .to_s = 2 * DAY},
     "dns.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"certificate is not valid before 2", "; is it right?)"}},
    {"expired and for another",
     {.names = fix_names, .from_s = -2 * DAY, .to_s = -DAY},
     "other.example",
     NULL,
     ERR_TLS_UNTRUSTED,
     {"certificate expired on 2", "); certificate is for \"dns.example, "}},
};

static void check_case(const struct verify_case *c,
                       mbedtls_ssl_protocol_version version)
{
    struct tls_cert_options cert_options = c->cert;
    struct tls_client_options expect =
        expecting(c->name, c->ip == NULL ? "192.0.2.1" : c->ip);
    char text[TLS_TEXT_LEN];
    char sni[SNI_LEN] = "";
    struct tls_cert cert;
    int err;

    cert_options.issuer = &fix.ca;
    if (cert_options.subject == NULL) {
        cert_options.subject = "CN=server";
    }
    tls_cert_init(&cert, &cert_options);
    err = shake(&expect,
                &(struct tls_server_options){.cert = &cert, .version = version},
                sni, text);
    if (err != c->want) {
        fail_msg("%s: got %s, \"%s\"", c->title, err_name(err), text);
    }
    for (size_t i = 0; i < COUNT_OF(c->words) && c->words[i] != NULL; i++) {
        assert_contains(text, c->words[i]);
    }
    /* Only names are sent, and without the dot. */
    assert_int_equal(strcspn(sni, "."), strcspn(c->name ? c->name : "", "."));
    assert_true(strlen(sni) == 0 || sni[strlen(sni) - 1] != '.');
    tls_cert_finish(&cert);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_case(&cases[i], MBEDTLS_SSL_VERSION_TLS1_2);
        check_case(&cases[i], MBEDTLS_SSL_VERSION_TLS1_3);
    }
}

/* Certificates that are right in all but who vouches for them. */
static void test_untrusted_chains(void **state)
{
    struct tls_client_options expect = expecting("dns.example", "192.0.2.1");
    struct tls_cert self, rogue, forged, middle, below, not_ca, wrong;
    char text[TLS_TEXT_LEN];

    (void)state;
    tls_cert_init(&self, &(struct tls_cert_options){.subject = "CN=self",
                                                    .names = fix_names});
    assert_int_equal(
        shake(&expect, &(struct tls_server_options){.cert = &self}, NULL, text),
        ERR_TLS_UNTRUSTED);
    assert_contains(text, "certificate is self-signed by \"CN=self\", which is "
                          "not a trusted authority (1 authorities from /tmp/");

    /* The same name as the root that is trusted, another key. */
    tls_cert_init(&rogue, &(struct tls_cert_options){.subject = "CN=Test Root",
                                                     .is_ca = true});
    tls_cert_init(&forged, &(struct tls_cert_options){.subject = "CN=server",
                                                      .names = fix_names,
                                                      .issuer = &rogue});
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){.cert = &forged}, NULL,
                           text),
                     ERR_TLS_UNTRUSTED);
    assert_contains(text, "issued by \"CN=Test Root\", which is not a trusted");
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){.cert = &forged,
                                                        .intermediate = &rogue},
                           NULL, text),
                     ERR_TLS_UNTRUSTED);
    assert_contains(text, "chain ends at \"CN=Test Root\", which is not a");

    tls_cert_init(&middle, &(struct tls_cert_options){.subject = "CN=Middle",
                                                      .issuer = &fix.ca,
                                                      .is_ca = true});
    tls_cert_init(&below, &(struct tls_cert_options){.subject = "CN=server",
                                                     .names = fix_names,
                                                     .issuer = &middle});
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){
                               .cert = &below, .intermediate = &middle},
                           NULL, text),
                     0);
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){.cert = &below}, NULL,
                           text),
                     ERR_TLS_UNTRUSTED);
    assert_contains(text, "issued by \"CN=Middle\", which is not a trusted "
                          "authority, nor did the server send its certificate "
                          "(is an intermediate missing?) (1 authorities");

    /* One that may not issue others does so. */
    tls_cert_init(&not_ca, &(struct tls_cert_options){.subject = "CN=Leaf",
                                                      .names = fix_names,
                                                      .issuer = &fix.ca});
    tls_cert_init(&wrong, &(struct tls_cert_options){.subject = "CN=server",
                                                     .names = fix_names,
                                                     .issuer = &not_ca});
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){
                               .cert = &wrong, .intermediate = &not_ca},
                           NULL, text),
                     ERR_TLS_UNTRUSTED);
    assert_contains(text, "issued by \"CN=Leaf\"");

    tls_cert_finish(&wrong);
    tls_cert_finish(&not_ca);
    tls_cert_finish(&below);
    tls_cert_finish(&middle);
    tls_cert_finish(&forged);
    tls_cert_finish(&rogue);
    tls_cert_finish(&self);
}

static void test_expired_intermediate(void **state)
{
    struct tls_client_options expect = expecting("dns.example", "192.0.2.1");
    struct tls_cert middle, below;
    char text[TLS_TEXT_LEN];

    (void)state;
    tls_cert_init(&middle, &(struct tls_cert_options){.subject = "CN=Middle",
                                                      .issuer = &fix.ca,
                                                      .is_ca = true,
                                                      .from_s = -2 * DAY,
                                                      .to_s = -DAY});
    tls_cert_init(&below, &(struct tls_cert_options){.subject = "CN=server",
                                                     .names = fix_names,
                                                     .issuer = &middle});
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){
                               .cert = &below, .intermediate = &middle},
                           NULL, text),
                     ERR_TLS_UNTRUSTED);
    assert_contains(text,
                    "certificate of its issuer \"CN=Middle\" expired on 2");
    tls_cert_finish(&below);
    tls_cert_finish(&middle);
}

/* A self-signed certificate may itself be the trust anchor. */
static void test_trusted_leaf(void **state)
{
    struct tls_client_options expect = expecting("dns.example", "192.0.2.1");
    struct tls_cert self;
    char text[TLS_TEXT_LEN];

    (void)state;
    tls_cert_init(&self, &(struct tls_cert_options){.subject = "CN=self",
                                                    .names = fix_names});
    expect.trust = tls_pair_trust(&self);
    assert_int_equal(
        shake(&expect, &(struct tls_server_options){.cert = &self}, NULL, text),
        0);
    tls_trust_release(expect.trust);
    tls_cert_finish(&self);
}

static void pin_of(const struct tls_cert *cert, struct tls_pin *pin)
{
    tls_cert_pin(cert, pin->sha256);
}

static void test_pins_with_name(void **state)
{
    struct tls_client_options expect = expecting("dns.example", "192.0.2.1");
    struct tls_server_options good = {.cert = &fix.leaf};
    struct tls_pin pins[2] = {{{1, 2, 3}}};
    char text[TLS_TEXT_LEN];
    unsigned char base64[48];
    size_t len;

    (void)state;
    expect.pins = pins;
    expect.pin_count = 2;
    pin_of(&fix.leaf, &pins[1]);
    assert_int_equal(shake(&expect, &good, NULL, text), 0);
    /* Any certificate of the chain that was verified. */
    pin_of(&fix.ca, &pins[1]);
    assert_int_equal(shake(&expect, &good, NULL, text), 0);

    expect.pin_count = 1;
    assert_int_equal(shake(&expect, &good, NULL, text), ERR_TLS_UNTRUSTED);
    assert_contains(text, "no pin matched; the server's keys are sha256/");
    pin_of(&fix.leaf, &pins[1]);
    mbedtls_base64_encode(base64, sizeof(base64), &len, pins[1].sha256, 32);
    assert_contains(text, (const char *)base64);

    /* The pin does not make up for the name. */
    expect = expecting("other.example", "192.0.2.1");
    expect.pins = &pins[1];
    expect.pin_count = 1;
    assert_int_equal(shake(&expect, &good, NULL, text), ERR_TLS_UNTRUSTED);
    assert_contains(text, "expected \"other.example\"");
    assert_null(strstr(text, "no pin matched"));
}

/* Nor for a chain. */
static void test_pins_with_name_and_no_trust(void **state)
{
    struct tls_client_options expect = expecting("dns.example", "192.0.2.1");
    struct tls_cert self;
    struct tls_pin pin;
    char text[TLS_TEXT_LEN];

    (void)state;
    tls_cert_init(&self, &(struct tls_cert_options){.subject = "CN=self",
                                                    .names = fix_names});
    pin_of(&self, &pin);
    expect.pins = &pin;
    expect.pin_count = 1;
    assert_int_equal(
        shake(&expect, &(struct tls_server_options){.cert = &self}, NULL, text),
        ERR_TLS_UNTRUSTED);
    assert_contains(text, "self-signed");
    tls_cert_finish(&self);
}

/* RFC 7858 section 4.2: the pin alone, whatever else the certificate says. */
static void test_pins_alone(void **state)
{
    struct tls_client_options expect = expecting(NULL, "192.0.2.1");
    struct tls_cert odd;
    struct tls_pin pin;
    char text[TLS_TEXT_LEN];

    (void)state;
    tls_cert_init(&odd, &(struct tls_cert_options){.subject = "CN=odd",
                                                   .from_s = -2 * DAY,
                                                   .to_s = -DAY});
    pin_of(&odd, &pin);
    expect.pins = &pin;
    expect.pin_count = 1;
    for (int has_trust = 0; has_trust < 2; has_trust++) {
        expect.trust = has_trust ? fix.trust : NULL;
        assert_int_equal(shake(&expect,
                               &(struct tls_server_options){.cert = &odd}, NULL,
                               text),
                         0);
        assert_int_equal(shake(&expect,
                               &(struct tls_server_options){.cert = &fix.leaf},
                               NULL, text),
                         ERR_TLS_UNTRUSTED);
        assert_contains(text, "no pin matched; the server's key is sha256/");
    }
    tls_cert_finish(&odd);
}

/* Whoever has the pinned authority's certificate, which is public, can send it
 * behind one of his own. */
static void test_pins_alone_are_of_the_leaf(void **state)
{
    struct tls_client_options expect = expecting(NULL, "192.0.2.1");
    struct tls_cert forged;
    struct tls_pin pin;
    char text[TLS_TEXT_LEN];

    (void)state;
    pin_of(&fix.ca, &pin);
    expect.pins = &pin;
    expect.pin_count = 1;
    tls_cert_init(&forged, &(struct tls_cert_options){.subject = "CN=server",
                                                      .names = fix_names});
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){
                               .cert = &forged, .intermediate = &fix.ca},
                           NULL, text),
                     ERR_TLS_UNTRUSTED);
    /* Even where the chain would verify: the rule is one and simple. */
    assert_int_equal(shake(&expect,
                           &(struct tls_server_options){.cert = &fix.leaf},
                           NULL, text),
                     ERR_TLS_UNTRUSTED);
    tls_cert_finish(&forged);
}

/* What no server of Mbed TLS would send. */
static void test_other_faults(void **state)
{
    static const struct {
        uint32_t flag;
        const char *text;
    } faults[] = {
        {MBEDTLS_X509_BADCERT_KEY_USAGE,
         "certificate has a key usage that forbids this use"},
        {MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_KEY,
         "certificate is signed with a hash that is too weak; certificate has "
         "a key that is too weak or of a curve that is not accepted"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct tls_text text = {.len = 0};

        tls_verify_explain(NULL, &fix.leaf.crt, 0, faults[i].flag, &text);
        assert_string_equal(text.data, faults[i].text);
    }
}

static void test_uses(void **state)
{
    struct tls_text text = {.len = 0};

    (void)state;
    tls_verify_explain_uses(MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                                MBEDTLS_X509_BADCERT_EXPIRED,
                            &text);
    assert_string_equal(text.data, "certificate is not meant for TLS servers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_untrusted_chains),
        cmocka_unit_test(test_expired_intermediate),
        cmocka_unit_test(test_trusted_leaf),
        cmocka_unit_test(test_pins_with_name),
        cmocka_unit_test(test_pins_with_name_and_no_trust),
        cmocka_unit_test(test_pins_alone),
        cmocka_unit_test(test_pins_alone_are_of_the_leaf),
        cmocka_unit_test(test_other_faults),
        cmocka_unit_test(test_uses),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
