/*
 * The life of a plain pool: another configuration and another network while
 * queries are on their way, and the end.
 */
#include "base/err.h"
#include "plain_peer.h"
#include "tests.h"
#include "upstream/internal.h"

#include <string.h>

enum { SERVERS = 3 };

/* Another configuration of the same bed, of the servers in order. */
struct change {
    struct bed *bed;
    struct config_server entries[SERVERS];
    struct config config;
};

static void change_init(struct change *c, struct bed *b, const char *order)
{
    c->bed = b;
    c->config = b->config;
    c->config.pool.servers = c->entries;
    c->config.pool.server_count = strlen(order);
    for (unsigned i = 0; order[i] != '\0'; i++) {
        c->entries[i] = b->entries[order[i] - '0'];
    }
}

static void reconfigure_now(void *arg)
{
    const struct change *c = arg;

    assert_int_equal(
        plain_reconfigure(c->bed->pool->plain, &c->config, &c->config.pool), 0);
}

static void reconfigure(struct change *c, struct bed *b, const char *order)
{
    change_init(c, b, order);
    bed_do(b, reconfigure_now, c);
}

static void add_silent(struct bed *b, struct plain_peer *peers[SERVERS],
                       enum config_transport t)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        peers[i] = plain_peer_add(b, t);
        peers[i]->is_silent = true;
    }
}

static void test_a_server_that_stays_keeps_its_queries(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    struct change c;
    struct ask a;

    add_silent(b, peers, CONFIG_UDP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    reconfigure(&c, b, "20");
    plain_peer_answer(peers[0], 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(peers[2]->query_count, 0);
    bed_ask(b, &a, 2);
    bed_run_ms(b, 1);
    assert_int_equal(peers[2]->query_count, 1); /* it is first now */
    bed_cancel(b, &a);
}

static void test_queries_on_a_server_that_went_are_moved(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    struct change c;
    struct ask a;

    add_silent(b, peers, CONFIG_UDP);
    peers[1]->is_silent = false;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    reconfigure(&c, b, "21");
    bed_run_ms(b, 1);
    assert_int_equal(a.done, 0);
    assert_int_equal(peers[2]->query_count, 1);
    plain_peer_answer(peers[0], 0); /* it is a stranger now */
    bed_run_ms(b, 1);
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 420);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(peers[1]->query_count, 1);
}

static void test_connections_stay_with_their_server(void **state)
{
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    struct change c[2];
    struct ask asks[10];

    add_silent(b, peers, CONFIG_TCP);
    peers[1]->is_silent = false;
    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 2);
    assert_int_equal(upstream_pool_ready_conns(b->pool), SERVERS);
    reconfigure(&c[0], b, "1");
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
    bed_run_ms(b, 5);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(peers[1]->conn_count, 1);
    reconfigure(&c[1], b, "0");
    assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
}

static void test_the_same_address_over_tcp_is_another_server(void **state)
{
    struct bed *b = *state;
    struct change c;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    p->is_silent = false;
    change_init(&c, b, "0");
    c.entries[0].transport = CONFIG_TCP;
    bed_do(b, reconfigure_now, &c);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->tcp_count, 1);
}

/* Back and forth under load, with servers that lose every third datagram. */
static void test_many_changes_under_load(void **state)
{
    static const char *const orders[] = {"012", "2",  "10", "0",
                                         "21",  "00", "1"};
    struct bed *b = *state;
    struct plain_peer *peers[SERVERS];
    static struct change changes[40];
    static struct ask asks[40][10];

    for (unsigned i = 0; i < SERVERS; i++) {
        peers[i] = plain_peer_add(b, i == 1 ? CONFIG_TCP : CONFIG_UDP);
        bed_link(b, i)->loss_percent = 33;
    }
    bed_start(b);
    for (unsigned i = 0; i < COUNT_OF(changes); i++) {
        bed_ask_many(b, asks[i], 10);
        bed_run_ms(b, i * 7 % 100);
        reconfigure(&changes[i], b, orders[i % COUNT_OF(orders)]);
    }
    bed_run_ms(b, 6000);
    unsigned good = 0;
    for (unsigned i = 0; i < COUNT_OF(changes) * 10; i++) {
        struct ask *a = &asks[i / 10][i % 10];
        if (a->done == 0) {
            bed_cancel(b, a);
        }
        good += a->done == 1 && a->err == 0;
    }
    assert_true(good > COUNT_OF(changes) * 10 * 9 / 10);
    assert_true(peers[0]->query_count > 0);
}

/* ---- another network ---- */

static void network_changed(void *arg)
{
    plain_network_changed(((struct bed *)arg)->pool->plain, NULL);
}

static void test_connections_are_made_anew(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask_in_turn(b, 1, 1000);
    p->is_silent = true;
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    p->is_silent = false;
    bed_do(b, network_changed, b);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 2);
}

static void address_gone(void *arg)
{
    const struct addr gone = {.ip = {10, 0, 0, 2}, .family = 4};

    plain_network_changed(((struct bed *)arg)->pool->plain, &gone);
}

static void other_address_gone(void *arg)
{
    const struct addr gone = {.ip = {10, 0, 0, 3}, .family = 4};

    plain_network_changed(((struct bed *)arg)->pool->plain, &gone);
}

static void test_connections_of_an_address_that_is_gone(void **state)
{
    struct bed *b = *state;

    plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask_in_turn(b, 1, 1000);
    bed_do(b, other_address_gone, b);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
    bed_do(b, address_gone, b);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
}

/* It broke in the very turn in which a query is written to it. */
struct broken {
    struct bed *bed;
    struct upstream_request *req;
};

static void break_and_ask(void *arg)
{
    const struct broken *broken = arg;
    struct bed *b = broken->bed;

    sim_link_reset(b->world, bed_link(b, 0));
    upstream_ask(b->pool, broken->req);
}

static void test_a_connection_that_takes_no_query(void **state)
{
    struct bed *b = *state;
    struct ask a;
    struct broken broken = {b, &a.req};

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    a.done = 0;
    bed_do(b, break_and_ask, &broken);
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 2);
}

static void test_a_server_set_back_is_tried_at_once(void **state)
{
    struct bed *b = *state;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    for (unsigned i = 0; i < 100; i++) {
        bed_ask_in_turn(b, 1, 4000);
        bed_run_ms(b, 500);
    }
    p->is_silent = false;
    unsigned before = p->query_count;
    bed_do(b, network_changed, b);
    bed_ask_in_turn(b, 1, 1000);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, before + 1);
}

/* ---- the end ---- */

static void test_the_end_leaves_nothing(void **state)
{
    struct bed *b = *state;
    struct ask asks[20];

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    p->is_silent = true;
    q->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 1);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        bed_cancel(b, &asks[i]);
    }
    assert_true(sim_loop_open_count(b->loop) > 0); /* trials */
    bed_stop(b);                                   /* sees that none is left */
}

static void test_a_pool_that_was_never_used(void **state)
{
    struct bed *b = *state;

    plain_peer_add_nobody(b);
    bed_start(b);
    bed_stop(b);
}

/* ---- bounds ---- */

static void test_more_queries_than_there_is_room_for(void **state)
{
    struct bed *b = *state;
    static struct ask asks[200];
    unsigned done = 0;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    b->config.max_queries = 16;
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 2 * 16 + UPSTREAM_SERVERS_MAX);
    bed_run_ms(b, 1000); /* those that found no room give up */
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        done += asks[i].done;
        if (asks[i].done == 0) {
            bed_cancel(b, &asks[i]);
        }
    }
    assert_int_equal(done, COUNT_OF(asks) - 2 * 16 - UPSTREAM_SERVERS_MAX);
}

static void test_more_queries_than_a_connection_takes(void **state)
{
    struct bed *b = *state;
    static struct ask asks[30];

    struct plain_peer *p = plain_peer_add(b, CONFIG_TCP);
    struct plain_peer *q = plain_peer_add(b, CONFIG_TCP);
    b->config.queries_per_connection = 20;
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, COUNT_OF(asks));
    bed_run_ms(b, 2);
    assert_int_equal(p->query_count, 20);
    assert_int_equal(q->query_count, 10);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(asks[i].done, 0);
        bed_cancel(b, &asks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(test_a_server_that_stays_keeps_its_queries),
        PLAIN_TEST(test_queries_on_a_server_that_went_are_moved),
        PLAIN_TEST(test_connections_stay_with_their_server),
        PLAIN_TEST(test_the_same_address_over_tcp_is_another_server),
        PLAIN_TEST(test_many_changes_under_load),
        PLAIN_TEST(test_connections_are_made_anew),
        PLAIN_TEST(test_connections_of_an_address_that_is_gone),
        PLAIN_TEST(test_a_connection_that_takes_no_query),
        PLAIN_TEST(test_a_server_set_back_is_tried_at_once),
        PLAIN_TEST(test_the_end_leaves_nothing),
        PLAIN_TEST(test_a_pool_that_was_never_used),
        PLAIN_TEST(test_more_queries_than_there_is_room_for),
        PLAIN_TEST(test_more_queries_than_a_connection_takes),
    };
    return cmocka_run_group_tests_name("upstream_plain_pool", tests, NULL,
                                       NULL);
}
