/*
 * Numbers of the DNS wire format and access to its big-endian integers.
 * RFC 1035 section 4, RFC 6891 section 6, RFC 8914, and IANA's registries.
 */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include "base/attr.h"

#include <stdint.h>

enum {
    DNS_HEADER_LEN = 12,
    DNS_MESSAGE_MAX = 65535,
    DNS_NAME_MAX = 255,    /* octets on the wire, root label included */
    DNS_UDP_MIN = 512,     /* what every client takes without EDNS */
    DNS_OPT_FIXED_LEN = 11 /* root name, type, class, TTL, RDLENGTH */
};

/* The 16 bits after the ID (RFC 1035 4.1.1; AD and CD: RFC 4035 3.2). */
enum {
    DNS_FLAG_QR = 0x8000,
    DNS_OPCODE_MASK = 0x7800,
    DNS_FLAG_AA = 0x0400,
    DNS_FLAG_TC = 0x0200,
    DNS_FLAG_RD = 0x0100,
    DNS_FLAG_RA = 0x0080,
    DNS_FLAG_Z = 0x0040,
    DNS_FLAG_AD = 0x0020,
    DNS_FLAG_CD = 0x0010,
    DNS_RCODE_MASK = 0x000f
};

enum dns_rcode {
    DNS_RCODE_NOERROR = 0,
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NXDOMAIN = 3,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
    DNS_RCODE_YXDOMAIN = 6, /* a DNAME made a name too long: RFC 6672 */
    DNS_RCODE_BADVERS = 16, /* needs an OPT record: RFC 6891 section 9 */
    DNS_RCODE_BADCOOKIE = 23
};

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_DNAME = 39,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_TSIG = 250,
    DNS_TYPE_IXFR = 251,
    DNS_TYPE_AXFR = 252,
    DNS_TYPE_ANY = 255
};

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3 };

enum dns_option {
    DNS_OPTION_ECS = 8,        /* RFC 7871 */
    DNS_OPTION_COOKIE = 10,    /* RFC 7873 */
    DNS_OPTION_KEEPALIVE = 11, /* RFC 7828 */
    DNS_OPTION_PADDING = 12,   /* RFC 7830 */
    DNS_OPTION_EDE = 15        /* RFC 8914 */
};

/* Extended DNS Error codes, RFC 8914 section 4. DNS_EDE_NONE: no such option.*/
enum dns_ede {
    DNS_EDE_NONE = -1,
    DNS_EDE_OTHER = 0,
    DNS_EDE_STALE_ANSWER = 3,
    DNS_EDE_FORGED = 4,
    DNS_EDE_CACHED_ERROR = 13,
    DNS_EDE_NOT_READY = 14,
    DNS_EDE_BLOCKED = 15,
    DNS_EDE_PROHIBITED = 18,
    DNS_EDE_STALE_NXDOMAIN = 19,
    DNS_EDE_NOT_SUPPORTED = 21,
    DNS_EDE_NO_REACHABLE = 22, /* No Reachable Authority */
    DNS_EDE_NETWORK = 23       /* Network Error */
};

static inline uint16_t dns_get16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t dns_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static inline void dns_put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void dns_put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

/* "A", "AAAA" … or "TYPE65280" (RFC 3597); returns text. */
const char *dns_type_text(uint16_t type, char text[16]);

/* The same backwards, any case. Returns the type (0-65535) | ERR_INVAL. */
MUST_USE int dns_type_from_text(const char *text);

/* "NOERROR", "SERVFAIL" … or "RCODE12"; returns text. */
const char *dns_rcode_text(unsigned rcode, char text[16]);

#endif
