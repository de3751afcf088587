/*
 * A run repeats itself to the bit, and the invariant can be broken.
 */
#include "day.h"
#include "zone.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_seed_gives_a_run(void **state)
{
    struct sim_result a;
    struct sim_result again;
    struct sim_result other;

    (void)state;
    assert_true(sim_run(1, NULL, false, &a));
    assert_true(sim_run(1, NULL, false, &again));
    assert_true(sim_run(2, NULL, false, &other));
    assert_int_equal(a.faults, 0);
    assert_true(a.asked > 100 && a.right > 0);
    assert_true(a.trace == again.trace);
    assert_memory_equal(&a, &again, sizeof(a));
    assert_true(a.trace != other.trace);
}

static void a_scenario_is_known_by_name(void **state)
{
    struct sim_result r;

    (void)state;
    assert_true(sim_run(3, "stall+garbage", false, &r));
    assert_string_equal(r.scenario, "stall+garbage");
    assert_false(sim_run(3, "no_such_fault", false, &r));
}

/* Every third seed has several workers, which share what they ask. */
static void workers_share(void **state)
{
    struct sim_result r;
    uint64_t followed = 0;

    (void)state;
    assert_true(sim_run(4, "slow_answers", false, &r));
    assert_int_equal(r.followed, 0);
    for (uint64_t seed = 3; seed <= 27; seed += 3) {
        assert_true(sim_run(seed, "slow_answers", false, &r));
        assert_int_equal(r.faults, 0);
        followed += r.followed;
    }
    assert_true(followed > 0); /* how many is for the seeds to say */
}

/* Two hours and the quiet at their end: a day is long. */
static void a_seed_gives_a_day(void **state)
{
    struct sim_day a;
    struct sim_day again;

    (void)state;
    sim_day_run(1, 2, false, &a);
    sim_day_run(1, 2, false, &again);
    assert_int_equal(a.run.faults, 0);
    assert_true(a.run.asked > 1000 && a.run.right > 0 && a.at_home > 0);
    assert_true(a.run.trace == again.run.trace);
    assert_int_equal(a.hits, again.hits);
}

static bool never(void *arg, const struct dns_question *q, uint64_t from_us,
                  uint64_t to_us)
{
    (void)arg;
    (void)q;
    (void)from_us;
    (void)to_us;
    return false;
}

/* The ledger finds each way to break the invariant. */
static void faults_are_found(void **state)
{
    struct sim_world *w = sim_world_create(1);
    struct sim_ledger l;
    struct list queries;
    uint8_t query[LEDGER_QUERY_MAX];
    uint8_t answer[ZONE_MESSAGE_MAX];
    struct dns_query parsed;

    (void)state;
    list_init(&queries);
    sim_ledger_init(&l, w);
    l.is_hopeless = never;
    l.deadline_us = 1000000;
    size_t len = zone_query(9, ZONE_PLAIN, 1, DNS_TYPE_A, 0, query);
    struct span q = span_of(query, len);
    assert_int_equal(dns_query_parse(q, &parsed), DNS_QUERY_OK);
    size_t answer_len = zone_answer(q, &parsed, answer);
    struct span a = span_of(answer, answer_len);

    (void)sim_ledger_ask(&l, q, true, 0, &queries);
    sim_ledger_answer(&l, &queries, a);
    assert_int_equal(l.faults, 0);
    assert_int_equal(l.right, 1);
    sim_ledger_answer(&l, &queries, a);
    assert_int_equal(l.faults, 1); /* again */
    sim_world_run_until(w, w->now_us + 10000000);
    sim_ledger_answer(&l, &queries, a);
    assert_int_equal(l.faults, 2); /* to no query */
    (void)sim_ledger_ask(&l, q, true, 0, &queries);
    sim_world_run_until(w, w->now_us + 10000000);
    assert_int_equal(l.faults, 3); /* never */
    (void)sim_ledger_ask(&l, q, true, 0, &queries);
    sim_world_run_until(w, w->now_us + 1500000);
    sim_ledger_answer(&l, &queries, a);
    assert_int_equal(l.faults, 4); /* late */
    sim_world_run_until(w, w->now_us + 10000000);
    (void)sim_ledger_ask(&l, q, true, 0, &queries);
    a.len = zone_error(q, &parsed, DNS_RCODE_SERVFAIL, answer);
    sim_ledger_answer(&l, &queries, a);
    assert_int_equal(l.faults, 5); /* SERVFAIL, and a server was well */
    sim_ledger_finish(&l);
    sim_world_destroy(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_a_run),
        cmocka_unit_test(a_scenario_is_known_by_name),
        cmocka_unit_test(workers_share),
        cmocka_unit_test(a_seed_gives_a_day),
        cmocka_unit_test(faults_are_found),
    };
    log_setup(LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
