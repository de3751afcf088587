/*
 * What the pool says of itself.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>

enum { EDE_TEXT_LEN = 256 /* 255 octets and the NUL */ };

static void test_each_server_and_its_fault_are_named(void **state)
{
    struct bed *b = *state;
    char text[EDE_TEXT_LEN];

    bed_add_nobody(b);
    bed_add_server(b)->identity.certificate.is_expired = true;
    bed_start_ready(b);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NO_REACHABLE);
    assert_string_equal(
        text, "192.0.2.1:853#s0.example cannot connect: connection refused; "
              "192.0.2.2:853#s1.example expected s1.example, found s1.example: "
              "the certificate has expired");
}

static void test_a_server_without_fault_gave_no_answer(void **state)
{
    struct bed *b = *state;
    char text[EDE_TEXT_LEN];

    (void)bed_add_peer(b);
    bed_start_ready(b);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NETWORK);
    assert_string_equal(text,
                        "192.0.2.1:853#s0.example gave no answer in time");
}

/* One server that is to blame itself, and it is not the network alone. */
static void test_the_network_is_blamed_when_it_is_all(void **state)
{
    struct bed *b = *state;
    char text[EDE_TEXT_LEN];

    for (unsigned i = 0; i < 2; i++) {
        bed_add_nobody(b);
        sim_link_set(b->world, bed_link(b, i), SIM_LINK_UNREACHABLE);
    }
    bed_start_ready(b);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NETWORK);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_UP);
    bed_run_ms(b, 2000);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NO_REACHABLE);
}

/* Never past the buffer, always ended, however long it is. */
static void test_the_text_is_cut_where_the_buffer_ends(void **state)
{
    struct bed *b = *state;
    char text[EDE_TEXT_LEN];

    b->config.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < UPSTREAM_SERVERS_MAX; i++) {
        bed_add_nobody(b);
    }
    bed_start_ready(b);
    assert_int_equal(bed_stats(b)->dial_failures, UPSTREAM_SERVERS_MAX);
    for (size_t len = 1; len <= sizeof(text); len++) {
        memset(text, '#', sizeof(text));
        (void)upstream_explain(b->pool, text, len);
        assert_true(strnlen(text, sizeof(text)) < len);
        for (size_t i = len; i < sizeof(text); i++) {
            assert_int_equal(text[i], '#');
        }
    }
    /* No entry is cut in the middle; how many are missing is said. */
    unsigned named = 1;
    for (const char *at = text; (at = strstr(at, "; 1")) != NULL; at++) {
        named++;
    }
    char end[32];
    snprintf(end, sizeof(end), "; and %u more", UPSTREAM_SERVERS_MAX - named);
    assert_string_equal(text + strlen(text) - strlen(end), end);
}

/* What no longer fits is not left out of the verdict. */
static void test_the_cut_does_not_change_the_code(void **state)
{
    struct bed *b = *state;
    char text[EDE_TEXT_LEN];

    b->config.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < 20; i++) {
        bed_add_nobody(b);
        if (i < 19) {
            sim_link_set(b->world, bed_link(b, i), SIM_LINK_UNREACHABLE);
        }
    }
    bed_start_ready(b);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NO_REACHABLE);
}

static void test_readiness_follows_the_connections(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    s->manners.handshake_us = 50000;
    bed_start(b);
    bed_run_ms(b, 40);
    assert_false(upstream_is_ready(b->pool));
    bed_run_ms(b, 20);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
    sim_server_stop(s, SIM_STOP_POLITE);
    bed_run_ms(b, 10);
    assert_false(upstream_is_ready(b->pool));
    assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_each_server_and_its_fault_are_named),
        BED_TEST(test_a_server_without_fault_gave_no_answer),
        BED_TEST(test_the_network_is_blamed_when_it_is_all),
        BED_TEST(test_the_text_is_cut_where_the_buffer_ends),
        BED_TEST(test_the_cut_does_not_change_the_code),
        BED_TEST(test_readiness_follows_the_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
