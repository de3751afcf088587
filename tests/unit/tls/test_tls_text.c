/*
 * Sentences stay within their bound and free of control characters.
 */
#include "fixture.h"

#include "tls/text.h"

static void test_bound(void **state)
{
    struct tls_text t = {.len = 0};

    (void)state;
    for (int i = 0; i < 2 * TLS_TEXT_MAX; i++) {
        tls_text_add(&t, "%d,", i);
        assert_true(t.len < TLS_TEXT_MAX);
        assert_int_equal(strlen(t.data), t.len);
    }
    assert_int_equal(t.len, TLS_TEXT_MAX - 1);
}

static void test_next(void **state)
{
    struct tls_text t = {.len = 0};

    (void)state;
    tls_text_next(&t);
    tls_text_add(&t, "one");
    tls_text_next(&t);
    tls_text_add(&t, "two");
    assert_string_equal(t.data, "one; two");
}

static void test_escapes(void **state)
{
    static const struct {
        struct span in;
        const char *want;
    } cases[] = {
        {{NULL, 0}, ""},
        {{(const uint8_t *)"plain", 5}, "plain"},
        {{(const uint8_t *)"a\0b\n\x7f\xc3\xa4\"", 8},
         "a\\x00b\\x0a\\x7f\\xc3\\xa4\\x22"},
    };
    static const uint8_t zeros[200];
    struct tls_text t = {.len = 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t = (struct tls_text){.len = 0};
        tls_text_add_escaped(&t, cases[i].in);
        assert_string_equal(t.data, cases[i].want);
    }
    t = (struct tls_text){.len = 0};
    tls_text_add_escaped(&t, span_of(zeros, sizeof(zeros)));
    assert_int_equal(t.len, 80 * 4 + 3);
    assert_string_equal(t.data + t.len - 7, "\\x00...");
}

static void test_certificate_words(void **state)
{
    struct tls_text t = {.len = 0};
    const mbedtls_x509_time when = {2026, 1, 2, 3, 4, 5};
    const uint8_t sha256[32] = {0xff, 0xee};

    (void)state;
    tls_text_add_dn(&t, &fix.leaf.crt.subject);
    assert_string_equal(t.data, "\"CN=dns.example\"");

    t = (struct tls_text){.len = 0};
    tls_text_add_sans(&t, &fix.leaf.crt);
    assert_string_equal(t.data, "\"dns.example, *.example.net\"");

    t = (struct tls_text){.len = 0};
    tls_text_add_sans(&t, &fix.ca.crt);
    assert_string_equal(t.data, "\"\"");

    t = (struct tls_text){.len = 0};
    tls_text_add_time(&t, &when);
    assert_string_equal(t.data, "2026-01-02 03:04:05 UTC");

    t = (struct tls_text){.len = 0};
    tls_text_add_now(&t);
    assert_int_equal(t.len, strlen("2026-01-02 03:04:05 UTC"));

    t = (struct tls_text){.len = 0};
    tls_text_add_pin(&t, sha256);
    assert_string_equal(t.data,
                        "sha256//+4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_certificate_words),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
