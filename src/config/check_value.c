/*
 * Single values: numbers with units, and words of a choice.
 */
#include "config/check.h"

#include "config/suggest.h"
#include "config/value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { RANGE_TEXT_MAX = 3 * VALUE_TEXT_MAX };

bool check_scalar(struct check *c, const struct node *n, const char *path,
                  const char *what)
{
    if (n->kind != NODE_SCALAR) {
        diag_error(c->d, n->at, path, "%s where %s is needed",
                   node_kind_text(n), what);
        return false;
    }
    if (node_is_null(n)) {
        diag_error(c->d, n->at, path, "has no value; %s is needed", what);
        return false;
    }
    if (*n->text == '\0') {
        diag_error(c->d, n->at, path, "is empty; %s is needed", what);
        return false;
    }
    return true;
}

/* "0, or 16 to 512" */
static const char *range_text(const struct key *key, char out[RANGE_TEXT_MAX])
{
    char min[VALUE_TEXT_MAX];
    char max[VALUE_TEXT_MAX];
    enum value_kind kind = (enum value_kind)key->kind;

    snprintf(
        out, RANGE_TEXT_MAX, "%s%s%s to %s", key->zero == NULL ? "" : key->zero,
        key->zero == NULL ? "" : ", or ", value_format(kind, key->min, min),
        value_format(kind, key->max, max));
    return out;
}

static bool is_in_range(const struct key *key, uint64_t number)
{
    return number >= key->min && number <= key->max;
}

/* The unit that makes number fit the key: seconds first. "": none. */
static const char *fitting_unit(const struct key *key, uint64_t number)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"s", 1000}, {"ms", 1}};

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (number <= key->max && is_in_range(key, number * units[i].factor)) {
            return units[i].name;
        }
    }
    return "";
}

static void report_no_unit(struct check *c, const struct key *key,
                           const struct node *n, const char *path,
                           uint64_t number)
{
    const char *unit = fitting_unit(key, number);
    struct diag_quote quote = diag_quote(n->text);

    if (*unit == '\0') {
        diag_error(c->d, n->at, path, "%s has no unit (ms, s, m, h)",
                   quote.text);
    } else {
        diag_error(c->d, n->at, path, "%s has no unit; did you mean %s%s?",
                   quote.text, quote.text, unit);
    }
}

/* Words for on and off; is_taken: not only understood. */
static const struct switch_word {
    const char *word, *meant;
    bool is_taken;
} switch_words[] = {
    {"on", "on", true},       {"off", "off", true},
    {"yes", "on", true},      {"no", "off", true},
    {"true", "on", true},     {"false", "off", true},
    {"1", "on", false},       {"0", "off", false},
    {"enabled", "on", false}, {"disabled", "off", false},
    {"enable", "on", false},  {"disable", "off", false},
    {"always", "on", false},  {"never", "off", false},
};

/* NULL: none of them. */
static const struct switch_word *find_switch_word(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(switch_words); i++) {
        if (strcasecmp(text, switch_words[i].word) == 0) {
            return &switch_words[i];
        }
    }
    return NULL;
}

bool check_switch(struct check *c, const struct node *n, const char *path,
                  uint64_t *out)
{
    if (!check_scalar(c, n, path, "on or off")) {
        return false;
    }
    const struct switch_word *w = find_switch_word(n->text);
    struct diag_quote quote = diag_quote(n->text);
    if (w == NULL) {
        diag_error(c->d, n->at, path, "%s is not on or off", quote.text);
        return false;
    }
    if (!w->is_taken) {
        diag_error(c->d, n->at, path, "%s is not on or off; did you mean %s?",
                   quote.text, w->meant);
        return false;
    }
    *out = strcmp(w->meant, "on") == 0;
    return true;
}

/* Words that people write for 0. */
static bool means_off(const char *text)
{
    static const char *const words[] = {"off",   "no",    "none",
                                        "false", "never", "disabled"};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A hint is only given where following it would help. */
static const char *good_hint(const struct key *key, const char *text,
                             const char *hint)
{
    char unused[VALUE_TEXT_MAX];
    uint64_t number;

    if (key->zero != NULL &&
        (means_off(text) ? strcmp(key->zero, "0") == 0
                         : suggest_is_same(text, key->zero))) {
        return key->zero;
    }
    if (*hint != '\0' &&
        value_parse((enum value_kind)key->kind, hint, &number, unused) ==
            VALUE_OK &&
        is_in_range(key, number)) {
        return hint;
    }
    return NULL;
}

static void report_bad(struct check *c, const struct key *key,
                       const struct node *n, const char *path, const char *hint)
{
    const char *meant = good_hint(key, n->text, hint);
    struct diag_quote quote = diag_quote(n->text);
    const char *what = value_kind_text((enum value_kind)key->kind);
    char range[RANGE_TEXT_MAX];

    if (meant != NULL) {
        diag_error(c->d, n->at, path, "%s is not %s; did you mean %s?",
                   quote.text, what, meant);
    } else {
        diag_error(c->d, n->at, path, "%s is not %s (%s)", quote.text, what,
                   range_text(key, range));
    }
}

bool check_number(struct check *c, const struct key *key, const struct node *n,
                  const char *path, uint64_t *out)
{
    char hint[VALUE_TEXT_MAX];
    char range[RANGE_TEXT_MAX];
    enum value_kind kind = (enum value_kind)key->kind;
    uint64_t number = 0;

    if (!check_scalar(c, n, path, value_kind_text(kind))) {
        return false;
    }
    if (key->zero != NULL && strcmp(n->text, key->zero) == 0) {
        *out = 0;
        return true;
    }
    switch (value_parse(kind, n->text, &number, hint)) {
    case VALUE_NO_UNIT:
        report_no_unit(c, key, n, path, number);
        return false;
    case VALUE_BAD:
        report_bad(c, key, n, path, hint);
        return false;
    case VALUE_OK:
        break;
    }
    /* "0ms" is 0 too where 0 means something. */
    bool is_zero =
        number == 0 && key->zero != NULL && strcmp(key->zero, "0") == 0;
    if (!is_in_range(key, number) && !is_zero) {
        diag_error(c->d, n->at, path, "%s is out of range: %s",
                   diag_quote(n->text).text, range_text(key, range));
        return false;
    }
    *out = number;
    return true;
}

/* "failover, round_robin, fastest or race" */
static const char *choices_text(const struct key *key, char *out, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < key->choice_count && used < len; i++) {
        const char *between = i == 0                      ? ""
                              : i + 1 < key->choice_count ? ", "
                                                          : " or ";
        used += (size_t)snprintf(out + used, len - used, "%s%s", between,
                                 key->choices[i].str);
    }
    return out;
}

bool check_choice(struct check *c, const struct key *key, const struct node *n,
                  const char *path, uint64_t *out)
{
    struct suggest s;
    char words[128] = "";

    choices_text(key, words, sizeof(words));
    if (!check_scalar(c, n, path, words)) {
        return false;
    }
    const struct switch_word *w = find_switch_word(n->text);
    /* "false" is "off" where that is a choice. */
    suggest_init(&s, w == NULL ? n->text : w->meant);
    for (size_t i = 0; i < key->choice_count; i++) {
        if (strcmp(n->text, key->choices[i].str) == 0) {
            *out = (uint64_t)key->choices[i].val;
            return true;
        }
        suggest_offer(&s, key->choices[i].str);
    }
    struct diag_quote quote = diag_quote(n->text);
    if (s.best != NULL) {
        diag_error(c->d, n->at, path, "%s is not %s; did you mean %s?",
                   quote.text, words, s.best);
    } else {
        diag_error(c->d, n->at, path, "%s is not %s", quote.text, words);
    }
    return false;
}
