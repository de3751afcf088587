/*
 * One server: when it is dialled, what counts as a failure, and how it comes
 * back.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <stdio.h>
#include <string.h>

enum { DIALS_MAX = 64 };

/* Run for ms, noting when the pool dials; returns how often (< DIALS_MAX). */
static unsigned note_dials(struct bed *b, uint64_t ms, uint64_t *at_us)
{
    uint64_t until_us = b->world->now_us + ms * 1000;
    uint64_t dials = bed_stats(b)->dials;
    unsigned count = 0;

    while (b->world->now_us < until_us && sim_world_step(b->world)) {
        if (bed_stats(b)->dials != dials) {
            dials = bed_stats(b)->dials;
            assert_true(count < DIALS_MAX - 1);
            at_us[count++] = b->world->now_us;
        }
    }
    return count;
}

static void assert_between(uint64_t value, uint64_t low, uint64_t high)
{
    if (value < low || value > high) {
        fail_msg("%llu is not in %llu .. %llu", (unsigned long long)value,
                 (unsigned long long)low, (unsigned long long)high);
    }
}

/* Waits double from retry_min to retry_max, give or take a fifth. */
static void assert_backs_off(const struct bed *b, const uint64_t *at_us,
                             unsigned count)
{
    uint64_t wait_us = b->config.retry_min_ms * 1000u;
    uint64_t max_us = b->config.retry_max_ms * 1000u;

    for (unsigned i = 1; i < count; i++) {
        assert_between(at_us[i] - at_us[i - 1], wait_us - wait_us / 5 - 1000,
                       wait_us + wait_us / 5 + 3000);
        wait_us = wait_us * 2 < max_us ? wait_us * 2 : max_us;
    }
}

/* ---- back-off ---- */

static void add_refusing(struct bed *b)
{
    bed_add_nobody(b);
}

static void add_turning_away(struct bed *b)
{
    bed_add_peer(b)->manner = PEER_TURN_AWAY;
}

static void add_impostor(struct bed *b)
{
    bed_add_server(b)->identity.certificate.is_untrusted = true;
}

static const struct backoff_case {
    const char *title;
    void (*add)(struct bed *b);
    uint32_t retry_min_ms, retry_max_ms;
    unsigned dials; /* in the first minute, after that at the start */
} backoff_cases[] = {
    /* at 250 ms, 750, 1750 … 31750 from the start */
    {"refused", add_refusing, 250, 30000, 7},
    {"refused, with a low bound", add_refusing, 1000, 4000, 16},
    {"taken and closed before any answer", add_turning_away, 250, 30000, 7},
    {"not trusted", add_impostor, 250, 30000, 7},
};

static void test_back_off_grows(void **state)
{
    for (size_t i = 0; i < sizeof(backoff_cases) / sizeof(*backoff_cases);
         i++) {
        const struct backoff_case *c = &backoff_cases[i];
        struct bed *b = bed_renew(state, c->title);
        uint64_t at_us[DIALS_MAX];
        b->config.retry_min_ms = c->retry_min_ms;
        b->config.retry_max_ms = c->retry_max_ms;
        c->add(b);
        bed_start(b);
        at_us[0] = b->world->now_us;
        unsigned count = note_dials(b, 60000, at_us + 1);
        assert_backs_off(b, at_us, count + 1);
        assert_between(count, c->dials - 2, c->dials + 2);
        assert_int_equal(upstream_pool_ready_conns(b->pool), 0);
    }
}

/* An error of TLS may have taught the session what to offer: the second dial
 * comes at once, but only that one. */
static void test_a_tls_error_is_tried_again_once(void **state)
{
    struct bed *b = *state;
    uint64_t at_us[DIALS_MAX];

    bed_add_peer(b)->manner = PEER_SAY_GARBAGE;
    bed_start(b);
    unsigned count = note_dials(b, 390, at_us);
    assert_int_equal(count, 1);
    assert_int_equal(bed_stats(b)->dials, 2);
    count = note_dials(b, 60000, at_us + 1);
    b->config.retry_min_ms *= 2; /* the first wait was skipped */
    assert_backs_off(b, at_us, count + 1);
}

/* Clients that ask all the time do not make the pool dial all the time. */
static const struct storm_case {
    const char *title;
    void (*add)(struct bed *b);
} storm_cases[] = {
    {"refused", add_refusing},
    {"taken and closed before any answer", add_turning_away},
    {"not trusted", add_impostor},
};

static void add_hanging_up(struct bed *b)
{
    bed_add_peer(b)->manner = PEER_HANG_UP;
}

static void assert_no_storm(struct bed *b)
{
    bed_start(b);
    uint64_t until_us = b->world->now_us + 60000000;
    while (b->world->now_us < until_us) {
        struct ask a;
        bed_ask(b, &a, b->world->now_us);
        if (!bed_wait(b, &a, 1000)) {
            bed_cancel(b, &a);
        }
        bed_run_ms(b, 10);
    }
    /* one every retry_min, and the few of the start */
    assert_between(bed_stats(b)->dials, 2, 60000 / 250 + 5);
    assert_int_equal(bed_stats(b)->answers, 0);
}

static void test_clients_cause_no_storm_of_dials(void **state)
{
    for (size_t i = 0; i < sizeof(storm_cases) / sizeof(*storm_cases); i++) {
        struct bed *b = bed_renew(state, storm_cases[i].title);
        storm_cases[i].add(b);
        assert_no_storm(b);
    }
    struct bed *b = bed_renew(state, "closed at each query");
    add_hanging_up(b);
    assert_no_storm(b);
}

/* ---- failures ---- */

static void fail_refused(struct bed *b)
{
    sim_server_stop(b->servers[0], SIM_STOP_CRASH);
}

static void fail_unreachable(struct bed *b)
{
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_UNREACHABLE);
}

static void fail_stalled(struct bed *b)
{
    sim_link_set(b->world, bed_link(b, 0), SIM_LINK_STALLED);
}

static void fail_mute(struct bed *b)
{
    b->servers[0]->manners.is_mute = true;
}

static void fail_short(struct bed *b)
{
    b->servers[0]->manners.die_after = 10;
}

static void fail_issuer(struct bed *b)
{
    b->servers[0]->identity.certificate.is_untrusted = true;
}

static void fail_expired(struct bed *b)
{
    b->servers[0]->identity.certificate.is_expired = true;
}

static void fail_name(struct bed *b)
{
    snprintf(b->names[0], BED_LABEL_LEN, "other.example");
}

static void fail_pin(struct bed *b)
{
    static struct tls_pin pin = {{1, 2, 3}};
    b->entries[0].pins = &pin;
    b->entries[0].pin_count = 1;
}

static const struct failure_case {
    const char *title;
    void (*prepare)(struct bed *b);
    uint64_t at_ms;  /* the failure is known */
    const char *why; /* what operators read */
    int ede;
    unsigned untrusted;
} failure_cases[] = {
    {"refused", fail_refused, 0, "cannot connect: connection refused",
     DNS_EDE_NO_REACHABLE, 0},
    {"unreachable", fail_unreachable, 0, "network unreachable", DNS_EDE_NETWORK,
     0},
    {"no answer to SYN", fail_stalled, 2000, "cannot connect: timed out",
     DNS_EDE_NETWORK, 0},
    {"stalled handshake", fail_mute, 2000, "TLS handshake: timed out",
     DNS_EDE_NETWORK, 0},
    {"closed in the handshake", fail_short, 0,
     "TLS handshake: connection closed by the peer", DNS_EDE_NO_REACHABLE, 0},
    {"unknown issuer", fail_issuer, 0, "the issuer is not trusted",
     DNS_EDE_NO_REACHABLE, 1},
    {"expired", fail_expired, 0, "the certificate has expired",
     DNS_EDE_NO_REACHABLE, 1},
    {"another name", fail_name, 0, "expected other.example, found s0.example",
     DNS_EDE_NO_REACHABLE, 1},
    {"not pinned", fail_pin, 0, "no key of the chain is pinned",
     DNS_EDE_NO_REACHABLE, 1},
};

static void run_failure_case(struct bed *b, const struct failure_case *c)
{
    char text[256];

    (void)bed_add_server(b);
    c->prepare(b);
    bed_start(b);
    if (c->at_ms > 0) {
        bed_run_ms(b, c->at_ms - 5);
        assert_int_equal(bed_stats(b)->dial_failures, 0);
        bed_run_ms(b, 5);
    }
    bed_run_ms(b, 5);
    assert_int_equal(bed_stats(b)->dial_failures, 1);
    assert_int_equal(bed_stats(b)->untrusted, c->untrusted);
    assert_int_equal(bed_stats(b)->handshakes, 0);
    assert_false(upstream_is_ready(b->pool));
    assert_int_equal(upstream_explain(b->pool, text, sizeof(text)), c->ede);
    if (strstr(text, c->why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", text, c->why);
    }
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

static void test_failures_are_told_apart(void **state)
{
    for (size_t i = 0; i < sizeof(failure_cases) / sizeof(*failure_cases);
         i++) {
        run_failure_case(bed_renew(state, failure_cases[i].title),
                         &failure_cases[i]);
    }
}

/* Not one octet of a query goes to who has not proved its name. */
static void test_untrusted_servers_get_no_query(void **state)
{
    static void (*const prepare[])(struct bed * b) = {fail_issuer, fail_expired,
                                                      fail_name, fail_pin};

    for (size_t i = 0; i < sizeof(prepare) / sizeof(*prepare); i++) {
        struct bed *b = bed_renew(state, "an impostor and a good server");
        struct sim_server *bad = bed_add_server(b);
        struct sim_server *good = bed_add_server(b);
        b->config.pool.strategy = CONFIG_RACE;
        bad->is_impostor = true;
        prepare[i](b);
        bed_start(b);
        assert_int_equal(bed_ask_in_turn(b, 20, 100), 20);
        bed_run_ms(b, 60000);
        sim_server_stop(good, SIM_STOP_CRASH);
        assert_int_equal(bed_ask_in_turn(b, 5, 4000), 0);
        bed_stop(b);
        bed_run_ms(b, 10);
        assert_int_equal(bad->stats.queries, 0);
        assert_int_equal(bad->stats.leaked, 0);
        assert_int_equal(bad->stats.early_data, 0);
        assert_true(bad->stats.connections > 1);
    }
}

/* ---- coming back ---- */

static void test_an_answer_ends_the_count_of_failures(void **state)
{
    struct bed *b = *state;
    uint64_t at_us[DIALS_MAX];

    struct sim_server *s = bed_add_server(b);
    sim_server_stop(s, SIM_STOP_CRASH);
    bed_start(b);
    bed_run_ms(b, 20000);
    assert_true(b->pool->servers[0]->failures > 4);
    sim_server_start(s);
    assert_int_equal(bed_ask_in_turn(b, 1, 300), 1);
    assert_int_equal(b->pool->servers[0]->failures, 0);
    sim_server_stop(s, SIM_STOP_CRASH);
    unsigned count = note_dials(b, 10000, at_us);
    assert_true(count >= 4);
    assert_backs_off(b, at_us, count);
}

/* It comes up within retry_max, though nobody asks. */
static void test_a_server_is_tried_again_in_the_background(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    sim_server_stop(s, SIM_STOP_CRASH);
    bed_start(b);
    bed_run_ms(b, 120000);
    sim_server_start(s);
    bed_run_ms(b, 36100);
    assert_true(upstream_is_ready(b->pool));
}

static void test_a_closed_connection_is_replaced_and_resumed(void **state)
{
    struct bed *b = *state;

    struct sim_server *s = bed_add_server(b);
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 1, 100), 1);
    bed_run_ms(b, 2000);
    sim_server_close_all(s, false);
    bed_run_ms(b, 5);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 1);
    assert_int_equal(bed_stats(b)->closes, 1);
    assert_int_equal(bed_stats(b)->losses, 0);
    assert_int_equal(bed_stats(b)->handshakes, 2);
    assert_int_equal(bed_stats(b)->resumed, 1);
    assert_int_equal(s->stats.resumed, 1);
    assert_int_equal(bed_stats(b)->dial_failures, 0);
}

/* ---- the machine falls asleep ---- */

static const struct suspend_case {
    const char *title;
    uint64_t ms;
    bool is_clock_stopped;
    unsigned dials; /* more */
} suspend_cases[] = {
    {"suspended for an hour", 3600 * 1000, true, 2},
    {"suspended for a moment", SLEEP_MS / 2, true, 0},
    {"paused, and the clock went on", 60 * 1000, false, 0},
};

/* Peers have forgotten connections from before a suspend, maybe without a
 * word: none is trusted afterwards, and no server is blamed. */
static void test_connects_anew_after_suspend(void **state)
{
    for (size_t i = 0; i < sizeof(suspend_cases) / sizeof(*suspend_cases);
         i++) {
        const struct suspend_case *c = &suspend_cases[i];
        struct bed *b = bed_renew(state, c->title);
        (void)bed_add_server(b);
        (void)bed_add_server(b);
        bed_start_ready(b);
        bed_run_ms(b, 2000);
        assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
        if (c->dials > 0) {
            sim_link_vanish(b->world, bed_link(b, 0));
            sim_link_vanish(b->world, bed_link(b, 1));
        }
        sim_loop_freeze(b->loop, c->ms * 1000, c->is_clock_stopped);
        bed_run_ms(b, c->ms);
        assert_int_equal(bed_ask_in_turn(b, 5, 20), 5);
        assert_int_equal(bed_stats(b)->dials, 2 + c->dials);
        assert_int_equal(b->pool->servers[0]->failures, 0);
        assert_int_equal(b->pool->servers[1]->failures, 0);
    }
}

/* ---- the pool falls asleep ---- */

static void test_unused_connections_stay_closed_after_a_while(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct sim_server *s = bed_add_server(b);
    s->manners.idle_close_ms = 30000;
    bed_start_ready(b);
    bed_run_ms(b, b->config.warm_for_ms + 60000);
    uint64_t dials = bed_stats(b)->dials;
    assert_between(dials, 20, 22);
    bed_run_ms(b, 3600 * 1000);
    assert_int_equal(bed_stats(b)->dials, dials);
    assert_false(upstream_is_ready(b->pool));
    bed_ask(b, &a, 1);
    assert_true(bed_wait(b, &a, 5));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->dials, dials + 1);
    bed_run_ms(b, 40000); /* warm again: what closes is replaced */
    assert_true(upstream_is_ready(b->pool));
}

/* The same for a server that is down: it is left in peace, then tried. */
static void test_down_servers_are_left_alone_after_a_while(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_nobody(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_run_ms(b, b->config.warm_for_ms + 60000);
    uint64_t dials = bed_stats(b)->dials;
    bed_run_ms(b, 3600 * 1000);
    assert_int_equal(bed_stats(b)->dials, dials);
    bed_ask(b, &a, 1);
    assert_true(bed_wait(b, &a, 5));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->dials, dials + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_back_off_grows),
        BED_TEST(test_a_tls_error_is_tried_again_once),
        BED_TEST(test_clients_cause_no_storm_of_dials),
        BED_TEST(test_failures_are_told_apart),
        BED_TEST(test_untrusted_servers_get_no_query),
        BED_TEST(test_an_answer_ends_the_count_of_failures),
        BED_TEST(test_a_server_is_tried_again_in_the_background),
        BED_TEST(test_a_closed_connection_is_replaced_and_resumed),
        BED_TEST(test_connects_anew_after_suspend),
        BED_TEST(test_unused_connections_stay_closed_after_a_while),
        BED_TEST(test_down_servers_are_left_alone_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
