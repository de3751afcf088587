/*
 * Names: the compression example of RFC 1035 section 4.1.4, every way in which
 * a name can be wrong, and texts there and back.
 */
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "dns/name.h"

#include "make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct name_case {
    const char *title;
    const char *hex;
    size_t at;
    int want_skip;
    int want_read;
    const char *want_text; /* NULL: cannot be read */
} name_cases[] = {
    {"root", "00", 0, 1, 1, "."},
    {"one label", "01 61 00", 0, 3, 3, "a."},
    {"behind an offset", "ffff 01 61 00 ff", 2, 3, 3, "a."},
    {"pointer", "01 61 00 c000", 3, 2, 3, "a."},
    {"labels and pointer", "01 61 00 01 62 c000", 3, 4, 5, "b.a."},
    {"pointer to pointer", "01 61 00 c000 c003", 5, 2, 3, "a."},
    {"nothing", "", 0, ERR_DNS_SHORT, ERR_DNS_SHORT, NULL},
    {"offset past the end", "00", 7, ERR_DNS_SHORT, ERR_DNS_SHORT, NULL},
    {"label runs past the end", "05 6162", 0, ERR_DNS_SHORT, ERR_DNS_SHORT,
     NULL},
    {"no root label", "02 6162", 0, ERR_DNS_SHORT, ERR_DNS_SHORT, NULL},
    {"half a pointer", "00 c0", 1, ERR_DNS_SHORT, ERR_DNS_SHORT, NULL},
    {"pointer to itself", "c000", 0, ERR_DNS_LOOP, ERR_DNS_LOOP, NULL},
    {"pointer forward", "c002 00", 0, ERR_DNS_LOOP, ERR_DNS_LOOP, NULL},
    {"pointer into its own name", "01 61 c000", 0, ERR_DNS_LOOP, ERR_DNS_LOOP,
     NULL},
    {"pointer to a pointer forward", "c003 00 c000", 3, 2, ERR_DNS_LOOP, NULL},
    {"pointer back to a bad label", "41 00 c000", 2, 2, ERR_DNS_LABEL, NULL},
    {"label type 01", "41 61 00", 0, ERR_DNS_LABEL, ERR_DNS_LABEL, NULL},
    {"label type 10", "81 61 00", 0, ERR_DNS_LABEL, ERR_DNS_LABEL, NULL},
};

static void walks_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(name_cases); i++) {
        const struct name_case *c = &name_cases[i];
        struct made m = {.len = 0};
        uint8_t name[DNS_NAME_MAX];
        uint8_t *copy;
        char text[DNS_NAME_TEXT_MAX];
        struct span msg;

        made_hex(&m, c->hex);
        copy = heap_copy(made_span(&m));
        msg = span_of(copy, m.len);
        assert_int_equal(dns_name_skip(msg, c->at), c->want_skip);
        assert_int_equal(dns_name_read(msg, c->at, name), c->want_read);
        if (c->want_text != NULL) {
            (void)dns_name_to_text(span_of(name, (size_t)c->want_read), text);
            assert_string_equal(text, c->want_text);
        }
        free(copy);
    }
}

/* RFC 1035 section 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64,
 * the root at 92. */
static void reads_the_example_of_rfc1035(void **state)
{
    static const struct {
        size_t at;
        int skip;
        const char *text;
    } want[] = {
        {20, 12, "F.ISI.ARPA."},
        {40, 6, "FOO.F.ISI.ARPA."},
        {64, 2, "ARPA."},
        {92, 1, "."},
    };
    struct made m = {.len = 93};

    (void)state;
    memcpy(m.octets + 20, "\1F\3ISI\4ARPA", 12);
    memcpy(m.octets + 40, "\3FOO\xc0\x14", 6);
    memcpy(m.octets + 64, "\xc0\x1a", 2);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        uint8_t name[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_MAX];
        int len = dns_name_read(made_span(&m), want[i].at, name);

        assert_true(len > 0);
        (void)dns_name_to_text(span_of(name, (size_t)len), text);
        assert_string_equal(text, want[i].text);
        assert_int_equal(dns_name_skip(made_span(&m), want[i].at),
                         want[i].skip);
    }
}

/* Three labels of 63 and one of last octets, then the root: 194 + last. */
static void put_long(struct made *m, unsigned last)
{
    static const uint8_t lens[] = {63, 63, 63};

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        m->octets[m->len++] = lens[i];
        memset(m->octets + m->len, 'a', lens[i]);
        m->len += lens[i];
    }
    m->octets[m->len++] = (uint8_t)last;
    memset(m->octets + m->len, 'b', last);
    m->len += last;
    m->octets[m->len++] = 0;
}

static void names_end_at_255_octets(void **state)
{
    struct made m = {.len = 0};
    uint8_t name[DNS_NAME_MAX];

    (void)state;
    put_long(&m, 61);
    assert_int_equal(m.len, 255);
    assert_int_equal(dns_name_skip(made_span(&m), 0), 255);
    assert_int_equal(dns_name_read(made_span(&m), 0, name), 255);
    m.len = 0;
    put_long(&m, 62);
    assert_int_equal(dns_name_skip(made_span(&m), 0), ERR_DNS_NAME);
    assert_int_equal(dns_name_read(made_span(&m), 0, name), ERR_DNS_NAME);

    /* Too long only together with what the pointer leads to. */
    m.len = 0;
    put_long(&m, 59); /* 253 octets */
    made_hex(&m, "01 63 c000 02 6363 c000");
    assert_int_equal(dns_name_read(made_span(&m), 253, name), 255);
    assert_int_equal(dns_name_skip(made_span(&m), 257), 5);
    assert_int_equal(dns_name_read(made_span(&m), 257, name), ERR_DNS_NAME);
}

/* As many pointers as a message holds: read in one go, stepped over at once. */
static void long_chain_of_pointers_ends(void **state)
{
    static struct made m;
    uint8_t name[DNS_NAME_MAX];

    (void)state;
    m.len = 0;
    made_hex(&m, "01 61 00 c000");
    while (m.len < 0x3ffe) {
        made_u16(&m, (unsigned)(0xc000 | (m.len - 2)));
    }
    assert_int_equal(dns_name_read(made_span(&m), m.len - 2, name), 3);
    assert_int_equal(dns_name_skip(made_span(&m), m.len - 2), 2);
}

static const struct text_case {
    const char *text;
    const char *hex;  /* "": refused, see err */
    const char *back; /* NULL: as text */
    int err;
} text_cases[] = {
    {".", "00", NULL, 0},
    {"a", "01 61 00", "a.", 0},
    {"www.Example.NET.", "03 777777 07 4578616d706c65 03 4e4554 00", NULL, 0},
    {"a\\.b.c.", "03 612e62 01 63 00", NULL, 0},
    {"a\\\\b.", "03 615c62 00", NULL, 0},
    {"\\000\\255\\032.", "03 00ff20 00", NULL, 0},
    {"\\097.", "01 61 00", "a.", 0},
    {"\\a.", "01 61 00", "a.", 0},
    {"!~.", "02 217e 00", NULL, 0},
    {"", "", NULL, ERR_INVAL},
    {"..", "", NULL, ERR_INVAL},
    {".a", "", NULL, ERR_INVAL},
    {"a..b", "", NULL, ERR_INVAL},
    {"a..", "", NULL, ERR_INVAL},
    {"a\\", "", NULL, ERR_INVAL},
    {"\\1", "", NULL, ERR_INVAL},
    {"\\12x", "", NULL, ERR_INVAL},
    {"\\256", "", NULL, ERR_INVAL},
};

static void texts_become_names_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(text_cases); i++) {
        const struct text_case *c = &text_cases[i];
        struct made want = {.len = 0};
        uint8_t name[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_MAX];
        int len = dns_name_from_text(c->text, strlen(c->text), name);

        made_hex(&want, c->hex);
        assert_int_equal(len, c->err != 0 ? c->err : (int)want.len);
        if (len > 0) {
            assert_memory_equal(name, want.octets, want.len);
            (void)dns_name_to_text(span_of(name, want.len), text);
            assert_string_equal(text, c->back != NULL ? c->back : c->text);
        }
    }
}

static void text_limits(void **state)
{
    char text[300];
    uint8_t name[DNS_NAME_MAX];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(dns_name_from_text(text, 63, name), 65);
    assert_int_equal(dns_name_from_text(text, 64, name), ERR_INVAL);
    text[63] = text[127] = text[191] = '.';
    assert_int_equal(dns_name_from_text(text, 192 + 61, name), 255);
    assert_int_equal(dns_name_from_text(text, 192 + 62, name), ERR_DNS_NAME);
    text[253] = '.';
    assert_int_equal(dns_name_from_text(text, 254, name), 255);
}

/* 254 octets that all need an escape: the longest text there is. */
static void longest_text_fits(void **state)
{
    struct made m = {.len = 0};
    char text[DNS_NAME_TEXT_MAX];
    uint8_t back[DNS_NAME_MAX];

    (void)state;
    put_long(&m, 61);
    for (size_t i = 0; i < m.len; i++) {
        m.octets[i] = m.octets[i] >= 'a' ? 0xff : m.octets[i];
    }
    (void)dns_name_to_text(made_span(&m), text);
    assert_int_equal(strlen(text), 4 * 250 + 4);
    assert_int_equal(dns_name_from_text(text, strlen(text), back), 255);
    assert_memory_equal(back, m.octets, 255);
}

static void case_is_ascii_only(void **state)
{
    uint8_t mixed[] = "\7eXaMpLe\3CoM";
    uint8_t lower[sizeof(mixed)];

    (void)state;
    assert_true(dns_name_equal(span_of(mixed, sizeof(mixed)),
                               span_of("\7ExAmPlE\3cOm", sizeof(mixed))));
    assert_false(dns_name_equal(span_of(mixed, sizeof(mixed)),
                                span_of("\7ExAmPlF\3cOm", sizeof(mixed))));
    assert_false(dns_name_equal(span_of("\1a", 3), span_of("\1a\0", 2)));
    /* '@' and '`', '[' and '{' differ by the same bit as letters do. */
    assert_false(dns_name_equal(span_of("\1@", 3), span_of("\1`", 3)));
    assert_false(dns_name_equal(span_of("\1[", 3), span_of("\1{", 3)));
    assert_false(dns_name_equal(span_of("\1\xc9", 3), span_of("\1\xe9", 3)));
    dns_name_lower(lower, mixed, sizeof(mixed));
    assert_memory_equal(lower, "\7example\3com", sizeof(mixed));
    dns_name_lower(mixed, mixed, sizeof(mixed));
    assert_memory_equal(mixed, lower, sizeof(mixed));
}

static void random_names_survive_the_round(void **state)
{
    struct rng r;

    (void)state;
    rng_seed(&r, 11);
    for (int i = 0; i < 3000; i++) {
        struct made m = {.len = 0};
        uint8_t back[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_MAX];
        size_t room = rng_below(&r, 254);

        while (m.len + 2 < room) {
            uint8_t len = (uint8_t)(1 + rng_below(&r, 63));
            if (m.len + 1 + len > room) {
                break;
            }
            m.octets[m.len++] = len;
            while (len-- > 0) {
                m.octets[m.len++] = (uint8_t)rng_next(&r);
            }
        }
        m.octets[m.len++] = 0;
        (void)dns_name_to_text(made_span(&m), text);
        assert_int_equal(dns_name_from_text(text, strlen(text), back), m.len);
        assert_memory_equal(back, m.octets, m.len);
        assert_int_equal(dns_name_skip(made_span(&m), 0), m.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_names),
        cmocka_unit_test(reads_the_example_of_rfc1035),
        cmocka_unit_test(names_end_at_255_octets),
        cmocka_unit_test(long_chain_of_pointers_ends),
        cmocka_unit_test(texts_become_names_and_back),
        cmocka_unit_test(text_limits),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(case_is_ascii_only),
        cmocka_unit_test(random_names_survive_the_round),
    };
    return cmocka_run_group_tests_name("dns_name", tests, NULL, NULL);
}
