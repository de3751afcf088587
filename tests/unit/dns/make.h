/*
 * Messages for the tests of dns: written from hex with spaces and comments in
 * parentheses, or put together from parts. A mistake in a test aborts.
 */
#ifndef TESTS_DNS_MAKE_H
#define TESTS_DNS_MAKE_H

#include "base/span.h"
#include "dns/name.h"
#include "dns/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAYBE_UNUSED __attribute__((unused))

struct made {
    uint8_t octets[DNS_MESSAGE_MAX + 4096];
    size_t len;
};

static inline struct span made_span(const struct made *m)
{
    return span_of(m->octets, m->len);
}

static inline int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    return found == NULL ? -1 : (int)(found - digits);
}

/* Append octets from hex; "(...)" is a comment. */
MAYBE_UNUSED static void made_hex(struct made *m, const char *hex)
{
    for (const char *p = hex; *p != '\0'; p++) {
        if (*p == '(') {
            p = strchr(p, ')');
            assert(p != NULL);
        } else if (*p != ' ' && *p != '\n') {
            assert(hex_digit(p[0]) >= 0 && hex_digit(p[1]) >= 0);
            assert(m->len < sizeof(m->octets));
            m->octets[m->len++] =
                (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
            p++;
        }
    }
}

MAYBE_UNUSED static void made_u16(struct made *m, unsigned value)
{
    dns_put16(m->octets + m->len, value);
    m->len += 2;
}

/* A wire name without pointers. */
MAYBE_UNUSED static void made_name(struct made *m, const char *text)
{
    int len = dns_name_from_text(text, strlen(text), m->octets + m->len);

    assert(len > 0);
    m->len += (size_t)len;
}

/* Start anew with a header; the counts go up with what is added. */
MAYBE_UNUSED static void made_header(struct made *m, unsigned id,
                                     unsigned flags)
{
    memset(m->octets, 0, DNS_HEADER_LEN);
    m->len = DNS_HEADER_LEN;
    dns_put16(m->octets, id);
    dns_put16(m->octets + 2, flags);
}

enum made_section {
    IN_QUESTION = 4,
    IN_ANSWER = 6,
    IN_AUTHORITY = 8,
    IN_ADDITIONAL = 10
};

MAYBE_UNUSED static void made_count(struct made *m, enum made_section section)
{
    uint8_t *count = m->octets + section;

    dns_put16(count, dns_get16(count) + 1u);
}

MAYBE_UNUSED static void made_question(struct made *m, const char *name,
                                       unsigned type)
{
    made_count(m, IN_QUESTION);
    made_name(m, name);
    made_u16(m, type);
    made_u16(m, DNS_CLASS_IN);
}

/* A record whose owner is hex ("c00c", "00"); len octets of RDATA, all 0x5a. */
MAYBE_UNUSED static void made_record(struct made *m, enum made_section section,
                                     const char *owner_hex, unsigned type,
                                     size_t len)
{
    made_count(m, section);
    made_hex(m, owner_hex);
    made_u16(m, type);
    made_u16(m, DNS_CLASS_IN);
    made_hex(m, "00000e10");
    made_u16(m, (unsigned)len);
    assert(m->len + len <= sizeof(m->octets));
    memset(m->octets + m->len, 0x5a, len);
    m->len += len;
}

/* An OPT; ttl has the upper RCODE, the version and the flags. */
MAYBE_UNUSED static void made_opt(struct made *m, unsigned udp_size,
                                  const char *ttl_hex, const char *options_hex)
{
    size_t len_at;

    made_count(m, IN_ADDITIONAL);
    made_hex(m, "00 0029");
    made_u16(m, udp_size);
    made_hex(m, ttl_hex);
    len_at = m->len;
    made_u16(m, 0);
    made_hex(m, options_hex);
    dns_put16(m->octets + len_at, (unsigned)(m->len - len_at - 2));
}

/* The same octets where AddressSanitizer sees a read past either end. */
MAYBE_UNUSED static uint8_t *heap_copy(struct span s)
{
    uint8_t *copy = malloc(s.len == 0 ? 1 : s.len);

    assert(copy != NULL);
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

#endif
