/*
 * Answers towards a client: each is read back by the parser, and compared with
 * what RFC 6891 (OPT), 7828 (keepalive), 8914 (extended errors), 6840 (AD) and
 * 2181 (truncation) ask for. Queries are in test_dns_build_upstream.c.
 */
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "dns/build.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct made in;
static struct made out;

static const struct dns_extra nothing = {.ede = DNS_EDE_NONE, .udp_size = 1232};

static const struct asker_case {
    const char *title;
    unsigned edns_size; /* 0: no OPT */
    unsigned max_udp_size;
    bool is_tcp;
    unsigned want;
} asker_cases[] = {
    {"plain", 0, 1232, false, 512},
    {"small size", 100, 1232, false, 512},
    {"in between", 800, 1232, false, 800},
    {"too large", 4096, 1232, false, 1232},
    {"ours is large", 65535, 65535, false, 65535},
    {"tcp", 0, 1232, true, 65535},
    {"tcp with a size", 512, 1232, true, 65535},
};

static void asker_knows_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(asker_cases); i++) {
        const struct asker_case *c = &asker_cases[i];
        struct dns_query q;
        struct dns_asker a;

        made_header(&in, 0x4321, DNS_FLAG_RD);
        made_question(&in, "a", DNS_TYPE_A);
        if (c->edns_size > 0) {
            made_opt(&in, c->edns_size, "00008000", "000b 0000");
        }
        assert_int_equal(dns_query_parse(made_span(&in), &q), DNS_QUERY_OK);
        dns_asker_init(&a, &q, q.question.name, c->is_tcp,
                       (uint16_t)c->max_udp_size);
        assert_int_equal(a.limit, c->want);
        assert_int_equal(a.id, 0x4321);
        assert_int_equal(a.flags, DNS_FLAG_RD);
        assert_int_equal(a.question_len, 7);
        assert_ptr_equal(a.question, q.question.name);
        assert_int_equal(a.has_opt, c->edns_size > 0);
        assert_int_equal(a.has_do, c->edns_size > 0);
        assert_int_equal(a.wants_keepalive, c->is_tcp && c->edns_size > 0);
    }
}

static void asker_without_question(void **state)
{
    struct made m = {.len = 0};
    struct dns_query q;
    struct dns_asker a;

    (void)state;
    made_header(&m, 5, 0x7800);
    assert_int_equal(dns_query_parse(made_span(&m), &q), DNS_QUERY_NOTIMP);
    dns_asker_init(&a, &q, NULL, false, 1232);
    assert_int_equal(a.question_len, 0);
    assert_int_equal(dns_build_error(&a, 4, &nothing, out.octets, 512), 12);
    assert_memory_equal(out.octets, "\0\5\xf8\x84\0\0\0\0\0\0\0\0", 12);
}

/* Someone who asks for the question "Www.exAMPLE" A, as the flags say. */
static struct dns_asker make_asker(unsigned flags, bool has_opt, bool is_tcp)
{
    static const uint8_t question[] = "\3Www\7exAMPLE\0\0\1\0\1";

    return (struct dns_asker){
        .question = question,
        .question_len = 17,
        .id = 0xabcd,
        .flags = (uint16_t)flags,
        .limit = is_tcp    ? DNS_MESSAGE_MAX
                 : has_opt ? 1232
                           : 512,
        .has_opt = has_opt,
    };
}

/* The server's message so far: its spelling is another. */
static void make_response(unsigned flags)
{
    made_header(&in, 0, DNS_FLAG_QR | flags);
    made_question(&in, "www.EXAMPLE", DNS_TYPE_A);
}

/* Answer from `in` within cap octets; *r is what `out` then says. */
static int answer_within(const struct dns_asker *a,
                         const struct dns_extra *extra, size_t cap,
                         struct dns_response *r)
{
    uint8_t *exact = heap_copy(span_of(out.octets, cap));
    struct dns_response from;
    int len;

    assert_int_equal(dns_response_parse(made_span(&in), &from), 0);
    len = dns_build_answer(a, made_span(&in), &from, extra, exact, cap);
    out.len = len < 0 ? 0 : (size_t)len;
    memcpy(out.octets, exact, out.len);
    free(exact);
    if (len > 0) {
        assert_true(out.len <= a->limit);
        assert_int_equal(dns_response_parse(made_span(&out), r), 0);
        assert_int_equal(r->id, a->id);
        assert_memory_equal(out.octets + 12, a->question, a->question_len);
        assert_int_equal(r->opt.is_present, a->has_opt);
    }
    return len;
}

static void answer_is_the_servers_in_the_clients_dress(void **state)
{
    struct dns_asker a = make_asker(DNS_FLAG_RD, false, false);
    struct made want = {.len = 0};
    struct dns_response r;

    (void)state;
    make_response(DNS_FLAG_RA);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_CNAME, 3);
    made_record(&in, IN_AUTHORITY, "c010", DNS_TYPE_NS, 2);
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 58);
    made_hex(&want, "abcd 8180 0001 0001 0001 0000"
                    "03 577777 07 6578414d504c45 00 0001 0001"
                    "c00c 0005 0001 00000e10 0003 5a5a5a"
                    "c010 0002 0001 00000e10 0002 5a5a");
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.octets, want.octets, want.len);
}

/* RFC 6840 section 5.8 on AD; the others as the header promises. */
static const struct answer_flags_case {
    unsigned asked;
    bool has_do;
    unsigned from, to;
} answer_flags_cases[] = {
    {0x0000, false, 0x8020, 0x8000}, /* AD not asked for */
    {0x0020, false, 0x8020, 0x8020}, /* AD asked for by AD */
    {0x0000, true, 0x8020, 0x8020},  /* by DO */
    {0x0020, true, 0x8000, 0x8000},  /* but not true */
    {0x0100, false, 0x8000, 0x8100}, /* RD and CD are the client's */
    {0x0000, false, 0x8110, 0x8000},
    {0x0010, false, 0x8000, 0x8010},
    {0x0000, false, 0x8480, 0x8480}, /* AA and RA the server's */
    {0x0480, false, 0x8000, 0x8000},
    {0x0000, false, 0x8200, 0x8200}, /* TC: what is left is left out */
    {0x0000, false, 0x8040, 0x8040}, /* the unassigned one */
    {0x0040, false, 0x8000, 0x8000},
    {0x0000, false, 0x8003, 0x8003}, /* RCODE */
    {0x000f, false, 0x8000, 0x8000},
};

static void answer_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answer_flags_cases); i++) {
        const struct answer_flags_case *c = &answer_flags_cases[i];
        struct dns_asker a = make_asker(c->asked, c->has_do, false);
        struct dns_response r;

        a.has_do = c->has_do;
        make_response(c->from);
        assert_true(answer_within(&a, &nothing, 512, &r) > 0);
        assert_int_equal(r.flags, c->to);
        assert_int_equal(r.opt.has_do, c->has_do);
    }
}

static void answer_opt_is_hop_by_hop(void **state)
{
    struct dns_extra extra = {
        .ede = DNS_EDE_NONE, .udp_size = 1400, .keepalive = 99};
    struct dns_asker a = make_asker(0, true, true);
    struct dns_response r;

    (void)state;
    make_response(0);
    made_opt(&in, 4096, "00008000",
             "(cookie) 000a 0008 0102030405060708 (padding) 000c 0002 0000"
             "(keepalive) 000b 0002 0001");
    made_record(&in, IN_ADDITIONAL, "c00c", DNS_TYPE_A, 4);
    assert_int_equal(answer_within(&a, &extra, 65535, &r), 29 + 16 + 11);
    assert_int_equal(r.additional_count, 2);
    assert_int_equal(r.opt.udp_size, 1400);
    assert_int_equal(r.opt.version, 0);
    assert_false(r.opt.has_do);
    assert_int_equal(r.opt.at + r.opt.len, out.len);

    a.wants_keepalive = true;
    assert_int_equal(answer_within(&a, &extra, 65535, &r), 29 + 16 + 17);
    assert_memory_equal(r.opt.options.ptr, "\0\x0b\0\2\0\x63", 6);

    a.has_opt = false;
    assert_int_equal(answer_within(&a, &extra, 65535, &r), 29 + 16);
    assert_int_equal(r.additional_count, 1);
}

static const struct rcode_case {
    const char *ttl_hex;
    unsigned low;
    bool has_opt;
    unsigned want;
} rcode_cases[] = {
    {"00000000", 3, true, 3},
    {"00000000", 3, false, 3},
    {"01000000", 7, true, DNS_RCODE_SERVFAIL}, /* BADCOOKIE */
    {"01000000", 7, false, DNS_RCODE_SERVFAIL},
    {"01000000", 0, true, DNS_RCODE_SERVFAIL}, /* BADVERS */
    {"ff000000", 15, true, DNS_RCODE_SERVFAIL},
};

static void answer_rcode_of_twelve_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rcode_cases); i++) {
        const struct rcode_case *c = &rcode_cases[i];
        struct dns_asker a = make_asker(0, c->has_opt, false);
        struct dns_response r;

        make_response(c->low);
        made_opt(&in, 512, c->ttl_hex, "");
        assert_true(answer_within(&a, &nothing, 512, &r) > 0);
        assert_int_equal(r.rcode, c->want);
    }
}

/* How many extended errors r has; *first is the first one's code. */
static unsigned count_ede(const struct dns_response *r, unsigned *first)
{
    struct span value;
    size_t cursor = 0;
    unsigned count = 0;

    while (dns_opt_next(&r->opt, DNS_OPTION_EDE, &cursor, &value)) {
        *first = count++ == 0 ? dns_get16(value.ptr) : *first;
    }
    return count;
}

static void answer_carries_extended_errors(void **state)
{
    struct dns_extra extra = {.ede = DNS_EDE_STALE_ANSWER, .udp_size = 1232};
    struct dns_asker a = make_asker(0, true, false);
    struct dns_response r;
    unsigned first = 0;

    (void)state;
    make_response(2);
    made_opt(&in, 512, "00000000",
             "000f 0006 0007 61626364 (one octet: no code) 000f 0001 00"
             "000c 0000 000f 0002 0016");
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 29 + 11 + 16);
    assert_int_equal(count_ede(&r, &first), 2);
    assert_int_equal(first, 7);
    assert_memory_equal(r.opt.options.ptr, "\0\x0f\0\6\0\7abcd", 10);

    assert_int_equal(answer_within(&a, &extra, 512, &r), 29 + 11 + 22);
    assert_int_equal(count_ede(&r, &first), 3);
    assert_int_equal(first, DNS_EDE_STALE_ANSWER);

    a.limit = 29 + 11 + 21; /* the server's go first */
    assert_int_equal(answer_within(&a, &extra, 512, &r), 29 + 11 + 6);
    assert_int_equal(count_ede(&r, &first), 1);

    a.limit = 29 + 11 + 5; /* then ours */
    assert_int_equal(answer_within(&a, &extra, 512, &r), 29 + 11);
    assert_int_equal(r.flags & DNS_FLAG_TC, 0);

    a = make_asker(0, false, false);
    assert_int_equal(answer_within(&a, &extra, 512, &r), 29);
}

static void answer_too_long_is_truncated_whole(void **state)
{
    struct dns_asker a = make_asker(DNS_FLAG_RD, false, false);
    struct dns_response r;

    (void)state;
    make_response(DNS_FLAG_RA | 3);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT, 512 - 29 - 12);
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 512);
    assert_int_equal(r.flags & DNS_FLAG_TC, 0);
    assert_int_equal(answer_within(&a, &nothing, 511, &r), ERR_DNS_SPACE);

    made_record(&in, IN_ADDITIONAL, "00", DNS_TYPE_TXT, 0);
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 29);
    assert_int_equal(r.flags, 0x8383);
    assert_int_equal(r.answer_count + r.additional_count, 0);
    assert_int_equal(answer_within(&a, &nothing, 28, &r), ERR_DNS_SPACE);

    a = make_asker(DNS_FLAG_RD, true, false);
    a.limit = 512;
    a.has_do = true;
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 40);
    assert_true((r.flags & DNS_FLAG_TC) != 0);
    assert_true(r.opt.has_do);
    assert_int_equal(answer_within(&a, &nothing, 39, &r), ERR_DNS_SPACE);
    a.limit = 1232;
    assert_int_equal(answer_within(&a, &nothing, 1232, &r), 523 + 11);
}

static void answer_of_the_longest_message(void **state)
{
    struct dns_asker a = make_asker(0, false, true);
    struct dns_response r;

    (void)state;
    make_response(0);
    made_record(&in, IN_ANSWER, "c00c", DNS_TYPE_TXT, 65535 - 29 - 12);
    assert_int_equal(answer_within(&a, &nothing, 65535, &r), 65535);
    assert_int_equal(r.answer_count, 1);
    a.has_opt = true; /* no place for an OPT */
    assert_int_equal(answer_within(&a, &nothing, 65535, &r), 40);
    assert_true((r.flags & DNS_FLAG_TC) != 0);
}

static void answer_from_a_message_without_question(void **state)
{
    struct dns_asker a = make_asker(DNS_FLAG_RD, true, false);
    struct dns_response r;

    (void)state;
    made_header(&in, 0, 0x8001);
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 40);
    assert_int_equal(r.rcode, DNS_RCODE_FORMERR);
    made_opt(&in, 512, "00000000", "000f 0002 0016");
    assert_int_equal(answer_within(&a, &nothing, 512, &r), 46);
}

/* Pointers before the server's OPT and behind it mean what they meant. */
static void answer_keeps_compression_right(void **state)
{
    struct dns_asker a = make_asker(0, true, false);
    struct dns_response r;
    uint8_t name[DNS_NAME_MAX];
    char text[DNS_NAME_TEXT_MAX];
    int len;

    (void)state;
    make_response(0);
    made_record(&in, IN_ANSWER, "01 78 c010", DNS_TYPE_A, 4);
    made_opt(&in, 512, "00000000", "000c 0004 00000000");
    made_record(&in, IN_ADDITIONAL, "01 79 c01d", DNS_TYPE_A, 4);
    assert_true(answer_within(&a, &nothing, 512, &r) > 0);
    len = dns_name_read(made_span(&out), 29 + 18, name);
    assert_true(len > 0);
    (void)dns_name_to_text(span_of(name, (size_t)len), text);
    assert_string_equal(text, "y.x.exAMPLE.");
    assert_int_equal(r.opt.at, 29 + 18 + 18);
}

static const struct error_case {
    const char *title;
    unsigned asked;
    bool has_opt;
    unsigned rcode;
    int ede;
    const char *text;
    const char *want; /* hex behind the ID */
} error_cases[] = {
    {"servfail", 0x0110, false, 2, DNS_EDE_NETWORK, "not said",
     "8192 0001 0000 0000 0000"},
    {"opcode is the client's", 0x1000, false, 4, DNS_EDE_NONE, NULL,
     "9084 0001 0000 0000 0000"},
    {"nothing else is the client's", 0x06ef, false, 1, DNS_EDE_NONE, NULL,
     "8081 0001 0000 0000 0000"},
    {"badvers", 0, true, 16, DNS_EDE_NONE, NULL,
     "8080 0001 0000 0000 0001 00 0029 04d0 01000000 0000"},
    {"badvers without opt", 0, false, 16, DNS_EDE_NONE, NULL,
     "8082 0001 0000 0000 0000"},
    {"ede without text (RFC 8914)", 0, true, 2, DNS_EDE_NO_REACHABLE, NULL,
     "8082 0001 0000 0000 0001 00 0029 04d0 00000000 0006 000f 0002 0016"},
    {"ede with text", 0, true, 2, DNS_EDE_OTHER, "abc",
     "8082 0001 0000 0000 0001 00 0029 04d0 00000000 0009 000f 0005 0000"
     "616263"},
};

static void errors_say_what_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(error_cases); i++) {
        const struct error_case *c = &error_cases[i];
        struct dns_asker a = make_asker(c->asked, c->has_opt, false);
        struct dns_extra extra = {c->ede, c->text, 1232, 0, NULL};
        struct made want = {.len = 0};
        int len = dns_build_error(&a, c->rcode, &extra, out.octets, 512);

        made_hex(&want, c->want);
        assert_int_equal(len, 2 + 17 + (int)want.len);
        assert_memory_equal(out.octets, "\xab\xcd", 2);
        assert_memory_equal(out.octets + 2, want.octets, 10);
        assert_memory_equal(out.octets + 12, a.question, 17);
        assert_memory_equal(out.octets + 29, want.octets + 10, want.len - 10);
    }
}

static void error_text_is_cut_to_fit(void **state)
{
    struct dns_asker a = make_asker(0, true, false);
    struct dns_extra extra = {.ede = DNS_EDE_NETWORK, .udp_size = 1232};
    uint8_t question[DNS_NAME_MAX + 4];
    char text[301];
    int base = 29 + 11 + 6;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[300] = '\0';
    extra.ede_text = text;
    assert_int_equal(dns_build_error(&a, 2, &extra, out.octets, 512),
                     base + 255);
    memcpy(text + 253, "\xe2\x82\xac", 3); /* would be cut in two */
    assert_int_equal(dns_build_error(&a, 2, &extra, out.octets, 512),
                     base + 253);
    memcpy(text + 8, "\xe2\x82\xac", 3);
    assert_int_equal(
        dns_build_error(&a, 2, &extra, out.octets, (size_t)base + 10),
        base + 8);
    assert_int_equal(dns_build_error(&a, 2, &extra, out.octets, (size_t)base),
                     base);
    assert_int_equal(
        dns_build_error(&a, 2, &extra, out.octets, (size_t)base - 1),
        ERR_DNS_SPACE);

    memset(question, 0, sizeof(question));
    a.question = question; /* any octets: an error does not read them */
    a.question_len = sizeof(question);
    a.wants_keepalive = true;
    memset(text, 'x', 300);
    assert_int_equal(dns_build_error(&a, 2, &extra, out.octets, 65535), 512);
}

/* A client reads what we write, whatever the server had in it. */
static void random_answers_survive_the_round(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (int i = 0; i < 3000; i++) {
        struct dns_response r;
        bool has_opt = rng_below(&rng, 2) == 0;
        struct dns_asker a = make_asker((unsigned)rng_next(&rng) & 0x7ff,
                                        has_opt, rng_below(&rng, 2) == 0);
        unsigned records = rng_below(&rng, 6);
        unsigned opt_at = rng_below(&rng, 8);

        make_response((unsigned)rng_next(&rng) & 0x07ff);
        for (unsigned n = 0; n < records; n++) {
            if (n == opt_at) {
                made_opt(&in, 512, "00000000", "000f 0004 00000000");
            }
            made_record(&in, n < 2 && opt_at > 1 ? IN_ANSWER : IN_ADDITIONAL,
                        "01 61 c00c", 1 + rng_below(&rng, 40),
                        rng_below(&rng, 300));
        }
        assert_true(answer_within(&a, &nothing, DNS_MESSAGE_MAX, &r) > 0);
        assert_int_equal(r.flags & 0x0110, a.flags & 0x0110);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asker_knows_its_limit),
        cmocka_unit_test(asker_without_question),
        cmocka_unit_test(answer_is_the_servers_in_the_clients_dress),
        cmocka_unit_test(answer_flags),
        cmocka_unit_test(answer_opt_is_hop_by_hop),
        cmocka_unit_test(answer_rcode_of_twelve_bits),
        cmocka_unit_test(answer_carries_extended_errors),
        cmocka_unit_test(answer_too_long_is_truncated_whole),
        cmocka_unit_test(answer_of_the_longest_message),
        cmocka_unit_test(answer_from_a_message_without_question),
        cmocka_unit_test(answer_keeps_compression_right),
        cmocka_unit_test(errors_say_what_and_why),
        cmocka_unit_test(error_text_is_cut_to_fit),
        cmocka_unit_test(random_answers_survive_the_round),
    };
    return cmocka_run_group_tests_name("dns_build", tests, NULL, NULL);
}
