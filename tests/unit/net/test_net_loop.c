/*
 * The real loop: order of timers, of posts and of work that is put off.
 */
#include "run.h"

#include <pthread.h>

/* ---- timers ---- */

enum { TIMERS = 6 };

struct timed {
    struct net_timer timer;
    struct net_timer other;
    struct trace *trace;
    uint64_t not_before_ms;
    char name;
};

struct trace {
    char names[32];
    size_t len;
    size_t stop_at;
    struct net_loop *loop;
};

static void note(struct trace *t, char name)
{
    assert_true(t->len < sizeof(t->names) - 1);
    t->names[t->len++] = name;
    if (t->len == t->stop_at) {
        net_loop_stop(t->loop);
    }
}

static void on_timed(struct net_timer *t)
{
    struct timed *timed = CONTAINER_OF(t, struct timed, timer);

    assert_false(net_timer_is_active(t));
    assert_true(net_now_ms(t->loop) >= timed->not_before_ms);
    note(timed->trace, timed->name);
}

static void test_timers_run_in_order(void **state)
{
    static const uint64_t delays_ms[TIMERS] = {30, 1, 65, 1, 0, 5};
    struct net_loop *l = loop_create();
    struct trace trace = {.loop = l, .stop_at = TIMERS};
    struct timed timed[TIMERS];

    (void)state;
    for (size_t i = 0; i < TIMERS; i++) {
        timed[i].trace = &trace;
        timed[i].name = (char)('a' + i);
        timed[i].not_before_ms = net_now_ms(l) + delays_ms[i];
        net_timer_init(&timed[i].timer, l, on_timed);
        net_timer_start(&timed[i].timer, delays_ms[i]);
        assert_true(net_timer_is_active(&timed[i].timer));
    }
    loop_run(l);
    assert_string_equal(trace.names, "ebdfac");
    net_loop_destroy(l);
}

static void on_again(struct net_timer *t)
{
    struct timed *timed = CONTAINER_OF(t, struct timed, timer);

    /* Again with no delay: must neither be lost nor keep the loop busy. */
    net_timer_start(t, timed->trace->len % 2);
    note(timed->trace, timed->name);
}

static void test_timer_starts_itself(void **state)
{
    struct net_loop *l = loop_create();
    struct trace trace = {.loop = l, .stop_at = 8};
    struct timed a = {.trace = &trace, .name = 'a'};

    (void)state;
    net_timer_init(&a.timer, l, on_again);
    net_timer_start(&a.timer, 1);
    loop_run(l);
    assert_string_equal(trace.names, "aaaaaaaa");
    net_timer_stop(&a.timer);
    net_timer_stop(&a.timer);
    net_loop_destroy(l);
}

struct pair {
    struct net_timer first, second, third, last;
    struct trace trace;
};

static void on_first(struct net_timer *t)
{
    struct pair *p = CONTAINER_OF(t, struct pair, first);

    net_timer_stop(&p->second);     /* due in the same millisecond */
    net_timer_start(&p->third, 20); /* so was this one */
    note(&p->trace, '1');
}

static void on_second(struct net_timer *t)
{
    note(&CONTAINER_OF(t, struct pair, second)->trace, '2');
}

static void on_third(struct net_timer *t)
{
    note(&CONTAINER_OF(t, struct pair, third)->trace, '3');
}

static void on_last(struct net_timer *t)
{
    note(&CONTAINER_OF(t, struct pair, last)->trace, '4');
}

static void test_timers_changed_by_a_timer(void **state)
{
    struct net_loop *l = loop_create();
    struct pair p = {.trace = {.loop = l, .stop_at = 3}};

    (void)state;
    net_timer_init(&p.first, l, on_first);
    net_timer_init(&p.second, l, on_second);
    net_timer_init(&p.third, l, on_third);
    net_timer_init(&p.last, l, on_last);
    net_timer_start(&p.first, 2);
    net_timer_start(&p.second, 2);
    net_timer_start(&p.third, 2);
    net_timer_start(&p.last, 10);
    loop_run(l);
    assert_string_equal(p.trace.names, "143");
    net_loop_destroy(l);
}

/* ---- posts ---- */

enum { POSTS = 1000 };

struct posts {
    struct net_loop *loop;
    size_t count;
    bool is_in_order;
};

struct posted {
    struct posts *all;
    size_t index;
};

static struct posted posted[POSTS];

static void on_posted(void *arg)
{
    struct posted *p = arg;

    if (p->index != p->all->count) {
        p->all->is_in_order = false;
    }
    if (++p->all->count == POSTS) {
        net_loop_stop(p->all->loop);
    }
}

static void *post_all(void *arg)
{
    struct posts *all = arg;

    for (size_t i = 0; i < POSTS; i++) {
        posted[i] = (struct posted){all, i};
        if (net_loop_post(all->loop, on_posted, &posted[i]) != 0) {
            break;
        }
    }
    return NULL;
}

static void test_posts_of_another_thread(void **state)
{
    struct posts all = {.loop = loop_create(), .is_in_order = true};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, post_all, &all), 0);
    loop_run(all.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(all.count, POSTS);
    assert_true(all.is_in_order);
    net_loop_destroy(all.loop);
}

static void *stop_loop(void *arg)
{
    net_loop_stop(arg);
    return NULL;
}

static void test_stop_by_another_thread(void **state)
{
    struct net_loop *l = loop_create();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, stop_loop, l), 0);
    loop_run(l);
    assert_int_equal(pthread_join(thread, NULL), 0);
    net_loop_stop(l); /* before it runs: holds as well, for one run */
    loop_run(l);
    net_loop_destroy(l);
}

static void on_never(void *arg)
{
    *(bool *)arg = true;
}

static void test_post_that_comes_too_late(void **state)
{
    struct net_loop *l = loop_create();
    bool was_called = false;

    (void)state;
    assert_int_equal(net_loop_post(l, on_never, &was_called), 0);
    net_loop_destroy(l);
    assert_false(was_called);
    net_loop_destroy(NULL);
}

/* ---- work put off ---- */

struct turns {
    struct net_turn first, second, third;
    struct net_timer timer;
    struct trace trace;
};

static void on_turns_post(void *arg)
{
    note(&((struct turns *)arg)->trace, 'p');
}

static void on_turn_first(struct net_turn *t)
{
    struct turns *all = CONTAINER_OF(t, struct turns, first);
    struct net_loop *l = all->trace.loop;

    /* Another turn is needed for the post, none for the second. */
    assert_int_equal(net_loop_post(l, on_turns_post, all), 0);
    net_turn_defer(l, &all->second);
    note(&all->trace, '1');
}

static void on_turn_second(struct net_turn *t)
{
    note(&CONTAINER_OF(t, struct turns, second)->trace, '2');
}

static void on_turn_third(struct net_turn *t)
{
    note(&CONTAINER_OF(t, struct turns, third)->trace, '3');
}

static void defer_some(struct turns *all)
{
    struct net_loop *l = all->trace.loop;

    net_turn_defer(l, &all->first);
    net_turn_defer(l, &all->first);
    net_turn_defer(l, &all->third);
    net_turn_cancel(&all->third);
    net_turn_cancel(&all->third);
    note(&all->trace, 'd');
}

static void on_defer_timer(struct net_timer *t)
{
    defer_some(CONTAINER_OF(t, struct turns, timer));
}

static void on_defer_post(void *arg)
{
    defer_some(arg);
}

static void turns_init(struct turns *all)
{
    memset(all, 0, sizeof(*all));
    all->trace.loop = loop_create();
    all->trace.stop_at = 4;
    net_turn_init(&all->first, on_turn_first);
    net_turn_init(&all->second, on_turn_second);
    net_turn_init(&all->third, on_turn_third);
    net_timer_init(&all->timer, all->trace.loop, on_defer_timer);
}

static void turns_check(struct turns *all)
{
    loop_run(all->trace.loop);
    assert_string_equal(all->trace.names, "d12p");
    net_loop_destroy(all->trace.loop);
}

static void test_turn_put_off_before_the_loop_runs(void **state)
{
    struct turns all;

    (void)state;
    turns_init(&all);
    defer_some(&all);
    turns_check(&all);
}

static void test_turn_put_off_by_a_timer(void **state)
{
    struct turns all;

    (void)state;
    turns_init(&all);
    net_timer_start(&all.timer, 1);
    turns_check(&all);
}

static void test_turn_put_off_by_a_post(void **state)
{
    struct turns all;

    (void)state;
    turns_init(&all);
    assert_int_equal(net_loop_post(all.trace.loop, on_defer_post, &all), 0);
    turns_check(&all);
}

/* ---- the rest ---- */

static void test_random_fills_all(void **state)
{
    struct net_loop *l = loop_create();
    uint8_t octets[300];
    uint8_t seen[sizeof(octets)] = {0};

    (void)state;
    for (int round = 0; round < 8; round++) {
        memset(octets, 0, sizeof(octets));
        net_random(l, octets, sizeof(octets) - 1);
        assert_int_equal(octets[sizeof(octets) - 1], 0);
        for (size_t i = 0; i < sizeof(octets); i++) {
            seen[i] |= octets[i];
        }
    }
    for (size_t i = 0; i < sizeof(seen) - 1; i++) {
        assert_int_not_equal(seen[i], 0);
    }
    net_random(l, octets, 0);
    net_loop_destroy(l);
}

static void test_microseconds_do_not_go_back(void **state)
{
    struct net_loop *l = loop_create();
    uint64_t before_us = net_now_us(l);

    (void)state;
    assert_true(before_us > 0);
    assert_true(net_now_us(l) >= before_us);
    net_loop_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_run_in_order),
        cmocka_unit_test(test_timer_starts_itself),
        cmocka_unit_test(test_timers_changed_by_a_timer),
        cmocka_unit_test(test_posts_of_another_thread),
        cmocka_unit_test(test_stop_by_another_thread),
        cmocka_unit_test(test_post_that_comes_too_late),
        cmocka_unit_test(test_turn_put_off_before_the_loop_runs),
        cmocka_unit_test(test_turn_put_off_by_a_timer),
        cmocka_unit_test(test_turn_put_off_by_a_post),
        cmocka_unit_test(test_random_fills_all),
        cmocka_unit_test(test_microseconds_do_not_go_back),
    };

    return cmocka_run_group_tests_name("net_loop", tests, NULL, NULL);
}
