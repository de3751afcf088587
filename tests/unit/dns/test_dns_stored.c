/*
 * Answers from kept messages: the same octets as from the server's message,
 * but for the TTLs.
 */
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "dns/stored.h"
#include "dns/ttl.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct made in, kept, options, want, got;
static uint16_t ttl_at[64];
static const struct dns_extra nothing = {.ede = DNS_EDE_NONE, .udp_size = 1232};

/* Keep what is in `in`, as a cache would. */
static struct dns_stored keep(struct dns_response *r)
{
    size_t head;

    assert_int_equal(dns_response_parse(made_span(&in), r), 0);
    head = DNS_HEADER_LEN + dns_question_len(&r->question);
    memset(kept.octets, 0xee, DNS_HEADER_LEN); /* never read */
    memcpy(kept.octets + 12, in.octets + 12, in.len - 12);
    kept.len = in.len;
    if (r->opt.is_present) {
        size_t after = r->opt.at + r->opt.len;
        memcpy(kept.octets + r->opt.at, in.octets + after, in.len - after);
        kept.len -= r->opt.len;
    }
    options.len = dns_stored_options(&r->opt, options.octets);
    assert_int_equal(options.len, dns_stored_options(&r->opt, NULL));
    dns_ttl_offsets(made_span(&in), r, ttl_at);
    return (struct dns_stored){
        .message = made_span(&kept),
        .options = made_span(&options),
        .ttl_at = ttl_at,
        .question_len = (uint16_t)(head - DNS_HEADER_LEN),
        .flags = r->flags,
        .rcode = r->rcode,
        .answer_count = r->answer_count,
        .authority_count = r->authority_count,
        .additional_count =
            (uint16_t)(r->additional_count - (r->opt.is_present ? 1 : 0)),
    };
}

static struct dns_asker make_asker(unsigned flags, bool has_opt, bool has_do,
                                   unsigned limit)
{
    static const uint8_t question[] = "\3Www\7exAMPLE\0\0\1\0\1";

    return (struct dns_asker){
        .question = question,
        .question_len = 17,
        .id = 0xabcd,
        .flags = (uint16_t)flags,
        .limit = (uint16_t)limit,
        .has_opt = has_opt,
        .has_do = has_opt && has_do,
    };
}

static void make_random(struct rng *rng)
{
    unsigned records = rng_below(rng, 6);
    unsigned opt_at = rng_below(rng, 8);

    made_header(&in, 7, DNS_FLAG_QR | (rng_next(rng) & 0x07f3));
    made_question(&in, "www.EXAMPLE", DNS_TYPE_A);
    for (unsigned n = 0; n < records; n++) {
        if (n == opt_at) {
            made_opt(&in, 512, "00000000",
                     "000c 0001 00 000f 0002 0016 000f 0001 00"
                     "000f 0004 0007 6162");
        }
        made_record(&in, n < 2 && opt_at > 1 ? IN_ANSWER : IN_ADDITIONAL,
                    "01 61 c00c", 1 + rng_below(rng, 40), rng_below(rng, 300));
    }
}

static void same_octets_as_from_the_server(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 11);
    for (int i = 0; i < 5000; i++) {
        struct dns_extra extra = {
            .ede = rng_below(&rng, 2) == 0 ? DNS_EDE_NONE : DNS_EDE_NETWORK,
            .ede_text = "why",
            .udp_size = 1400};
        struct dns_asker a = make_asker(
            (unsigned)rng_next(&rng) & 0x07ff, rng_below(&rng, 2) == 0,
            rng_below(&rng, 2) == 0, rng_below(&rng, 3) == 0 ? 512 : 65535);
        size_t cap = rng_below(&rng, 20) == 0 ? 100 : 65535;
        struct dns_response r;
        struct dns_stored s;
        int len;

        make_random(&rng);
        s = keep(&r);
        len =
            dns_build_answer(&a, made_span(&in), &r, &extra, want.octets, cap);
        assert_int_equal(dns_build_stored(&a, &s, (struct dns_age){0}, &extra,
                                          got.octets, cap),
                         len);
        if (len > 0) {
            assert_memory_equal(got.octets, want.octets, (size_t)len);
        }
    }
}

static void options_are_extended_errors_only(void **state)
{
    struct dns_response r;
    struct made only = {.len = 0};

    (void)state;
    made_header(&in, 0, DNS_FLAG_QR);
    made_question(&in, "www.example", DNS_TYPE_A);
    (void)keep(&r);
    assert_int_equal(options.len, 0);
    made_opt(&in, 512, "00000000",
             "000a 0002 ffff 000f 0002 0016 000f 0001 00 000f 0000"
             "000f 0004 0007 6162 000c 0001 00");
    (void)keep(&r);
    made_hex(&only, "000f 0002 0016 000f 0004 0007 6162");
    assert_int_equal(options.len, only.len);
    assert_memory_equal(options.octets, only.octets, only.len);
}

static const struct age_case {
    struct dns_age age;
    uint32_t want_s[2]; /* of 3600, and of 10 */
} age_cases[] = {
    {{0, 0}, {3600, 10}},         {{1, 0}, {3599, 9}},
    {{10, 0}, {3590, 0}},         {{11, 0}, {3589, 0}},
    {{UINT32_MAX, 0}, {0, 0}},    {{5, 30}, {30, 30}},
    {{UINT32_MAX, 30}, {30, 30}},
};

static void ttls_count_down(void **state)
{
    struct dns_asker a = make_asker(0, true, false, 512);
    struct dns_response r;
    struct dns_stored s;

    (void)state;
    made_header(&in, 0, DNS_FLAG_QR);
    made_question(&in, "www.example", DNS_TYPE_A);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_A, 4);
    made_record(&in, IN_AUTHORITY, "c00c", DNS_TYPE_NS, 1);
    s = keep(&r);
    dns_put32(kept.octets + ttl_at[1], 10);
    for (size_t i = 0; i < COUNT_OF(age_cases); i++) {
        const struct age_case *c = &age_cases[i];

        assert_true(
            dns_build_stored(&a, &s, c->age, &nothing, got.octets, 512) > 0);
        assert_int_equal(dns_get32(got.octets + 29 + 6), c->want_s[0]);
        assert_int_equal(dns_get32(got.octets + 29 + 16 + 6), c->want_s[1]);
    }
}

/* Where TTLs would be there is something else then. */
static void truncated_has_no_ttls(void **state)
{
    struct dns_asker a = make_asker(0, true, false, 512);
    struct dns_response r;
    struct dns_stored s;

    (void)state;
    made_header(&in, 0, DNS_FLAG_QR);
    made_question(&in, "www.example", DNS_TYPE_A);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_A, 600);
    s = keep(&r);
    memset(got.octets, 0x77, 100);
    assert_int_equal(dns_build_stored(&a, &s, (struct dns_age){1, 30}, &nothing,
                                      got.octets, 512),
                     29 + 11);
    assert_int_equal(got.octets[40], 0x77);
    assert_int_equal(dns_response_parse(span_of(got.octets, 40), &r), 0);
    assert_true((r.flags & DNS_FLAG_TC) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_octets_as_from_the_server),
        cmocka_unit_test(options_are_extended_errors_only),
        cmocka_unit_test(ttls_count_down),
        cmocka_unit_test(truncated_has_no_ttls),
    };
    return cmocka_run_group_tests_name("dns_stored", tests, NULL, NULL);
}
