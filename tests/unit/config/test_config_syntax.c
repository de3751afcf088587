/*
 * What is wrong with the text before it says anything: octets, characters,
 * YAML, size.
 */
#include "base/attr.h"
#include "base/err.h"
#include "config/source.h"
#include "config/tree.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY \
    "t:1:1: the file is empty; at least one server is needed, such as " \
    "servers: [quad9]\n"
#define MISPLACED_COLON \
    "':' where no key is expected; is the line above complete and indented " \
    "the same? A value with ': ' in it needs quotes\n"

static const struct expect_case character_cases[] = {
    {"BOM and CRLF",
     "\xef\xbb\xbf"
     "servers: [9.9.9.9#a.b]\r\nworkers: x\r\n",
     "t:2:10: workers: x is not a whole number (auto, or 1 to 64)\n"},
    {"line ends of old", "servers: [9.9.9.9#a.b]\rworkers: x\r",
     "t:2:10: workers: x is not a whole number (auto, or 1 to 64)\n"},
    {"columns are characters",
     EXPECT_SERVER "\"\xc3\xbc\": {\"\xc3\xbc\": x}\n",
     "t:2:1: \xc3\xbc: unknown key\n"},
    {"a column behind wide characters", "servers: ['9.9.9.9#\xc3\xbc.b', x]\n",
     "t:1:11: servers[0]: \"\xc3\xbc.b\" is not a host name: letters beyond "
     "ASCII are written in the xn-- form (A-label)\n"
     "t:1:26: servers[1]: \"x\" is not an IP address\n"},
    {"tabs", "servers:\n\t- quad9\n  \t- google\n",
     "t:2:1: tab in the indentation; YAML indents with spaces only\n"
     "t:3:3: tab in the indentation; YAML indents with spaces only\n"},
    {"tabs that do no harm",
     "servers:\t9.9.9.9#a.b\t\n\t\n \t# comment\nworkers:\t2\n\t", ""},
    {"a tab in place of a space", "servers:\n-\tquad9\n",
     "t:2:2: tab where YAML expects a space; use spaces only\n"},
    {"not UTF-8", "servers: \xe9\xff\xc0\x80\n",
     "t:1:10: octet 0xe9 is not UTF-8; save the file as UTF-8\n"
     "t:1:11: octet 0xff is not UTF-8; save the file as UTF-8\n"
     "t:1:12: octet 0xc0 is not UTF-8; save the file as UTF-8\n"
     "t:1:13: octet 0x80 is not UTF-8; save the file as UTF-8\n"},
    {"a surrogate, and the end inside a character",
     "# \xed\xa0\x80\n# \xe2\x82",
     "t:1:3: octet 0xed is not UTF-8; save the file as UTF-8\n"
     "t:1:4: octet 0xa0 is not UTF-8; save the file as UTF-8\n"
     "t:1:5: octet 0x80 is not UTF-8; save the file as UTF-8\n"
     "t:2:3: octet 0xe2 is not UTF-8; save the file as UTF-8\n"
     "t:2:4: octet 0x82 is not UTF-8; save the file as UTF-8\n"},
    {"control and invisible characters", "a\x07: \xc2\xa0\xe2\x80\xa8\n",
     "t:1:2: control character U+0007\n"
     "t:1:5: a no-break space (U+00A0), which cannot be seen; write a plain "
     "space, or nothing, in its place\n"
     "t:1:6: a line separator (U+2028), which cannot be seen; write a plain "
     "space, or nothing, in its place\n"},
    {"UTF-16", "\xff\xfes",
     "t:1:1: this is UTF-16 or UTF-32; save the file as UTF-8\n"},
};

static const struct expect_case yaml_cases[] = {
    {"empty", "", EMPTY},
    {"a comment", "# nothing\n", EMPTY},
    {"an empty document", "---\n", EMPTY},
    {"null", "~\n", EMPTY},
    {"a word", "servers\n",
     "t:1:1: a value where keys are expected, such as servers: [quad9]\n"},
    {"no blank behind the colon", "servers:quad9\n",
     "t:1:1: a value where keys are expected, such as servers: [quad9] (with "
     "a blank behind the ':')\n"},
    {"a list", "- 9.9.9.9\n",
     "t:1:1: a list where keys are expected, such as servers: [quad9]\n"},
    {"two documents", EXPECT_SERVER "---\n" EXPECT_SERVER,
     "t:2:1: a second document begins here; a configuration is one document: "
     "take the line with --- away\n"},
    {"one document, with its marks", "---\n" EXPECT_SERVER "...\n", ""},
    {"text behind the document", EXPECT_SERVER "...\nx\n",
     "t:3:1: text after the end of the document\n"},
    {"an open list", "servers: [quad9\nworkers: 3\n",
     "t:1:10: the list that begins with '[' here has no ']' where it should "
     "end\n"},
    {"an open mapping", "servers: {address: 9.9.9.9\nworkers: 3\n",
     "t:1:10: the mapping that begins with '{' here has no '}' where it "
     "should end\n"},
    {"an open quote", "workers: x\nservers: \"quad9\n",
     "t:1:10: workers: x is not a whole number (auto, or 1 to 64)\n"
     "t:2:10: the quote that begins here is never closed\n"},
    {"indentation of a key", EXPECT_SERVER "workers: 1\n  race_width: 2\n",
     "t:3:13: " MISPLACED_COLON},
    {"indentation of an item", "servers:\n  - quad9\n - google\n",
     "t:3:2: this line does not fit the mapping that begins in line 1; is it "
     "indented like the lines above?\n"},
    {"a key among items", "servers:\n  - quad9\n  google\n",
     "t:3:3: neither a key (no ':' follows) nor a list item (no '- ' before "
     "it)\n"},
    {"a list on its key's line", "servers: - quad9\n",
     "t:1:10: a list begins on the line after its key: put '- ' there\n"},
    {"two colons", "log_level: a: b\n", "t:1:13: " MISPLACED_COLON},
    {"text behind quotes", "servers: \"quad9\" x\n",
     "t:1:18: text that does not belong to the value before it; put the "
     "whole value in quotes\n"},
    {"characters that YAML keeps", "log_level: @x\n",
     "t:1:12: a value cannot begin with '@' in YAML; put it in quotes\n"},
    {"all addresses, as a star", "listen: *\n",
     "t:1:9: '*' begins a YAML alias; for all addresses of this machine write "
     "0.0.0.0 and \"::\"\n"},
    {"all below a name, as a star", "deny_names: *.ads.example\n",
     "t:1:13: '*' begins a YAML alias; write ads.example: a name stands for "
     "all below it too\n"},
    {"a word that begins with a colon", "log_level: [info, :debug]\n",
     "t:1:19: a word that begins with ':' needs quotes in YAML; did you mean "
     "\":debug\"?\n"},
    {"a key that begins with a colon", "zones: {::1: quad9}\n",
     "t:1:9: a word that begins with ':' needs quotes in YAML; did you mean "
     "\"::1\"?\n"},
    {"addresses that begin and end with colons",
     EXPECT_SERVER
     "listen: [ 127.0.0.1,   ::1 ,\n  ::2 # comment\n"
     "  , {address: ::3}]\nworkers: 1\n"
     "allow: [::1, ::4/127, 10.0.0.0/8, fe80::, ::ffff:10.0.0.0/104]\n",
     ""},
    {"one address in brackets", EXPECT_SERVER "listen: [::1]\n", ""},
    {"columns behind such addresses",
     "servers: [::2@853#a.b, ::3#a.b, \"::x\", x]\n",
     "t:1:33: servers[2]: \"::x\" is not an IPv6 address\n"
     "t:1:40: servers[3]: \"x\" is not an IP address\n"},
    {"such an address again", EXPECT_SERVER "listen: [::1, ::1]\n",
     "t:2:15: listen[1]: [::1]:53 is in line 2 already\n"},
    {"such an address before an error", "listen: [::1, ::x]\nworkers: x\n",
     "t:1:15: a word that begins with ':' needs quotes in YAML; did you mean "
     "\"::x\"?\n"},
    {"not alone", "listen: [::1]:53\n",
     "t:1:9: an address in brackets needs quotes in YAML; did you mean "
     "\"[::1]:53\"?\n"},
    {"what stands before the error in a list",
     "listen:\n  - 127.0.0.1:99999\n  - localhost\n  - [::1]:53\n",
     "t:2:5: listen[0]: port 99999 is out of range: 1 to 65535\n"
     "t:3:5: listen[1]: \"localhost\" is a name; did you mean 127.0.0.1?\n"
     "t:4:5: an address in brackets needs quotes in YAML; did you mean "
     "\"[::1]:53\"?\n"},
    {"what stands before the error in a mapping",
     "zones:\n  a.b: x\n  c.d: y\n  e.f: [::1]:53\n",
     "t:2:8: zones.a.b: \"x\" is not an IP address\n"
     "t:3:8: zones.c.d: \"y\" is not an IP address\n"
     "t:4:8: an address in brackets needs quotes in YAML; did you mean "
     "\"[::1]:53\"?\n"},
    {"brackets with a port", "listen:\n  - [::1]:5300\n",
     "t:2:5: an address in brackets needs quotes in YAML; did you mean "
     "\"[::1]:5300\"?\n"},
    {"brackets, interface, name", "servers: [fe80::1%eth0]:853#a.b\n",
     "t:1:10: an address in brackets needs quotes in YAML; did you mean "
     "\"[fe80::1%eth0]:853#a.b\"?\n"},
    {"a backslash", "ca_file: \"C:\\q\"\n",
     "t:1:13: a backslash in double quotes begins an escape; use single "
     "quotes\n"},
    {"an alias", "servers: &a quad9\nlisten: *a\n",
     "t:2:9: YAML aliases (*word) are not used here; write the value out, or "
     "put it in quotes\n"},
    {"a tag", "servers: !x quad9\n",
     "t:1:10: YAML tags (!word) are not used here; leave it out\n"},
    {"a tag on a list", "servers: !!seq [quad9]\n",
     "t:1:10: YAML tags (!word) are not used here; leave it out\n"},
    {"NUL in a value", "servers: \"a\\0b\"\n",
     "t:1:10: a NUL character in a value\n"},
    {"something else", "%FOO\n---\nx: y\n",
     "t:1:5: not YAML: found unknown directive name\n"},
    {"what stands before the error is checked",
     "workers: x\nlistn: y\nservers: [",
     "t:1:10: workers: x is not a whole number (auto, or 1 to 64)\n"
     "t:2:1: listn: unknown key; did you mean listen?\n"
     "t:2:8: listen: \"y\" is not an IP address\n"
     "t:4:1: the file ends inside a list or mapping; is a ']' or '}' "
     "missing?\n"},
};

static void test_characters(void **state)
{
    (void)state;
    expect_cases(character_cases, COUNT_OF(character_cases));
}

static void test_yaml(void **state)
{
    (void)state;
    expect_cases(yaml_cases, COUNT_OF(yaml_cases));
}

static void expect_text(const char *text, size_t len, const char *want)
{
    struct config *c = NULL;
    struct config_diagnostics d;

    assert_int_equal(config_load_text(text, len, "t", &c, &d), ERR_CONFIG);
    char *got = expect_join(&d);
    assert_string_equal(got, want);
    assert_null(c);
    free(got);
    config_diagnostics_finish(&d);
}

static void test_nul(void **state)
{
    (void)state;
    expect_text("servers: a\0b\n", 13,
                "t:1:11: NUL octet; this is not a text file\n");
}

/* count times unit, then want about it. */
static void expect_repeated(const char *unit, size_t count, const char *want)
{
    size_t len = strlen(unit);
    char *text = malloc(count * len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * len, unit, len);
    }
    expect_text(text, count * len, want);
    free(text);
}

static void test_depth(void **state)
{
    (void)state;
    expect_repeated("[", 10000, "t:1:33: nested deeper than 32 levels\n");
    expect_repeated("{a: ", 10000, "t:1:129: nested deeper than 32 levels\n");
    expect_repeated("- ", 10000, "t:1:65: nested deeper than 32 levels\n");
    expect_repeated("[\n", 10000, "t:33:1: nested deeper than 32 levels\n");
}

static void test_size(void **state)
{
    (void)state;
    expect_repeated("#", 10 * 1024 * 1024,
                    "t: is larger than 1 MiB; a configuration has a few "
                    "kilobytes: is this the right file?\n");
    expect_repeated("#", SOURCE_MAX, EMPTY);
    expect_repeated("- a\n", TREE_NODES_MAX,
                    "t:20000:3: more than 20000 values; is this the right "
                    "file?\n");
}

static void test_place(void **state)
{
    struct diag d;
    struct source s;
    static const char text[] = "ab\r\n\xc3\xbc"
                               "c\n\nd";

    (void)state;
    diag_init(&d, "t");
    assert_int_equal(source_copy(text, strlen(text), &s, &d), 0);
    assert_string_equal(source_at(&s, (struct mark){1, 2, NULL}), text + 1);
    assert_string_equal(source_at(&s, (struct mark){1, 3, NULL}), text + 2);
    assert_null(source_at(&s, (struct mark){1, 4, NULL}));
    assert_string_equal(source_at(&s, (struct mark){2, 2, NULL}), "c\n\nd");
    assert_string_equal(source_at(&s, (struct mark){3, 1, NULL}), "\nd");
    assert_null(source_at(&s, (struct mark){3, 2, NULL}));
    assert_string_equal(source_at(&s, (struct mark){4, 2, NULL}), "");
    assert_null(source_at(&s, (struct mark){5, 1, NULL}));
    source_finish(&s);
    diag_finish(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters), cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_nul),        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),       cmocka_unit_test(test_place),
    };

    return cmocka_run_group_tests_name("config_syntax", tests, NULL, NULL);
}
