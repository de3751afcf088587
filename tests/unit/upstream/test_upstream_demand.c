/*
 * Servers none of whose connections last: they are dialled for clients, one
 * after the other, and not kept ready all the time.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

enum { SERVERS = 5, LEARNING = 3, QUERIES = 100, MINUTE_MS = 60 * 1000 };

static const struct fleeting_case {
    const char *title;
    enum config_strategy strategy;
    uint32_t idle_ms;
    bool is_told;
} fleeting_cases[] = {
    {"300 ms, told", CONFIG_FAILOVER, 300, true},
    {"300 ms, seen", CONFIG_FAILOVER, 300, false},
    {"800 ms, told", CONFIG_FAILOVER, 800, true},
    {"800 ms, seen", CONFIG_FAILOVER, 800, false},
    {"in turn, told", CONFIG_ROUND_ROBIN, 300, true},
    {"the fastest, told", CONFIG_FASTEST, 300, true},
};

static uint64_t dials_to(const struct bed *b, unsigned n)
{
    return b->servers[n]->stats.connections;
}

static struct bed *start(void **state, const struct fleeting_case *c)
{
    struct bed *b = bed_renew(state, c->title);

    b->config.pool.strategy = c->strategy;
    for (unsigned i = 0; i < SERVERS; i++) {
        struct sim_server *s = bed_add_far_server(b);
        s->manners.idle_close_ms = c->idle_ms;
        s->manners.tells_idle = c->is_told;
    }
    bed_start(b);
    return b;
}

/* Each server is dialled for the first clients, and shows its limit. */
static struct bed *start_known(void **state, const struct fleeting_case *c)
{
    struct bed *b = start(state, c);

    bed_run_ms(b, 2000);
    for (unsigned i = 0; i < LEARNING; i++) {
        assert_int_equal(bed_ask_in_turn(b, 1, 1000), 1);
        bed_run_ms(b, 1500);
    }
    return b;
}

/* One more query, after the limit; how long it took. */
static uint64_t ask_cold(struct bed *b, uint64_t limit_ms)
{
    struct ask a;

    bed_run_ms(b, 1500);
    bed_ask(b, &a, b->world->now_us);
    bool is_answered = bed_wait(b, &a, limit_ms);
    assert_true(is_answered);
    assert_answered(&a, DNS_RCODE_NOERROR);
    return ask_took_ms(&a);
}

/* A query costs a handshake, and not one to each server. */
static void test_one_dial_for_a_query(void **state)
{
    for (size_t i = 0; i < COUNT_OF(fleeting_cases); i++) {
        struct bed *b = start_known(state, &fleeting_cases[i]);
        uint64_t dials = bed_stats(b)->dials;
        for (unsigned k = 0; k < QUERIES; k++) {
            assert_in_range(ask_cold(b, 1000), 0, 8 * BED_PATH_US / 1000);
        }
        /* and those by which it is seen whether it is so still */
        assert_in_range(bed_stats(b)->dials - dials, QUERIES, QUERIES + 8);
    }
}

/* None of them is kept ready when nobody asks. */
static void test_silence_costs_little(void **state)
{
    for (size_t i = 0; i < COUNT_OF(fleeting_cases); i++) {
        const struct fleeting_case *c = &fleeting_cases[i];
        struct bed *b = start_known(state, c);
        uint64_t dials = bed_stats(b)->dials;
        bed_run_ms(b, 9 * MINUTE_MS);
        assert_in_range(bed_stats(b)->dials - dials, 0, c->is_told ? 0 : 30);
    }
}

/* The next server is dialled as soon as one refuses … */
static void test_the_next_after_a_refusal(void **state)
{
    struct bed *b = start_known(state, &fleeting_cases[0]);

    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_REFUSING);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_REFUSING);
    uint64_t others = dials_to(b, 3) + dials_to(b, 4);
    uint64_t third = dials_to(b, 2);
    assert_in_range(ask_cold(b, 1000), 0, 12 * BED_PATH_US / 1000);
    assert_int_equal(dials_to(b, 2) - third, 1);
    assert_int_equal(dials_to(b, 3) + dials_to(b, 4), others);
}

/* … and a quarter of a second after one that is silent. */
static void test_the_next_after_silence(void **state)
{
    struct bed *b = start_known(state, &fleeting_cases[0]);

    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_STALLED);
    assert_in_range(ask_cold(b, 1000), 2 * CONN_NEXT_ADDR_MS,
                    2 * CONN_NEXT_ADDR_MS + 8 * BED_PATH_US / 1000);
    bed_run_ms(b, 3000);
    (void)ask_cold(b, 1000);
    bed_run_ms(b, 3000); /* they have failed twice: nobody waits for them … */
    assert_in_range(ask_cold(b, 1000), 0, 8 * BED_PATH_US / 1000);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
    (void)ask_cold(b, 1000);
    uint64_t queries = b->servers[0]->stats.queries; /* … until they are back */
    (void)ask_cold(b, 1000);
    (void)ask_cold(b, 1000);
    assert_true(b->servers[0]->stats.queries > queries);
}

/* A server whose connections last is the one that is kept ready. */
static void test_one_that_lasts_among_them(void **state)
{
    for (unsigned n = 0; n < SERVERS; n++) {
        struct bed *b = start(state, &fleeting_cases[0]);
        b->servers[n]->manners = (struct sim_manners){0};
        bed_run_ms(b, 2000);
        assert_int_equal(bed_ask_in_turn(b, LEARNING, 1000), LEARNING);
        bed_run_ms(b, MINUTE_MS);
        uint64_t dials = bed_stats(b)->dials;
        for (unsigned k = 0; k < 10; k++) {
            assert_in_range(ask_cold(b, 1000), 0, 3 * BED_PATH_US / 1000);
        }
        assert_in_range(bed_stats(b)->dials - dials, 0, 12);
    }
}

/* One that is on a silent connection waits as well, and others are dialled for
 * it in turn although some of them are silent too. */
static void test_the_next_for_one_that_was_sent(void **state)
{
    for (unsigned silent = 0; silent < 4; silent++) {
        struct bed *b = start_known(state, &fleeting_cases[0]);
        struct ask a;

        bed_run_ms(b, 1500);
        bed_ask(b, &a, 1);
        bed_run_us(b, BED_PATH_US * 4 + 5000);
        assert_int_equal(a.done, 0);
        for (unsigned i = 0; i <= silent; i++) {
            sim_link_set(b->world, bed_link(b, i), SIM_LINK_STALLED);
        }
        assert_true(bed_wait(b, &a, 3000));
        assert_answered(&a, DNS_RCODE_NOERROR);
        assert_in_range(ask_took_ms(&a), 100, 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_one_dial_for_a_query),
        BED_TEST(test_silence_costs_little),
        BED_TEST(test_the_next_after_a_refusal),
        BED_TEST(test_the_next_after_silence),
        BED_TEST(test_one_that_lasts_among_them),
        BED_TEST(test_the_next_for_one_that_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
