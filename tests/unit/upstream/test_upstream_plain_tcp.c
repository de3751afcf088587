/*
 * Plain queries over TCP: after an answer that was cut, or always.
 */
#include "base/err.h"
#include "plain_peer.h"
#include "tests.h"

enum { IDLE_MS = 10000 };

static void test_a_cut_answer_is_fetched_over_tcp(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(a.answer_count > 1);
    assert_int_equal(p->query_count, 2);
    assert_false(p->queries[0].is_tcp);
    assert_true(p->queries[1].is_tcp);
    assert_int_equal(bed_stats(b)->retried, 1);
}

static void test_spelling_is_the_clients_own_over_tcp(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    b->config.pool.has_random_case = true;
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_HUGE, 1234567890123);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_false(plain_peer_is_spelt_as(p, 0, &a));
    assert_true(plain_peer_is_spelt_as(p, 1, &a));
}

static void test_a_tcp_server_is_asked_over_tcp_alone(void **state)
{
    struct bed *b = *state;
    struct ask asks[50];

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 5);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(p->query_count, COUNT_OF(asks));
    assert_int_equal(p->tcp_count, COUNT_OF(asks));
    assert_int_equal(p->conn_count, 1); /* one for all */
}

static void test_answers_in_any_order(void **state)
{
    struct bed *b = *state;
    struct ask asks[20];

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 2);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        plain_peer_answer(p, COUNT_OF(asks) - 1 - i);
    }
    bed_run_ms(b, 2);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
}

static void test_a_connection_is_kept_for_a_while(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, IDLE_MS - 100);
    bed_ask(b, &a, 2);
    bed_run_ms(b, IDLE_MS - 100);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 1);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
    bed_run_ms(b, 200);
    assert_int_equal(sim_loop_open_count(b->loop), 0);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
    bed_ask(b, &a, 3);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 2);
}

/* A server that closes after some queries is asked anew, and not blamed. */
static void test_a_server_closes_when_it_likes(void **state)
{
    struct bed *b = *state;
    struct ask asks[10];

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    p->tcp_max = 4;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 10);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(p->conn_count, 3);
    assert_true(upstream_is_ready(b->pool));
}

static void test_closed_in_the_middle_of_an_answer(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_TCP)->hangs_up = true;
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(q->query_count, 1);
}

/* Cut over UDP, and over TCP it hangs up: what was cut is all there is. */
static void test_nothing_better_than_a_cut_answer(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->hangs_up = true;
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(a.answer_count, 0);
    assert_int_equal(p->query_count, 2);
}

/* It takes longer than answer_timeout to connect and to ask. */
static void test_a_cut_answer_is_fetched_from_afar(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    sim_link_delay(bed_link(b, 0), 425000, 0);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 8, 1000),
                     8); /* it is known to be far */
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    assert_true(bed_wait(b, &a, 4000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(a.answer_count > 1);
    assert_in_range(ask_took_ms(&a), 6 * 425, 6 * 425 + 5);
    assert_int_equal(p->tcp_count, 1);
}

/* Both copies of a query come back cut; the whole is asked for once. */
static void test_two_cut_answers(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    sim_link_delay(bed_link(b, 0), 300000, 0);
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    assert_true(bed_wait(b, &a, 4000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(a.answer_count > 1);
    assert_int_equal(p->query_count, 3);
    assert_int_equal(p->tcp_count, 1);
}

/* Who has it sooner gives it. */
static void test_a_cut_answer_is_fetched_from_the_next(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_UDP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_UDP);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_NO_NEW);
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    assert_true(bed_wait(b, &a, 4000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(a.answer_count > 1);
    assert_in_range(ask_took_ms(&a), 1490, 1510);
    assert_int_equal(q->tcp_count, 1);
}

/* Over TCP nothing comes: what was cut is all there is, when the connection is
 * given up, or the client's time is over. */
static void test_a_cut_answer_that_cannot_be_fetched(void **state)
{
    struct bed *b = *state;
    struct ask asks[2];

    plain_peer_add(b, CONFIG_UDP);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_NO_NEW);
    bed_start(b);
    bed_ask_kind(b, &asks[0], ZONE_BIG, 1);
    bed_run_ms(b, 1000);
    bed_ask_kind(b, &asks[1], ZONE_BIG, 2);
    bed_run_ms(b, 600);
    assert_int_equal(asks[0].done, 0);
    bed_give_up(b, &asks[1]);
    assert_answered(&asks[1], DNS_RCODE_NOERROR);
    assert_int_equal(asks[1].answer_count, 0);
    assert_true(bed_wait(b, &asks[0], 4000));
    assert_answered(&asks[0], DNS_RCODE_NOERROR);
    assert_int_equal(asks[0].answer_count, 0);
    assert_in_range(ask_took_ms(&asks[0]), 1990, 2010);
}

static void test_tcp_is_refused_and_the_next_server_has_it(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_UDP);
    net_listener_close(p->listener);
    p->listener = NULL;
    bed_start(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(a.answer_count > 1);
    assert_int_equal(q->tcp_count, 1);
    assert_int_equal(q->query_count, 1); /* known to be too long for UDP */
}

/* A connection that others are answered on has no limit for the one that the
 * server leaves out. */
static void test_left_out_over_tcp(void **state)
{
    enum { ASKS = 40, STEP_MS = 100, NONE = 9999 };
    struct bed *b = *state;
    struct ask asks[ASKS];
    unsigned answered = 0;
    unsigned left_out = NONE;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    p->is_silent = true;
    for (unsigned i = 0; i < ASKS; i++) {
        bed_ask_kind(b, &asks[i], ZONE_BIG, i + 1);
        for (unsigned ms = 0; ms < STEP_MS; ms += 10) {
            bed_run_ms(b, 10);
            for (; answered < p->query_count; answered++) {
                if (p->queries[answered].is_tcp && left_out == NONE) {
                    left_out = answered;
                } else {
                    plain_peer_answer(p, answered);
                }
            }
        }
    }
    assert_true(left_out != NONE);
    assert_int_equal(asks[0].done, 1);
    assert_in_range(ask_took_ms(&asks[0]), 1500, 3600);
    for (unsigned i = 1; i < ASKS; i++) {
        if (asks[i].done == 0) {
            bed_cancel(b, &asks[i]);
        }
    }
}

static void test_a_silent_connection_is_closed(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    assert_true(bed_wait(b, &a, 4000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_in_range(ask_took_ms(&a) + 1, 1500, 1520);
    assert_int_equal(q->query_count, 1);
    bed_run_ms(b, 10);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
}

static void test_no_answer_to_the_handshake(void **state)
{
    struct bed *b = *state;
    struct ask a;
    char text[200];

    plain_peer_add(b, CONFIG_TCP);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 3900);
    assert_int_equal(a.done, 0);
    bed_give_up(b, &a);
    assert_failed(&a);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NETWORK);
    assert_string_equal(text, "tcp://192.0.2.1:53 TCP connect: timed out");
}

/* ---- what comes ---- */

static void test_garbage_ends_the_connection(void **state)
{
    struct bed *b = *state;
    struct ask a;
    const uint8_t garbage[] = "HTTP/1.1 400 Bad Request\r\n";

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2);
    plain_peer_send(p, 0, span_of(garbage, 11));
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->protocol_errors, 1);
    assert_int_equal(q->query_count, 1);
}

static void test_another_question_ends_the_connection(void **state)
{
    static uint8_t message[ZONE_MESSAGE_MAX];
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2);
    size_t len = plain_peer_right(p, 0, message);
    message[DNS_HEADER_LEN + 1] ^= 1;
    plain_peer_send(p, 0, span_of(message, len));
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->protocol_errors, 1);
}

static void test_an_answer_to_a_query_taken_back(void **state)
{
    struct bed *b = *state;
    struct ask asks[2];

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, 2);
    bed_run_ms(b, 2);
    bed_cancel(b, &asks[0]); /* goes on as the server's trial */
    bed_cancel(b, &asks[1]);
    plain_peer_answer(p, 0);
    plain_peer_answer(p, 1);
    bed_run_ms(b, 2);
    assert_int_equal(asks[0].done + asks[1].done, 0);
    assert_int_equal(bed_stats(b)->late, 1);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
}

static void test_octets_come_one_by_one(void **state)
{
    struct bed *b = *state;
    struct ask asks[20];

    b->world->is_chunking = true;
    plain_peer_add(b, CONFIG_TCP);
    bed_link(b, 0)->segment_max = 3;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 500);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
}

static void test_without_edns_over_tcp(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    p->has_no_edns = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 2);
    assert_false(p->queries[1].parsed.opt.is_present);
    assert_int_equal(p->conn_count, 1);
}

static void test_cancel_at_every_stage(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->hangs_up = true;
    plain_peer_add(b, CONFIG_TCP)->is_silent = true;
    sim_link_delay(bed_link(b, 0), 5000, 0);
    sim_link_delay(bed_link(b, 1), 5000, 0);
    bed_start(b);
    for (uint64_t ms = 0; ms < 100; ms += 3) {
        bed_ask_kind(b, &a, ZONE_BIG, ms);
        bed_run_ms(b, ms);
        if (a.done == 0) {
            bed_cancel(b, &a);
        }
        assert_int_equal(upstream_pool_pending(b->pool), 0);
    }
    bed_run_ms(b, 20000);
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(test_a_cut_answer_is_fetched_over_tcp),
        PLAIN_TEST(test_spelling_is_the_clients_own_over_tcp),
        PLAIN_TEST(test_a_tcp_server_is_asked_over_tcp_alone),
        PLAIN_TEST(test_answers_in_any_order),
        PLAIN_TEST(test_a_connection_is_kept_for_a_while),
        PLAIN_TEST(test_a_server_closes_when_it_likes),
        PLAIN_TEST(test_closed_in_the_middle_of_an_answer),
        PLAIN_TEST(test_nothing_better_than_a_cut_answer),
        PLAIN_TEST(test_a_cut_answer_is_fetched_from_afar),
        PLAIN_TEST(test_two_cut_answers),
        PLAIN_TEST(test_a_cut_answer_is_fetched_from_the_next),
        PLAIN_TEST(test_a_cut_answer_that_cannot_be_fetched),
        PLAIN_TEST(test_tcp_is_refused_and_the_next_server_has_it),
        PLAIN_TEST(test_left_out_over_tcp),
        PLAIN_TEST(test_a_silent_connection_is_closed),
        PLAIN_TEST(test_no_answer_to_the_handshake),
        PLAIN_TEST(test_garbage_ends_the_connection),
        PLAIN_TEST(test_another_question_ends_the_connection),
        PLAIN_TEST(test_an_answer_to_a_query_taken_back),
        PLAIN_TEST(test_octets_come_one_by_one),
        PLAIN_TEST(test_without_edns_over_tcp),
        PLAIN_TEST(test_cancel_at_every_stage),
    };
    return cmocka_run_group_tests_name("upstream_plain_tcp", tests, NULL, NULL);
}
