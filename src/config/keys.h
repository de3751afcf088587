/*
 * The keys of the file: one row each, from which the checks, the libcyaml
 * schema, the defaults and config_print_keys() are made. A new key is a row
 * here and a member of struct config (and a paragraph in config/dotstub.yaml,
 * docs/configuration.md and docs/dotstub.yaml.5: a test compares them).
 *
 *   NUMBER(name, member, kind, default, zero, min, max)
 *       zero: a word that stands for 0 and is taken whatever min is, or NULL
 *   CHOICE(name, member, default, choices)
 *   SWITCH(name, member, default)
 *   PATH(name, member, kind, default)
 *   LIST(name, member, count_member, kind, default, max)
 *       kind: of its entries; default: words with blanks between, or NULL
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/value.h"

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYS_SECOND = 1000,
    KEYS_MINUTE = 60 * KEYS_SECOND,
    KEYS_HOUR = 60 * KEYS_MINUTE,
    KEYS_KIB = 1024,
    KEYS_MIB = 1024 * KEYS_KIB,
};
#define KEYS_GIB (UINT64_C(1024) * KEYS_MIB)

/* Bounds of lists and rates. */
enum {
    KEYS_FILES_MAX = 64,
    KEYS_NAMES_MAX = 4096,
    KEYS_RATE_MAX = 1000000,
};

/* What names of the internet end in, and names of namespaces, teams and
 * services do not. */
#define KEYS_NOISE_TLDS "arpa com edu gov io mil net org"

/* clang-format off */
#define KEYS(NUMBER, CHOICE, SWITCH, PATH, LIST) \
    NUMBER(workers, workers, COUNT, "auto", "auto", 1, 64) \
    CHOICE(strategy, pool.strategy, "failover", keys_strategies) \
    NUMBER(race_width, pool.race_width, COUNT, "2", NULL, 2, 8) \
    NUMBER(query_timeout, query_timeout_ms, DURATION, "4s", NULL, \
           100, KEYS_MINUTE) \
    NUMBER(connect_timeout, connect_timeout_ms, DURATION, "2s", NULL, \
           50, KEYS_MINUTE) \
    NUMBER(answer_timeout, answer_timeout_ms, DURATION, "1500ms", NULL, \
           50, KEYS_MINUTE) \
    NUMBER(retry_min, retry_min_ms, DURATION, "250ms", NULL, \
           10, KEYS_MINUTE) \
    NUMBER(retry_max, retry_max_ms, DURATION, "30s", NULL, \
           100, KEYS_HOUR) \
    NUMBER(upstream_idle, upstream_idle_ms, DURATION, "0", "0", \
           KEYS_SECOND, 24 * KEYS_HOUR) \
    NUMBER(warm_for, warm_for_ms, DURATION, "10m", "0", \
           KEYS_SECOND, 24 * KEYS_HOUR) \
    NUMBER(hedge_budget, hedge_budget_percent, PERCENTAGE, "3%", "0", \
           1, 100) \
    NUMBER(hedge_min, hedge_min_ms, DURATION, "10ms", NULL, \
           1, 10 * KEYS_SECOND) \
    NUMBER(hedge_max, hedge_max_ms, DURATION, "1s", NULL, \
           10, KEYS_MINUTE) \
    NUMBER(connections_per_server, connections_per_server, COUNT, "2", NULL, \
           1, 16) \
    NUMBER(queries_per_connection, queries_per_connection, COUNT, "1024", \
           NULL, 1, 4096) \
    NUMBER(max_queries, max_queries, COUNT, "8192", NULL, 16, 65536) \
    NUMBER(padding_block, padding_block, SIZE, "128", "0", 16, 512) \
    NUMBER(max_udp_size, max_udp_size, SIZE, "1232", NULL, 512, 4096) \
    NUMBER(udp_buffer, udp_buffer, SIZE, "4MiB", NULL, \
           64 * KEYS_KIB, 256 * KEYS_MIB) \
    NUMBER(tcp_idle_timeout, tcp_idle_timeout_ms, DURATION, "10s", NULL, \
           100, KEYS_HOUR) \
    NUMBER(tcp_max_clients, tcp_max_clients, COUNT, "1000", NULL, 1, 65536) \
    NUMBER(tcp_max_clients_per_address, tcp_max_clients_per_address, COUNT, \
           "100", NULL, 1, 65536) \
    NUMBER(tcp_max_queries_per_client, tcp_max_queries_per_client, COUNT, \
           "128", NULL, 1, 4096) \
    NUMBER(tcp_max_unread, tcp_max_unread, SIZE, "256KiB", NULL, \
           4 * KEYS_KIB, 64 * KEYS_MIB) \
    CHOICE(log_level, log_level, "notice", keys_log_levels) \
    CHOICE(log_format, log_format, "text", keys_log_formats) \
    PATH(ca_file, ca_file, FILE, NULL) \
    PATH(ca_dir, ca_dir, FOLDER, NULL) \
    NUMBER(cache_size, cache_size, SIZE, "32MiB", "0", 64 * KEYS_KIB, \
           16 * KEYS_GIB) \
    NUMBER(min_ttl, min_ttl_ms, DURATION, "0", "0", KEYS_SECOND, KEYS_HOUR) \
    NUMBER(max_ttl, max_ttl_ms, DURATION, "24h", NULL, KEYS_SECOND, \
           7 * 24 * KEYS_HOUR) \
    NUMBER(max_negative_ttl, max_negative_ttl_ms, DURATION, "1h", NULL, \
           KEYS_SECOND, 24 * KEYS_HOUR) \
    NUMBER(failure_ttl, failure_ttl_ms, DURATION, "5s", "0", KEYS_SECOND, \
           5 * KEYS_MINUTE) \
    NUMBER(serve_stale, serve_stale_ms, DURATION, "24h", "0", KEYS_SECOND, \
           7 * 24 * KEYS_HOUR) \
    NUMBER(stale_answer_after, stale_answer_after_ms, DURATION, "1800ms", \
           NULL, 10, KEYS_MINUTE) \
    PATH(cache_file, cache_file, STATE, NULL) \
    LIST(hosts, policy.hosts, policy.hosts_count, FILE, NULL, \
         KEYS_FILES_MAX) \
    LIST(records, policy.records, policy.record_count, RECORD, NULL, \
         KEYS_NAMES_MAX) \
    NUMBER(local_ttl, policy.local_ttl_s, DURATION, "60s", "0", \
           KEYS_SECOND, 24 * KEYS_HOUR) \
    LIST(deny_lists, policy.deny_lists, policy.deny_list_count, FILE, NULL, \
         KEYS_FILES_MAX) \
    LIST(deny_names, policy.deny_names, policy.deny_name_count, NAME, NULL, \
         KEYS_NAMES_MAX) \
    LIST(deny_except, policy.deny_except, policy.deny_except_count, NAME, \
         NULL, KEYS_NAMES_MAX) \
    CHOICE(deny_answer, policy.deny_answer, "nxdomain", keys_deny_answers) \
    LIST(search_noise, policy.search_noise, policy.search_noise_count, NAME, \
         NULL, KEYS_NAMES_MAX) \
    LIST(search_noise_tlds, policy.search_noise_tlds, \
         policy.search_noise_tld_count, NAME, KEYS_NOISE_TLDS, \
         KEYS_NAMES_MAX) \
    SWITCH(minimal_any, policy.has_minimal_any, "off") \
    SWITCH(rebind_protection, policy.has_rebind_protection, "off") \
    LIST(rebind_allow, policy.rebind_allow, policy.rebind_allow_count, NAME, \
         NULL, KEYS_NAMES_MAX) \
    NUMBER(rate_limit, rate_limit, COUNT, "0", "0", 1, KEYS_RATE_MAX) \
    NUMBER(rate_burst, rate_burst, COUNT, "auto", "auto", 1, KEYS_RATE_MAX) \
    NUMBER(response_rate_limit, response_rate_limit, COUNT, "0", "0", \
           1, KEYS_RATE_MAX) \
    NUMBER(response_rate_slip, response_rate_slip, COUNT, "2", "0", 1, 100) \
    SWITCH(cookies, has_cookies, "off") \
    CHOICE(ecs, sends_ecs_zero, "remove", keys_ecs) \
    PATH(control, control, SOCKET, "/run/dotstub/control.sock") \
    PATH(user, user, USER, NULL) \
    CHOICE(sandbox, sandbox, "on", keys_sandbox) \
    PATH(query_log, query_log, LOG, "off") \
    NUMBER(query_log_sample, query_log_sample, COUNT, "1", NULL, \
           1, 1000000) \
    CHOICE(query_log_addresses, query_log_addresses, "short", \
           keys_show_addresses) \
    SWITCH(query_log_names, query_log_names, "on") \
    PATH(dnstap, dnstap, TAP, "off") \
    PATH(dnstap_identity, dnstap_identity, TEXT, NULL) \
    CHOICE(dnstap_addresses, dnstap_addresses, "short", keys_show_addresses)
/* clang-format on */

/* Place of a key in keys_table: KEY_query_timeout, … */
enum key_id {
#define KEYS_ID(name, ...) KEY_##name,
    KEYS(KEYS_ID, KEYS_ID, KEYS_ID, KEYS_ID, KEYS_ID)
#undef KEYS_ID
        KEYS_TOTAL
};

enum key_kind {
    KEY_KIND_COUNT = VALUE_COUNT,
    KEY_KIND_DURATION = VALUE_DURATION,
    KEY_KIND_SIZE = VALUE_SIZE,
    KEY_KIND_PERCENTAGE = VALUE_PERCENTAGE,
    KEY_KIND_CHOICE,
    KEY_KIND_SWITCH,
    KEY_KIND_FILE,
    KEY_KIND_FOLDER,
    KEY_KIND_STATE,  /* a file that the program writes, and may not find */
    KEY_KIND_LATER,  /* a file that may come later */
    KEY_KIND_RANGE,  /* of addresses */
    KEY_KIND_RECORD, /* a line as in a zone file */
    KEY_KIND_MAP,
    KEY_KIND_SOCKET, /* "off", or where the program makes a unix socket */
    KEY_KIND_LOG,  /* "off", "stderr", or a file that the program appends to */
    KEY_KIND_USER, /* a name or a number */
    KEY_KIND_TAP,  /* "off", or where dnstap messages go (config/tap.h) */
    KEY_KIND_TEXT, /* any, of one line */
    KEY_KIND_LIST,
    /* Those that have a checker of their own. */
    KEY_KIND_ADDRESS,
    KEY_KIND_NAME,
};

struct key {
    const char *name;
    enum key_kind kind;
    enum key_kind item;   /* a list's: kind of its entries */
    const char *fallback; /* as in the file; NULL: none */
    const char *zero;
    uint64_t min, max;             /* of a list: entries */
    const cyaml_strval_t *choices; /* of KEY_KIND_CHOICE, else NULL */
    size_t choice_count;
};

extern const cyaml_strval_t keys_strategies[4];
extern const cyaml_strval_t keys_log_levels[5];
extern const cyaml_strval_t keys_log_formats[2];
extern const cyaml_strval_t keys_deny_answers[2];
extern const cyaml_strval_t keys_ecs[2];
extern const cyaml_strval_t keys_sandbox[3];
extern const cyaml_strval_t keys_show_addresses[3];

extern const struct key keys_table[KEYS_TOTAL];

/* Those with a shape of their own; in a file they come before the others. */
enum key_top {
    TOP_LISTEN,
    TOP_SERVERS,
    TOP_ZONES,
    TOP_ALLOW,
    TOP_ADMIN,
    TOP_TABLE, /* from here on: keys_table */
    TOP_TOTAL = TOP_TABLE + KEYS_TOTAL
};
extern const struct key keys_of_top[TOP_TABLE];

/* Any key of the file, i below TOP_TOTAL. */
static inline const struct key *keys_at(size_t i)
{
    return i < TOP_TABLE ? &keys_of_top[i] : &keys_table[i - TOP_TABLE];
}

/* Is a value of this kind one that value_parse() reads? */
static inline bool keys_is_number(enum key_kind kind)
{
    return kind <= KEY_KIND_PERCENTAGE;
}

/* What a server's mapping may say. */
enum server_key_id {
    SERVER_KEY_ADDRESS,
    SERVER_KEY_PORT,
    SERVER_KEY_NAME,
    SERVER_KEY_PINS,
    SERVER_KEY_CA_FILE,
    SERVER_KEY_WEIGHT,
    SERVER_KEY_ADDRESSES,
    SERVER_KEYS_TOTAL
};
extern const struct key keys_of_server[SERVER_KEYS_TOTAL];

/* What a zone's mapping may say. */
enum zone_key_id {
    ZONE_KEY_SERVERS,
    ZONE_KEY_STRATEGY,
    ZONE_KEY_RACE_WIDTH,
    ZONE_KEY_CACHE,
    ZONE_KEY_SERVE_STALE,
    ZONE_KEY_RANDOM_CASE,
    ZONE_KEYS_TOTAL
};
extern const struct key keys_of_zone[ZONE_KEYS_TOTAL];

#endif
