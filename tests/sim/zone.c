/*
 * The zone of the simulation.
 */
#include "zone.h"

#include "dns/name.h"

#include <stdio.h>
#include <string.h>

enum {
    RECORD_HEAD = 12,
    BIG_RDATA = 200,
    SOA_RDATA = 22,
    OPT_LEN = 11,
    STALE_TTL = 30
};

/* ---- answers ---- */

int zone_kind(const struct dns_question *q)
{
    return q->name_len < 2 ? ZONE_PLAIN : q->name[1] | 0x20;
}

bool zone_is_home(const struct dns_question *q)
{
    static const uint8_t home[] = "\4home\7example";
    uint8_t lower[DNS_NAME_MAX];

    dns_name_lower(lower, q->name, q->name_len);
    return q->name_len >= sizeof(home) &&
           memcmp(lower + q->name_len - sizeof(home), home, sizeof(home)) == 0;
}

uint64_t zone_number(const struct dns_question *q)
{
    uint64_t number = 0;

    for (size_t i = 2;
         i < q->name_len && q->name[i] >= '0' && q->name[i] <= '9'; i++) {
        number = number * 10 + (q->name[i] - '0');
    }
    return number;
}

static uint64_t question_hash(const struct dns_question *q)
{
    uint8_t lower[DNS_NAME_MAX];
    uint64_t h = 0xcbf29ce484222325u + q->type * 31u + q->klass;

    dns_name_lower(lower, q->name, q->name_len);
    for (size_t i = 0; i < q->name_len; i++) {
        h = (h ^ lower[i]) * 0x100000001b3u;
    }
    return h ^ h >> 31;
}

/* Records: how many, and the octets of RDATA each has. */
static unsigned shape(const struct dns_question *q, size_t *rdata_len)
{
    uint64_t h = question_hash(q);

    *rdata_len = q->type == DNS_TYPE_A ? 4 : 16;
    switch (zone_kind(q)) {
    case ZONE_BIG:
        *rdata_len = BIG_RDATA;
        return 7 + (unsigned)(h % 12);
    case ZONE_HUGE:
        *rdata_len = BIG_RDATA;
        return 20 + (unsigned)(h % 260);
    case ZONE_NODATA:
    case ZONE_NXDOMAIN:
    case ZONE_SERVFAIL:
        return 0;
    default:
        return 1;
    }
}

static unsigned rcode_of(const struct dns_question *q)
{
    switch (zone_kind(q)) {
    case ZONE_NXDOMAIN:
        return DNS_RCODE_NXDOMAIN;
    case ZONE_SERVFAIL:
        return DNS_RCODE_SERVFAIL;
    default:
        return DNS_RCODE_NOERROR;
    }
}

/* Short: answers end, and go stale, within a run. */
static uint32_t ttl_of(const struct dns_question *q)
{
    if (zone_kind(q) == ZONE_LASTING) {
        return 30 + (uint32_t)(question_hash(q) >> 8) % 7200;
    }
    return 1 + (uint32_t)(question_hash(q) >> 8) % 20;
}

static size_t put_record(uint8_t *out, const struct dns_question *q,
                         unsigned index, size_t rdata_len)
{
    uint64_t h = question_hash(q) + index * 0x9e3779b97f4a7c15u;

    dns_put16(out, 0xc00c); /* the question's name */
    dns_put16(out + 2, q->type);
    dns_put16(out + 4, q->klass);
    dns_put32(out + 6, ttl_of(q));
    dns_put16(out + 10, (unsigned)rdata_len);
    for (size_t i = 0; i < rdata_len; i++) {
        out[RECORD_HEAD + i] = (uint8_t)(h >> (i % 8 * 8)) ^ (uint8_t)i;
    }
    return RECORD_HEAD + rdata_len;
}

/* Negative answers have an SOA, so that they can be kept (RFC 2308). */
static bool is_negative(const struct dns_question *q)
{
    return zone_kind(q) == ZONE_NODATA || zone_kind(q) == ZONE_NXDOMAIN;
}

static size_t put_soa(uint8_t *out, const struct dns_question *q)
{
    memset(out, 0, RECORD_HEAD + SOA_RDATA);
    dns_put16(out, 0xc00c);
    dns_put16(out + 2, DNS_TYPE_SOA);
    dns_put16(out + 4, q->klass);
    dns_put32(out + 6, ttl_of(q));
    dns_put16(out + 10, SOA_RDATA);
    dns_put32(out + RECORD_HEAD + SOA_RDATA - 4, ttl_of(q));
    return RECORD_HEAD + SOA_RDATA;
}

static size_t put_records(uint8_t *out, const struct dns_question *q,
                          unsigned *count)
{
    size_t rdata_len = 0;
    size_t at = 0;

    *count = shape(q, &rdata_len);
    for (unsigned i = 0; i < *count; i++) {
        at += put_record(out + at, q, i, rdata_len);
    }
    if (is_negative(q)) {
        at += put_soa(out + at, q);
    }
    return at;
}

size_t zone_answer_len(const struct dns_question *q)
{
    size_t rdata_len = 0;
    unsigned count = shape(q, &rdata_len);
    return DNS_HEADER_LEN + dns_question_len(q) +
           (is_negative(q) ? RECORD_HEAD + SOA_RDATA : 0) +
           count * (RECORD_HEAD + rdata_len);
}

static size_t put_opt(uint8_t *out)
{
    memset(out, 0, OPT_LEN);
    dns_put16(out + 1, DNS_TYPE_OPT);
    dns_put16(out + 3, 1232);
    return OPT_LEN;
}

static size_t put_head(uint8_t *out, struct span query,
                       const struct dns_query *q, unsigned rcode)
{
    size_t len = DNS_HEADER_LEN + dns_question_len(&q->question);

    memcpy(out, query.ptr, len);
    dns_put16(out + 2, DNS_FLAG_QR | DNS_FLAG_RA |
                           (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD)) | rcode);
    dns_put16(out + 4, 1);
    dns_put16(out + 6, 0);
    dns_put16(out + 8, 0);
    dns_put16(out + 10, q->opt.is_present ? 1 : 0);
    return len;
}

size_t zone_error(struct span query, const struct dns_query *q, unsigned rcode,
                  uint8_t *out)
{
    size_t at = put_head(out, query, q, rcode);
    return at + (q->opt.is_present ? put_opt(out + at) : 0);
}

size_t zone_answer(struct span query, const struct dns_query *q, uint8_t *out)
{
    unsigned count = 0;
    size_t at = put_head(out, query, q, rcode_of(&q->question));

    at += put_records(out + at, &q->question, &count);
    dns_put16(out + 6, count);
    dns_put16(out + 8, is_negative(&q->question));
    return at + (q->opt.is_present ? put_opt(out + at) : 0);
}

size_t zone_add_keepalive(uint8_t *message, size_t len, unsigned units)
{
    uint8_t *opt = message + len - OPT_LEN;

    if (dns_get16(message + 10) == 0) {
        return len;
    }
    dns_put16(opt + OPT_LEN - 2, 6); /* one option, of two octets */
    dns_put16(opt + OPT_LEN, DNS_OPTION_KEEPALIVE);
    dns_put16(opt + OPT_LEN + 2, 2);
    dns_put16(opt + OPT_LEN + 4, units);
    return len + 6;
}

/* ---- queries ---- */

static size_t put_mixed_case(uint8_t *out, const char *text, uint64_t number)
{
    size_t len = strlen(text);

    out[0] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        bool is_letter = text[i] >= 'a' && text[i] <= 'z';
        bool is_upper = is_letter && (number >> (i % 13) & 1) != 0;
        out[1 + i] = (uint8_t)(is_upper ? text[i] - 0x20 : text[i]);
    }
    return len + 1;
}

static size_t put_query(uint16_t id, int kind, uint64_t number,
                        const char *where, uint16_t type, uint16_t edns_size,
                        uint8_t *out)
{
    char label[32];
    size_t at = DNS_HEADER_LEN;

    snprintf(label, sizeof(label), "%c%llu", kind, (unsigned long long)number);
    memset(out, 0, DNS_HEADER_LEN);
    dns_put16(out, id);
    dns_put16(out + 2, DNS_FLAG_RD);
    dns_put16(out + 4, 1);
    at += put_mixed_case(out + at, label, number);
    at += put_mixed_case(out + at, where, number * 7);
    at += put_mixed_case(out + at, "example", number * 13);
    out[at++] = 0;
    dns_put16(out + at, type);
    dns_put16(out + at + 2, DNS_CLASS_IN);
    at += 4;
    if (edns_size != 0) {
        dns_put16(out + 10, 1);
        put_opt(out + at);
        dns_put16(out + at + 3, edns_size);
        at += OPT_LEN;
    }
    return at;
}

size_t zone_query(uint16_t id, int kind, uint64_t number, uint16_t type,
                  uint16_t edns_size, uint8_t *out)
{
    return put_query(id, kind, number, "simulated", type, edns_size, out);
}

size_t zone_query_home(uint16_t id, int kind, uint64_t number, uint16_t type,
                       uint16_t edns_size, uint8_t *out)
{
    return put_query(id, kind, number, "home", type, edns_size, out);
}

/* ---- judging ---- */

static bool is_same_octets(struct span a, struct span b, size_t len)
{
    return a.len >= len && b.len >= len &&
           (len == 0 || memcmp(a.ptr, b.ptr, len) == 0);
}

static const char *fault_of_head(struct span query, const struct dns_query *q,
                                 struct span answer,
                                 const struct dns_response *r)
{
    size_t len = dns_question_len(&q->question);

    if (r->id != q->id) {
        return "another ID";
    }
    if ((r->flags & DNS_FLAG_QR) == 0) {
        return "not a response";
    }
    if (!r->has_question ||
        !is_same_octets(span_from(query, DNS_HEADER_LEN),
                        span_from(answer, DNS_HEADER_LEN), len)) {
        return "another question, or in another spelling";
    }
    if (r->opt.is_present != q->opt.is_present) {
        return "OPT where none was asked for, or none where one was";
    }
    return NULL;
}

static bool has_extended_error(const struct dns_response *r)
{
    size_t cursor = 0;
    struct span value;
    return dns_opt_next(&r->opt, DNS_OPTION_EDE, &cursor, &value);
}

static const char *fault_of_records(const struct dns_query *q,
                                    struct span answer,
                                    const struct dns_response *r)
{
    static uint8_t want[ZONE_MESSAGE_MAX];
    unsigned count = 0;
    size_t len = put_records(want, &q->question, &count);
    size_t at = DNS_HEADER_LEN + dns_question_len(&q->question);

    if (r->rcode != rcode_of(&q->question)) {
        return "another RCODE";
    }
    struct span got = span_from(answer, at);
    if (r->answer_count != count ||
        r->authority_count != is_negative(&q->question) || got.len < len) {
        return "other records";
    }
    for (size_t i = 0; i < len;) {
        uint32_t ttl = dns_get32(got.ptr + i + 6);
        if (ttl > ttl_of(&q->question) && ttl != STALE_TTL) {
            return "a TTL that grew";
        }
        dns_put32(want + i + 6, ttl); /* it may have been counted down */
        i += RECORD_HEAD + dns_get16(want + i + 10);
    }
    return is_same_octets(got, span_of(want, len), len) ? NULL
                                                        : "other records";
}

static enum zone_verdict judge_error(const struct dns_query *q,
                                     const struct dns_response *r,
                                     const char **why)
{
    switch (r->rcode) {
    case DNS_RCODE_SERVFAIL:
        *why = "SERVFAIL without an extended error";
        return q->opt.is_present && !has_extended_error(r) ? ZONE_RELAYED
                                                           : ZONE_GAVE_UP;
    case DNS_RCODE_FORMERR:
    case DNS_RCODE_NOTIMP:
    case DNS_RCODE_REFUSED:
        *why = "an error that no server sent";
        return ZONE_RELAYED;
    default:
        return ZONE_WRONG;
    }
}

enum zone_verdict zone_judge(struct span query, struct span answer,
                             const char **why)
{
    struct dns_query q;
    struct dns_response r;

    *why = "unreadable answer";
    if (dns_query_parse(query, &q) != DNS_QUERY_OK ||
        dns_response_parse(answer, &r) != 0) {
        return ZONE_WRONG;
    }
    *why = fault_of_head(query, &q, answer, &r);
    if (*why != NULL) {
        return ZONE_WRONG;
    }
    if ((r.flags & DNS_FLAG_TC) != 0) {
        *why = "truncated, with records";
        return r.answer_count == 0 ? ZONE_TRUNCATED : ZONE_WRONG;
    }
    *why = fault_of_records(&q, answer, &r);
    if (*why == NULL) {
        return ZONE_RIGHT;
    }
    return r.answer_count == 0 ? judge_error(&q, &r, why) : ZONE_WRONG;
}
