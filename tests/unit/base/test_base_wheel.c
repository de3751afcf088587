/*
 * The timing wheel, beside a plain array that is searched in full.
 */
#include "base/rng.h"
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct wheel_entry *take_due(struct list *due)
{
    struct wheel_entry *e;

    if (list_is_empty(due)) {
        return NULL;
    }
    e = LIST_FIRST(due, struct wheel_entry, node);
    list_remove(&e->node);
    return e;
}

static const struct fire_case {
    uint64_t start_ms;
    uint64_t delay_ms;
} fire_cases[] = {
    {0, 1},
    {0, 63},
    {0, 64},
    {0, 65},
    {63, 1},
    {1, 4095},
    {4095, 1},
    {100, 4096},
    {0, 262144},
    {262143, 262144},
    {12345, 3600000},
    {999999999, 86400000},
    {0, (1ull << 30) - 1},
    {0, 1ull << 30},
    {(1ull << 36) - 1, 1},
    {(1ull << 36) - 1, 1ull << 30},
    {5, (1ull << 36) - 1},
    {(1ull << 30) - 1, (1ull << 36) - 1},
    {5, 1ull << 36},
    {(1ull << 36) - 7, (1ull << 36) + 9},
    {77, 1ull << 40},
    {1ull << 50, 1ull << 38},
};

/* Not a millisecond early, and at the first advance that reaches it. */
static void fires_when_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fire_cases); i++) {
        const struct fire_case *c = &fire_cases[i];
        struct wheel w;
        struct wheel_entry e = {0};
        struct list due;

        list_init(&due);
        wheel_init(&w, c->start_ms);
        wheel_arm(&w, &e, c->start_ms + c->delay_ms);
        assert_true(e.is_armed);
        assert_true(wheel_next_ms(&w) <= c->delay_ms);
        wheel_advance(&w, c->start_ms + c->delay_ms - 1, &due);
        assert_null(take_due(&due));
        assert_int_equal(wheel_next_ms(&w), 1);
        wheel_advance(&w, c->start_ms + c->delay_ms, &due);
        assert_ptr_equal(take_due(&due), &e);
        assert_false(e.is_armed);
        assert_int_equal(wheel_next_ms(&w), UINT64_MAX);
    }
}

/* Sleeping as long as wheel_next_ms() says reaches every expiry in time and
 * with few wakes. */
static void next_leads_to_the_expiry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fire_cases); i++) {
        const struct fire_case *c = &fire_cases[i];
        struct wheel w;
        struct wheel_entry e = {0};
        struct list due;
        int wakes = 0;

        list_init(&due);
        wheel_init(&w, c->start_ms);
        wheel_arm(&w, &e, c->start_ms + c->delay_ms);
        while (e.is_armed) {
            wheel_advance(&w, w.now_ms + wheel_next_ms(&w), &due);
            assert_true(++wakes < 300);
        }
        assert_int_equal(w.now_ms, c->start_ms + c->delay_ms);
        assert_ptr_equal(take_due(&due), &e);
    }
}

static void past_is_due_at_once(void **state)
{
    struct wheel w;
    struct wheel_entry e;
    struct list due;

    (void)state;
    list_init(&due);
    wheel_entry_init(&e);
    wheel_init(&w, 1000);
    wheel_arm(&w, &e, 5);
    assert_int_equal(wheel_next_ms(&w), 0);
    wheel_advance(&w, 1000, &due);
    assert_ptr_equal(take_due(&due), &e);
}

static void time_never_goes_back(void **state)
{
    struct wheel w;
    struct wheel_entry e = {0};
    struct list due;

    (void)state;
    list_init(&due);
    wheel_init(&w, 1000);
    wheel_arm(&w, &e, 1500);
    wheel_advance(&w, 10, &due);
    assert_int_equal(w.now_ms, 1000);
    assert_int_equal(wheel_next_ms(&w) <= 500, 1);
    wheel_advance(&w, 1500, &due);
    assert_ptr_equal(take_due(&due), &e);
}

static void cancel_and_rearm(void **state)
{
    struct wheel w;
    struct wheel_entry a = {0}, b = {0};
    struct list due;

    (void)state;
    list_init(&due);
    wheel_init(&w, 0);
    wheel_cancel(&w, &a);
    wheel_arm(&w, &a, 100000);
    wheel_arm(&w, &b, 100000);
    wheel_cancel(&w, &a);
    wheel_cancel(&w, &a);
    assert_false(a.is_armed);
    wheel_cancel(&w, &b);
    assert_int_equal(wheel_next_ms(&w), UINT64_MAX);
    wheel_arm(&w, &a, 7);
    wheel_arm(&w, &a, 9); /* moved */
    wheel_advance(&w, 8, &due);
    assert_null(take_due(&due));
    wheel_advance(&w, 9, &due);
    assert_ptr_equal(take_due(&due), &a);
}

/* Whoever acts on one due entry may cancel or arm another that is due. */
static void due_entries_may_be_cancelled_or_armed(void **state)
{
    struct wheel w;
    struct wheel_entry e[4];
    struct list due;

    (void)state;
    list_init(&due);
    wheel_init(&w, 0);
    for (unsigned i = 0; i < 4; i++) {
        wheel_entry_init(&e[i]);
        wheel_arm(&w, &e[i], 10 + i);
    }
    wheel_advance(&w, 100, &due);
    assert_ptr_equal(take_due(&due), &e[0]);
    wheel_cancel(&w, &e[1]);
    wheel_arm(&w, &e[2], 100); /* due again, but not in this list */
    assert_ptr_equal(take_due(&due), &e[3]);
    assert_null(take_due(&due));
    wheel_advance(&w, 100, &due);
    assert_ptr_equal(take_due(&due), &e[2]);
    assert_null(take_due(&due));
}

enum { ENTRIES = 60 };

struct model {
    struct wheel w;
    struct wheel_entry e[ENTRIES];
    uint64_t want_ms[ENTRIES]; /* UINT64_MAX: not armed */
};

/* Delays of all sizes, most of them small; now and then beyond the wheel. */
static uint64_t random_delay(struct rng *r)
{
    return rng_next(r) >> (24 + rng_below(r, 40));
}

static uint64_t model_earliest(const struct model *m)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < ENTRIES; i++) {
        least = m->want_ms[i] < least ? m->want_ms[i] : least;
    }
    return least;
}

static void model_advance(struct model *m, uint64_t to_ms)
{
    struct list due;
    struct wheel_entry *e;
    uint64_t last_ms = 0;

    list_init(&due);
    wheel_advance(&m->w, to_ms, &due);
    while ((e = take_due(&due)) != NULL) {
        size_t i = (size_t)(e - m->e);
        assert_false(e->is_armed);
        assert_true(m->want_ms[i] <= to_ms);   /* never early */
        assert_true(m->want_ms[i] >= last_ms); /* in order */
        last_ms = m->want_ms[i];
        m->want_ms[i] = UINT64_MAX;
    }
    assert_true(model_earliest(m) > to_ms); /* none forgotten */
}

static void model_step(struct model *m, struct rng *r)
{
    unsigned i = rng_below(r, ENTRIES);
    uint64_t earliest;

    switch (rng_below(r, 5)) {
    case 0:
    case 1:
    case 2:
        m->want_ms[i] = m->w.now_ms + random_delay(r);
        wheel_arm(&m->w, &m->e[i], m->want_ms[i]);
        break;
    case 3:
        m->want_ms[i] = UINT64_MAX;
        wheel_cancel(&m->w, &m->e[i]);
        break;
    default:
        model_advance(m, m->w.now_ms + (random_delay(r) >> rng_below(r, 9)));
    }
    earliest = model_earliest(m);
    if (earliest == UINT64_MAX) {
        assert_int_equal(wheel_next_ms(&m->w), UINT64_MAX);
    } else {
        assert_true(wheel_next_ms(&m->w) <= earliest - m->w.now_ms);
    }
}

static void agrees_with_a_plain_list(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rng r;

        rng_seed(&r, seed);
        wheel_init(&m.w, rng_next(&r) >> (10 + rng_below(&r, 54)));
        for (int i = 0; i < ENTRIES; i++) {
            wheel_entry_init(&m.e[i]);
            m.want_ms[i] = UINT64_MAX;
        }
        for (int i = 0; i < 3000; i++) {
            model_step(&m, &r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_when_due),
        cmocka_unit_test(next_leads_to_the_expiry),
        cmocka_unit_test(past_is_due_at_once),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(cancel_and_rearm),
        cmocka_unit_test(due_entries_may_be_cancelled_or_armed),
        cmocka_unit_test(agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests_name("base_wheel", tests, NULL, NULL);
}
