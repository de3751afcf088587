/*
 * Cookies in what goes to clients (RFC 7873), and whole answers cut down to
 * TC=1 after they were written.
 */
#include "base/attr.h"
#include "dns/build.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COOKIE_OPTION \
    "000a 0018 0102030405060708 0100000010111213 a1a2a3a4a5a6a7a8"

enum { COOKIE_OPTION_LEN = 28, QUESTION_END = 12 + 17 };

static const uint8_t cookie[DNS_COOKIE_LEN] = {
    1,    2,    3,    4,    5,    6,    7,    8,    1,    0,    0,    0,
    0x10, 0x11, 0x12, 0x13, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8};

static const struct dns_extra with_cookie = {
    .ede = DNS_EDE_NONE, .udp_size = 1232, .cookie = cookie};

static struct made in;
static struct made out;

static struct dns_asker make_asker(bool has_opt, unsigned limit)
{
    return (struct dns_asker){
        .question = (const uint8_t *)"\3www\7eXample\0\0\1\0\1",
        .question_len = 17,
        .id = 0xabcd,
        .flags = DNS_FLAG_RD,
        .limit = (uint16_t)limit,
        .has_opt = has_opt,
    };
}

/* Answer a from a server's message with records of record_len octets. */
static struct dns_response answer(const struct dns_asker *a,
                                  const struct dns_extra *extra,
                                  unsigned record_count, size_t record_len,
                                  const char *server_options)
{
    struct dns_response r;
    int len;

    made_header(&in, 0, DNS_FLAG_QR | DNS_FLAG_RA);
    made_question(&in, "www.EXAMPLE", DNS_TYPE_A);
    for (unsigned i = 0; i < record_count; i++) {
        made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_A, record_len);
    }
    made_opt(&in, 1232, "00000000", server_options);
    assert_int_equal(dns_response_parse(made_span(&in), &r), 0);
    len = dns_build_answer(a, made_span(&in), &r, extra, out.octets,
                           DNS_MESSAGE_MAX);
    assert_true(len > 0);
    out.len = (size_t)len;
    assert_int_equal(dns_response_parse(made_span(&out), &r), 0);
    return r;
}

static void assert_options(const struct dns_response *r, const char *hex)
{
    struct made want = {.len = 0};

    made_hex(&want, hex);
    assert_int_equal(r->opt.options.len, want.len);
    assert_memory_equal(r->opt.options.ptr, want.octets, want.len);
}

static void answers_carry_the_cookie(void **state)
{
    struct dns_asker a = make_asker(true, 512);
    struct dns_extra extra = with_cookie;
    struct dns_response r = answer(&a, &extra, 1, 4, "");

    (void)state;
    assert_options(&r, COOKIE_OPTION);

    a.wants_keepalive = true;
    extra.keepalive = 0x0102;
    extra.ede = DNS_EDE_STALE_ANSWER;
    r = answer(&a, &extra, 1, 4, "000f 0002 0016 000a 0008 ffffffffffffffff");
    assert_options(&r, COOKIE_OPTION
                   "000b 0002 0102 000f 0002 0003 000f 0002 0016");

    a = make_asker(false, 512); /* it has not asked for any */
    r = answer(&a, &extra, 1, 4, "");
    assert_false(r.opt.is_present);
    assert_int_equal(out.len, QUESTION_END + 16);
}

/* Whatever has to go, the cookie stays. */
static void truncated_answers_keep_the_cookie(void **state)
{
    struct dns_asker a = make_asker(true, 512);
    struct dns_extra extra = with_cookie;
    struct dns_response r;
    size_t rest = 512 - QUESTION_END - 11 - COOKIE_OPTION_LEN;

    (void)state;
    extra.ede = DNS_EDE_STALE_ANSWER;
    r = answer(&a, &extra, 1, rest - 12, "");
    assert_int_equal(out.len, 512);
    assert_int_equal(r.answer_count, 1);
    assert_options(&r, COOKIE_OPTION);

    r = answer(&a, &extra, 1, rest - 11, "");
    assert_int_equal(r.flags & DNS_FLAG_TC, DNS_FLAG_TC);
    assert_int_equal(r.answer_count, 0);
    assert_options(&r, COOKIE_OPTION);
}

static void errors_carry_the_cookie(void **state)
{
    struct dns_asker a = make_asker(true, 512);
    struct dns_extra extra = with_cookie;
    struct dns_response r;
    char text[400];
    uint8_t question[DNS_NAME_MAX + 4] = {0};

    (void)state;
    out.len = (size_t)dns_build_error(&a, DNS_RCODE_BADCOOKIE, &extra,
                                      out.octets, 512);
    assert_int_equal(out.len, QUESTION_END + 11 + COOKIE_OPTION_LEN);
    assert_int_equal(dns_response_parse(made_span(&out), &r), 0);
    assert_int_equal(r.rcode, DNS_RCODE_BADCOOKIE);
    assert_options(&r, COOKIE_OPTION);

    /* The longest of everything fits 512 octets. */
    memset(text, 'x', sizeof(text));
    text[399] = '\0';
    a.question = question;
    a.question_len = sizeof(question);
    a.wants_keepalive = true;
    extra.ede = DNS_EDE_OTHER;
    extra.ede_text = text;
    assert_int_equal(
        dns_build_error(&a, 2, &extra, out.octets, DNS_MESSAGE_MAX), 512);
}

static const struct cut_case {
    const char *title;
    bool has_opt, has_cookie;
    unsigned records;
    const char *server_options;
    size_t want;
} cut_cases[] = {
    {"without OPT", false, false, 3, "", QUESTION_END},
    {"with OPT", true, false, 3, "", QUESTION_END + 11},
    {"without records", true, false, 0, "", QUESTION_END + 11},
    {"errors of the server go", true, false, 3, "000f 0006 0016 61626364",
     QUESTION_END + 11},
    {"the cookie stays", true, true, 3, "000f 0006 0016 61626364",
     QUESTION_END + 11 + COOKIE_OPTION_LEN},
};

static void cut_answers_say_ask_over_tcp(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cut_cases); i++) {
        const struct cut_case *c = &cut_cases[i];
        struct dns_asker a = make_asker(c->has_opt, 1232);
        struct dns_extra extra = with_cookie;
        struct dns_response r;
        uint8_t *copy;

        extra.cookie = c->has_cookie ? cookie : NULL;
        a.has_do = true;
        r = answer(&a, &extra, c->records, 100, c->server_options);
        copy = heap_copy(made_span(&out));
        if (dns_cut_answer(copy, out.len) != c->want) {
            fail_msg("%s: another length", c->title);
        }
        assert_int_equal(dns_response_parse(span_of(copy, c->want), &r), 0);
        assert_int_equal(r.id, 0xabcd);
        assert_int_equal(r.flags,
                         DNS_FLAG_QR | DNS_FLAG_TC | DNS_FLAG_RD | DNS_FLAG_RA);
        assert_int_equal(r.answer_count + r.authority_count, 0);
        assert_int_equal(r.additional_count, c->has_opt);
        assert_int_equal(r.opt.is_present, c->has_opt);
        assert_int_equal(r.opt.has_do, c->has_opt);
        assert_memory_equal(copy + 12, a.question, 17);
        if (c->has_opt) {
            assert_int_equal(r.opt.udp_size, 1232);
            assert_options(&r, c->has_cookie ? COOKIE_OPTION : "");
        }
        free(copy);
    }
}

static void cut_errors(void **state)
{
    struct dns_asker a = make_asker(true, 512);
    struct dns_extra extra = with_cookie;
    struct dns_response r;

    (void)state;
    a.question_len = 0; /* FORMERR: there was none to be read */
    extra.ede = DNS_EDE_OTHER;
    extra.ede_text = "some text";
    out.len = (size_t)dns_build_error(&a, 1, &extra, out.octets, 512);
    out.len = dns_cut_answer(out.octets, out.len);
    assert_int_equal(out.len, 12 + 11 + COOKIE_OPTION_LEN);
    assert_int_equal(dns_response_parse(made_span(&out), &r), 0);
    assert_false(r.has_question);
    assert_int_equal(r.rcode, DNS_RCODE_FORMERR);

    a.has_opt = false;
    out.len = (size_t)dns_build_error(&a, 1, &extra, out.octets, 512);
    assert_int_equal(dns_cut_answer(out.octets, out.len), 12);

    made_header(&out, 7, DNS_FLAG_QR | DNS_FLAG_RA | 3); /* not a message */
    made_count(&out, IN_ANSWER);
    assert_int_equal(dns_cut_answer(out.octets, out.len), 12);
    assert_memory_equal(out.octets, "\0\7\x82\x83\0\0\0\0\0\0\0\0", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_the_cookie),
        cmocka_unit_test(truncated_answers_keep_the_cookie),
        cmocka_unit_test(errors_carry_the_cookie),
        cmocka_unit_test(cut_answers_say_ask_over_tcp),
        cmocka_unit_test(cut_errors),
    };
    return cmocka_run_group_tests_name("dns_build_cookie", tests, NULL, NULL);
}
