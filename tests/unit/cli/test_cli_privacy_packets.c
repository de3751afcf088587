/*
 * What counts as "nothing but TLS": packets made by hand, as the tap has them.
 */
#include "base/attr.h"
#include "cli/privacy.h"
#include "dns/wire.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PACKET_MAX = 256, SYN = 2, FROM_PORT = 40000 };

static const struct addr server = {
    .ip = {192, 0, 2, 1}, .port = 853, .family = 4};

struct fixture {
    struct privacy_places places;
    struct privacy_tap tap;
};

static void set_up(struct fixture *f)
{
    f->places = (struct privacy_places){.count = 1};
    f->places.all[0].addr = server;
    privacy_tap_init(&f->tap, &f->places);
}

/* An IPv4 packet from 192.0.2.99 to the server's address. */
static size_t put_ip(uint8_t *p, unsigned protocol, size_t len)
{
    static const uint8_t addresses[] = {192, 0, 2, 99, 192, 0, 2, 1};

    memset(p, 0, PACKET_MAX);
    p[0] = 0x45;
    dns_put16(p + 2, (unsigned)(20 + len));
    p[9] = (uint8_t)protocol;
    memcpy(p + 12, addresses, sizeof(addresses));
    return 20 + len;
}

static void send_tcp(struct fixture *f, uint32_t seq, unsigned flags,
                     unsigned port, const char *data, size_t len)
{
    uint8_t p[PACKET_MAX];
    size_t all = put_ip(p, IPPROTO_TCP, 20 + len);

    dns_put16(p + 20, FROM_PORT);
    dns_put16(p + 22, port);
    dns_put32(p + 24, seq);
    p[32] = 0x50;
    p[33] = (uint8_t)flags;
    memcpy(p + 40, data, len);
    privacy_tap_packet(&f->tap, p, all);
}

/* Each case: what a connection carries, in the pieces that are given. */
static const struct content_case {
    const char *title;
    const char *data;
    size_t len, piece;
    bool is_all_tls;
    uint64_t records;
} content_cases[] = {
    {"a handshake and data", "\x16\x03\x01\0\2ab\x17\x03\x03\0\1c", 13, 13,
     true, 2},
    {"octet by octet", "\x16\x03\x01\0\2ab\x17\x03\x03\0\1c", 13, 1, true, 2},
    {"an alert", "\x16\x03\x01\0\1a\x15\x03\x03\0\2xx", 13, 5, true, 2},
    {"data without a handshake", "\x17\x03\x03\0\1c", 6, 6, false, 0},
    {"a message of DNS over TCP", "\0\x1d\0\1\1\0\0\1\0\0\0\0\0\0", 14, 14,
     false, 0},
    {"clear text behind a record", "\x16\x03\x01\0\1aGET /", 11, 11, false, 1},
    {"a version that is none", "\x16\x02\x01\0\1a", 6, 6, false, 0},
};

static void test_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(content_cases); i++) {
        const struct content_case *c = &content_cases[i];
        struct fixture f;

        set_up(&f);
        send_tcp(&f, 99, SYN, 853, "", 0);
        for (size_t at = 0; at < c->len; at += c->piece) {
            size_t len = c->len - at < c->piece ? c->len - at : c->piece;
            send_tcp(&f, (uint32_t)(100 + at), 0, 853, c->data + at, len);
        }
        assert_int_equal(f.tap.flow_count, 1);
        const struct privacy_flow *flow = &f.tap.flows[0];
        if (flow->is_all_tls != c->is_all_tls || flow->records != c->records ||
            flow->octets != c->len) {
            fail_msg("%s", c->title);
        }
        assert_ptr_equal(flow->place, &f.places.all[0]);
        assert_int_equal(f.tap.unseen, 0);
    }
}

static void test_sent_again_counts_once(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    send_tcp(&f, 99, SYN, 853, "", 0);
    send_tcp(&f, 100, 0, 853, "\x16\x03\x01\0\1a", 6);
    send_tcp(&f, 100, 0, 853, "\x16\x03\x01\0\1a", 6);
    assert_true(f.tap.flows[0].is_all_tls);
    assert_int_equal(f.tap.flows[0].records, 1);
}

static void test_gap_proves_nothing(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    send_tcp(&f, 99, SYN, 853, "", 0);
    send_tcp(&f, 101, 0, 853, "\x16\x03\x01\0\1a", 6);
    assert_false(f.tap.flows[0].is_all_tls);
    assert_int_equal(f.tap.unseen, 1);
}

static void test_other_places_and_protocols(void **state)
{
    uint8_t p[PACKET_MAX];
    struct fixture f;

    (void)state;
    set_up(&f);
    send_tcp(&f, 99, SYN, 53, "", 0);
    size_t len = put_ip(p, IPPROTO_UDP, 8 + 12);
    dns_put16(p + 22, 853);
    privacy_tap_packet(&f.tap, p, len);
    len = put_ip(p, 47, 4);
    privacy_tap_packet(&f.tap, p, len);
    assert_int_equal(f.tap.flow_count, 3);
    assert_null(f.tap.flows[0].place);
    assert_int_equal(f.tap.flows[1].protocol, IPPROTO_UDP);
    assert_non_null(f.tap.flows[1].place);
    assert_false(f.tap.flows[1].is_all_tls);
    assert_int_equal(f.tap.flows[1].octets, 12);
    assert_null(f.tap.flows[2].place);
}

static void test_broken_packets_are_not_seen(void **state)
{
    uint8_t p[PACKET_MAX];
    struct fixture f;

    (void)state;
    set_up(&f);
    size_t len = put_ip(p, IPPROTO_TCP, 20);
    for (size_t cut = 0; cut < len; cut++) {
        privacy_tap_packet(&f.tap, p, cut);
    }
    assert_int_equal(f.tap.unseen, len);
    p[0] = 0x42; /* a header shorter than any */
    privacy_tap_packet(&f.tap, p, len);
    p[0] = 0x95;
    privacy_tap_packet(&f.tap, p, len);
    assert_int_equal(f.tap.unseen, len + 2);
    assert_int_equal(f.tap.flow_count, 0);
}

static void test_answers_are_not_what_left(void **state)
{
    uint8_t p[PACKET_MAX];
    struct fixture f;

    (void)state;
    set_up(&f);
    size_t len = put_ip(p, IPPROTO_TCP, 20);
    memcpy(p + 12, server.ip, 4);
    dns_put16(p + 20, 853);
    p[32] = 0x50;
    privacy_tap_packet(&f.tap, p, len);
    len = put_ip(p, IPPROTO_ICMP, 8);
    p[20] = 3; /* port unreachable */
    privacy_tap_packet(&f.tap, p, len);
    assert_int_equal(f.tap.flow_count, 0);
    assert_int_equal(f.tap.unseen, 0);
}

static void test_full_tables_are_told(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (unsigned i = 0; i < PRIVACY_FLOWS_MAX + 2; i++) {
        send_tcp(&f, 1, SYN, 1000 + i, "", 0);
    }
    assert_int_equal(f.tap.flow_count, PRIVACY_FLOWS_MAX);
    assert_int_equal(f.tap.unseen, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_sent_again_counts_once),
        cmocka_unit_test(test_gap_proves_nothing),
        cmocka_unit_test(test_other_places_and_protocols),
        cmocka_unit_test(test_broken_packets_are_not_seen),
        cmocka_unit_test(test_answers_are_not_what_left),
        cmocka_unit_test(test_full_tables_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
