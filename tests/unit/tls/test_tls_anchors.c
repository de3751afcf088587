/*
 * Trust anchors in two steps: what the first one reads, what is left for the
 * second, and that both together read all.
 */
#include "fixture.h"

#include "tls/anchors.h"

#include <stdlib.h>

static struct tls_cert other;
static char *ca_pem, *leaf_pem, *other_pem;

static int setup(void **state)
{
    if (fix_setup(state) != 0) {
        return -1;
    }
    tls_cert_init(&other, &(struct tls_cert_options){.subject = "CN=Other Root",
                                                     .is_ca = true});
    ca_pem = tls_cert_pem(&fix.ca);
    leaf_pem = tls_cert_pem(&fix.leaf);
    other_pem = tls_cert_pem(&other);
    return 0;
}

static int teardown(void **state)
{
    free(ca_pem);
    free(leaf_pem);
    free(other_pem);
    tls_cert_finish(&other);
    return fix_teardown(state);
}

#define BROKEN "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
#define FOO    "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n"

/* A file in letters: c, l, o for the certificates, f for one that is none, b
 * for broken PEM, D for DER, t for text. */
static uint8_t *content_of(const char *letters, size_t *len)
{
    uint8_t *content = calloc(1, 32768);
    size_t used = 0;

    assert_non_null(content);
    for (const char *l = letters; *l != '\0'; l++) {
        const char *text = *l == 'c'   ? ca_pem
                           : *l == 'l' ? leaf_pem
                           : *l == 'o' ? other_pem
                           : *l == 'f' ? FOO
                           : *l == 'b' ? BROKEN
                                       : "words";

        if (*l == 'D') {
            memcpy(content + used, fix.ca.crt.raw.p, fix.ca.crt.raw.len);
            used += fix.ca.crt.raw.len;
        } else {
            memcpy(content + used, text, strlen(text));
            used += strlen(text);
        }
    }
    *len = used;
    return content;
}

static const struct anchors_case {
    const char *files[3];
    size_t first; /* count before the rest is read */
    size_t count;
    size_t bad_count;
} cases[] = {
    {{"c"}, 1, 1, 0},
    {{"col"}, 1, 3, 0},
    {{"tctot"}, 1, 2, 0},
    {{"cc"}, 1, 1, 0},
    {{"cocoo"}, 1, 2, 0},
    /* The first that is good is looked for. */
    {{"fbco"}, 1, 2, 2},
    {{"cfbofb"}, 1, 2, 4},
    {{"ffb"}, 0, 0, 3},
    {{"t"}, 0, 0, 1},
    {{""}, 0, 0, 0},
    {{"D"}, 1, 1, 0},
    /* What a file leaves is read before the next one. */
    {{"co", "l"}, 3, 3, 0},
    {{"co", "lc"}, 3, 3, 0},
    {{"co", "oc"}, 2, 2, 0},
    {{"co", ""}, 2, 2, 0},
    {{"cofl", "t"}, 3, 3, 2},
    {{"D", "oc"}, 2, 2, 0},
    {{"oc", "D"}, 2, 2, 0},
    {{"ff", "cl", "ol"}, 3, 3, 2},
};

static void check(const struct anchors_case *c)
{
    struct tls_anchors a;
    size_t chained = 0;

    tls_anchors_init(&a);
    for (size_t i = 0; i < COUNT_OF(c->files) && c->files[i] != NULL; i++) {
        size_t len;
        uint8_t *content = content_of(c->files[i], &len);

        assert_int_equal(tls_anchors_add(&a, content, len), 0);
    }
    if (a.count != c->first) {
        fail_msg("%s: %zu at first", c->files[0], a.count);
    }
    tls_anchors_read_rest(&a);
    tls_anchors_read_rest(&a);
    if (a.count != c->count || a.bad_count != c->bad_count) {
        fail_msg("%s: %zu and %zu bad", c->files[0], a.count, a.bad_count);
    }
    assert_null(a.text);
    for (const mbedtls_x509_crt *crt = &a.chain;
         crt != NULL && crt->raw.p != NULL; crt = crt->next) {
        chained++;
    }
    assert_int_equal(chained, c->count);
    assert_true((a.blocks == NULL) == (c->count == 0));
    tls_anchors_finish(&a);
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(&cases[i]);
    }
}

/* Only PEM that may hold more is kept. */
static void test_no_rest(void **state)
{
    static const char *const files[] = {"D", "t", "fb", ""};
    struct tls_anchors a;

    (void)state;
    tls_anchors_init(&a);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        size_t len;
        uint8_t *content = content_of(files[i], &len);

        assert_int_equal(tls_anchors_add(&a, content, len), 0);
        assert_null(a.text);
    }
    assert_int_equal(a.count, 1);
    tls_anchors_finish(&a);
}

/* Given up before it was read. */
static void test_rest_unread(void **state)
{
    struct tls_anchors a;
    size_t len;
    uint8_t *content = content_of("col", &len);

    (void)state;
    tls_anchors_init(&a);
    assert_int_equal(tls_anchors_add(&a, content, len), 0);
    assert_non_null(a.text);
    tls_anchors_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_rest),
        cmocka_unit_test(test_rest_unread),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
