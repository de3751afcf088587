/*
 * Building messages. Each is laid out first (the octets it takes are known
 * before any is written) and then written front to back in one copy. Records
 * move only as whole runs, and keep their offsets up to where the other side's
 * OPT was, so compression pointers stay right.
 */
#include "dns/build.h"

#include "base/err.h"
#include "dns/name.h"

#include <assert.h>
#include <string.h>

enum {
    OPTION_HEAD_LEN = 4,
    EDE_CODE_LEN = 2,
    EDE_TEXT_MAX = 255,
    KEEPALIVE_LEN = 2,
    RECORD_FIXED_LEN = 10,
    OPT_FLAG_DO = 0x8000,
};

/* Offsets in the header: RFC 1035 section 4.1.1. */
enum {
    AT_FLAGS = 2,
    AT_QDCOUNT = 4,
    AT_ANCOUNT = 6,
    AT_NSCOUNT = 8,
    AT_ARCOUNT = 10
};

static uint8_t *put(uint8_t *p, const void *octets, size_t len)
{
    if (len > 0) {
        memcpy(p, octets, len);
    }
    return p + len;
}

static uint8_t *put_option_head(uint8_t *p, unsigned code, size_t len)
{
    dns_put16(p, code);
    dns_put16(p + 2, (unsigned)len);
    return p + OPTION_HEAD_LEN;
}

/* The record up to its RDATA: RFC 6891 section 6.1.2, version 0. */
static uint8_t *put_opt_head(uint8_t *p, unsigned udp_size, unsigned rcode,
                             bool has_do, size_t options_len)
{
    p[0] = 0;
    dns_put16(p + 1, DNS_TYPE_OPT);
    dns_put16(p + 3, udp_size);
    dns_put16(p + 5, rcode >> 4 << 8);
    dns_put16(p + 7, has_do ? OPT_FLAG_DO : 0);
    dns_put16(p + 9, (unsigned)options_len);
    return p + DNS_OPT_FIXED_LEN;
}

/* Write the records of msg from offset at on, all but opt. */
static uint8_t *put_records(uint8_t *p, struct span msg, size_t at,
                            const struct dns_opt *opt)
{
    size_t after = opt->at + opt->len;

    if (opt->is_present) {
        p = put(p, msg.ptr + at, opt->at - at);
        at = after;
    }
    return put(p, msg.ptr + at, msg.len - at);
}

static void put_counts(uint8_t *header, unsigned questions, unsigned answers,
                       unsigned authorities, unsigned additional)
{
    dns_put16(header + AT_QDCOUNT, questions);
    dns_put16(header + AT_ANCOUNT, answers);
    dns_put16(header + AT_NSCOUNT, authorities);
    dns_put16(header + AT_ARCOUNT, additional);
}

/* ---- towards a server ---- */

/*
 * Octets that the options of our OPT take in a query which has len octets
 * without them: a padding option that fills a block, or what the longest
 * message leaves (RFC 8467 section 4.1).
 */
static size_t padding_len(size_t len, size_t block)
{
    size_t whole;

    if (block == 0 || len + OPTION_HEAD_LEN > DNS_MESSAGE_MAX) {
        return 0;
    }
    whole = (len + OPTION_HEAD_LEN + block - 1) / block * block;
    return (whole < DNS_MESSAGE_MAX ? whole : DNS_MESSAGE_MAX) - len;
}

/*
 * Octets of the TSIG record that ends the count records of msg from at on, 0
 * when another one does. Nothing may follow a TSIG (RFC 8945 section 5.1).
 */
static size_t last_tsig_len(struct span msg, size_t at, unsigned count)
{
    size_t len = 0;
    unsigned type = 0;

    for (unsigned i = 0; i < count; i++) {
        int name_len = dns_name_skip(msg, at);
        if (name_len < 0) {
            return 0; /* not a message that dns_query_parse() accepted */
        }
        type = dns_get16(msg.ptr + at + (size_t)name_len);
        len = (size_t)name_len + RECORD_FIXED_LEN;
        len += dns_get16(msg.ptr + at + len - 2);
        at += len;
    }
    return type == DNS_TYPE_TSIG ? len : 0;
}

/*
 * Write the client's own records behind header and question, which end at
 * *p. Returns the octets at the end that our OPT has to go before.
 */
static size_t put_extra(uint8_t **p, struct span msg, const struct dns_query *q,
                        const uint8_t *out)
{
    size_t at = (size_t)(*p - out);
    unsigned in_additional = dns_get16(msg.ptr + AT_ARCOUNT);

    *p = put_records(*p, msg, at, &q->opt);
    if (in_additional == (q->opt.is_present ? 1 : 0)) {
        return 0; /* the last record is of another section */
    }
    return last_tsig_len(span_of(out, (size_t)(*p - out)), at, q->extra_count);
}

int dns_build_upstream(struct span msg, const struct dns_query *q,
                       unsigned pad_block, uint8_t *out, size_t cap)
{
    size_t head = DNS_HEADER_LEN + dns_question_len(&q->question);
    size_t bare = msg.len - q->opt.len + DNS_OPT_FIXED_LEN;
    size_t options = padding_len(bare, pad_block);
    unsigned kept = DNS_OPCODE_MASK | DNS_FLAG_RD | DNS_FLAG_Z | DNS_FLAG_CD;
    uint8_t *p = out;
    size_t tail = 0;

    if (bare > DNS_MESSAGE_MAX || bare + options > cap) {
        return ERR_DNS_SPACE;
    }
    p = put(p, msg.ptr, head);
    dns_put16(out, 0);
    dns_put16(out + AT_FLAGS, (q->flags & kept) | DNS_FLAG_AD);
    if (q->extra_count > 0) {
        tail = put_extra(&p, msg, q, out);
        p -= tail;
        memmove(p + DNS_OPT_FIXED_LEN + options, p, tail);
    }
    if (!q->opt.is_present) {
        dns_put16(out + AT_ARCOUNT, dns_get16(out + AT_ARCOUNT) + 1u);
    }
    p = put_opt_head(p, DNS_UPSTREAM_UDP_SIZE, 0, q->opt.has_do, options);
    if (options > 0) {
        p = put_option_head(p, DNS_OPTION_PADDING, options - OPTION_HEAD_LEN);
        memset(p, 0, options - OPTION_HEAD_LEN);
    }
    return (int)(bare + options);
}

/* ---- towards a client ---- */

void dns_asker_init(struct dns_asker *a, const struct dns_query *q,
                    const uint8_t *question, bool is_tcp, uint16_t max_udp_size)
{
    bool has_name = q->question.name != NULL;
    uint16_t limit = q->opt.udp_size;

    if (limit > max_udp_size) {
        limit = max_udp_size;
    }
    if (limit < DNS_UDP_MIN) {
        limit = DNS_UDP_MIN; /* RFC 6891 section 6.2.3 */
    }
    *a = (struct dns_asker){
        .question = question,
        .question_len = has_name ? (uint16_t)dns_question_len(&q->question) : 0,
        .id = q->id,
        .flags = q->flags,
        .limit = is_tcp ? DNS_MESSAGE_MAX : limit,
        .has_opt = q->opt.is_present,
        .has_do = q->opt.has_do,
        .wants_keepalive = is_tcp && q->has_keepalive,
    };
}

/* An OPT towards a client, laid out. */
struct opt_plan {
    const struct dns_extra *extra;
    const struct dns_opt *server; /* whose errors are carried, or NULL */
    unsigned rcode;
    bool has_do;
    bool has_keepalive;
    bool has_ede;    /* extra's */
    size_t text_len; /* octets of extra's text */
    size_t ede_len;  /* octets of the server's options to carry */
};

/* Octets of text within max that do not cut a UTF-8 character in two. */
static size_t text_len_within(const char *text, size_t max)
{
    size_t len = text == NULL ? 0 : strnlen(text, max + 1);

    if (len <= max) {
        return len;
    }
    len = max;
    while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

/* Extended errors of the server, whole options; writes them when p is given. */
static size_t server_ede(const struct dns_opt *server, uint8_t *p)
{
    size_t cursor = 0;
    size_t len = 0;
    struct span value;

    while (dns_opt_next(server, DNS_OPTION_EDE, &cursor, &value)) {
        if (value.len < EDE_CODE_LEN) {
            continue;
        }
        if (p != NULL) {
            p = put_option_head(p, DNS_OPTION_EDE, value.len);
            p = put(p, value.ptr, value.len);
        }
        len += OPTION_HEAD_LEN + value.len;
    }
    return len;
}

static size_t options_len(const struct opt_plan *o)
{
    size_t len = o->ede_len;

    if (o->has_ede) {
        len += OPTION_HEAD_LEN + EDE_CODE_LEN + o->text_len;
    }
    if (o->has_keepalive) {
        len += OPTION_HEAD_LEN + KEEPALIVE_LEN;
    }
    return len;
}

static uint8_t *put_opt(uint8_t *p, const struct opt_plan *o)
{
    const struct dns_extra *extra = o->extra;

    p = put_opt_head(p, extra->udp_size, o->rcode, o->has_do, options_len(o));
    if (o->has_keepalive) {
        p = put_option_head(p, DNS_OPTION_KEEPALIVE, KEEPALIVE_LEN);
        dns_put16(p, extra->keepalive);
        p += KEEPALIVE_LEN;
    }
    if (o->has_ede) {
        p = put_option_head(p, DNS_OPTION_EDE, EDE_CODE_LEN + o->text_len);
        dns_put16(p, (unsigned)extra->ede);
        p = put(p + EDE_CODE_LEN, extra->ede_text, o->text_len);
    }
    if (o->ede_len > 0) {
        p += server_ede(o->server, p);
    }
    return p;
}

/* A plan with everything that there is to say. */
static struct opt_plan plan_opt(const struct dns_asker *a,
                                const struct dns_extra *extra, unsigned rcode)
{
    bool has_ede = extra->ede != DNS_EDE_NONE;

    return (struct opt_plan){
        .extra = extra,
        .rcode = rcode,
        .has_do = a->has_do,
        .has_keepalive = a->wants_keepalive,
        .has_ede = has_ede,
        .text_len =
            has_ede ? text_len_within(extra->ede_text, EDE_TEXT_MAX) : 0,
    };
}

/* What a client without OPT cannot be told is a failure to it. */
static unsigned rcode_for(const struct dns_asker *a, unsigned rcode)
{
    return rcode > DNS_RCODE_MASK && !a->has_opt ? DNS_RCODE_SERVFAIL : rcode;
}

/* RCODEs that need an OPT are about the hop to the server (its EDNS version,
 * its cookie): towards the client they are a failure. */
static unsigned server_rcode(const struct dns_response *r)
{
    return r->rcode > DNS_RCODE_MASK ? DNS_RCODE_SERVFAIL : r->rcode;
}

/* Header and question; the counts of records are for the caller to set. */
static uint8_t *put_head(uint8_t *out, const struct dns_asker *a,
                         unsigned flags, unsigned rcode)
{
    unsigned kept = DNS_OPCODE_MASK | DNS_FLAG_RD | DNS_FLAG_CD;

    dns_put16(out, a->id);
    dns_put16(out + AT_FLAGS, DNS_FLAG_QR | flags | (a->flags & kept) |
                                  (rcode & DNS_RCODE_MASK));
    put_counts(out, a->question_len > 0 ? 1 : 0, 0, 0, a->has_opt ? 1 : 0);
    return put(out + DNS_HEADER_LEN, a->question, a->question_len);
}

/* Flags of the server that go to the client: RFC 6840 section 5.8 on AD. */
static unsigned server_flags(const struct dns_asker *a,
                             const struct dns_response *r)
{
    unsigned passed = DNS_FLAG_AA | DNS_FLAG_RA | DNS_FLAG_Z;

    if ((a->flags & DNS_FLAG_AD) != 0 || a->has_do) {
        passed |= DNS_FLAG_AD;
    }
    return r->flags & passed;
}

/* RFC 2181 section 9: rather nothing than part of it. */
static int build_truncated(const struct dns_asker *a, unsigned flags,
                           const struct opt_plan *plan, uint8_t *out,
                           size_t cap)
{
    size_t opt_len = a->has_opt ? DNS_OPT_FIXED_LEN : 0;
    size_t len = DNS_HEADER_LEN + a->question_len + opt_len;
    uint8_t *p;

    if (len > cap) {
        return ERR_DNS_SPACE;
    }
    p = put_head(out, a, flags | DNS_FLAG_TC, plan->rcode);
    if (a->has_opt) {
        (void)put_opt_head(p, plan->extra->udp_size, plan->rcode, a->has_do, 0);
    }
    return (int)len;
}

/*
 * Octets of the OPT when the rest takes len: what does not fit is left out,
 * the server's errors first, ours next.
 */
static size_t fit_opt(struct opt_plan *plan, const struct dns_opt *server,
                      size_t len, size_t limit)
{
    if (server->options.len > 0) {
        plan->server = server;
        plan->ede_len = server_ede(server, NULL);
    }
    if (len + DNS_OPT_FIXED_LEN + options_len(plan) > limit) {
        plan->ede_len = 0;
    }
    if (len + DNS_OPT_FIXED_LEN + options_len(plan) > limit) {
        plan->has_ede = false;
    }
    if (len + DNS_OPT_FIXED_LEN + options_len(plan) > limit) {
        plan->has_keepalive = false;
    }
    return DNS_OPT_FIXED_LEN + options_len(plan);
}

int dns_build_answer(const struct dns_asker *a, struct span msg,
                     const struct dns_response *r,
                     const struct dns_extra *extra, uint8_t *out, size_t cap)
{
    size_t asked = r->has_question ? dns_question_len(&r->question) : 0;
    size_t at = DNS_HEADER_LEN + asked;
    size_t len = DNS_HEADER_LEN + a->question_len + msg.len - at - r->opt.len;
    unsigned flags = server_flags(a, r);
    unsigned additional = r->additional_count;
    struct opt_plan plan = plan_opt(a, extra, server_rcode(r));
    uint8_t *p;

    assert(!r->has_question || asked == a->question_len);
    if (a->has_opt) {
        len += fit_opt(&plan, &r->opt, len, a->limit);
    }
    if (len > a->limit || (r->flags & DNS_FLAG_TC) != 0) {
        return build_truncated(a, flags, &plan, out, cap);
    }
    if (len > cap) {
        return ERR_DNS_SPACE;
    }
    additional -= r->opt.is_present ? 1 : 0;
    additional += a->has_opt ? 1 : 0;
    p = put_head(out, a, flags, plan.rcode);
    put_counts(out, a->question_len > 0 ? 1 : 0, r->answer_count,
               r->authority_count, additional);
    p = put_records(p, msg, at, &r->opt);
    if (a->has_opt) {
        (void)put_opt(p, &plan);
    }
    return (int)len;
}

int dns_build_error(const struct dns_asker *a, unsigned rcode,
                    const struct dns_extra *extra, uint8_t *out, size_t cap)
{
    struct opt_plan plan = plan_opt(a, extra, rcode_for(a, rcode));
    size_t limit = cap < DNS_UDP_MIN ? cap : DNS_UDP_MIN;
    size_t len = DNS_HEADER_LEN + a->question_len;
    uint8_t *p;

    if (a->has_opt) {
        len += DNS_OPT_FIXED_LEN + options_len(&plan);
    }
    if (len > limit && plan.text_len >= len - limit) {
        size_t keep = plan.text_len - (len - limit);
        len -= plan.text_len;
        plan.text_len = text_len_within(extra->ede_text, keep);
        len += plan.text_len;
    }
    if (len > limit) {
        return ERR_DNS_SPACE;
    }
    p = put_head(out, a, DNS_FLAG_RA, plan.rcode);
    if (a->has_opt) {
        (void)put_opt(p, &plan);
    }
    return (int)len;
}
