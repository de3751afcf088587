/*
 * The table of keys, and the words of those that take one of several.
 */
#include "config/keys.h"

#include "base/attr.h"
#include "config/config.h"

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
#define ROW_PATH(name_, member_, kind_) \
    {.name = #name_, .kind = KEY_KIND_##kind_},

const struct key keys_table[] = {KEYS(ROW_NUMBER, ROW_CHOICE, ROW_PATH)};

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
};

static const char *kind_text(enum key_kind kind)
{
    static const char *const texts[] = {
        [KEY_KIND_COUNT] = "count",     [KEY_KIND_DURATION] = "duration",
        [KEY_KIND_SIZE] = "size",       [KEY_KIND_CHOICE] = "choice",
        [KEY_KIND_FILE] = "file",       [KEY_KIND_FOLDER] = "folder",
        [KEY_KIND_STATE] = "state",     [KEY_KIND_LIST] = "list",
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
    } else {
        enum value_kind kind = (enum value_kind)k->kind;
        fprintf(out, "%s\t%s\n", value_format(kind, k->min, min),
                value_format(kind, k->max, max));
    }
}

void config_print_keys(FILE *out)
{
    fputs("listen\tlist\t127.0.0.1 ::1\t1\t64\n", out);
    fputs("servers\tlist\t-\t1\t64\n", out);
    for (size_t i = 0; i < SERVER_KEYS_TOTAL; i++) {
        print_key(out, "servers.", &keys_of_server[i]);
    }
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        print_key(out, "", &keys_table[i]);
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
