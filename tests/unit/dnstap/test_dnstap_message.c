/*
 * dnstap messages: one put together by hand, octet by octet, and others read
 * back by a decoder that knows nothing of the encoder.
 */
#include "dnstap/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS_MAX = 16, OCTETS_MAX = 70000 };

static const uint8_t query[12] = {0x12, 0x34, 1, 0, 0, 1};

static const struct addr client = {
    .family = 4, .ip = {192, 0, 2, 1}, .port = 4242};
static const struct addr local = {
    .family = 4, .ip = {127, 0, 0, 1}, .port = 53};
static const struct addr client6 = {
    .family = 6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 65535};

/* A copy of exactly the room that is asked for, so that a sanitizer sees one
 * octet too many. */
static uint8_t *encode(const struct dnstap_message *m, size_t *len)
{
    size_t max = dnstap_message_max(m);
    uint8_t *out = malloc(max);

    assert_non_null(out);
    *len = dnstap_message_encode(m, out);
    assert_true(*len <= max);
    return out;
}

static void test_octets(void **state)
{
    static const uint8_t want[] = {
        0x0a, 2,    'm',  'e',           /* identity */
        0x12, 1,    'v',                 /* version */
        0x72, 48,                        /* message */
        0x08, 5,                         /* type: CLIENT_QUERY */
        0x10, 1,                         /* socket_family: INET */
        0x18, 1,                         /* socket_protocol: UDP */
        0x22, 4,    192,  0,    2,    1, /* query_address */
        0x2a, 4,    127,  0,    0,    1, /* response_address */
        0x30, 0x92, 0x21,                /* query_port: 4242 */
        0x38, 53,                        /* response_port */
        0x40, 0x80, 0xe2, 0xcf, 0xaa, 6, /* query_time_sec: 1700000000 */
        0x4d, 0x00, 0xca, 0x5b, 0x07,    /* query_time_nsec: 123456000 */
        0x52, 12,                        /* query_message */
        0x12, 0x34, 1,    0,    0,    1,    0,
        0,    0,    0,    0,    0,    0x78, 1, /* type: MESSAGE */
    };
    const struct dnstap_message m = {
        .family = 4,
        .client = &client,
        .local = &local,
        .query_us = UINT64_C(1700000000123456),
        .octets = span_of(query, sizeof(query)),
        .identity = span_of("me", 2),
        .version = span_of("v", 1),
    };
    size_t len;
    uint8_t *out = encode(&m, &len);

    (void)state;
    assert_int_equal(len, sizeof(want));
    assert_memory_equal(out, want, len);
    free(out);
}

/* ---- reading back ---- */

struct field {
    bool is_there;
    uint64_t number;
    struct span octets;
};

static uint64_t varint(struct span *s)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        assert_true(s->len > 0 && shift < 64);
        uint8_t octet = *s->ptr;
        value |= (uint64_t)(octet & 0x7f) << shift;
        *s = span_from(*s, 1);
        if (octet < 0x80) {
            return value;
        }
    }
}

static struct span take(struct span *s, uint64_t len)
{
    struct span part = span_of(s->ptr, (size_t)len);

    assert_true(len <= s->len);
    *s = span_from(*s, (size_t)len);
    return part;
}

static void decode(struct span s, struct field out[FIELDS_MAX])
{
    memset(out, 0, FIELDS_MAX * sizeof(*out));
    while (s.len > 0) {
        uint64_t tag = varint(&s);
        assert_in_range(tag >> 3, 1, FIELDS_MAX - 1);
        struct field *f = &out[tag >> 3];
        assert_false(f->is_there);
        f->is_there = true;
        if ((tag & 7) == 0) {
            f->number = varint(&s);
        } else if ((tag & 7) == 5) {
            const uint8_t *p = take(&s, 4).ptr;
            f->number = (uint64_t)p[0] | (uint64_t)p[1] << 8 |
                        (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
        } else {
            assert_int_equal(tag & 7, 2);
            f->octets = take(&s, varint(&s));
        }
    }
}

static void assert_octets(const struct field *f, const void *want, size_t len)
{
    assert_true(f->is_there);
    assert_int_equal(f->octets.len, len);
    assert_memory_equal(f->octets.ptr, want, len);
}

static void test_response(void **state)
{
    const struct dnstap_message m = {
        .is_response = true,
        .is_tcp = true,
        .family = 6,
        .client = &client6,
        .query_us = 1,
        .response_us = UINT64_C(4102444800999999), /* the year 2100 */
        .octets = span_of(query, sizeof(query)),
    };
    struct field top[FIELDS_MAX];
    struct field in[FIELDS_MAX];
    size_t len;
    uint8_t *out = encode(&m, &len);

    (void)state;
    decode(span_of(out, len), top);
    assert_false(top[1].is_there || top[2].is_there);
    assert_int_equal(top[15].number, 1);
    decode(top[14].octets, in);
    assert_int_equal(in[1].number, 6);
    assert_int_equal(in[2].number, 2);
    assert_int_equal(in[3].number, 2);
    assert_octets(&in[4], client6.ip, 16);
    assert_int_equal(in[6].number, 65535);
    assert_false(in[5].is_there || in[7].is_there);
    assert_true(in[8].is_there && in[8].number == 0);
    assert_int_equal(in[9].number, 1000);
    assert_false(in[10].is_there);
    assert_int_equal(in[12].number, UINT64_C(4102444800));
    assert_int_equal(in[13].number, 999999000);
    assert_octets(&in[14], query, sizeof(query));
    free(out);
}

static void test_little_is_known(void **state)
{
    const struct dnstap_message m = {.octets = span_of(query, sizeof(query))};
    struct field top[FIELDS_MAX];
    struct field in[FIELDS_MAX];
    size_t len;
    uint8_t *out = encode(&m, &len);

    (void)state;
    decode(span_of(out, len), top);
    decode(top[14].octets, in);
    for (unsigned i = 1; i < FIELDS_MAX; i++) {
        assert_true(in[i].is_there == (i == 1 || i == 3 || i == 10));
    }
    free(out);
}

/* Lengths on both sides of where one octet more is needed to tell them, and
 * everything as large as it can be. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {0,   12,  60,    61,    62,    127,
                                     128, 512, 16383, 16384, 65535, 65536};
    static uint8_t octets[OCTETS_MAX];
    static const struct addr far = {.family = 6, .port = 65535};
    char identity[255];

    (void)state;
    memset(identity, 'i', sizeof(identity));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const struct dnstap_message m = {
            .is_response = true,
            .is_tcp = true,
            .family = 6,
            .client = &far,
            .local = &far,
            .query_us = UINT64_MAX,
            .response_us = UINT64_MAX,
            .octets = span_of(octets, lengths[i]),
            .identity = span_of(identity, sizeof(identity)),
            .version = span_of(identity, sizeof(identity)),
        };
        struct field top[FIELDS_MAX];
        struct field in[FIELDS_MAX];
        size_t len;
        uint8_t *out = encode(&m, &len);

        decode(span_of(out, len), top);
        decode(top[14].octets, in);
        assert_int_equal(in[14].octets.len, lengths[i]);
        assert_int_equal(in[12].number, UINT64_MAX / 1000000);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_little_is_known),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
