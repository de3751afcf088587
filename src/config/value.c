/*
 * Reading numbers with units. Strict: one number, one unit, nothing else; what
 * is nearly right becomes a hint, never a value.
 */
#include "config/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KIB UINT64_C(1024)

struct unit {
    const char *name;
    uint64_t factor;
};

/* In the order in which value_format() tries them, largest first. */
static const struct unit durations[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"GiB", KIB *KIB *KIB},
    {"MiB", KIB *KIB},
    {"KiB", KIB},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"kB", 1000},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const struct unit percentages[] = {{"%", 1}, {"", 1}, {NULL, 0}};

static const struct unit *const units_of[] = {
    [VALUE_COUNT] = counts,
    [VALUE_DURATION] = durations,
    [VALUE_SIZE] = sizes,
    [VALUE_PERCENTAGE] = percentages,
};

/* Other spellings of units, for hints; case does not count. */
static const struct alias {
    enum value_kind kind;
    const char *spelling, *name;
} aliases[] = {
    {VALUE_DURATION, "msec", "ms"},
    {VALUE_DURATION, "msecs", "ms"},
    {VALUE_DURATION, "millis", "ms"},
    {VALUE_DURATION, "ms", "ms"},
    {VALUE_DURATION, "s", "s"},
    {VALUE_DURATION, "sec", "s"},
    {VALUE_DURATION, "secs", "s"},
    {VALUE_DURATION, "second", "s"},
    {VALUE_DURATION, "seconds", "s"},
    {VALUE_DURATION, "min", "m"},
    {VALUE_DURATION, "mins", "m"},
    {VALUE_DURATION, "minute", "m"},
    {VALUE_DURATION, "minutes", "m"},
    {VALUE_DURATION, "m", "m"},
    {VALUE_DURATION, "h", "h"},
    {VALUE_DURATION, "hr", "h"},
    {VALUE_DURATION, "hour", "h"},
    {VALUE_DURATION, "hours", "h"},
    {VALUE_DURATION, "milliseconds", "ms"},
    {VALUE_SIZE, "k", "KiB"},
    {VALUE_SIZE, "kb", "KiB"},
    {VALUE_SIZE, "kib", "KiB"},
    {VALUE_SIZE, "m", "MiB"},
    {VALUE_SIZE, "mb", "MiB"},
    {VALUE_SIZE, "mib", "MiB"},
    {VALUE_SIZE, "g", "GiB"},
    {VALUE_SIZE, "gb", "GiB"},
    {VALUE_SIZE, "gib", "GiB"},
    {VALUE_SIZE, "b", ""},
    {VALUE_SIZE, "byte", ""},
    {VALUE_SIZE, "bytes", ""},
    {VALUE_SIZE, "octets", ""},
    {VALUE_PERCENTAGE, "%", "%"},
    {VALUE_PERCENTAGE, "percent", "%"},
    {VALUE_PERCENTAGE, "pct", "%"},
};

static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* The digits of a number with an optional fraction. */
struct number {
    uint64_t whole;
    uint64_t fraction; /* over scale */
    uint64_t scale;    /* 1 when there is no fraction */
    size_t len;        /* octets read; 0: not a number */
};

static struct number read_number(const char *text)
{
    struct number n = {.scale = 1};
    const char *p = text;

    /* "010" is 8 in YAML 1.1 and 10 in 1.2: neither is taken. */
    if (*p == '0' && isdigit((unsigned char)p[1])) {
        return n;
    }
    for (; isdigit((unsigned char)*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        n.whole = multiply(n.whole, 10);
        n.whole = n.whole > UINT64_MAX - digit ? UINT64_MAX : n.whole + digit;
    }
    if (p != text && *p == '.' && isdigit((unsigned char)p[1])) {
        for (p++; isdigit((unsigned char)*p) && n.scale < 1000000; p++) {
            n.fraction = n.fraction * 10 + (uint64_t)(*p - '0');
            n.scale *= 10;
        }
    }
    n.len = (size_t)(p - text);
    return n;
}

/* n times factor, where that is a whole number. */
static bool scale_number(struct number n, uint64_t factor, uint64_t *out)
{
    uint64_t part = n.fraction * factor;
    uint64_t whole = multiply(n.whole, factor);

    if (n.scale > 1 && (factor == 1 || part % n.scale != 0)) {
        return false;
    }
    part /= n.scale;
    *out = whole > UINT64_MAX - part ? UINT64_MAX : whole + part;
    return true;
}

static enum value_result parse_exact(enum value_kind kind, const char *text,
                                     uint64_t *out)
{
    struct number n = read_number(text);
    const char *rest = text + n.len;

    if (n.len == 0) {
        return VALUE_BAD;
    }
    for (const struct unit *u = units_of[kind]; u->name != NULL; u++) {
        if (strcmp(rest, u->name) == 0) {
            return scale_number(n, u->factor, out) ? VALUE_OK : VALUE_BAD;
        }
    }
    if (kind == VALUE_DURATION && *rest == '\0' && n.scale == 1) {
        *out = n.whole;
        return n.whole == 0 ? VALUE_OK : VALUE_NO_UNIT;
    }
    return VALUE_BAD;
}

/* The unit that spelling stands for; NULL: none. */
static const char *unit_meant(enum value_kind kind, const char *spelling)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (aliases[i].kind == kind &&
            strcasecmp(aliases[i].spelling, spelling) == 0) {
            return aliases[i].name;
        }
    }
    /* Where no unit belongs, a word behind the number is a slip: "853tls". */
    return kind == VALUE_COUNT ? "" : NULL;
}

/* Hours in a unit that is not taken because it is longer; 0: no such unit. */
static uint64_t hours_meant(enum value_kind kind, const char *spelling)
{
    static const struct {
        const char *spelling;
        uint64_t hours;
    } units[] = {
        {"d", 24},  {"day", 24},   {"days", 24},
        {"w", 168}, {"week", 168}, {"weeks", 168},
    };

    for (size_t i = 0; kind == VALUE_DURATION && i < COUNT_OF(units); i++) {
        if (strcasecmp(units[i].spelling, spelling) == 0) {
            return units[i].hours;
        }
    }
    return 0;
}

/* Make text plainer: no blanks, '_' and signs, no zeros before the number. */
static bool plain_text(const char *text, char out[VALUE_TEXT_MAX])
{
    size_t len = 0;

    text += strspn(text, "+ ");
    while (*text == '0' && isdigit((unsigned char)text[1])) {
        text++;
    }
    for (; *text != '\0'; text++) {
        if (len == VALUE_TEXT_MAX - 1) {
            return false;
        }
        if (strchr("_ ", *text) == NULL) {
            out[len++] = *text;
        }
    }
    out[len] = '\0';
    return true;
}

/* What text probably means, where that can be read; else "". */
static void make_hint(enum value_kind kind, const char *text,
                      char hint[VALUE_TEXT_MAX])
{
    char plain[VALUE_TEXT_MAX] = "";
    uint64_t unused;

    hint[0] = '\0';
    if (!plain_text(text, plain)) {
        return;
    }
    struct number n = read_number(plain);
    size_t len = n.len;
    const char *rest = plain + len;
    if (len == 0 || rest[strcspn(rest, "0123456789.,-+:/")] != '\0') {
        return;
    }
    uint64_t hours = hours_meant(kind, rest);
    if (hours > 0 && n.scale == 1) {
        snprintf(hint, VALUE_TEXT_MAX, "%" PRIu64 "h",
                 multiply(n.whole, hours));
        return;
    }
    const char *unit = *rest == '\0' ? "" : unit_meant(kind, rest);
    if (unit == NULL || len + strlen(unit) >= VALUE_TEXT_MAX) {
        return;
    }
    memcpy(hint, plain, len);
    memcpy(hint + len, unit, strlen(unit) + 1);
    if (parse_exact(kind, hint, &unused) != VALUE_OK) {
        hint[0] = '\0';
    }
}

enum value_result value_parse(enum value_kind kind, const char *text,
                              uint64_t *out, char hint[VALUE_TEXT_MAX])
{
    enum value_result result = parse_exact(kind, text, out);

    hint[0] = '\0';
    if (result == VALUE_BAD) {
        make_hint(kind, text, hint);
    }
    return result;
}

const char *value_format(enum value_kind kind, uint64_t n,
                         char text[VALUE_TEXT_MAX])
{
    /* Small sizes are numbers that people know: 512, 1232, 4096. */
    bool has_unit = n != 0 && (kind != VALUE_SIZE || n >= 64 * KIB);

    for (const struct unit *u = units_of[kind]; has_unit && u->name != NULL;
         u++) {
        if (n % u->factor == 0) {
            snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", n / u->factor,
                     strcmp(u->name, "B") == 0 ? "" : u->name);
            return text;
        }
    }
    snprintf(text, VALUE_TEXT_MAX, "%" PRIu64, n);
    return text;
}

const char *value_kind_text(enum value_kind kind)
{
    static const char *const texts[] = {
        [VALUE_COUNT] = "a whole number",
        [VALUE_DURATION] = "a duration such as 4s or 250ms",
        [VALUE_SIZE] = "a size such as 1232 or 16MiB",
        [VALUE_PERCENTAGE] = "a whole percentage such as 3%",
    };

    return texts[kind];
}
