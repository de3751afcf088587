/*
 * Reading queries and responses: each verdict and each error has a message
 * that leads to it, and every message that is cut short is refused.
 */
#include "base/attr.h"
#include "base/err.h"
#include "dns/message.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD     "1234 0100 0001 0000 0000 0000 "
#define HEAD_AR1 "1234 0100 0001 0000 0000 0001 "
#define HEAD_AR2 "1234 0100 0001 0000 0000 0002 "
#define QUESTION "01 61 00 0001 0001 "
#define OPT      "00 0029 04d0 00000000 0000 "
#define A_RECORD "c00c 0001 0001 00000000 0004 c0000201 "

/* What is set in the query besides the verdict. */
enum { NAME = 1, HAS_OPT = 2, HAS_DO = 4, KEEPALIVE = 8 };

static const struct query_case {
    const char *title;
    const char *hex;
    enum dns_verdict want;
    unsigned set;
    unsigned extra;
} query_cases[] = {
    {"plain", HEAD QUESTION, DNS_QUERY_OK, NAME, 0},
    {"root", HEAD "00 0002 0001", DNS_QUERY_OK, NAME, 0},
    {"opt", HEAD_AR1 QUESTION OPT, DNS_QUERY_OK, NAME | HAS_OPT, 0},
    {"opt with DO", HEAD_AR1 QUESTION "00 0029 04d0 00008000 0000",
     DNS_QUERY_OK, NAME | HAS_OPT | HAS_DO, 0},
    {"keepalive (RFC 7828)",
     HEAD_AR1 QUESTION "00 0029 04d0 00000000 0004 000b 0000", DNS_QUERY_OK,
     NAME | HAS_OPT | KEEPALIVE, 0},
    {"keepalive behind a cookie",
     HEAD_AR1 QUESTION
     "00 0029 04d0 00000000 0010 000a 0008 0102030405060708 000b 0000",
     DNS_QUERY_OK, NAME | HAS_OPT | KEEPALIVE, 0},
    {"record before the opt", HEAD_AR2 QUESTION A_RECORD OPT, DNS_QUERY_OK,
     NAME | HAS_OPT, 1},
    {"record behind the opt", HEAD_AR2 QUESTION OPT A_RECORD, DNS_QUERY_OK,
     NAME | HAS_OPT, 1},
    {"answer in a query", "1234 0100 0001 0001 0000 0000" QUESTION A_RECORD,
     DNS_QUERY_OK, NAME, 1},
    {"unknown type and class", HEAD "01 61 00 ff00 ff00", DNS_QUERY_OK, NAME,
     0},
    {"any", HEAD "01 61 00 00ff 0001", DNS_QUERY_OK, NAME, 0},
    {"type 0", HEAD "01 61 00 0000 0001", DNS_QUERY_OK, NAME, 0},
    {"all flags but QR and opcode", "1234 07ff 0001 0000 0000 0000" QUESTION,
     DNS_QUERY_OK, NAME, 0},

    {"nothing", "", DNS_QUERY_DROP, 0, 0},
    {"11 octets", "1234 0100 0001 0000 0000 00", DNS_QUERY_DROP, 0, 0},
    {"a response", "1234 8100 0001 0000 0000 0000" QUESTION, DNS_QUERY_DROP, 0,
     0},
    {"a response with an opcode", "1234 a800 0001 0000 0000 0000" QUESTION,
     DNS_QUERY_DROP, 0, 0},

    {"opcode STATUS", "1234 1000 0001 0000 0000 0000" QUESTION,
     DNS_QUERY_NOTIMP, NAME, 0},
    {"opcode UPDATE, unreadable", "1234 2800 0001 0001 0000 0000 ff",
     DNS_QUERY_NOTIMP, 0, 0},
    {"opcode 15, header only", "1234 7800 0000 0000 0000 0000",
     DNS_QUERY_NOTIMP, 0, 0},
    {"opcode with opt", "1234 1000 0001 0000 0000 0001" QUESTION OPT,
     DNS_QUERY_NOTIMP, NAME | HAS_OPT, 0},
    {"axfr", HEAD "01 61 00 00fc 0001", DNS_QUERY_NOTIMP, NAME, 0},
    {"ixfr", HEAD "01 61 00 00fb 0001", DNS_QUERY_NOTIMP, NAME, 0},

    {"header only", HEAD, DNS_QUERY_FORMERR, 0, 0},
    {"no question", "1234 0100 0000 0000 0000 0000", DNS_QUERY_FORMERR, 0, 0},
    {"no question but opt", "1234 0100 0000 0000 0000 0001" OPT,
     DNS_QUERY_FORMERR, HAS_OPT, 0},
    {"two questions (RFC 9619)",
     "1234 0100 0002 0000 0000 0000" QUESTION QUESTION, DNS_QUERY_FORMERR, 0,
     0},
    {"compressed question", HEAD "01 61 c004 0001 0001", DNS_QUERY_FORMERR, 0,
     0},
    {"bad label", HEAD "41 61 00 0001 0001", DNS_QUERY_FORMERR, 0, 0},
    {"no class", HEAD "01 61 00 0001 00", DNS_QUERY_FORMERR, 0, 0},
    {"trailing octet", HEAD QUESTION "00", DNS_QUERY_FORMERR, NAME, 0},
    {"missing record", HEAD_AR1 QUESTION, DNS_QUERY_FORMERR, NAME, 0},
    {"rdata past the end",
     HEAD_AR1 QUESTION "c00c 0001 0001 00000000 0005 c0000201",
     DNS_QUERY_FORMERR, NAME, 0},
    {"two opt", HEAD_AR2 QUESTION OPT OPT, DNS_QUERY_FORMERR, NAME | HAS_OPT,
     0},
    {"opt in the answer", "1234 0100 0001 0001 0000 0000" QUESTION OPT,
     DNS_QUERY_FORMERR, NAME, 0},
    {"opt with an owner", HEAD_AR1 QUESTION "01 61 00 0029 04d0 00000000 0000",
     DNS_QUERY_FORMERR, NAME, 0},
    {"opt owned by a pointer to a root",
     HEAD_AR1 QUESTION "c00e 0029 04d0 00000000 0000", DNS_QUERY_FORMERR, NAME,
     0},
    {"half an option head",
     HEAD_AR1 QUESTION "00 0029 04d0 00000000 0003 000b 00", DNS_QUERY_FORMERR,
     NAME, 0},
    {"option past its opt",
     HEAD_AR1 QUESTION "00 0029 04d0 00000000 0005 000b 0002 00",
     DNS_QUERY_FORMERR, NAME, 0},
    {"owner compressed into the opt",
     HEAD_AR2 QUESTION OPT "c013 0001 0001 00000000 0004 c0000201",
     DNS_QUERY_FORMERR, NAME | HAS_OPT, 0},
    {"owner compressed to behind the opt",
     "1234 0100 0001 0000 0000 0003" QUESTION OPT
     "01 62 00 0001 0001 00000000 0000 c01e 0001 0001 00000000 0000",
     DNS_QUERY_FORMERR, NAME | HAS_OPT, 0},
    {"owner compressed to itself",
     HEAD_AR1 QUESTION "c013 0001 0001 00000000 0000", DNS_QUERY_FORMERR, NAME,
     0},

    {"version 1", HEAD_AR1 QUESTION "00 0029 04d0 00010000 0000",
     DNS_QUERY_BADVERS, NAME | HAS_OPT, 0},
    {"version 1 before axfr",
     HEAD_AR1 "01 61 00 00fc 0001 00 0029 04d0 00ff0000 0000",
     DNS_QUERY_BADVERS, NAME | HAS_OPT, 0},
    {"question for opt", HEAD "01 61 00 0029 0001", DNS_QUERY_REFUSED, NAME, 0},
    {"question for tsig", HEAD "01 61 00 00fa 0001", DNS_QUERY_REFUSED, NAME,
     0},
    {"question for tkey", HEAD "01 61 00 00f9 0001", DNS_QUERY_REFUSED, NAME,
     0},
};

static void judges_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(query_cases); i++) {
        const struct query_case *c = &query_cases[i];
        struct made m = {.len = 0};
        struct dns_query q;
        uint8_t *copy;

        made_hex(&m, c->hex);
        copy = heap_copy(made_span(&m));
        if (dns_query_parse(span_of(copy, m.len), &q) != c->want) {
            fail_msg("%s: another verdict", c->title);
        }
        if (c->want != DNS_QUERY_DROP) {
            assert_int_equal(q.id, 0x1234);
            assert_int_equal(q.flags, dns_get16(copy + 2));
        }
        assert_int_equal(q.question.name != NULL, (c->set & NAME) != 0);
        assert_int_equal(q.opt.is_present, (c->set & HAS_OPT) != 0);
        assert_int_equal(q.opt.has_do, (c->set & HAS_DO) != 0);
        assert_int_equal(q.has_keepalive, (c->set & KEEPALIVE) != 0);
        if (c->want == DNS_QUERY_OK) {
            assert_int_equal(q.extra_count, c->extra);
            assert_ptr_equal(q.question.name, copy + DNS_HEADER_LEN);
        }
        free(copy);
    }
}

static void query_parts_are_found(void **state)
{
    struct made m = {.len = 0};
    struct dns_query q;

    (void)state;
    made_header(&m, 7, DNS_FLAG_RD | DNS_FLAG_CD);
    made_question(&m, "WwW.ExAmPlE.nEt", DNS_TYPE_AAAA);
    made_record(&m, IN_ADDITIONAL, "c00c", DNS_TYPE_TXT, 5);
    made_opt(&m, 4096, "12 00 8000", "000c 0003 000000");
    assert_int_equal(dns_query_parse(made_span(&m), &q), DNS_QUERY_OK);
    assert_int_equal(q.question.name_len, 17);
    assert_int_equal(dns_question_len(&q.question), 21);
    assert_int_equal(q.question.type, DNS_TYPE_AAAA);
    assert_int_equal(q.question.klass, DNS_CLASS_IN);
    assert_memory_equal(q.question.name, "\3WwW\7ExAmPlE\3nEt", 17);
    assert_int_equal(q.opt.at, 12 + 21 + 17);
    assert_int_equal(q.opt.len, 11 + 7);
    assert_int_equal(q.opt.udp_size, 4096);
    assert_int_equal(q.opt.rcode_high, 0x12);
    assert_int_equal(q.opt.options.len, 7);
    assert_int_equal(q.opt.at + q.opt.len, m.len);
}

static void every_cut_is_noticed(void **state)
{
    struct made m = {.len = 0};

    (void)state;
    made_header(&m, 7, DNS_FLAG_RD);
    made_question(&m, "www.example.net", DNS_TYPE_A);
    made_record(&m, IN_ANSWER, "01 62 c010", DNS_TYPE_A, 4);
    made_record(&m, IN_AUTHORITY, "c00c", DNS_TYPE_NS, 0);
    made_opt(&m, 4096, "00000000", "000c 0003 000000");
    for (size_t len = 0; len <= m.len; len++) {
        uint8_t *copy = heap_copy(span_of(m.octets, len));
        struct dns_query q;
        struct dns_response r;
        bool is_whole = len == m.len;

        enum dns_verdict got = dns_query_parse(span_of(copy, len), &q);
        assert_int_equal(got, len < 12   ? DNS_QUERY_DROP
                              : is_whole ? DNS_QUERY_OK
                                         : DNS_QUERY_FORMERR);
        if (len >= 12) {
            copy[2] |= 0x80;
        }
        assert_int_equal(dns_response_parse(span_of(copy, len), &r),
                         is_whole ? 0 : ERR_DNS_SHORT);
        free(copy);
    }
}

static void options_are_walked(void **state)
{
    struct made m = {.len = 0};
    struct dns_opt o = {.is_present = true};
    struct span value;
    size_t cursor = 0;

    (void)state;
    assert_false(dns_opt_next(&o, DNS_OPTION_EDE, &cursor, &value));
    made_hex(&m, "000f 0003 000461 000c 0000 000f 0002 0016");
    o.options = made_span(&m);
    assert_true(dns_opt_next(&o, DNS_OPTION_EDE, &cursor, &value));
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.ptr, "\0\4a", 3);
    assert_true(dns_opt_next(&o, DNS_OPTION_EDE, &cursor, &value));
    assert_int_equal(value.len, 2);
    assert_memory_equal(value.ptr, "\0\x16", 2);
    assert_false(dns_opt_next(&o, DNS_OPTION_EDE, &cursor, &value));
    cursor = 0;
    assert_true(dns_opt_next(&o, DNS_OPTION_PADDING, &cursor, &value));
    assert_int_equal(value.len, 0);
    assert_false(dns_opt_next(&o, DNS_OPTION_PADDING, &cursor, &value));
}

static const struct cookie_case {
    const char *title;
    const char *options;
    int want_len; /* -1: none */
    uint8_t first;
    bool has_keepalive;
} cookie_cases[] = {
    {"none", "", -1, 0, false},
    {"another option", "000c 0002 0000", -1, 0, false},
    {"client cookie", "000a 0008 0102030405060708", 8, 1, false},
    {"empty", "000a 0000", 0, 0, false},
    {"behind others", "000c 0000 000b 0000 000a 0001 07", 1, 7, true},
    {"before others", "000a 0001 07 000b 0000", 1, 7, true},
    {"the first of two", "000a 0001 07 000a 0002 0908", 1, 7, false},
};

static void client_cookies_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cookie_cases); i++) {
        const struct cookie_case *c = &cookie_cases[i];
        struct made m;
        struct dns_query q;

        made_header(&m, 7, DNS_FLAG_RD);
        made_question(&m, "a", DNS_TYPE_A);
        made_opt(&m, 1232, "00000000", c->options);
        assert_int_equal(dns_query_parse(made_span(&m), &q), DNS_QUERY_OK);
        if ((q.cookie.ptr == NULL) != (c->want_len < 0)) {
            fail_msg("%s: found, or not", c->title);
        }
        assert_int_equal(q.has_keepalive, c->has_keepalive);
        if (c->want_len >= 0) {
            assert_int_equal(q.cookie.len, c->want_len);
        }
        if (c->want_len > 0) {
            assert_int_equal(q.cookie.ptr[0], c->first);
        }
    }
}

static const struct keepalive_case {
    const char *options;
    bool has_keepalive;
    unsigned keepalive;
} keepalive_cases[] = {
    {"", false, 0},
    {"000c 0002 0102", false, 0},
    {"000b 0002 0102", true, 0x0102},
    {"000b 0002 0000", true, 0},
    {"000b 0000", false, 0}, /* what a client may send */
    {"000b 0003 010203", false, 0},
    {"000b 0000 000c 0000 000b 0002 ffff", true, 0xffff},
    {"000b 0002 0001 000b 0002 0002", true, 1},
};

static void server_keepalive_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keepalive_cases); i++) {
        const struct keepalive_case *c = &keepalive_cases[i];
        struct made m;
        struct dns_response r;

        made_header(&m, 7, DNS_FLAG_QR);
        made_question(&m, "a", DNS_TYPE_A);
        made_opt(&m, 1232, "00000000", c->options);
        assert_int_equal(dns_response_parse(made_span(&m), &r), 0);
        assert_int_equal(r.has_keepalive, c->has_keepalive);
        assert_int_equal(r.keepalive, c->keepalive);
    }
}

#define R_HEAD "1234 8180 0001 0001 0000 0000 "

static const struct response_case {
    const char *title;
    const char *hex;
    int want;
    unsigned rcode;
} response_cases[] = {
    {"answer", R_HEAD QUESTION A_RECORD, 0, 0},
    {"nxdomain", "1234 8183 0001 0000 0000 0000" QUESTION, 0, 3},
    {"12-bit rcode",
     "1234 8180 0001 0000 0000 0001" QUESTION "00 0029 04d0 01000000 0000", 0,
     16},
    {"largest rcode",
     "1234 818f 0001 0000 0000 0001" QUESTION "00 0029 04d0 ff000000 0000", 0,
     4095},
    {"no question", "1234 8181 0000 0000 0000 0000", 0, 1},
    {"no question but opt", "1234 8181 0000 0000 0000 0001" OPT, 0, 1},
    {"no question but a record",
     "1234 8180 0000 0001 0000 0000 00 0001 0001 00000000 0000", ERR_DNS_FORM,
     0},
    {"no question but two additional",
     "1234 8180 0000 0000 0000 0002" OPT "00 0001 0001 00000000 0000",
     ERR_DNS_FORM, 0},
    {"two questions", "1234 8180 0002 0000 0000 0000" QUESTION QUESTION,
     ERR_DNS_FORM, 0},
    {"a query", HEAD QUESTION, ERR_DNS_FORM, 0},
    {"short header", "1234 8180 0001 0000 0000 00", ERR_DNS_SHORT, 0},
    {"short question", "1234 8180 0001 0000 0000 0000 01 61", ERR_DNS_SHORT, 0},
    {"compressed question", "1234 8180 0001 0000 0000 0000 c000 0001 0001",
     ERR_DNS_FORM, 0},
    {"one record too few", "1234 8180 0001 0002 0000 0000" QUESTION A_RECORD,
     ERR_DNS_SHORT, 0},
    {"one record too many", "1234 8180 0001 0000 0000 0000" QUESTION A_RECORD,
     ERR_DNS_TRAILING, 0},
    {"owner points ahead",
     R_HEAD QUESTION "c0ff 0001 0001 00000000 0004 c0000201", ERR_DNS_LOOP, 0},
    {"owner with a bad label",
     R_HEAD QUESTION "8161 0001 0001 00000000 0004 c0000201", ERR_DNS_LABEL, 0},
    {"rdata longer than the message",
     R_HEAD QUESTION "c00c 0001 0001 00000000 ffff c0000201", ERR_DNS_SHORT, 0},
    {"opt twice", "1234 8180 0001 0000 0000 0002" QUESTION OPT OPT,
     ERR_DNS_FORM, 0},
    {"opt in the authority", "1234 8180 0001 0000 0001 0000" QUESTION OPT,
     ERR_DNS_FORM, 0},
    {"opt with broken options",
     "1234 8180 0001 0000 0000 0001" QUESTION
     "00 0029 04d0 00000000 0004 000f 0001",
     ERR_DNS_FORM, 0},
    {"owner compressed into the opt",
     "1234 8180 0001 0000 0000 0002" QUESTION OPT
     "c013 0001 0001 00000000 0000",
     ERR_DNS_FORM, 0},
    {"counts of 65535", "1234 8180 0001 ffff ffff ffff" QUESTION A_RECORD,
     ERR_DNS_SHORT, 0},
};

static void reads_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(response_cases); i++) {
        const struct response_case *c = &response_cases[i];
        struct made m = {.len = 0};
        struct dns_response r = {.id = 0xffff};
        uint8_t *copy;
        int err;

        made_hex(&m, c->hex);
        copy = heap_copy(made_span(&m));
        err = dns_response_parse(span_of(copy, m.len), &r);
        if (err != c->want) {
            fail_msg("%s: %s", c->title, err_name(err));
        }
        assert_int_equal(r.id, err == 0 ? 0x1234 : 0xffff);
        if (err == 0) {
            assert_int_equal(r.rcode, c->rcode);
            assert_int_equal(r.has_question, dns_get16(copy + 4));
        }
        free(copy);
    }
}

static void too_long_owner(void **state)
{
    struct made m = {.len = 0};
    struct dns_response r;

    (void)state;
    made_header(&m, 1, DNS_FLAG_QR);
    made_count(&m, IN_ANSWER);
    for (int i = 0; i < 4; i++) {
        m.octets[m.len++] = 63;
        memset(m.octets + m.len, 'a', 63);
        m.len += 63;
    }
    made_hex(&m, "00 0001 0001 00000000 0000");
    assert_int_equal(dns_response_parse(made_span(&m), &r), ERR_DNS_NAME);
}

static void longest_message(void **state)
{
    static struct made m;
    struct dns_response r;
    struct dns_query q;

    (void)state;
    made_header(&m, 1, DNS_FLAG_QR);
    made_question(&m, "a", DNS_TYPE_TXT);
    made_record(&m, IN_ANSWER, "c00c", DNS_TYPE_TXT, 40000);
    made_record(&m, IN_ANSWER, "c00c", DNS_TYPE_TXT, 65535 - m.len - 12);
    assert_int_equal(m.len, DNS_MESSAGE_MAX);
    assert_int_equal(dns_response_parse(made_span(&m), &r), 0);
    assert_int_equal(r.answer_count, 2);
    made_record(&m, IN_ANSWER, "c00c", DNS_TYPE_TXT, 0);
    assert_int_equal(dns_response_parse(made_span(&m), &r), ERR_DNS_FORM);
    m.octets[2] = 0;
    assert_int_equal(dns_query_parse(made_span(&m), &q), DNS_QUERY_FORMERR);
}

/* As many records as fit: the count of the others must not overflow. */
static void most_records(void **state)
{
    static struct made m;
    struct dns_query q;

    (void)state;
    made_header(&m, 1, 0);
    made_question(&m, "a", DNS_TYPE_TXT);
    while (m.len + 11 <= DNS_MESSAGE_MAX) {
        made_record(&m, IN_ADDITIONAL, "00", DNS_TYPE_TXT, 0);
    }
    assert_int_equal(dns_query_parse(made_span(&m), &q), DNS_QUERY_OK);
    assert_int_equal(q.extra_count, (DNS_MESSAGE_MAX - 19) / 11);
}

static void questions_compare(void **state)
{
    struct dns_question a = {(const uint8_t *)"\3aBc", 5, 1, 1};
    struct dns_question b = {(const uint8_t *)"\3AbC", 5, 1, 1};

    (void)state;
    assert_true(dns_question_equal(&a, &b));
    b.type = 28;
    assert_false(dns_question_equal(&a, &b));
    b.type = 1;
    b.klass = 3;
    assert_false(dns_question_equal(&a, &b));
    b = a;
    b.name = (const uint8_t *)"\3abd";
    assert_false(dns_question_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_queries),
        cmocka_unit_test(query_parts_are_found),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(options_are_walked),
        cmocka_unit_test(client_cookies_are_found),
        cmocka_unit_test(server_keepalive_is_read),
        cmocka_unit_test(reads_responses),
        cmocka_unit_test(too_long_owner),
        cmocka_unit_test(longest_message),
        cmocka_unit_test(most_records),
        cmocka_unit_test(questions_compare),
    };
    return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
