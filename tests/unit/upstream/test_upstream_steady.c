/*
 * Back-off of a server that hangs up: it ends when the server is mended, and
 * nothing goes around it before.
 */
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

enum { MINUTE_MS = 60 * 1000, HANG_UP_MS = 60, IDLE_MS = 10000 };

static uint64_t dials_to(const struct bed *b, unsigned n)
{
    return b->servers[n]->stats.connections;
}

/* After a minute of connections that it ended at once it is as it should be. */
static struct sim_server *start_mended(struct bed *b)
{
    struct sim_server *s = bed_add_far_server(b);

    s->manners.hang_up_ms = HANG_UP_MS;
    bed_start(b);
    bed_run_ms(b, MINUTE_MS);
    assert_true(b->pool->servers[0]->brief > BRIEF_TIMES);
    s->manners = (struct sim_manners){0};
    return s;
}

/* How the first connection that lasts is ended. */
static void end_by_server(struct bed *b)
{
    bed_run_ms(b, MINUTE_MS);
    sim_server_close_all(b->servers[0], false);
}

/* Nobody has asked for warm_for. */
static void end_by_ourselves(struct bed *b)
{
    bed_run_ms(b, 2 * MINUTE_MS);
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

static const struct mended_case {
    const char *title;
    void (*end)(struct bed *b);
    uint32_t warm_for_ms;
} mended_cases[] = {
    {"by the server", end_by_server, 10 * MINUTE_MS},
    {"by ourselves", end_by_ourselves, 2 * MINUTE_MS},
};

/* What was before is forgotten with it: a connection that the server ends by
 * chance is replaced at once, not after the wait that it had come to. */
static void test_mended(void **state)
{
    for (size_t i = 0; i < COUNT_OF(mended_cases); i++) {
        const struct mended_case *c = &mended_cases[i];
        struct bed *b = bed_renew(state, c->title);
        b->config.warm_for_ms = c->warm_for_ms;
        struct sim_server *s = start_mended(b);
        c->end(b);
        bed_run_ms(b, 200);
        assert_int_equal(b->pool->servers[0]->brief, 0);
        assert_int_equal(bed_ask_in_turn(b, 1, 100), 1);
        bed_run_ms(b, 1000);
        sim_server_close_all(s, false);
        bed_run_ms(b, 200);
        assert_true(b->pool->servers[0]->ready > 0);
    }
}

/* A connection that came to its limit is replaced ahead of it; whatever is
 * opened for that, and after it, is hung up on. */
static const struct successor_case {
    const char *title;
    uint32_t hang_up_ms;
} successor_cases[] = {
    {"at once", 1},
    {"before our question is answered", 20},
    {"after it", HANG_UP_MS},
    {"a little later", 500},
};

static void test_successors_wait(void **state)
{
    for (size_t i = 0; i < COUNT_OF(successor_cases); i++) {
        const struct successor_case *c = &successor_cases[i];
        struct bed *b = bed_renew(state, c->title);
        struct sim_server *s = bed_add_far_server(b);
        b->config.warm_for_ms = 10 * MINUTE_MS;
        s->manners.idle_close_ms = IDLE_MS;
        s->manners.tells_idle = true;
        bed_start(b);
        bed_run_ms(b, 200);
        assert_int_equal(bed_ask_in_turn(b, 1, 100), 1);
        s->manners = (struct sim_manners){.hang_up_ms = c->hang_up_ms};
        uint64_t dials = dials_to(b, 0);
        bed_run_ms(b, MINUTE_MS);
        assert_in_range(dials_to(b, 0) - dials, 5, 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_mended),
        BED_TEST(test_successors_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
