/*
 * The configuration: what the YAML file says, with every default filled in and
 * every value checked. Never changed after loading; shared by reference count.
 *
 * config/dotstub.yaml shows every key; docs/configuration.md explains it. Keys
 * are the members' names with units taken off (query_timeout_ms is
 * query_timeout).
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/log.h"
#include "config/tap.h"
#include "policy/access.h"
#include "policy/policy.h"
#include "tls/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum config_strategy {
    CONFIG_FAILOVER,    /* in the order of the file */
    CONFIG_ROUND_ROBIN, /* in turn, by weight */
    CONFIG_FASTEST,     /* better of two by measured latency */
    CONFIG_RACE,        /* ask race_width at once, first good answer */
};

/* How queries travel to a server. In clear text only where a zone names such
 * a server openly. */
enum config_transport {
    CONFIG_TLS, /* RFC 7858 */
    CONFIG_UDP, /* plain; over TCP again when an answer was cut */
    CONFIG_TCP, /* plain */
};

/* One server. */
struct config_server {
    char *label; /* "1.1.1.1:853#cloudflare-dns.com", "udp://10.0.0.1:53" */
    struct addr addr;
    struct addr *more; /* further addresses of the same server, raced with the
                          first (RFC 8305); NULL when more_count is 0 */
    size_t more_count; /* at most 7 */
    enum config_transport transport;
    char *name;           /* authentication name; NULL: by IP SAN or pin */
    struct tls_pin *pins; /* NULL when pin_count is 0 */
    size_t pin_count;
    char *ca_file;   /* of its own; NULL: the common one */
    unsigned weight; /* 1-100, default 1 */
};

/* Servers that answer for each other, and how they are asked. All are DoT, or
 * all are plain. */
struct config_pool {
    struct config_server *servers; /* at least 1, at most 64 */
    size_t server_count;
    enum config_strategy strategy;
    unsigned race_width;  /* 2-8, default 2 */
    bool is_plain;        /* every transport is UDP or TCP */
    bool has_random_case; /* plain UDP: "0x20", an answer must repeat the
                               spelling of the question */
};

/* A suffix with servers of its own. */
struct config_zone {
    char *name;        /* "cluster.local.", "10.in-addr.arpa."; lower case */
    bool is_nxdomain;  /* no servers: nothing exists there */
    char *resolv_conf; /* servers are its nameserver lines; pool has none; NULL:
                          they are in pool */
    struct config_pool pool;
    bool is_cached;          /* its answers are kept */
    uint32_t serve_stale_ms; /* the common one unless it has its own */
};

/* Landlock, seccomp, no_new_privs. */
enum config_sandbox {
    CONFIG_SANDBOX_OFF,
    CONFIG_SANDBOX_ON,
    CONFIG_SANDBOX_KILL, /* what is not allowed ends the process */
};

/* Of clients' addresses in the query log and in dnstap. */
enum config_show_address {
    CONFIG_ADDRESS_NONE,
    CONFIG_ADDRESS_SHORT, /* /24 and /48 */
    CONFIG_ADDRESS_FULL,
};

struct config {
    struct addr *listen; /* default port 53; default 127.0.0.1 and ::1 */
    size_t listen_count; /* at most 64 */

    struct config_pool pool; /* servers, strategy, race_width: of "." */

    struct config_zone *zones; /* besides "."; at most 256 */
    size_t zone_count;

    char *ca_file; /* NULL with ca_dir NULL: the system's store */
    char *ca_dir;

    unsigned workers;            /* 0: as many as CPUs, at most 4 */
    uint32_t query_timeout_ms;   /* 4s: SERVFAIL to the client by then */
    uint32_t connect_timeout_ms; /* 2s: TCP and TLS handshake together */
    uint32_t answer_timeout_ms;  /* 1500ms without any octet while queries
                                      wait: the connection is given up */
    uint32_t retry_min_ms;       /* 250ms: first wait before a server that
                                      failed is tried again; doubles … */
    uint32_t retry_max_ms;       /* 30s: … up to this */
    uint32_t upstream_idle_ms;   /* 0: keep until the server closes; else an
                                      unused connection is closed after this */

    uint32_t warm_for_ms;          /* 10m after the last query connections
                                        are kept ready; 0: only while needed */
    unsigned hedge_budget_percent; /* 3: of queries asked a second time
                                        because the first answer is late; 0:
                                        none */
    uint32_t hedge_min_ms;         /* 10ms: never hedged sooner … */
    uint32_t hedge_max_ms; /* 1s: … nor later than this (within budget) */

    unsigned connections_per_server; /* 1-16, default 2, each worker */
    unsigned queries_per_connection; /* in flight; 1-4096, default 1024 */
    unsigned max_queries;            /* clients' queries in flight, each
                                        worker; 16-65536, default 8192 */
    unsigned padding_block;          /* 0 or 16-512, default 128 */

    uint16_t max_udp_size; /* 512-4096, default 1232 */
    uint32_t udp_buffer;   /* octets asked of the kernel, default 4MiB */

    uint32_t tcp_idle_timeout_ms;         /* 10s */
    unsigned tcp_max_clients;             /* 1000, each worker */
    unsigned tcp_max_clients_per_address; /* 100, each worker */
    unsigned tcp_max_queries_per_client;  /* in flight, 128 */
    uint32_t tcp_max_unread; /* octets a client has not read, 256KiB:
                                          its queries are not read meanwhile */

    enum log_level log_level;   /* notice */
    enum log_format log_format; /* text */

    size_t cache_size;              /* octets; 0: off; 32MiB */
    uint32_t min_ttl_ms;            /* TTLs below are raised to it; 0 */
    uint32_t max_ttl_ms;            /* TTLs above are cut to it; 24h */
    uint32_t max_negative_ttl_ms;   /* of answers that say "no"; 1h */
    uint32_t failure_ttl_ms;        /* how long a failure is believed; 5s */
    uint32_t serve_stale_ms;        /* kept so long past the end; 24h; 0: off */
    uint32_t stale_answer_after_ms; /* no answer for so long: a stale one;
                                       1800ms */
    char *cache_file; /* the cache survives a restart in it; NULL: not */

    /* What is answered here: hosts, records, deny lists, search noise,
     * minimal_any, rebind_protection. Zones are not in it. */
    struct policy_options policy;

    struct cidr *allow; /* clients that are answered; default: loopback, private
                           and link-local ranges */
    size_t allow_count;
    unsigned rate_limit;          /* queries a second for a client's prefix;
                                     0: no limit */
    unsigned rate_burst;          /* at once, after quiet; 0: 2 × rate_limit */
    unsigned response_rate_limit; /* like answers a second for a prefix, over
                                     UDP; 0: no limit */
    unsigned response_rate_slip;  /* every nth answer over that limit is sent
                                     with TC=1; 0: none; 2 */
    bool has_cookies;             /* DNS cookies towards clients, RFC 7873 */
    bool sends_ecs_zero; /* ask servers not to use ECS: 0/0, RFC 7871 7.1.2 */

    char *control;      /* unix socket of the control commands; NULL: none */
    struct addr *admin; /* HTTP: metrics, health, dashboard */
    size_t admin_count; /* 0: off */
    char *user;         /* becomes this user after binding; NULL: stays */
    enum config_sandbox sandbox; /* on */

    char *query_log;           /* "stderr" or a file; NULL: off */
    unsigned query_log_sample; /* one of so many queries, 1 */
    enum config_show_address query_log_addresses;
    bool query_log_names; /* default on: whoever turns it on wants them */

    char *dnstap;          /* where its messages go, as text; NULL: off */
    struct config_tap tap; /* the same, read; its path is in dnstap */
    char *dnstap_identity; /* who they come from; NULL: they do not say */
    enum config_show_address dnstap_addresses;
};

/* What was wrong with a file: every error found, in the order of the lines. */
struct config_diagnostics {
    char **lines;     /* "file:line:column: key.path: what; did you mean x?" */
    bool *is_warning; /* of each line; owned */
    size_t count;
    size_t errors; /* of these, the rest are warnings */
};

void config_diagnostics_finish(struct config_diagnostics *d);

/*
 * Read, check and load file ("-" is standard input). A key that the environment
 * has (DOTSTUB_CACHE_SIZE for cache_size) takes the place of the file's; with
 * servers in the environment the file may be missing.
 * Returns 0 and *out (diagnostics may hold warnings) | ERR_CONFIG (diagnostics
 * say why, at least one) | ERR_NOMEM. d is initialised by the call, finished
 * by the caller.
 */
MUST_USE int config_load(const char *file, struct config **out,
                         struct config_diagnostics *d);

/* The same with an environment of one's own, NULL-ended ("NAME=value"). */
MUST_USE int config_load_environ(const char *file, char *const *environment,
                                 struct config **out,
                                 struct config_diagnostics *d);

/* The file's text from memory, without an environment; file is the name used
 * in messages. */
MUST_USE int config_load_text(const char *text, size_t len, const char *file,
                              struct config **out,
                              struct config_diagnostics *d);

/* Accepts NULL. */
void config_destroy(struct config *c);

/*
 * The nameserver lines of a resolv.conf as plain UDP servers, in their order
 * (at most 64), into *out (zeroed; strategy, race_width and has_random_case
 * are left to the caller). Addresses in self (where dotstub listens itself)
 * are left out. The file is read now; why (why_len octets) says what is wrong
 * with it.
 * Returns 0 | ERR_NOTFOUND (no such file) | ERR_CONFIG (no usable line) |
 * ERR_NOMEM.
 */
MUST_USE int config_resolv_conf(const char *file, const struct addr *self,
                                size_t self_count, struct config_pool *out,
                                char *why, size_t why_len);

/* The same from memory (len octets). */
MUST_USE int config_resolv_conf_text(const char *text, size_t len,
                                     const struct addr *self, size_t self_count,
                                     struct config_pool *out);

/* Free what a pool owns; zeroes it. */
void config_pool_finish(struct config_pool *p);

/* Do a and b mean the same servers, asked alike? */
bool config_server_equal(const struct config_server *a,
                         const struct config_server *b);

/* The versions of libcyaml and libyaml that run, static. */
const char *config_cyaml_version(void);
const char *config_yaml_version(void);

/* "failover", "round_robin", "fastest", "race". */
const char *config_strategy_name(enum config_strategy s);

/* Every key as a row "key<TAB>kind<TAB>default<TAB>min<TAB>max", "-" where it
 * has none; a choice has "one|other" for min, a list its numbers of entries.
 * For tests and completion. */
void config_print_keys(FILE *out);

/* Does a query_log (not NULL) stand for standard error, and not for a file? */
static inline bool config_log_is_stderr(const char *log)
{
    return strcmp(log, "stderr") == 0;
}

#endif
