/*
 * Integers on the wire and the texts of types and codes.
 */
#include "dns/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

static void integers_are_big_endian(void **state)
{
    uint8_t octets[4];

    (void)state;
    dns_put16(octets, 0x1234);
    assert_memory_equal(octets, "\x12\x34", 2);
    assert_int_equal(dns_get16(octets), 0x1234);
    dns_put32(octets, 0xfedcba98);
    assert_memory_equal(octets, "\xfe\xdc\xba\x98", 4);
    assert_int_equal(dns_get32(octets), 0xfedcba98);
}

static void types_have_texts(void **state)
{
    char text[16];

    (void)state;
    assert_string_equal(dns_type_text(1, text), "A");
    assert_string_equal(dns_type_text(28, text), "AAAA");
    assert_string_equal(dns_type_text(51, text), "NSEC3PARAM");
    assert_string_equal(dns_type_text(255, text), "ANY");
    assert_string_equal(dns_type_text(0, text), "TYPE0");
    assert_string_equal(dns_type_text(65535, text), "TYPE65535");
}

static void types_are_read(void **state)
{
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        {"A", 1},
        {"aaaa", 28},
        {"ANY", 255},
        {"TYPE65280", 65280},
        {"type0", 0},
        {"TYPE65535", 65535},
        {"TYPE65536", ERR_INVAL},
        {"TYPE", ERR_INVAL},
        {"TYPE1x", ERR_INVAL},
        {"TYPE-1", ERR_INVAL},
        {"", ERR_INVAL},
        {"AA", ERR_INVAL},
        {"TYPE99999999999999999999", ERR_INVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(dns_type_from_text(cases[i].text), cases[i].want);
    }
}

static void rcodes_have_texts(void **state)
{
    char text[16];

    (void)state;
    assert_string_equal(dns_rcode_text(0, text), "NOERROR");
    assert_string_equal(dns_rcode_text(3, text), "NXDOMAIN");
    assert_string_equal(dns_rcode_text(23, text), "BADCOOKIE");
    assert_string_equal(dns_rcode_text(12, text), "RCODE12");
    assert_string_equal(dns_rcode_text(4095, text), "RCODE4095");
    assert_string_equal(dns_rcode_text(4294967295u, text), "RCODE4294967295");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(types_have_texts),
        cmocka_unit_test(types_are_read),
        cmocka_unit_test(rcodes_have_texts),
    };
    return cmocka_run_group_tests_name("dns_wire", tests, NULL, NULL);
}
