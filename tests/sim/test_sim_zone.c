/*
 * The judge of answers: what is right passes, every octet that is changed is
 * noticed, and errors are told apart.
 */
#include "zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct exchange {
    uint8_t query[300], answer[ZONE_MESSAGE_MAX];
    size_t query_len, answer_len;
    struct dns_query parsed;
};

static struct exchange ask(int kind, uint64_t number, uint16_t edns_size)
{
    static struct exchange x;

    x.query_len = zone_query(77, kind, number, DNS_TYPE_A, edns_size, x.query);
    assert_int_equal(dns_query_parse(span_of(x.query, x.query_len), &x.parsed),
                     DNS_QUERY_OK);
    x.answer_len =
        zone_answer(span_of(x.query, x.query_len), &x.parsed, x.answer);
    return x;
}

static enum zone_verdict judge(const struct exchange *x)
{
    const char *why = NULL;
    return zone_judge(span_of(x->query, x->query_len),
                      span_of(x->answer, x->answer_len), &why);
}

static void answers_are_right(void **state)
{
    static const char kinds[] = "abhdxs";

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) - 1; i++) {
        for (uint64_t n = 0; n < 50; n++) {
            struct exchange x = ask(kinds[i], n, n % 2 == 0 ? 0 : 1232);
            size_t opt_len = n % 2 == 0 ? 0 : DNS_OPT_FIXED_LEN;
            assert_int_equal(judge(&x), ZONE_RIGHT);
            assert_int_equal(zone_answer_len(&x.parsed.question) + opt_len,
                             x.answer_len);
            assert_int_equal(zone_kind(&x.parsed.question), kinds[i]);
        }
    }
}

/* Flags that are not judged, and OPT's fields, may be anything; TTLs may be
 * less. */
static bool is_judged(const struct exchange *x, size_t at)
{
    size_t ttl_at = DNS_HEADER_LEN + dns_question_len(&x->parsed.question) + 9;
    return at != 2 && at != 3 && at != ttl_at &&
           at < x->answer_len - DNS_OPT_FIXED_LEN;
}

static void a_changed_octet_is_noticed(void **state)
{
    struct exchange x = ask(ZONE_PLAIN, 5, 1232);

    (void)state;
    for (size_t at = 0; at < x.answer_len; at++) {
        if (is_judged(&x, at)) {
            x.answer[at] ^= 0x01;
            assert_int_not_equal(judge(&x), ZONE_RIGHT);
            x.answer[at] ^= 0x01;
        }
    }
    assert_int_equal(judge(&x), ZONE_RIGHT);
}

static void an_answer_to_another_is_wrong(void **state)
{
    struct exchange a = ask(ZONE_PLAIN, 5, 0);
    struct exchange b = ask(ZONE_PLAIN, 6, 0);

    (void)state;
    memcpy(b.query, a.query, a.query_len);
    assert_int_equal(judge(&b), ZONE_WRONG);
}

static void errors_are_told_apart(void **state)
{
    struct exchange x = ask(ZONE_PLAIN, 5, 1232);
    struct span query = span_of(x.query, x.query_len);

    (void)state;
    x.answer_len = zone_error(query, &x.parsed, DNS_RCODE_SERVFAIL, x.answer);
    assert_int_equal(judge(&x), ZONE_RELAYED); /* no extended error */
    x.answer_len = zone_error(query, &x.parsed, DNS_RCODE_REFUSED, x.answer);
    assert_int_equal(judge(&x), ZONE_RELAYED);
    x.answer_len = zone_error(query, &x.parsed, DNS_RCODE_NXDOMAIN, x.answer);
    assert_int_equal(judge(&x), ZONE_WRONG);
    x.answer_len = zone_error(query, &x.parsed, 0, x.answer);
    assert_int_equal(judge(&x), ZONE_WRONG); /* the record is missing */
    x.answer[2] |= 0x02;
    assert_int_equal(judge(&x), ZONE_TRUNCATED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_right),
        cmocka_unit_test(a_changed_octet_is_noticed),
        cmocka_unit_test(an_answer_to_another_is_wrong),
        cmocka_unit_test(errors_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
