/*
 * Which plain server takes a query, and what becomes of one that fails.
 */
#include "base/err.h"
#include "plain_peer.h"
#include "tests.h"

enum { SERVERS = 3, MANY = 90 };

static void add_servers(struct bed *b, struct plain_peer *peers[SERVERS])
{
    for (unsigned i = 0; i < SERVERS; i++) {
        peers[i] = plain_peer_add(b, CONFIG_UDP);
    }
}

/* ---- strategies ---- */

static void test_failover_asks_the_first(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    add_servers(b, peers);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, MANY, 1000), MANY);
    assert_int_equal(peers[0]->query_count, MANY);
}

static void test_round_robin_goes_by_weight(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    add_servers(b, peers);
    b->entries[1].weight = 7;
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, MANY, 1000), MANY);
    assert_int_equal(peers[0]->query_count, 10);
    assert_int_equal(peers[1]->query_count, 70);
    assert_int_equal(peers[2]->query_count, 10);
}

static void test_fastest_finds_the_fastest(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    b->config.pool.strategy = CONFIG_FASTEST;
    add_servers(b, peers);
    sim_link_delay(bed_link(b, 0), 20000, 1000);
    sim_link_delay(bed_link(b, 1), 2000, 1000);
    sim_link_delay(bed_link(b, 2), 40000, 1000);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, MANY, 1000), MANY);
    assert_true(peers[1]->query_count > MANY / 2);
    assert_true(peers[2]->query_count < MANY / 8);
    assert_true(peers[2]->query_count > 0);
}

static void test_race_takes_the_first_answer(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    struct ask a;

    b->config.pool.strategy = CONFIG_RACE;
    add_servers(b, peers);
    sim_link_delay(bed_link(b, 0), 50000, 0);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2);
    assert_answered(&a, DNS_RCODE_NOERROR);
    bed_run_ms(b, 200);
    assert_int_equal(a.done, 1);
    assert_int_equal(peers[0]->query_count, 1);
    assert_int_equal(peers[1]->query_count, 1);
    assert_int_equal(peers[2]->query_count, 0);
}

/* One of those that race is dead: the next one takes its place. */
static void test_race_leaves_the_dead_out(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    b->config.pool.strategy = CONFIG_RACE;
    add_servers(b, peers);
    peers[0]->is_silent = true;
    bed_start(b);
    for (unsigned i = 0; i < MANY; i++) {
        bed_ask_in_turn(b, 1, 1000);
        bed_run_ms(b, 100);
    }
    assert_true(peers[0]->query_count < MANY / 2);
    assert_true(peers[1]->query_count > MANY * 9 / 10);
    assert_true(peers[2]->query_count > MANY / 2);
}

/* ---- servers that fail ---- */

static void test_a_silent_server_is_set_back(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    unsigned slow = 0;

    add_servers(b, peers);
    peers[0]->is_silent = true;
    bed_start(b);
    for (unsigned i = 0; i < MANY; i++) {
        struct ask a;
        bed_ask(b, &a, i);
        assert_true(bed_wait(b, &a, 4000));
        assert_answered(&a, DNS_RCODE_NOERROR);
        slow += ask_took_ms(&a) > 50;
        bed_run_ms(b, 1000);
    }
    assert_int_equal(slow, 2); /* then it is tried beside another */
    /* 90 s with a back-off that doubles up to 30 s */
    assert_in_range(peers[0]->query_count, 8, 14);
    assert_int_equal(peers[1]->query_count, MANY);
    assert_int_equal(peers[2]->query_count, 0);
}

/* Slower than the one that is asked beside it, it is heard nevertheless. */
static void test_a_server_that_is_back_is_found(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    add_servers(b, peers);
    sim_link_delay(bed_link(b, 0), 20000, 0);
    peers[0]->is_silent = true;
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 20, 1000), 20);
    peers[0]->is_silent = false;
    for (unsigned i = 0; i < 5; i++) {
        bed_run_ms(b, 1000);
        bed_ask_in_turn(b, 1, 1000);
    }
    unsigned before = peers[1]->query_count;
    bed_run_ms(b, 1000);
    bed_ask_in_turn(b, 20, 1000);
    assert_int_equal(peers[1]->query_count, before);
}

/* Three times as slow as it was waited for; it is first in the file, and works:
 * it is to have the queries again. */
static void test_a_server_that_grew_slow_is_heard(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    add_servers(b, peers);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 20, 1000), 20);
    sim_link_delay(bed_link(b, 0), 150000, 0);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(bed_ask_in_turn(b, 1, 1000), 1);
        bed_run_ms(b, 500);
    }
    unsigned before = peers[1]->query_count;
    assert_int_equal(bed_ask_in_turn(b, 10, 1000), 10);
    assert_int_equal(peers[1]->query_count, before);
}

static void test_rows_tell_how_servers_do(void **state)
{
    struct bed *b = *state;
    struct upstream_server_report rows[SERVERS + 1];
    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);

    plain_peer_add_nobody(b);
    plain_peer_add(b, CONFIG_UDP)->rcode = DNS_RCODE_SERVFAIL;
    p->rcode = DNS_RCODE_SERVFAIL;
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 20, 1000), 0);
    assert_int_equal(upstream_pool_report(b->pool, rows, SERVERS + 1), SERVERS);
    assert_string_equal(rows[0].label, "tcp://192.0.2.1:53");
    assert_string_equal(rows[0].state, "up");
    assert_int_equal(rows[0].ready, 1);
    assert_int_equal(rows[0].answers, 20);
    assert_true(rows[0].average_us > 0 && rows[0].p50_us > 0);
    assert_string_equal(rows[1].state, "down");
    assert_string_equal(rows[1].why, "connection refused");
    assert_true(rows[1].failures >= 3);
    assert_int_equal(rows[1].in_flight, 0);
    assert_int_equal(rows[2].answers, 20);
    assert_string_equal(rows[2].why, "");
}

static void test_a_burst_at_a_restart_is_one_failure(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    static struct ask asks[MANY];

    add_servers(b, peers);
    bed_start(b);
    bed_ask_in_turn(b, 1, 1000);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_REFUSING);
    bed_ask_many(b, asks, MANY);
    bed_run_ms(b, 5);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
    for (unsigned i = 0; i < MANY; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    unsigned before = peers[0]->query_count;
    bed_ask_in_turn(b, 10, 1000);
    assert_int_equal(peers[0]->query_count, before + 10);
}

/* A name that a server never answers says nothing of its health. */
static void test_a_name_without_an_answer_blames_nobody(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    struct ask stuck;

    add_servers(b, peers);
    peers[0]->is_silent = peers[1]->is_silent = peers[2]->is_silent = true;
    bed_start(b);
    bed_ask(b, &stuck, 1);
    bed_run_ms(b, 1);
    for (unsigned i = 0; i < 30; i++) {
        struct ask a;
        bed_ask(b, &a, 100 + i);
        bed_run_ms(b, 1);
        plain_peer_answer(peers[0], peers[0]->query_count - 1);
        bed_run_ms(b, 99);
        assert_answered(&a, DNS_RCODE_NOERROR);
    }
    assert_true(peers[0]->query_count > 30);
    bed_cancel(b, &stuck);
}

static void test_all_are_set_back_and_asked_nevertheless(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];

    add_servers(b, peers);
    for (unsigned i = 0; i < SERVERS; i++) {
        peers[i]->is_silent = true;
    }
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, 5, 4000), 0);
    assert_false(upstream_is_ready(b->pool));
    for (unsigned i = 0; i < SERVERS; i++) {
        peers[i]->is_silent = false;
    }
    assert_int_equal(bed_ask_in_turn(b, 5, 1000), 5);
    assert_true(upstream_is_ready(b->pool));
}

static void test_explain_leaves_out_what_does_not_fit(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    char text[80];
    char tiny[12];

    add_servers(b, peers);
    bed_start(b);
    (void)upstream_explain(b->pool, text, sizeof(text));
    assert_string_equal(text, "udp://192.0.2.1:53 gave no answer in time; "
                              "and 2 more");
    (void)upstream_explain(b->pool, tiny, sizeof(tiny));
    assert_string_equal(tiny, "udp://192.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(test_failover_asks_the_first),
        PLAIN_TEST(test_round_robin_goes_by_weight),
        PLAIN_TEST(test_fastest_finds_the_fastest),
        PLAIN_TEST(test_race_takes_the_first_answer),
        PLAIN_TEST(test_race_leaves_the_dead_out),
        PLAIN_TEST(test_a_silent_server_is_set_back),
        PLAIN_TEST(test_a_server_that_is_back_is_found),
        PLAIN_TEST(test_a_server_that_grew_slow_is_heard),
        PLAIN_TEST(test_rows_tell_how_servers_do),
        PLAIN_TEST(test_a_burst_at_a_restart_is_one_failure),
        PLAIN_TEST(test_a_name_without_an_answer_blames_nobody),
        PLAIN_TEST(test_all_are_set_back_and_asked_nevertheless),
        PLAIN_TEST(test_explain_leaves_out_what_does_not_fit),
    };
    return cmocka_run_group_tests_name("upstream_plain_server", tests, NULL,
                                       NULL);
}
