/*
 * Surveys of TTLs: the least one, what the answer section has, and what a SOA
 * says about a negative answer (RFC 2308 section 5).
 */
#include "base/attr.h"
#include "dns/ttl.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct made in;
static struct dns_response r;
static struct dns_ttl ttl;

static void survey(void)
{
    assert_int_equal(dns_response_parse(made_span(&in), &r), 0);
    dns_ttl_survey(made_span(&in), &r, &ttl);
}

static void begin(unsigned type)
{
    made_header(&in, 0, DNS_FLAG_QR);
    made_question(&in, "www.example", type);
}

static void add(enum made_section section, unsigned type, const char *ttl_hex,
                const char *rdata_hex)
{
    struct made rdata = {.len = 0};

    made_count(&in, section);
    made_hex(&in, "c00c");
    made_u16(&in, type);
    made_u16(&in, DNS_CLASS_IN);
    made_hex(&in, ttl_hex);
    made_hex(&rdata, rdata_hex);
    made_u16(&in, (unsigned)rdata.len);
    made_hex(&in, rdata_hex);
}

/* SOA with names of the root, and this MINIMUM. */
static void add_soa(enum made_section section, const char *ttl_hex,
                    const char *minimum_hex)
{
    char rdata[64];

    snprintf(rdata, sizeof(rdata), "0000 00000001 00000002 00000003 00000004%s",
             minimum_hex);
    add(section, DNS_TYPE_SOA, ttl_hex, rdata);
}

static void nothing_there(void **state)
{
    (void)state;
    begin(DNS_TYPE_A);
    survey();
    assert_int_equal(ttl.count, 0);
    assert_int_equal(ttl.least_s, UINT32_MAX);
    assert_false(ttl.has_asked);
    assert_false(ttl.has_soa);
    made_opt(&in, 512, "00000000", "");
    survey();
    assert_int_equal(ttl.count, 0);
    assert_int_equal(ttl.least_s, UINT32_MAX);
}

static void least_of_all_sections(void **state)
{
    static const enum made_section sections[] = {IN_ANSWER, IN_AUTHORITY,
                                                 IN_ADDITIONAL};

    (void)state;
    for (size_t low = 0; low < COUNT_OF(sections); low++) {
        begin(DNS_TYPE_A);
        for (size_t i = 0; i < COUNT_OF(sections); i++) {
            add(sections[i], DNS_TYPE_A, i == low ? "0000000a" : "00000014",
                "7f000001");
        }
        survey();
        assert_int_equal(ttl.least_s, 10);
        assert_int_equal(ttl.count, 3);
        assert_true(ttl.has_asked);
    }
}

static void opt_has_no_ttl(void **state)
{
    (void)state;
    begin(DNS_TYPE_A);
    add(IN_ANSWER, DNS_TYPE_A, "0000012c", "7f000001");
    made_opt(&in, 512, "00000000", "000f 0002 0016");
    survey();
    assert_int_equal(ttl.least_s, 300);
    assert_int_equal(ttl.count, 1);
}

static const struct read_case {
    const char *ttl_hex;
    uint32_t want_s;
} read_cases[] = {
    {"00000000", 0}, {"00000001", 1}, {"7fffffff", 0x7fffffff},
    {"80000000", 0}, {"ffffffff", 0}, {"00015180", 86400},
};

/* RFC 2181 section 8. */
static void highest_bit_means_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(read_cases); i++) {
        begin(DNS_TYPE_A);
        add(IN_ANSWER, DNS_TYPE_A, read_cases[i].ttl_hex, "7f000001");
        survey();
        assert_int_equal(ttl.least_s, read_cases[i].want_s);
    }
}

static void asked_type_in_the_answer_section(void **state)
{
    (void)state;
    begin(DNS_TYPE_A);
    add(IN_ANSWER, DNS_TYPE_CNAME, "0000000a", "00");
    add(IN_AUTHORITY, DNS_TYPE_A, "0000000a", "7f000001");
    survey();
    assert_false(ttl.has_asked);
    begin(DNS_TYPE_CNAME);
    add(IN_ANSWER, DNS_TYPE_CNAME, "0000000a", "00");
    survey();
    assert_true(ttl.has_asked);
    begin(DNS_TYPE_ANY);
    add(IN_ANSWER, DNS_TYPE_CNAME, "0000000a", "00");
    survey();
    assert_true(ttl.has_asked);
    begin(DNS_TYPE_ANY);
    add_soa(IN_AUTHORITY, "0000000a", "00000005");
    survey();
    assert_false(ttl.has_asked);
}

static void negative_is_the_least_of_two(void **state)
{
    (void)state;
    begin(DNS_TYPE_A);
    add_soa(IN_AUTHORITY, "0000000a", "00000005");
    survey();
    assert_true(ttl.has_soa);
    assert_int_equal(ttl.negative_s, 5);
    begin(DNS_TYPE_A);
    add_soa(IN_AUTHORITY, "00000004", "00000005");
    survey();
    assert_int_equal(ttl.negative_s, 4);
    add_soa(IN_AUTHORITY, "00000003", "00000007");
    survey();
    assert_int_equal(ttl.negative_s, 3);
    begin(DNS_TYPE_A);
    add_soa(IN_AUTHORITY, "00000004", "80000000");
    survey();
    assert_int_equal(ttl.negative_s, 0);
}

static void soa_counts_in_authority_only(void **state)
{
    (void)state;
    begin(DNS_TYPE_SOA);
    add_soa(IN_ANSWER, "0000000a", "00000005");
    add_soa(IN_ADDITIONAL, "0000000a", "00000005");
    survey();
    assert_false(ttl.has_soa);
    assert_true(ttl.has_asked);
}

static void soa_too_short_is_none(void **state)
{
    (void)state;
    begin(DNS_TYPE_A);
    add(IN_AUTHORITY, DNS_TYPE_SOA, "0000000a", "");
    add(IN_AUTHORITY, DNS_TYPE_SOA, "0000000a",
        "00 00000001 00000002 00000003 00000004 00000005");
    survey();
    assert_false(ttl.has_soa);
}

static void offsets_are_those_without_the_opt(void **state)
{
    uint16_t at[3];

    (void)state;
    begin(DNS_TYPE_A); /* 12 + 13 + 4 = 29 octets */
    add(IN_ANSWER, DNS_TYPE_A, "00000001", "7f000001");
    add(IN_ADDITIONAL, DNS_TYPE_A, "00000002", "7f000001");
    made_opt(&in, 512, "00000000", "000c 0003 000000");
    add(IN_ADDITIONAL, DNS_TYPE_A, "00000003", "7f000001");
    survey();
    assert_int_equal(ttl.count, 3);
    assert_int_equal(r.opt.len, 18);
    dns_ttl_offsets(made_span(&in), &r, at);
    assert_int_equal(at[0], 29 + 6);
    assert_int_equal(at[1], 29 + 16 + 6);
    assert_int_equal(at[2], 29 + 32 + 6);
    assert_int_equal(dns_ttl_read(in.octets + at[0]), 1);
    assert_int_equal(dns_ttl_read(in.octets + at[2] + r.opt.len), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(least_of_all_sections),
        cmocka_unit_test(opt_has_no_ttl),
        cmocka_unit_test(highest_bit_means_zero),
        cmocka_unit_test(asked_type_in_the_answer_section),
        cmocka_unit_test(negative_is_the_least_of_two),
        cmocka_unit_test(soa_counts_in_authority_only),
        cmocka_unit_test(soa_too_short_is_none),
        cmocka_unit_test(offsets_are_those_without_the_opt),
    };
    return cmocka_run_group_tests_name("dns_ttl", tests, NULL, NULL);
}
