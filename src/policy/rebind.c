/*
 * Answers that would let a stranger's web page reach into the own network: a
 * public name with a private address. Besides A and AAAA also the address
 * hints of SVCB and HTTPS records (RFC 9460 section 7.3), which browsers
 * connect to.
 */
#include "policy/inner.h"

#include "dns/name.h"

#include <string.h>

enum { TYPE_SVCB = 64, TYPE_HTTPS = 65, PARAM_V4_HINT = 4, PARAM_V6_HINT = 6 };

/* Addresses whose first bits are these. */
struct range {
    uint8_t bits; /* fewer than the address has */
    uint8_t ip[16];
};

static const struct range v4_ranges[] = {
    {8, {0}},         /* RFC 5735: this host, which many systems connect to */
    {8, {10}},        /* RFC 1918 */
    {10, {100, 64}},  /* RFC 6598 */
    {8, {127}},       /* RFC 5735: loopback */
    {16, {169, 254}}, /* RFC 3927 */
    {12, {172, 16}},  /* RFC 1918 */
    {16, {192, 168}}, /* RFC 1918 */
};

static const struct range v6_ranges[] = {
    {127, {0}},         /* RFC 4291: unspecified and loopback */
    {7, {0xfc}},        /* RFC 4193 */
    {10, {0xfe, 0x80}}, /* RFC 4291: link-local */
    {10, {0xfe, 0xc0}}, /* RFC 3879: site-local, of old */
};

/* What an IPv4 address may follow in an IPv6 address, 96 bits. */
static const struct range v4_carriers[] = {
    {96, {[10] = 0xff, 0xff}},      /* RFC 4291: IPv4-mapped */
    {96, {0}},                      /* RFC 4291: IPv4-compatible */
    {96, {0x00, 0x64, 0xff, 0x9b}}, /* RFC 6052: NAT64 */
};

static bool range_holds(const struct range *r, const uint8_t *ip)
{
    size_t whole = r->bits / 8;
    unsigned rest = r->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(r->ip, ip, whole) == 0 &&
           ((r->ip[whole] ^ ip[whole]) & mask) == 0;
}

static bool any_holds(const struct range *ranges, size_t count,
                      const uint8_t *ip)
{
    for (size_t i = 0; i < count; i++) {
        if (range_holds(&ranges[i], ip)) {
            return true;
        }
    }
    return false;
}

static bool is_private_v4(const uint8_t *ip)
{
    return any_holds(v4_ranges, COUNT_OF(v4_ranges), ip);
}

static bool is_private_v6(const uint8_t *ip)
{
    return any_holds(v6_ranges, COUNT_OF(v6_ranges), ip) ||
           (any_holds(v4_carriers, COUNT_OF(v4_carriers), ip) &&
            is_private_v4(ip + 12));
}

/* Is one of the addresses that lie one behind the other private? */
static bool any_is_private(struct span s, size_t ip_len)
{
    for (; s.len >= ip_len; s = span_from(s, ip_len)) {
        if (ip_len == 4 ? is_private_v4(s.ptr) : is_private_v6(s.ptr)) {
            return true;
        }
    }
    return false;
}

/* Parameters of a SVCB record: priority, target (never compressed), then key,
 * length and value of each (RFC 9460 section 2.2). */
static bool svcb_is_private(struct span data)
{
    int target_len = data.len < 2 ? -1 : dns_name_skip(data, 2);

    if (target_len < 0) {
        return false;
    }
    data = span_from(data, 2u + (size_t)target_len);
    while (data.len >= 4) {
        unsigned key = dns_get16(data.ptr);
        size_t len = dns_get16(data.ptr + 2);
        struct span value = span_from(data, 4);

        value.len = value.len < len ? value.len : len;
        if ((key == PARAM_V4_HINT && any_is_private(value, 4)) ||
            (key == PARAM_V6_HINT && any_is_private(value, 16))) {
            return true;
        }
        data = span_from(data, 4 + len);
    }
    return false;
}

static bool record_is_private(unsigned type, struct span data)
{
    switch (type) {
    case DNS_TYPE_A:
        return any_is_private(data, 4);
    case DNS_TYPE_AAAA:
        return any_is_private(data, 16);
    case TYPE_SVCB:
    case TYPE_HTTPS:
        return svcb_is_private(data);
    default:
        return false;
    }
}

/* Walk count records from offset at of a message that was parsed. */
static bool records_are_private(struct span msg, size_t at, unsigned count)
{
    while (count-- > 0) {
        const uint8_t *fixed; /* type, class, TTL, length */
        struct span data;
        int len = dns_name_skip(msg, at);

        if (len < 0 || msg.len - at - (size_t)len < 10) {
            return false;
        }
        at += (size_t)len + 10;
        fixed = msg.ptr + at - 10;
        data = span_of(msg.ptr + at, dns_get16(fixed + 8));
        if (msg.len - at < data.len) {
            return false;
        }
        if (record_is_private(dns_get16(fixed), data)) {
            return true;
        }
        at += data.len;
    }
    return false;
}

/* Is the name, or one above it, in rebind_allow? */
static bool is_allowed(const struct policy *p, const struct dns_question *q)
{
    struct names_walk w;

    names_walk_init(&w, &p->names.key, q->name, q->name_len);
    for (unsigned i = 0; i <= w.labels; i++) {
        const struct names_node *node = names_at(&p->names, &w, i);

        if (node != NULL && (node->marks & NAMES_REBIND) != 0) {
            return true;
        }
    }
    return false;
}

bool policy_is_rebinding(const struct policy *p,
                         const struct dns_question *question,
                         struct span message, const struct dns_response *r)
{
    size_t at = DNS_HEADER_LEN;

    if (!p->has_rebind_protection) {
        return false;
    }
    if (r->has_question) {
        at += dns_question_len(&r->question);
    }
    return records_are_private(message, at, r->answer_count) &&
           !is_allowed(p, question);
}
