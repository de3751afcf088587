/*
 * Protocol Buffers, as far as dnstap.proto needs them: a field is its number
 * and its kind in one varint, then a varint, four octets (least first), or a
 * length and octets. What precedes the DNS message is gathered first, since the
 * length of the whole comes before it.
 */
#include "dnstap/message.h"

#include <string.h>

/* dnstap.proto */
enum {
    TOP_IDENTITY = 1,
    TOP_VERSION = 2,
    TOP_MESSAGE = 14,
    TOP_TYPE = 15,
    TYPE_MESSAGE = 1,

    FIELD_TYPE = 1,
    FIELD_SOCKET_FAMILY = 2,
    FIELD_SOCKET_PROTOCOL = 3,
    FIELD_QUERY_ADDRESS = 4,
    FIELD_RESPONSE_ADDRESS = 5,
    FIELD_QUERY_PORT = 6,
    FIELD_RESPONSE_PORT = 7,
    FIELD_QUERY_TIME_SEC = 8,
    FIELD_QUERY_TIME_NSEC = 9,
    FIELD_QUERY_MESSAGE = 10,
    FIELD_RESPONSE_TIME_SEC = 12,
    FIELD_RESPONSE_TIME_NSEC = 13,
    FIELD_RESPONSE_MESSAGE = 14,

    CLIENT_QUERY = 5,
    CLIENT_RESPONSE = 6,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    PROTOCOL_UDP = 1,
    PROTOCOL_TCP = 2,
};

enum kind { KIND_VARINT = 0, KIND_OCTETS = 2, KIND_FIXED32 = 5 };

enum {
    VARINT_MAX = 10,
    /* Tags here are one octet; a length is at most five. */
    SHORT_MAX = 1 + VARINT_MAX,
    OCTETS_HEAD_MAX = 1 + 5,
    /* type, family, protocol, two ports, two times of two fields, and two
     * addresses */
    HEAD_MAX = 9 * SHORT_MAX + 2 * (OCTETS_HEAD_MAX + 16),
};

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        *p++ = (uint8_t)(value | 0x80);
    }
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *put_tag(uint8_t *p, unsigned field, enum kind kind)
{
    return put_varint(p, field << 3 | kind);
}

static uint8_t *put_number(uint8_t *p, unsigned field, uint64_t value)
{
    return put_varint(put_tag(p, field, KIND_VARINT), value);
}

static uint8_t *put_fixed32(uint8_t *p, unsigned field, uint32_t value)
{
    p = put_tag(p, field, KIND_FIXED32);
    for (unsigned i = 0; i < 4; i++) {
        *p++ = (uint8_t)(value >> 8 * i);
    }
    return p;
}

static uint8_t *put_octets(uint8_t *p, unsigned field, struct span s)
{
    p = put_varint(put_tag(p, field, KIND_OCTETS), s.len);
    memcpy(p, s.ptr, s.len);
    return p + s.len;
}

static uint8_t *put_ip(uint8_t *p, unsigned field, const struct addr *a)
{
    return a == NULL ? p : put_octets(p, field, span_of(a->ip, addr_ip_len(a)));
}

static uint8_t *put_port(uint8_t *p, unsigned field, const struct addr *a)
{
    return a == NULL ? p : put_number(p, field, a->port);
}

static uint8_t *put_time(uint8_t *p, uint64_t us, unsigned sec_field,
                         unsigned nsec_field)
{
    if (us == 0) {
        return p;
    }
    p = put_number(p, sec_field, us / 1000000);
    return put_fixed32(p, nsec_field, (uint32_t)(us % 1000000 * 1000));
}

/* All of the inner message but the DNS message, which is its last field. */
static size_t put_head(const struct dnstap_message *m, uint8_t out[HEAD_MAX])
{
    uint8_t *p = put_number(out, FIELD_TYPE,
                            m->is_response ? CLIENT_RESPONSE : CLIENT_QUERY);

    if (m->family != 0) {
        p = put_number(p, FIELD_SOCKET_FAMILY,
                       m->family == 4 ? FAMILY_INET : FAMILY_INET6);
    }
    p = put_number(p, FIELD_SOCKET_PROTOCOL,
                   m->is_tcp ? PROTOCOL_TCP : PROTOCOL_UDP);
    p = put_ip(p, FIELD_QUERY_ADDRESS, m->client);
    p = put_ip(p, FIELD_RESPONSE_ADDRESS, m->local);
    p = put_port(p, FIELD_QUERY_PORT, m->client);
    p = put_port(p, FIELD_RESPONSE_PORT, m->local);
    p = put_time(p, m->query_us, FIELD_QUERY_TIME_SEC, FIELD_QUERY_TIME_NSEC);
    if (m->is_response) {
        p = put_time(p, m->response_us, FIELD_RESPONSE_TIME_SEC,
                     FIELD_RESPONSE_TIME_NSEC);
    }
    return (size_t)(p - out);
}

size_t dnstap_message_max(const struct dnstap_message *m)
{
    return 3 * OCTETS_HEAD_MAX + SHORT_MAX + HEAD_MAX + OCTETS_HEAD_MAX +
           m->identity.len + m->version.len + m->octets.len;
}

size_t dnstap_message_encode(const struct dnstap_message *m, uint8_t *out)
{
    unsigned field =
        m->is_response ? FIELD_RESPONSE_MESSAGE : FIELD_QUERY_MESSAGE;
    uint8_t head[HEAD_MAX];
    uint8_t before[OCTETS_HEAD_MAX];
    uint8_t *p = out;
    size_t head_len = put_head(m, head);
    size_t before_len = (size_t)(put_varint(put_tag(before, field, KIND_OCTETS),
                                            m->octets.len) -
                                 before);

    if (m->identity.len > 0) {
        p = put_octets(p, TOP_IDENTITY, m->identity);
    }
    if (m->version.len > 0) {
        p = put_octets(p, TOP_VERSION, m->version);
    }
    p = put_varint(put_tag(p, TOP_MESSAGE, KIND_OCTETS),
                   head_len + before_len + m->octets.len);
    memcpy(p, head, head_len);
    p += head_len;
    p = put_octets(p, field, m->octets);
    return (size_t)(put_number(p, TOP_TYPE, TYPE_MESSAGE) - out);
}
