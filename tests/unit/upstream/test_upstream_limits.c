/*
 * Servers that end connections: what is learnt of it, and that no query waits
 * for a handshake because of it.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

enum { PATH_US = 10000, BUSY_GAP_MS = 25 };

static struct limits *limits_of(const struct bed *b)
{
    return &b->pool->servers[0]->limits;
}

static struct sim_server *add_far_server(struct bed *b)
{
    struct sim_server *s = bed_add_server(b);

    sim_link_delay(bed_link(b, (unsigned)b->config.pool.server_count - 1),
                   PATH_US, 0);
    return s;
}

/* Milliseconds of ms without any ready connection. */
static unsigned cold_ms(struct bed *b, uint64_t ms)
{
    unsigned cold = 0;

    for (uint64_t i = 0; i < ms; i++) {
        bed_run_ms(b, 1);
        cold += !upstream_is_ready(b->pool);
    }
    return cold;
}

/* A query every gap_ms for ms; each is answered. Returns how many took longer
 * than a round trip and what a server needs. */
static unsigned ask_for(struct bed *b, uint64_t ms, uint64_t gap_ms)
{
    unsigned slow = 0;

    for (uint64_t i = 0; i < ms; i += gap_ms) {
        struct ask a;
        bed_ask(b, &a, b->world->now_us);
        uint64_t from_us = b->world->now_us;
        assert_true(bed_wait(b, &a, 1000));
        assert_answered(&a, DNS_RCODE_NOERROR);
        slow += ask_took_ms(&a) > 2 * PATH_US / 1000 + 2;
        bed_run_us(b, from_us + gap_ms * 1000 > b->world->now_us
                          ? from_us + gap_ms * 1000 - b->world->now_us
                          : 0);
    }
    return slow;
}

/* ---- pauses ---- */

static const uint32_t idle_limits_ms[] = {2000, 3000, 10000, 30000};

static void test_an_idle_limit_is_learnt_and_kept_ahead_of(void **state)
{
    for (size_t i = 0; i < COUNT_OF(idle_limits_ms); i++) {
        struct bed *b = bed_renew(state, "closes idle connections");
        uint32_t limit_ms = idle_limits_ms[i];
        add_far_server(b)->manners.idle_close_ms = limit_ms;
        bed_start(b);
        bed_run_ms(b, 200);
        assert_int_equal(ask_for(b, 100, 100), 0);
        bed_run_ms(b, limit_ms + 200); /* closed once, and replaced */
        assert_in_range(limits_of(b)->idle_ms, limit_ms, limit_ms + 60);
        assert_int_equal(cold_ms(b, 8 * (uint64_t)limit_ms), 0);
        assert_int_equal(bed_stats(b)->losses, 0);
        /* each but the first by resumption, and not more than needed */
        assert_in_range(bed_stats(b)->dials, 9, 13);
        assert_int_equal(bed_stats(b)->resumed, bed_stats(b)->handshakes - 1);
    }
}

static void test_a_query_after_a_pause_does_not_wait(void **state)
{
    struct bed *b = *state;

    add_far_server(b)->manners.idle_close_ms = 2000;
    bed_start(b);
    bed_run_ms(b, 2500);
    assert_int_equal(ask_for(b, 90000, 3000), 0);
    assert_int_equal(bed_stats(b)->waited, 0);
}

/* It is honoured before the first close. */
static void test_an_idle_limit_that_is_told(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    s->manners.idle_close_ms = 5000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(ask_for(b, 100, 100), 0);
    assert_int_equal(limits_of(b)->told_idle_ms, 5000);
    assert_int_equal(cold_ms(b, 60000), 0);
    /* ours are the closes, before the server's: RFC 7828 section 3.2.2 */
    assert_int_equal(s->stats.ended, 0);
    assert_int_equal(limits_of(b)->idle_ms, 0);
    assert_in_range(bed_stats(b)->dials, 12, 15);
}

/* … unless that would mean to open connections all the time. */
static void test_an_idle_limit_that_is_too_short(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    s->manners.idle_close_ms = 300;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 100);
    assert_int_equal(ask_for(b, 20000, 100), 0);
    assert_int_equal(limits_of(b)->told_idle_ms, 300);
    assert_int_equal(bed_stats(b)->dials, 1);
    bed_run_ms(b, 60000);
    assert_int_equal(bed_stats(b)->dials, 1); /* nor kept warm */
}

static void test_a_limit_that_is_short_for_the_path(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    sim_link_delay(bed_link(b, 0), 200000, 0);
    s->manners.idle_close_ms = 3000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 1500);
    assert_int_equal(bed_ask_in_turn(b, 1, 1000), 1);
    bed_run_ms(b, 60000);
    assert_in_range(bed_stats(b)->dials, 10, 20);
    assert_int_equal(bed_stats(b)->successors, 0);
}

/* Not only when it is the server's habit. */
static void test_a_server_that_wants_to_be_rid_of_us(void **state)
{
    struct bed *b = *state;
    uint8_t message[ZONE_MESSAGE_MAX];
    struct ask asks[2];

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 2);
    bed_run_ms(b, 1);
    size_t len = peer_right_answer(p, 0, message);
    len = zone_add_keepalive(message, len, 0);
    peer_send(p, 0, span_of(message, len));
    bed_run_ms(b, 5);
    assert_answered(&asks[0], DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 2); /* the next one */
    assert_non_null(p->conns[0].stream);
    peer_answer(p, 1);
    bed_run_ms(b, 2);
    assert_answered(&asks[1], DNS_RCODE_NOERROR);
    assert_null(p->conns[0].stream);
    assert_true(p->conns[0].has_said_goodbye);
    assert_int_equal(limits_of(b)->told_idle_ms, 0);
}

/* ---- age ---- */

static void test_an_age_limit_is_learnt_and_kept_ahead_of(void **state)
{
    static const uint32_t ages_ms[] = {1000, 2000, 7000, 60000};

    for (size_t i = 0; i < COUNT_OF(ages_ms); i++) {
        struct bed *b = bed_renew(state, "cuts old connections");
        add_far_server(b)->manners.age_close_ms = ages_ms[i];
        bed_start(b);
        bed_run_ms(b, 200);
        (void)ask_for(b, ages_ms[i] + 500, BUSY_GAP_MS);
        uint64_t losses = bed_stats(b)->losses;
        uint64_t moved = bed_stats(b)->moved;
        assert_in_range(losses, 0, 1);
        uint64_t spell_ms = ages_ms[i] * (ages_ms[i] > 10000 ? 2 : 12);
        assert_int_equal(ask_for(b, spell_ms, BUSY_GAP_MS), 0);
        assert_int_equal(bed_stats(b)->losses, losses);
        assert_int_equal(bed_stats(b)->moved, moved);
        assert_in_range(limits_of(b)->age_ms, ages_ms[i], ages_ms[i] + 60);
        assert_in_range(bed_stats(b)->dials, spell_ms / ages_ms[i] + 1,
                        spell_ms / ages_ms[i] * 5 / 4 + 4);
    }
}

/* With pauses in between, too: they are not taken for the reason. */
static void test_age_and_pauses_are_told_apart(void **state)
{
    struct bed *b = *state;

    add_far_server(b)->manners.age_close_ms = 5000;
    bed_start(b);
    bed_run_ms(b, 200);
    for (unsigned i = 0; i < 20; i++) {
        (void)ask_for(b, 100, 100);
        bed_run_ms(b, 700 + 90 * i);
    }
    assert_in_range(limits_of(b)->age_ms, 5000, 5100);
    assert_int_equal(limits_of(b)->idle_ms, 0);
}

/* ---- queries ---- */

static void test_a_count_limit_is_learnt_and_kept_to(void **state)
{
    static const unsigned counts[] = {20, 100};

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct bed *b = bed_renew(state, "counts queries");
        add_far_server(b)->manners.close_after = counts[i];
        bed_start(b);
        bed_run_ms(b, 200);
        (void)ask_for(b, 3 * counts[i] * 30, 30);
        assert_int_equal(limits_of(b)->count, counts[i]);
        uint64_t moved = bed_stats(b)->moved;
        uint64_t waited = bed_stats(b)->waited;
        assert_int_equal(ask_for(b, 6 * counts[i] * 30, 30), 0);
        assert_int_equal(bed_stats(b)->moved, moved);
        assert_int_equal(bed_stats(b)->waited, waited);
    }
}

/* A few more are asked now and then; when they are answered, the limit is
 * forgotten. */
static void test_a_count_limit_that_is_no_more(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    s->manners.close_after = 20;
    bed_start(b);
    bed_run_ms(b, 200);
    (void)ask_for(b, 80 * 30, 30);
    assert_int_equal(limits_of(b)->count, 20);
    s->manners.close_after = 0;
    (void)ask_for(b, 20 * 24 * 30, 30);
    assert_int_equal(limits_of(b)->count, 0);
    uint64_t dials = bed_stats(b)->dials;
    (void)ask_for(b, 30000, 30);
    assert_in_range(bed_stats(b)->dials, dials, dials + 12);
}

/* Two closes after different numbers show nothing. */
static void test_chance_is_not_taken_for_a_count(void **state)
{
    static const unsigned counts[] = {40, 70, 30, 90, 55};
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        (void)ask_for(b, counts[i] * 30, 30);
        sim_server_close_all(s, false);
        bed_run_ms(b, 300);
    }
    assert_int_equal(limits_of(b)->count, 0);
}

/* ---- wrong guesses ---- */

/* A server was restarted; that is no habit, and costs little. */
static void test_a_wrong_guess_is_found_out(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    (void)ask_for(b, 3000, BUSY_GAP_MS);
    sim_server_stop(s, SIM_STOP_POLITE);
    sim_server_start(s);
    (void)ask_for(b, 1000, BUSY_GAP_MS);
    assert_in_range(limits_of(b)->age_ms, 2900, 3400);
    uint64_t dials = bed_stats(b)->dials;
    assert_int_equal(ask_for(b, 900 * 1000, 100), 0);
    assert_in_range(bed_stats(b)->dials - dials, 8, 25);
    assert_true(limits_of(b)->age_ms == 0 || limits_of(b)->age_ms > 120 * 1000);
}

/* A pause that was not the reason. */
static void test_a_wrong_pause_is_found_out(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    (void)ask_for(b, 100, 100);
    bed_run_ms(b, 1500);
    sim_server_close_all(s, false);
    bed_run_ms(b, 100);
    assert_in_range(limits_of(b)->idle_ms, 1400, 1700);
    uint64_t dials = bed_stats(b)->dials;
    bed_run_ms(b, 500 * 1000);
    assert_in_range(bed_stats(b)->dials - dials, 6, 30);
    assert_true(limits_of(b)->idle_ms == 0 ||
                limits_of(b)->idle_ms > 60 * 1000);
}

/* ---- nobody asks ---- */

static const struct cool_case {
    const char *title;
    uint32_t warm_for_ms, idle_close_ms;
} cool_cases[] = {
    {"the server closes", 60000, 5000},
    {"the server does not", 60000, 0},
    {"never warm, the server closes", 0, 5000},
    {"never warm, the server does not", 0, 0},
};

/* No connection, no dial, no timer that would wake the machine. */
static void test_sleeping_users_cost_nothing(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cool_cases); i++) {
        const struct cool_case *c = &cool_cases[i];
        struct bed *b = bed_renew(state, c->title);
        b->config.warm_for_ms = c->warm_for_ms;
        for (unsigned j = 0; j < 3; j++) {
            add_far_server(b)->manners.idle_close_ms = c->idle_close_ms;
        }
        bed_start(b);
        bed_run_ms(b, 200);
        assert_int_equal(bed_stats(b)->dials > 0, c->warm_for_ms > 0);
        (void)ask_for(b, 1000, 100);
        bed_run_ms(b, c->warm_for_ms + WARM_LEAST_MS + 500);
        uint64_t dials = bed_stats(b)->dials;
        assert_int_equal(sim_loop_open_count(b->loop), 0);
        assert_true(wheel_next_ms(&b->loop->wheel) == UINT64_MAX);
        bed_run_ms(b, 24 * 3600 * 1000);
        assert_int_equal(bed_stats(b)->dials, dials);
        (void)ask_for(b, 100, 100);
    }
}

/* Successors for nobody are bounded, and more so for a spare. */
static void test_successors_for_nobody_are_bounded(void **state)
{
    struct bed *b = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct sim_server *s = add_far_server(b);
        s->manners.idle_close_ms = 2000;
        s->manners.tells_idle = true;
    }
    bed_start(b);
    bed_run_ms(b, 2500); /* the spare's limit is seen */
    (void)ask_for(b, 100, 100);
    uint64_t first = b->servers[0]->stats.connections;
    uint64_t spare = b->servers[1]->stats.connections;
    assert_int_equal(cold_ms(b, 115 * 1000), 0);
    bed_run_ms(b, b->config.warm_for_ms - 120 * 1000);
    assert_false(upstream_is_ready(b->pool));
    assert_in_range(b->servers[0]->stats.connections - first, 55, 75);
    assert_in_range(b->servers[1]->stats.connections - spare, 12, 20);
}

/* With warm_for 0 a connection is opened for a client, and no sooner. */
static void test_never_warm_dials_for_clients_alone(void **state)
{
    struct bed *b = *state;

    b->config.warm_for_ms = 0;
    struct sim_server *s = add_far_server(b);
    s->manners.idle_close_ms = 1000;
    bed_start(b);
    bed_run_ms(b, 5000);
    assert_int_equal(s->stats.connections, 0);
    (void)ask_for(b, 100, 100);
    assert_int_equal(s->stats.connections, 1);
    bed_run_ms(b, 60000);
    assert_int_equal(s->stats.connections, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_an_idle_limit_is_learnt_and_kept_ahead_of),
        BED_TEST(test_a_query_after_a_pause_does_not_wait),
        BED_TEST(test_an_idle_limit_that_is_told),
        BED_TEST(test_an_idle_limit_that_is_too_short),
        BED_TEST(test_a_limit_that_is_short_for_the_path),
        BED_TEST(test_a_server_that_wants_to_be_rid_of_us),
        BED_TEST(test_an_age_limit_is_learnt_and_kept_ahead_of),
        BED_TEST(test_age_and_pauses_are_told_apart),
        BED_TEST(test_a_count_limit_is_learnt_and_kept_to),
        BED_TEST(test_a_count_limit_that_is_no_more),
        BED_TEST(test_chance_is_not_taken_for_a_count),
        BED_TEST(test_a_wrong_guess_is_found_out),
        BED_TEST(test_a_wrong_pause_is_found_out),
        BED_TEST(test_sleeping_users_cost_nothing),
        BED_TEST(test_successors_for_nobody_are_bounded),
        BED_TEST(test_never_warm_dials_for_clients_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
