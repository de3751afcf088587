/*
 * The servers of a pool change, or the network under it does; servers with
 * several addresses.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <string.h>

#define ADDRESS_TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, bed_setup, teardown)

enum { PATH_US = 10000, EXTRA_MAX = 3 };

/* ---- another configuration ---- */

struct change {
    struct bed *bed;
    struct config config;
    struct config_server entries[BED_SERVERS_MAX];
    int err;
};

/* The bed's servers in this order. */
static void change_to(struct bed *b, struct change *c, const unsigned *order,
                      size_t count)
{
    c->bed = b;
    c->config = b->config;
    c->config.pool.servers = c->entries;
    c->config.pool.server_count = count;
    for (size_t i = 0; i < count; i++) {
        c->entries[i] = b->entries[order[i]];
    }
}

static void reconfigure_now(void *arg)
{
    struct change *c = arg;

    c->err = upstream_pool_reconfigure(c->bed->pool, &c->config,
                                       &c->config.pool, c->bed->trust);
}

static void test_servers_that_stay_keep_their_connections(void **state)
{
    struct bed *b = *state;
    struct change c;

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < 4; i++) {
        (void)bed_add_server(b);
    }
    b->config.pool.server_count = 3;
    bed_start_ready(b);
    bed_run_ms(b, 1100);
    assert_int_equal(bed_ask_in_turn(b, 30, 10), 30);
    change_to(b, &c, (const unsigned[]){2, 3, 0}, 3);
    c.entries[0].weight = 3;
    b->config.pool.server_count = 4;
    bed_do(b, reconfigure_now, &c);
    assert_int_equal(c.err, 0);
    bed_run_ms(b, 20);
    assert_int_equal(b->servers[0]->stats.connections, 1);
    assert_int_equal(b->servers[2]->stats.connections, 1);
    assert_int_equal(b->servers[3]->stats.connections, 1);
    assert_int_equal(bed_conn_count(b, 1), 0);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 3);
    uint64_t before = b->servers[2]->stats.queries;
    assert_int_equal(bed_ask_in_turn(b, 50, 10), 50);
    assert_int_equal(b->servers[1]->stats.queries, 10);
    assert_int_equal(b->servers[3]->stats.queries, 10);
    assert_int_equal(b->servers[2]->stats.queries - before, 30);
    assert_int_equal(bed_stats(b)->waited, 0);
    bed_stop(b);
}

/* What is on its way to a server that goes is asked elsewhere, at once. */
static void test_requests_on_servers_that_went_move(void **state)
{
    struct bed *b = *state;
    struct change c;
    struct ask asks[5];

    struct peer *p = bed_add_peer(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 5);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 5);
    change_to(b, &c, (const unsigned[]){1}, 1);
    bed_do(b, reconfigure_now, &c);
    assert_int_equal(c.err, 0);
    bed_run_ms(b, 2);
    for (unsigned i = 0; i < 5; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(peer_open_count(p), 0);
    assert_true(p->conns[0].has_said_goodbye || p->conns[0].stream == NULL);
    bed_stop(b);
}

/* Requests know servers by bits: a new one does not get that of another. */
static void test_a_new_server_is_not_taken_for_another(void **state)
{
    struct bed *b = *state;
    struct change c;
    struct ask a;

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    bed_refuse(b, 1, DNS_RCODE_SERVFAIL);
    b->config.pool.server_count = 1;
    bed_start_ready(b);
    b->config.pool.server_count = 2;
    change_to(b, &c, (const unsigned[]){1, 0}, 2);
    bed_do(b, reconfigure_now, &c);
    bed_run_ms(b, 10);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 10);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(b->servers[1]->stats.queries, 1);
    bed_stop(b);
}

/* A request that waits in vain for those that went is answered by those that
 * came. */
static void test_waiting_requests_see_the_new_servers(void **state)
{
    struct bed *b = *state;
    struct change c;
    struct ask a;

    (void)bed_add_peer(b);
    (void)bed_add_server(b);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    b->config.pool.server_count = 1;
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 500);
    b->config.pool.server_count = 2;
    change_to(b, &c, (const unsigned[]){1}, 1);
    bed_do(b, reconfigure_now, &c);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    bed_stop(b);
}

static void test_a_bad_configuration_changes_nothing(void **state)
{
    struct bed *b = *state;
    struct change c;
    char file[] = "missing.pem";

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    (void)bed_add_server(b);
    b->config.pool.server_count = 2;
    bed_start_ready(b);
    b->config.pool.server_count = 3;
    change_to(b, &c, (const unsigned[]){2, 1, 0}, 3);
    c.entries[2].ca_file = file;
    bed_do(b, reconfigure_now, &c);
    assert_int_equal(c.err, ERR_NOTFOUND);
    assert_int_equal(bed_stats(b)->closes, 0);
    assert_int_equal(b->pool->count, 2);
    assert_ptr_equal(b->pool->servers[0]->config, &b->entries[0]);
    assert_int_equal(bed_ask_in_turn(b, 10, 10), 10);
    assert_int_equal(b->servers[0]->stats.queries, 10);
}

static void change_name(struct config_server *e)
{
    static char name[] = "other.example";
    e->name = name;
}

static void change_pins(struct config_server *e)
{
    static struct tls_pin pin = {{1}};
    e->pins = &pin;
    e->pin_count = 1;
}

static void change_port(struct config_server *e)
{
    e->addr.port = 8853;
}

static void change_more(struct config_server *e)
{
    static struct addr more = {.ip = {192, 0, 2, 99}, .family = 4, .port = 853};
    e->more = &more;
    e->more_count = 1;
}

static void change_weight(struct config_server *e)
{
    e->weight = 50;
}

static const struct same_case {
    const char *title;
    void (*change)(struct config_server *e);
    bool is_same;
} same_cases[] = {
    {"another name", change_name, false},
    {"a pin", change_pins, false},
    {"another port", change_port, false},
    {"another address", change_more, false},
    {"another weight", change_weight, true},
};

/* What proves a server must not change under a connection. */
static void test_what_makes_a_server_another_one(void **state)
{
    for (size_t i = 0; i < COUNT_OF(same_cases); i++) {
        struct bed *b = bed_renew(state, same_cases[i].title);
        struct change c;
        (void)bed_add_server(b);
        bed_start_ready(b);
        const struct upstream_server *before = b->pool->servers[0];
        uint64_t dials = bed_stats(b)->dials;
        change_to(b, &c, (const unsigned[]){0}, 1);
        same_cases[i].change(&c.entries[0]);
        bed_do(b, reconfigure_now, &c);
        bed_run_us(b, 1);
        assert_int_equal(c.err, 0);
        if (same_cases[i].is_same) {
            assert_ptr_equal(b->pool->servers[0], before);
        }
        assert_int_equal(bed_stats(b)->dials > dials, !same_cases[i].is_same);
        bed_stop(b);
    }
}

/* ---- the network changes ---- */

static void lose_address(void *arg)
{
    struct bed *b = arg;
    const struct addr gone = {.ip = {10, 0, 0, 2}, .family = 4};

    upstream_pool_network_changed(b->pool, &gone);
}

static void lose_another(void *arg)
{
    struct bed *b = arg;
    const struct addr gone = {.ip = {10, 0, 0, 3}, .family = 4};

    upstream_pool_network_changed(b->pool, &gone);
}

static void change_network(void *arg)
{
    struct bed *b = arg;

    upstream_pool_network_changed(b->pool, NULL);
}

static void test_connections_from_a_lost_address_end(void **state)
{
    struct bed *b = *state;
    struct ask asks[3];

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    p->manner = PEER_ANSWER;
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    p->manner = PEER_HOLD;
    bed_ask_many(b, asks, 3);
    bed_run_ms(b, 1);
    bed_do(b, lose_another, b);
    bed_run_ms(b, 1);
    assert_int_equal(p->conn_count, 1);
    p->manner = PEER_ANSWER;
    bed_do(b, lose_address, b);
    bed_run_ms(b, 5);
    assert_int_equal(p->conn_count, 2);
    assert_null(p->conns[0].stream);
    for (unsigned i = 0; i < 3; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(b->pool->servers[0]->failures, 0);
    assert_int_equal(bed_stats(b)->moved, 3);
}

/* Those that live on say so, and are used again; meanwhile one is dialled. */
static void test_a_change_makes_connections_suspect(void **state)
{
    struct bed *b = *state;

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    sim_link_delay(bed_link(b, 0), PATH_US, 0);
    sim_link_delay(bed_link(b, 1), PATH_US, 0);
    bed_start(b);
    bed_run_ms(b, 100);
    bed_do(b, change_network, b);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
    bed_run_ms(b, 2 * PATH_US / 1000 + 2);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 2);
    assert_int_equal(b->servers[0]->stats.queries, 1);
    bed_run_ms(b, 100);
    assert_in_range(bed_stats(b)->dials, 2, 4);
    assert_int_equal(bed_stats(b)->closes, 0);
}

/* Those that do not are replaced in a few round trips. */
static void test_after_a_change_the_dead_are_replaced(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_server(b);
    sim_link_delay(bed_link(b, 0), PATH_US, 0);
    bed_start(b);
    bed_run_ms(b, 100);
    sim_link_vanish(b->world, bed_link(b, 0));
    bed_do(b, change_network, b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 7 * PATH_US / 1000);
    assert_answered(&a, DNS_RCODE_NOERROR);
    bed_run_ms(b, 1600);
    assert_int_equal(bed_conn_count(b, 0) > 0, true);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
}

/* A server is down for long, its back-off is at its most; the network changes,
 * and it is tried at once. */
static void test_a_change_ends_back_off(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    sim_server_stop(s, SIM_STOP_CRASH);
    bed_start(b);
    bed_run_ms(b, 120000);
    assert_true(b->pool->servers[0]->failures > 6);
    sim_server_start(s);
    bed_do(b, change_network, b);
    bed_run_ms(b, 5);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(b->pool->servers[0]->failures, 0);
}

/* A dial that is under way left over the old network. */
static void test_a_change_dials_anew(void **state)
{
    struct bed *b = *state;

    (void)bed_add_server(b);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    bed_start(b);
    bed_run_ms(b, 1000);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
    bed_do(b, change_network, b);
    bed_run_ms(b, 5);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(bed_stats(b)->dials, 2);
}

/* Many changes in a row cost little. */
static void test_flapping_links_cause_no_storm(void **state)
{
    struct bed *b = *state;

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    for (unsigned i = 0; i < 100; i++) {
        bed_do(b, change_network, b);
        bed_run_ms(b, 100);
    }
    assert_in_range(b->servers[0]->stats.queries, 1, 400);
    assert_in_range(b->servers[0]->stats.connections, 1, 110);
    assert_in_range(bed_conn_count(b, 0), 1, 6);
    assert_int_equal(bed_ask_in_turn(b, 5, 10), 5);
}

/* ---- no network ---- */

static void set_all(struct bed *b, enum sim_link_state state)
{
    for (unsigned i = 0; i < b->config.pool.server_count; i++) {
        sim_link_set(b->world, bed_link(b, i), state);
    }
}

/* Nobody tells that it comes: it is found within a second all the same, and no
 * server is blamed. */
static void test_start_without_a_network(void **state)
{
    for (unsigned seconds = 1; seconds <= 120; seconds *= 3) {
        struct bed *b = bed_renew(state, "offline at the start");
        struct ask a;
        (void)bed_add_server(b);
        (void)bed_add_server(b);
        set_all(b, SIM_LINK_UNREACHABLE);
        bed_start(b);
        bed_run_ms(b, seconds * 1000);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(b->pool->servers[i]->failures, 0);
        }
        /* cheap tries of the one that is first, and of the spare */
        assert_in_range(bed_stats(b)->dials, seconds * 3, seconds * 12 + 4);
        set_all(b, SIM_LINK_UP);
        bed_ask(b, &a, 1);
        assert_true(bed_wait(b, &a, 1000));
        assert_answered(&a, DNS_RCODE_NOERROR);
    }
}

/* As without any server: a client does not wait for its own time-out. */
static void test_queries_fail_without_a_network(void **state)
{
    struct bed *b = *state;
    struct ask a;
    char text[256];

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    set_all(b, SIM_LINK_UNREACHABLE);
    bed_start(b);
    bed_run_ms(b, 5000);
    bed_ask(b, &a, 1);
    assert_true(bed_wait(b, &a, 1000));
    assert_failed(&a);
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)),
                     DNS_EDE_NETWORK);
    assert_non_null(strstr(text, "network unreachable"));
}

/* One address family alone is missing: that server is set aside for longer and
 * longer. */
static void test_one_unreachable_server_backs_off(void **state)
{
    struct bed *b = *state;

    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    (void)bed_add_server(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    sim_link_reset(b->world, bed_link(b, 1));
    bed_run_us(b, 300);
    sim_link_set(b->world, bed_link(b, 1), SIM_LINK_UNREACHABLE);
    bed_run_ms(b, 60000);
    assert_in_range(b->pool->servers[1]->failures, 5, 10);
    assert_int_equal(b->pool->servers[0]->failures, 0);
    assert_int_equal(bed_ask_in_turn(b, 5, 10), 5);
}

/* Nor is it a server's fault that no file is left. */
static void test_no_files(void **state)
{
    struct bed *b = *state;

    (void)bed_add_server(b);
    (void)bed_add_server(b);
    sim_loop_limit_streams(b->loop, 1);
    bed_start_ready(b);
    bed_run_ms(b, 10000);
    assert_int_equal(b->pool->servers[1]->failures, 0);
    assert_in_range(bed_stats(b)->dials, 20, 60);
    assert_int_equal(bed_ask_in_turn(b, 3, 10), 3);
    sim_loop_limit_streams(b->loop, 0);
    bed_run_ms(b, 350);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 2);
}

/* ---- several addresses ---- */

static struct sim_server *extra[EXTRA_MAX];
static struct addr extra_addrs[EXTRA_MAX];

/* A server that has count addresses; 192.0.2.1 is the first. */
static void add_many_addresses(struct bed *b, unsigned count)
{
    (void)bed_add_server(b);
    for (unsigned i = 0; i + 1 < count; i++) {
        extra_addrs[i] = b->entries[0].addr;
        extra_addrs[i].ip[3] = (uint8_t)(101 + i);
        extra[i] =
            sim_server_create(b->peers_loop, &extra_addrs[i], b->names[0]);
    }
    b->entries[0].more = extra_addrs;
    b->entries[0].more_count = count - 1;
}

static void drop_extra(void)
{
    for (unsigned i = 0; i < EXTRA_MAX; i++) {
        sim_server_destroy(extra[i]);
        extra[i] = NULL;
    }
}

static int teardown(void **state)
{
    drop_extra();
    return bed_teardown(state);
}

static struct sim_link *extra_link(struct bed *b, unsigned i)
{
    return sim_link(b->world, &extra_addrs[i]);
}

static const struct address_case {
    const char *title;
    enum sim_link_state first, second;
    unsigned ready_ms; /* not ready before, ready 5 ms later */
    int winner;        /* of the extra ones; -1: the first */
} address_cases[] = {
    {"all work", SIM_LINK_UP, SIM_LINK_UP, 0, -1},
    {"the first is silent", SIM_LINK_STALLED, SIM_LINK_UP, 250, 0},
    {"the first refuses", SIM_LINK_REFUSING, SIM_LINK_UP, 0, 0},
    {"the first has no route", SIM_LINK_UNREACHABLE, SIM_LINK_UP, 0, 0},
    {"two are silent", SIM_LINK_STALLED, SIM_LINK_STALLED, 500, 1},
    {"silent, then refusing", SIM_LINK_STALLED, SIM_LINK_REFUSING, 250, 1},
};

static void test_addresses_are_raced(void **state)
{
    for (size_t i = 0; i < COUNT_OF(address_cases); i++) {
        const struct address_case *c = &address_cases[i];
        struct bed *b = bed_renew(state, c->title);
        add_many_addresses(b, 3);
        sim_link_set(b->world, bed_link(b, 0), c->first);
        sim_link_set(b->world, extra_link(b, 0), c->second);
        bed_start(b);
        if (c->ready_ms > 0) {
            bed_run_ms(b, c->ready_ms - 2);
            assert_false(upstream_is_ready(b->pool));
        }
        bed_run_ms(b, 7);
        assert_true(upstream_is_ready(b->pool));
        const struct sim_server *winner =
            c->winner < 0 ? b->servers[0] : extra[c->winner];
        assert_int_equal(winner->stats.handshakes, 1);
        assert_int_equal(sim_loop_open_count(b->loop), 1);
        assert_int_equal(bed_stats(b)->dial_failures, 0);
        drop_extra();
    }
}

/* The address that worked is the first one the next time. */
static void test_a_dead_address_costs_once(void **state)
{
    struct bed *b = *state;

    add_many_addresses(b, 2);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
    bed_start(b);
    bed_run_ms(b, 1500);
    sim_server_close_all(extra[0], false);
    bed_run_ms(b, 3);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(extra[0]->stats.handshakes, 2);
    /* and when it stops working, the others are tried again */
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UP);
    assert_int_equal(bed_ask_in_turn(b, 3, 10), 3);
    sim_server_stop(extra[0], SIM_STOP_POLITE);
    bed_run_ms(b, 5);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(b->servers[0]->stats.handshakes, 1);
}

/* One that takes connections and no handshake is not tried first again. */
static void test_an_address_without_tls_is_left(void **state)
{
    struct bed *b = *state;

    add_many_addresses(b, 2);
    b->servers[0]->manners.is_mute = true;
    bed_start(b);
    bed_run_ms(b, 2000 + 350);
    assert_true(upstream_is_ready(b->pool));
    assert_int_equal(extra[0]->stats.handshakes, 1);
}

static void test_all_addresses_fail(void **state)
{
    struct bed *b = *state;
    char text[256];

    add_many_addresses(b, 3);
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_REFUSING);
    sim_link_set(b->world, extra_link(b, 0), SIM_LINK_STALLED);
    sim_link_set(b->world, extra_link(b, 1), SIM_LINK_REFUSING);
    bed_start(b);
    bed_run_ms(b, 1990);
    assert_int_equal(b->pool->servers[0]->failures, 0);
    bed_run_ms(b, 15);
    assert_int_equal(b->pool->servers[0]->failures, 1);
    (void)upstream_explain(b->pool, text, sizeof(text));
    assert_non_null(strstr(text, "cannot connect: timed out"));
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_servers_that_stay_keep_their_connections),
        BED_TEST(test_requests_on_servers_that_went_move),
        BED_TEST(test_a_new_server_is_not_taken_for_another),
        BED_TEST(test_waiting_requests_see_the_new_servers),
        BED_TEST(test_a_bad_configuration_changes_nothing),
        BED_TEST(test_what_makes_a_server_another_one),
        BED_TEST(test_connections_from_a_lost_address_end),
        BED_TEST(test_a_change_makes_connections_suspect),
        BED_TEST(test_after_a_change_the_dead_are_replaced),
        BED_TEST(test_a_change_ends_back_off),
        BED_TEST(test_a_change_dials_anew),
        BED_TEST(test_flapping_links_cause_no_storm),
        BED_TEST(test_start_without_a_network),
        BED_TEST(test_queries_fail_without_a_network),
        BED_TEST(test_one_unreachable_server_backs_off),
        BED_TEST(test_no_files),
        ADDRESS_TEST(test_addresses_are_raced),
        ADDRESS_TEST(test_a_dead_address_costs_once),
        ADDRESS_TEST(test_an_address_without_tls_is_left),
        ADDRESS_TEST(test_all_addresses_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
