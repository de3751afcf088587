/*
 * What is kept ready while nobody asks, for how long, and what it costs the
 * servers.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, SILENCES = 12 };

static uint64_t dials_to(const struct bed *b, unsigned n)
{
    return b->servers[n]->stats.connections;
}

/* ---- silence ---- */

/* One that must not wait, and is answered at once. */
static void ask_one(struct bed *b)
{
    struct ask a;

    bed_ask(b, &a, b->world->now_us);
    bool is_answered = bed_wait(b, &a, 1000);
    assert_true(is_answered);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_in_range(ask_took_ms(&a), 0, 2 * BED_PATH_US / 1000 + 2);
    assert_int_equal(bed_stats(b)->waited, 0);
}

static const struct silence_case {
    const char *title;
    uint32_t idle_ms, age_ms;
    bool is_told;
} silence_cases[] = {
    {"1 s, told", 1000, 0, true},
    {"1.1 s, seen", 1100, 0, false},
    {"2 s, told", 2000, 0, true},
    {"2 s, seen", 2000, 0, false},
    {"10 s, seen", 10000, 0, false},
    {"60 s, told", 60000, 0, true},
    {"1 s in all, seen", 0, 1000, false},
    {"2 s in all, seen", 0, 2000, false},
    {"no limit", 0, 0, false},
};

/* A pool of one server that ends connections like this, and knows it. */
static struct bed *start_silence(void **state, const struct silence_case *c)
{
    struct bed *b = bed_renew(state, c->title);
    struct sim_server *s = bed_add_far_server(b);

    s->manners.idle_close_ms = c->idle_ms;
    s->manners.age_close_ms = c->age_ms;
    s->manners.tells_idle = c->is_told;
    bed_start(b);
    bed_run_ms(b, 200);
    ask_one(b);
    bed_run_ms(b, c->idle_ms + c->age_ms + 300);
    return b;
}

/* However long nobody asked, up to warm_for. */
static void test_no_query_waits_after_a_silence(void **state)
{
    for (size_t i = 0; i < COUNT_OF(silence_cases); i++) {
        const struct silence_case *c = &silence_cases[i];
        struct bed *b = start_silence(state, c);
        uint64_t dials = bed_stats(b)->dials;
        uint64_t since_us = b->world->now_us;
        ask_one(b);
        for (unsigned k = 0; k < SILENCES; k++) {
            bed_run_ms(b, sim_between(b->world, 1, b->config.warm_for_ms));
            ask_one(b);
        }
        /* at the most a connection for three quarters of the limit */
        uint32_t limit_ms = c->idle_ms + c->age_ms;
        uint64_t ms = (b->world->now_us - since_us) / 1000;
        uint64_t most = limit_ms == 0 ? 0 : ms * 4 / 3 / limit_ms + 3;
        assert_in_range(bed_stats(b)->dials - dials, 0, most);
    }
}

/* A query every 3 s, each after the limit. */
static void test_no_query_waits_at_a_slow_pace(void **state)
{
    for (size_t i = 0; i < COUNT_OF(silence_cases); i++) {
        struct bed *b = start_silence(state, &silence_cases[i]);
        for (unsigned k = 0; k < 10 * MINUTE_MS / 3000; k++) {
            ask_one(b);
            bed_run_ms(b, 3000);
        }
    }
}

/* Each server that takes queries is ready, whatever the strategy. */
static void test_each_server_in_use_is_ready(void **state)
{
    static const struct {
        enum config_strategy strategy;
        unsigned ready; /* of three, after a long silence */
    } cases[] = {
        {CONFIG_FAILOVER, 1},
        {CONFIG_RACE, 2},
        {CONFIG_ROUND_ROBIN, 3},
        {CONFIG_FASTEST, 3},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed *b = bed_renew(state, "a strategy");
        b->config.pool.strategy = cases[i].strategy;
        for (unsigned n = 0; n < 3; n++) {
            bed_add_far_server(b)->manners.idle_close_ms = 2000;
        }
        bed_start(b);
        bed_run_ms(b, 3000);
        ask_one(b);
        bed_run_ms(b, 5 * MINUTE_MS);
        for (unsigned k = 0; k < 4000; k++) {
            bed_run_ms(b, 1);
            for (unsigned n = 0; n < cases[i].ready; n++) {
                assert_true(b->pool->servers[n]->ready > 0);
            }
        }
        ask_one(b);
    }
}

/* A spare, which is asked nothing while the others are well, costs less. */
static void test_a_spare_is_kept_for_a_while(void **state)
{
    struct bed *b = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct sim_server *s = bed_add_far_server(b);
        s->manners.idle_close_ms = 2000;
        s->manners.tells_idle = true;
    }
    bed_start(b);
    bed_run_ms(b, 2500); /* the spare's limit is seen */
    (void)bed_ask_for(b, 100, 100);
    uint64_t first = dials_to(b, 0);
    uint64_t spare = dials_to(b, 1);
    bed_run_ms(b, b->config.warm_for_ms - 200);
    assert_true(b->pool->servers[0]->ready > 0);
    assert_in_range(dials_to(b, 0) - first, 290, 380);
    assert_in_range(dials_to(b, 1) - spare, 55, 80);
}

/* ---- connections for nothing ---- */

static const struct brief_case {
    const char *title;
    uint32_t hang_up_ms, idle_ms, age_ms;
} brief_cases[] = {
    {"hangs up at once", 1, 0, 0},
    {"before our question is answered", 15, 0, 0},
    {"after it", 60, 0, 0},
    {"a little later", 500, 0, 0},
    {"idle ones after 300 ms", 0, 300, 0},
    {"idle ones after 800 ms", 0, 800, 0},
    {"old ones after 600 ms", 0, 0, 600},
};

static struct sim_server *add_brief(struct bed *b, const struct brief_case *c)
{
    struct sim_server *s = bed_add_far_server(b);

    s->manners.hang_up_ms = c->hang_up_ms;
    s->manners.idle_close_ms = c->idle_ms;
    s->manners.age_close_ms = c->age_ms;
    return s;
}

/* Nobody asks: back-off to retry_max, 30 s give or take a fifth. */
static void test_idle_dials_are_bounded(void **state)
{
    for (size_t i = 0; i < COUNT_OF(brief_cases); i++) {
        struct bed *b = bed_renew(state, brief_cases[i].title);
        b->config.warm_for_ms = 3 * HOUR_MS;
        (void)add_brief(b, &brief_cases[i]);
        bed_start(b);
        bed_run_ms(b, HOUR_MS);
        assert_in_range(dials_to(b, 0), 90, 140);
        uint64_t dials = dials_to(b, 0);
        bed_run_ms(b, HOUR_MS);
        assert_in_range(dials_to(b, 0) - dials, 90, 125);
    }
}

/* … nor while clients ask, if another server answers them. */
static void test_clients_of_another_server(void **state)
{
    for (size_t i = 0; i < COUNT_OF(brief_cases); i++) {
        const struct brief_case *c = &brief_cases[i];
        struct bed *b = bed_renew(state, c->title);
        (void)add_brief(b, c);
        (void)bed_add_far_server(b);
        bed_start(b);
        bed_run_ms(b, 5000);
        uint64_t dials = dials_to(b, 0);
        (void)bed_ask_for(b, 10 * MINUTE_MS, 2000);
        assert_in_range(dials_to(b, 0) - dials, 0, 50);
        assert_int_equal(bed_stats(b)->waited, 0);
        bed_run_ms(b, 5 * MINUTE_MS); /* and the other is always ready */
        assert_int_equal(b->servers[1]->stats.connections, 1);
        ask_one(b);
    }
}

/* The next server is then kept ready as if it were the first. */
static void test_the_next_server_takes_its_place(void **state)
{
    struct bed *b = *state;

    (void)add_brief(b, &(struct brief_case){.hang_up_ms = 60});
    bed_add_far_server(b)->manners.idle_close_ms = 2000;
    bed_start(b);
    bed_run_ms(b, 5000);
    ask_one(b);
    for (unsigned i = 0; i < 10 * MINUTE_MS / 50; i++) {
        assert_true(b->pool->servers[1]->ready > 0);
        bed_run_ms(b, 50);
    }
}

/* … all the time: the answers that it gives between are not worth it. */
static void test_busy_clients_of_another_server(void **state)
{
    for (size_t i = 0; brief_cases[i].hang_up_ms < 100; i++) {
        struct bed *b = bed_renew(state, brief_cases[i].title);
        (void)add_brief(b, &brief_cases[i]);
        (void)bed_add_far_server(b);
        bed_start(b);
        bed_run_ms(b, 200);
        (void)bed_ask_for(b, 10 * MINUTE_MS, 50);
        assert_in_range(dials_to(b, 0), 20, 50);
        assert_int_equal(bed_stats(b)->waited, 0);
    }
}

/* The only one is dialled when it is needed, not when its back-off ends. */
static void test_a_client_does_not_wait_for_back_off(void **state)
{
    for (size_t i = 2; i < COUNT_OF(brief_cases); i++) {
        struct bed *b = bed_renew(state, brief_cases[i].title);
        struct ask a;
        b->config.warm_for_ms = HOUR_MS;
        (void)add_brief(b, &brief_cases[i]);
        bed_start(b);
        bed_run_ms(b, 10 * MINUTE_MS);
        for (unsigned k = 0; k < 20; k++) {
            uint64_t dials = dials_to(b, 0);
            bed_ask(b, &a, k);
            bool is_answered = bed_wait(b, &a, 1000);
            assert_true(is_answered);
            assert_answered(&a, DNS_RCODE_NOERROR);
            assert_in_range(ask_took_ms(&a), 0, 8 * BED_PATH_US / 1000);
            bed_run_ms(b, 7000);
            assert_in_range(dials_to(b, 0) - dials, 0, 4);
        }
    }
}

/* A connection that it keeps is no reason to open others all the time, be it
 * ahead of a limit … */
static void test_successors_that_are_hung_up_on(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    s->manners.idle_close_ms = 10000;
    s->manners.tells_idle = true;
    bed_start(b);
    bed_run_ms(b, 200);
    ask_one(b);
    s->manners = (struct sim_manners){.hang_up_ms = 20};
    bed_run_ms(b, MINUTE_MS);
    assert_in_range(dials_to(b, 0), 5, 12);
}

/* … or because it is full. */
static void test_second_connections_that_are_hung_up_on(void **state)
{
    struct bed *b = *state;

    b->config.queries_per_connection = 1;
    struct sim_server *s = bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 200);
    s->manners.hang_up_ms = 1;
    s->latency_us = 5000;
    for (unsigned i = 0; i < 100; i++) {
        struct ask asks[3];
        bed_ask_many(b, asks, COUNT_OF(asks));
        bed_run_ms(b, 200);
        for (size_t k = 0; k < COUNT_OF(asks); k++) {
            assert_answered(&asks[k], DNS_RCODE_NOERROR);
        }
    }
    assert_in_range(dials_to(b, 0), 10, 20000 / 250 + 5);
}

/* In another network it may be another server: back-off begins anew. */
static void test_another_network(void **state)
{
    struct bed *b = *state;

    (void)add_brief(b, &(struct brief_case){.hang_up_ms = 60});
    bed_start(b);
    bed_run_ms(b, 5 * MINUTE_MS);
    uint64_t dials = dials_to(b, 0);
    upstream_pool_network_changed(b->pool, NULL);
    bed_run_ms(b, 2500);
    assert_in_range(dials_to(b, 0) - dials, 3, 6);
}

/* One answer a connection is a habit that one can live with. */
static void test_one_answer_a_connection(void **state)
{
    struct bed *b = *state;

    bed_add_far_server(b)->manners.close_after = 1;
    bed_start(b);
    bed_run_ms(b, 200);
    assert_int_equal(bed_ask_for(b, MINUTE_MS, 200), 0);
    assert_int_equal(bed_stats(b)->waited, 0);
    assert_in_range(bed_stats(b)->dials, 300, 302);
}

/* It is as before when it behaves again, and dialled at once after that. */
static void test_a_server_that_mends_its_ways(void **state)
{
    for (size_t i = 0; i < COUNT_OF(brief_cases); i++) {
        struct bed *b = bed_renew(state, brief_cases[i].title);
        b->config.warm_for_ms = 3 * HOUR_MS;
        struct sim_server *s = add_brief(b, &brief_cases[i]);
        (void)bed_add_far_server(b);
        bed_start(b);
        bed_run_ms(b, 10 * MINUTE_MS);
        s->manners = (struct sim_manners){0};
        bed_run_ms(b, MINUTE_MS);
        assert_true(b->pool->servers[0]->ready > 0);
        uint64_t queries = s->stats.queries;
        assert_int_equal(bed_ask_in_turn(b, 3, 100), 3);
        assert_int_equal(s->stats.queries - queries, 3);
        sim_server_close_all(s, false);
        bed_run_ms(b, 100);
        assert_true(b->pool->servers[0]->ready > 0);
    }
}

/* The first server stopped a third of a second after an answer. That is not
 * its idle limit, and it is used again. */
static void test_a_restart_soon_after_an_answer(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_far_server(b);
    (void)bed_add_far_server(b);
    bed_start(b);
    bed_run_ms(b, 5000);
    (void)bed_ask_for(b, 330, 330);
    sim_server_stop(s, SIM_STOP_POLITE);
    sim_server_start(s);
    (void)bed_ask_for(b, 2 * MINUTE_MS, 1000);
    uint64_t queries = s->stats.queries;
    assert_int_equal(bed_ask_in_turn(b, 5, 100), 5);
    assert_int_equal(s->stats.queries - queries, 5);
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
            bed_add_far_server(b)->manners.idle_close_ms = c->idle_close_ms;
        }
        bed_start(b);
        bed_run_ms(b, 200);
        assert_int_equal(bed_stats(b)->dials > 0, c->warm_for_ms > 0);
        (void)bed_ask_for(b, 1000, 100);
        bed_run_ms(b, c->warm_for_ms + WARM_LEAST_MS + 500);
        uint64_t dials = bed_stats(b)->dials;
        assert_int_equal(sim_loop_open_count(b->loop), 0);
        assert_true(wheel_next_ms(&b->loop->wheel) == UINT64_MAX);
        bed_run_ms(b, 24 * 3600 * 1000);
        assert_int_equal(bed_stats(b)->dials, dials);
        (void)bed_ask_for(b, 100, 100);
    }
}

/* With warm_for 0 a connection is opened for a client, and no sooner. */
static void test_never_warm_dials_for_clients_alone(void **state)
{
    struct bed *b = *state;

    b->config.warm_for_ms = 0;
    struct sim_server *s = bed_add_far_server(b);
    s->manners.idle_close_ms = 1000;
    bed_start(b);
    bed_run_ms(b, 5000);
    assert_int_equal(s->stats.connections, 0);
    (void)bed_ask_for(b, 100, 100);
    assert_int_equal(s->stats.connections, 1);
    bed_run_ms(b, 60000);
    assert_int_equal(s->stats.connections, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_no_query_waits_after_a_silence),
        BED_TEST(test_no_query_waits_at_a_slow_pace),
        BED_TEST(test_each_server_in_use_is_ready),
        BED_TEST(test_a_spare_is_kept_for_a_while),
        BED_TEST(test_idle_dials_are_bounded),
        BED_TEST(test_clients_of_another_server),
        BED_TEST(test_the_next_server_takes_its_place),
        BED_TEST(test_successors_that_are_hung_up_on),
        BED_TEST(test_second_connections_that_are_hung_up_on),
        BED_TEST(test_another_network),
        BED_TEST(test_busy_clients_of_another_server),
        BED_TEST(test_a_client_does_not_wait_for_back_off),
        BED_TEST(test_one_answer_a_connection),
        BED_TEST(test_a_server_that_mends_its_ways),
        BED_TEST(test_a_restart_soon_after_an_answer),
        BED_TEST(test_sleeping_users_cost_nothing),
        BED_TEST(test_never_warm_dials_for_clients_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
