/*
 * Writing pieces of messages front to back: each takes where to write and gives
 * back where the next piece goes. Room was measured before. Private to dns.
 */
#ifndef DNS_PUT_H
#define DNS_PUT_H

#include "base/span.h"
#include "dns/message.h"
#include "dns/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DNS_OPTION_HEAD_LEN = 4,   /* code, length */
    DNS_RECORD_FIXED_LEN = 10, /* type, class, TTL, RDLENGTH */
    DNS_OPT_FLAG_DO = 0x8000,
};

/* Offsets in the header: RFC 1035 section 4.1.1. */
enum {
    DNS_AT_FLAGS = 2,
    DNS_AT_QDCOUNT = 4,
    DNS_AT_ANCOUNT = 6,
    DNS_AT_NSCOUNT = 8,
    DNS_AT_ARCOUNT = 10
};

static inline uint8_t *dns_put(uint8_t *p, const void *octets, size_t len)
{
    if (len > 0) {
        memcpy(p, octets, len);
    }
    return p + len;
}

static inline uint8_t *dns_put_option_head(uint8_t *p, unsigned code,
                                           size_t len)
{
    dns_put16(p, code);
    dns_put16(p + 2, (unsigned)len);
    return p + DNS_OPTION_HEAD_LEN;
}

/* The record up to its RDATA: RFC 6891 section 6.1.2, version 0. */
static inline uint8_t *dns_put_opt_head(uint8_t *p, unsigned udp_size,
                                        unsigned rcode, bool has_do,
                                        size_t options_len)
{
    p[0] = 0;
    dns_put16(p + 1, DNS_TYPE_OPT);
    dns_put16(p + 3, udp_size);
    dns_put16(p + 5, rcode >> 4 << 8);
    dns_put16(p + 7, has_do ? DNS_OPT_FLAG_DO : 0);
    dns_put16(p + 9, (unsigned)options_len);
    return p + DNS_OPT_FIXED_LEN;
}

/* Write the records of msg from offset at on, all but opt. */
static inline uint8_t *dns_put_records(uint8_t *p, struct span msg, size_t at,
                                       const struct dns_opt *opt)
{
    size_t after = opt->at + opt->len;

    if (opt->is_present) {
        p = dns_put(p, msg.ptr + at, opt->at - at);
        at = after;
    }
    return dns_put(p, msg.ptr + at, msg.len - at);
}

static inline void dns_put_counts(uint8_t *header, unsigned questions,
                                  unsigned answers, unsigned authorities,
                                  unsigned additional)
{
    dns_put16(header + DNS_AT_QDCOUNT, questions);
    dns_put16(header + DNS_AT_ANCOUNT, answers);
    dns_put16(header + DNS_AT_NSCOUNT, authorities);
    dns_put16(header + DNS_AT_ARCOUNT, additional);
}

#endif
