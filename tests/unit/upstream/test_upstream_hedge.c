/*
 * Second copies of late queries, and what silence does.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <string.h>

enum {
    PATH_US = 10000,  /* one way */
    USUAL_MS = 20,    /* both, and nearly all answers come in that */
    LATE_MS = 25,     /* by then a query is late */
    LEARN_COUNT = 40, /* answers that teach what is usual */
    MANY = 60
};

static void allow_hedges(struct bed *b, unsigned percent)
{
    b->config.hedge_budget_percent = percent;
    b->config.hedge_min_ms = 1;
    b->config.hedge_max_ms = 1000;
}

static struct peer *add_far_peer(struct bed *b)
{
    struct peer *p = bed_add_peer(b);

    sim_link_delay(bed_link(b, (unsigned)b->config.pool.server_count - 1),
                   PATH_US, 0);
    p->manner = PEER_ANSWER;
    return p;
}

/* The pool knows how fast server 0 is, and has a full budget. */
static void learn(struct bed *b)
{
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_in_turn(b, LEARN_COUNT, 100), LEARN_COUNT);
    bed_run_ms(b, 100);
    b->pool->tokens = HEDGE_BURST * HEDGE_COST;
}

static struct upstream_conn *first_conn(const struct bed *b)
{
    return LIST_FIRST(&b->pool->servers[0]->conns, struct upstream_conn, node);
}

/* ---- the late query ---- */

static void test_the_next_server_is_asked_when_one_is_late(void **state)
{
    struct bed *b = *state;
    struct ask a;

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    struct peer *second = add_far_peer(b);
    learn(b);
    p->manner = PEER_HOLD;
    bed_ask(b, &a, 1);
    bed_run_ms(b, USUAL_MS);
    assert_int_equal(bed_stats(b)->hedged, 0);
    bed_run_ms(b, LATE_MS - USUAL_MS);
    assert_int_equal(bed_stats(b)->hedged, 1);
    bed_run_ms(b, USUAL_MS + 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(second->query_count, 1);
    assert_int_equal(bed_stats(b)->hedge_won, 1);
    assert_int_equal(bed_stats(b)->extra, 1);
    peer_answer(p, LEARN_COUNT);
    bed_run_ms(b, USUAL_MS);
    assert_int_equal(a.done, 1);
    assert_int_equal(bed_stats(b)->late, 1);
}

/* Over the connection that is kept for this. */
static void test_an_only_server_is_asked_over_its_spare(void **state)
{
    struct bed *b = *state;
    struct ask a;

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    learn(b);
    assert_int_equal(p->conn_count, 2);
    assert_int_equal(p->conns[1].queries, 0);
    p->manner = PEER_HOLD;
    bed_ask(b, &a, 1);
    bed_run_ms(b, LATE_MS + PATH_US / 1000 + 1);
    assert_int_equal(p->conns[1].queries, 1);
    peer_answer(p, p->query_count - 1);
    bed_run_ms(b, PATH_US / 1000 + 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->hedge_won, 1);
    assert_int_equal(p->conn_count, 2);
}

/* The spare is for clients that ask: not before the first, and not for long
 * after the last. */
static void test_the_spare_is_not_kept_for_nobody(void **state)
{
    struct bed *b = *state;

    allow_hedges(b, 3);
    struct sim_server *s = bed_add_server(b);
    bed_start(b);
    bed_run_ms(b, 1000);
    assert_int_equal(bed_conn_count(b, 0), 1);
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    bed_run_ms(b, 10);
    assert_int_equal(bed_conn_count(b, 0), 2);
    sim_server_close_all(s, false);
    bed_run_ms(b, 1100);
    assert_int_equal(bed_conn_count(b, 0), 1); /* not both at once */
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    bed_run_ms(b, 10);
    assert_int_equal(bed_conn_count(b, 0), 2);
    bed_run_ms(b, SPARE_FOR_MS);
    sim_server_close_all(s, false);
    bed_run_ms(b, 1100);
    assert_int_equal(bed_conn_count(b, 0), 1);
}

static const struct delay_case {
    const char *title;
    uint32_t min_ms, max_ms;
    bool is_known;
    unsigned at_ms;
} delay_cases[] = {
    {"as late as usual", 1, 1000, true, 23},
    {"not before the floor", 60, 1000, true, 60},
    {"not after the ceiling", 1, 5, true, 5},
    {"nothing known: the ceiling", 1, 400, false, 400},
};

static void test_floor_and_ceiling(void **state)
{
    for (size_t i = 0; i < COUNT_OF(delay_cases); i++) {
        const struct delay_case *c = &delay_cases[i];
        struct bed *b = bed_renew(state, c->title);
        struct ask a;
        struct peer *p = add_far_peer(b);
        (void)add_far_peer(b);
        allow_hedges(b, 3);
        b->config.hedge_min_ms = c->min_ms;
        b->config.hedge_max_ms = c->max_ms;
        if (c->is_known) {
            learn(b);
        } else {
            bed_start(b);
            bed_run_ms(b, 200);
        }
        p->manner = PEER_HOLD;
        uint64_t before = bed_stats(b)->hedged;
        bed_ask(b, &a, 1);
        bed_run_ms(b, c->at_ms - 2);
        assert_int_equal(bed_stats(b)->hedged, before);
        bed_run_ms(b, 4);
        assert_int_equal(bed_stats(b)->hedged, before + 1);
        bed_run_ms(b, 2 * USUAL_MS);
        assert_answered(&a, DNS_RCODE_NOERROR);
    }
}

static const struct off_case {
    const char *title;
    unsigned percent;
    enum config_strategy strategy;
} off_cases[] = {
    {"no budget", 0, CONFIG_FAILOVER},
    {"a race needs none", 3, CONFIG_RACE},
};

static void test_no_hedges(void **state)
{
    for (size_t i = 0; i < COUNT_OF(off_cases); i++) {
        struct bed *b = bed_renew(state, off_cases[i].title);
        struct ask a;
        b->config.pool.strategy = off_cases[i].strategy;
        allow_hedges(b, off_cases[i].percent);
        for (unsigned j = 0; j < 3; j++) {
            (void)add_far_peer(b);
        }
        learn(b);
        for (unsigned j = 0; j < 3; j++) {
            b->peers[j]->manner = PEER_HOLD;
        }
        bed_ask(b, &a, 1);
        bed_run_ms(b, SUSPECT_MIN_MS - 5);
        assert_int_equal(bed_stats(b)->hedged, 0);
        bed_cancel(b, &a);
    }
}

/* ---- the budget ---- */

/* Every query is late, and answered at last: the copies are a few that were
 * saved up, and a share of the rest. */
static void test_copies_are_bounded_by_the_budget(void **state)
{
    static const unsigned percents[] = {1, 3, 10};

    for (size_t i = 0; i < COUNT_OF(percents); i++) {
        struct bed *b = bed_renew(state, "every query is late");
        allow_hedges(b, percents[i]);
        struct sim_server *s = bed_add_server(b);
        (void)bed_add_server(b);
        bed_start_ready(b);
        assert_int_equal(bed_ask_in_turn(b, LEARN_COUNT, 10), LEARN_COUNT);
        b->config.hedge_max_ms = 5; /* whatever it learns from now on */
        uint64_t before = bed_stats(b)->hedged;
        s->latency_us = 40000;
        assert_int_equal(bed_ask_in_turn(b, 1000, 100), 1000);
        uint64_t hedged = bed_stats(b)->hedged - before;
        assert_in_range(hedged, 10 * percents[i],
                        HEDGE_BURST + 10 * percents[i]);
        assert_true(bed_stats(b)->hedge_denied >= 1000 - hedged - 1);
        assert_int_equal(bed_stats(b)->extra, bed_stats(b)->hedged);
    }
}

/* ---- stuck behind a late one ---- */

static void ask_apart(struct bed *b, struct ask *asks, unsigned count,
                      uint64_t ms)
{
    for (unsigned i = 0; i < count; i++) {
        bed_ask(b, &asks[i], 500 + i);
        bed_run_ms(b, ms);
    }
}

static void test_those_behind_a_late_one_are_asked_elsewhere(void **state)
{
    struct bed *b = *state;
    struct ask asks[4];

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    struct peer *second = add_far_peer(b);
    learn(b);
    p->manner = PEER_HOLD;
    ask_apart(b, asks, 4, 2);
    assert_int_equal(bed_stats(b)->hedged, 0);
    bed_run_ms(b, LATE_MS - 8);
    assert_int_equal(bed_stats(b)->hedged, 4);
    bed_run_ms(b, USUAL_MS + 1);
    assert_int_equal(second->query_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
}

/* Answers come, so nothing is stuck: one name takes long. */
static void test_one_late_name_does_not_speak_for_others(void **state)
{
    struct bed *b = *state;
    struct ask asks[4];

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    struct peer *second = add_far_peer(b);
    learn(b);
    b->config.hedge_min_ms = 40;
    p->manner = PEER_HOLD;
    ask_apart(b, asks, 4, 3);
    bed_run_ms(b, 4);
    peer_answer(p, LEARN_COUNT + 1); /* the second of them */
    bed_run_ms(b, 25);
    assert_answered(&asks[1], DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->hedged, 1);
    bed_run_ms(b, USUAL_MS + 10);
    assert_answered(&asks[0], DNS_RCODE_NOERROR);
    assert_answered(&asks[2], DNS_RCODE_NOERROR);
    assert_answered(&asks[3], DNS_RCODE_NOERROR);
    assert_int_equal(second->query_count, 3);
}

/* What is saved is kept for the late ones themselves. */
static void test_the_stuck_leave_a_reserve(void **state)
{
    struct bed *b = *state;
    struct ask asks[MANY];

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    (void)add_far_peer(b);
    learn(b);
    b->pool->tokens = HEDGE_BURST * HEDGE_COST;
    p->manner = PEER_HOLD;
    bed_ask(b, &asks[0], 1);
    bed_run_ms(b, 15);
    bed_ask_many(b, asks + 1, 20);
    bed_run_ms(b, LATE_MS - 15);
    assert_int_equal(bed_stats(b)->hedged, HEDGE_BURST - HEDGE_RESERVE);
    bed_run_ms(b, 300);
}

/* New queries keep off a connection on which one is late. */
static void test_a_stuck_connection_is_avoided(void **state)
{
    struct bed *b = *state;
    struct ask late;
    struct ask next;

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    learn(b);
    p->manner = PEER_HOLD;
    bed_ask(b, &late, 1);
    bed_run_ms(b, LATE_MS + 12);
    p->manner = PEER_ANSWER;
    unsigned before = first_conn(b)->sent;
    bed_ask(b, &next, 2);
    assert_int_equal(first_conn(b)->sent, before);
    bed_run_ms(b, USUAL_MS + 1);
    assert_answered(&next, DNS_RCODE_NOERROR);
    peer_answer(p, LEARN_COUNT);
    bed_run_ms(b, PATH_US / 1000 + 1);
    assert_answered(&late, DNS_RCODE_NOERROR);
}

/* … until it flows again. */
static void test_a_connection_that_flows_again_is_used(void **state)
{
    struct bed *b = *state;
    struct ask late;
    struct ask next;

    allow_hedges(b, 3);
    struct peer *p = add_far_peer(b);
    learn(b);
    p->manner = PEER_HOLD;
    bed_ask(b, &late, 1);
    bed_run_ms(b, LATE_MS);
    p->manner = PEER_ANSWER; /* the copy, when it comes */
    bed_run_ms(b, USUAL_MS);
    assert_answered(&late, DNS_RCODE_NOERROR);
    assert_true(first_conn(b)->is_late);
    peer_answer(p, LEARN_COUNT);
    bed_run_ms(b, PATH_US / 1000 + 1);
    unsigned before = first_conn(b)->sent;
    bed_ask(b, &next, 3);
    assert_int_equal(first_conn(b)->sent, before + 1);
    bed_run_ms(b, 2 * USUAL_MS);
}

/* ---- what is measured ---- */

/* Answers that were held up together are one event. */
static void test_answers_that_come_together_are_measured_once(void **state)
{
    struct bed *b = *state;
    struct ask asks[8];

    struct peer *p = add_far_peer(b);
    learn(b);
    uint32_t before = b->pool->servers[0]->latency.total;
    p->manner = PEER_HOLD;
    ask_apart(b, asks, 8, 1);
    bed_run_ms(b, 30);
    for (unsigned i = 0; i < 8; i++) {
        peer_answer(p, LEARN_COUNT + i);
    }
    bed_run_ms(b, 12);
    for (unsigned i = 0; i < 8; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(b->pool->servers[0]->latency.total, before + 1);
}

/* … but those that come one by one, each. */
static void test_answers_that_come_apart_are_measured_each(void **state)
{
    struct bed *b = *state;

    (void)add_far_peer(b);
    learn(b);
    assert_int_equal(b->pool->servers[0]->latency.total, LEARN_COUNT);
    assert_in_range(b->pool->servers[0]->latency.p50_us, 20000, 22000);
}

/* ---- silence ---- */

/* Found in a few round trips, and nobody waits for longer. */
static void test_a_dead_connection_is_found_soon(void **state)
{
    struct bed *b = *state;
    struct ask asks[MANY];

    b->config.answer_timeout_ms = 1500;
    (void)add_far_peer(b);
    (void)add_far_peer(b);
    learn(b);
    sim_link_vanish(b->world, bed_link(b, 0));
    bed_ask_many(b, asks, MANY);
    bed_run_ms(b, SUSPECT_MIN_MS - 5);
    assert_int_equal(asks[0].done, 0);
    assert_int_equal(b->pool->servers[0]->suspects, 0);
    bed_run_ms(b, 10);
    assert_int_equal(b->pool->servers[0]->suspects, 1);
    assert_int_equal(bed_stats(b)->suspects, 1);
    bed_run_ms(b, USUAL_MS + 1);
    for (unsigned i = 0; i < MANY; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(bed_stats(b)->extra, MANY);
    bed_run_ms(b, 1600);
    assert_int_equal(b->pool->servers[0]->suspects, 0);
}

/* The same with no other connection at all: one is dialled, and what is on the
 * dead one goes there as soon as it is ready. */
static void test_a_dead_only_connection_is_replaced(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.connections_per_server = 1;
    (void)add_far_peer(b);
    learn(b);
    sim_link_vanish(b->world, bed_link(b, 0));
    bed_ask(b, &a, 1);
    bed_run_ms(b, SUSPECT_MIN_MS + 4 * USUAL_MS + 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* If it was only slow, the two are one too many. */
static void test_one_that_replaces_nothing_is_closed(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.connections_per_server = 1;
    struct peer *peer = add_far_peer(b);
    learn(b);
    unsigned held = peer->query_count;
    peer->manner = PEER_HOLD;
    bed_ask(b, &a, 1);
    bed_run_ms(b, SUSPECT_MIN_MS + 5);
    assert_int_equal(b->pool->servers[0]->suspects, 1);
    assert_int_equal(b->pool->servers[0]->dialing, 1);
    peer->manner = PEER_ANSWER;
    for (unsigned i = held; i < peer->query_count; i++) {
        peer_answer(peer, i);
    }
    bed_run_ms(b, USUAL_MS / 2 + 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(b->pool->servers[0]->dialing, 1);
    bed_run_ms(b, 1000);
    assert_int_equal(b->pool->servers[0]->ready, 1);
    assert_int_equal(peer_open_count(peer), 1);
    assert_int_equal(peer->conn_count, 2);
}

/* What is on its way over a good connection is not sent once more. */
static void test_suspicion_leaves_alone_what_was_hedged(void **state)
{
    struct bed *b = *state;
    struct ask a;

    allow_hedges(b, 3);
    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < 3; i++) {
        (void)add_far_peer(b);
    }
    learn(b);
    assert_int_equal(bed_ask_in_turn(b, 2 * LEARN_COUNT, 100), 2 * LEARN_COUNT);
    for (unsigned i = 0; i < 3; i++) {
        b->peers[i]->manner = PEER_HOLD;
    }
    bed_ask(b, &a, 1);
    bed_run_ms(b, SUSPECT_MIN_MS + 5);
    assert_int_equal(bed_stats(b)->suspects, 1);
    assert_int_equal(bed_stats(b)->hedged, 1);
    bed_run_ms(b, LATE_MS); /* now both are silent */
    assert_int_equal(bed_stats(b)->suspects, 2);
    assert_int_equal(bed_stats(b)->hedged, 2);
    bed_cancel(b, &a);
}

static void test_suspicion_is_not_bounded_by_the_budget(void **state)
{
    struct bed *b = *state;
    struct ask asks[MANY];

    allow_hedges(b, 3);
    (void)add_far_peer(b);
    struct peer *second = add_far_peer(b);
    learn(b);
    b->pool->tokens = 0;
    sim_link_vanish(b->world, bed_link(b, 0));
    bed_ask_many(b, asks, MANY);
    bed_run_ms(b, SUSPECT_MIN_MS + USUAL_MS + 10);
    for (unsigned i = 0; i < MANY; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(second->query_count, MANY);
}

/* A name that takes long makes its connection suspect once; our own question
 * is answered, and that settles it. */
static void test_a_slow_name_is_suspected_once(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.connections_per_server = 1;
    struct peer *p = add_far_peer(b);
    learn(b);
    p->manner = PEER_HOLD;
    bed_ask(b, &a, 1);
    bed_run_ms(b, PATH_US / 1000 + 1);
    p->manner = PEER_ANSWER; /* what comes now */
    bed_run_ms(b, 1300);
    assert_int_equal(bed_stats(b)->suspects, 1);
    assert_int_equal(p->conns[0].queries, LEARN_COUNT + 2);
    assert_true(upstream_is_ready(b->pool));
    bed_run_ms(b, 3000);
    assert_int_equal(bed_stats(b)->suspects, 1);
    assert_non_null(p->conns[0].stream);
    if (a.done == 0) {
        bed_cancel(b, &a);
    }
}

/* answer_timeout stays the most, however slow a server is known to be. */
static void test_silence_has_a_ceiling(void **state)
{
    struct bed *b = *state;
    struct ask a;

    b->config.answer_timeout_ms = 300;
    struct sim_server *s = bed_add_server(b);
    (void)bed_add_server(b);
    s->latency_us = 250000;
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 20, 290), 20);
    assert_int_equal(server_suspect_ms(b->pool->servers[0]), 300);
    s->manners.is_deaf = true;
    bed_ask(b, &a, 1);
    bed_run_ms(b, 295);
    assert_false(first_conn(b)->is_suspect);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_true(first_conn(b)->is_suspect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_the_next_server_is_asked_when_one_is_late),
        BED_TEST(test_an_only_server_is_asked_over_its_spare),
        BED_TEST(test_the_spare_is_not_kept_for_nobody),
        BED_TEST(test_floor_and_ceiling),
        BED_TEST(test_no_hedges),
        BED_TEST(test_copies_are_bounded_by_the_budget),
        BED_TEST(test_those_behind_a_late_one_are_asked_elsewhere),
        BED_TEST(test_one_late_name_does_not_speak_for_others),
        BED_TEST(test_the_stuck_leave_a_reserve),
        BED_TEST(test_a_stuck_connection_is_avoided),
        BED_TEST(test_a_connection_that_flows_again_is_used),
        BED_TEST(test_answers_that_come_together_are_measured_once),
        BED_TEST(test_answers_that_come_apart_are_measured_each),
        BED_TEST(test_a_dead_connection_is_found_soon),
        BED_TEST(test_a_dead_only_connection_is_replaced),
        BED_TEST(test_one_that_replaces_nothing_is_closed),
        BED_TEST(test_suspicion_leaves_alone_what_was_hedged),
        BED_TEST(test_suspicion_is_not_bounded_by_the_budget),
        BED_TEST(test_a_slow_name_is_suspected_once),
        BED_TEST(test_silence_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
