/*
 * Servers: words, names, mappings, pins, and that none is weaker than what
 * the file asks for.
 */
#include "base/attr.h"
#include "config/provider.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIN_A "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define NO_NAME \
    "no name: the server is authenticated by its IP address in the " \
    "certificate; add #NAME where you know it\n"
#define NO_PIN \
    "is not a pin: sha256/ and 44 characters of base64 (the SHA-256 of the " \
    "server's public key)\n"

static const struct expect_case server_cases[] = {
    {"a name that is lost to a comment",
     "servers:\n- 1.1.1.1 #cloudflare-dns.com\n"
     "- '9.9.9.9'#dns.quad9.net # yes\n",
     "t:2:3: servers[0]: #cloudflare-dns.com is a comment here, so the name "
     "would be lost; did you mean 1.1.1.1#cloudflare-dns.com? (A comment has "
     "a blank behind its #)\n"
     "t:3:3: servers[1]: #dns.quad9.net is a comment here, so the name would "
     "be lost; did you mean 9.9.9.9#dns.quad9.net? (A comment has a blank "
     "behind its #)\n"},
    {"comments",
     "servers:\n- 9.9.9.9#dns.quad9.net #dns.quad9.net\n- google # "
     "dns.google\n",
     ""},
    {"no name, plain ports", "servers: ['9.9.9.9:53', '1.1.1.1:443#a.b']\n",
     "t:1:11: warning: servers[0]: " NO_NAME
     "t:1:11: warning: servers[0]: port 53 is that of unencrypted DNS; DNS "
     "over TLS has 853\n"
     "t:1:25: warning: servers[1]: port 443 is that of HTTPS; DNS over TLS "
     "has 853\n"},
    {"names that are none",
     "servers:\n- 1.1.1.1#*.a.b\n- 1.1.1.1#b\xc3\xbc"
     "cher.example\n"
     "- 1.1.1.1#1.1.1.1\n- 1.1.1.1#a_b.c\n- '1.1.1.1#'\n- 1.1.1.1#-a.b\n"
     "- 1.1.1.1#12.34\n",
     "t:2:3: servers[0]: \"*.a.b\" is not a host name: a wildcard is for "
     "certificates, the server's own name is needed\n"
     "t:3:3: servers[1]: \"b\xc3\xbc"
     "cher.example\" is not a host name: "
     "letters beyond ASCII are written in the xn-- form (A-label)\n"
     "t:4:3: servers[2]: \"1.1.1.1\" is an address; leave the name out and "
     "the certificate is checked for the IP address\n"
     "t:5:3: servers[3]: \"a_b.c\" is not a host name: only letters, digits, "
     "'-' and '.' are allowed\n"
     "t:6:3: servers[4]: \"\" is not a host name: it is empty\n"
     "t:7:3: servers[5]: \"-a.b\" is not a host name: a part of it begins or "
     "ends with '-'\n"
     "t:8:3: servers[6]: \"12.34\" is not a host name: a name does not "
     "consist of numbers only\n"},
    {"twice",
     "servers: [1.1.1.1#a.b, 1.1.1.1#c.d, '1.1.1.1:853#A.B.', quad9,\n"
     "  149.112.112.112#dns.quad9.net]\n",
     "t:1:37: servers[2]: 1.1.1.1:853#A.B is in line 1 already\n"
     "t:2:3: servers[4]: 149.112.112.112:853#dns.quad9.net is in line 1 "
     "already\n"},
    {"a word for what is there",
     "servers:\n- 1.0.0.1#cloudflare-dns.com\n"
     "- cloudflare\n",
     "t:3:3: servers[1]: 1.0.0.1:853#cloudflare-dns.com is in line 2 "
     "already\n"},
    {"keys of a mapping",
     "servers:\n- {port: 853}\n- {host: 1.1.1.1, hostname: a.b}\n"
     "- {address: 1.1.1.1, colour: x}\n- {address: 1.1.1.2, Name: a.b,\n"
     "   name: c.d, name: e.f}\n- {address: cloudflare}\n- {address: "
     "'1.1.1.3:853'}\n"
     "- {address: dns.example, port: 853tls, weight: 0, name: [a]}\n- {}\n",
     "t:2:3: servers[0]: address is missing\n"
     "t:3:4: servers[1].host: unknown key; did you mean address?\n"
     "t:3:19: servers[1].hostname: unknown key; did you mean name?\n"
     "t:4:22: servers[2].colour: unknown key\n"
     "t:5:22: servers[3].Name: unknown key; did you mean name?\n"
     "t:6:15: servers[3].name: duplicate key, it is in line 6 already\n"
     "t:7:13: servers[4].address: the word cloudflare stands for whole "
     "servers; write - cloudflare in place of the mapping\n"
     "t:8:13: servers[5].address: \"1.1.1.3:853\" is more than an address; "
     "did you mean address: 1.1.1.3 (port and name are keys beside it)?\n"
     "t:9:13: servers[6].address: \"dns.example\" is a name; an IP address is "
     "needed, because looking a name up takes the resolver that dotstub is. "
     "Write ADDRESS#dns.example with its address\n"
     "t:9:32: servers[6].port: 853tls is not a whole number; did you mean "
     "853?\n"
     "t:9:48: servers[6].weight: 0 is out of range: 1 to 100\n"
     "t:9:57: servers[6].name: a list where a host name is needed\n"
     "t:10:3: servers[7]: address is missing\n"},
    {"pins",
     "servers:\n- {address: 1.1.1.1, pins: []}\n"
     "- {address: 1.1.1.1, pins: [abc, " PIN_B ", [x],\n"
     "  0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}\n"
     "- {address: 1.1.1.1, pins: }\n",
     "t:2:28: servers[0].pins: the list is empty; a pin, or no key `pins`, is "
     "needed\n"
     "t:3:29: servers[1].pins[0]: \"abc\" " NO_PIN
     "t:3:34: servers[1].pins[1]: \"" PIN_B "\" does not name its hash; did "
     "you mean sha256/" PIN_B "?\n"
     "t:3:80: servers[1].pins[2]: a list where a pin is needed\n"
     "t:4:3: servers[1].pins[3]: \"0123456789abcdef0123456789abcdef0123456789a"
     "bcdef0123456789abcdef\" is hexadecimal; a pin is sha256/ and 44 "
     "characters of base64\n"
     "t:5:28: servers[2].pins: has no value; a pin is needed\n"},
    {"files",
     "servers: [{address: 1.1.1.1, ca_file: /}, {address: 1.1.1.2,\n"
     "  ca_file: /no/such/file.pem}]\n",
     "t:1:39: servers[0].ca_file: / is a directory; a file is needed\n"
     "t:2:12: servers[1].ca_file: /no/such/file.pem: No such file or "
     "directory\n"},
    {"no entries", "servers: []\n",
     "t:1:10: servers: the list is empty; at least one server is needed, such "
     "as servers: [quad9]\n"},
    {"entries that are none", "servers: [~, '', [1.1.1.1], {1.1.1.1: 853}]\n",
     "t:1:11: servers[0]: has no value; a server such as "
     "9.9.9.9#dns.quad9.net is needed\n"
     "t:1:14: servers[1]: is empty; a server such as 9.9.9.9#dns.quad9.net is "
     "needed\n"
     "t:1:18: servers[2]: a list where an address is needed\n"
     "t:1:29: servers[3]: a blank behind ':' makes a mapping in YAML; did you "
     "mean 1.1.1.1:853?\n"},
};

static const struct expect_case addresses_cases[] = {
    {"address takes a list, addresses takes one",
     "servers: [{address: [192.0.2.1, '2001:db8::1'], name: a.b},\n"
     "  {addresses: 192.0.2.2, name: a.b}]\n",
     ""},
    {"no name for all of them",
     "servers: [{addresses: [192.0.2.1, 192.0.2.2]}]\n",
     "t:1:11: servers[0]: name or pins is missing: several addresses are one "
     "server when one name or key holds for all of them\n"},
    {"a pin for all of them",
     "servers: [{addresses: [192.0.2.1, 192.0.2.2], pins: " PIN_A "}]\n", ""},
    {"both keys",
     "servers: [{address: 192.0.2.1, addresses: 192.0.2.2, name: a.b}]\n",
     "t:1:43: servers[0].addresses: address and addresses are the same key; "
     "one "
     "is enough\n"},
    {"none, no address, twice",
     "servers: [{addresses: [], name: a}, {addresses: [x, [y]], name: a},\n"
     "  {addresses: [192.0.2.1, '192.0.2.1'], name: a}]\n",
     "t:1:23: servers[0].addresses: the list is empty\n"
     "t:1:50: servers[1].addresses[0]: \"x\" is not an IP address\n"
     "t:1:53: servers[1].addresses[1]: a list where an IP address is needed\n"
     "t:2:27: servers[2].addresses[1]: 192.0.2.1 is in this list already\n"},
    {"more than eight",
     "servers: [{addresses: ['::1', '::2', '::3', '::4', '::5', '::6', '::7',\n"
     "  '::8', '::9'], name: a}]\n",
     "t:2:10: servers[0].addresses[8]: more than 8 addresses\n"},
    {"an address of another server",
     "servers: [{addresses: [192.0.2.1, 192.0.2.2], name: a}, 192.0.2.2#a]\n",
     "t:1:57: servers[1]: 192.0.2.2:853#a is in line 1 already\n"},
    {"any of them is dotstub itself",
     "listen: 192.0.2.2:853\n"
     "servers: [{addresses: [192.0.2.1, 192.0.2.2], name: a}]\n",
     "t:2:11: servers[0]: 192.0.2.2:853 is where dotstub itself listens; it "
     "would ask itself\n"},
};

static void test_addresses(void **state)
{
    struct config *c =
        expect_load("servers: {addresses: [192.0.2.1, '2001:db8::1', "
                    "'fe80::1%1'], name: a.b, port: 8853}\n");
    char text[ADDR_TEXT_MAX];

    (void)state;
    const struct config_server *s = &c->pool.servers[0];
    assert_string_equal(s->label, "192.0.2.1:8853#a.b");
    assert_int_equal(s->more_count, 2);
    assert_string_equal(addr_text(&s->more[0], text), "[2001:db8::1]:8853");
    assert_string_equal(addr_text(&s->more[1], text), "[fe80::1%1]:8853");
    config_destroy(c);
    expect_cases(addresses_cases, COUNT_OF(addresses_cases));
}

static void test_faults(void **state)
{
    (void)state;
    expect_cases(server_cases, COUNT_OF(server_cases));
}

static void test_words(void **state)
{
    struct config *c =
        expect_load("servers: [cloudflare, quad9, google, adguard, mullvad]");
    /* Each IPv4 address, and the IPv6 address that goes with it. */
    static const struct {
        const char *label, *more;
    } want[] = {
        {"1.1.1.1:853#cloudflare-dns.com", "[2606:4700:4700::1111]:853"},
        {"1.0.0.1:853#cloudflare-dns.com", "[2606:4700:4700::1001]:853"},
        {"9.9.9.9:853#dns.quad9.net", "[2620:fe::fe]:853"},
        {"149.112.112.112:853#dns.quad9.net", "[2620:fe::9]:853"},
        {"8.8.8.8:853#dns.google", "[2001:4860:4860::8888]:853"},
        {"8.8.4.4:853#dns.google", "[2001:4860:4860::8844]:853"},
        {"94.140.14.14:853#dns.adguard-dns.com", "[2a10:50c0::ad1:ff]:853"},
        {"94.140.15.15:853#dns.adguard-dns.com", "[2a10:50c0::ad2:ff]:853"},
        {"194.242.2.2:853#dns.mullvad.net", "[2a07:e340::2]:853"},
    };
    char text[ADDR_TEXT_MAX];

    (void)state;
    assert_int_equal(c->pool.server_count, COUNT_OF(want));
    assert_false(c->pool.is_plain);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const struct config_server *s = &c->pool.servers[i];
        assert_string_equal(s->label, want[i].label);
        assert_int_equal(s->more_count, 1);
        assert_string_equal(addr_text(&s->more[0], text), want[i].more);
        assert_int_equal(s->transport, CONFIG_TLS);
        assert_int_equal(s->weight, 1);
    }
    config_destroy(c);
}

static void test_mapping(void **state)
{
    struct config *c =
        expect_load("servers:\n"
                    "- port: 8853\n" /* before the address: order is free */
                    "  name: A.example.\n"
                    "  address: 2001:db8::1\n"
                    "  pins: [" PIN_A ", sha256/" PIN_B "]\n"
                    "  weight: 7\n"
                    "  ca_file: /dev/null\n"
                    "- {address: 192.0.2.1, pins: 'pin-sha256=\"" PIN_B "\"'}\n"
                    "- fe80::1%1#b.example\n");

    (void)state;
    assert_int_equal(c->pool.server_count, 3);
    const struct config_server *s = &c->pool.servers[0];
    assert_string_equal(s->label, "[2001:db8::1]:8853#A.example");
    assert_string_equal(s->name, "A.example");
    assert_string_equal(s->ca_file, "/dev/null");
    assert_int_equal(s->weight, 7);
    assert_int_equal(s->pin_count, 2);
    assert_int_equal(s->pins[0].sha256[0], 0);
    assert_int_equal(s->pins[1].sha256[0], 4);
    s = &c->pool.servers[1];
    assert_string_equal(s->label, "192.0.2.1:853");
    assert_null(s->name);
    assert_null(s->ca_file);
    assert_int_equal(s->pin_count, 1);
    assert_int_equal(c->pool.servers[2].addr.scope_id, 1);
    assert_null(c->pool.servers[2].pins);
    config_destroy(c);
}

/* count servers at ports from 1 on. */
static char *many_servers(unsigned count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fputs("servers:\n", out);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "- 192.0.2.1:%u#a.b\n", 1000 + i);
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_bound(void **state)
{
    char *text = many_servers(64);
    struct config *c = expect_load(text);

    (void)state;
    assert_int_equal(c->pool.server_count, 64);
    config_destroy(c);
    free(text);

    text = many_servers(65);
    const struct expect_case over = {"65 entries", text,
                                     "t:66:3: servers: more than 64 entries\n"};
    expect_cases(&over, 1);
    free(text);

    /* A word is several servers. */
    text = many_servers(63);
    char *more = NULL;
    assert_true(asprintf(&more, "%s- google\n", text) > 0);
    const struct expect_case word = {
        "65 servers", more, "t:65:3: servers[63]: more than 64 servers\n"};
    expect_cases(&word, 1);
    free(more);
    free(text);
}

static void test_provider(void **state)
{
    (void)state;
    assert_null(provider_find("Quad9"));
    assert_string_equal(provider_find("quad9")->name, "dns.quad9.net");
    assert_string_equal(provider_near("Quad9")->word, "quad9");
    assert_null(provider_near("x"));
    assert_string_equal(provider_of_name("DNS.Google")->word, "google");
    assert_null(provider_of_name("dns.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_mapping),  cmocka_unit_test(test_bound),
        cmocka_unit_test(test_provider), cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests_name("config_server", tests, NULL, NULL);
}
