/*
 * What leaves over UDP cannot be guessed, and what comes is believed only if it
 * is the answer to it.
 */
#include "base/err.h"
#include "plain_peer.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

enum { MANY = 200, SHARED = 600, SOCKETS_MAX = 256 };

/* ---- what leaves ---- */

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static unsigned different(int *numbers, unsigned count)
{
    unsigned kinds = count > 0;

    qsort(numbers, count, sizeof(*numbers), compare);
    for (unsigned i = 1; i < count; i++) {
        kinds += numbers[i] != numbers[i - 1];
    }
    return kinds;
}

static void test_ports_and_ids_are_random(void **state)
{
    struct bed *b = *state;
    int ports[MANY], ids[MANY];

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    bed_start(b);
    assert_int_equal(bed_ask_in_turn(b, MANY, 1000), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        ports[i] = p->queries[i].from.port;
        ids[i] = p->queries[i].parsed.id;
    }
    assert_true(different(ports, MANY) > MANY * 95 / 100);
    assert_true(different(ids, MANY) > MANY * 95 / 100);
}

static void test_sockets_are_shared_beyond_a_bound(void **state)
{
    struct bed *b = *state;
    static struct ask asks[SHARED];
    static int ports[SHARED];

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, SHARED);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, SHARED);
    assert_int_equal(sim_loop_open_count(b->loop), SOCKETS_MAX);
    for (unsigned i = 0; i < SHARED; i++) {
        ports[i] = p->queries[i].from.port;
    }
    assert_int_equal(different(ports, SHARED), SOCKETS_MAX);
    for (unsigned i = 0; i < SHARED; i++) {
        plain_peer_answer(p, SHARED - 1 - i);
    }
    bed_run_ms(b, 5);
    for (unsigned i = 0; i < SHARED; i++) {
        assert_answered(&asks[i], DNS_RCODE_NOERROR);
    }
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

/* A flood to one server leaves a socket for another one. */
static void test_every_server_gets_a_socket(void **state)
{
    struct bed *b = *state;
    static struct ask asks[SOCKETS_MAX];
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask_many(b, asks, SOCKETS_MAX);
    bed_run_ms(b, 1);
    p->is_silent = false;
    p->rcode = DNS_RCODE_SERVFAIL;
    bed_ask(b, &a, 1000);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        bed_cancel(b, &asks[i]);
    }
}

/* ---- forgeries ---- */

static const struct addr other_host = {
    .ip = {192, 0, 2, 77}, .family = 4, .port = 53};
static const struct addr other_port = {
    .ip = {192, 0, 2, 1}, .family = 4, .port = 5353};
static const struct addr server = {
    .ip = {192, 0, 2, 1}, .family = 4, .port = 53};

/* Changes the right answer. */
typedef void spoil_fn(uint8_t *message, size_t *len);

static void keep(uint8_t *message, size_t *len)
{
    (void)message;
    (void)len;
}

static void change_id(uint8_t *message, size_t *len)
{
    (void)len;
    message[1] ^= 1;
}

static void change_name(uint8_t *message, size_t *len)
{
    (void)len;
    message[DNS_HEADER_LEN + 1] ^= 1;
}

static void change_type(uint8_t *message, size_t *len)
{
    size_t at = DNS_HEADER_LEN;

    (void)len;
    while (message[at] != 0) {
        at += message[at] + 1u;
    }
    message[at + 2] = DNS_TYPE_AAAA;
}

static void change_class(uint8_t *message, size_t *len)
{
    change_type(message, len); /* finds the place */
    size_t at = DNS_HEADER_LEN;

    while (message[at] != 0) {
        at += message[at] + 1u;
    }
    message[at + 2] = DNS_TYPE_A;
    message[at + 4] = DNS_CLASS_CH;
}

static void make_query(uint8_t *message, size_t *len)
{
    (void)len;
    message[2] &= 0x7f;
}

static void make_update(uint8_t *message, size_t *len)
{
    (void)len;
    message[2] |= 5 << 3;
}

static void cut_short(uint8_t *message, size_t *len)
{
    (void)message;
    *len -= 1;
}

static void leave_a_header(uint8_t *message, size_t *len)
{
    memset(message + 4, 0, 8);
    *len = DNS_HEADER_LEN;
}

static void leave_nothing(uint8_t *message, size_t *len)
{
    (void)message;
    *len = 0;
}

static void servfail_without_question(uint8_t *message, size_t *len)
{
    leave_a_header(message, len);
    message[3] = (message[3] & 0xf0) | DNS_RCODE_SERVFAIL;
}

static void truncated_without_question(uint8_t *message, size_t *len)
{
    leave_a_header(message, len);
    message[2] |= 2;
}

static const struct forgery_case {
    const char *title;
    const struct addr *from;
    spoil_fn *spoil;
    unsigned
        dropped; /* counted; the kernel drops what is not from the server */
} forgery_cases[] = {
    {"from another port", &other_port, keep, 0},
    {"from another host", &other_host, keep, 0},
    {"wrong ID", &server, change_id, 1},
    {"wrong name", &server, change_name, 1},
    {"wrong type", &server, change_type, 1},
    {"wrong class", &server, change_class, 1},
    {"a query", &server, make_query, 1},
    {"another opcode", &server, make_update, 1},
    {"ends early", &server, cut_short, 1},
    {"NOERROR without a question", &server, leave_a_header, 1},
    {"SERVFAIL without a question", &server, servfail_without_question, 1},
    {"TC=1 without a question", &server, truncated_without_question, 1},
    {"nothing at all", &server, leave_nothing, 1},
};

static void run_forgery(struct bed *b, const struct forgery_case *c)
{
    static uint8_t message[ZONE_MESSAGE_MAX];
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    assert_int_equal(p->query_count, 1);
    size_t len = plain_peer_right(p, 0, message);
    c->spoil(message, &len);
    plain_peer_forge(p, 0, c->from, span_of(message, len));
    bed_run_ms(b, 1);
    assert_int_equal(a.done, 0);
    assert_int_equal(bed_stats(b)->dropped, c->dropped);
    assert_int_equal(p->query_count + p->conn_count, 1);
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
    assert_int_equal(a.answer_count, 1);
}

static void test_forgeries_do_not_end_a_query(void **state)
{
    for (size_t i = 0; i < COUNT_OF(forgery_cases); i++) {
        run_forgery(plain_renew(state, forgery_cases[i].title),
                    &forgery_cases[i]);
    }
}

static void test_a_flood_of_forgeries(void **state)
{
    static uint8_t message[ZONE_MESSAGE_MAX];
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &a, 1);
    bed_run_ms(b, 1);
    size_t len = plain_peer_right(p, 0, message);
    for (unsigned id = 0; id < 200; id++) {
        dns_put16(message, p->queries[0].parsed.id + 1 + id);
        plain_peer_forge(p, 0, &server, span_of(message, len));
        bed_run_us(b, 50);
    }
    bed_run_ms(b, 1);
    assert_int_equal(bed_stats(b)->dropped, 200);
    assert_int_equal(a.done, 0);
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

static void test_the_answer_comes_twice(void **state)
{
    struct bed *b = *state;
    struct ask asks[2];

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    bed_start(b);
    bed_ask(b, &asks[0], 1);
    bed_run_ms(b, 1);
    plain_peer_answer(p, 0);
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&asks[0], DNS_RCODE_NOERROR);
    bed_ask(b, &asks[1], 2);
    bed_run_ms(b, 1);
    plain_peer_answer(p, 0); /* late, to a port that is closed */
    bed_run_ms(b, 1);
    assert_int_equal(asks[1].done, 0);
    plain_peer_answer(p, 1);
    bed_run_ms(b, 1);
    assert_answered(&asks[1], DNS_RCODE_NOERROR);
}

/* ---- spelling ---- */

static void test_spelling_is_random_when_it_is_wanted(void **state)
{
    struct bed *b = *state;
    unsigned changed = 0;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    b->config.pool.has_random_case = true;
    bed_start(b);
    for (unsigned i = 0; i < 20; i++) {
        struct ask a;
        bed_ask(b, &a, i);
        bed_run_ms(b, 1);
        assert_answered(&a, DNS_RCODE_NOERROR);
        changed += !plain_peer_is_spelt_as(p, i, &a);
    }
    assert_true(changed > 15);
    assert_int_equal(bed_stats(b)->dropped, 0);
}

static void test_another_spelling_is_not_believed(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    p->is_silent = true;
    p->forgets_case = true;
    b->config.pool.has_random_case = true;
    bed_start(b);
    bed_ask(b, &a, 1234567890123); /* letters enough */
    bed_run_ms(b, 1);
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_int_equal(a.done, 0);
    assert_int_equal(bed_stats(b)->dropped, 1);
    p->forgets_case = false;
    plain_peer_answer(p, 0);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

static void test_any_spelling_will_do_otherwise(void **state)
{
    struct bed *b = *state;
    struct ask a;

    plain_peer_add(b, CONFIG_UDP)->forgets_case = true;
    bed_start(b);
    bed_ask(b, &a, 1234567890123);
    bed_run_ms(b, 1);
    assert_answered(&a, DNS_RCODE_NOERROR);
}

/* ---- taken back ---- */

static void test_cancel_at_every_stage(void **state)
{
    struct bed *b = *state;
    struct ask a;

    struct plain_peer *p = plain_peer_add(b, CONFIG_UDP);
    plain_peer_add(b, CONFIG_UDP)->is_silent = true;
    p->is_silent = true;
    bed_start(b);
    for (uint64_t ms = 0; ms < 4000; ms += 67) {
        bed_ask(b, &a, ms);
        bed_run_ms(b, ms);
        bed_cancel(b, &a);
        assert_int_equal(upstream_pool_pending(b->pool), 0);
        plain_peer_answer(p, p->query_count - 1);
        bed_run_ms(b, 1);
        assert_int_equal(a.done, 0);
    }
    bed_run_ms(b, 3000);
    assert_int_equal(sim_loop_open_count(b->loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(test_ports_and_ids_are_random),
        PLAIN_TEST(test_sockets_are_shared_beyond_a_bound),
        PLAIN_TEST(test_every_server_gets_a_socket),
        PLAIN_TEST(test_forgeries_do_not_end_a_query),
        PLAIN_TEST(test_a_flood_of_forgeries),
        PLAIN_TEST(test_the_answer_comes_twice),
        PLAIN_TEST(test_spelling_is_random_when_it_is_wanted),
        PLAIN_TEST(test_another_spelling_is_not_believed),
        PLAIN_TEST(test_any_spelling_will_do_otherwise),
        PLAIN_TEST(test_cancel_at_every_stage),
    };
    return cmocka_run_group_tests_name("upstream_plain_udp", tests, NULL, NULL);
}
