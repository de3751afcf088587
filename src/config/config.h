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
#include "tls/client.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_strategy {
    CONFIG_FAILOVER,    /* in the order of the file */
    CONFIG_ROUND_ROBIN, /* in turn, by weight */
    CONFIG_FASTEST,     /* better of two by measured latency */
    CONFIG_RACE,        /* ask race_width at once, first good answer */
};

/* One DoT server. */
struct config_server {
    char *label; /* "1.1.1.1:853#cloudflare-dns.com", for logs */
    struct addr addr;
    char *name;           /* authentication name; NULL: by IP SAN or pin */
    struct tls_pin *pins; /* NULL when pin_count is 0 */
    size_t pin_count;
    char *ca_file;   /* of its own; NULL: the common one */
    unsigned weight; /* 1-100, default 1 */
};

struct config {
    struct addr *listen; /* default port 53; default 127.0.0.1 and ::1 */
    size_t listen_count; /* at most 64 */

    struct config_server *servers; /* at least 1, at most 64 */
    size_t server_count;

    char *ca_file; /* NULL with ca_dir NULL: the system's store */
    char *ca_dir;

    unsigned workers; /* 0: as many as CPUs, at most 4 */
    enum config_strategy strategy;
    unsigned race_width; /* 2-8, default 2 */

    uint32_t query_timeout_ms;   /* 4s: SERVFAIL to the client by then */
    uint32_t connect_timeout_ms; /* 2s: TCP and TLS handshake together */
    uint32_t answer_timeout_ms;  /* 1500ms without any octet while queries
                                      wait: the connection is given up */
    uint32_t retry_min_ms;       /* 250ms: first wait before a server that
                                      failed is tried again; doubles … */
    uint32_t retry_max_ms;       /* 30s: … up to this */
    uint32_t upstream_idle_ms;   /* 0: keep until the server closes; else an
                                      unused connection is closed after this */

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
};

/* What was wrong with a file: every error found, in the order of the lines. */
struct config_diagnostics {
    char **lines; /* "file:line:column: key.path: what; did you mean x?" */
    size_t count;
    size_t errors; /* of these, the rest are warnings */
};

void config_diagnostics_finish(struct config_diagnostics *d);

/*
 * Read, check and load file ("-" is standard input).
 * Returns 0 and *out (diagnostics may hold warnings) | ERR_CONFIG (diagnostics
 * say why, at least one) | ERR_NOMEM. d is initialised by the call, finished
 * by the caller.
 */
MUST_USE int config_load(const char *file, struct config **out,
                         struct config_diagnostics *d);

/* The same from memory; file is the name used in messages. */
MUST_USE int config_load_text(const char *text, size_t len, const char *file,
                              struct config **out,
                              struct config_diagnostics *d);

/* Accepts NULL. */
void config_destroy(struct config *c);

/* The versions of libcyaml and libyaml that run, static. */
const char *config_cyaml_version(void);
const char *config_yaml_version(void);

/* "failover", "round_robin", "fastest", "race". */
const char *config_strategy_name(enum config_strategy s);

/* Every key as a row "key<TAB>kind<TAB>default<TAB>min<TAB>max", "-" where it
 * has none; a choice has "one|other" for min. For tests and completion. */
void config_print_keys(FILE *out);

#endif
