/*
 * Names. The first octet is an offset; the rest is a message with a name at
 * that offset, and also a text to read a name from.
 */
#include "base/err.h"
#include "dns/name.h"

#include "../require.h"

#include <string.h>

static void require_round_trip(struct span name)
{
    char text[DNS_NAME_TEXT_MAX];
    uint8_t back[DNS_NAME_MAX];
    uint8_t lower[DNS_NAME_MAX];
    int len;

    REQUIRE(name.len >= 1 && name.len <= DNS_NAME_MAX);
    REQUIRE(dns_name_skip(name, 0) == (int)name.len);
    REQUIRE(dns_name_read(name, 0, back) == (int)name.len);
    REQUIRE(memcmp(back, name.ptr, name.len) == 0);
    REQUIRE(dns_name_to_text(name, text) == text);
    REQUIRE(strlen(text) < sizeof(text));
    len = dns_name_from_text(text, strlen(text), back);
    REQUIRE(len == (int)name.len);
    REQUIRE(memcmp(back, name.ptr, name.len) == 0);
    dns_name_lower(lower, name.ptr, name.len);
    REQUIRE(dns_name_equal(name, span_of(lower, name.len)));
    REQUIRE(dns_name_skip(span_of(lower, name.len), 0) == (int)name.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct span msg = span_from(span_of(octets, len), 1);
    uint8_t name[DNS_NAME_MAX];
    size_t at = len > 0 ? octets[0] : 0;
    int skipped = dns_name_skip(msg, at);
    int got = dns_name_read(msg, at, name);

    if (skipped < 0) {
        REQUIRE(got == skipped);
    } else {
        REQUIRE(skipped > 0 && at + (size_t)skipped <= msg.len);
    }
    if (got > 0) {
        require_round_trip(span_of(name, (size_t)got));
    }
    got = dns_name_from_text((const char *)msg.ptr, msg.len, name);
    REQUIRE(got > 0 || got == ERR_INVAL || got == ERR_DNS_NAME);
    if (got > 0) {
        require_round_trip(span_of(name, (size_t)got));
    }
    return 0;
}
