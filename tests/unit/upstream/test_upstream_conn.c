/*
 * One connection: which answers are believed, and when it ends.
 */
#include "base/err.h"
#include "bed.h"
#include "tests.h"
#include "upstream/internal.h"

#include <stdlib.h>
#include <string.h>

enum { ID_INDEX_MASK = 0x3ff /* queries_per_connection is 1,024 */ };

/* ---- answers that are believed ---- */

static void test_answers_may_come_in_any_order(void **state)
{
    static const unsigned order[] = {3, 0, 4, 2, 1};
    struct bed *b = *state;
    struct ask asks[5];

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 5);
    bed_run_ms(b, 1);
    for (unsigned i = 0; i < 5; i++) {
        peer_answer(p, order[i]);
        bed_run_ms(b, 1);
        for (unsigned j = 0; j < 5; j++) {
            bool is_answered = false;
            for (unsigned k = 0; k <= i; k++) {
                is_answered = is_answered || order[k] == j;
            }
            assert_int_equal(asks[j].done, is_answered);
        }
    }
    assert_int_equal(bed_stats(b)->answers, 5);
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
}

static void test_the_table_of_queries_grows(void **state)
{
    enum { COUNT = 1024 };
    struct bed *b = *state;
    struct ask *asks = calloc(COUNT, sizeof(*asks));
    static bool is_seen[65536];

    assert_non_null(asks);
    memset(is_seen, 0, sizeof(is_seen));
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, COUNT);
    bed_run_ms(b, 5);
    assert_int_equal(p->query_count, COUNT);
    assert_int_equal(p->conn_count, 1);
    for (unsigned i = COUNT; i-- > 0;) {
        assert_false(is_seen[peer_id(p, i)]);
        is_seen[peer_id(p, i)] = true;
        peer_answer(p, i);
    }
    bed_run_ms(b, 5);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    free(asks);
}

static void test_octets_may_come_one_by_one(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_server(b);
    bed_link(b, 0)->segment_max = 1;
    bed_start_ready(b);
    bed_ask_kind(b, &a, ZONE_BIG, 1);
    assert_true(bed_wait(b, &a, 1000));
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
}

static void test_answers_may_take_many_records(void **state)
{
    struct bed *b = *state;

    (void)bed_add_server(b);
    bed_start_ready(b);
    for (unsigned i = 0; i < 10; i++) {
        struct ask a;
        bed_ask_kind(b, &a, ZONE_HUGE, i);
        assert_true(bed_wait(b, &a, 100));
        assert_answered(&a, DNS_RCODE_NOERROR);
        assert_true(a.answer_count >= 20);
    }
}

/* RFC 7766 section 8, and servers that read one query a record. */
static void test_each_query_is_a_record_of_its_own(void **state)
{
    struct bed *b = *state;
    struct ask asks[20];

    struct sim_server *s = bed_add_server(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 20);
    bed_run_ms(b, 10);
    bed_stop(b);
    bed_run_ms(b, 10);
    assert_int_equal(s->stats.queries, 20);
    assert_int_equal(s->stats.bundled, 0);
    assert_int_equal(s->stats.bad_queries, 0);
}

static void test_an_answer_and_the_end_may_come_together(void **state)
{
    struct bed *b = *state;
    struct ask a;

    bed_add_server(b)->manners.close_after = 1;
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->moved, 0);
    assert_int_equal(bed_stats(b)->losses, 0);
    assert_int_equal(bed_stats(b)->closes, 1);
    assert_int_equal(b->pool->servers[0]->failures, 0);
    assert_true(upstream_is_ready(b->pool)); /* again */
}

/* ---- answers that are not ---- */

typedef size_t spoil_fn(uint8_t *message, size_t len);

static size_t spoil_nothing(uint8_t *message, size_t len)
{
    (void)message;
    return len;
}

static size_t spoil_case(uint8_t *message, size_t len)
{
    for (size_t i = DNS_HEADER_LEN; i < DNS_HEADER_LEN + 8; i++) {
        message[i] ^= message[i] >= 'A' ? 0x20 : 0;
    }
    return len;
}

static size_t spoil_id_index(uint8_t *message, size_t len)
{
    message[1] ^= 1;
    return len;
}

static size_t spoil_id_index_far(uint8_t *message, size_t len)
{
    message[0] ^= 2; /* past the slots that there are */
    return len;
}

static size_t spoil_id_generation(uint8_t *message, size_t len)
{
    message[0] ^= 0x80;
    return len;
}

static size_t spoil_name(uint8_t *message, size_t len)
{
    message[DNS_HEADER_LEN + 2] ^= 1;
    return len;
}

static size_t question_end(const uint8_t *message)
{
    size_t at = DNS_HEADER_LEN;

    while (message[at] != 0) {
        at += message[at] + 1u;
    }
    return at + 5;
}

static size_t spoil_type(uint8_t *message, size_t len)
{
    message[question_end(message) - 3] = DNS_TYPE_AAAA;
    return len;
}

static size_t spoil_class(uint8_t *message, size_t len)
{
    message[question_end(message) - 1] = DNS_CLASS_CH;
    return len;
}

static size_t spoil_qr(uint8_t *message, size_t len)
{
    message[2] &= 0x7f;
    return len;
}

static size_t spoil_short(uint8_t *message, size_t len)
{
    (void)message;
    (void)len;
    return DNS_HEADER_LEN - 1;
}

static size_t spoil_empty(uint8_t *message, size_t len)
{
    (void)message;
    (void)len;
    return 0;
}

static size_t spoil_cut(uint8_t *message, size_t len)
{
    (void)message;
    return len - 1;
}

static size_t spoil_trailing(uint8_t *message, size_t len)
{
    message[len] = 0;
    return len + 1;
}

static size_t spoil_garbage(uint8_t *message, size_t len)
{
    memset(message + 4, 0xff, len - 4);
    return len;
}

/* A header with no question, and this RCODE. */
static size_t make_bare(uint8_t *message, unsigned rcode)
{
    message[3] = (uint8_t)((message[3] & 0xf0) | rcode);
    memset(message + 4, 0, 8);
    return DNS_HEADER_LEN;
}

static size_t spoil_bare_ok(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_NOERROR);
}

static size_t spoil_bare_nxdomain(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_NXDOMAIN);
}

static size_t spoil_bare_formerr(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_FORMERR);
}

static size_t spoil_bare_servfail(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_SERVFAIL);
}

static size_t spoil_bare_notimp(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_NOTIMP);
}

static size_t spoil_bare_refused(uint8_t *message, size_t len)
{
    (void)len;
    return make_bare(message, DNS_RCODE_REFUSED);
}

static const struct answer_case {
    const char *title;
    spoil_fn *spoil;
    bool is_believed;
    unsigned rcode; /* when it is, and no other server is there */
} answer_cases[] = {
    {"the right answer", spoil_nothing, true, DNS_RCODE_NOERROR},
    {"the question in other letters", spoil_case, true, DNS_RCODE_NOERROR},
    {"another slot's id", spoil_id_index, false, 0},
    {"an id of no slot", spoil_id_index_far, false, 0},
    {"an id of another time", spoil_id_generation, false, 0},
    {"another name", spoil_name, false, 0},
    {"another type", spoil_type, false, 0},
    {"another class", spoil_class, false, 0},
    {"a query", spoil_qr, false, 0},
    {"less than a header", spoil_short, false, 0},
    {"nothing", spoil_empty, false, 0},
    {"one octet less", spoil_cut, false, 0},
    {"one octet more", spoil_trailing, false, 0},
    {"no DNS at all", spoil_garbage, false, 0},
    {"no question, NOERROR", spoil_bare_ok, false, 0},
    {"no question, NXDOMAIN", spoil_bare_nxdomain, false, 0},
    {"no question, FORMERR", spoil_bare_formerr, true, DNS_RCODE_FORMERR},
    {"no question, SERVFAIL", spoil_bare_servfail, true, DNS_RCODE_SERVFAIL},
    {"no question, NOTIMP", spoil_bare_notimp, true, DNS_RCODE_NOTIMP},
    {"no question, REFUSED", spoil_bare_refused, true, DNS_RCODE_REFUSED},
};

static void answer_spoilt(struct peer *p, unsigned n, spoil_fn *spoil)
{
    uint8_t message[ZONE_MESSAGE_MAX + 1];

    size_t len = peer_right_answer(p, n, message);
    len = spoil(message, len);
    peer_send(p, p->queries[n].conn, span_of(message, len));
}

/* Alone: what is believed is relayed, and what is not ends the connection. */
static void run_answer_case(struct bed *b, const struct answer_case *c)
{
    struct ask a;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    answer_spoilt(p, 0, c->spoil);
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->protocol_errors, !c->is_believed);
    assert_int_equal(p->conns[0].stream != NULL, c->is_believed);
    if (c->is_believed) {
        assert_answered(&a, c->rcode);
    } else {
        assert_int_equal(a.done, 0);
        bed_cancel(b, &a);
    }
}

/* With a second server: the client gets the right answer in every case. */
static void run_answer_case_of_two(struct bed *b, const struct answer_case *c)
{
    struct ask a;

    struct peer *p = bed_add_peer(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    answer_spoilt(p, 0, c->spoil);
    bed_run_ms(b, 2);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->waited, 0);
}

static void test_only_right_answers_are_believed(void **state)
{
    for (size_t i = 0; i < sizeof(answer_cases) / sizeof(*answer_cases); i++) {
        const struct answer_case *c = &answer_cases[i];
        run_answer_case(bed_renew(state, c->title), c);
        run_answer_case_of_two(bed_renew(state, c->title), c);
    }
}

/* Nobody asked: no query is lost, and the connection is not trusted on. */
static void test_an_answer_nobody_asked_for(void **state)
{
    static const uint8_t message[DNS_HEADER_LEN] = {0, 0, 0x80};
    struct bed *b = *state;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    peer_send(p, 0, span_of(message, sizeof(message)));
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->protocol_errors, 1);
    assert_null(p->conns[0].stream);
}

/* The same answer once more, while its slot waits to be used again, does no
 * harm. */
static void test_an_answer_that_comes_twice(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    peer_answer(p, 0);
    peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(bed_stats(b)->answers, 1);
    assert_int_equal(bed_stats(b)->late, 1);
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
    p->manner = PEER_ANSWER;
    assert_int_equal(bed_ask_in_turn(b, 3, 10), 3);
    assert_int_equal(p->conn_count, 1);
}

static void test_a_frame_that_ends_early(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct sim_server *s = bed_add_server(b);
    (void)bed_add_server(b);
    s->manners.cut = 100;
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(s->stats.queries, 1);
    assert_int_equal(bed_stats(b)->moved, 1);
}

/* ---- answers that nobody waits for any more ---- */

static void test_a_late_answer_is_counted_and_tolerated(void **state)
{
    struct bed *b = *state;
    struct ask first;
    struct ask second;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &first, 1);
    bed_run_ms(b, 1);
    bed_cancel(b, &first);
    bed_ask(b, &second, 2);
    bed_run_ms(b, 1);
    /* its slot is not given away while the answer may come */
    assert_int_not_equal(peer_id(p, 0) & ID_INDEX_MASK,
                         peer_id(p, 1) & ID_INDEX_MASK);
    peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->late, 1);
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
    assert_int_equal(first.done, 0);
    peer_answer(p, 1);
    bed_run_ms(b, 1);
    assert_answered(&second, DNS_RCODE_NOERROR);
    assert_int_equal(p->conn_count, 1);
}

static void test_a_slot_is_used_again_under_another_id(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    p->manner = PEER_ANSWER;
    assert_int_equal(bed_ask_in_turn(b, 50, 10), 50);
    for (unsigned i = 1; i < 50; i++) {
        assert_int_equal(peer_id(p, i) & ID_INDEX_MASK,
                         peer_id(p, 0) & ID_INDEX_MASK);
        assert_int_not_equal(peer_id(p, i), peer_id(p, 0));
    }
    /* the first answer once more, while another has its slot */
    p->manner = PEER_HOLD;
    bed_ask(b, &a, 1000);
    bed_run_ms(b, 1);
    p->manner = PEER_ANSWER; /* over the next connection */
    peer_answer(p, 0);
    bed_run_ms(b, 350); /* and a back-off */
    assert_int_equal(bed_stats(b)->protocol_errors, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* Answers that never come do not use a connection up for ever. */
static void test_abandoned_slots_are_freed_in_the_end(void **state)
{
    struct bed *b = *state;
    struct ask lost;

    b->config.queries_per_connection = 2;
    b->config.connections_per_server = 1;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask(b, &lost, 1);
    bed_run_ms(b, 1);
    bed_cancel(b, &lost);
    p->manner = PEER_ANSWER;
    for (unsigned s = 1; s <= 13; s++) {
        assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
        bed_run_ms(b, 1000);
        if (s == 9) {
            assert_int_equal(bed_stats(b)->waited, 0);
            struct upstream_conn *c = LIST_FIRST(&b->pool->servers[0]->conns,
                                                 struct upstream_conn, node);
            assert_int_equal(c->outstanding, 1);
        }
    }
    p->manner = PEER_HOLD;
    struct ask asks[2];
    bed_ask_many(b, asks, 2);
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->waited, 0);
    assert_int_equal(p->conn_count, 1);
    bed_cancel(b, &asks[0]);
    bed_cancel(b, &asks[1]);
}

/* ---- silence ---- */

/* It takes no new queries after answer_timeout, is asked whether it is there,
 * and closed after as long again. */
static void test_a_silent_connection_is_given_up(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct peer *p = bed_add_peer(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_run_ms(b, 10000); /* silence without queries is nothing */
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1498);
    assert_int_equal(upstream_pool_ready_conns(b->pool), 2);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(a.done, 0);
    bed_run_ms(b, 5);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(p->query_count, 2);
    bed_run_ms(b, 1490);
    assert_non_null(p->conns[0].stream);
    bed_run_ms(b, 20);
    assert_null(p->conns[0].stream);
    assert_int_equal(p->conns[0].queries, 2);
    assert_int_equal(bed_stats(b)->losses, 1);
    assert_int_equal(b->pool->servers[0]->failures, 1);
}

static void test_silence_begins_at_the_last_octet(void **state)
{
    struct bed *b = *state;
    struct ask asks[2];

    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, 2);
    bed_run_ms(b, 1000);
    peer_answer(p, 1);
    bed_run_ms(b, 1495);
    assert_true(upstream_is_ready(b->pool));
    bed_run_ms(b, 1495);
    assert_non_null(p->conns[0].stream);
    bed_run_ms(b, 15);
    assert_null(p->conns[0].stream);
    bed_cancel(b, &asks[0]);
}

/* A server that takes long over everything is slow, and not broken. */
static void test_a_connection_that_speaks_again_is_used_again(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct peer *p = bed_add_peer(b);
    (void)bed_add_server(b);
    bed_start_ready(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2000);
    assert_int_equal(p->query_count, 2);
    peer_answer(p, 1); /* the pool's own */
    bed_run_ms(b, 5);
    p->manner = PEER_ANSWER;
    assert_int_equal(bed_ask_in_turn(b, 5, 10), 5);
    assert_int_equal(p->query_count, 7);
    assert_non_null(p->conns[0].stream);
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
}

/* The pool's own query comes on top of as many as a connection may have: ids
 * must stay apart. */
static void test_a_full_connection_can_be_probed(void **state)
{
    enum { COUNT = 32 };
    struct bed *b = *state;
    struct ask asks[COUNT];

    b->config.queries_per_connection = COUNT;
    b->config.connections_per_server = 1;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    bed_ask_many(b, asks, COUNT);
    bed_run_ms(b, 1600);
    for (unsigned i = 0; i < p->query_count; i++) {
        if (p->queries[i].conn == 0) {
            peer_answer(p, i);
        }
    }
    bed_run_ms(b, 10);
    for (unsigned i = 0; i < COUNT; i++) {
        if (asks[i].done == 0) {
            bed_cancel(b, &asks[i]);
        }
    }
    assert_int_equal(bed_stats(b)->protocol_errors, 0);
    assert_int_equal(bed_stats(b)->answers, COUNT);
}

static void test_a_vanished_peer_is_noticed(void **state)
{
    struct bed *b = *state;
    struct ask a;

    (void)bed_add_server(b);
    bed_start_ready(b);
    sim_link_vanish(b->world, bed_link(b, 0));
    bed_ask(b, &a, 1);
    bed_run_ms(b, 2000);
    assert_answered(&a, DNS_RCODE_NOERROR); /* over a new connection */
    assert_int_equal(bed_stats(b)->dials, 2);
    bed_run_ms(b, 2000);
    assert_int_equal(sim_loop_open_count(b->loop), 1);
}

/* ---- upstream_idle ---- */

static void test_an_idle_connection_is_closed(void **state)
{
    struct bed *b = *state;

    b->config.upstream_idle_ms = 5000;
    struct peer *p = bed_add_peer(b);
    p->manner = PEER_ANSWER;
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    bed_run_ms(b, 3000);
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    bed_run_ms(b, 4990);
    assert_int_equal(peer_open_count(p), 1);
    bed_run_ms(b, 1600); /* at the next look, at the latest */
    assert_int_equal(peer_open_count(p), 0);
    assert_true(p->conns[0].has_said_goodbye); /* RFC 8446 section 6.1 */
    assert_int_equal(bed_stats(b)->closes, 1);
    bed_run_ms(b, 60000); /* a close of our own is no reason to dial */
    assert_int_equal(bed_stats(b)->dials, 1);
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    assert_int_equal(bed_stats(b)->dials, 2);
}

static void test_idle_connections_stay_when_no_limit_is_set(void **state)
{
    struct bed *b = *state;

    struct peer *p = bed_add_peer(b);
    p->manner = PEER_ANSWER;
    bed_start_ready(b);
    assert_int_equal(bed_ask_in_turn(b, 1, 10), 1);
    bed_run_ms(b, b->config.warm_for_ms - 10);
    assert_int_equal(peer_open_count(p), 1);
    bed_run_ms(b, 30); /* nobody has asked for so long */
    assert_int_equal(peer_open_count(p), 0);
    assert_true(p->conns[0].has_said_goodbye);
}

/* The spare one of failover, which no query ever used. */
static void test_a_connection_never_used_is_closed_too(void **state)
{
    struct bed *b = *state;

    b->config.upstream_idle_ms = 5000;
    struct peer *p = bed_add_peer(b);
    bed_start_ready(b);
    assert_int_equal(peer_open_count(p), 1);
    bed_run_ms(b, 4900);
    assert_int_equal(peer_open_count(p), 1);
    bed_run_ms(b, 1700);
    assert_int_equal(peer_open_count(p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_answers_may_come_in_any_order),
        BED_TEST(test_the_table_of_queries_grows),
        BED_TEST(test_octets_may_come_one_by_one),
        BED_TEST(test_answers_may_take_many_records),
        BED_TEST(test_each_query_is_a_record_of_its_own),
        BED_TEST(test_an_answer_and_the_end_may_come_together),
        BED_TEST(test_only_right_answers_are_believed),
        BED_TEST(test_an_answer_nobody_asked_for),
        BED_TEST(test_an_answer_that_comes_twice),
        BED_TEST(test_a_frame_that_ends_early),
        BED_TEST(test_a_late_answer_is_counted_and_tolerated),
        BED_TEST(test_a_slot_is_used_again_under_another_id),
        BED_TEST(test_abandoned_slots_are_freed_in_the_end),
        BED_TEST(test_a_silent_connection_is_given_up),
        BED_TEST(test_silence_begins_at_the_last_octet),
        BED_TEST(test_a_connection_that_speaks_again_is_used_again),
        BED_TEST(test_a_full_connection_can_be_probed),
        BED_TEST(test_a_vanished_peer_is_noticed),
        BED_TEST(test_an_idle_connection_is_closed),
        BED_TEST(test_idle_connections_stay_when_no_limit_is_set),
        BED_TEST(test_a_connection_never_used_is_closed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
