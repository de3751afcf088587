/*
 * Requests, from upstream_ask() to their one end: over healthy servers, over
 * servers that answer with errors, that are slow, over connections that die.
 * Requests that no server answers are in test_upstream_pool_end.c.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- the plain way ---- */

static void test_a_ready_connection_takes_a_query_at_once(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_us(b, BED_TURN_US);
    assert_int_equal(p->query_count, 1);
    peer_answer(p, 0);
    bed_run_us(b, BED_TURN_US);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(a.answer_count, 1);
    assert_int_equal(bed_stats(b)->waited, 0);
    assert_int_equal(bed_stats(b)->sent, 1);
    assert_int_equal(bed_stats(b)->answers, 1);
    assert_int_equal(upstream_pool_pending(b->pool), 0);
}

static void test_a_query_waits_for_the_handshake(void **state)
{
    struct bed *b = *state;
    struct ask asks[3];

    struct sim_server *s = bed_add_server(b);
    s->manners.handshake_us = 100000;
    bed_start(b);
    bed_ask_many(b, asks, 3);
    assert_int_equal(upstream_pool_pending(b->pool), 3);
    bed_run_ms(b, 98);
    assert_int_equal(asks[0].done, 0);
    bed_run_ms(b, 6);
    for (unsigned i = 0; i < 3; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(bed_stats(b)->waited, 3);
    assert_int_equal(bed_stats(b)->dials, 1);
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
    {"NOTIMP, then fine", 2, {4, FINE}, FINE, {1, 1}},
    {"FORMERR, then fine", 2, {1, FINE}, FINE, {1, 1}},
    {"two say no, the third is fine", 3, {2, 5, FINE}, FINE, {1, 1, 1}},
    {"both agree", 2, {2, 2}, 2, {1, 1}},
    {"alone", 1, {2}, 2, {1}},
    {"three agree: the fourth is not asked",
     4,
     {2, 2, 2, FINE},
     2,
     {1, 1, 1, 0}},
    {"the last of several errors is relayed", 3, {2, 4, 5}, 5, {1, 1, 1}},
    {"YXDOMAIN is an answer", 2, {6, FINE}, 6, {1, 0}},
    {"NXDOMAIN is an answer", 2, {3, FINE}, 3, {1, 0}},
};

static void run_error_case(struct bed *b, const struct error_case *c)
{
    struct ask a;

    b->config.pool.strategy =
        CONFIG_ROUND_ROBIN; /* in order, when all are new */
    for (unsigned i = 0; i < c->servers; i++) {
        struct sim_server *s = bed_add_server(b);
        s->manners.refused = c->says[i] == FINE ? 0 : 100;
        s->manners.rcode = c->says[i];
    }
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_answered(&a, c->want);
    for (unsigned i = 0; i < c->servers; i++) {
        assert_int_equal(b->servers[i]->stats.queries, c->asked[i]);
    }
}

static void test_errors_are_doubted(void **state)
{
    for (size_t i = 0; i < sizeof(error_cases) / sizeof(*error_cases); i++) {
        run_error_case(bed_renew(state, error_cases[i].title), &error_cases[i]);
    }
}

/* The second server loses the connection instead of confirming the error. */
static void test_an_error_stands_when_the_others_fail(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_server(b);
    bed_refuse(b, 0, DNS_RCODE_REFUSED);
    bed_add_peer(b)->manner = PEER_HANG_UP;
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_REFUSED);
    assert_int_equal(b->peers[1]->query_count, 1);
    assert_int_equal(bed_stats(b)->retried, 1);
}

static void test_giving_up_relays_the_error_that_came(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_server(b);
    bed_refuse(b, 0, DNS_RCODE_SERVFAIL);
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_int_equal(a.done, 0);
    bed_give_up(b, &a);
    assert_answered(&a, DNS_RCODE_SERVFAIL);
    assert_int_equal(upstream_pool_pending(b->pool), 0);
    peer_answer(p, 0);
    bed_run_ms(b, 10);
    assert_int_equal(a.done, 1);
    assert_int_equal(bed_stats(b)->late, 1);
}

static void test_giving_up_without_any_answer(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    bed_give_up(b, &a);
    assert_failed(&a);
    assert_int_equal(upstream_pool_pending(b->pool), 0);
}

/* The right answer but for its RCODE, and without records. */
static void answer_servfail(struct peer *p, unsigned n)
{
    static uint8_t message[ZONE_MESSAGE_MAX];

    size_t len = peer_right_answer(p, n, message);
    message[3] |= DNS_RCODE_SERVFAIL;
    peer_send(p, p->queries[n].conn, span_of(message, len));
}

/* The second server works and is just being connected to again. Answers to
 * others meanwhile do not make the pool believe the first one. */
static void test_an_error_waits_for_a_server_that_comes_back(void **state)
{
    struct bed *b = *state;
    struct ask a;
    struct ask other;

    struct peer *p = bed_add_peer(b);
    struct sim_server *good = bed_add_server(b);
    sim_link_delay(bed_link(b, 1), 50000, 0);
    bed_start_ready(b);
    bed_run_ms(b, 3000);
    sim_server_close_all(good, false);
    bed_run_ms(b, 60);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    answer_servfail(p, 0);
    for (unsigned i = 1, n = 1; i <= 5; i++) {
        bed_ask(b, &other, 100 + i);
        bed_run_ms(b, 2);
        for (; n < p->query_count; n++) {
            /* "a1" again, or "a10x" */
            if (p->queries[n].message[DNS_HEADER_LEN] == 2) {
                answer_servfail(p, n);
            } else {
                peer_answer(p, n);
            }
        }
        bed_run_ms(b, 2);
        assert_answered(&other, DNS_RCODE_NOERROR);
    }
    assert_true(bed_wait(b, &a, 300));
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* ---- slow servers ---- */

/* The connection is alive, and one answer does not come. */
static void test_a_slow_answer_is_asked_elsewhere(void **state)
{
    struct bed *b = *state;
    struct ask slow;
    struct ask other;

    struct peer *p = bed_add_peer(b);
    struct peer *second = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &slow, 1);
    for (unsigned i = 1; i <= 14; i++) {
        bed_run_ms(b, 99);
        bed_ask(b, &other, 100 + i);
        bed_run_ms(b, 1);
        peer_answer(p, i);
        assert_int_equal(second->query_count, 0);
    }
    bed_run_ms(b, 101);
    assert_int_equal(second->query_count, 1);
    assert_int_equal(bed_stats(b)->hedged, 1);
    assert_int_equal(slow.done, 0);
    peer_answer(second, 0);
    bed_run_ms(b, 1);
    assert_answered(&slow, DNS_RCODE_NOERROR);
    peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->late, 1);
    assert_int_equal(slow.done, 1);
}

/* ---- connections that die ---- */

static void test_queries_of_a_lost_connection_move_at_once(void **state)
{
    struct bed *b = *state;
    struct ask asks[5];

    struct peer *p = bed_add_peer(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 5);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 5);
    peer_reset(p, 0);
    bed_run_ms(b, 1); /* the other server's latency is half of that */
    for (unsigned i = 0; i < 5; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(bed_stats(b)->moved, 5);
    assert_int_equal(bed_stats(b)->losses, 1);
    assert_int_equal(bed_stats(b)->sent, 10);
    assert_int_equal(bed_stats(b)->waited, 0);
}

/* One of two copies is lost: the other one is still on its way. */
static void test_a_copy_lost_is_not_a_query_lost(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.pool.strategy = CONFIG_RACE;
    for (unsigned i = 0; i < 3; i++) {
        (void)bed_add_peer(b);
    }
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    peer_reset(b->peers[0], 0);
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->moved, 0);
    assert_int_equal(b->peers[2]->query_count, 0);
    peer_answer(b->peers[1], 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* Until one more copy is sent; returns the milliseconds that it took. */
static uint64_t run_to_copy(struct bed *b)
{
    uint64_t sent = bed_stats(b)->sent;
    uint64_t from_us = b->world->now_us;

    while (bed_stats(b)->sent == sent) {
        assert_true(sim_world_step(b->world));
    }
    return (b->world->now_us - from_us) / 1000;
}

/* A query that kills fresh connections is held back for longer each time. */
static void test_a_query_that_lost_many_connections_waits(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_ask_killers(b, &a, 8);
    for (unsigned i = 0; i < LOSSES_BEFORE_WAIT; i++) {
        assert_in_range(run_to_copy(b), 0, 8);
    }
    assert_in_range(run_to_copy(b), 50, 58);
    assert_in_range(run_to_copy(b), 100, 108);
    assert_in_range(run_to_copy(b), 200, 208);
    bed_cancel(b, &a);
}

/* Any number of stale connections is survived, at once. */
static void test_stale_connections_are_not_counted(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < 8; i++) {
        bed_add_peer(b)->manner = PEER_HANG_UP;
    }
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->sent, 9);
}

/* ---- bounds ---- */

static void assert_asks_for(const struct peer *p, unsigned n,
                            const struct ask *a)
{
    const size_t skip = DNS_HEADER_LEN;
    assert_int_equal(p->queries[n].len + 2, a->req.frame_len);
    assert_memory_equal(p->queries[n].message + skip, a->frame + 2 + skip,
                        p->queries[n].len - skip);
}

static void test_what_exceeds_all_connections_waits_its_turn(void **state)
{
    struct bed *b = *state;
    struct ask asks[7];

    b->config.queries_per_connection = 2;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 7);
    bed_run_ms(b, 1);
    assert_int_equal(p->conn_count, 2);
    assert_int_equal(p->conns[0].queries, 2);
    assert_int_equal(p->conns[1].queries, 2);
    assert_int_equal(bed_stats(b)->waited, 5);
    peer_answer(p, 1);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 5);
    assert_asks_for(p, 4, &asks[4]);
    peer_answer(p, 0);
    peer_answer(p, 2);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 7);
    for (unsigned i = 3; i < 7; i++) {
        peer_answer(p, i);
    }
    bed_run_ms(b, 1);
    for (unsigned i = 0; i < 7; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(p->conn_count, 2);
    assert_int_equal(bed_stats(b)->waited, 5);
}

/* Of two connections with room, the one with fewer queries takes the next. */
static void test_connections_share_the_load(void **state)
{
    struct bed *b = *state;
    struct ask asks[8];
    struct ask more[2];

    b->config.queries_per_connection = 4;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 8);
    bed_run_ms(b, 5);
    assert_int_equal(p->conns[0].queries, 4);
    assert_int_equal(p->conns[1].queries, 4);
    peer_answer(p, 0);
    for (unsigned i = 4; i < 8; i++) {
        peer_answer(p, i);
    }
    bed_run_ms(b, 1);
    bed_ask_many(b, more, 2);
    bed_run_ms(b, 1);
    assert_int_equal(p->conns[0].queries, 4);
    assert_int_equal(p->conns[1].queries, 6);
    for (unsigned i = 0; i < p->query_count; i++) {
        if (i == 0 || (i >= 4 && i < 8)) {
            continue;
        }
        peer_answer(p, i);
    }
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->answers, 10);
}

/* The slot of a cancelled query is free when its answer comes late: whoever
 * waits for a slot gets it then. */
static void test_a_late_answer_makes_room(void **state)
{
    struct bed *b = *state;
    struct ask first;
    struct ask second;

    b->config.queries_per_connection = 1;
    b->config.connections_per_server = 1;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &first, 1);
    bed_ask(b, &second, 2);
    bed_run_ms(b, 1);
    bed_cancel(b, &first);
    peer_answer(p, 0);
    bed_run_ms(b, 10);
    assert_int_equal(bed_stats(b)->late, 1);
    unsigned query_count = p->query_count;
    bed_cancel(b, &second); /* else it is left over when this fails */
    assert_int_equal(query_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_a_ready_connection_takes_a_query_at_once),
        BED_TEST(test_a_query_waits_for_the_handshake),
        BED_TEST(test_errors_are_doubted),
        BED_TEST(test_an_error_stands_when_the_others_fail),
        BED_TEST(test_giving_up_relays_the_error_that_came),
        BED_TEST(test_giving_up_without_any_answer),
        BED_TEST(test_an_error_waits_for_a_server_that_comes_back),
        BED_TEST(test_a_slow_answer_is_asked_elsewhere),
        BED_TEST(test_queries_of_a_lost_connection_move_at_once),
        BED_TEST(test_a_copy_lost_is_not_a_query_lost),
        BED_TEST(test_a_query_that_lost_many_connections_waits),
        BED_TEST(test_stale_connections_are_not_counted),
        BED_TEST(test_what_exceeds_all_connections_waits_its_turn),
        BED_TEST(test_connections_share_the_load),
        BED_TEST(test_a_late_answer_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
