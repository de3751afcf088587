/*
 * Plain messages: how a query looks on its way, and what is its answer.
 */
#include "base/err.h"
#include "tests.h"
#include "upstream/plain_internal.h"

#include <string.h>

enum { ID = 0x1234, ALL = 0xff };

/* "www.a-1.net. A", with an OPT of ours. */
static const char query[] = "\x00\x00\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01"
                            "\x03www\x03"
                            "a-1\x03"
                            "net\x00\x00\x01\x00\x01"
                            "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";

enum { QUERY_LEN = sizeof(query) - 1, NAME_LEN = 13, BARE_LEN = 12 + 17 };

static const struct dns_question question = {
    .name = (const uint8_t *)query + DNS_HEADER_LEN,
    .name_len = NAME_LEN,
    .type = DNS_TYPE_A,
    .klass = DNS_CLASS_IN,
};

static size_t write(const struct plain_look *look, uint8_t out[QUERY_LEN])
{
    return plain_message_write(look, span_of(query, QUERY_LEN), &question, out);
}

/* ---- what leaves ---- */

static void test_id_alone_is_changed(void **state)
{
    const struct plain_look look = {.id = ID};
    uint8_t out[QUERY_LEN];

    (void)state;
    assert_int_equal(write(&look, out), QUERY_LEN);
    assert_int_equal(dns_get16(out), ID);
    assert_memory_equal(out + 2, query + 2, QUERY_LEN - 2);
}

static void test_letters_are_flipped_and_nothing_else(void **state)
{
    struct plain_look look = {.id = ID, .has_case = true};
    uint8_t out[QUERY_LEN];

    (void)state;
    memset(look.flips, ALL, sizeof(look.flips));
    assert_int_equal(write(&look, out), QUERY_LEN);
    assert_memory_equal(out + DNS_HEADER_LEN,
                        "\x03WWW\x03"
                        "A-1\x03"
                        "NET\x00",
                        NAME_LEN);
    look.flips[0] = 0x04; /* octet 2 alone */
    memset(look.flips + 1, 0, sizeof(look.flips) - 1);
    (void)write(&look, out);
    assert_memory_equal(out + DNS_HEADER_LEN, "\x03wWw\x03", 5);
}

static void test_bare_is_without_opt(void **state)
{
    const struct plain_look look = {.id = ID, .is_bare = true};
    uint8_t out[QUERY_LEN];
    struct dns_query q;

    (void)state;
    assert_int_equal(write(&look, out), BARE_LEN);
    assert_int_equal(dns_query_parse(span_of(out, BARE_LEN), &q), DNS_QUERY_OK);
    assert_false(q.opt.is_present);
    assert_int_equal(q.extra_count, 0);
}

/* ---- what comes ---- */

/* An answer to the query as look has it, with one record. */
static size_t answer(const struct plain_look *look, uint8_t *out)
{
    static const char record[] = "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c"
                                 "\x00\x04\xc0\x00\x02\x01";
    struct plain_look bare = *look;

    bare.is_bare = true;
    (void)write(&bare, out);
    dns_put16(out + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA);
    dns_put16(out + 6, 1);
    memcpy(out + BARE_LEN, record, sizeof(record) - 1);
    return BARE_LEN + sizeof(record) - 1;
}

static int accept(const struct plain_look *look, struct span datagram,
                  uint8_t octets[PLAIN_DATAGRAM_MAX], struct dns_response *r)
{
    struct span msg;
    int err = plain_message_accept(look, &question, datagram, octets, &msg, r);

    assert_true(err != 0 || msg.ptr == octets);
    return err;
}

static void test_the_spelling_is_given_back(void **state)
{
    struct plain_look look = {.id = ID, .has_case = true};
    uint8_t octets[PLAIN_DATAGRAM_MAX], datagram[128];
    struct dns_response r;

    (void)state;
    memset(look.flips, ALL, sizeof(look.flips));
    size_t len = answer(&look, datagram);
    assert_int_equal(accept(&look, span_of(datagram, len), octets, &r), 0);
    assert_int_equal(r.answer_count, 1);
    assert_memory_equal(r.question.name, question.name, NAME_LEN);
}

static void test_one_letter_makes_the_difference(void **state)
{
    struct plain_look look = {.id = ID, .has_case = true};
    uint8_t octets[PLAIN_DATAGRAM_MAX], datagram[128];
    struct dns_response r;

    (void)state;
    memset(look.flips, 0x55, sizeof(look.flips));
    size_t len = answer(&look, datagram);
    for (size_t i = 0; i < NAME_LEN; i++) {
        uint8_t *octet = &datagram[DNS_HEADER_LEN + i];
        if ((*octet | 0x20) < 'a') {
            continue; /* a length, a digit */
        }
        *octet ^= 0x20;
        assert_int_not_equal(accept(&look, span_of(datagram, len), octets, &r),
                             0);
        *octet ^= 0x20;
    }
    assert_int_equal(accept(&look, span_of(datagram, len), octets, &r), 0);
    look.has_case = false; /* otherwise all are as good */
    datagram[DNS_HEADER_LEN + 1] ^= 0x20;
    assert_int_equal(accept(&look, span_of(datagram, len), octets, &r), 0);
    assert_memory_equal(r.question.name, question.name, NAME_LEN);
}

/* RFC 2181 section 9: what is left of a cut answer is not looked at. */
static void test_a_cut_answer_may_end_anywhere(void **state)
{
    const struct plain_look look = {.id = ID};
    uint8_t octets[PLAIN_DATAGRAM_MAX], datagram[128];
    struct dns_response r;

    (void)state;
    size_t len = answer(&look, datagram);
    for (size_t left = BARE_LEN; left < len; left++) {
        dns_put16(datagram + 2, DNS_FLAG_QR | DNS_FLAG_TC);
        assert_int_equal(accept(&look, span_of(datagram, left), octets, &r), 0);
        assert_int_equal(r.answer_count, 0);
        assert_true((r.flags & DNS_FLAG_TC) != 0);
    }
    for (size_t left = 0; left < BARE_LEN; left++) {
        assert_int_not_equal(accept(&look, span_of(datagram, left), octets, &r),
                             0);
    }
}

static const struct header_case {
    const char *title;
    uint16_t flags;
    int want;
} header_cases[] = {
    {"FORMERR", DNS_FLAG_QR | DNS_RCODE_FORMERR, 0},
    {"NOTIMP", DNS_FLAG_QR | DNS_RCODE_NOTIMP, 0},
    {"NOERROR", DNS_FLAG_QR, ERR_DNS_FORM},
    {"NXDOMAIN", DNS_FLAG_QR | DNS_RCODE_NXDOMAIN, ERR_DNS_FORM},
    {"SERVFAIL", DNS_FLAG_QR | DNS_RCODE_SERVFAIL, ERR_DNS_FORM},
    {"REFUSED", DNS_FLAG_QR | DNS_RCODE_REFUSED, ERR_DNS_FORM},
    {"cut", DNS_FLAG_QR | DNS_FLAG_TC, ERR_DNS_FORM},
    {"a query", DNS_RCODE_FORMERR, ERR_DNS_FORM},
    {"FORMERR to an update", DNS_FLAG_QR | 5 << 11 | DNS_RCODE_FORMERR,
     ERR_DNS_FORM},
};

static void test_who_may_leave_the_question_out(void **state)
{
    const struct plain_look look = {.id = ID};
    uint8_t octets[PLAIN_DATAGRAM_MAX];
    struct dns_response r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(header_cases); i++) {
        uint8_t header[DNS_HEADER_LEN] = {ID >> 8, ID & 0xff};
        print_message("# %s\n", header_cases[i].title);
        dns_put16(header + 2, header_cases[i].flags);
        assert_int_equal(
            accept(&look, span_of(header, sizeof(header)), octets, &r),
            header_cases[i].want);
    }
}

static void test_longer_than_any_datagram(void **state)
{
    static const uint8_t zeros[PLAIN_DATAGRAM_MAX + 1];
    const struct plain_look look = {.id = 0};
    uint8_t octets[PLAIN_DATAGRAM_MAX];
    struct dns_response r;

    (void)state;
    assert_int_not_equal(
        accept(&look, span_of(zeros, sizeof(zeros)), octets, &r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_alone_is_changed),
        cmocka_unit_test(test_letters_are_flipped_and_nothing_else),
        cmocka_unit_test(test_bare_is_without_opt),
        cmocka_unit_test(test_the_spelling_is_given_back),
        cmocka_unit_test(test_one_letter_makes_the_difference),
        cmocka_unit_test(test_a_cut_answer_may_end_anywhere),
        cmocka_unit_test(test_who_may_leave_the_question_out),
        cmocka_unit_test(test_longer_than_any_datagram),
    };
    return cmocka_run_group_tests_name("upstream_plain_message", tests, NULL,
                                       NULL);
}
