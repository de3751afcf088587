/*
 * What the pool says of itself.
 */
#include "base/attr.h"
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

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
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

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
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

static void report_up(struct bed *b)
{
    (void)bed_add_server(b);
    bed_start_ready(b);
}

static void report_down(struct bed *b)
{
    bed_add_nobody(b);
    bed_start_ready(b);
}

static void report_connecting(struct bed *b)
{
    (void)bed_add_server(b);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    bed_start_ready(b);
}

static void report_idle(struct bed *b)
{
    (void)bed_add_server(b);
    b->config.warm_for_ms = 0;
    bed_start_ready(b);
}

static void change_network(void *arg)
{
    upstream_pool_network_changed(((struct bed *)arg)->pool, NULL);
}

static void report_suspect(struct bed *b)
{
    (void)bed_add_server(b);
    bed_start_ready(b);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    bed_do(b, change_network, b);
}

static const struct report_case {
    const char *title;
    void (*prepare)(struct bed *b);
    const char *state;
    unsigned ready, failures;
    const char *why; /* is in it */
} report_cases[] = {
    {"up", report_up, "up", 1, 0, ""},
    {"down", report_down, "down", 0, 1, "connection refused"},
    {"connecting", report_connecting, "connecting", 0, 0, ""},
    {"nobody asks", report_idle, "idle", 0, 0, ""},
    {"silent", report_suspect, "suspect", 0, 0, ""},
};

static void test_the_state_of_a_server_is_told(void **state)
{
    for (size_t i = 0; i < COUNT_OF(report_cases); i++) {
        const struct report_case *c = &report_cases[i];
        struct bed *b = bed_renew(state, c->title);
        struct upstream_server_report r[2];
        c->prepare(b);
        size_t count = b->config.pool.server_count;
        assert_int_equal(upstream_pool_report(b->pool, r, 2), count);
        assert_string_equal(r[0].label, b->entries[0].label);
        assert_string_equal(r[0].state, c->state);
        assert_int_equal(r[0].ready, c->ready);
        assert_int_equal(r[0].failures, c->failures);
        assert_non_null(strstr(r[0].why, c->why));
    }
}

static void test_figures_of_a_server_are_told(void **state)
{
    struct bed *b = *state;
    struct upstream_server_report r[3];
    struct ask a;

    struct sim_server *s = bed_add_server(b);
    (void)bed_add_server(b);
    s->manners.idle_close_ms = 5000;
    s->manners.tells_idle = true;
    s->latency_us = 20000;
    bed_start_ready(b);
    memset(r, 0xa5, sizeof(r));
    assert_int_equal(upstream_pool_report(b->pool, r, 1), 2);
    assert_string_equal(r[0].tls_version, "TLSv1.3");
    assert_int_equal(r[0].p95_us, 0);
    assert_int_equal((uint8_t)r[1].label[0], 0xa5); /* no room for it */
    assert_int_equal(bed_ask_in_turn(b, 50, 100), 50);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    assert_int_equal(upstream_pool_report(b->pool, r, 3), 2);
    assert_int_equal(r[0].queries, 51);
    assert_int_equal(r[0].answers, 50);
    assert_int_equal(r[0].in_flight, 1);
    assert_int_equal(r[0].handshakes, 1);
    assert_int_equal(r[0].resumed, 0);
    assert_int_equal(r[0].idle_limit_ms, 5000);
    assert_in_range(r[0].p50_us, 20000, 22000);
    assert_in_range(r[0].p99_us, r[0].p50_us, 25000);
    assert_in_range(r[0].average_us, 18000, 22000);
    assert_int_equal(r[1].queries, 0);
    bed_run_ms(b, 100);
    assert_answered(&a, DNS_RCODE_NOERROR);
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
        BED_TEST(test_the_state_of_a_server_is_told),
        BED_TEST(test_figures_of_a_server_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
