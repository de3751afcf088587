/*
 * Messages, read as a query and as a response. What a parser accepts is walked
 * again in the plainest way.
 */
#include "base/err.h"
#include "dns/message.h"
#include "dns/name.h"

#include "../require.h"

#include <string.h>

static bool is_inside(struct span outer, struct span inner)
{
    return inner.len == 0 || (inner.ptr >= outer.ptr &&
                              inner.ptr + inner.len <= outer.ptr + outer.len);
}

static void require_question(struct span msg, const struct dns_question *q)
{
    uint8_t name[DNS_NAME_MAX];

    REQUIRE(q->name == msg.ptr + DNS_HEADER_LEN);
    REQUIRE(dns_name_read(msg, DNS_HEADER_LEN, name) == q->name_len);
    REQUIRE(memcmp(name, q->name, q->name_len) == 0);
    REQUIRE(DNS_HEADER_LEN + dns_question_len(q) <= msg.len);
    REQUIRE(dns_question_equal(q, q));
}

static void require_opt(struct span msg, const struct dns_opt *o)
{
    size_t cursor = 0;
    struct span value;

    if (!o->is_present) {
        REQUIRE(o->len == 0 && o->options.len == 0);
        return;
    }
    REQUIRE((size_t)o->at + o->len <= msg.len);
    if (o->version == 0) { /* the options of others are not looked at */
        REQUIRE(o->len == DNS_OPT_FIXED_LEN + o->options.len);
    } else {
        REQUIRE(o->options.len == 0);
    }
    REQUIRE(msg.ptr[o->at] == 0);
    REQUIRE(dns_get16(msg.ptr + o->at + 1) == DNS_TYPE_OPT);
    REQUIRE(is_inside(msg, o->options));
    for (unsigned code = 0; code < 20; code++) {
        cursor = 0;
        while (dns_opt_next(o, (uint16_t)code, &cursor, &value)) {
            REQUIRE(is_inside(o->options, value));
        }
    }
}

/* The header's counts lead exactly to the end, with opts OPT among them. */
static void require_records(struct span msg, size_t at, unsigned opts)
{
    unsigned count = (unsigned)dns_get16(msg.ptr + 6) + dns_get16(msg.ptr + 8) +
                     dns_get16(msg.ptr + 10);

    for (; count > 0; count--) {
        int len = dns_name_skip(msg, at);

        REQUIRE(len > 0);
        at += (size_t)len;
        REQUIRE(msg.len - at >= 10);
        opts -= dns_get16(msg.ptr + at) == DNS_TYPE_OPT;
        at += 10u + dns_get16(msg.ptr + at + 8);
        REQUIRE(at <= msg.len);
    }
    REQUIRE(at == msg.len);
    REQUIRE(opts == 0);
}

static void try_query(struct span msg)
{
    struct dns_query q;
    enum dns_verdict verdict = dns_query_parse(msg, &q);

    REQUIRE((verdict == DNS_QUERY_DROP) ==
            (msg.len < DNS_HEADER_LEN || msg.ptr[2] >= 0x80));
    if (verdict == DNS_QUERY_DROP) {
        return;
    }
    REQUIRE(q.id == dns_get16(msg.ptr));
    require_opt(msg, &q.opt);
    if (q.cookie.ptr != NULL) {
        REQUIRE(is_inside(q.opt.options, q.cookie));
    }
    if (q.question.name != NULL) {
        require_question(msg, &q.question);
    }
    if (verdict != DNS_QUERY_FORMERR && verdict != DNS_QUERY_NOTIMP) {
        REQUIRE(q.question.name != NULL);
        require_records(msg, DNS_HEADER_LEN + dns_question_len(&q.question),
                        q.opt.is_present);
    }
    REQUIRE((verdict == DNS_QUERY_BADVERS) <= (q.opt.version > 0));
}

static void try_response(struct span msg)
{
    struct dns_response r;
    size_t at = DNS_HEADER_LEN;

    if (dns_response_parse(msg, &r) != 0) {
        return;
    }
    REQUIRE((r.flags & DNS_FLAG_QR) != 0);
    REQUIRE(r.rcode <= 0xfff);
    REQUIRE(r.has_keepalive <= (r.opt.options.len >= 6));
    require_opt(msg, &r.opt);
    if (r.has_question) {
        require_question(msg, &r.question);
        at += dns_question_len(&r.question);
    }
    require_records(msg, at, r.opt.is_present);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);

    REQUIRE(copy != NULL);
    memcpy(copy, octets, len);
    for (int round = 0; round < 2; round++) {
        try_query(span_of(copy, len));
        try_response(span_of(copy, len));
        if (len > 2) {
            copy[2] ^= 0x80; /* the same as a query, or as a response */
        }
    }
    free(copy);
    return 0;
}
