/*
 * The keys of the file: one row each, from which the checks, the libcyaml
 * schema, the defaults and config_print_keys() are made. A new key is a row
 * here and a member of struct config (and a paragraph in config/dotstub.yaml,
 * docs/configuration.md and docs/dotstub.yaml.5: a test compares them).
 *
 *   NUMBER(name, member, kind, default, zero, min, max)
 *       zero: a word that stands for 0 and is taken whatever min is, or NULL
 *   CHOICE(name, member, default, choices)
 *   PATH(name, member, kind)
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/value.h"

#include <cyaml/cyaml.h>
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

/* clang-format off */
#define KEYS(NUMBER, CHOICE, PATH) \
    NUMBER(workers, workers, COUNT, "auto", "auto", 1, 64) \
    CHOICE(strategy, strategy, "failover", keys_strategies) \
    NUMBER(race_width, race_width, COUNT, "2", NULL, 2, 8) \
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
    PATH(ca_file, ca_file, FILE) \
    PATH(ca_dir, ca_dir, FOLDER) \
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
    PATH(cache_file, cache_file, STATE)
/* clang-format on */

/* Place of a key in keys_table: KEY_query_timeout, … */
enum key_id {
#define KEYS_ID(name, ...) KEY_##name,
    KEYS(KEYS_ID, KEYS_ID, KEYS_ID)
#undef KEYS_ID
        KEYS_TOTAL
};

enum key_kind {
    KEY_KIND_COUNT = VALUE_COUNT,
    KEY_KIND_DURATION = VALUE_DURATION,
    KEY_KIND_SIZE = VALUE_SIZE,
    KEY_KIND_CHOICE,
    KEY_KIND_FILE,
    KEY_KIND_FOLDER,
    KEY_KIND_STATE, /* a file that the program writes, and may not find */
    /* Those that have a checker of their own. */
    KEY_KIND_LIST,
    KEY_KIND_ADDRESS,
    KEY_KIND_NAME,
};

struct key {
    const char *name;
    enum key_kind kind;
    const char *fallback; /* as in the file; NULL: none */
    const char *zero;
    uint64_t min, max;
    const cyaml_strval_t *choices; /* of KEY_KIND_CHOICE, else NULL */
    size_t choice_count;
};

extern const cyaml_strval_t keys_strategies[4];
extern const cyaml_strval_t keys_log_levels[5];
extern const cyaml_strval_t keys_log_formats[2];

extern const struct key keys_table[KEYS_TOTAL];

/* What a server's mapping may say, and a listen entry's (its first two). */
enum server_key_id {
    SERVER_KEY_ADDRESS,
    SERVER_KEY_PORT,
    SERVER_KEY_NAME,
    SERVER_KEY_PINS,
    SERVER_KEY_CA_FILE,
    SERVER_KEY_WEIGHT,
    SERVER_KEYS_TOTAL,
    LISTEN_KEYS_TOTAL = SERVER_KEY_PORT + 1,
};
extern const struct key keys_of_server[SERVER_KEYS_TOTAL];

#endif
