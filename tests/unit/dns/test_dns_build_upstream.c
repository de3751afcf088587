/*
 * Queries towards a server: each is read back by the parser, and compared with
 * what RFC 6891 (OPT), 7828 (keepalive), 7830 and 8467 (padding), 7871 (client
 * subnet) and 8945 (TSIG) ask for.
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

/* Build from what is in `in`, into memory of exactly cap octets. */
static int upstream_with(const struct dns_upstream_options *options, size_t cap)
{
    struct dns_query q;
    uint8_t *exact = heap_copy(span_of(out.octets, cap));
    int len;

    assert_int_equal(dns_query_parse(made_span(&in), &q), DNS_QUERY_OK);
    len = dns_build_upstream(made_span(&in), &q, options, exact, cap);
    out.len = len < 0 ? 0 : (size_t)len;
    memcpy(out.octets, exact, out.len);
    free(exact);
    return len;
}

static int upstream_within(unsigned pad_block, size_t cap)
{
    const struct dns_upstream_options options = {.pad_block = pad_block};

    return upstream_with(&options, cap);
}

static void upstream_query_is_a_new_one(void **state)
{
    struct made want = {.len = 0};

    (void)state;
    made_header(&in, 0xbeef, DNS_FLAG_RD);
    made_question(&in, "wWw.a", DNS_TYPE_AAAA);
    assert_int_equal(upstream_within(32, 1000), 64);
    made_hex(&want, "0000 0120 0001 0000 0000 0001"
                    "03 775777 01 61 00 001c 0001"
                    "00 0029 04d0 00000000 001e (padding) 000c 001a"
                    "00000000000000000000000000"
                    "00000000000000000000000000");
    assert_int_equal(want.len, 64);
    assert_memory_equal(out.octets, want.octets, want.len);
}

static const struct flags_case {
    unsigned from, to;
} flags_cases[] = {
    {0x0000, 0x0020}, /* AD is ours: RFC 6840 section 5.7 */
    {0x0100, 0x0120}, /* RD */
    {0x0010, 0x0030}, /* CD */
    {0x0040, 0x0060}, /* the unassigned one */
    {0x0680, 0x0020}, /* AA, TC, RA */
    {0x000f, 0x0020}, /* RCODE */
    {0x07ff, 0x0170},
};

static void upstream_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(flags_cases); i++) {
        made_header(&in, 1, flags_cases[i].from);
        made_question(&in, "a", DNS_TYPE_A);
        assert_true(upstream_within(0, 1000) > 0);
        assert_int_equal(dns_get16(out.octets + 2), flags_cases[i].to);
    }
}

/* The question's name has name_len octets on the wire. */
static void make_query_of(size_t name_len)
{
    char text[256];
    size_t len = name_len - 2;

    memset(text, 'x', sizeof(text));
    for (size_t dot = 63; dot + 1 < len; dot += 64) {
        text[dot] = '.';
    }
    text[len] = '\0';
    made_header(&in, 1, DNS_FLAG_RD);
    made_question(&in, text, DNS_TYPE_A);
    assert_int_equal(in.len, 12 + name_len + 4);
}

static const struct pad_case {
    size_t name_len;
    unsigned block;
    int want;
} pad_cases[] = {
    {3, 0, 30},      {3, 1, 34},      {3, 16, 48},
    {3, 128, 128},   {97, 128, 128}, /* nothing left but the option's head */
    {98, 128, 256},  {225, 128, 256}, {226, 128, 384},
    {255, 128, 384}, {255, 468, 468}, {3, 100000, 65535},
};

static void upstream_padding_fills_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pad_cases); i++) {
        const struct pad_case *c = &pad_cases[i];
        struct dns_query q;
        struct span value;
        size_t cursor = 0;

        make_query_of(c->name_len);
        assert_int_equal(upstream_within(c->block, DNS_MESSAGE_MAX), c->want);
        assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
        assert_int_equal(
            dns_opt_next(&q.opt, DNS_OPTION_PADDING, &cursor, &value),
            c->block > 0);
        assert_int_equal(cursor, q.opt.options.len); /* no other option */
        for (size_t j = 0; c->block > 0 && j < value.len; j++) {
            assert_int_equal(value.ptr[j], 0);
        }
    }
}

#define KEEPALIVE "000b 0000"
#define ECS_ZERO  "0008 0004 0001 00 00"

static const struct options_case {
    size_t name_len;
    unsigned block;
    bool has_keepalive, has_ecs_zero;
    int want;
    const char *options; /* but for the padding that follows */
} options_cases[] = {
    {3, 0, false, false, 30, ""},
    {3, 0, true, false, 34, KEEPALIVE},
    {3, 0, false, true, 38, ECS_ZERO},
    {3, 0, true, true, 42, KEEPALIVE ECS_ZERO},
    {3, 128, true, false, 128, KEEPALIVE},
    {3, 128, false, true, 128, ECS_ZERO},
    {3, 128, true, true, 128, KEEPALIVE ECS_ZERO},
    {85, 128, true, true, 128, KEEPALIVE ECS_ZERO}, /* padding is empty */
    {86, 128, true, true, 256, KEEPALIVE ECS_ZERO},
    {255, 128, true, true, 384, KEEPALIVE ECS_ZERO},
};

static void upstream_options_come_before_padding(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(options_cases); i++) {
        const struct options_case *c = &options_cases[i];
        const struct dns_upstream_options options = {c->block, c->has_keepalive,
                                                     c->has_ecs_zero};
        struct made want = {.len = 0};
        struct dns_query q;

        make_query_of(c->name_len);
        assert_int_equal(upstream_with(&options, DNS_UPSTREAM_PLAIN_MAX),
                         c->want);
        assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
        made_hex(&want, c->options);
        if (c->block > 0) {
            made_hex(&want, "000c");
            made_u16(&want, (unsigned)(q.opt.options.len - want.len - 2));
        }
        assert_true(q.opt.options.len >= want.len);
        assert_memory_equal(q.opt.options.ptr, want.octets, want.len);
        for (size_t j = want.len; j < q.opt.options.len; j++) {
            assert_int_equal(q.opt.options.ptr[j], 0);
        }
        assert_int_equal(q.opt.at + q.opt.len, out.len);
    }
}

static void upstream_needs_its_space(void **state)
{
    (void)state;
    make_query_of(255);
    assert_int_equal(upstream_within(128, DNS_UPSTREAM_PLAIN_MAX), 384);
    assert_int_equal(upstream_within(128, 383), ERR_DNS_SPACE);
    assert_int_equal(upstream_within(0, 282), 282);
    assert_int_equal(upstream_within(0, 281), ERR_DNS_SPACE);
    assert_int_equal(upstream_within(0, 0), ERR_DNS_SPACE);
}

static void upstream_opt_is_ours(void **state)
{
    struct dns_query q;

    (void)state;
    made_header(&in, 1, DNS_FLAG_RD);
    made_question(&in, "a", DNS_TYPE_A);
    made_opt(&in, 4096, "ff 00 ffff",
             "(cookie) 000a 0008 0102030405060708 (keepalive) 000b 0000"
             "(subnet) 0008 0007 0001 18 00 c00002 (padding) 000c 0001 ff");
    assert_int_equal(upstream_within(128, 1000), 128);
    assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
    assert_null(q.cookie.ptr);
    assert_false(q.has_keepalive);
    assert_true(q.opt.has_do);
    assert_int_equal(q.opt.udp_size, DNS_UPSTREAM_UDP_SIZE);
    assert_int_equal(q.opt.rcode_high, 0);
    assert_memory_equal(out.octets + q.opt.at + 5, "\0\0\x80\0", 4);
    assert_int_equal(upstream_within(0, 1000), 30);
}

/* The records that follow the question of `in`, in letters, and `out`'s. */
static const struct extra_case {
    const char *title;
    const char *records; /* r: some record, o: OPT, t: TSIG */
    const char *want;
} extra_cases[] = {
    {"record", "r", "ro"},
    {"record before opt", "ro", "ro"},
    {"record behind opt", "or", "ro"},
    {"around", "ror", "rro"},
    {"tsig", "t", "ot"},
    {"opt and tsig", "ot", "ot"},
    {"all", "rort", "rrot"},
    {"tsig that is not last", "tr", "tro"},
    {"tsig before opt", "rto", "rot"},
};

static void read_letters(const struct made *m, char *letters)
{
    size_t at = DNS_HEADER_LEN;
    int skip = dns_name_skip(made_span(m), at);

    assert_true(skip > 0);
    at += (size_t)skip + 4;
    while (at < m->len) {
        skip = dns_name_skip(made_span(m), at);
        assert_true(skip > 0);
        at += (size_t)skip;
        switch (dns_get16(m->octets + at)) {
        case DNS_TYPE_OPT:
            *letters++ = 'o';
            break;
        case DNS_TYPE_TSIG:
            *letters++ = 't';
            break;
        default:
            *letters++ = 'r';
        }
        at += 10u + dns_get16(m->octets + at + 8);
    }
    *letters = '\0';
}

static void upstream_carries_other_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(extra_cases); i++) {
        const struct extra_case *c = &extra_cases[i];
        struct dns_query q;
        char got[16];

        made_header(&in, 1, 0);
        made_question(&in, "a.b", DNS_TYPE_A);
        for (const char *p = c->records; *p != '\0'; p++) {
            if (*p == 'o') {
                made_opt(&in, 512, "00000000", "000a 0008 0102030405060708");
            } else {
                made_record(&in, IN_ADDITIONAL, "01 7a c00e",
                            *p == 't' ? DNS_TYPE_TSIG : 0xff01, 20);
            }
        }
        assert_int_equal(upstream_within(128, 1000) % 128, 0);
        read_letters(&out, got);
        assert_string_equal(got, c->want);
        assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
        assert_int_equal(q.extra_count, strcspn(c->want, "o") +
                                            strlen(strchr(c->want, 'o') + 1));
    }
}

static void upstream_opt_stays_in_its_section(void **state)
{
    struct dns_query q;

    (void)state;
    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ANSWER, "00", DNS_TYPE_TSIG, 4);
    assert_true(upstream_within(128, 1000) > 0);
    assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
    assert_int_equal(q.extra_count, 1);
}

static void upstream_near_the_longest_message(void **state)
{
    const struct dns_upstream_options all = {128, true, true};

    (void)state;
    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ADDITIONAL, "00", 0xff01,
                DNS_MESSAGE_MAX - in.len - 11);
    assert_int_equal(upstream_within(0, 65535), ERR_DNS_SPACE);

    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ADDITIONAL, "00", 0xff01,
                65535 - 11 - 10 - in.len - 11);
    /* A whole block would end at 65536. */
    assert_int_equal(upstream_within(128, 65535), 65535);

    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ADDITIONAL, "00", 0xff01, 65535 - 11 - 3 - in.len - 11);
    /* Three octets left: no option goes in. */
    assert_int_equal(upstream_within(128, 65535), 65532);
    assert_int_equal(upstream_with(&all, 65535), 65532);

    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ADDITIONAL, "00", 0xff01, 65535 - 11 - 4 - in.len - 11);
    /* Four: an empty option. */
    assert_int_equal(upstream_within(128, 65535), 65535);

    made_header(&in, 1, 0);
    made_question(&in, "a", DNS_TYPE_A);
    made_record(&in, IN_ADDITIONAL, "00", 0xff01,
                65535 - 11 - 13 - in.len - 11);
    assert_int_equal(upstream_with(&all, 65535), 65534); /* no padding */
}

/* A server reads what we write, whatever the client had in it. */
static void random_queries_survive_the_round(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (int i = 0; i < 3000; i++) {
        struct dns_query q;
        unsigned records = rng_below(&rng, 6);
        unsigned opt_at = rng_below(&rng, 8);

        made_header(&in, i, rng_below(&rng, 0x0800));
        made_question(&in, "www.example.net", 1 + rng_below(&rng, 40));
        for (unsigned n = 0; n < records; n++) {
            if (n == opt_at) {
                made_opt(&in, 512, "00000000", "000f 0004 00000000");
            }
            made_record(&in, n < 2 && opt_at > 1 ? IN_ANSWER : IN_ADDITIONAL,
                        "01 61 c00c", 1 + rng_below(&rng, 40),
                        rng_below(&rng, 300));
        }
        assert_int_equal(upstream_within(128, DNS_MESSAGE_MAX) % 128, 0);
        assert_int_equal(dns_query_parse(made_span(&out), &q), DNS_QUERY_OK);
        assert_int_equal(q.extra_count, records);
        assert_int_equal(q.opt.at + q.opt.len, out.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream_query_is_a_new_one),
        cmocka_unit_test(upstream_flags),
        cmocka_unit_test(upstream_padding_fills_blocks),
        cmocka_unit_test(upstream_options_come_before_padding),
        cmocka_unit_test(upstream_needs_its_space),
        cmocka_unit_test(upstream_opt_is_ours),
        cmocka_unit_test(upstream_carries_other_records),
        cmocka_unit_test(upstream_opt_stays_in_its_section),
        cmocka_unit_test(upstream_near_the_longest_message),
        cmocka_unit_test(random_queries_survive_the_round),
    };
    return cmocka_run_group_tests_name("dns_build_upstream", tests, NULL, NULL);
}
