/*
 * What net/watch.h promises, checked against whichever of the two
 * implementations this is linked with. How a file is changed is all that
 * differs.
 */
#include "conform.h"

#include "base/err.h"
#include "net/watch.h"

#ifdef CONFORM_SIMULATED
#    include "net_sim.h"
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bed {
    struct conform base;
    char folder[64];
    char path[2][96];
    struct net_watch *watch;
    int count;
    uint64_t last_ms;
    bool closes;
};

static void on_change(void *arg)
{
    struct bed *b = arg;

    assert_non_null(b->watch);
    b->count++;
    b->last_ms = net_now_ms(b->base.loop);
    if (b->closes) {
        net_watch_close(b->watch);
        b->watch = NULL;
    }
}

static void change(struct bed *b, size_t which)
{
#ifdef CONFORM_SIMULATED
    sim_watch_touch(b->base.loop, b->path[which]);
#else
    FILE *f = fopen(b->path[which], "a");

    assert_non_null(f);
    assert_true(fputs("more\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
#endif
}

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));

    conform_begin(&b->base);
    (void)snprintf(b->folder, sizeof(b->folder), "/tmp/conform_XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(b->path[i], sizeof(b->path[i]), "%s/%zu", b->folder, i);
    }
    assert_int_equal(
        net_watch_start(b->base.loop, b->path[0], on_change, b, &b->watch), 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    net_watch_close(b->watch);
    conform_end(&b->base);
    for (size_t i = 0; i < 2; i++) {
        (void)unlink(b->path[i]);
    }
    (void)rmdir(b->folder);
    free(b);
    return 0;
}

static bool is_told(void *arg)
{
    const struct bed *b = arg;
    return b->count > 0;
}

static bool is_long_over(void *arg)
{
    const struct bed *b = arg;
    return b->base.polls > 300;
}

static void one_change_is_told_once(void **state)
{
    struct bed *b = *state;
    uint64_t start_ms = net_now_ms(b->base.loop);

    change(b, 0);
    assert_int_equal(b->count, 0);
    conform_run_until(&b->base, is_told, b);
    assert_true(b->last_ms >= start_ms + 200);
    conform_run_until(&b->base, is_long_over, b);
    assert_int_equal(b->count, 1);
}

/* So many changes, a while apart. A machine that stands still lets some be told
 * meanwhile: then they are made once more. Returns when they began. */
static uint64_t change_untold(struct bed *b, int count)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        uint64_t start_ms = net_now_ms(b->base.loop);
        b->count = 0;
        for (int i = 0; i < count; i++) {
            change(b, 0);
            conform_run_a_while(&b->base);
        }
        if (b->count == 0) {
            return start_ms;
        }
        conform_run_until(&b->base, is_long_over, b);
    }
    fail_msg("told too early");
    return 0;
}

static void changes_together_are_told_once(void **state)
{
    struct bed *b = *state;
    uint64_t start_ms = change_untold(b, 3);

    conform_run_until(&b->base, is_told, b);
    assert_true(b->last_ms >= start_ms + 240);
    b->count = 0;
    change(b, 0);
    conform_run_until(&b->base, is_told, b);
    conform_run_until(&b->base, is_long_over, b);
    assert_int_equal(b->count, 1);
}

static void other_files_do_not_matter(void **state)
{
    struct bed *b = *state;

    change(b, 1);
    conform_run_until(&b->base, is_long_over, b);
    assert_int_equal(b->count, 0);
}

static void closed_before_it_is_told(void **state)
{
    struct bed *b = *state;

    (void)change_untold(b, 1);
    net_watch_close(b->watch);
    b->watch = NULL;
    conform_run_until(&b->base, is_long_over, b);
    assert_int_equal(b->count, 0);
    net_watch_close(NULL);
}

static void closed_when_it_is_told(void **state)
{
    struct bed *b = *state;

    b->closes = true;
    change(b, 0);
    conform_run_until(&b->base, is_told, b);
    conform_run_a_while(&b->base);
    assert_int_equal(b->count, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(one_change_is_told_once),   CASE(changes_together_are_told_once),
        CASE(other_files_do_not_matter), CASE(closed_before_it_is_told),
        CASE(closed_when_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
