/*
 * Building messages. Each is laid out first (the octets it takes are known
 * before any is written) and then written front to back in one copy. Records
 * move only as whole runs, and keep their offsets up to where the other side's
 * OPT was, so compression pointers stay right.
 */
#include "dns/build.h"

#include "base/err.h"
#include "dns/put.h"

#include <assert.h>
#include <string.h>

enum {
    EDE_CODE_LEN = 2,
    EDE_TEXT_MAX = 255,
    KEEPALIVE_LEN = 2,
};

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
    bool has_cookie;
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
            p = dns_put_option_head(p, DNS_OPTION_EDE, value.len);
            p = dns_put(p, value.ptr, value.len);
        }
        len += DNS_OPTION_HEAD_LEN + value.len;
    }
    return len;
}

static size_t options_len(const struct opt_plan *o)
{
    size_t len = o->ede_len;

    if (o->has_ede) {
        len += DNS_OPTION_HEAD_LEN + EDE_CODE_LEN + o->text_len;
    }
    if (o->has_cookie) {
        len += DNS_OPTION_HEAD_LEN + DNS_COOKIE_LEN;
    }
    if (o->has_keepalive) {
        len += DNS_OPTION_HEAD_LEN + KEEPALIVE_LEN;
    }
    return len;
}

static uint8_t *put_opt(uint8_t *p, const struct opt_plan *o)
{
    const struct dns_extra *extra = o->extra;

    p = dns_put_opt_head(p, extra->udp_size, o->rcode, o->has_do,
                         options_len(o));
    if (o->has_cookie) {
        p = dns_put_option_head(p, DNS_OPTION_COOKIE, DNS_COOKIE_LEN);
        p = dns_put(p, extra->cookie, DNS_COOKIE_LEN);
    }
    if (o->has_keepalive) {
        p = dns_put_option_head(p, DNS_OPTION_KEEPALIVE, KEEPALIVE_LEN);
        dns_put16(p, extra->keepalive);
        p += KEEPALIVE_LEN;
    }
    if (o->has_ede) {
        p = dns_put_option_head(p, DNS_OPTION_EDE, EDE_CODE_LEN + o->text_len);
        dns_put16(p, (unsigned)extra->ede);
        p = dns_put(p + EDE_CODE_LEN, extra->ede_text, o->text_len);
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
        .has_cookie = extra->cookie != NULL,
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
    dns_put16(out + DNS_AT_FLAGS, DNS_FLAG_QR | flags | (a->flags & kept) |
                                      (rcode & DNS_RCODE_MASK));
    dns_put_counts(out, a->question_len > 0 ? 1 : 0, 0, 0, a->has_opt ? 1 : 0);
    return dns_put(out + DNS_HEADER_LEN, a->question, a->question_len);
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

/*
 * RFC 2181 section 9: rather nothing than part of it. The cookie stays: who has
 * sent one may not believe an answer without (RFC 7873 section 5.3).
 */
static int build_truncated(const struct dns_asker *a, unsigned flags,
                           const struct opt_plan *whole, uint8_t *out,
                           size_t cap)
{
    struct opt_plan plan = {.extra = whole->extra,
                            .rcode = whole->rcode,
                            .has_do = whole->has_do,
                            .has_cookie = whole->has_cookie};
    size_t opt_len = a->has_opt ? DNS_OPT_FIXED_LEN + options_len(&plan) : 0;
    size_t len = DNS_HEADER_LEN + a->question_len + opt_len;
    uint8_t *p;

    if (len > cap) {
        return ERR_DNS_SPACE;
    }
    p = put_head(out, a, flags | DNS_FLAG_TC, plan.rcode);
    if (a->has_opt) {
        (void)put_opt(p, &plan);
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
    dns_put_counts(out, a->question_len > 0 ? 1 : 0, r->answer_count,
                   r->authority_count, additional);
    p = dns_put_records(p, msg, at, &r->opt);
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

/* Octets of the cut form of OPT o, which move to p. */
static size_t move_opt(uint8_t *p, const uint8_t *msg, const struct dns_opt *o)
{
    struct span cookie;
    size_t cursor = 0;
    size_t len = DNS_OPT_FIXED_LEN;

    memmove(p, msg + o->at, DNS_OPT_FIXED_LEN);
    if (dns_opt_next(o, DNS_OPTION_COOKIE, &cursor, &cookie)) {
        memmove(p + len, cookie.ptr - DNS_OPTION_HEAD_LEN,
                DNS_OPTION_HEAD_LEN + cookie.len);
        len += DNS_OPTION_HEAD_LEN + cookie.len;
    }
    dns_put16(p + DNS_OPT_FIXED_LEN - 2, (unsigned)(len - DNS_OPT_FIXED_LEN));
    return len;
}

size_t dns_cut_answer(uint8_t *msg, size_t len)
{
    struct dns_response r = {.flags = dns_get16(msg + DNS_AT_FLAGS)};
    size_t cut = DNS_HEADER_LEN;

    if (dns_response_parse(span_of(msg, len), &r) == 0) {
        cut += r.has_question ? dns_question_len(&r.question) : 0;
    } /* else nothing but the header is sure */
    if (r.opt.is_present) {
        cut += move_opt(msg + cut, msg, &r.opt);
    }
    dns_put16(msg + DNS_AT_FLAGS, r.flags | DNS_FLAG_TC);
    dns_put_counts(msg, r.has_question ? 1 : 0, 0, 0, r.opt.is_present ? 1 : 0);
    return cut;
}
