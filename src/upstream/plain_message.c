/*
 * Messages to and from plain servers: what a query looks like on its way, and
 * whether an answer is its answer. Functions of their arguments, nothing else.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"
#include "dns/name.h"

#include <string.h>

enum { AT_QDCOUNT = 4, AT_ANCOUNT = 6, AT_ARCOUNT = 10, COUNTS_LEN = 6 };

/* ---- what leaves ---- */

static bool is_letter(uint8_t octet)
{
    uint8_t lower = octet | 0x20;

    return lower >= 'a' && lower <= 'z';
}

/* Octet i of the name as it is sent. Lengths of labels are no letters. */
static uint8_t spelt(const struct plain_look *look, const uint8_t *name,
                     size_t i)
{
    bool is_flipped = (look->flips[i / 8] >> i % 8 & 1) != 0;

    return is_flipped && is_letter(name[i]) ? name[i] ^ 0x20 : name[i];
}

/* Take the OPT out of a query. Returns the length that is left. */
static size_t drop_opt(uint8_t *octets, size_t len)
{
    struct dns_query q;

    if (dns_query_parse(span_of(octets, len), &q) == DNS_QUERY_DROP ||
        !q.opt.is_present) {
        return len;
    }
    size_t end = (size_t)q.opt.at + q.opt.len;
    memmove(octets + q.opt.at, octets + end, len - end);
    dns_put16(octets + AT_ARCOUNT, dns_get16(octets + AT_ARCOUNT) - 1u);
    return len - q.opt.len;
}

size_t plain_message_write(const struct plain_look *look, struct span query,
                           const struct dns_question *q, uint8_t *out)
{
    memcpy(out, query.ptr, query.len);
    dns_put16(out, look->id);
    for (size_t i = 0; look->has_case && i < q->name_len; i++) {
        out[DNS_HEADER_LEN + i] = spelt(look, q->name, i);
    }
    return look->is_bare ? drop_opt(out, query.len) : query.len;
}

/* ---- what comes ---- */

/* A server that could not read the question cannot repeat it; any other error
 * without one could be a forger's who does not know what was asked. */
static bool may_lack_question(const struct dns_response *r)
{
    return r->rcode == DNS_RCODE_FORMERR || r->rcode == DNS_RCODE_NOTIMP;
}

static bool has_spelling(const struct plain_look *look, const uint8_t *asked,
                         const struct dns_question *answered)
{
    for (size_t i = 0; i < answered->name_len; i++) {
        if (answered->name[i] != spelt(look, asked, i)) {
            return false;
        }
    }
    return true;
}

int plain_message_judge(const struct plain_look *look,
                        const struct dns_question *q, struct span msg,
                        struct dns_response *out)
{
    int err = dns_response_parse(msg, out);

    if (err != 0) {
        return err;
    }
    if (out->id != look->id || (out->flags & DNS_OPCODE_MASK) != 0) {
        return ERR_DNS_FORM;
    }
    if (!out->has_question) {
        return may_lack_question(out) ? 0 : ERR_DNS_FORM;
    }
    if (!dns_question_equal(&out->question, q) ||
        (look->has_case && !has_spelling(look, q->name, &out->question))) {
        return ERR_DNS_FORM;
    }
    return 0;
}

/* Records of an answer that was cut are not looked at: they may end anywhere
 * (RFC 2181 section 9). Returns the length that is left. */
static size_t drop_records(uint8_t *octets, size_t len)
{
    int name_len = 0;
    size_t kept = DNS_HEADER_LEN;

    if (dns_get16(octets + AT_QDCOUNT) == 1) {
        name_len = dns_name_skip(span_of(octets, len), DNS_HEADER_LEN);
        kept += (size_t)(name_len > 0 ? name_len : 0) + 4;
    }
    if (name_len < 0 || kept > len) {
        return len; /* not readable, as will be found */
    }
    memset(octets + AT_ANCOUNT, 0, COUNTS_LEN);
    return kept;
}

int plain_message_accept(const struct plain_look *look,
                         const struct dns_question *q, struct span datagram,
                         uint8_t octets[PLAIN_DATAGRAM_MAX], struct span *msg,
                         struct dns_response *out)
{
    size_t len = datagram.len;

    if (len < DNS_HEADER_LEN || len > PLAIN_DATAGRAM_MAX) {
        return ERR_DNS_SHORT;
    }
    memcpy(octets, datagram.ptr, len);
    if ((dns_get16(octets + 2) & DNS_FLAG_TC) != 0) {
        len = drop_records(octets, len);
    }
    *msg = span_of(octets, len);
    int err = plain_message_judge(look, q, *msg, out);
    if (err == 0 && out->has_question) {
        /* The view points here, and nothing else of it depends on case. */
        memcpy(octets + DNS_HEADER_LEN, q->name, q->name_len);
    }
    return err;
}
