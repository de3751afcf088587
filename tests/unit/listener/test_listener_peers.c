/*
 * The table of connections by address, against plain counting.
 */
#include "base/rng.h"
#include "listener/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct peer_key key_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(text, strlen(text), &a), 0);
    return peers_key(&a);
}

static void test_keys(void **state)
{
    static const struct {
        const char *a, *b;
        int is_same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", 1},
        {"192.0.2.1", "192.0.2.2", 0},
        {"2001:db8::1", "2001:db8::ffff:1", 1}, /* one /64 */
        {"2001:db8::1", "2001:db8:0:1::1", 0},
        {"fe80::1", "fe80::2", 0}, /* all of a link share the /64 */
        {"0.0.0.0", "::", 0},
        {"192.0.2.1", "c000:201::", 0}, /* the same first octets */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer_key a = key_of(cases[i].a);
        struct peer_key b = key_of(cases[i].b);

        assert_int_equal(memcmp(&a, &b, sizeof(a)) == 0, cases[i].is_same);
    }
}

static void test_empty(void **state)
{
    struct peer_table t;
    struct peer_key key = {1, 2};

    (void)state;
    peers_init(&t, secret);
    assert_int_equal(peers_count(&t, &key), 0);
    peers_finish(&t);
}

static void test_against_counting(void **state)
{
    enum { PEERS = 700, STEPS = 60000 };
    static unsigned counts[PEERS];
    struct peer_table t;
    struct rng rng;
    size_t used = 0;

    (void)state;
    peers_init(&t, secret);
    rng_seed(&rng, 1);
    for (int i = 0; i < STEPS; i++) {
        uint32_t which = rng_below(&rng, PEERS);
        struct peer_key key = {which % 50, which / 50};

        assert_int_equal(peers_count(&t, &key), counts[which]);
        if (counts[which] > 0 && rng_below(&rng, 2) == 0) {
            peers_remove(&t, &key);
            counts[which]--;
        } else if (counts[which] < 3) {
            assert_int_equal(peers_add(&t, &key), 0);
            counts[which]++;
        }
    }
    for (uint32_t which = 0; which < PEERS; which++) {
        struct peer_key key = {which % 50, which / 50};

        assert_int_equal(peers_count(&t, &key), counts[which]);
        used += counts[which] > 0;
    }
    assert_int_equal(t.used, used);
    assert_true(t.slot_count <= 4096);
    peers_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_against_counting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
