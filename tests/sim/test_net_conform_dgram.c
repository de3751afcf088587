/*
 * What net/dgram.h promises, checked against whichever of the two
 * implementations this is linked with. The server is one of net/udp.h.
 */
#include "conform.h"

#include "base/err.h"
#include "net/dgram.h"
#include "net/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ASKERS = 3 };

struct bed;

struct asker {
    struct bed *bed;
    struct net_dgram *dgram;
    int answers, refusals, other_errors;
    size_t longest;
    unsigned sum; /* of the answers' last octets */
    bool closes;  /* when it hears anything */
};

struct bed {
    struct conform base;
    struct net_udp *server;
    struct addr addr;
    struct net_udp_path last; /* who asked last */
    uint16_t ports[ASKERS];   /* of the askers, as the server saw them */
    int served;
    size_t answer_len; /* 0: as long as the query */
    bool is_inside;    /* of a call of ours: no callback may come */
    struct asker asker[ASKERS];
};

static void serve(struct bed *b, struct span data,
                  const struct net_udp_path *path)
{
    uint8_t *out = net_udp_reserve(b->server);
    size_t len = b->answer_len == 0 ? data.len : b->answer_len;

    memset(out, 0, NET_UDP_SEND_MAX);
    if (data.len > 0) {
        memcpy(out, data.ptr, data.len);
    }
    net_udp_commit(b->server, path, len);
}

static void on_query(struct bed *b, const struct net_udp_datagram *d)
{
    struct addr peer;

    net_udp_path_peer(d->path, &peer);
    if (d->data.len > 0 && d->data.ptr[0] < ASKERS) {
        b->ports[d->data.ptr[0]] = peer.port;
    }
    b->last = *d->path;
    b->served++;
    serve(b, d->data, d->path);
}

static void on_queries(void *arg, const struct net_udp_datagram *batch,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        on_query(arg, &batch[i]);
    }
}

static void on_dgram(void *arg, int err, struct span data)
{
    struct asker *a = arg;

    assert_false(a->bed->is_inside);
    assert_non_null(a->dgram); /* it was not closed */
    if (err == 0) {
        a->answers++;
        a->longest = data.len > a->longest ? data.len : a->longest;
        a->sum += data.len > 0 ? data.ptr[data.len - 1] : 0;
    } else {
        assert_int_equal(data.len, 0);
        a->refusals += err == ERR_NET_REFUSED;
        a->other_errors += err != ERR_NET_REFUSED;
    }
    if (a->closes) {
        net_dgram_close(a->dgram);
        a->dgram = NULL;
    }
}

static void server_open(struct bed *b)
{
    struct addr any_port = conform_loopback(0);

    assert_int_equal(net_udp_open(b->base.loop, &any_port, false, 1 << 20,
                                  on_queries, b, NULL, &b->server),
                     0);
    net_udp_addr(b->server, &b->addr);
}

static void server_close(struct bed *b)
{
    net_udp_close(b->server);
    b->server = NULL;
}

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));

    conform_begin(&b->base);
    server_open(b);
    for (size_t i = 0; i < ASKERS; i++) {
        struct asker *a = &b->asker[i];
        a->bed = b;
        assert_int_equal(
            net_dgram_open(b->base.loop, &b->addr, on_dgram, a, &a->dgram), 0);
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(b->asker[i].other_errors, 0);
        net_dgram_close(b->asker[i].dgram);
    }
    net_udp_close(b->server);
    conform_end(&b->base);
    free(b);
    return 0;
}

/* The first octet says who asks. */
static int ask(struct bed *b, uint8_t who, uint8_t what)
{
    uint8_t query[] = {who, what};

    b->is_inside = true;
    int err =
        net_dgram_send(b->asker[who].dgram, span_of(query, sizeof(query)));
    b->is_inside = false;
    return err;
}

static bool is_any_heard(void *arg)
{
    const struct bed *b = arg;
    int heard = 0;

    for (size_t i = 0; i < ASKERS; i++) {
        heard += b->asker[i].answers + b->asker[i].refusals;
    }
    return heard > 0;
}

static bool is_all_answered(void *arg)
{
    const struct bed *b = arg;
    int answers = 0;

    for (size_t i = 0; i < ASKERS; i++) {
        answers += b->asker[i].answers;
    }
    return answers == 150;
}

static void answers_come_to_who_asked(void **state)
{
    struct bed *b = *state;

    for (uint8_t i = 0; i < 50; i++) {
        for (uint8_t who = 0; who < ASKERS; who++) {
            assert_int_equal(ask(b, who, (uint8_t)(i + who)), 0);
        }
    }
    conform_run_until(&b->base, is_all_answered, b);
    conform_run_a_while(&b->base);
    for (unsigned who = 0; who < ASKERS; who++) {
        assert_int_equal(b->asker[who].answers, 50);
        assert_int_equal(b->asker[who].sum, 49 * 50 / 2 + 50 * who);
    }
    assert_int_equal(b->served, 150);
    assert_true(b->ports[0] != b->ports[1]);
    assert_true(b->ports[1] != b->ports[2]);
    assert_true(b->ports[0] != b->ports[2]);
}

static void only_the_peer_is_heard(void **state)
{
    struct bed *b = *state;
    struct net_udp *stranger = NULL;
    struct addr any_port = conform_loopback(0);

    assert_int_equal(ask(b, 0, 1), 0);
    conform_run_until(&b->base, is_any_heard, b);
    assert_int_equal(net_udp_open(b->base.loop, &any_port, false, 0, on_queries,
                                  b, NULL, &stranger),
                     0);
    net_udp_reserve(stranger)[0] = 77;
    net_udp_commit(stranger, &b->last, 1);
    conform_run_a_while(&b->base);
    assert_int_equal(b->asker[0].answers, 1);
    assert_int_equal(b->asker[0].sum, 1);
    net_udp_close(stranger);
}

static const struct length_case {
    size_t len;
    int answers;
} length_cases[] = {{1, 1}, {512, 1}, {4095, 1}, {4096, 1}};

static void all_lengths_come(void **state)
{
    struct bed *b = *state;

    for (size_t i = 0; i < COUNT_OF(length_cases); i++) {
        b->answer_len = length_cases[i].len;
        b->asker[0].answers = 0;
        assert_int_equal(ask(b, 0, 1), 0);
        conform_run_until(&b->base, is_any_heard, b);
        assert_int_equal(b->asker[0].answers, length_cases[i].answers);
        assert_int_equal(b->asker[0].longest, length_cases[i].len);
    }
}

static void empty_ones_pass(void **state)
{
    struct bed *b = *state;

    assert_int_equal(net_dgram_send(b->asker[1].dgram, span_of(NULL, 0)), 0);
    conform_run_until(&b->base, is_any_heard, b);
    assert_int_equal(b->served, 1);
    assert_int_equal(b->asker[1].answers, 1);
    assert_int_equal(b->asker[1].longest, 0);
}

static void refusal_is_told_and_survived(void **state)
{
    struct bed *b = *state;
    struct addr addr = b->addr;

    server_close(b);
    assert_int_equal(ask(b, 0, 1), 0);
    conform_run_until(&b->base, is_any_heard, b);
    assert_int_equal(b->asker[0].refusals, 1);
    assert_int_equal(net_udp_open(b->base.loop, &addr, false, 0, on_queries, b,
                                  NULL, &b->server),
                     0);
    b->asker[0].refusals = 0;
    assert_int_equal(ask(b, 0, 9), 0);
    conform_run_until(&b->base, is_any_heard, b);
    assert_int_equal(b->asker[0].answers, 1);
    assert_int_equal(b->asker[0].refusals, 0);
    assert_int_equal(b->asker[0].sum, 9);
}

/* The kernel tells of the first by the call that sends the second. */
static void refusal_does_not_hold_up_the_next(void **state)
{
    struct bed *b = *state;
    struct addr addr = b->addr;

    server_close(b);
    assert_int_equal(ask(b, 0, 1), 0);
    conform_run_until(&b->base, is_any_heard, b);
    b->asker[0].refusals = 0;
    assert_int_equal(ask(b, 0, 2), 0);
    assert_int_equal(net_udp_open(b->base.loop, &addr, false, 0, on_queries, b,
                                  NULL, &b->server),
                     0);
    assert_int_equal(ask(b, 0, 9), 0);
    conform_run_a_while(&b->base);
    assert_true(b->asker[0].refusals <= 1);
    assert_true(b->asker[0].answers >= 1);
}

static void closed_while_it_speaks(void **state)
{
    struct bed *b = *state;

    b->asker[0].closes = true;
    for (uint8_t i = 0; i < 10; i++) {
        assert_int_equal(ask(b, 0, i), 0);
    }
    conform_run_until(&b->base, is_any_heard, b);
    conform_run_a_while(&b->base);
    assert_int_equal(b->asker[0].answers, 1);
}

static void closed_when_refused(void **state)
{
    struct bed *b = *state;

    server_close(b);
    b->asker[0].closes = true;
    assert_int_equal(ask(b, 0, 1), 0);
    assert_int_equal(ask(b, 0, 2), 0);
    conform_run_until(&b->base, is_any_heard, b);
    conform_run_a_while(&b->base);
    assert_int_equal(b->asker[0].refusals, 1);
    assert_null(b->asker[0].dgram);
}

static void closed_with_answers_under_way(void **state)
{
    struct bed *b = *state;

    assert_int_equal(ask(b, 0, 1), 0);
    assert_int_equal(ask(b, 1, 1), 0);
    net_dgram_close(b->asker[0].dgram);
    b->asker[0].dgram = NULL;
    conform_run_until(&b->base, is_any_heard, b);
    conform_run_a_while(&b->base);
    assert_int_equal(b->asker[0].answers, 0);
    assert_int_equal(b->asker[1].answers, 1);
    net_dgram_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(answers_come_to_who_asked),
        CASE(only_the_peer_is_heard),
        CASE(all_lengths_come),
        CASE(empty_ones_pass),
        CASE(refusal_is_told_and_survived),
        CASE(refusal_does_not_hold_up_the_next),
        CASE(closed_while_it_speaks),
        CASE(closed_when_refused),
        CASE(closed_with_answers_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
