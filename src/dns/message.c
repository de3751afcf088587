/*
 * Reading messages in one pass. A cursor goes from record to record; each step
 * checks that what it reads lies inside the message before it reads, and names
 * are stepped over without following pointers, so a message costs time in
 * proportion to its records, whatever they claim.
 */
#include "dns/message.h"

#include "base/err.h"
#include "dns/labels.h"
#include "dns/name.h"

#include <string.h>

enum {
    RECORD_FIXED_LEN = 10, /* type, class, TTL, RDLENGTH */
    OPTION_HEAD_LEN = 4,
    TYPE_TKEY = 249,
};

/* Offsets in the header of the counts: RFC 1035 section 4.1.1. */
enum { AT_QDCOUNT = 4, AT_ANCOUNT = 6, AT_NSCOUNT = 8, AT_ARCOUNT = 10 };

struct cursor {
    struct span msg;
    size_t at;
    struct dns_opt *opt; /* filled when the walk meets it */
};

bool dns_opt_next(const struct dns_opt *o, uint16_t code, size_t *cursor,
                  struct span *value)
{
    const uint8_t *options = o->options.ptr;

    while (o->options.len - *cursor >= OPTION_HEAD_LEN) {
        const uint8_t *option = options + *cursor;
        size_t len = dns_get16(option + 2);

        if (len > o->options.len - *cursor - OPTION_HEAD_LEN) {
            return false;
        }
        *cursor += OPTION_HEAD_LEN + len;
        if (dns_get16(option) == code) {
            *value = span_of(option + OPTION_HEAD_LEN, len);
            return true;
        }
    }
    return false;
}

static bool options_are_well_formed(struct span options)
{
    size_t at = 0;

    while (options.len - at >= OPTION_HEAD_LEN) {
        size_t len = dns_get16(options.ptr + at + 2);
        if (len > options.len - at - OPTION_HEAD_LEN) {
            return false;
        }
        at += OPTION_HEAD_LEN + len;
    }
    return at == options.len;
}

/* RFC 6891 section 6.1: root owner, at most one. fixed points at the type. */
static int read_opt(struct cursor *c, const uint8_t *fixed, size_t rdata_len)
{
    struct span options = span_of(fixed + RECORD_FIXED_LEN, rdata_len);

    if (c->opt->is_present || c->msg.ptr[c->at] != 0) {
        return ERR_DNS_FORM;
    }
    if (fixed[5] != 0) {
        options.len = 0; /* who knows what they look like in that version */
    } else if (!options_are_well_formed(options)) {
        return ERR_DNS_FORM;
    }
    *c->opt = (struct dns_opt){
        .is_present = true,
        .has_do = (fixed[6] & 0x80) != 0,
        .version = fixed[5],
        .rcode_high = fixed[4],
        .udp_size = dns_get16(fixed + 2),
        .at = (uint32_t)c->at,
        .len = (uint32_t)(DNS_OPT_FIXED_LEN + rdata_len),
        .options = options,
    };
    return 0;
}

/*
 * Octets of the owner name at the cursor. A pointer to the OPT or behind it
 * would point elsewhere once the OPT is taken out.
 */
static int owner_len(const struct cursor *c)
{
    int len = dns_labels_len(c->msg, c->at);
    int target;

    if (len < 0) {
        return len;
    }
    if (c->msg.ptr[c->at + (size_t)len] == 0) {
        return len + 1;
    }
    target = dns_pointer_target(c->msg, c->at + (size_t)len, c->at);
    if (target < 0) {
        return target;
    }
    if (target < DNS_HEADER_LEN) {
        return ERR_DNS_FORM; /* no name is there, and each hop changes it */
    }
    if (c->opt->is_present && (uint32_t)target >= c->opt->at) {
        return ERR_DNS_FORM;
    }
    return len + DNS_POINTER_LEN;
}

static int walk_record(struct cursor *c, bool may_be_opt)
{
    int len = owner_len(c);
    const uint8_t *fixed;
    size_t left;
    size_t rdata_len;

    if (len < 0) {
        return len;
    }
    left = c->msg.len - c->at - (size_t)len;
    if (left < RECORD_FIXED_LEN) {
        return ERR_DNS_SHORT;
    }
    fixed = c->msg.ptr + c->at + (size_t)len;
    rdata_len = dns_get16(fixed + 8);
    if (left - RECORD_FIXED_LEN < rdata_len) {
        return ERR_DNS_SHORT;
    }
    if (dns_get16(fixed) == DNS_TYPE_OPT) {
        int err = may_be_opt ? read_opt(c, fixed, rdata_len) : ERR_DNS_FORM;
        if (err != 0) {
            return err;
        }
    }
    c->at += (size_t)len + RECORD_FIXED_LEN + rdata_len;
    return 0;
}

/* All records behind the question; then the message must end. */
static int walk_records(struct cursor *c)
{
    const uint8_t *header = c->msg.ptr;
    unsigned before = (unsigned)dns_get16(header + AT_ANCOUNT) +
                      dns_get16(header + AT_NSCOUNT);
    unsigned count = before + dns_get16(header + AT_ARCOUNT);

    for (unsigned i = 0; i < count; i++) {
        int err = walk_record(c, i >= before);
        if (err != 0) {
            return err;
        }
    }
    if (c->at != c->msg.len) {
        return ERR_DNS_TRAILING;
    }
    return 0;
}

/*
 * The question at the cursor. Nothing but the header lies before it, so there
 * is no name that a pointer could mean.
 */
static int read_question(struct cursor *c, struct dns_question *out)
{
    int len = dns_labels_len(c->msg, c->at);
    const uint8_t *name;

    if (len < 0) {
        return len;
    }
    name = c->msg.ptr + c->at;
    if (name[len] != 0) {
        return ERR_DNS_FORM;
    }
    len++;
    if (c->msg.len - c->at - (size_t)len < 4) {
        return ERR_DNS_SHORT;
    }
    *out = (struct dns_question){
        .name = name,
        .name_len = (uint16_t)len,
        .type = dns_get16(name + len),
        .klass = dns_get16(name + len + 2),
    };
    c->at += (size_t)len + 4;
    return 0;
}

/* Question and records of a query; what could be read is in out. */
static int walk_query(struct span msg, struct dns_query *out)
{
    struct cursor c = {msg, DNS_HEADER_LEN, &out->opt};
    unsigned questions = dns_get16(msg.ptr + AT_QDCOUNT);
    int err;

    if (questions > 1 || msg.len > DNS_MESSAGE_MAX) {
        return ERR_DNS_FORM; /* RFC 9619 */
    }
    if (questions == 1) {
        err = read_question(&c, &out->question);
        if (err != 0) {
            return err;
        }
    }
    err = walk_records(&c);
    if (err != 0) {
        return err;
    }
    /* Each record takes 11 octets or more: the sum fits. */
    out->extra_count = (uint16_t)(dns_get16(msg.ptr + AT_ANCOUNT) +
                                  dns_get16(msg.ptr + AT_NSCOUNT) +
                                  dns_get16(msg.ptr + AT_ARCOUNT) -
                                  (out->opt.is_present ? 1 : 0));
    out->is_bare = questions == 0 && out->opt.version == 0;
    return questions == 1 ? 0 : ERR_DNS_FORM;
}

/* RFC 6895 section 3.1; zone transfers are not for a stub (RFC 5936). */
static enum dns_verdict judge_type(uint16_t type)
{
    switch (type) {
    case DNS_TYPE_AXFR:
    case DNS_TYPE_IXFR:
        return DNS_QUERY_NOTIMP;
    case DNS_TYPE_OPT:
    case TYPE_TKEY:
    case DNS_TYPE_TSIG:
        return DNS_QUERY_REFUSED;
    default:
        return DNS_QUERY_OK;
    }
}

/* Few clients send options, and then one or two. */
static void read_client_options(struct dns_query *out)
{
    size_t cursor = 0;
    struct span value;

    out->has_keepalive =
        dns_opt_next(&out->opt, DNS_OPTION_KEEPALIVE, &cursor, &value);
    cursor = 0;
    if (dns_opt_next(&out->opt, DNS_OPTION_COOKIE, &cursor, &value)) {
        out->cookie = value;
    }
}

enum dns_verdict dns_query_parse(struct span msg, struct dns_query *out)
{
    int err;

    *out = (struct dns_query){0};
    if (msg.len < DNS_HEADER_LEN || (msg.ptr[2] & 0x80) != 0) {
        return DNS_QUERY_DROP;
    }
    out->id = dns_get16(msg.ptr);
    out->flags = dns_get16(msg.ptr + 2);
    err = walk_query(msg, out);
    if (out->opt.options.len > 0) {
        read_client_options(out);
    }
    if ((out->flags & DNS_OPCODE_MASK) != 0) {
        return DNS_QUERY_NOTIMP;
    }
    if (err != 0) {
        return DNS_QUERY_FORMERR;
    }
    if (out->opt.version > 0) {
        return DNS_QUERY_BADVERS;
    }
    return judge_type(out->question.type);
}

/* RFC 7828 section 3.1: a server's option has a timeout. */
static void read_server_options(struct dns_response *r)
{
    size_t cursor = 0;
    struct span value;

    while (dns_opt_next(&r->opt, DNS_OPTION_KEEPALIVE, &cursor, &value)) {
        if (value.len == 2) {
            r->has_keepalive = true;
            r->keepalive = dns_get16(value.ptr);
            return;
        }
    }
}

int dns_response_parse(struct span msg, struct dns_response *out)
{
    struct dns_response r = {0};
    struct cursor c = {msg, DNS_HEADER_LEN, &r.opt};
    unsigned questions;
    int err;

    if (msg.len < DNS_HEADER_LEN) {
        return ERR_DNS_SHORT;
    }
    r.id = dns_get16(msg.ptr);
    r.flags = dns_get16(msg.ptr + 2);
    questions = dns_get16(msg.ptr + AT_QDCOUNT);
    r.answer_count = dns_get16(msg.ptr + AT_ANCOUNT);
    r.authority_count = dns_get16(msg.ptr + AT_NSCOUNT);
    r.additional_count = dns_get16(msg.ptr + AT_ARCOUNT);
    if ((r.flags & DNS_FLAG_QR) == 0 || questions > 1 ||
        msg.len > DNS_MESSAGE_MAX) {
        return ERR_DNS_FORM;
    }
    if (questions == 1) {
        err = read_question(&c, &r.question);
        if (err != 0) {
            return err;
        }
        r.has_question = true;
    }
    err = walk_records(&c);
    if (err != 0) {
        return err;
    }
    /* Records without the question they answer: nothing could be made of
     * them, for their names may point into a question that we put there. */
    if (!r.has_question &&
        r.answer_count + r.authority_count + r.additional_count >
            (r.opt.is_present ? 1 : 0)) {
        return ERR_DNS_FORM;
    }
    if (r.opt.options.len > 0) {
        read_server_options(&r);
    }
    r.rcode = (uint16_t)(r.opt.rcode_high << 4 | (r.flags & DNS_RCODE_MASK));
    *out = r;
    return 0;
}

bool dns_question_equal(const struct dns_question *a,
                        const struct dns_question *b)
{
    return a->type == b->type && a->klass == b->klass &&
           dns_name_equal(span_of(a->name, a->name_len),
                          span_of(b->name, b->name_len));
}
