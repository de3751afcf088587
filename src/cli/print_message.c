/*
 * dns_response_parse() has walked the message when a section is printed, so
 * what is read here is there; names are followed with the same care as
 * anywhere, since pointers are not.
 */
#include "cli/print_message.h"

#include "base/err.h"
#include "cli/print_rdata.h"
#include "dns/message.h"
#include "dns/name.h"

#include <inttypes.h>

enum { RECORD_FIXED_LEN = 10, NAME_COLUMN = 24 };

static const char *const ede_texts[] = {
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
};

const char *print_ede_text(unsigned code)
{
    return code < COUNT_OF(ede_texts) ? ede_texts[code] : "";
}

/* ---- header ---- */

static void print_header(FILE *out, const struct dns_response *r)
{
    static const struct {
        unsigned flag;
        const char *text;
    } flags[] = {
        {DNS_FLAG_QR, "qr"}, {DNS_FLAG_AA, "aa"}, {DNS_FLAG_TC, "tc"},
        {DNS_FLAG_RD, "rd"}, {DNS_FLAG_RA, "ra"}, {DNS_FLAG_Z, "z"},
        {DNS_FLAG_AD, "ad"}, {DNS_FLAG_CD, "cd"},
    };
    char rcode[16];

    fprintf(out, ";; ->>HEADER<<- opcode: %s, status: %s, id: %u\n;; flags:",
            (r->flags & DNS_OPCODE_MASK) == 0 ? "QUERY" : "other",
            dns_rcode_text(r->rcode, rcode), r->id);
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if ((r->flags & flags[i].flag) != 0) {
            fprintf(out, " %s", flags[i].text);
        }
    }
    fprintf(out, "; QUERY: %d, ANSWER: %u, AUTHORITY: %u, ADDITIONAL: %u\n\n",
            r->has_question ? 1 : 0, r->answer_count, r->authority_count,
            r->additional_count);
}

/* ---- OPT ---- */

static void print_ede(FILE *out, struct span value)
{
    unsigned code = dns_get16(value.ptr);
    struct span text = span_from(value, 2);

    fprintf(out, "; EDE: %u", code);
    if (print_ede_text(code)[0] != '\0') {
        fprintf(out, " (%s)", print_ede_text(code));
    }
    if (text.len > 0) {
        fputs(": ", out);
        print_quoted(out, text);
    }
    fputc('\n', out);
}

/* " (No Reachable Authority: "…")" */
static void print_why(FILE *out, struct span value)
{
    unsigned code = dns_get16(value.ptr);
    const char *name = print_ede_text(code);

    if (*name == '\0') {
        fprintf(out, " (error %u", code);
    } else {
        fprintf(out, " (%s", name);
    }
    if (value.len > 2) {
        fputs(": ", out);
        print_quoted(out, span_from(value, 2));
    }
    fputc(')', out);
}

static void print_option(FILE *out, unsigned code, struct span value)
{
    if (code == DNS_OPTION_EDE && value.len >= 2) {
        print_ede(out, value);
    } else if (code == DNS_OPTION_KEEPALIVE && value.len == 2) {
        unsigned tenths = dns_get16(value.ptr);
        fprintf(out, "; TCP-KEEPALIVE: %u.%u s\n", tenths / 10, tenths % 10);
    } else if (code == DNS_OPTION_PADDING) {
        fprintf(out, "; PADDING: %zu octets\n", value.len);
    } else {
        fprintf(out, "; OPT=%u:", code);
        for (size_t i = 0; i < value.len; i++) {
            fprintf(out, " %02x", value.ptr[i]);
        }
        fputc('\n', out);
    }
}

/* Take the next option off rest. False: there is none. */
static bool next_option(struct span *rest, unsigned *code, struct span *value)
{
    if (rest->len < 4) {
        return false;
    }
    *code = dns_get16(rest->ptr);
    *value = span_of(rest->ptr + 4, dns_get16(rest->ptr + 2));
    *rest = span_from(*rest, 4 + value->len);
    return true;
}

static void print_opt(FILE *out, const struct dns_opt *opt)
{
    struct span rest = opt->options;
    struct span value;
    unsigned code;

    fprintf(out,
            ";; OPT PSEUDOSECTION:\n; EDNS: version: %u, flags:%s; udp: %u\n",
            opt->version, opt->has_do ? " do" : "", opt->udp_size);
    while (next_option(&rest, &code, &value)) {
        print_option(out, code, value);
    }
}

/* ---- sections ---- */

static const char *class_text(unsigned klass, char text[16])
{
    if (klass == DNS_CLASS_IN || klass == DNS_CLASS_CH) {
        return klass == DNS_CLASS_IN ? "IN" : "CH";
    }
    (void)snprintf(text, 16, "CLASS%u", klass);
    return text;
}

static void print_question(FILE *out, const struct dns_question *q)
{
    char name[DNS_NAME_TEXT_MAX];
    char klass[16];
    char type[16];

    fprintf(out, ";; QUESTION SECTION:\n;%-*s\t%s\t%s\n\n", NAME_COLUMN,
            dns_name_to_text(span_of(q->name, q->name_len), name),
            class_text(q->klass, klass), dns_type_text(q->type, type));
}

/* Where a record is, and what it says before its data. */
struct record {
    char name[DNS_NAME_TEXT_MAX];
    uint16_t type, klass;
    uint32_t ttl_s;
    size_t data_at, data_len;
};

static int read_record(struct span msg, size_t at, struct record *out)
{
    uint8_t name[DNS_NAME_MAX];
    int used = dns_name_skip(msg, at);
    int len = used < 0 ? used : dns_name_read(msg, at, name);

    if (len < 0) {
        return len;
    }
    const uint8_t *fixed = msg.ptr + at + used;
    dns_name_to_text(span_of(name, (size_t)len), out->name);
    out->type = dns_get16(fixed);
    out->klass = dns_get16(fixed + 2);
    out->ttl_s = dns_get32(fixed + 4);
    out->data_at = at + (size_t)used + RECORD_FIXED_LEN;
    out->data_len = dns_get16(fixed + 8);
    return 0;
}

static void print_record(FILE *out, struct span msg, const struct record *r)
{
    char klass[16];
    char type[16];

    fprintf(out, "%-*s\t%" PRIu32 "\t%s\t%s\t", NAME_COLUMN, r->name, r->ttl_s,
            class_text(r->klass, klass), dns_type_text(r->type, type));
    print_rdata(out, r->type, msg, r->data_at, r->data_len);
    fputc('\n', out);
}

/* Print count records from *at on; the OPT had its place. */
static int print_section(FILE *out, const char *title, struct span msg,
                         unsigned count, size_t *at)
{
    bool is_first = true;

    for (unsigned i = 0; i < count; i++) {
        struct record r;
        int err = read_record(msg, *at, &r);

        if (err != 0) {
            return err;
        }
        *at = r.data_at + r.data_len;
        if (r.type == DNS_TYPE_OPT) {
            continue;
        }
        if (is_first) {
            fprintf(out, ";; %s SECTION:\n", title);
            is_first = false;
        }
        print_record(out, msg, &r);
    }
    if (!is_first) {
        fputc('\n', out);
    }
    return 0;
}

static size_t records_at(const struct dns_response *r)
{
    return DNS_HEADER_LEN +
           (r->has_question ? dns_question_len(&r->question) : 0);
}

int print_message(FILE *out, struct span msg)
{
    struct dns_response r;
    int err = dns_response_parse(msg, &r);

    if (err != 0) {
        return err;
    }
    print_header(out, &r);
    if (r.opt.is_present) {
        print_opt(out, &r.opt);
    }
    if (r.has_question) {
        print_question(out, &r.question);
    }
    size_t at = records_at(&r);
    err = print_section(out, "ANSWER", msg, r.answer_count, &at);
    if (err == 0) {
        err = print_section(out, "AUTHORITY", msg, r.authority_count, &at);
    }
    if (err == 0) {
        err = print_section(out, "ADDITIONAL", msg, r.additional_count, &at);
    }
    return err;
}

int print_message_short(FILE *out, struct span msg)
{
    struct dns_response r;
    int err = dns_response_parse(msg, &r);
    size_t at = err == 0 ? records_at(&r) : 0;

    for (unsigned i = 0; err == 0 && i < r.answer_count; i++) {
        struct record record;
        err = read_record(msg, at, &record);
        if (err == 0) {
            print_rdata(out, record.type, msg, record.data_at, record.data_len);
            fputc('\n', out);
            at = record.data_at + record.data_len;
        }
    }
    return err;
}

void print_message_why(FILE *out, struct span msg)
{
    struct dns_response r;
    struct span value;
    unsigned code;
    char rcode[16];

    if (dns_response_parse(msg, &r) != 0) {
        fputs("no answer", out);
        return;
    }
    fputs(dns_rcode_text(r.rcode, rcode), out);
    struct span rest = r.opt.is_present ? r.opt.options : span_of(NULL, 0);
    while (next_option(&rest, &code, &value)) {
        if (code == DNS_OPTION_EDE && value.len >= 2) {
            print_why(out, value);
        }
    }
}
