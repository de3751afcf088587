/*
 * Base64 and PEM blocks, whole and broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/err.h"
#include "tls/pem.h"

#include <stdlib.h>
#include <string.h>

static const struct base64_case {
    const char *text;
    const char *want; /* NULL: refused */
} base64_cases[] = {
    /* RFC 4648 section 10. */
    {"", ""},
    {"Zg==", "f"},
    {"Zm8=", "fo"},
    {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"},
    {"Zm9vYmFy", "foobar"},
    {" Zm9v\r\n\tYmFy\n", "foobar"},
    {"Z\nm9vY mFy", "foobar"},
    {"Zm9vYm\nFyZm9v", "foobarfoo"},
    {"Zm9vYm9vYg==\n", "fooboob"},
    {"Zm9vYg= =", "foob"},
    {"/+/+", "\xff\xef\xfe"},
    {"Zg=", NULL},
    {"Zg", NULL},
    {"Z", NULL},
    {"Z===", NULL},
    {"=", NULL},
    {"====", NULL},
    {"Zg==Zg==", NULL},
    {"Zm9v=", NULL},
    {"Zm9v!", NULL},
    {"Zm-_", NULL},
    {"Zm9v\x80", NULL},
    {"Zm9vYg=\nYmFy", NULL},
    {"Zm9vYmFyZ", NULL},
};

static void test_base64(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(base64_cases); i++) {
        const struct base64_case *c = &base64_cases[i];
        struct span text = span_of(c->text, strlen(c->text));
        /* Just as much as promised, so that the sanitizer sees more. */
        uint8_t *out = malloc(tls_base64_max(text.len));
        size_t len = 99;
        int err = tls_base64_decode(text, out, &len);

        assert_int_equal(err, c->want == NULL ? ERR_INVAL : 0);
        if (c->want != NULL) {
            assert_int_equal(len, strlen(c->want));
            assert_memory_equal(out, c->want, len);
        }
        free(out);
    }
}

/* Every octet at every place of two groups. */
static void test_base64_octets(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                   "rstuvwxyz0123456789+/";

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (unsigned octet = 0; octet < 256; octet++) {
            uint8_t text[] = {'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A'};
            const char *place =
                octet == 0 ? NULL : strchr(alphabet, (int)octet);
            uint8_t out[16];
            size_t len = 0;
            int err;

            text[at] = (uint8_t)octet;
            err = tls_base64_decode(span_of(text, sizeof(text)), out, &len);
            if (place != NULL) {
                uint32_t group = (uint32_t)out[at / 4 * 3] << 16 |
                                 (uint32_t)out[at / 4 * 3 + 1] << 8 |
                                 out[at / 4 * 3 + 2];

                assert_int_equal(err, 0);
                assert_int_equal(len, 6);
                assert_int_equal(group, (uint32_t)(place - alphabet)
                                            << 6 * (3 - at % 4));
            } else if (octet == '=' && at == 7) {
                assert_int_equal(err, 0);
                assert_int_equal(len, 5);
            } else {
                assert_int_equal(err, ERR_INVAL);
            }
        }
    }
}

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"

/* What the blocks of text hold, in order: content, "!" for a broken one. */
static const struct pem_case {
    const char *title;
    const char *text;
    const char *want[4];
} pem_cases[] = {
    {"nothing", "", {NULL}},
    {"one", BEGIN "Zm9v\n" END, {"foo"}},
    {"two with words around",
     "a root\n" BEGIN "Zm9v\n" END "# another\n" BEGIN "YmFy\n" END "end\n",
     {"foo", "bar"}},
    {"lines that end with CR",
     "-----BEGIN CERTIFICATE-----\r\nZm9v\r\nYmFy\r\n"
     "-----END CERTIFICATE-----\r\n",
     {"foobar"}},
    {"no end of line at the end",
     BEGIN "Zm9v\n-----END CERTIFICATE-----",
     {"foo"}},
    {"other kinds are passed over",
     "-----BEGIN PRIVATE KEY-----\nYmFy\n-----END PRIVATE KEY-----\n" BEGIN
     "Zm9v\n" END,
     {"foo"}},
    {"not base64", BEGIN "Zm9v!\n" END BEGIN "YmFy\n" END, {"!", "bar"}},
    {"empty", BEGIN END BEGIN "YmFy\n" END, {"!", "bar"}},
    {"cut", BEGIN "Zm9v\n", {"!"}},
    {"cut inside the end", BEGIN "Zm9v\n-----END CERTIF", {"!"}},
    {"without an end, the next is not lost",
     BEGIN "Zm9v\n" BEGIN "YmFy\n" END,
     {"!", "bar"}},
    {"dashes before the marks",
     "-------- -----BEGIN --" BEGIN "Zm9v\n" END,
     {"foo"}},
    {"one dash before the mark", "-" BEGIN "Zm9v\n" END, {"foo"}},
    {"a dash inside", BEGIN "Zm9v-YmFy\n" END BEGIN "YmFy\n" END, {"!", "bar"}},
    {"nothing after the begin", "-----BEGIN CERTIFICATE-----", {NULL}},
};

static void check_pem(const struct pem_case *c)
{
    size_t text_len = strlen(c->text);
    char *copy = malloc(text_len + 1);
    uint8_t *out = malloc(tls_base64_max(text_len));
    struct span text = span_of(copy, text_len);

    memcpy(copy, c->text, text_len);
    for (size_t i = 0; c->want[i] != NULL; i++) {
        size_t len = 0;
        int err = tls_pem_next(&text, out, &len);

        if (strcmp(c->want[i], "!") == 0) {
            if (err != ERR_INVAL) {
                fail_msg("%s: block %zu: %s", c->title, i, err_name(err));
            }
            continue;
        }
        if (err != 0 || len != strlen(c->want[i]) ||
            memcmp(out, c->want[i], len) != 0) {
            fail_msg("%s: block %zu: %s", c->title, i, err_name(err));
        }
    }
    {
        size_t len;

        assert_int_equal(tls_pem_next(&text, out, &len), ERR_NOTFOUND);
        assert_int_equal(tls_pem_next(&text, out, &len), ERR_NOTFOUND);
    }
    free(out);
    free(copy);
}

static void test_pem(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pem_cases); i++) {
        check_pem(&pem_cases[i]);
    }
}

static void test_is_pem(void **state)
{
    (void)state;
    assert_true(tls_pem_is_pem(span_of(BEGIN, strlen(BEGIN))));
    assert_true(tls_pem_is_pem(span_of("-----BEGIN ", 11)));
    assert_false(tls_pem_is_pem(span_of("-----BEGIN ", 10)));
    assert_false(tls_pem_is_pem(span_of("0\x82", 2)));
    assert_false(tls_pem_is_pem(span_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_octets),
        cmocka_unit_test(test_pem),
        cmocka_unit_test(test_is_pem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
