/*
 * Records of the configuration: one line each, as in a zone file (RFC 1035
 * section 5.1) but for parentheses, origins and comments.
 */
#include "policy/local.h"

#include "base/addr.h"
#include "base/err.h"
#include "dns/name.h"
#include "policy/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TYPE_SRV = 33, TTL_MAX = 0x7fffffff };

/* What is left of a record's text, and where to say what is wrong with it. */
struct reading {
    struct span text;
    char *why;
    size_t why_len;
    struct local_record *out;
};

PRINTF_LIKE(2, 3)
static int wrong(struct reading *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(r->why, r->why_len, fmt, args);
    va_end(args);
    return ERR_CONFIG;
}

/* A word as the arguments of "%.*s". */
#define WORD(w) (int)((w).len < 255 ? (w).len : 255), (const char *)(w).ptr

static bool word_is(struct span word, const char *text)
{
    return word.len == strlen(text) &&
           strncasecmp((const char *)word.ptr, text, word.len) == 0;
}

/* A decimal number of at most max. */
static bool word_number(struct span word, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (word.ptr[i] - '0');
        if (value > max) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return word.len > 0;
}

static void put(struct local_record *r, const void *octets, size_t len)
{
    memcpy(r->data + r->data_len, octets, len);
    r->data_len += (uint16_t)len;
}

/* ---- data of each type ---- */

static int read_address(struct reading *r, uint8_t family)
{
    struct span word = lines_word(&r->text);
    struct addr a;

    if (word.len == 0 || memchr(word.ptr, '%', word.len) != NULL ||
        addr_parse_ip((const char *)word.ptr, word.len, &a) != 0 ||
        a.family != family) {
        return wrong(r, "\"%.*s\" is not an IPv%d address", WORD(word), family);
    }
    put(r->out, a.ip, addr_ip_len(&a));
    return 0;
}

static int read_a(struct reading *r)
{
    return read_address(r, 4);
}

static int read_aaaa(struct reading *r)
{
    return read_address(r, 6);
}

static int read_name(struct reading *r)
{
    struct span word = lines_word(&r->text);
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_from_text((const char *)word.ptr, word.len, name);

    if (len < 0) {
        return wrong(r, "\"%.*s\" is not a name", WORD(word));
    }
    put(r->out, name, (size_t)len);
    return 0;
}

/* So many numbers of 16 bits, and a name. */
static int read_numbers_and_name(struct reading *r, unsigned count)
{
    while (count-- > 0) {
        struct span word = lines_word(&r->text);
        uint32_t value;
        uint8_t octets[2];

        if (!word_number(word, UINT16_MAX, &value)) {
            return wrong(r, "\"%.*s\" is not a number of 0 to 65535",
                         WORD(word));
        }
        dns_put16(octets, value);
        put(r->out, octets, sizeof(octets));
    }
    return read_name(r);
}

static int read_mx(struct reading *r)
{
    return read_numbers_and_name(r, 1);
}

static int read_srv(struct reading *r)
{
    return read_numbers_and_name(r, 3);
}

/*
 * One octet of a string, which may be escaped as \X or \DDD, off the text.
 * Returns it | ERR_INVAL.
 */
static int take_octet(struct span *text)
{
    int value = *text->ptr;
    size_t used = 1;

    if (value == '\\') {
        uint32_t number;

        if (text->len < 2) {
            return ERR_INVAL;
        }
        value = text->ptr[1];
        used = 2;
        if (value >= '0' && value <= '9') {
            if (text->len < 4 ||
                !word_number(span_of(text->ptr + 1, 3), 255, &number)) {
                return ERR_INVAL;
            }
            value = (int)number;
            used = 4;
        }
    }
    *text = span_from(*text, used);
    return value;
}

static bool ends_string(struct span text, bool is_quoted)
{
    return text.len == 0 || (is_quoted ? *text.ptr == '"'
                                       : *text.ptr == ' ' || *text.ptr == '\t');
}

/* One <character-string> of at most 255 octets, quoted or up to a blank. */
static int read_string(struct reading *r)
{
    bool is_quoted = *r->text.ptr == '"';
    uint8_t string[256];

    string[0] = 0;
    r->text = span_from(r->text, is_quoted ? 1 : 0);
    while (!ends_string(r->text, is_quoted)) {
        int octet = take_octet(&r->text);

        if (octet < 0) {
            return wrong(r, "a string has a bad escape");
        }
        if (string[0] == 255) {
            return wrong(r, "a string is longer than 255 octets");
        }
        string[0]++;
        string[string[0]] = (uint8_t)octet;
    }
    if (is_quoted && r->text.len == 0) {
        return wrong(r, "a string has no closing quote");
    }
    r->text = span_from(r->text, is_quoted ? 1 : 0);
    if (r->out->data_len + 1u + string[0] > LOCAL_DATA_MAX) {
        return wrong(r, "is longer than %d octets", LOCAL_DATA_MAX);
    }
    put(r->out, string, 1u + string[0]);
    return 0;
}

static void skip_blanks(struct span *text)
{
    while (text->len > 0 && (*text->ptr == ' ' || *text->ptr == '\t')) {
        *text = span_from(*text, 1);
    }
}

static int read_txt(struct reading *r)
{
    skip_blanks(&r->text);
    if (r->text.len == 0) {
        return wrong(r, "has no text");
    }
    while (r->text.len > 0) {
        int err = read_string(r);

        if (err != 0) {
            return err;
        }
        skip_blanks(&r->text);
    }
    return 0;
}

/* ---- the line ---- */

static const struct record_type {
    const char *text;
    uint16_t type;
    int (*read)(struct reading *r);
} record_types[] = {
    {"A", DNS_TYPE_A, read_a},
    {"AAAA", DNS_TYPE_AAAA, read_aaaa},
    {"CNAME", DNS_TYPE_CNAME, read_name},
    {"MX", DNS_TYPE_MX, read_mx},
    {"PTR", DNS_TYPE_PTR, read_name},
    {"SRV", TYPE_SRV, read_srv},
    {"TXT", DNS_TYPE_TXT, read_txt},
};

static const struct record_type *find_type(struct span word)
{
    for (size_t i = 0; i < COUNT_OF(record_types); i++) {
        if (word_is(word, record_types[i].text)) {
            return &record_types[i];
        }
    }
    return NULL;
}

/* The owner. A "*" would be taken for a wildcard, which there is none of. */
static int read_owner(struct reading *r)
{
    struct span word = lines_word(&r->text);
    int len =
        dns_name_from_text((const char *)word.ptr, word.len, r->out->name);

    if (len < 0) {
        return wrong(r, "\"%.*s\" is not a name", WORD(word));
    }
    if (*word.ptr == '*') {
        return wrong(r, "wildcards (\"%.*s\") are not known", WORD(word));
    }
    r->out->name_len = (uint8_t)len;
    return 0;
}

/* TTL and class, each at most once, and the type. */
static int read_head(struct reading *r, const struct record_type **type)
{
    bool has_class = false;

    for (;;) {
        struct span word = lines_word(&r->text);

        if (!r->out->has_ttl && word_number(word, TTL_MAX, &r->out->ttl_s)) {
            r->out->has_ttl = true;
        } else if (!has_class && word_is(word, "IN")) {
            has_class = true;
        } else {
            *type = find_type(word);
            if (word.len == 0) {
                return wrong(r, "the type is missing, such as in x.lan A "
                                "192.0.2.1");
            }
            return *type != NULL
                       ? 0
                       : wrong(r,
                               "\"%.*s\" is not a type known here (A, AAAA, "
                               "CNAME, MX, PTR, SRV, TXT)",
                               WORD(word));
        }
    }
}

int local_record_parse(struct span text, struct local_record *out, char *why,
                       size_t why_len)
{
    struct reading r = {text, why, why_len, out};
    const struct record_type *type = NULL;
    struct span rest;
    int err;

    out->has_ttl = false;
    out->data_len = 0;
    err = read_owner(&r);
    if (err == 0) {
        err = read_head(&r, &type);
    }
    if (err == 0) {
        out->type = type->type;
        err = type->read(&r);
    }
    if (err != 0) {
        return err;
    }
    rest = lines_word(&r.text);
    return rest.len == 0 ? 0 : wrong(&r, "\"%.*s\" is too much", WORD(rest));
}

int policy_record_check(const char *text, size_t len, char *why, size_t why_len)
{
    struct local_record record = {0};

    return local_record_parse(span_of(text, len), &record, why, why_len);
}

/* ---- all of them ---- */

/* Add one record. Returns 0 | ERR_CONFIG | ERR_NOMEM. */
static int add_record(struct names *t, const struct local_record *r,
                      uint32_t ttl_s, char *why, size_t why_len)
{
    struct names_node *node;
    int err = names_add(t, r->name, r->name_len, &node);

    if (err != 0) {
        return err;
    }
    err = names_add_record(t, node, r->type, r->has_ttl ? r->ttl_s : ttl_s,
                           r->data, r->data_len);
    if (err == ERR_CONFIG) {
        (void)snprintf(why, why_len, "CNAME beside other records of the name");
    } else if (err == ERR_LIMIT) {
        (void)snprintf(why, why_len, "the name has too many records");
        return ERR_CONFIG;
    }
    return err;
}

/* An address's own reverse name; other records have none. */
static int add_reverse(struct names *t, const struct local_record *r,
                       uint32_t ttl_s)
{
    if (r->type != DNS_TYPE_A && r->type != DNS_TYPE_AAAA) {
        return 0;
    }
    return local_add_reverse(t, r->data, r->data_len,
                             r->has_ttl ? r->ttl_s : ttl_s, r->name,
                             r->name_len);
}

/* Add what a text says, or what it implies. */
static int add_text(struct names *t, const char *text, bool is_implied,
                    uint32_t ttl_s, char *why, size_t why_len)
{
    struct local_record r = {0};
    int err = local_record_parse(span_of(text, strlen(text)), &r, why, why_len);

    if (err != 0) {
        return err;
    }
    return is_implied ? add_reverse(t, &r, ttl_s)
                      : add_record(t, &r, ttl_s, why, why_len);
}

int local_add_records(struct names *t, char *const *texts, size_t count,
                      uint32_t ttl_s, char *why, size_t why_len)
{
    /* What is said counts before what is implied, whatever their order. */
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            char what[256] = "";
            int err =
                add_text(t, texts[i], round == 1, ttl_s, what, sizeof(what));

            if (err != 0) {
                (void)snprintf(why, why_len, "record \"%.200s\": %s", texts[i],
                               err == ERR_NOMEM ? err_text(err) : what);
                return err;
            }
        }
    }
    return 0;
}
