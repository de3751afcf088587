/*
 * Answers from kept messages. A kept message differs from a server's by its
 * OPT, which lies outside of it: dns_build_answer() reads it just as well, and
 * so both kinds of answers look the same. The TTLs are put right afterwards,
 * in the client's copy.
 */
#include "dns/stored.h"

#include <assert.h>
#include <string.h>

enum { OPTION_HEAD_LEN = 4, EDE_CODE_LEN = 2 };

static void set_ttls(const struct dns_stored *s, struct dns_age age,
                     uint8_t *out)
{
    unsigned count =
        (unsigned)s->answer_count + s->authority_count + s->additional_count;

    for (unsigned i = 0; i < count; i++) {
        uint8_t *p = out + s->ttl_at[i];
        uint32_t ttl_s = dns_get32(p);

        ttl_s = ttl_s > age.age_s ? ttl_s - age.age_s : 0;
        dns_put32(p, age.fixed_s > 0 ? age.fixed_s : ttl_s);
    }
}

int dns_build_stored(const struct dns_asker *a, const struct dns_stored *s,
                     struct dns_age age, const struct dns_extra *extra,
                     uint8_t *out, size_t cap)
{
    struct dns_response r = {
        .flags = s->flags,
        .rcode = s->rcode,
        .has_question = true,
        .question = {.name_len = (uint16_t)(s->question_len - 4)},
        .answer_count = s->answer_count,
        .authority_count = s->authority_count,
        .additional_count = s->additional_count,
        .opt = {.options = s->options},
    };
    int len = dns_build_answer(a, s->message, &r, extra, out, cap);

    if (len > 0 && (dns_get16(out + 2) & DNS_FLAG_TC) == 0) {
        set_ttls(s, age, out);
    }
    return len;
}

size_t dns_stored_options(const struct dns_opt *o, uint8_t *out)
{
    size_t cursor = 0;
    size_t len = 0;
    struct span value;

    if (o->options.len == 0) {
        return 0;
    }
    while (dns_opt_next(o, DNS_OPTION_EDE, &cursor, &value)) {
        size_t whole = OPTION_HEAD_LEN + value.len;

        if (value.len < EDE_CODE_LEN) {
            continue;
        }
        if (out != NULL) {
            memcpy(out + len, value.ptr - OPTION_HEAD_LEN, whole);
        }
        len += whole;
    }
    return len;
}
