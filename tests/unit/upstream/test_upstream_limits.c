/*
 * Servers that end connections: what is learnt of it, and that no query waits
 * for a handshake because of it.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

enum { BUSY_GAP_MS = 25, MINUTE_MS = 60 * 1000 };

static struct limits *limits_of(const struct bed *b)
{
    return &b->pool->servers[0]->limits;
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

/* ---- pauses ---- */

static const uint32_t idle_limits_ms[] = {2000, 3000, 10000, 30000};

static void test_an_idle_limit_is_learnt_and_kept_ahead_of(void **state)
{
    for (size_t i = 0; i < COUNT_OF(idle_limits_ms); i++) {
        struct bed *b = bed_renew(state, "closes idle connections");
        uint32_t limit_ms = idle_limits_ms[i];
        bed_add_far_server(b)->manners.idle_close_ms = limit_ms;
        bed_start(b);
        bed_run_ms(b, 200);
        assert_int_equal(bed_ask_for(b, 100, 100), 0);
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

    bed_add_far_server(b)->manners.idle_close_ms = 2000;
    bed_start(b);
    bed_run_ms(b, 2500);
    assert_int_equal(bed_ask_for(b, 90000, 3000), 0);
    assert_int_equal(bed_stats(b)->waited, 0);
}

/* It is honoured before the first close. */
static void test_an_idle_limit_that_is_told(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    s->manners.idle_close_ms = 5000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_for(b, 100, 100), 0);
    assert_int_equal(limits_of(b)->told_idle_ms, 5000);
    assert_int_equal(cold_ms(b, 60000), 0);
    /* ours are the closes, before the server's: RFC 7828 section 3.2.2 */
    assert_int_equal(s->stats.ended, 0);
    assert_int_equal(limits_of(b)->idle_ms, 0);
    assert_in_range(bed_stats(b)->dials, 12, 15);
}

/* The server was given another limit; the last that it told holds. */
static const struct change_case {
    const char *title;
    uint32_t before_ms, after_ms;
    uint32_t seen_ms; /* of what stood between, before */
    bool is_untold;   /* after */
} change_cases[] = {
    {"a longer one", 2000, 20000, 0, false},
    {"a shorter one", 20000, 2000, 0, false},
    {"from one too short to be ready for", 300, 20000, 0, false},
    {"it is told no longer, and there is none", 2000, 0, 0, true},
    {"it is told no longer, and is another", 2000, 20000, 0, true},
    {"too short, and told no longer", 300, 0, 0, true},
    {"a longer one, where a shorter was seen", 5000, 60000, 2000, false},
};

static void change(struct bed *b, const struct change_case *c)
{
    struct sim_server *s = b->servers[0];

    s->manners.idle_close_ms = c->before_ms;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 1000, 100);
    assert_int_equal(limits_of(b)->told_idle_ms, c->before_ms);
    limits_of(b)->idle_ms = c->seen_ms;
    bed_run_ms(b, MINUTE_MS);
    s->manners.idle_close_ms = c->after_ms;
    s->manners.tells_idle = !c->is_untold;
}

static void test_an_idle_limit_that_is_another(void **state)
{
    for (size_t i = 0; i < COUNT_OF(change_cases); i++) {
        const struct change_case *c = &change_cases[i];
        struct bed *b = bed_renew(state, c->title);
        (void)bed_add_far_server(b);
        change(b, c);
        (void)bed_ask_for(b, 2 * (uint64_t)MINUTE_MS, 10000);
        assert_int_equal(limits_of(b)->told_idle_ms,
                         c->is_untold ? 0 : c->after_ms);
        uint64_t dials = bed_stats(b)->dials;
        assert_int_equal(bed_ask_for(b, 2 * (uint64_t)MINUTE_MS, 10000), 0);
        uint64_t needed = c->after_ms == 0 ? 0 : 2 * MINUTE_MS / c->after_ms;
        assert_in_range(bed_stats(b)->dials - dials, 0,
                        needed + needed / 3 + 1);
    }
}

/* … unless that would mean to open connections all the time. */
static void test_an_idle_limit_that_is_too_short(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    s->manners.idle_close_ms = 300;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 100);
    assert_int_equal(bed_ask_for(b, 20000, 100), 0);
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
    s->manners.idle_close_ms = 2000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 1500);
    assert_int_equal(bed_ask_in_turn(b, 1, 1000), 1);
    bed_run_ms(b, 60000);
    assert_in_range(bed_stats(b)->dials, 15, 25);
    assert_int_equal(bed_stats(b)->successors, 0);
}

/* A second, and a round trip of 90 ms. */
static void test_a_limit_that_is_just_enough(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    sim_link_delay(bed_link(b, 0), 45000, 0);
    s->manners.idle_close_ms = 1000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 500);
    assert_int_equal(bed_ask_in_turn(b, 20, 1000), 20);
    assert_int_equal(cold_ms(b, 60000), 0);
    assert_in_range(bed_stats(b)->dials, 60, 125);
}

/* ---- no successor ---- */

static const struct stuck_case {
    const char *title;
    enum sim_link_state state;
} stuck_cases[] = {
    {"refused", SIM_LINK_REFUSING},
    {"no answer", SIM_LINK_NO_NEW},
    {"no way there", SIM_LINK_UNREACHABLE},
};

/* Events of ms. */
static unsigned count_events(struct bed *b, uint64_t ms)
{
    uint64_t until_us = b->world->now_us + ms * 1000;
    unsigned count = 0;

    while (b->world->now_us < until_us && sim_world_step(b->world)) {
        count++;
    }
    return count;
}

/* A successor cannot be dialled, and the server does not close after all. That
 * is waited for, not looked at all the time. */
static void test_no_successor_is_no_reason_to_spin(void **state)
{
    for (size_t i = 0; i < COUNT_OF(stuck_cases); i++) {
        const struct stuck_case *c = &stuck_cases[i];
        struct bed *b = bed_renew(state, c->title);
        bed_add_far_server(b);
        bed_start(b);
        bed_run_ms(b, 200);
        (void)bed_ask_for(b, 100, 100);
        limits_of(b)->told_idle_ms = 2000;
        (void)bed_ask_for(b, 100, 100);
        sim_link_set(b->world, bed_link(b, 0), c->state);
        assert_in_range(count_events(b, MINUTE_MS), 1, 30);
        assert_int_equal(bed_stats(b)->handshakes, 1);
        /* The way is there again, and a query tells of it. */
        sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
        (void)bed_ask_for(b, 100, 100);
        assert_int_equal(cold_ms(b, 4000), 0);
        assert_in_range(bed_stats(b)->handshakes, 2, 4);
    }
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
        bed_add_far_server(b)->manners.age_close_ms = ages_ms[i];
        bed_start(b);
        bed_run_ms(b, 200);
        (void)bed_ask_for(b, ages_ms[i] + 500, BUSY_GAP_MS);
        uint64_t losses = bed_stats(b)->losses;
        uint64_t moved = bed_stats(b)->moved;
        assert_in_range(losses, 0, 1);
        uint64_t spell_ms = ages_ms[i] * (ages_ms[i] > 10000 ? 2 : 12);
        assert_int_equal(bed_ask_for(b, spell_ms, BUSY_GAP_MS), 0);
        assert_int_equal(bed_stats(b)->losses, losses);
        assert_int_equal(bed_stats(b)->moved, moved);
        assert_in_range(limits_of(b)->age_ms, ages_ms[i], ages_ms[i] + 60);
        assert_in_range(bed_stats(b)->dials, spell_ms / ages_ms[i] + 1,
                        spell_ms / ages_ms[i] * 5 / 4 + 4);
    }
}

/* The two connections to an only server are not cut together, for the second
 * is younger; the first cut teaches when it would be. */
static void test_an_age_limit_costs_one_cut(void **state)
{
    struct bed *b = *state;

    b->config.hedge_budget_percent = 3;
    b->config.hedge_min_ms = 10;
    b->config.hedge_max_ms = 1000;
    bed_add_far_server(b)->manners.age_close_ms = 2000;
    bed_start(b);
    bed_run_ms(b, 60);
    assert_in_range(bed_ask_for(b, 30000, BUSY_GAP_MS), 0, 1);
    assert_int_equal(bed_stats(b)->losses, 1);
    assert_int_equal(bed_stats(b)->moved, 1);
    assert_int_equal(bed_stats(b)->waited, 0);
}

/* With pauses in between, too: they are not taken for the reason. */
static void test_age_and_pauses_are_told_apart(void **state)
{
    struct bed *b = *state;

    bed_add_far_server(b)->manners.age_close_ms = 5000;
    bed_start(b);
    bed_run_ms(b, 200);
    for (unsigned i = 0; i < 20; i++) {
        (void)bed_ask_for(b, 100, 100);
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
        bed_add_far_server(b)->manners.close_after = counts[i];
        bed_start(b);
        bed_run_ms(b, 200);
        (void)bed_ask_for(b, 3 * counts[i] * 30, 30);
        assert_int_equal(limits_of(b)->count, counts[i]);
        uint64_t moved = bed_stats(b)->moved;
        uint64_t waited = bed_stats(b)->waited;
        assert_int_equal(bed_ask_for(b, 6 * counts[i] * 30, 30), 0);
        assert_int_equal(bed_stats(b)->moved, moved);
        assert_int_equal(bed_stats(b)->waited, waited);
    }
}

/* A few more are asked now and then; when they are answered, the limit is
 * forgotten. */
static void test_a_count_limit_that_is_no_more(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    s->manners.close_after = 20;
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 80 * 30, 30);
    assert_int_equal(limits_of(b)->count, 20);
    s->manners.close_after = 0;
    (void)bed_ask_for(b, 20 * 80 * 30, 30);
    assert_int_equal(limits_of(b)->count, 0);
    uint64_t dials = bed_stats(b)->dials;
    (void)bed_ask_for(b, 30000, 30);
    assert_in_range(bed_stats(b)->dials, dials, dials + 12);
}

/* The last few may come all at once, after a pause. */
static void test_a_count_limit_in_the_middle_of_a_burst(void **state)
{
    struct bed *b = *state;
    struct ask asks[3];

    bed_add_far_server(b)->manners.close_after = 20;
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 60 * 30, 30);
    assert_int_equal(limits_of(b)->count, 20);
    uint64_t waited = bed_stats(b)->waited;
    for (unsigned i = 0; i < 40; i++) {
        bed_run_ms(b, 300);
        bed_ask_many(b, asks, COUNT_OF(asks));
        bed_run_ms(b, 100);
    }
    assert_int_equal(bed_stats(b)->waited, waited);
}

/* What was known by age before is not; connections that are open keep to the
 * number, too, once it is known. */
static void test_a_count_is_told_from_an_age(void **state)
{
    struct bed *b = *state;

    bed_add_far_server(b)->manners.close_after = 50;
    b->config.hedge_budget_percent = 3;
    b->config.hedge_min_ms = 10;
    b->config.hedge_max_ms = 1000;
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 60 * 40, 40);
    assert_true(limits_of(b)->age_ms > 0);
    (void)bed_ask_for(b, 100 * 25, 25);
    assert_int_equal(limits_of(b)->count, 50);
    uint64_t moved = bed_stats(b)->moved;
    uint64_t dials = bed_stats(b)->dials;
    assert_int_equal(bed_ask_for(b, 1000 * 30, 30), 0);
    assert_int_equal(bed_stats(b)->moved, moved);
    assert_in_range(bed_stats(b)->dials - dials, 19, 24);
    assert_int_equal(limits_of(b)->age_ms, 0);
}

/* Two closes after different numbers show nothing. */
static void test_chance_is_not_taken_for_a_count(void **state)
{
    static const unsigned counts[] = {40, 70, 30, 90, 55};
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        (void)bed_ask_for(b, counts[i] * 30, 30);
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

    struct sim_server *s = bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 3000, BUSY_GAP_MS);
    sim_server_stop(s, SIM_STOP_POLITE);
    sim_server_start(s);
    (void)bed_ask_for(b, 1000, BUSY_GAP_MS);
    assert_in_range(limits_of(b)->age_ms, 2900, 3400);
    uint64_t dials = bed_stats(b)->dials;
    assert_int_equal(bed_ask_for(b, 900 * 1000, 100), 0);
    assert_in_range(bed_stats(b)->dials - dials, 32, 50);
    assert_true(limits_of(b)->age_ms == 0 || limits_of(b)->age_ms > 120 * 1000);
}

/* One so short that it is not kept ahead of. */
static void test_an_age_that_is_outgrown(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 500, BUSY_GAP_MS);
    sim_server_close_all(s, false);
    bed_run_ms(b, 100);
    assert_in_range(limits_of(b)->age_ms, 600, 850);
    (void)bed_ask_for(b, 15 * 60 * 1000, 5000);
    assert_true(limits_of(b)->age_ms == 0 || limits_of(b)->age_ms > 120 * 1000);
    assert_in_range(bed_stats(b)->dials, 2, 24);
}

/* A pause that was not the reason. */
static void test_a_wrong_pause_is_found_out(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    (void)bed_ask_for(b, 100, 100);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_an_idle_limit_is_learnt_and_kept_ahead_of),
        BED_TEST(test_a_query_after_a_pause_does_not_wait),
        BED_TEST(test_an_idle_limit_that_is_told),
        BED_TEST(test_an_idle_limit_that_is_another),
        BED_TEST(test_an_idle_limit_that_is_too_short),
        BED_TEST(test_a_limit_that_is_short_for_the_path),
        BED_TEST(test_a_limit_that_is_just_enough),
        BED_TEST(test_no_successor_is_no_reason_to_spin),
        BED_TEST(test_a_server_that_wants_to_be_rid_of_us),
        BED_TEST(test_an_age_limit_is_learnt_and_kept_ahead_of),
        BED_TEST(test_an_age_limit_costs_one_cut),
        BED_TEST(test_age_and_pauses_are_told_apart),
        BED_TEST(test_a_count_limit_is_learnt_and_kept_to),
        BED_TEST(test_a_count_limit_that_is_no_more),
        BED_TEST(test_a_count_limit_in_the_middle_of_a_burst),
        BED_TEST(test_a_count_is_told_from_an_age),
        BED_TEST(test_chance_is_not_taken_for_a_count),
        BED_TEST(test_a_wrong_guess_is_found_out),
        BED_TEST(test_an_age_that_is_outgrown),
        BED_TEST(test_a_wrong_pause_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
