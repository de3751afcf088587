/*
 * Records of the toy protocol.
 */
#include "tls_wire.h"

#include "base/err.h"
#include "dns/wire.h"

#include <string.h>

enum { CHECK_LEN = 2 };

static uint16_t check_of(const struct tls_direction *d, uint8_t type,
                         struct span content)
{
    uint32_t sum = d->sequence * 2654435761u + d->key + type;

    for (size_t i = 0; i < content.len; i++) {
        sum = (sum << 5) + (sum >> 27) + content.ptr[i];
    }
    return (uint16_t)(sum ^ sum >> 16);
}

static void mix(const struct tls_direction *d, uint8_t *to, const uint8_t *from,
                size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i] ^ (uint8_t)((d->key >> (i % 4 * 8)) | 0x80);
    }
}

int tls_wire_put(struct buf *out, struct tls_direction *d, enum tls_record type,
                 struct span content)
{
    size_t body = content.len + CHECK_LEN;
    uint8_t *to = buf_reserve(out, TLS_RECORD_HEAD + body);

    if (to == NULL) {
        return ERR_LIMIT;
    }
    to[0] = (uint8_t)type;
    dns_put16(to + 1, (unsigned)body);
    mix(d, to + TLS_RECORD_HEAD, content.ptr, content.len);
    dns_put16(to + TLS_RECORD_HEAD + content.len, check_of(d, to[0], content));
    d->sequence++;
    buf_commit(out, TLS_RECORD_HEAD + body);
    return 0;
}

int tls_wire_take(struct buf *in, struct tls_direction *d,
                  uint8_t content[TLS_RECORD_MAX], size_t *len)
{
    struct span s = buf_span(in);

    if (s.len < TLS_RECORD_HEAD) {
        return 0;
    }
    uint8_t type = s.ptr[0];
    size_t body = dns_get16(s.ptr + 1);
    if (type < TLS_HELLO || type > TLS_ALERT || body < CHECK_LEN ||
        body > TLS_RECORD_MAX + CHECK_LEN) {
        return ERR_TLS_PROTOCOL;
    }
    if (s.len < TLS_RECORD_HEAD + body) {
        return 0;
    }
    *len = body - CHECK_LEN;
    mix(d, content, s.ptr + TLS_RECORD_HEAD, *len);
    unsigned check = dns_get16(s.ptr + TLS_RECORD_HEAD + *len);
    buf_consume(in, TLS_RECORD_HEAD + body);
    if (check != check_of(d, type, span_of(content, *len))) {
        return ERR_TLS_PROTOCOL;
    }
    d->sequence++;
    return type;
}

int tls_wire_read(const uint8_t *content, size_t len, void *out, size_t want)
{
    if (len != want) {
        return ERR_TLS_PROTOCOL;
    }
    memcpy(out, content, want);
    return 0;
}
