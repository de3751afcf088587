/*
 * Requests to plain servers, from upstream_ask() to their one end.
 */
#include "base/err.h"
#include "plain_peer.h"
#include "tests.h"

#include <string.h>

enum { FIRST_WAIT_MS = 400 };

/* ---- the plain way ---- */

static void test_a_query_leaves_at_once_over_udp(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_us(b, BED_TURN_US);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(a.answer_count, 1);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(p->tcp_count, 0);
    assert_true(plain_peer_is_spelt_as(p, 0, &a));
    assert_int_equal(bed_stats(b)->sent, 1);
    assert_int_equal(bed_stats(b)->answers, 1);
    assert_int_equal(bed_stats(b)->dials, 0);
    assert_int_equal(upstream_pool_pending(b->pool), 0);
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

static void test_nothing_leaves_that_nobody_asked(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_run_ms(b, 60000);
    assert_int_equal(p->query_count + q->conn_count, 0);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 60000);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 1); /* failed, and is left alone */
    assert_int_equal(q->query_count, 1);
}

/* ---- errors that servers answer ---- */

enum { FINE = DNS_RCODE_NOERROR, TABLE_SERVERS = 4 };

static const struct error_case {
    const char *title;
    unsigned servers;
    unsigned says[TABLE_SERVERS];  /* RCODE */
    unsigned want;                 /* RCODE that is relayed */
    unsigned asked[TABLE_SERVERS]; /* queries that each server got */
} error_cases[] = {
    {"SERVFAIL, then fine", 2, {2, FINE}, FINE, {1, 1}},
    {"REFUSED, then fine", 2, {5, FINE}, FINE, {1, 1}},
    {"two say no, the third is fine", 3, {2, 5, FINE}, FINE, {1, 1, 1}},
    {"both agree", 2, {2, 2}, 2, {1, 1}},
    {"alone", 1, {2}, 2, {1}},
    {"three agree: the fourth is not asked",
     4,
     {2, 2, 2, FINE},
     2,
     {1, 1, 1, 0}},
    {"YXDOMAIN is an answer", 2, {6, FINE}, 6, {1, 0}},
    {"NXDOMAIN is an answer", 2, {3, FINE}, 3, {1, 0}},
    {"FORMERR with an OPT is not about it", 2, {1, FINE}, FINE, {1, 1}},
};

static void test_errors_are_doubted(void **state)
{
    for (size_t i = 0; i < COUNT_OF(error_cases); i++) {
        const struct error_case *c = &error_cases[i];
        struct bed *b = plain_renew(state, c->title);
        struct plain_peer *peers[TABLE_SERVERS];
        struct ask a;

        for (unsigned n = 0; n < c->servers; n++) {
            peers[n] = plain_peer_add(b, CONFIG_UDP);
            peers[n]->rcode = c->says[n];
        }
        bed_start(b);
        bed_ask(b, &a, 1);
        bed_run_ms(b, 10);
        assert_answered(&a, c->want);
        for (unsigned n = 0; n < c->servers; n++) {
            assert_int_equal(peers[n]->query_count, c->asked[n]);
        }
    }
}

static void test_an_error_stands_when_the_others_are_silent(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_UDP)->rcode = DNS_RCODE_SERVFAIL;
    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, FIRST_WAIT_MS - 20);
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 40);
    assert_answered(&a, DNS_RCODE_SERVFAIL);
}

static void test_giving_up_relays_the_error_that_came(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_UDP)->rcode = DNS_RCODE_REFUSED;
    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    bed_give_up(b, &a);
    assert_answered(&a, DNS_RCODE_REFUSED);
}

/* ---- servers without EDNS ---- */

static void test_a_server_without_edns_is_asked_without(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->has_no_edns = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 2);
    assert_true(p->queries[0].parsed.opt.is_present);
    assert_false(p->queries[1].parsed.opt.is_present);
    assert_int_equal(p->queries[1].parsed.extra_count, 0);

    bed_ask(b, &a, 2); /* it is remembered */
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 3);
    assert_false(p->queries[2].parsed.opt.is_present);

    p->has_no_edns = false;
    bed_run_ms(b, 11 * 60 * 1000); /* but not for ever */
    bed_ask(b, &a, 3);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(p->queries[3].parsed.opt.is_present);
}

/* ---- silence ---- */

static void test_the_next_server_is_asked_when_one_is_silent(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    assert_true(bed_wait(b, &a, 4000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_in_range(ask_took_ms(&a) + 1, FIRST_WAIT_MS, FIRST_WAIT_MS + 20);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(q->query_count, 1);
    assert_int_equal(bed_stats(b)->hedged, 1);
}

static void test_a_late_answer_is_welcome(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, FIRST_WAIT_MS + 100);
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* Alone and silent: asked again, from another port and with another ID, after
 * waits that double. */
static void test_retransmissions_double(void **state)
{
    static const unsigned at_ms[] = {0, 400, 1200, 2800, 6000};
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 7000);
    assert_int_equal(p->query_count, COUNT_OF(at_ms));
    for (unsigned i = 0; i < COUNT_OF(at_ms); i++) {
        uint64_t ms = (p->queries[i].came_us - a.asked_us) / 1000;
        assert_in_range(ms + 1, at_ms[i], at_ms[i] + 20);
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(p->queries[i].from.port,
                                 p->queries[j].from.port);
        }
    }
    plain_peer_answer(p, 1); /* any will do */
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

static void test_the_wait_follows_what_was_measured(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 20, 1000), 20);
    p->is_silent = true;
    bed_ask(b, &a, 1);
    bed_run_ms(b, 150);
    assert_int_equal(p->query_count, 22); /* 100 ms, the least */
    bed_cancel(b, &a);

    p->is_silent = false;
    sim_link_delay(bed_link(b, 0), 150000, 0); /* 300 ms and back */
    bed_ask_in_turn(b, 20, 4000);
    unsigned before = p->query_count;
    bed_ask(b, &a, 2);
    assert_true(bed_wait(b, &a, 4000));
    assert_int_equal(p->query_count, before + 1); /* it is waited for */
}

static void test_half_of_the_datagrams_lost(void **state)
{
    struct bed *b = *state;
    struct ask asks[100];
    unsigned good = 0;

    plain_peer_add(b, CONFIG_UDP);
    plain_peer_add(b, CONFIG_UDP);
    bed_link(b, 0)->loss_percent = 50;
    bed_link(b, 1)->loss_percent = 50;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 4000);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        if (asks[i].done == 0) {
            bed_cancel(b, &asks[i]);
        } else {
            assert_answered(&asks[i], DNS_RCODE_NOERROR);
            good++;
        }
    }
    assert_in_range(good, 80, 100); /* each of five to six tries: one in four */
}

static void test_all_are_dead_until_the_deadline(void **state)
{
    struct bed *b = *state;
    struct ask a;
    char text[256];

    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    bed_start(b);
    assert_true(upstream_is_ready(b->pool));
    bed_ask(b, &a, 1);
    bed_run_ms(b, 4000);
    assert_int_equal(a.done, 0);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NETWORK);
    assert_string_equal(text, "udp://192.0.2.1:53 timed out; "
                              "udp://192.0.2.2:53 timed out");
    bed_give_up(b, &a);
    assert_failed(&a);
}

/* ---- ports where nobody listens ---- */

static void test_a_closed_port_is_passed_over_at_once(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add_nobody(b);
    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 1);
}

static void test_all_ports_are_closed(void **state)
{
    struct bed *b = *state;
    struct ask a;
    char text[256];

    plain_peer_add_nobody(b);
    plain_peer_add_nobody(b);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 150);
    assert_int_equal(a.done, 0); /* servers may be restarting */
    bed_run_ms(b, 200);
    assert_failed(&a);
    assert_false(upstream_is_ready(b->pool));
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NO_REACHABLE);
    assert_string_equal(text, "udp://192.0.2.1:53 connection refused; "
                              "udp://192.0.2.2:53 connection refused");
}

static void test_no_way_to_any_server(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UNREACHABLE);
    bed_ask(b, &a, 1); /* nothing is told from inside */
    bed_run_ms(b, 350);
    assert_failed(&a);

    bed_ask(b, &a, 2);
    bed_run_ms(b, 50);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
    bed_run_ms(b, 100);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(upstream_is_ready(b->pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(test_a_query_leaves_at_once_over_udp),
        PLAIN_TEST(test_nothing_leaves_that_nobody_asked),
        PLAIN_TEST(test_errors_are_doubted),
        PLAIN_TEST(test_an_error_stands_when_the_others_are_silent),
        PLAIN_TEST(test_giving_up_relays_the_error_that_came),
        PLAIN_TEST(test_a_server_without_edns_is_asked_without),
        PLAIN_TEST(test_the_next_server_is_asked_when_one_is_silent),
        PLAIN_TEST(test_a_late_answer_is_welcome),
        PLAIN_TEST(test_retransmissions_double),
        PLAIN_TEST(test_the_wait_follows_what_was_measured),
        PLAIN_TEST(test_half_of_the_datagrams_lost),
        PLAIN_TEST(test_all_are_dead_until_the_deadline),
        PLAIN_TEST(test_a_closed_port_is_passed_over_at_once),
        PLAIN_TEST(test_all_ports_are_closed),
        PLAIN_TEST(test_no_way_to_any_server),
    };
    return cmocka_run_group_tests_name("upstream_plain", tests, NULL, NULL);
}
