/*
 * The table of keys, and the words of those that take one of several.
 */
#include "config/keys.h"

#include "base/attr.h"
#include "config/config.h"

#include <inttypes.h>

const cyaml_strval_t keys_strategies[] = {
    {"failover", CONFIG_FAILOVER},
    {"round_robin", CONFIG_ROUND_ROBIN},
    {"fastest", CONFIG_FASTEST},
    {"race", CONFIG_RACE},
};

const cyaml_strval_t keys_log_levels[] = {
    {"error", LOG_ERROR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO},   {"debug", LOG_DEBUG},
};

const cyaml_strval_t keys_log_formats[] = {
    {"text", LOG_TEXT},
    {"json", LOG_JSON},
};

const cyaml_strval_t keys_sandbox[] = {
    {"off", CONFIG_SANDBOX_OFF},
    {"on", CONFIG_SANDBOX_ON},
    {"kill", CONFIG_SANDBOX_KILL},
};

const cyaml_strval_t keys_deny_answers[] = {
    {"nxdomain", POLICY_DENY_NXDOMAIN},
    {"zero", POLICY_DENY_ZERO},
};

const cyaml_strval_t keys_ecs[] = {
    {"remove", false},
    {"zero", true},
};

const cyaml_strval_t keys_show_addresses[] = {
    {"none", CONFIG_ADDRESS_NONE},
    {"short", CONFIG_ADDRESS_SHORT},
    {"full", CONFIG_ADDRESS_FULL},
};

#define ROW_NUMBER(name_, member_, kind_, default_, zero_, min_, max_) \
    {.name = #name_, \
     .kind = KEY_KIND_##kind_, \
     .fallback = (default_), \
     .zero = (zero_), \
     .min = (min_), \
     .max = (max_)},
#define ROW_CHOICE(name_, member_, default_, choices_) \
    {.name = #name_, \
     .kind = KEY_KIND_CHOICE, \
     .fallback = (default_), \
     .choices = (choices_), \
     .choice_count = COUNT_OF(choices_)},
#define ROW_SWITCH(name_, member_, default_) \
    {.name = #name_, .kind = KEY_KIND_SWITCH, .fallback = (default_)},
#define ROW_PATH(name_, member_, kind_, default_) \
    {.name = #name_, .kind = KEY_KIND_##kind_, .fallback = (default_)},
#define ROW_LIST(name_, member_, count_, kind_, default_, max_) \
    {.name = #name_, \
     .kind = KEY_KIND_LIST, \
     .item = KEY_KIND_##kind_, \
     .fallback = (default_), \
     .min = 0, \
     .max = (max_)},

const struct key keys_table[] = {
    KEYS(ROW_NUMBER, ROW_CHOICE, ROW_SWITCH, ROW_PATH, ROW_LIST)};

const struct key keys_of_top[] = {
    [TOP_LISTEN] = {.name = "listen",
                    .kind = KEY_KIND_LIST,
                    .item = KEY_KIND_ADDRESS,
                    .fallback = "127.0.0.1 ::1",
                    .min = 1,
                    .max = 64},
    [TOP_SERVERS] = {.name = "servers",
                     .kind = KEY_KIND_LIST,
                     .item = KEY_KIND_ADDRESS,
                     .min = 1,
                     .max = 64},
    [TOP_ZONES] = {.name = "zones", .kind = KEY_KIND_MAP},
    [TOP_ALLOW] = {.name = "allow",
                   .kind = KEY_KIND_LIST,
                   .item = KEY_KIND_RANGE,
                   .fallback = "private",
                   .min = 1,
                   .max = KEYS_NAMES_MAX},
    [TOP_ADMIN] = {.name = "admin",
                   .kind = KEY_KIND_LIST,
                   .item = KEY_KIND_ADDRESS,
                   .fallback = "off",
                   .min = 0,
                   .max = 64},
};

const struct key keys_of_server[] = {
    [SERVER_KEY_ADDRESS] = {.name = "address", .kind = KEY_KIND_ADDRESS},
    [SERVER_KEY_PORT] = {.name = "port",
                         .kind = KEY_KIND_COUNT,
                         .fallback = "853",
                         .min = 1,
                         .max = UINT16_MAX},
    [SERVER_KEY_NAME] = {.name = "name", .kind = KEY_KIND_NAME},
    [SERVER_KEY_PINS] = {.name = "pins", .kind = KEY_KIND_LIST},
    [SERVER_KEY_CA_FILE] = {.name = "ca_file", .kind = KEY_KIND_FILE},
    [SERVER_KEY_WEIGHT] = {.name = "weight",
                           .kind = KEY_KIND_COUNT,
                           .fallback = "1",
                           .min = 1,
                           .max = 100},
    [SERVER_KEY_ADDRESSES] = {.name = "addresses", .kind = KEY_KIND_LIST},
};

/* Where there is no fallback the common value holds. */
const struct key keys_of_zone[] = {
    [ZONE_KEY_SERVERS] = {.name = "servers", .kind = KEY_KIND_LIST},
    [ZONE_KEY_STRATEGY] = {.name = "strategy",
                           .kind = KEY_KIND_CHOICE,
                           .choices = keys_strategies,
                           .choice_count = COUNT_OF(keys_strategies)},
    [ZONE_KEY_RACE_WIDTH] = {.name = "race_width",
                             .kind = KEY_KIND_COUNT,
                             .min = 2,
                             .max = 8},
    [ZONE_KEY_CACHE] = {.name = "cache",
                        .kind = KEY_KIND_SWITCH,
                        .fallback = "on"},
    [ZONE_KEY_SERVE_STALE] = {.name = "serve_stale",
                              .kind = KEY_KIND_DURATION,
                              .zero = "0",
                              .min = KEYS_SECOND,
                              .max = UINT64_C(7) * 24 * KEYS_HOUR},
    [ZONE_KEY_RANDOM_CASE] = {.name = "random_case",
                              .kind = KEY_KIND_SWITCH,
                              .fallback = "off"},
};

static const char *kind_text(enum key_kind kind)
{
    static const char *const texts[] = {
        [KEY_KIND_COUNT] = "count",     [KEY_KIND_DURATION] = "duration",
        [KEY_KIND_SIZE] = "size",       [KEY_KIND_PERCENTAGE] = "percentage",
        [KEY_KIND_CHOICE] = "choice",   [KEY_KIND_SWITCH] = "switch",
        [KEY_KIND_FILE] = "file",       [KEY_KIND_FOLDER] = "folder",
        [KEY_KIND_STATE] = "state",     [KEY_KIND_SOCKET] = "socket",
        [KEY_KIND_LOG] = "log",         [KEY_KIND_USER] = "user",
        [KEY_KIND_TAP] = "receiver",    [KEY_KIND_TEXT] = "text",
        [KEY_KIND_LIST] = "list",       [KEY_KIND_MAP] = "mapping",
        [KEY_KIND_ADDRESS] = "address", [KEY_KIND_NAME] = "name",
    };

    return texts[kind];
}

/* "race|failover" for a choice's range. */
static void print_choices(FILE *out, const struct key *k)
{
    for (size_t i = 0; i < k->choice_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : "|", k->choices[i].str);
    }
    fputs("\t-\n", out);
}

static void print_key(FILE *out, const char *parent, const struct key *k)
{
    char min[VALUE_TEXT_MAX];
    char max[VALUE_TEXT_MAX];

    fprintf(out, "%s%s\t%s\t%s\t", parent, k->name, kind_text(k->kind),
            k->fallback == NULL ? "-" : k->fallback);
    if (k->kind == KEY_KIND_CHOICE) {
        print_choices(out, k);
    } else if (k->max == 0) {
        fputs("-\t-\n", out);
    } else if (k->kind == KEY_KIND_LIST) {
        fprintf(out, "%" PRIu64 "\t%" PRIu64 "\n", k->min, k->max);
    } else {
        enum value_kind kind = (enum value_kind)k->kind;
        fprintf(out, "%s\t%s\n", value_format(kind, k->min, min),
                value_format(kind, k->max, max));
    }
}

void config_print_keys(FILE *out)
{
    for (size_t i = 0; i < TOP_TOTAL; i++) {
        print_key(out, "", keys_at(i));
        for (size_t j = 0; i == TOP_SERVERS && j < SERVER_KEYS_TOTAL; j++) {
            print_key(out, "servers.", &keys_of_server[j]);
        }
        for (size_t j = 0; i == TOP_ZONES && j < ZONE_KEYS_TOTAL; j++) {
            print_key(out, "zones.", &keys_of_zone[j]);
        }
    }
}

/* The word of value in a choice; NULL when it has none. */
static const char *word_of(const cyaml_strval_t *words, size_t count,
                           int64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].val == value) {
            return words[i].str;
        }
    }
    return NULL;
}

const char *config_strategy_name(enum config_strategy s)
{
    const char *word =
        word_of(keys_strategies, COUNT_OF(keys_strategies), (int64_t)s);

    return word == NULL ? "unknown" : word;
}
