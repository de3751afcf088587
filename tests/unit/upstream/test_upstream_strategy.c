/*
 * Which server is asked, and which are kept ready.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_SERVERS = 5 };

/* ---- what is kept ready ---- */

static const struct warm_case {
    const char *title;
    enum config_strategy strategy;
    unsigned width;
    const char *up;   /* one letter a server: u(p) or d(own) */
    const char *warm; /* … w(arm) or - */
} warm_cases[] = {
    {"failover: the first and a spare", CONFIG_FAILOVER, 2, "uuuu", "ww--"},
    {"failover, one server", CONFIG_FAILOVER, 2, "u", "w"},
    {"failover, the first down", CONFIG_FAILOVER, 2, "duuu", "-ww-"},
    {"failover, the spare down", CONFIG_FAILOVER, 2, "uduu", "w-w-"},
    {"failover, two down", CONFIG_FAILOVER, 2, "ddduu", "---ww"},
    {"race of two and a spare", CONFIG_RACE, 2, "uuuuu", "www--"},
    {"race of three and a spare", CONFIG_RACE, 3, "uuuuu", "wwww-"},
    {"race, the second down", CONFIG_RACE, 2, "uduuu", "w-ww-"},
    {"round robin: all", CONFIG_ROUND_ROBIN, 2, "uuuu", "wwww"},
    {"fastest: all", CONFIG_FASTEST, 2, "uuuu", "wwww"},
};

static void run_warm_case(struct bed *b, const struct warm_case *c)
{
    size_t count = strlen(c->up);

    b->config.pool.strategy = c->strategy;
    b->config.pool.race_width = c->width;
    for (size_t i = 0; i < count; i++) {
        if (c->up[i] == 'u') {
            (void)bed_add_server(b);
        } else {
            bed_add_nobody(b);
        }
    }
    bed_start_ready(b);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bed_conn_count(b, (unsigned)i), c->warm[i] == 'w');
    }
}

static void test_servers_in_use_are_kept_warm(void **state)
{
    for (size_t i = 0; i < sizeof(warm_cases) / sizeof(*warm_cases); i++) {
        run_warm_case(bed_renew(state, warm_cases[i].title), &warm_cases[i]);
    }
}

/* ---- failover ---- */

static void assert_queries(const struct bed *b, const unsigned *want,
                           unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(b->servers[i]->stats.queries, want[i]);
    }
}

static void test_failover_returns_to_the_first(void **state)
{
    struct bed *b = *state;

    for (unsigned i = 0; i < 3; i++) {
        (void)bed_add_server(b);
    }
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 10, 10), 10);
    assert_queries(b, (unsigned[]){10, 0, 0}, 3);
    sim_server_stop(b->servers[0], SIM_STOP_CRASH);
    assert_int_equal(bed_ask_in_turn(b, 10, 10), 10);
    assert_queries(b, (unsigned[]){10, 10, 0}, 3);
    sim_server_start(b->servers[0]);
    bed_run_ms(b, 1000); /* the end of its back-off */
    assert_int_equal(bed_ask_in_turn(b, 10, 10), 10);
    /* one of the pool's own proved it before */
    assert_in_range(b->servers[0]->stats.queries, 20, 21);
    assert_int_equal(b->servers[1]->stats.queries, 10);
    assert_int_equal(bed_stats(b)->waited, 0);
}

/* One that failed is proved by a query of the pool's own before clients' go
 * there. */
static void test_a_server_is_proved_before_it_is_used(void **state)
{
    struct bed *b = *state;
    struct dns_query probe;

    struct peer *p = bed_add_peer(b);
    struct sim_server *spare = bed_add_server(b);
    p->manner = PEER_TURN_AWAY;
    bed_start_ready(b);
    p->manner = PEER_HOLD;
    bed_run_ms(b, 400);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 2);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(
        dns_query_parse(span_of(p->queries[0].message, p->queries[0].len),
                        &probe),
        DNS_QUERY_OK);
    assert_int_equal(probe.question.name_len, 1);
    assert_int_equal(bed_ask_in_turn(b, 5, 10), 5);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(spare->stats.queries, 5);
    peer_answer(p, 0);
    bed_run_ms(b, 1);
    p->manner = PEER_ANSWER;
    assert_int_equal(bed_ask_in_turn(b, 5, 10), 5);
    assert_int_equal(p->query_count, 6);
    assert_int_equal(bed_stats(b)->late, 0);
}

/* ---- race ---- */

static void test_race_asks_as_many_as_it_is_wide(void **state)
{
    static const unsigned widths[] = {2, 3, 4};

    for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
        struct bed *b = bed_renew(state, "a race");
        struct ask a;
        b->config.pool.strategy = CONFIG_RACE;
        b->config.pool.race_width = widths[i];
        for (unsigned j = 0; j < TABLE_SERVERS; j++) {
            (void)bed_add_peer(b);
        }
        bed_start_ready(b);
        bed_ask(b, &a, 1);
        bed_run_ms(b, 1);
        for (unsigned j = 0; j < TABLE_SERVERS; j++) {
            assert_int_equal(b->peers[j]->query_count, j < widths[i]);
        }
        peer_answer(b->peers[widths[i] - 1], 0);
        bed_run_ms(b, 1);
        assert_answered(&a, DNS_RCODE_NOERROR);
        peer_answer(b->peers[0], 0);
        bed_run_ms(b, 1);
        assert_int_equal(bed_stats(b)->late, 1);
        assert_int_equal(a.done, 1);
    }
}

static void test_race_does_not_take_a_fast_error(void **state)
{
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED,
                                      DNS_RCODE_NOTIMP, DNS_RCODE_FORMERR};

    for (size_t i = 0; i < sizeof(rcodes) / sizeof(*rcodes); i++) {
        struct bed *b = bed_renew(state, "a fast error");
        struct ask a;
        b->config.pool.strategy = CONFIG_RACE;
        struct sim_server *fast = bed_add_server(b);
        struct sim_server *slow = bed_add_server(b);
        fast->manners.refused = 100;
        fast->manners.rcode = rcodes[i];
        slow->latency_us = 200000;
        bed_start_ready(b);
        bed_ask(b, &a, 1);
        bed_run_ms(b, 198);
        assert_int_equal(fast->stats.answers, 1);
        assert_int_equal(a.done, 0);
        bed_run_ms(b, 5);
        assert_answered(&a, DNS_RCODE_NOERROR);
    }
}

/* ---- round robin ---- */

static void test_round_robin_goes_by_weight(void **state)
{
    static const unsigned order[] = {0, 0, 1, 0, 2, 0, 0, 1, 0, 2};
    struct bed *b = *state;

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < 3; i++) {
        (void)bed_add_server(b);
    }
    b->entries[0].weight = 3;
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 500, 10), 500);
    assert_queries(b, (unsigned[]){300, 100, 100}, 3);
    /* no server's turns come all at once */
    unsigned longest = 0;
    unsigned run = 0;
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        uint64_t before = b->servers[0]->stats.queries;
        assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
        run = b->servers[0]->stats.queries > before ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, 2);
}

static void test_round_robin_leaves_out_who_is_down(void **state)
{
    struct bed *b = *state;

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    (void)bed_add_server(b);
    bed_add_nobody(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 100, 10), 100);
    assert_int_equal(b->servers[0]->stats.queries, 50);
    assert_int_equal(b->servers[2]->stats.queries, 50);
}

/* ---- fastest ---- */

static void add_fast_and_slow(struct bed *b, unsigned count)
{
    b->config.pool.strategy = CONFIG_FASTEST;
    for (unsigned i = 0; i < count; i++) {
        (void)bed_add_server(b);
        b->servers[i]->latency_us = 1000;
        bed_link(b, i)->delay_us = i == 0 ? 1000 : 10000 * i;
    }
}

static void test_fastest_prefers_the_fast(void **state)
{
    struct bed *b = *state;

    add_fast_and_slow(b, 3);
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_in_turn(b, 300, 100), 300);
    /* it wins every pair that it is in: two of three */
    assert_in_range(b->servers[0]->stats.queries, 160, 297);
    assert_in_range(b->servers[1]->stats.queries, 1, 130);
    assert_in_range(b->servers[2]->stats.queries, 1, 30);
}

static void test_fastest_counts_weight_in(void **state)
{
    struct bed *b = *state;

    add_fast_and_slow(b, 2);
    bed_link(b, 1)->delay_us = 1500;
    b->entries[1].weight = 10;
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_in_turn(b, 100, 100), 100);
    assert_in_range(b->servers[1]->stats.queries, 80, 99);
}

static void test_fastest_follows_when_the_fast_one_slows_down(void **state)
{
    struct bed *b = *state;

    add_fast_and_slow(b, 2);
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_in_turn(b, 50, 100), 50);
    bed_link(b, 0)->delay_us = 40000;
    uint64_t before = b->servers[1]->stats.queries;
    assert_int_equal(bed_ask_in_turn(b, 100, 200), 100);
    assert_in_range(b->servers[1]->stats.queries - before, 70, 99);
}

/* A server that was slow once is measured again, now and then. */
static void test_fastest_finds_out_that_a_slow_one_became_fast(void **state)
{
    struct bed *b = *state;

    add_fast_and_slow(b, 2);
    bed_link(b, 0)->delay_us = 5000;
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_in_turn(b, 100, 100), 100);
    bed_link(b, 1)->delay_us = 100;
    uint64_t before = b->servers[1]->stats.queries;
    assert_int_equal(bed_ask_in_turn(b, 2000, 100), 2000);
    assert_in_range(b->servers[1]->stats.queries - before, 500, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_servers_in_use_are_kept_warm),
        BED_TEST(test_failover_returns_to_the_first),
        BED_TEST(test_a_server_is_proved_before_it_is_used),
        BED_TEST(test_race_asks_as_many_as_it_is_wide),
        BED_TEST(test_race_does_not_take_a_fast_error),
        BED_TEST(test_round_robin_goes_by_weight),
        BED_TEST(test_round_robin_leaves_out_who_is_down),
        BED_TEST(test_fastest_prefers_the_fast),
        BED_TEST(test_fastest_counts_weight_in),
        BED_TEST(test_fastest_follows_when_the_fast_one_slows_down),
        BED_TEST(test_fastest_finds_out_that_a_slow_one_became_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
