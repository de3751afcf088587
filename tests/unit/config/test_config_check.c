/*
 * Keys, single values and rules: what is said about them, to the letter.
 */
#include "base/attr.h"
#include "config/check.h"
#include "expect.h"

#include <string.h>

#define ALWAYS \
    "servers are asked over TLS and verified always, that cannot be turned " \
    "off\n"

static const struct expect_case key_cases[] = {
    {"nothing wrong", EXPECT_SERVER, ""},
    {"camelCase, kebab-case, UPPER_CASE: the value is checked all the same",
     EXPECT_SERVER "queryTimeout: 3s\nconnect-timeout: 1s\nLOG_LEVEL: x\n",
     "t:2:1: queryTimeout: unknown key; did you mean query_timeout?\n"
     "t:3:1: connect-timeout: unknown key; did you mean connect_timeout?\n"
     "t:4:1: LOG_LEVEL: unknown key; did you mean log_level?\n"
     "t:4:12: log_level: x is not error, warning, notice, info or debug\n"},
    {"a slip, and no idea", EXPECT_SERVER "retry_mni: 1s\ncolours: {}\n",
     "t:2:1: retry_mni: unknown key; did you mean retry_min?\n"
     "t:3:1: colours: unknown key\n"},
    {"another program's word", "nameservers: [9.9.9.9#dns.quad9.net]\n",
     "t:1:1: nameservers: unknown key; did you mean servers?\n"},
    {"twice", EXPECT_SERVER "workers: 1\nworkers: 2\nWorkers: 3\n",
     "t:3:1: workers: duplicate key, it is in line 2 already\n"
     "t:4:1: Workers: unknown key; did you mean workers?\n"},
    {"no servers", "workers: 1\n",
     "t:1:1: servers: missing; at least one server is needed, such as "
     "servers: [quad9]\n"},
    {"a guess and the key itself, in either order",
     EXPECT_SERVER "cache: yes\ncache_size: 0\nworkers: 2\nthreads: x\n",
     "t:2:1: cache: unknown key; did you mean cache_size?\n"
     "t:5:1: threads: unknown key; did you mean workers?\n"},
    {"lists and paths behind a guess",
     "nameservers: [x]\nservers: [quad9]\ncaFile: /dev/null\n"
     "ca_file: /dev/null\n",
     "t:1:1: nameservers: unknown key; did you mean servers?\n"
     "t:3:1: caFile: unknown key; did you mean ca_file?\n"},
    {"the key itself twice behind a guess",
     EXPECT_SERVER "cache: 0\ncache_size: 0\ncache_size: x\n",
     "t:2:1: cache: unknown key; did you mean cache_size?\n"
     "t:4:1: cache_size: duplicate key, it is in line 3 already\n"},
    {"verification cannot be turned off",
     "servers: [{address: 9.9.9.9, name: a.b, insecure: true}]\n"
     "verify: no\ntls: off\nTLS-verify: no\n",
     "t:1:41: servers[0].insecure: unknown key; " ALWAYS
     "t:2:1: verify: unknown key; " ALWAYS "t:3:1: tls: unknown key; " ALWAYS
     "t:4:1: TLS-verify: unknown key; " ALWAYS},
    {"a key that is a list", EXPECT_SERVER "? [a]\n: b\n",
     "t:2:3: a list where a key is expected\n"},
};

static const struct expect_case value_cases[] = {
    {"counts",
     EXPECT_SERVER "workers: 0\nrace_width: 5s\nmax_queries: 0x10\n"
                   "connections_per_server: 17\n"
                   "queries_per_connection: -1\ntcp_max_clients: 1e3\n",
     "t:2:10: workers: 0 is out of range: auto, or 1 to 64\n"
     "t:3:13: race_width: 5s is not a whole number; did you mean 5?\n"
     "t:4:14: max_queries: 0x10 is not a whole number (16 to 65536)\n"
     "t:5:25: connections_per_server: 17 is out of range: 1 to 16\n"
     "t:6:25: queries_per_connection: -1 is not a whole number (1 to 4096)\n"
     "t:7:18: tcp_max_clients: 1e3 is not a whole number (1 to 65536)\n"},
    {"a count beyond 64 bits", EXPECT_SERVER "workers: 99999999999999999999\n",
     "t:2:10: workers: 99999999999999999999 is out of range: auto, or 1 to "
     "64\n"},
    {"auto", EXPECT_SERVER "workers: Auto\n",
     "t:2:10: workers: Auto is not a whole number; did you mean auto?\n"},
    {"durations",
     EXPECT_SERVER "query_timeout: 4\nretry_min: 300\nanswer_timeout: 1sec\n"
                   "retry_max: 2h\ntcp_idle_timeout: soon\n"
                   "connect_timeout: 0\nupstream_idle: off\n",
     "t:2:16: query_timeout: 4 has no unit; did you mean 4s?\n"
     "t:3:12: retry_min: 300 has no unit; did you mean 300ms?\n"
     "t:4:17: answer_timeout: 1sec is not a duration such as 4s or 250ms; did "
     "you mean 1s?\n"
     "t:5:12: retry_max: 2h is out of range: 100ms to 1h\n"
     "t:6:19: tcp_idle_timeout: soon is not a duration such as 4s or 250ms "
     "(100ms to 1h)\n"
     "t:7:18: connect_timeout: 0 is out of range: 50ms to 1m\n"
     "t:8:16: upstream_idle: off is not a duration such as 4s or 250ms; did "
     "you mean 0?\n"},
    {"days", EXPECT_SERVER "max_ttl: 1d\nserve_stale: 7d\nretry_max: 1d\n",
     "t:2:10: max_ttl: 1d is not a duration such as 4s or 250ms; did you mean "
     "24h?\n"
     "t:3:14: serve_stale: 7d is not a duration such as 4s or 250ms; did you "
     "mean 168h?\n"
     "t:4:12: retry_max: 1d is not a duration such as 4s or 250ms (100ms to "
     "1h)\n"},
    {"a number that no unit fits", EXPECT_SERVER "query_timeout: 999999999\n",
     "t:2:16: query_timeout: 999999999 has no unit (ms, s, m, h)\n"},
    {"sizes",
     EXPECT_SERVER "udp_buffer: 16M\nmax_udp_size: 64KiB\npadding_block: 8\n"
                   "cache_size: 1KiB\ntcp_max_unread: lots\n",
     "t:2:13: udp_buffer: 16M is not a size such as 1232 or 16MiB; did you "
     "mean 16MiB?\n"
     "t:3:15: max_udp_size: 64KiB is out of range: 512 to 4096\n"
     "t:4:16: padding_block: 8 is out of range: 0, or 16 to 512\n"
     "t:5:13: cache_size: 1KiB is out of range: 0, or 64KiB to 16GiB\n"
     "t:6:17: tcp_max_unread: lots is not a size such as 1232 or 16MiB (4096 "
     "to 64MiB)\n"},
    {"zero where it is off",
     EXPECT_SERVER "padding_block: 0\nupstream_idle: 0ms\ncache_size: 0B\n",
     ""},
    {"choices",
     EXPECT_SERVER "strategy: roundRobin\nlog_level: warn\nlog_format: xml\n",
     "t:2:11: strategy: roundRobin is not failover, round_robin, fastest or "
     "race; did you mean round_robin?\n"
     "t:3:12: log_level: warn is not error, warning, notice, info or debug; "
     "did you mean warning?\n"
     "t:4:13: log_format: xml is not text or json\n"},
    {"wrong types",
     EXPECT_SERVER "workers: [1]\nquery_timeout: {a: b}\nlog_level: []\n"
                   "ca_file: []\nca_dir:\nmax_queries: ~\nretry_min: ''\n",
     "t:2:10: workers: a list where a whole number is needed\n"
     "t:3:16: query_timeout: a mapping where a duration such as 4s or 250ms "
     "is needed\n"
     "t:4:12: log_level: a list where error, warning, notice, info or debug "
     "is needed\n"
     "t:5:10: ca_file: a list where a file is needed\n"
     "t:6:8: ca_dir: has no value; a directory is needed\n"
     "t:7:14: max_queries: has no value; a whole number is needed\n"
     "t:8:12: retry_min: is empty; a duration such as 4s or 250ms is "
     "needed\n"},
    {"quoted numbers are numbers", EXPECT_SERVER "workers: \"2\"\n", ""},
    {"control characters of the file stay out of the message",
     EXPECT_SERVER "workers: \"\\e[31m\\n\"\n",
     "t:2:10: workers: \\x1b[31m\\x0a is not a whole number (auto, or 1 to "
     "64)\n"},
};

static const struct expect_case kind_cases[] = {
    {"percentages", EXPECT_SERVER "hedge_budget: 101%\n",
     "t:2:15: hedge_budget: 101% is out of range: 0, or 1% to 100%\n"},
    {"what is no percentage", EXPECT_SERVER "hedge_budget: 3 percent\n",
     "t:2:15: hedge_budget: 3 percent is not a whole percentage such as 3%; "
     "did you mean 3%?\n"},
    {"a part of one", EXPECT_SERVER "hedge_budget: 0.5%\n",
     "t:2:15: hedge_budget: 0.5% is not a whole percentage such as 3% (0, or "
     "1% to 100%)\n"},
    {"off is 0", EXPECT_SERVER "hedge_budget: off\nwarm_for: never\n",
     "t:2:15: hedge_budget: off is not a whole percentage such as 3%; did you "
     "mean 0?\n"
     "t:3:11: warm_for: never is not a duration such as 4s or 250ms; did you "
     "mean 0?\n"},
    {"switches",
     EXPECT_SERVER "cookies: 1\nsandbox: disabled\nminimal_any: maybe\n"
                   "rebind_protection: [on]\nquery_log_names:\n",
     "t:2:10: cookies: 1 is not on or off; did you mean on?\n"
     "t:3:10: sandbox: disabled is not off, on or kill; did "
     "you mean off?\n"
     "t:4:14: minimal_any: maybe is not on or off\n"
     "t:5:20: rebind_protection: a list where on or off is needed\n"
     "t:6:17: query_log_names: has no value; on or off is needed\n"},
    {"off where it is one of several",
     EXPECT_SERVER "sandbox: false\nlog_format: off\n",
     "t:2:10: sandbox: false is not off, on or kill; did you mean off?\n"
     "t:3:13: log_format: off is not text or json\n"},
    {"every word of a switch",
     EXPECT_SERVER "cookies: ON\nquery_log_names: True\nminimal_any: Yes\n"
                   "rebind_protection: no\nquery_log: stderr\n",
     ""},
    {"names in lists",
     EXPECT_SERVER
     "deny_names: ['*.a.b', .c, ., 192.0.2.1, a_b, 'x y', '', [z], -a]\n",
     "t:2:14: deny_names[0]: \"*.a.b\": all names below a name are meant with "
     "it; did you mean a.b?\n"
     "t:2:23: deny_names[1]: \".c\": all names below a name are meant with it; "
     "did you mean c?\n"
     "t:2:27: deny_names[2]: \".\" is all names; a name is needed\n"
     "t:2:30: deny_names[3]: \"192.0.2.1\" is an address; a name is needed\n"
     "t:2:46: deny_names[5]: \"x y\" is not a name: only letters, digits, '-', "
     "'_' and '.' are allowed\n"
     "t:2:53: deny_names[6]: is empty; a name is needed\n"
     "t:2:57: deny_names[7]: a list where a name is needed\n"
     "t:2:62: deny_names[8]: \"-a\" is not a name: a part of it begins or ends "
     "with '-'\n"},
    {"files in lists",
     EXPECT_SERVER "hosts: [system, /no/such/hosts, /]\n"
                   "deny_lists: [system, {a: b}]\n",
     "t:2:17: hosts[1]: /no/such/hosts: No such file or directory\n"
     "t:2:33: hosts[2]: / is a directory; a file is needed\n"
     "t:3:14: deny_lists[0]: system: No such file or directory\n"
     "t:3:22: deny_lists[1]: a mapping where a file is needed\n"},
    {"one in place of a list", EXPECT_SERVER "hosts: /no/such/hosts\nallow:\n",
     "t:2:8: hosts: /no/such/hosts: No such file or directory\n"
     "t:3:7: allow: has no value; a range of addresses such as 10.0.0.0/8 is "
     "needed\n"},
    {"records",
     EXPECT_SERVER "records: [a.lan A 192.0.2.1, a.lan A x, \"a\\e TXT b\"]\n",
     "t:2:30: records[1]: \"a.lan A x\": \"x\" is not an IPv4 address\n"
     "t:2:41: records[2]: \"a\\x1b TXT b\" has a control character in it\n"},
    {"ranges",
     EXPECT_SERVER "allow: [10.0.0.1/8, all, local, x, localhost, 1.1.1.1/, "
                   "'::/129']\n",
     "t:2:9: allow[0]: \"10.0.0.1/8\" has bits behind its prefix; did you mean "
     "10.0.0.0/8?\n"
     "t:2:21: allow[1]: \"all\" is not a range of addresses such as "
     "10.0.0.0/8; did you mean any?\n"
     "t:2:26: allow[2]: \"local\" is not a range of addresses such as "
     "10.0.0.0/8; did you mean private?\n"
     "t:2:33: allow[3]: \"x\" is not a range of addresses such as "
     "10.0.0.0/8\n"
     "t:2:36: allow[4]: \"localhost\" is not a range of addresses such as "
     "10.0.0.0/8; did you mean 127.0.0.0/8?\n"
     "t:2:47: allow[5]: \"1.1.1.1/\": / is not the length of a prefix (0 to "
     "32)\n"
     "t:2:57: allow[6]: \"::/129\": /129 is not the length of a prefix (0 to "
     "128)\n"},
    {"nobody", EXPECT_SERVER "allow: []\n",
     "t:2:8: allow: the list is empty: no client would be answered\n"},
    {"places", EXPECT_SERVER "control: on\nquery_log: yes\nuser: a:b\n",
     "t:2:10: control: on does not say where; off or a unix socket's path is "
     "needed\n"
     "t:3:12: query_log: yes does not say where; off, stderr or a file is "
     "needed\n"
     "t:4:7: user: \"a:b\" is more than a user: the group is the user's own\n"},
    {"other words",
     EXPECT_SERVER "control: none\nquery_log: stdout\nuser: -x\n",
     "t:2:10: control: none is not off or a unix socket's path; did you mean "
     "off?\n"
     "t:3:12: query_log: stdout is not off, stderr or a file; did you mean "
     "stderr?\n"
     "t:4:7: user: \"-x\" is not a user's name or number\n"},
    {"places that are taken",
     EXPECT_SERVER "control: /dev/null\nquery_log: /\n",
     "t:2:10: control: /dev/null is there and is not a socket\n"
     "t:3:12: query_log: / is a directory; a file is needed\n"},
    {"places that cannot be",
     EXPECT_SERVER
     "control: /tmp/0123456789/0123456789/0123456789/0123456789/0123456789/"
     "0123456789/0123456789/0123456789/0123456789/0123456789/x\n"
     "query_log: /no/such/log\n",
     "t:2:10: control: \"/tmp/0123456789/0123456789/0123456789/0123456789/"
     "0123456789/0123456789/0123456789/012345…\" is too long for a unix "
     "socket: at most 107 octets\n"
     "t:3:12: query_log: /no/such: No such file or directory\n"},
    {"dnstap, in its own words",
     EXPECT_SERVER "dnstap: unix:///tmp/x\ndnstap_identity: 5\n"
                   "dnstap_addresses: full\n",
     ""},
    {"dnstap to another machine", EXPECT_SERVER "dnstap: tcp://192.0.2.1:1\n",
     "t:2:9: warning: dnstap: what clients ask leaves this machine in clear "
     "text\n"},
    {"dnstap on", EXPECT_SERVER "dnstap: on\n",
     "t:2:9: dnstap: on does not say where; off, unix:/PATH, "
     "tcp://ADDRESS:PORT or a file is needed\n"},
    {"dnstap never", EXPECT_SERVER "dnstap: never\n",
     "t:2:9: dnstap: never is not off, unix:/PATH, tcp://ADDRESS:PORT or a "
     "file; did you mean off?\n"},
    {"dnstap to an address alone", EXPECT_SERVER "dnstap: 127.0.0.1:6000\n",
     "t:2:9: dnstap: \"127.0.0.1:6000\" is not off, unix:/PATH, "
     "tcp://ADDRESS:PORT or a file; did you mean tcp://127.0.0.1:6000?\n"},
    {"dnstap to Unbound's notation", EXPECT_SERVER "dnstap: 127.0.0.1@6000\n",
     "t:2:9: dnstap: \"127.0.0.1@6000\" is not off, unix:/PATH, "
     "tcp://ADDRESS:PORT or a file; did you mean tcp://127.0.0.1:6000?\n"},
    {"dnstap over TLS", EXPECT_SERVER "dnstap: tls://127.0.0.1:6000\n",
     "t:2:9: dnstap: \"tls://127.0.0.1:6000\" is not off, unix:/PATH, "
     "tcp://ADDRESS:PORT or a file\n"},
    {"dnstap without a port", EXPECT_SERVER "dnstap: tcp://127.0.0.1\n",
     "t:2:9: dnstap: \"tcp://127.0.0.1\" is not off, unix:/PATH, "
     "tcp://ADDRESS:PORT or a file\n"},
    {"dnstap without a place", EXPECT_SERVER "dnstap: 'unix:'\n",
     "t:2:9: dnstap: \"unix:\" is not off, unix:/PATH, tcp://ADDRESS:PORT or "
     "a file\n"},
    {"dnstap to what is no socket", EXPECT_SERVER "dnstap: unix:/dev/null\n",
     "t:2:9: dnstap: /dev/null is there and is not a socket\n"},
    {"dnstap to what is no file", EXPECT_SERVER "dnstap: /dev/null\n",
     "t:2:9: dnstap: /dev/null is not a file\n"},
    {"dnstap to a folder that is not there",
     EXPECT_SERVER "dnstap: /no/such/tap\n",
     "t:2:9: dnstap: /no/such: No such file or directory\n"},
    {"dnstap as somebody, off",
     EXPECT_SERVER "dnstap_identity: me\ndnstap_addresses: none\n",
     "t:2:18: warning: dnstap_identity: has no effect without dnstap\n"
     "t:3:19: warning: dnstap_addresses: has no effect without dnstap\n"},
    {"admin",
     EXPECT_SERVER "admin: [http://127.0.0.1, 9053, 127.0.0.1, "
                   "'127.0.0.1:9053']\n",
     "t:2:9: admin[0]: http:// does not belong here: an address, perhaps with "
     "a "
     "port, is needed; did you mean 127.0.0.1?\n"
     "t:2:27: admin[1]: \"9053\" is a port without an address; did you mean "
     "127.0.0.1:9053?\n"
     "t:2:44: admin[3]: 127.0.0.1:9053 is in line 2 already\n"},
    {"admin at a port that is taken",
     EXPECT_SERVER "listen: 127.0.0.1:5300\nadmin: 127.0.0.1:5300\n",
     "t:3:8: admin: 127.0.0.1:5300 is where clients are listened to\n"},
    {"other programs' words",
     EXPECT_SERVER "blocklists: /dev/null\nrrl: 10\nforward-zone: {a: "
                   "nxdomain}\naccess-control: any\n",
     "t:2:1: blocklists: unknown key; did you mean deny_lists?\n"
     "t:3:1: rrl: unknown key; did you mean response_rate_limit?\n"
     "t:4:1: forward-zone: unknown key; did you mean zones?\n"
     "t:5:1: access-control: unknown key; did you mean allow?\n"},
};

static const struct expect_case rule_cases[] = {
    {"hedging the wrong way round", EXPECT_SERVER "hedge_min: 2s\n",
     "t:2:12: hedge_min: 2s is more than hedge_max (the default 1s)\n"
     "t:2:12: warning: hedge_min: 2s is not less than answer_timeout (the "
     "default 1500ms): by then the query is asked elsewhere anyway\n"},
    {"hedging that comes last",
     EXPECT_SERVER "hedge_min: 1500ms\nhedge_max: 2s\n",
     "t:2:12: warning: hedge_min: 1500ms is not less than answer_timeout (the "
     "default 1500ms): by then the query is asked elsewhere anyway\n"},
    {"exceptions from lists",
     EXPECT_SERVER "deny_lists: /dev/null\ndeny_except: a.b\n", ""},
    {"hedging that is the same", EXPECT_SERVER "hedge_min: 1s\n", ""},
    {"hedging of nothing",
     EXPECT_SERVER "hedge_budget: 0\nhedge_min: 2ms\nhedge_max: 2s\n",
     "t:3:12: warning: hedge_min: has no effect with hedge_budget: 0\n"
     "t:4:12: warning: hedge_max: has no effect with hedge_budget: 0\n"},
    {"warm and closed", EXPECT_SERVER "warm_for: 5m\nupstream_idle: 1m\n",
     "t:3:16: warning: warm_for: 5m is more than upstream_idle (1m)\n"},
    {"keys that do nothing",
     EXPECT_SERVER
     "search_noise_tlds: com\nrebind_allow: a.b\nrate_burst: 2\n"
     "response_rate_slip: 1\nquery_log_sample: 2\nquery_log_names: on\n"
     "query_log_addresses: none\ndeny_except: a.b\ndeny_answer: zero\n",
     "t:2:20: warning: search_noise_tlds: has no effect without search_noise\n"
     "t:3:15: warning: rebind_allow: has no effect without rebind_protection: "
     "on\n"
     "t:4:13: warning: rate_burst: has no effect without rate_limit\n"
     "t:5:21: warning: response_rate_slip: has no effect without "
     "response_rate_limit\n"
     "t:6:19: warning: query_log_sample: has no effect without query_log\n"
     "t:7:18: warning: query_log_names: has no effect without query_log\n"
     "t:8:22: warning: query_log_addresses: has no effect without query_log\n"
     "t:9:14: warning: deny_except: has no effect without deny_names and "
     "deny_lists\n"
     "t:10:14: warning: deny_answer: has no effect without deny_names and "
     "deny_lists\n"},
    {"open to all", EXPECT_SERVER "listen: [127.0.0.1, 0.0.0.0]\nallow: any\n",
     "t:3:8: warning: allow: anyone is answered, without a limit, and can have "
     "others flooded with answers; set response_rate_limit, or name the "
     "ranges\n"},
    {"open to all of this machine, or with a limit",
     EXPECT_SERVER "listen: [127.0.0.1, '::1']\nallow: [0.0.0.0/0]\n", ""},
    {"open with a limit",
     EXPECT_SERVER "listen: 0.0.0.0\nallow: any\nresponse_rate_limit: 10\n",
     ""},

    {"retries the wrong way round",
     EXPECT_SERVER "retry_min: 10s\nretry_max: 1s\n",
     "t:3:12: retry_min: 10s is more than retry_max (1s)\n"},
    {"one of them is a default", EXPECT_SERVER "retry_max: 100ms\n",
     "t:2:12: retry_min: the default 250ms is more than retry_max (100ms)\n"},
    {"nothing is said about what was not understood",
     EXPECT_SERVER "retry_max: 100ms\nretry_min: x\nrace_width: x\n",
     "t:3:12: retry_min: x is not a duration such as 4s or 250ms (10ms to "
     "1m)\n"
     "t:4:13: race_width: x is not a whole number (2 to 8)\n"},
    {"no time for another server",
     EXPECT_SERVER "query_timeout: 2s\nanswer_timeout: 3s\n",
     "t:2:16: warning: connect_timeout: the default 2s is not less than "
     "query_timeout (2s): no time is left to ask another server\n"
     "t:3:17: warning: answer_timeout: 3s is not less than query_timeout "
     "(2s): no time is left to ask another server\n"},
    {"more clients of one than of all",
     EXPECT_SERVER "tcp_max_clients: 10\ntcp_max_clients_per_address: 20\n",
     "t:3:30: warning: tcp_max_clients_per_address: 20 is more than "
     "tcp_max_clients (10)\n"},
    {"a default is not worth a word", EXPECT_SERVER "tcp_max_clients: 10\n",
     ""},
    {"race_width alone", EXPECT_SERVER "race_width: 2\n",
     "t:2:13: warning: race_width: has no effect without strategy: race\n"},
    {"race_width and one server",
     EXPECT_SERVER "race_width: 2\nstrategy: race\n",
     "t:2:13: warning: race_width: 2 is more than there are servers (1)\n"},
    {"a server that is dotstub itself",
     "listen: [192.0.2.1:853, 0.0.0.0:8853]\n"
     "servers:\n- 192.0.2.1#a.b\n- 127.0.0.2:8853#a.b\n- 127.0.0.1#a.b\n"
     "- '[::1]:8853#a.b'\n- 192.0.2.1:8853#a.b\n",
     "t:3:3: servers[0]: 192.0.2.1:853 is where dotstub itself listens; it "
     "would "
     "ask itself\n"
     "t:4:3: servers[1]: 127.0.0.2:8853 is where dotstub itself listens; it "
     "would ask itself\n"},
    {"TTLs the wrong way round", EXPECT_SERVER "min_ttl: 10m\nmax_ttl: 1m\n",
     "t:3:10: min_ttl: 10m is more than max_ttl (1m)\n"},
    {"TTLs that are the same",
     EXPECT_SERVER "min_ttl: 1m\nmax_ttl: 1m\nmax_negative_ttl: 1m\n", ""},
    {"negative answers longer than all",
     EXPECT_SERVER "max_negative_ttl: 2h\nmax_ttl: 1h\n",
     "t:3:10: warning: max_negative_ttl: 2h is more than max_ttl (1h)\n"},
    {"the default of negative answers is not worth a word",
     EXPECT_SERVER "max_ttl: 1m\n", ""},
    {"no cache",
     EXPECT_SERVER "cache_size: 0\nserve_stale: 1h\nmin_ttl: 1s\n"
                   "stale_answer_after: 1m\nmax_negative_ttl: 24h\n"
                   "max_ttl: 1h\nfailure_ttl: 1s\ncache_file: /tmp/x\n",
     "t:3:14: warning: serve_stale: has no effect with cache_size: 0\n"
     "t:4:10: warning: min_ttl: has no effect with cache_size: 0\n"
     "t:5:21: warning: stale_answer_after: has no effect with cache_size: 0\n"
     "t:6:19: warning: max_negative_ttl: has no effect with cache_size: 0\n"
     "t:7:10: warning: max_ttl: has no effect with cache_size: 0\n"
     "t:8:14: warning: failure_ttl: has no effect with cache_size: 0\n"
     "t:9:13: warning: cache_file: has no effect with cache_size: 0\n"},
    {"no cache, and what is off with it",
     EXPECT_SERVER "cache_size: 0\nserve_stale: 0\nmin_ttl: 0\n"
                   "failure_ttl: 0\n",
     ""},
    {"nothing stale is kept",
     EXPECT_SERVER "serve_stale: 0\nstale_answer_after: 1s\n",
     "t:3:21: warning: stale_answer_after: has no effect with serve_stale: "
     "0\n"},
    {"stale answers after the end", EXPECT_SERVER "stale_answer_after: 4s\n",
     "t:2:21: warning: stale_answer_after: 4s is not less than query_timeout "
     "(the default 4s): it has no effect\n"},
};

static const struct expect_case foreign_cases[] = {
    {"servers as mappings and words",
     "DNS_SERVERS:\n"
     "  - {host: 1.1.1.1, port: 853, hostname: cloudflare-dns.com}\n"
     "  - {ip: '2620:fe::fe', port: 8853}\n"
     "  - 9.9.9.9\n"
     "  - nonsense\n",
     "t:1:1: DNS_SERVERS: is a key of another proxy; in dotstub's words: "
     "servers: [\"1.1.1.1#cloudflare-dns.com\", \"[2620:fe::fe]:8853\", "
     "\"9.9.9.9\"]\n"},
    {"a socket as text", EXPECT_SERVER "SOCKET_ADDRESS: 127.0.0.1:5353\n",
     "t:2:1: SOCKET_ADDRESS: is a key of another proxy; in dotstub's words: "
     "listen: [\"127.0.0.1:5353\"]\n"},
    {"a socket as a pair", EXPECT_SERVER "SOCKET_ADDRESS: ['::1', 5353]\n",
     "t:2:1: SOCKET_ADDRESS: is a key of another proxy; in dotstub's words: "
     "listen: [\"[::1]:5353\"]\n"},
    {"a socket as a mapping",
     EXPECT_SERVER "socketAddress: {host: 0.0.0.0, port: 53}\n",
     "t:2:1: socketAddress: is a key of another proxy; in dotstub's words: "
     "listen: [\"0.0.0.0:53\"]\n"},
    {"a port", EXPECT_SERVER "LISTEN_PORT: 5353\n",
     "t:2:1: LISTEN_PORT: is a key of another proxy; in dotstub's words: "
     "listen: [\"127.0.0.1:5353\"]\n"},
    {"a port that is none", EXPECT_SERVER "listen_port: [1]\n",
     "t:2:1: listen_port: is a key of another proxy; in dotstub's words: "
     "listen: [\"127.0.0.1:53\"]\n"},
    {"the key itself is there too", "DNS_SERVERS: [9.9.9.9]\n" EXPECT_SERVER,
     "t:1:1: DNS_SERVERS: is a key of another proxy; in dotstub's words: "
     "servers: [\"9.9.9.9\"]\n"},
    {"nothing to go by", "DNS_SERVERS:\nSOCKET_ADDRESS: []\n",
     "t:1:1: DNS_SERVERS: is a key of another proxy; in dotstub's words: "
     "servers: [\"9.9.9.9#dns.quad9.net\"]\n"
     "t:2:1: SOCKET_ADDRESS: is a key of another proxy; in dotstub's words: "
     "listen: [\"127.0.0.1:53\"]\n"},
};

static void test_keys(void **state)
{
    (void)state;
    expect_cases(key_cases, COUNT_OF(key_cases));
}

static void test_values(void **state)
{
    (void)state;
    expect_cases(value_cases, COUNT_OF(value_cases));
}

static void test_kinds(void **state)
{
    (void)state;
    expect_cases(kind_cases, COUNT_OF(kind_cases));
}

/* 64 files are enough. */
static void test_long_list(void **state)
{
    char yaml[2048] = EXPECT_SERVER "hosts:\n";
    struct expect_case t = {"64 files", yaml, ""};

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        strcat(yaml, "- system\n");
    }
    expect_cases(&t, 1);
    strcat(yaml, "- system\n- x\n");
    t.title = "66 files";
    t.want = "t:67:3: hosts: more than 64 entries\n";
    expect_cases(&t, 1);
}

static void test_rules(void **state)
{
    (void)state;
    expect_cases(rule_cases, COUNT_OF(rule_cases));
}

static void test_foreign(void **state)
{
    (void)state;
    expect_cases(foreign_cases, COUNT_OF(foreign_cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_kinds), cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_rules), cmocka_unit_test(test_foreign),
    };

    return cmocka_run_group_tests_name("config_check", tests, NULL, NULL);
}
