/*
 * Requests that end without an answer, or not at all, and the pool's own end.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <string.h>

/* ---- no server at all ---- */

static void test_fails_when_all_have_failed_three_times(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    bed_add_nobody(b);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 590); /* 250 and 500 ms, less a fifth */
    assert_int_equal(a.done, 0);
    assert_true(bed_wait(b, &a, 330));
    assert_failed(&a);
    assert_int_equal(bed_stats(b)->dials, 6);
}

/* Run until the pool dials again. */
static void run_to_dial(struct bed *b)
{
    uint64_t dials = bed_stats(b)->dials;

    while (bed_stats(b)->dials == dials) {
        assert_true(sim_world_step(b->world));
    }
}

static void test_fails_at_one_dial_when_known_to_be_down(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    bed_start(b);
    bed_run_ms(b, 60000);
    run_to_dial(b);
    bed_run_ms(b, 1000);
    uint64_t dials = bed_stats(b)->dials;
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_failed(&a);
    assert_int_equal(bed_stats(b)->dials, dials + 1);
}

/* The next one comes right after it: it may not wait for the end of a back-off
 * of half a minute. */
static void test_fails_soon_when_asked_after_a_failure(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    bed_start(b);
    bed_run_ms(b, 60000);
    run_to_dial(b);
    bed_run_ms(b, 10);
    bed_ask(b, &a, 1);
    if (!bed_wait(b, &a, 600)) {
        bed_cancel(b, &a);
    }
    assert_failed(&a);
}

static void test_waits_while_one_server_is_not_known_to_fail(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    (void)bed_add_peer(b);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_STALLED);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 6000 + 590); /* three dials of 2 s */
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 330);
    assert_failed(&a);
}

/* Both were known to be down before the query came. One fails again at once;
 * the other one has the time of a dial to prove that it is back. */
static void test_every_server_is_tried_before_a_query_fails(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    (void)bed_add_peer(b);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_STALLED);
    bed_start(b);
    bed_run_ms(b, 60000);
    while (b->pool->servers[1]->dialing > 0 ||
           net_now_ms(b->loop) - b->pool->servers[0]->dialed_ms < 1000) {
        bed_run_ms(b, 10);
    }
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1900);
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 200);
    assert_failed(&a);
}

/* The list of those that wait, as long as it is one. */
static unsigned count_waiting(const struct bed *b)
{
    unsigned count = 0;

    LIST_EACH (node, &b->pool->waiting) {
        if (++count > 100) {
            break; /* it goes round */
        }
    }
    return count;
}

/*
 * A connection dies and its server cannot be reached: what was on it waits,
 * in one place, also when the timer goes off that was to ask another server.
 */
static void test_waits_in_one_place_after_its_connection_died(void **state)
{
    for (unsigned count = 1; count <= 3; count++) {
        struct bed *b = bed_renew(state, "its connection died");
        struct ask asks[3];
        struct peer *p = bed_add_peer(b);
        bed_start_ready(b);
        p->manner = PEER_ANSWER;
        assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
        p->manner = PEER_HOLD;
        bed_ask_many(b, asks, count);
        bed_run_ms(b, 10);
        sim_link_set(b->world, bed_link(b, 0), SIM_LINK_NO_NEW);
        peer_reset(p, 0);
        bed_run_ms(b, 1600);
        unsigned waiting = count_waiting(b);
        p->manner = PEER_ANSWER;
        sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
        bed_run_ms(b, 3000);
        assert_int_equal(waiting, count);
        for (unsigned i = 0; i < count; i++) {
            assert_answered(&asks[i], DNS_RCODE_NOERROR);
        }
        assert_in_range(p->query_count, 1 + 2 * count, 2 + 2 * count);
    }
}

/* ---- cancelling ---- */

static void prepare_handshake(struct bed *b, struct ask *a)
{
    bed_add_server(b)->manners.handshake_us = 1000000;
    bed_start(b);
    bed_ask(b, a, 1);
    bed_run_ms(b, 10);
}

static void prepare_sent(struct bed *b, struct ask *a)
{
    (void)bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, a, 1);
    bed_run_ms(b, 10);
}

static void prepare_moved(struct bed *b, struct ask *a)
{
    prepare_sent(b, a);
    peer_reset(b->peers[0], 0);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_REFUSING);
    bed_run_ms(b, 10);
}

static void prepare_two_copies(struct bed *b, struct ask *a)
{
    b->config.pool.strategy = CONFIG_RACE;
    (void)bed_add_peer(b);
    prepare_sent(b, a);
    assert_int_equal(bed_stats(b)->sent, 2);
}

static void prepare_doubted(struct bed *b, struct ask *a)
{
    (void)bed_add_server(b);
    bed_refuse(b, 0, DNS_RCODE_SERVFAIL);
    prepare_sent(b, a);
    assert_non_null(a->req.fallback);
}

static void prepare_held_back(struct bed *b, struct ask *a)
{
    bed_ask_killers(b, a, 5);
    bed_run_ms(b, 40);
    assert_int_equal(a->req.losses, LOSSES_BEFORE_WAIT);
    assert_int_equal(a->req.attempt_count, 0);
    assert_true(net_timer_is_active(&a->req.timer));
}

static void prepare_full(struct bed *b, struct ask *a)
{
    struct ask other;

    b->config.queries_per_connection = 1;
    b->config.connections_per_server = 1;
    (void)bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &other, 2);
    bed_ask(b, a, 1);
    bed_run_ms(b, 10);
    assert_int_equal(bed_stats(b)->waited, 1);
    bed_cancel(b, &other);
}

static const struct cancel_case {
    const char *title;
    void (*prepare)(struct bed *b, struct ask *a);
} cancel_cases[] = {
    {"waiting for a handshake", prepare_handshake},
    {"sent", prepare_sent},
    {"moved and waiting", prepare_moved},
    {"sent twice", prepare_two_copies},
    {"one server said SERVFAIL", prepare_doubted},
    {"held back", prepare_held_back},
    {"waiting for a slot", prepare_full},
};

static void test_cancel_in_every_state(void **state)
{
    for (size_t i = 0; i < sizeof(cancel_cases) / sizeof(*cancel_cases); i++) {
        struct bed *b = bed_renew(state, cancel_cases[i].title);
        struct ask a;
        cancel_cases[i].prepare(b, &a);
        assert_int_equal(a.done, 0);
        assert_int_equal(upstream_pool_pending(b->pool), 1);
        bed_cancel(b, &a);
        assert_int_equal(upstream_pool_pending(b->pool), 0);
        memset(&a, 0xa5, sizeof(a)); /* nobody may use it any more */
        bed_run_ms(b, 5000);
    }
}

static void cancel_other(struct upstream_request *req,
                         const struct upstream_result *result)
{
    struct ask *asks = CONTAINER_OF(req, struct ask, req);

    (void)result;
    asks[0].done++;
    upstream_cancel(&asks[1].req);
}

/* Both move when the connection dies; the first one's end cancels the other,
 * which is on the list that is being walked. */
static void test_cancel_from_inside_a_callback(void **state)
{
    struct bed *b = *state;
    struct ask asks[2];

    (void)bed_add_server(b);
    bed_refuse(b, 0, DNS_RCODE_SERVFAIL);
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 2);
    asks[0].req.on_done = cancel_other;
    bed_run_ms(b, 10);
    assert_int_equal(p->query_count, 2);
    peer_reset(p, 0);
    bed_run_ms(b, 10);
    assert_int_equal(asks[0].done, 1);
    assert_int_equal(asks[1].done, 0);
    assert_int_equal(upstream_pool_pending(b->pool), 0);
}

/* ---- destroying ---- */

static void state_nothing(struct bed *b)
{
    (void)b;
}

static void state_connecting(struct bed *b)
{
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
}

static void state_handshake(struct bed *b)
{
    b->servers[0]->manners.handshake_us = 1000000;
}

static void state_down(struct bed *b)
{
    sim_server_stop(b->servers[0], SIM_STOP_CRASH);
}

static const struct destroy_case {
    const char *title;
    void (*prepare)(struct bed *b);
    uint64_t run_us;
    unsigned cancelled; /* queries that leave slots in use */
} destroy_cases[] = {
    {"at once", state_nothing, 0, 0},
    {"connecting", state_connecting, 1000000, 0},
    {"in the handshake", state_handshake, 100000, 0},
    {"ready", state_nothing, 100000, 0},
    {"with abandoned queries", state_nothing, 100000, 40},
    {"in back-off", state_down, 100000, 0},
};

static void test_destroy_in_every_state(void **state)
{
    for (size_t i = 0; i < sizeof(destroy_cases) / sizeof(*destroy_cases);
         i++) {
        const struct destroy_case *c = &destroy_cases[i];
        struct bed *b = bed_renew(state, c->title);
        struct ask asks[40];
        bed_add_server(b)->manners.is_deaf = true;
        c->prepare(b);
        bed_start(b);
        bed_run_us(b, c->run_us);
        bed_ask_many(b, asks, c->cancelled);
        for (unsigned j = 0; j < c->cancelled; j++) {
            bed_cancel(b, &asks[j]);
        }
        bed_stop(b);
        bed_run_ms(b, 100);
        assert_int_equal(bed_conn_count(b, 0), 0);
    }
}

static void test_a_missing_ca_file_is_told(void **state)
{
    struct bed *b = *state;
    struct upstream_pool *pool = NULL;
    char file[] = "missing.pem";

    (void)bed_add_server(b);
    bed_add_nobody(b);
    (void)bed_add_server(b);
    b->entries[1].ca_file = file;
    log_set_level(LOG_ERROR);
    assert_int_equal(upstream_pool_create(b->loop, &b->config, &b->config.pool,
                                          b->trust, &pool),
                     ERR_NOTFOUND);
    assert_null(pool);
    upstream_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_fails_when_all_have_failed_three_times),
        BED_TEST(test_fails_at_one_dial_when_known_to_be_down),
        BED_TEST(test_fails_soon_when_asked_after_a_failure),
        BED_TEST(test_every_server_is_tried_before_a_query_fails),
        BED_TEST(test_waits_while_one_server_is_not_known_to_fail),
        BED_TEST(test_cancel_in_every_state),
        BED_TEST(test_cancel_from_inside_a_callback),
        BED_TEST(test_destroy_in_every_state),
        BED_TEST(test_a_missing_ca_file_is_told),
        BED_TEST(test_waits_in_one_place_after_its_connection_died),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
