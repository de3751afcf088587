/*
 * Walks over the records of a message that was parsed before: every length in
 * it is known to be right, so nothing is checked again but what the parser
 * takes as opaque, the RDATA.
 */
#include "dns/ttl.h"

#include "dns/name.h"

#include <assert.h>

enum {
    RECORD_FIXED_LEN = 10, /* type, class, TTL, RDLENGTH */
    AT_TTL = 4,            /* behind the owner's name */
    SOA_NUMBERS_LEN = 20,
    SOA_RDATA_MIN = 2 + SOA_NUMBERS_LEN, /* two root names */
    TTL_MAX = 0x7fffffff,
};

struct walk {
    struct span msg;
    size_t at;     /* the next record */
    unsigned left; /* records not yet seen, the OPT among them */
};

struct record {
    uint32_t ttl_at;
    uint16_t type;
    struct span rdata;
};

uint32_t dns_ttl_read(const uint8_t *p)
{
    uint32_t ttl_s = dns_get32(p);

    return ttl_s > TTL_MAX ? 0 : ttl_s;
}

static struct walk walk_begin(struct span msg, const struct dns_response *r)
{
    return (struct walk){
        .msg = msg,
        .at = DNS_HEADER_LEN + dns_question_len(&r->question),
        .left = (unsigned)r->answer_count + r->authority_count +
                r->additional_count,
    };
}

/* The next record that is not the OPT; false at the end. */
static bool walk_next(struct walk *w, struct record *out)
{
    while (w->left > 0) {
        int name_len = dns_name_skip(w->msg, w->at);
        const uint8_t *fixed = w->msg.ptr + w->at + name_len;
        size_t rdata_len;

        assert(name_len > 0); /* it was parsed */
        rdata_len = dns_get16(fixed + 8);
        *out = (struct record){
            .ttl_at = (uint32_t)(w->at + (size_t)name_len + AT_TTL),
            .type = dns_get16(fixed),
            .rdata = span_of(fixed + RECORD_FIXED_LEN, rdata_len),
        };
        w->at += (size_t)name_len + RECORD_FIXED_LEN + rdata_len;
        w->left--;
        if (out->type != DNS_TYPE_OPT) {
            return true;
        }
    }
    return false;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* RFC 2308 section 5. A SOA too short to be one is none. */
static void see_soa(const struct record *soa, uint32_t ttl_s,
                    struct dns_ttl *out)
{
    const uint8_t *end = soa->rdata.ptr + soa->rdata.len;

    if (soa->rdata.len < SOA_RDATA_MIN) {
        return;
    }
    ttl_s = least(ttl_s, dns_ttl_read(end - 4));
    out->negative_s = out->has_soa ? least(out->negative_s, ttl_s) : ttl_s;
    out->has_soa = true;
}

void dns_ttl_survey(struct span msg, const struct dns_response *r,
                    struct dns_ttl *out)
{
    struct walk w = walk_begin(msg, r);
    struct dns_ttl t = {.least_s = UINT32_MAX};
    struct record record;

    for (unsigned i = 0; walk_next(&w, &record); i++) {
        uint32_t ttl_s = dns_ttl_read(msg.ptr + record.ttl_at);

        t.count++;
        t.least_s = least(t.least_s, ttl_s);
        if (i < r->answer_count) {
            t.has_asked |= record.type == r->question.type ||
                           r->question.type == DNS_TYPE_ANY;
        } else if (i < (unsigned)r->answer_count + r->authority_count &&
                   record.type == DNS_TYPE_SOA) {
            see_soa(&record, ttl_s, &t);
        }
    }
    *out = t;
}

void dns_ttl_offsets(struct span msg, const struct dns_response *r,
                     uint16_t *at)
{
    struct walk w = walk_begin(msg, r);
    struct record record;

    while (walk_next(&w, &record)) {
        uint32_t cut =
            r->opt.is_present && record.ttl_at > r->opt.at ? r->opt.len : 0;
        *at++ = (uint16_t)(record.ttl_at - cut);
    }
}
