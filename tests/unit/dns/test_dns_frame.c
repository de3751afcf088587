/*
 * Cutting frames out of a stream that comes in any pieces.
 */
#include "base/attr.h"
#include "dns/frame.h"
#include "dns/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct cut_case {
    const char *title;
    const char *octets;
    size_t len;
    int want_len; /* of the message; -1: more is needed */
} cut_cases[] = {
    {"nothing", "", 0, -1},
    {"half a length", "\0", 1, -1},
    {"a length alone", "\0\3", 2, -1},
    {"part of the message", "\0\3ab", 4, -1},
    {"a message", "\0\3abc", 5, 3},
    {"a message and more", "\0\3abc\0\1", 7, 3},
    {"no octets", "\0\0", 2, 0},
    {"no octets and more", "\0\0\0\1x", 5, 0},
};

static void cuts_the_first_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cut_cases); i++) {
        const struct cut_case *c = &cut_cases[i];
        struct span message = {NULL, 99};
        size_t used = 99;
        bool found = dns_frame_cut(span_of(c->octets, c->len), &message, &used);

        assert_int_equal(found, c->want_len >= 0);
        if (found) {
            assert_int_equal(message.len, c->want_len);
            assert_int_equal(used, 2 + c->want_len);
            assert_ptr_equal(message.ptr, c->octets + 2);
        } else {
            assert_int_equal(used, 99);
        }
    }
}

static void longest_frame(void **state)
{
    static uint8_t stream[DNS_FRAME_HEAD + DNS_MESSAGE_MAX];
    struct span message;
    size_t used;

    (void)state;
    dns_put16(stream, DNS_MESSAGE_MAX);
    assert_false(
        dns_frame_cut(span_of(stream, sizeof(stream) - 1), &message, &used));
    assert_true(
        dns_frame_cut(span_of(stream, sizeof(stream)), &message, &used));
    assert_int_equal(message.len, DNS_MESSAGE_MAX);
    assert_int_equal(used, sizeof(stream));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_the_first_frame),
        cmocka_unit_test(longest_frame),
    };
    return cmocka_run_group_tests_name("dns_frame", tests, NULL, NULL);
}
