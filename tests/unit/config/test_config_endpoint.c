/*
 * `listen` and `servers`: every notation, and what is said about those that
 * are none.
 */
#include "base/attr.h"
#include "base/err.h"
#include "config/endpoint.h"
#include "expect.h"

#include <stdio.h>
#include <string.h>

#define NO_NAME \
    "no name: the server is authenticated by its IP address in the " \
    "certificate; add #NAME where you know it\n"
#define A_NAME \
    "is a name; an IP address is needed, because looking a name up takes the " \
    "resolver that dotstub is. "

#define ORDER "has its parts in another order; did you mean "

static const struct notation_case {
    enum endpoint_role role;
    const char *text;
    const char *want; /* address:port#name; NULL: refused */
} notation_cases[] = {
    {ENDPOINT_SERVER, "192.0.2.1", "192.0.2.1:853"},
    {ENDPOINT_SERVER, "192.0.2.1:8853", "192.0.2.1:8853"},
    {ENDPOINT_SERVER, "192.0.2.1@8853", "192.0.2.1:8853"},
    {ENDPOINT_SERVER, "192.0.2.1#a.example", "192.0.2.1:853#a.example"},
    {ENDPOINT_SERVER, "192.0.2.1:8853#a.example.", "192.0.2.1:8853#a.example"},
    {ENDPOINT_SERVER, "192.0.2.1@8853#a.example", "192.0.2.1:8853#a.example"},
    {ENDPOINT_SERVER, "2001:db8::1", "[2001:db8::1]:853"},
    {ENDPOINT_SERVER, "[2001:db8::1]", "[2001:db8::1]:853"},
    {ENDPOINT_SERVER, "[2001:db8::1]:8853", "[2001:db8::1]:8853"},
    {ENDPOINT_SERVER, "[2001:db8::1]@8853", "[2001:db8::1]:8853"},
    {ENDPOINT_SERVER, "2001:db8::1@8853", "[2001:db8::1]:8853"},
    {ENDPOINT_SERVER, "2001:db8::1#a.example", "[2001:db8::1]:853#a.example"},
    {ENDPOINT_SERVER, "fe80::1%1", "[fe80::1%1]:853"},
    {ENDPOINT_SERVER, "fe80::1%lo@853", "[fe80::1%1]:853"},
    {ENDPOINT_SERVER, "tls://192.0.2.1", "192.0.2.1:853"},
    {ENDPOINT_SERVER, "TLS://192.0.2.1:53#a", "192.0.2.1:53#a"},
    {ENDPOINT_SERVER, "tls://[2001:db8::1]:853#xn--bcher-kva.example",
     "[2001:db8::1]:853#xn--bcher-kva.example"},
    {ENDPOINT_LISTEN, "127.0.0.1", "127.0.0.1:53"},
    {ENDPOINT_LISTEN, "0.0.0.0:65535", "0.0.0.0:65535"},
    {ENDPOINT_LISTEN, "::", "[::]:53"},
    {ENDPOINT_LISTEN, "[::1]:1", "[::1]:1"},
    {ENDPOINT_ADMIN, "127.0.0.1", "127.0.0.1:9053"},
    {ENDPOINT_ADMIN, "[::1]:80", "[::1]:80"},
    {ENDPOINT_ADMIN, "0.0.0.0", "0.0.0.0:9053"},
    {ENDPOINT_ADMIN, "http://127.0.0.1", NULL},
    {ENDPOINT_ZONE, "10.0.0.1", "10.0.0.1:853"},
    {ENDPOINT_ZONE, "tls://10.0.0.1#a.b", "10.0.0.1:853#a.b"},
    {ENDPOINT_ZONE, "udp://10.0.0.1", "udp://10.0.0.1:53"},
    {ENDPOINT_ZONE, "UDP://10.0.0.1:5353", "udp://10.0.0.1:5353"},
    {ENDPOINT_ZONE, "udp://2001:db8::1", "udp://[2001:db8::1]:53"},
    {ENDPOINT_ZONE, "tcp://[2001:db8::1]:54", "tcp://[2001:db8::1]:54"},
    {ENDPOINT_ZONE, "tcp://10.0.0.1@54", "tcp://10.0.0.1:54"},
    {ENDPOINT_ZONE, "udp://10.0.0.1#a.b", NULL},
    {ENDPOINT_ZONE, "udp://", NULL},
    {ENDPOINT_ZONE, "udp://udp://10.0.0.1", NULL},
    {ENDPOINT_ZONE, "udp://0.0.0.0", NULL},
    {ENDPOINT_ZONE, "udp://224.0.0.1", NULL},
    {ENDPOINT_ZONE, "udp:10.0.0.1", NULL},
    {ENDPOINT_ZONE, "dns://10.0.0.1", NULL},
    {ENDPOINT_SERVER, "udp://10.0.0.1", NULL},
    {ENDPOINT_SERVER, "", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:0", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:65536", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:8530000000000000000000000000", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:853:853", NULL},
    {ENDPOINT_SERVER, "192.0.2.1:853 ", NULL},
    {ENDPOINT_SERVER, " 192.0.2.1", NULL},
    {ENDPOINT_SERVER, "192.0.2.1#", NULL},
    {ENDPOINT_SERVER, "192.0.2.1#a#b", NULL},
    {ENDPOINT_SERVER, "192.0.2.1#a..b", NULL},
    {ENDPOINT_SERVER, "192.0.2.1#.", NULL},
    {ENDPOINT_SERVER, "[2001:db8::1", NULL},
    {ENDPOINT_SERVER, "[]:853", NULL},
    {ENDPOINT_SERVER, "[", NULL},
    {ENDPOINT_SERVER, "#", NULL},
    {ENDPOINT_SERVER, "@", NULL},
    {ENDPOINT_SERVER, "tls://", NULL},
    {ENDPOINT_SERVER, "://", NULL},
    {ENDPOINT_SERVER, "0.0.0.0", NULL},
    {ENDPOINT_SERVER, "::", NULL},
    {ENDPOINT_SERVER, "224.0.0.1", NULL},
    {ENDPOINT_SERVER, "255.255.255.255", NULL},
    {ENDPOINT_SERVER, "ff02::1", NULL},
    {ENDPOINT_LISTEN, "tls://127.0.0.1", NULL},
    {ENDPOINT_LISTEN, "127.0.0.1#a.example", NULL},
};

static const char *to_text(const struct endpoint *e, char *text, size_t len)
{
    char addr[ADDR_TEXT_MAX];

    snprintf(text, len, "%s%s%s%s",
             e->transport == CONFIG_UDP   ? "udp://"
             : e->transport == CONFIG_TCP ? "tcp://"
                                          : "",
             addr_text(&e->addr, addr), *e->name == '\0' ? "" : "#", e->name);
    return text;
}

static void test_notations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(notation_cases); i++) {
        const struct notation_case *t = &notation_cases[i];
        struct endpoint e = {.name = ""};
        char why[HOST_WHY_MAX] = "";
        char text[512];
        int err = endpoint_parse(t->text, t->role, &e, why);

        if (t->want == NULL) {
            if (err != ERR_INVAL || *why == '\0') {
                fail_msg("%s: accepted, or no reason", t->text);
            }
        } else if (err != 0 ||
                   strcmp(to_text(&e, text, sizeof(text)), t->want) != 0) {
            fail_msg("%s: %s %s", t->text, err == 0 ? text : "refused", why);
        }
    }
}

static const struct expect_case listen_cases[] = {
    {"words for addresses",
     EXPECT_SERVER "listen:\n- localhost:5300\n- '*'\n- ':53'\n- 5300\n",
     "t:3:3: listen[0]: \"localhost\" is a name; did you mean "
     "127.0.0.1:5300?\n"
     "t:4:3: listen[1]: no address; did you mean 0.0.0.0, all IPv4 addresses "
     "of this machine (\"[::]\" for IPv6)?\n"
     "t:5:3: listen[2]: no address; did you mean 0.0.0.0:53, all IPv4 "
     "addresses of this machine (\"[::]:53\" for IPv6)?\n"
     "t:6:3: listen[3]: \"5300\" is a port without an address; did you mean "
     "127.0.0.1:5300?\n"},
    {"more than an address",
     EXPECT_SERVER "listen: [udp://127.0.0.1, '127.0.0.1#a.b']\n",
     "t:2:10: listen[0]: udp:// does not belong here: dotstub listens for "
     "plain DNS, UDP and TCP both; did you mean 127.0.0.1?\n"
     "t:2:27: listen[1]: a listen address has no #name; did you mean "
     "127.0.0.1?\n"},
    {"twice",
     EXPECT_SERVER "listen:\n- 127.0.0.1\n- {address: 127.0.0.1, port: 53}\n",
     "t:4:3: listen[1]: 127.0.0.1:53 is in line 3 already\n"},
    {"traps of YAML",
     EXPECT_SERVER "listen:\n- ::\n- 127.0.0.1: 53\n"
                   "- [2001:db8::1]\n- []\n",
     "t:3:3: listen[0]: an address that ends with ':' needs quotes in YAML; "
     "did you mean \"::\"?\n"
     "t:4:3: listen[1]: a blank behind ':' makes a mapping in YAML; did you "
     "mean 127.0.0.1:53?\n"
     "t:5:3: listen[2]: brackets make a list in YAML and need quotes here; "
     "did you mean \"[2001:db8::1]\"?\n"
     "t:6:3: listen[3]: a list where an address is needed\n"},
    {"mappings",
     EXPECT_SERVER "listen:\n- {port: 53}\n- {address: ['::1']}\n"
                   "- {address: 127.0.0.1, port: 0, name: a}\n"
                   "- {ip: 127.0.0.1:53}\n",
     "t:3:3: listen[0]: address is missing\n"
     "t:4:13: listen[1].address: a list where an IP address is needed\n"
     "t:5:30: listen[2].port: 0 is out of range: 1 to 65535\n"
     "t:5:33: listen[2].name: unknown key\n"
     "t:6:4: listen[3].ip: unknown key; did you mean address?\n"
     "t:6:8: listen[3].address: \"127.0.0.1:53\" is more than an address; did "
     "you mean address: 127.0.0.1 (port and name are keys beside it)?\n"},
    {"empty", EXPECT_SERVER "listen: []\n",
     "t:2:9: listen: the list is empty\n"},
    {"nothing", EXPECT_SERVER "listen:\n",
     "t:2:8: listen: has no value; an address is needed\n"},
};

static const struct expect_case address_cases[] = {
    {"not quite addresses",
     "servers:\n- 1.1.1\n- 1.1.1.1.1\n- 1.1.1.256\n- 1.1.1.l\n- 1,1,1,1\n"
     "- 001.1.1.1\n- 1.1..1\n- 1.1.1.1/32\n- 2001:db8:1\n- x\n- -1.1.1.1\n",
     "t:2:3: servers[0]: \"1.1.1\" is not an IP address: it has 3 parts, an "
     "IPv4 address has 4\n"
     "t:3:3: servers[1]: \"1.1.1.1.1\" is not an IP address: it has 5 parts, "
     "an IPv4 address has 4\n"
     "t:4:3: servers[2]: \"1.1.1.256\" is not an IP address: 256 is more than "
     "255\n"
     "t:5:3: servers[3]: \"1.1.1.l\" is not an IP address; did you mean "
     "1.1.1.1?\n"
     "t:6:3: servers[4]: \"1,1,1,1\" is not an IP address; did you mean "
     "1.1.1.1?\n"
     "t:7:3: servers[5]: \"001.1.1.1\" has a zero before a number; did you "
     "mean 1.1.1.1?\n"
     "t:8:3: servers[6]: \"1.1..1\" is not an IP address: a part of it is "
     "empty\n"
     "t:9:3: servers[7]: \"1.1.1.1/32\" is not an IP address; did you mean "
     "1.1.1.1?\n"
     "t:10:3: servers[8]: \"2001:db8:1\" is not an IPv6 address: 8 groups are "
     "needed, or :: in place of groups of zeros\n"
     "t:11:3: servers[9]: \"x\" is not an IP address\n"
     "t:12:3: servers[10]: a space is needed behind the '-' of a list item\n"},
    {"names",
     "servers:\n- dns.quad9.net\n- one.one.one.one:853\n- dns.example\n"
     "- security.cloudflare-dns.com\n",
     "t:2:3: servers[0]: \"dns.quad9.net\" " A_NAME
     "Did you mean quad9, or 9.9.9.9#dns.quad9.net?\n"
     "t:3:3: servers[1]: \"one.one.one.one\" " A_NAME
     "Did you mean cloudflare, or 1.1.1.1#cloudflare-dns.com?\n"
     "t:4:3: servers[2]: \"dns.example\" " A_NAME
     "Write ADDRESS#dns.example with its address\n"
     "t:5:3: servers[3]: \"security.cloudflare-dns.com\" " A_NAME
     "Write ADDRESS#security.cloudflare-dns.com with its address\n"},
    {"words", "servers: [cloudfare, Quad9]\n",
     "t:1:11: servers[0]: \"cloudfare\" is not known; did you mean "
     "cloudflare?\n"
     "t:1:22: servers[1]: \"Quad9\" is not known; did you mean quad9?\n"},
    {"schemes",
     "servers:\n- https://1.1.1.1/dns-query\n- quic://1.1.1.1\n"
     "- udp://1.1.1.1\n- tcp://1.1.1.1:53\n- gopher://1.1.1.1\n",
     "t:2:3: servers[0]: https:// is DNS over HTTPS; dotstub speaks DNS over "
     "TLS only; write ADDRESS#NAME\n"
     "t:3:3: servers[1]: quic:// is DNS over QUIC; dotstub speaks DNS over "
     "TLS only; write ADDRESS#NAME\n"
     "t:4:3: servers[2]: udp:// is not encrypted; a server in clear text is "
     "possible only in a zone that names it, such as zones: "
     "{cluster.local: \"udp://1.1.1.1\"}\n"
     "t:5:3: servers[3]: tcp:// is not encrypted; a server in clear text is "
     "possible only in a zone that names it, such as zones: "
     "{cluster.local: \"udp://1.1.1.1:53\"}\n"
     "t:6:3: servers[4]: gopher:// is not known here; write ADDRESS#NAME\n"},
    {"ports", "servers: ['1.1.1.1:853tls#a.b', '1.1.1.1:99999', '1.1.1.1:x']\n",
     "t:1:11: servers[0]: \"853tls\" is not a port; did you mean 853?\n"
     "t:1:33: servers[1]: port 99999 is out of range: 1 to 65535\n"
     "t:1:50: servers[2]: \"x\" is not a port\n"},
    {"the parts in another order",
     "servers:\n- 9.9.9.9#dns.quad9.net:853\n- 9.9.9.9:853:dns.quad9.net\n"
     "- '[2620:fe::fe]#dns.quad9.net:853'\n- tls://1.1.1.1#a.b:853\n"
     "- 9.9.9.9:853#a.b:853\n- 9.9.9.9#a.b:x\n",
     "t:2:3: servers[0]: \"9.9.9.9#dns.quad9.net:853\" " ORDER
     "9.9.9.9:853#dns.quad9.net?\n"
     "t:3:3: servers[1]: \"9.9.9.9:853:dns.quad9.net\" " ORDER
     "9.9.9.9:853#dns.quad9.net?\n"
     "t:4:3: servers[2]: \"[2620:fe::fe]#dns.quad9.net:853\" " ORDER
     "[2620:fe::fe]:853#dns.quad9.net?\n"
     "t:5:3: servers[3]: \"1.1.1.1#a.b:853\" " ORDER "1.1.1.1:853#a.b?\n"
     "t:6:3: servers[4]: \"a.b:853\" is not a host name: only letters, "
     "digits, '-' and '.' are allowed\n"
     "t:7:3: servers[5]: \"a.b:x\" is not a host name: only letters, "
     "digits, '-' and '.' are allowed\n"},
    {"several in one", "servers: 1.1.1.1, 9.9.9.9\n",
     "t:1:10: servers: \"1.1.1.1, 9.9.9.9\" has blanks or commas in it; is "
     "this more than one? Each goes on a line of its own, behind '- '\n"},
    {"IPv6 in odd forms",
     "servers:\n- fe80::1#a.b\n- fe80::1%no-such-if#a.b\n"
     "- ::ffff:192.0.2.1#a.b\n- '[192.0.2.1]:853'\n",
     "t:2:3: servers[0]: \"fe80::1\" is link-local and needs its interface; "
     "did you mean fe80::1%eth0, with the right name?\n"
     "t:3:3: servers[1]: \"fe80::1%no-such-if\" is not an IPv6 address, or "
     "this machine has no interface \"no-such-if\"\n"
     "t:4:3: servers[2]: \"::ffff:192.0.2.1\" is an IPv4 address in IPv6 "
     "form; did you mean 192.0.2.1?\n"
     "t:5:3: servers[3]: brackets are for IPv6; did you mean "
     "192.0.2.1:853?\n"},
    {"a port that an IPv6 address took", "servers: 2001:db8::1:853\n",
     "t:1:10: warning: servers: 853 is read as a part of the address; with a "
     "port it is \"[2001:db8::1]:853\"\n"
     "t:1:10: warning: servers: " NO_NAME},
};

static void test_listen(void **state)
{
    (void)state;
    expect_cases(listen_cases, COUNT_OF(listen_cases));
}

static void test_addresses(void **state)
{
    (void)state;
    expect_cases(address_cases, COUNT_OF(address_cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notations),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests_name("config_endpoint", tests, NULL, NULL);
}
