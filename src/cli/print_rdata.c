/*
 * One interpreter of short field lists: each type has a string with a letter
 * for each of its fields. Data that does not fit its list to the last octet is
 * printed in the generic form instead.
 */
#include "cli/print_rdata.h"

#include "base/addr.h"
#include "cli/print_svcb.h"
#include "dns/name.h"
#include "dns/wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * 4 6    address             1 2 L   number of 8, 16, 32 bits
 * n      name                s       character string, quoted
 * w      character string without quotes (a word)
 * *      the field before, until the end
 * q      the rest, quoted    x b     the rest, in hex, in base64
 * h      octets with a length before them, in hex ("-": none)
 * 3      the same in base32hex
 * T D    type, date          W       the rest: a bitmap of types
 * P      the rest: parameters of SVCB
 */
static const struct format {
    uint16_t type;
    const char *fields;
} formats[] = {
    {1, "4"},       {2, "n"},          {5, "n"},     {6, "nnLLLLL"},
    {12, "n"},      {13, "ss"},        {15, "2n"},   {16, "s*"},
    {17, "nn"},     {18, "2n"},        {28, "6"},    {33, "222n"},
    {35, "22sssn"}, {37, "221b"},      {39, "n"},    {43, "211x"},
    {44, "11x"},    {46, "T11LDD2nb"}, {47, "nW"},   {48, "211b"},
    {49, "b"},      {50, "112h3W"},    {51, "112h"}, {52, "111x"},
    {53, "111x"},   {59, "211x"},      {60, "211b"}, {61, "b"},
    {62, "L2W"},    {63, "L11x"},      {64, "2nP"},  {65, "2nP"},
    {99, "s*"},     {256, "22q"},      {257, "1wq"},
};

struct reader {
    FILE *out;
    struct span msg;
    size_t at, end;
    bool is_bad;
};

/* ---- octets ---- */

static void put_escaped(FILE *out, uint8_t c)
{
    if (c == '"' || c == '\\') {
        fprintf(out, "\\%c", c);
    } else if (c < 0x20 || c > 0x7e) {
        fprintf(out, "\\%03u", c);
    } else {
        fputc(c, out);
    }
}

void print_quoted(FILE *out, struct span s)
{
    fputc('"', out);
    for (size_t i = 0; i < s.len; i++) {
        put_escaped(out, s.ptr[i]);
    }
    fputc('"', out);
}

/* The next len octets; none when there are not so many. */
static struct span take(struct reader *r, size_t len)
{
    if (r->end - r->at < len) {
        r->is_bad = true;
        return span_of(NULL, 0);
    }
    struct span s = span_of(r->msg.ptr + r->at, len);
    r->at += len;
    return s;
}

static struct span take_rest(struct reader *r)
{
    return take(r, r->end - r->at);
}

/* What follows its own length in an octet. */
static struct span take_counted(struct reader *r)
{
    struct span len = take(r, 1);

    return len.len == 0 ? len : take(r, len.ptr[0]);
}

static uint32_t take_number(struct reader *r, size_t octets)
{
    struct span s = take(r, octets);
    uint32_t value = 0;

    for (size_t i = 0; i < s.len; i++) {
        value = value << 8 | s.ptr[i];
    }
    return value;
}

/* ---- fields ---- */

static void put_hex(FILE *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        fprintf(out, "%02X", s.ptr[i]);
    }
}

/* RFC 4648: groups of so many bits, without or with padding. */
static void put_base(FILE *out, struct span s, const char *alphabet,
                     unsigned bits, unsigned group)
{
    uint32_t held = 0;
    unsigned count = 0;
    unsigned digits = 0;

    for (size_t i = 0; i < s.len; i++) {
        held = (held << 8 | s.ptr[i]) & 0xffffu;
        for (count += 8; count >= bits; digits++) {
            count -= bits;
            fputc(alphabet[held >> count & ((1u << bits) - 1)], out);
        }
    }
    if (count > 0) {
        fputc(alphabet[held << (bits - count) & ((1u << bits) - 1)], out);
        digits++;
    }
    for (; group > 0 && digits % group != 0; digits++) {
        fputc('=', out);
    }
}

void print_base64(FILE *out, struct span s)
{
    put_base(out, s,
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
             6, 4);
}

static void put_counted(struct reader *r, bool is_base32)
{
    struct span s = take_counted(r);

    if (s.len == 0) {
        fputc('-', r->out);
    } else if (is_base32) {
        put_base(r->out, s, "0123456789ABCDEFGHIJKLMNOPQRSTUV", 5, 0);
    } else {
        put_hex(r->out, s);
    }
}

static void put_address(struct reader *r, size_t len)
{
    struct addr addr = {.family = len == 4 ? 4 : 6};
    char text[ADDR_TEXT_MAX];
    struct span s = take(r, len);

    if (s.len == len) {
        memcpy(addr.ip, s.ptr, len);
        fputs(addr_ip_text(&addr, text), r->out);
    }
}

static void put_name(struct reader *r)
{
    uint8_t name[DNS_NAME_MAX];
    char text[DNS_NAME_TEXT_MAX];
    int used = dns_name_skip(span_of(r->msg.ptr, r->end), r->at);
    int len = used < 0 ? used : dns_name_read(r->msg, r->at, name);

    if (len < 0) {
        r->is_bad = true;
        return;
    }
    r->at += (size_t)used;
    fputs(dns_name_to_text(span_of(name, (size_t)len), text), r->out);
}

/* A tag of CAA: letters and digits (RFC 8659 section 4.1). */
static void put_word(struct reader *r)
{
    struct span s = take_counted(r);

    r->is_bad = r->is_bad || s.len == 0;
    for (size_t i = 0; i < s.len; i++) {
        r->is_bad = r->is_bad || !isalnum(s.ptr[i]);
        fputc(s.ptr[i], r->out);
    }
}

/* RFC 4034 section 3.2: seconds since 1970, modulo 2^32. */
static void put_date(struct reader *r)
{
    time_t when = (time_t)take_number(r, 4);
    struct tm tm;
    char text[32];

    if (gmtime_r(&when, &tm) != NULL &&
        strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm) > 0) {
        fputs(text, r->out);
    }
}

/* RFC 4034 section 4.1.2: windows of 256 types. */
static void put_bitmap(struct reader *r)
{
    const char *separator = "";
    char text[16];

    while (r->at < r->end && !r->is_bad) {
        uint32_t window = take_number(r, 1);
        struct span bits = take_counted(r);

        r->is_bad = r->is_bad || bits.len == 0 || bits.len > 32;
        for (size_t i = 0; i < bits.len * 8; i++) {
            if ((bits.ptr[i / 8] & 0x80u >> i % 8) != 0) {
                fprintf(r->out, "%s%s", separator,
                        dns_type_text((uint16_t)(window << 8 | i), text));
                separator = " ";
            }
        }
    }
}

/* What takes all that is left. */
static void put_rest(struct reader *r, char field)
{
    switch (field) {
    case 'q':
        print_quoted(r->out, take_rest(r));
        break;
    case 'x':
        put_hex(r->out, take_rest(r));
        break;
    case 'b':
        print_base64(r->out, take_rest(r));
        break;
    case 'W':
        put_bitmap(r);
        break;
    default: /* 'P' */
        r->is_bad = r->is_bad || !print_svcb_params(r->out, take_rest(r));
        break;
    }
}

static void put_field(struct reader *r, char field)
{
    char text[16];

    switch (field) {
    case '1':
        fprintf(r->out, "%" PRIu32, take_number(r, 1));
        break;
    case '2':
        fprintf(r->out, "%" PRIu32, take_number(r, 2));
        break;
    case 'L':
        fprintf(r->out, "%" PRIu32, take_number(r, 4));
        break;
    case '4':
    case '6':
        put_address(r, field == '4' ? 4 : 16);
        break;
    case 'n':
        put_name(r);
        break;
    case 's':
        print_quoted(r->out, take_counted(r));
        break;
    case 'w':
        put_word(r);
        break;
    case 'h':
    case '3':
        put_counted(r, field == '3');
        break;
    case 'T':
        fputs(dns_type_text((uint16_t)take_number(r, 2), text), r->out);
        break;
    case 'D':
        put_date(r);
        break;
    default:
        put_rest(r, field);
        break;
    }
}

/* Did the data fit the fields, to its end? */
static bool put_fields(struct reader *r, const char *fields)
{
    char before = '\0';

    if (r->at == r->end) {
        return false; /* every type has something to say */
    }
    for (; *fields != '\0' && !r->is_bad; fields++) {
        if (*fields == '*') {
            while (r->at < r->end && !r->is_bad) {
                fputc(' ', r->out);
                put_field(r, before);
            }
            break;
        }
        if (before != '\0' &&
            (r->at < r->end || strchr("WP", *fields) == NULL)) {
            fputc(' ', r->out);
        }
        before = *fields;
        put_field(r, before);
    }
    return !r->is_bad && r->at == r->end;
}

/* RFC 3597 section 5. */
static void print_generic(FILE *out, struct span data)
{
    fprintf(out, "\\# %zu", data.len);
    if (data.len > 0) {
        fputc(' ', out);
        put_hex(out, data);
    }
}

static const char *fields_of(uint16_t type)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (formats[i].type == type) {
            return formats[i].fields;
        }
    }
    return NULL;
}

void print_rdata(FILE *out, uint16_t type, struct span msg, size_t at,
                 size_t len)
{
    const char *fields = fields_of(type);
    struct reader r = {.msg = msg, .at = at, .end = at + len};
    char *text = NULL;
    size_t text_len = 0;
    bool is_good = false;

    if (fields != NULL) {
        r.out = open_memstream(&text, &text_len);
    }
    if (r.out != NULL) {
        is_good = put_fields(&r, fields);
        is_good = fclose(r.out) == 0 && is_good;
    }
    if (is_good) {
        (void)fwrite(text, 1, text_len, out);
    } else {
        print_generic(out, span_of(msg.ptr + at, len));
    }
    free(text);
}
