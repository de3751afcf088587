/*
 * Data that is not as its type should be is printed in the generic form, and
 * nothing is lost; what the e2e tests cannot make a server send.
 */
#include "base/attr.h"
#include "cli/print_rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct rdata_case {
    const char *title;
    uint16_t type;
    const char *data;
    size_t len;
    const char *want;
} rdata_cases[] = {
    {"A", 1, "\300\0\2\1", 4, "192.0.2.1"},
    {"A too short", 1, "\300\0\2", 3, "\\# 3 C00002"},
    {"A too long", 1, "\300\0\2\1\1", 5, "\\# 5 C000020101"},
    {"A of nothing", 1, "", 0, "\\# 0"},
    {"TXT cut", 16, "\5abc", 4, "\\# 4 05616263"},
    {"TXT of octets", 16, "\4\0\177\"\\", 5, "\"\\000\\127\\\"\\\\\""},
    {"MX without a name", 15, "\0\1", 2, "\\# 2 0001"},
    {"MX with a loop", 15, "\0\1\300\2", 4, "\\# 4 0001C002"},
    {"MX and more", 15, "\0\1\0x", 4, "\\# 4 00010078"},
    {"CAA with an odd tag", 257, "\0\3a\"bX", 6, "\\# 6 000361226258"},
    {"CAA without a value", 257, "\0\5issue", 7, "0 issue \"\""},
    {"NSEC without types", 47, "\0", 1, "."},
    {"NSEC with an empty window", 47, "\0\0\0", 3, "\\# 3 000000"},
    {"NSEC with a long window", 47, "\0\0\41", 3, "\\# 3 000021"},
    {"NSEC3 without salt", 50, "\1\0\0\0\0\2\377\377", 8, "1 0 0 - VVVG"},
    {"DNSKEY of one octet", 48, "\1\0\3\15\377", 5, "256 3 13 /w=="},
    {"SVCB without parameters", 64, "\0\1\0", 3, "1 ."},
    {"SVCB with a cut one", 64, "\0\1\0\0\3\0\2x", 8, "\\# 8 0001000003000278"},
    {"SVCB with an odd port", 64, "\0\1\0\0\3\0\1x", 8,
     "\\# 8 0001000003000178"},
    {"SVCB alpn with a comma", 64, "\0\1\0\0\1\0\4\3a,b", 11,
     "\\# 11 0001000001000403612C62"},
    {"SVCB no-default-alpn with a value", 64, "\0\1\0\0\2\0\1x", 8,
     "\\# 8 0001000002000178"},
    {"SVCB ohttp", 64, "\0\1\0\0\10\0\0", 7, "1 . ohttp"},
    {"SVCB key of its own", 64, "\0\1\0\377\0\0\1\n", 8,
     "1 . key65280=\"\\010\""},
    {"unknown", 65280, "\1\2", 2, "\\# 2 0102"},
};

static void test_print_rdata(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rdata_cases); i++) {
        const struct rdata_case *c = &rdata_cases[i];
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        print_rdata(out, c->type, span_of(c->data, c->len), 0, c->len);
        assert_int_equal(fclose(out), 0);
        if (strcmp(text, c->want) != 0) {
            fail_msg("%s: %s instead of %s", c->title, text, c->want);
        }
        free(text);
    }
}

static void test_print_base64(void **state)
{
    static const struct {
        const char *data, *want;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[16] = "";
        FILE *out = fmemopen(text, sizeof(text), "w");

        assert_non_null(out);
        print_base64(out, span_of(cases[i].data, strlen(cases[i].data)));
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_rdata),
        cmocka_unit_test(test_print_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
