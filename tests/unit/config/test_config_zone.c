/*
 * Zones: what they may be called, whom they may ask, what is said of those
 * that are not good, and what is loaded from those that are.
 */
#include "base/attr.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_MIXED \
    "all servers of a zone are encrypted or none is, because one that fails " \
    "must never be replaced by clear text\n"

static const struct expect_case name_cases[] = {
    {"no mapping", EXPECT_SERVER "zones: [a]\n",
     "t:2:8: zones: a list where a mapping of suffixes is needed, such as "
     "zones: {cluster.local: \"udp://10.96.0.10\"}\n"},
    {"none", EXPECT_SERVER "zones: {}\n", ""},
    {"the same in other letters, with and without the dot",
     EXPECT_SERVER "zones:\n  Corp.Example: nxdomain\n"
                   "  corp.example.: nxdomain\n",
     "t:4:3: zones.corp.example.: corp.example. is in line 3 already\n"},
    {"a range and a reverse name of it",
     EXPECT_SERVER "zones:\n  10.0.0.0/8: nxdomain\n"
                   "  10.in-addr.arpa: nxdomain\n",
     "t:4:3: zones.10.in-addr.arpa: 10.in-addr.arpa. is in line 3 already\n"},
    {"names that are none",
     EXPECT_SERVER "zones:\n  '*.a': nxdomain\n  a..b: nxdomain\n"
                   "  a b: nxdomain\n  ? [x]\n  : nxdomain\n",
     "t:3:3: zones.*.a: \"*.a\": all names below a name are meant with it; did "
     "you mean a?\n"
     "t:4:3: zones.a..b: \"a..b\" is not a name: it has an empty part\n"
     "t:5:3: zones.a b: \"a b\" is not a name: only letters, digits, '-', '_' "
     "and '.' are allowed\n"
     "t:6:5: zones: a list where a suffix is expected\n"},
    {"underscores are names", EXPECT_SERVER "zones: {_tcp.a_b.c: nxdomain}\n",
     ""},
    {"ranges that are none",
     EXPECT_SERVER "zones:\n  10.1.2.3/8: nxdomain\n  10.0.0.0/33: nxdomain\n"
                   "  10.0.0.0/x: nxdomain\n  10.0.0.1: nxdomain\n"
                   "  fd00::/129: nxdomain\n  fd00::1: nxdomain\n"
                   "  a/8: nxdomain\n  fd00::1/7: nxdomain\n",
     "t:3:3: zones.10.1.2.3/8: \"10.1.2.3/8\" has bits behind its prefix; did "
     "you mean 10.0.0.0/8?\n"
     "t:4:3: zones.10.0.0.0/33: \"10.0.0.0/33\": /33 is not the length of a "
     "prefix (0 to 32)\n"
     "t:5:3: zones.10.0.0.0/x: \"10.0.0.0/x\": /x is not the length of a "
     "prefix (0 to 32)\n"
     "t:6:3: zones.10.0.0.1: an address is no suffix; did you mean "
     "10.0.0.1/32, its reverse name?\n"
     "t:7:3: zones.fd00::/129: \"fd00::/129\": /129 is not the length of a "
     "prefix (0 to 128)\n"
     "t:8:3: zones.fd00::1: an address is no suffix; did you mean "
     "fd00::1/128, its reverse name?\n"
     "t:9:3: zones.a/8: \"a/8\" is not a range of addresses such as "
     "10.0.0.0/8\n"
     "t:10:3: zones.fd00::1/7: \"fd00::1/7\" has bits behind its prefix; did "
     "you mean fc00::/7?\n"},
    {"a range with more than fit",
     EXPECT_SERVER "zones: {10.0.0.0/9: nxdomain, 11.0.0.0/10: nxdomain,\n"
                   "  12.0.0.0/9: nxdomain}\n",
     "t:3:3: zones.12.0.0.0/9: more than 256 zones (a range of addresses may "
     "be several, and so may search)\n"},
    {"more than fit",
     EXPECT_SERVER "zones: {10.0.0.0/9: nxdomain, 11.0.0.0/9: nxdomain,\n"
                   "  a: nxdomain, b: nxdomain}\n",
     "t:3:3: zones.a: more than 256 zones (a range of addresses may be "
     "several, and so may search)\n"
     "t:3:16: zones.b: more than 256 zones (a range of addresses may be "
     "several, and so may search)\n"},
};

static const struct expect_case server_cases[] = {
    {"clear text and TLS",
     EXPECT_SERVER "zones:\n  a: [udp://10.0.0.1, tcp://10.0.0.1]\n"
                   "  b: [udp://10.0.0.1, quad9]\n"
                   "  c:\n    servers:\n    - 9.9.9.9#dns.quad9.net\n"
                   "    - tcp://10.0.0.1\n",
     "t:4:23: zones.b[1]: this server is asked over TLS, the one in line 4 in "
     "clear text: " NOT_MIXED
     "t:8:7: zones.c.servers[1]: this server is asked in clear text, the one "
     "in line 7 over TLS: " NOT_MIXED},
    {"clear text outside of zones",
     "servers: ['udp://10.0.0.1', {address: 'tcp://10.0.0.1:54'}]\n",
     "t:1:11: servers[0]: udp:// is not encrypted; a server in clear text is "
     "possible only in a zone that names it, such as zones: {cluster.local: "
     "\"udp://10.0.0.1\"}\n"
     "t:1:39: servers[1].address: a server in clear text has no keys of its "
     "own; write - \"tcp://10.0.0.1:54\" in place of the mapping, in a zone\n"},
    {"a name to verify in clear text",
     EXPECT_SERVER "zones: {a: 'tcp://10.0.0.1:54#b.c'}\n",
     "t:2:12: zones.a: a server in clear text has no certificate and no #name; "
     "did you mean tcp://10.0.0.1:54, or tls://10.0.0.1:54#b.c?\n"},
    {"another scheme", EXPECT_SERVER "zones: {a: 'dns://10.0.0.1'}\n",
     "t:2:12: zones.a: dns:// is not known here; did you mean "
     "udp://10.0.0.1?\n"},
    {"probably meant in clear text",
     EXPECT_SERVER "zones: {a: '10.0.0.1:53'}\n",
     "t:2:12: warning: zones.a: no name: the server is authenticated by its IP "
     "address in the certificate; add #NAME where you know it (one in clear "
     "text is udp://ADDRESS)\n"
     "t:2:12: warning: zones.a: port 53 is that of unencrypted DNS; DNS over "
     "TLS has 853 (a server in clear text is udp://ADDRESS)\n"},
    {"words for no servers",
     EXPECT_SERVER "zones: {a: NXDOMAIN, b: refuse, c: {servers: block}}\n",
     "t:2:12: zones.a: NXDOMAIN is not a server; did you mean nxdomain?\n"
     "t:2:25: zones.b: refuse is not a server; did you mean nxdomain?\n"
     "t:2:46: zones.c.servers: block is not a server; did you mean "
     "nxdomain?\n"},
    {"nothing", EXPECT_SERVER "zones:\n  a:\n  b: []\n  c: {strategy: race}\n",
     "t:3:5: zones.a: has no value; a server such as 9.9.9.9#dns.quad9.net is "
     "needed\n"
     "t:4:6: zones.b: the list is empty; at least one server is needed, such "
     "as servers: [quad9]\n"
     "t:5:6: zones.c: servers is missing (nxdomain in place of the mapping is "
     "a zone without any)\n"},
    {"twice in one zone, once in each of two",
     EXPECT_SERVER "zones:\n  a: [udp://10.0.0.1, 'udp://10.0.0.1:53']\n"
                   "  b: [udp://10.0.0.1, tcp://10.0.0.1]\n",
     "t:3:23: zones.a[1]: 10.0.0.1:53 is in line 3 already\n"},
    {"dotstub itself",
     "listen: [10.0.0.1, 127.0.0.1]\n" EXPECT_SERVER
     "zones: {a: udp://10.0.0.1, b: {servers: [udp://10.0.0.2, "
     "tcp://127.0.0.1]},\n  c: 'udp://10.0.0.1:54'}\n",
     "t:3:12: zones.a: 10.0.0.1:53 is where dotstub itself listens; it would "
     "ask itself\n"
     "t:3:58: zones.b.servers[1]: 127.0.0.1:53 is where dotstub itself "
     "listens; it would ask itself\n"},
};

static const struct expect_case map_cases[] = {
    {"keys of other programs",
     EXPECT_SERVER "zones:\n  a: {forward_to: udp://10.0.0.1}\n"
                   "  b: {address: udp://10.0.0.1, 0x20: on}\n"
                   "  c: {servers: quad9, colour: x}\n",
     "t:3:7: zones.a.forward_to: unknown key; did you mean servers?\n"
     "t:4:7: zones.b.address: unknown key; did you mean servers?\n"
     "t:4:32: zones.b.0x20: unknown key; did you mean random_case?\n"
     "t:5:23: zones.c.colour: unknown key\n"},
    {"values",
     EXPECT_SERVER "zones:\n  a: {servers: quad9, strategy: x, race_width: 9,\n"
                   "      cache: 1, serve_stale: 1d, random_case: maybe}\n",
     "t:3:33: zones.a.strategy: x is not failover, round_robin, fastest or "
     "race\n"
     "t:3:48: zones.a.race_width: 9 is out of range: 2 to 8\n"
     "t:4:14: zones.a.cache: 1 is not on or off; did you mean on?\n"
     "t:4:30: zones.a.serve_stale: 1d is not a duration such as 4s or 250ms; "
     "did you mean 24h?\n"
     "t:4:47: zones.a.random_case: maybe is not on or off\n"},
    {"what does nothing",
     EXPECT_SERVER
     "zones:\n  a: {servers: quad9, random_case: on, race_width: 2}\n"
     "  b: {servers: udp://10.0.0.1, cache: off, serve_stale: 1h,\n"
     "      strategy: race, race_width: 3}\n"
     "  c: {servers: tcp://10.0.0.1, random_case: on}\n"
     "  d: {servers: quad9, cache: off, serve_stale: 0, random_case: off}\n"
     "  e: {servers: quad9, serve_stale: 1h}\n",
     "t:3:36: warning: zones.a.random_case: has no effect: none of the servers "
     "is asked over UDP\n"
     "t:3:52: warning: zones.a.race_width: has no effect without strategy: "
     "race\n"
     "t:4:57: warning: zones.b.serve_stale: has no effect without a cache\n"
     "t:5:35: warning: zones.b.race_width: 3 is more than there are servers "
     "(1)\n"
     "t:6:45: warning: zones.c.random_case: has no effect: none of the servers "
     "is asked over UDP\n"},
    {"a resolv.conf in the wrong place",
     "servers: {resolv_conf: /etc/resolv.conf}\n"
     "zones:\n  a: {resolv_conf: /dev/null}\n"
     "  b: {servers: [{resolv_conf: /dev/null}]}\n",
     "t:1:11: servers: servers of a resolv.conf are asked in clear text, which "
     "is possible only in a zone that names it, such as zones: {cluster.local: "
     "{servers: {resolv_conf: /etc/resolv.conf}}}\n"
     "t:3:7: zones.a: did you mean {servers: {resolv_conf: FILE}}?\n"
     "t:4:18: zones.b.servers[0]: resolv_conf stands for all servers of a "
     "zone; write servers: {resolv_conf: FILE}, without a list\n"},
    {"a resolv.conf",
     EXPECT_SERVER "zones:\n  a: {servers: {resolv.conf: /dev/null}}\n"
                   "  b: {servers: {resolv_conf: /}}\n"
                   "  c: {servers: {resolv_conf: /no/such/file}}\n"
                   "  d: {servers: {resolv_conf: }}\n"
                   "  e: {servers: {file: /dev/null}}\n"
                   "  f: {servers: {resolv_conf: /dev/null/x}}\n",
     "t:3:17: zones.a.servers.resolv.conf: unknown key; did you mean "
     "resolv_conf?\n"
     "t:4:30: zones.b.servers.resolv_conf: / is a directory; a file is "
     "needed\n"
     "t:5:30: warning: zones.c.servers.resolv_conf: /no/such/file is not there "
     "yet\n"
     "t:6:30: zones.d.servers.resolv_conf: has no value; a file is needed\n"
     "t:7:17: zones.e.servers.file: unknown key; did you mean resolv_conf?\n"
     "t:8:30: zones.f.servers.resolv_conf: /dev/null/x: Not a directory\n"},
};

static const struct expect_case root_cases[] = {
    {"in place of servers", "zones: {.: quad9}\n", ""},
    {"beside servers", EXPECT_SERVER "zones: {.: quad9}\n",
     "t:2:9: zones.\".\": stands for servers, which are in line 1 already\n"},
    {"in clear text", "zones: {.: udp://10.0.0.1}\n",
     "t:1:9: warning: zones.\".\": all that no other zone takes leaves in "
     "clear text\n"},
    {"twice", "zones:\n  .: quad9\n  \".\": quad9\n",
     "t:3:3: zones.\".\": is in line 2 already\n"},
    {"what only other zones can have",
     "zones:\n  .: {servers: quad9, cache: off, serve_stale: 0}\n",
     "t:2:30: zones.\".\".cache: for \".\" this is cache_size at the top of "
     "the file\n"
     "t:2:48: zones.\".\".serve_stale: for \".\" this is serve_stale at the "
     "top of the file\n"},
    {"no servers", "zones:\n  .: nxdomain\n",
     "t:2:3: zones.\".\": its servers are written out, such as \".\": "
     "[quad9]\n"},
    {"a resolv.conf",
     "zones:\n  .: {servers: {resolv_conf: /etc/resolv.conf}}\n",
     "t:2:3: zones.\".\": its servers are written out, such as \".\": "
     "[quad9]\n"},
    {"what is said at the top too",
     "strategy: race\nzones:\n  .: {servers: quad9, strategy: fastest}\n",
     "t:3:33: zones.\".\".strategy: strategy is in line 1 already\n"},
    {"a mistake in it is enough", "zones: {.: quad}\n",
     "t:1:12: zones.\".\": \"quad\" is not known; did you mean quad9?\n"},
    {"dotstub itself", "zones: {.: udp://127.0.0.1}\n",
     "t:1:9: warning: zones.\".\": all that no other zone takes leaves in "
     "clear text\n"
     "t:1:12: zones.\".\": 127.0.0.1:53 is where dotstub itself listens; it "
     "would ask itself\n"},
};

static void test_names(void **state)
{
    (void)state;
    expect_cases(name_cases, COUNT_OF(name_cases));
}

static void test_servers(void **state)
{
    (void)state;
    expect_cases(server_cases, COUNT_OF(server_cases));
}

static void test_maps(void **state)
{
    (void)state;
    expect_cases(map_cases, COUNT_OF(map_cases));
}

static void test_root(void **state)
{
    (void)state;
    expect_cases(root_cases, COUNT_OF(root_cases));
}

/* The zone of that name, which must be there. */
static const struct config_zone *zone(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->zone_count; i++) {
        if (strcmp(c->zones[i].name, name) == 0) {
            return &c->zones[i];
        }
    }
    fail_msg("no zone %s", name);
    return NULL;
}

static void test_loaded(void **state)
{
    struct config *c = expect_load(
        "servers: quad9\nserve_stale: 2h\nstrategy: fastest\n"
        "zones:\n"
        "  Cluster.Local: [udp://10.96.0.10, 'tcp://[fd00::1]:5353']\n"
        "  corp.example.:\n"
        "    servers: [192.0.2.53#dns.example, quad9]\n"
        "    strategy: race\n    race_width: 3\n    cache: no\n"
        "    serve_stale: 0\n"
        "  lan: {servers: {resolv_conf: /etc/hosts}, random_case: yes}\n"
        "  gone.example: nxdomain\n");

    (void)state;
    assert_int_equal(c->zone_count, 4);
    const struct config_zone *z = zone(c, "cluster.local.");
    assert_int_equal(z->pool.server_count, 2);
    assert_string_equal(z->pool.servers[0].label, "udp://10.96.0.10:53");
    assert_string_equal(z->pool.servers[1].label, "tcp://[fd00::1]:5353");
    assert_int_equal(z->pool.servers[1].transport, CONFIG_TCP);
    assert_int_equal(z->pool.strategy, CONFIG_FASTEST);
    assert_int_equal(z->pool.race_width, 2);
    assert_true(z->pool.is_plain);
    assert_false(z->pool.has_random_case);
    assert_false(z->is_nxdomain);
    assert_true(z->is_cached);
    assert_int_equal(z->serve_stale_ms, 7200000);
    assert_null(z->resolv_conf);

    z = zone(c, "corp.example.");
    assert_int_equal(z->pool.server_count, 3);
    assert_string_equal(z->pool.servers[0].label, "192.0.2.53:853#dns.example");
    assert_false(z->pool.is_plain);
    assert_int_equal(z->pool.strategy, CONFIG_RACE);
    assert_int_equal(z->pool.race_width, 3);
    assert_false(z->is_cached);
    assert_int_equal(z->serve_stale_ms, 0);

    z = zone(c, "lan.");
    assert_string_equal(z->resolv_conf, "/etc/hosts");
    assert_int_equal(z->pool.server_count, 0);
    assert_null(z->pool.servers);
    assert_true(z->pool.is_plain);
    assert_true(z->pool.has_random_case);

    z = zone(c, "gone.example.");
    assert_true(z->is_nxdomain);
    assert_int_equal(z->pool.server_count, 0);
    config_destroy(c);
}

/* The pool of "." is that of the configuration; a warning is said. */
static void test_loaded_root(void **state)
{
    static const char yaml[] =
        "zones:\n  .: {servers: [udp://10.0.0.1, tcp://10.0.0.1],\n"
        "      strategy: race, race_width: 2, random_case: on}\n"
        "  a: nxdomain\n";
    struct config *c = NULL;
    struct config_diagnostics d;

    (void)state;
    assert_int_equal(config_load_text(yaml, strlen(yaml), "t", &c, &d), 0);
    assert_int_equal(d.count, 1);
    assert_int_equal(c->pool.server_count, 2);
    assert_true(c->pool.is_plain);
    assert_true(c->pool.has_random_case);
    assert_int_equal(c->pool.strategy, CONFIG_RACE);
    assert_int_equal(c->pool.race_width, 2);
    assert_int_equal(c->zone_count, 1);
    config_diagnostics_finish(&d);
    config_destroy(c);
}

static const struct range_case {
    const char *range;
    size_t count;
    const char *first, *last;
} range_cases[] = {
    {"0.0.0.0/0", 1, "in-addr.arpa.", "in-addr.arpa."},
    {"10.0.0.0/8", 1, "10.in-addr.arpa.", "10.in-addr.arpa."},
    {"128.0.0.0/1", 128, "128.in-addr.arpa.", "255.in-addr.arpa."},
    {"172.16.0.0/12", 16, "16.172.in-addr.arpa.", "31.172.in-addr.arpa."},
    {"192.168.0.0/16", 1, "168.192.in-addr.arpa.", "168.192.in-addr.arpa."},
    {"192.168.1.0/24", 1, "1.168.192.in-addr.arpa.", "1.168.192.in-addr.arpa."},
    {"192.0.2.192/26", 64, "192.2.0.192.in-addr.arpa.",
     "255.2.0.192.in-addr.arpa."},
    {"192.0.2.1/32", 1, "1.2.0.192.in-addr.arpa.", "1.2.0.192.in-addr.arpa."},
    {"::/0", 1, "ip6.arpa.", "ip6.arpa."},
    {"fd00::/8", 1, "d.f.ip6.arpa.", "d.f.ip6.arpa."},
    {"fc00::/7", 2, "c.f.ip6.arpa.", "d.f.ip6.arpa."},
    {"fe80::/10", 4, "8.e.f.ip6.arpa.", "b.e.f.ip6.arpa."},
    {"2001:db8::/33", 8, "0.8.b.d.0.1.0.0.2.ip6.arpa.",
     "7.8.b.d.0.1.0.0.2.ip6.arpa."},
    {"::1/128", 1,
     "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
     "ip6.arpa.",
     NULL},
};

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(range_cases); i++) {
        const struct range_case *t = &range_cases[i];
        char yaml[256];

        snprintf(yaml, sizeof(yaml),
                 "servers: quad9\nzones:\n  '%s': udp://10.0.0.1\n", t->range);
        struct config *c = expect_load(yaml);
        assert_int_equal(c->zone_count, t->count);
        assert_string_equal(c->zones[0].name, t->first);
        assert_string_equal(c->zones[t->count - 1].name,
                            t->last == NULL ? t->first : t->last);
        assert_string_equal(c->zones[t->count - 1].pool.servers[0].label,
                            "udp://10.0.0.1:53");
        config_destroy(c);
    }
}

#define ONE_ZONE "zones: {search: {servers: {resolv_conf: r}}}\n"
#define SKIPPED  "t:2:9: warning: zones.search: r: a search domain is skipped: "
#define NO_ZONE \
    "; no zone comes of it before the configuration is loaded again\n"
#define WHAT_FOR \
    "stands for the domains of the search line of a resolv.conf, as in " \
    "search: {servers: {resolv_conf: /etc/resolv.conf}}; a zone of that name " \
    "is \"search.\"\n"

static const struct search_case {
    const char *title;
    const char *file; /* r */
    const char *zones;
    const char *want;  /* all that is said */
    const char *names; /* of the zones with servers of r */
} search_cases[] = {
    {"those of a pod",
     "nameserver 10.96.0.10\n"
     "search ns.svc.cluster.local svc.cluster.local cluster.local\n"
     "options ndots:5\n",
     ONE_ZONE, "", "ns.svc.cluster.local. svc.cluster.local. cluster.local. "},
    {"blanks, capitals, a final dot, no final newline",
     "search\t a.B.  \tC.d\t\r\nsearch  E.f. \t g.h", ONE_ZONE, "",
     "e.f. g.h. "},
    {"a line ends with CR LF", "search a.b c.d\r\n", ONE_ZONE, "",
     "a.b. c.d. "},
    {"domain is one, and the last line counts",
     "search a.b c.d\ndomain e.f g.h\n", ONE_ZONE, "", "e.f. "},
    {"search after domain", "domain e.f\nsearch a.b c.d\n", ONE_ZONE, "",
     "a.b. c.d. "},
    {"lines that do not count",
     "search a.b\nsearch\ndomain \t\n search c.d\n#search c.d\n"
     "; search c.d\nsearches c.d\nSEARCH c.d\nsearch \n",
     ONE_ZONE, "", "a.b. "},
    {"a domain twice", "search a.b A.b. a.b\n", ONE_ZONE, "", "a.b. "},
    {"what is written out comes first, wherever it is",
     "search a.b one c.d e.f\n",
     "zones: {A.b: udp://10.0.0.1, search: {servers: {resolv_conf: r}},\n"
     "  one: nxdomain, c.d.: nxdomain}\n",
     "", "e.f. "},
    {"a zone of that name", "search a.b\n", "zones: {search.: nxdomain}\n", "",
     ""},
    {"domains that are skipped",
     "search . lan a..b x.y *.a \x1b[1m.a caf\xc3\xa9.fr 10.0.0.1\n", ONE_ZONE,
     SKIPPED "\".\" is all names; a name is needed\n" SKIPPED
             "\"lan\" is a single label; where it is meant, write it as a zone "
             "of its own\n" SKIPPED
             "\"a..b\" is not a name: it has an empty part\n" SKIPPED
             "\"*.a\": all names below a name are meant with it; did you mean "
             "a?\n" SKIPPED
             "\"?[1m.a\" is not a name: only letters, digits, '-', '_' and '.' "
             "are allowed\n" SKIPPED
             "\"caf??.fr\" is not a name: only letters, digits, '-', '_' and "
             "'.' are allowed\n" SKIPPED
             "\"10.0.0.1\" is an address; a name is needed\n",
     "x.y. "},
    {"no search line", "nameserver 10.0.0.1\n", ONE_ZONE,
     "t:2:9: warning: zones.search: r: no search line" NO_ZONE, ""},
    {"no file", NULL, ONE_ZONE,
     "t:2:9: warning: zones.search: r: No such file or directory" NO_ZONE
     "t:2:41: warning: zones.search.servers.resolv_conf: r is not there yet\n",
     ""},
    {"more than fit", "search a.b c.d e.f\n",
     "zones: {10.0.0.0/9: nxdomain, 172.0.0.0/10: nxdomain,\n"
     "  192.0.0.0/11: nxdomain, 193.0.0.0/12: nxdomain,\n"
     "  194.0.0.0/13: nxdomain, 195.0.0.0/14: nxdomain, x: nxdomain,\n"
     "  y: nxdomain, search: {servers: {resolv_conf: r}}}\n",
     "t:5:16: zones.search: more than 256 zones (a range of addresses may be "
     "several, and so may search)\n",
     NULL},
    {"other servers", "search a.b\n", "zones: {search: udp://10.0.0.1}\n",
     "t:2:9: zones.search: " WHAT_FOR, NULL},
    {"DoT servers", "search a.b\n",
     "zones: {search: {servers: quad9, cache: no}}\n",
     "t:2:9: zones.search: " WHAT_FOR, NULL},
    {"no servers", "search a.b\n", "zones: {search: nxdomain}\n",
     "t:2:9: zones.search: " WHAT_FOR, NULL},
    {"no file that can be read", "search a.b\n",
     "zones: {search: {servers: {resolv_conf: .}}}\n",
     "t:2:41: zones.search.servers.resolv_conf: . is a directory; a file is "
     "needed\n",
     NULL},
    {"twice", "search a.b\n",
     "zones:\n  search: {servers: {resolv_conf: r}}\n"
     "  search: {servers: {resolv_conf: r}}\n",
     "t:4:3: zones.search: is in line 3 already\n", NULL},
};

static void write_resolv_conf(const char *text)
{
    FILE *f = text == NULL ? NULL : fopen("r", "w");

    if (text == NULL) {
        unlink("r");
        return;
    }
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* The names of those zones that have the servers of r, a blank behind each. */
static char *join_names(const struct config *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    for (size_t i = 0; i < c->zone_count; i++) {
        const struct config_zone *z = &c->zones[i];
        if (z->resolv_conf != NULL) {
            assert_string_equal(z->resolv_conf, "r");
            assert_true(z->pool.is_plain);
            assert_int_equal(z->pool.server_count, 0);
            fprintf(out, "%s ", z->name);
        }
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static void check_search_case(const struct search_case *t)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    char yaml[512];

    write_resolv_conf(t->file);
    snprintf(yaml, sizeof(yaml), EXPECT_SERVER "%s", t->zones);
    int err = config_load_text(yaml, strlen(yaml), "t", &c, &d);
    char *said = expect_join(&d);
    char *names = c == NULL ? NULL : join_names(c);
    if (strcmp(said, t->want) != 0 || (err == 0) != (t->names != NULL) ||
        (err == 0 && strcmp(names, t->names) != 0)) {
        fail_msg("%s: %s\n%s", t->title, names == NULL ? "-" : names, said);
    }
    free(names);
    free(said);
    config_diagnostics_finish(&d);
    config_destroy(c);
}

/* In a folder of its own, where the resolv.conf is called "r". */
static int enter_folder(void **state)
{
    static char folder[sizeof("/tmp/dotstub-zone-XXXXXX")];

    strcpy(folder, "/tmp/dotstub-zone-XXXXXX");
    *state = folder;
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int leave_folder(void **state)
{
    unlink("r");
    return chdir("/") != 0 || rmdir(*state) != 0 ? -1 : 0;
}

static void test_search(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(search_cases); i++) {
        check_search_case(&search_cases[i]);
    }
}

/* All of them are as the mapping says; a file that has changed counts when the
 * configuration is loaded again. */
static void test_search_again(void **state)
{
    static const char yaml[] = EXPECT_SERVER
        "zones:\n  search: {servers: {resolv_conf: r}, cache: no, "
        "strategy: race, random_case: on}\n";

    (void)state;
    write_resolv_conf("search a.b c.d\n");
    struct config *c = expect_load(yaml);
    assert_int_equal(c->zone_count, 2);
    for (size_t i = 0; i < c->zone_count; i++) {
        assert_false(c->zones[i].is_cached);
        assert_false(c->zones[i].is_nxdomain);
        assert_int_equal(c->zones[i].pool.strategy, CONFIG_RACE);
        assert_true(c->zones[i].pool.has_random_case);
    }
    config_destroy(c);
    write_resolv_conf("search c.d e.f g.h\n");
    c = expect_load(yaml);
    assert_int_equal(c->zone_count, 3);
    assert_string_equal(zone(c, "g.h.")->resolv_conf, "r");
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_loaded_root),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test_setup_teardown(test_search, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(test_search_again, enter_folder,
                                        leave_folder),
    };

    return cmocka_run_group_tests_name("config_zone", tests, NULL, NULL);
}
