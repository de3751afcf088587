/*
 * The life of a query, seen through resolver.h alone: what a client gets, and
 * what the servers are asked. Without cache and without other workers.
 */
#include "base/err.h"
#include "client.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

enum { PAST_TLS_RECORD = 20000 };

/* ---- what is answered here ---- */

static const struct verdict_case {
    const char *title;
    const char *hex;
    enum resolver_verdict want;
    unsigned rcode;
    bool has_question;
    size_t stat; /* offset of the counter that goes up */
} verdict_cases[] = {
    {"nothing", "", RESOLVER_DROPPED, 0, false,
     offsetof(struct resolver_stats, dropped)},
    {"less than a header", "abcd 0100 0001 0000 0000 00", RESOLVER_DROPPED, 0,
     false, offsetof(struct resolver_stats, dropped)},
    {"a response", "abcd 8100 0001 0000 0000 0000 0161 00 0001 0001",
     RESOLVER_DROPPED, 0, false, offsetof(struct resolver_stats, dropped)},
    {"no question", "abcd 0100 0000 0000 0000 0000", RESOLVER_ANSWERED,
     DNS_RCODE_FORMERR, false, offsetof(struct resolver_stats, formerr)},
    {"a question that ends early", "abcd 0100 0001 0000 0000 0000 0561",
     RESOLVER_ANSWERED, DNS_RCODE_FORMERR, false,
     offsetof(struct resolver_stats, formerr)},
    {"octets behind", "abcd 0100 0001 0000 0000 0000 0161 00 0001 0001 00",
     RESOLVER_ANSWERED, DNS_RCODE_FORMERR, true,
     offsetof(struct resolver_stats, formerr)},
    {"NOTIFY", "abcd 2000 0001 0000 0000 0000 0161 00 0006 0001",
     RESOLVER_ANSWERED, DNS_RCODE_NOTIMP, true,
     offsetof(struct resolver_stats, notimp)},
    {"AXFR", "abcd 0000 0001 0000 0000 0000 0161 00 00fc 0001",
     RESOLVER_ANSWERED, DNS_RCODE_NOTIMP, true,
     offsetof(struct resolver_stats, notimp)},
    {"EDNS version 1",
     "abcd 0100 0001 0000 0000 0001 0161 00 0001 0001 00 0029 04d0 00010000"
     "0000",
     RESOLVER_ANSWERED, DNS_RCODE_BADVERS, true,
     offsetof(struct resolver_stats, badvers)},
    {"type OPT", "abcd 0100 0001 0000 0000 0000 0161 00 0029 0001",
     RESOLVER_ANSWERED, DNS_RCODE_REFUSED, true,
     offsetof(struct resolver_stats, meta)},
};

static uint64_t counter(const struct rbed *r, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *)resolver_stats(r->resolver) + offset,
           sizeof(value));
    return value;
}

static void assert_verdict(const struct verdict_case *v, const struct client *c)
{
    struct dns_response answer;

    assert_int_equal(c->verdict, v->want);
    if (v->want != RESOLVER_ANSWERED) {
        return;
    }
    client_parse(c, &answer);
    assert_int_equal(answer.rcode, v->rcode);
    assert_int_equal(answer.has_question, v->has_question);
    assert_int_equal(answer.answer_count, 0);
}

static void test_what_servers_need_not_be_asked(void **state)
{
    for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(*verdict_cases);
         i++) {
        const struct verdict_case *v = &verdict_cases[i];
        struct rbed *r = rbed_renew(state, v->title);
        struct client *c = client_create(r);
        struct sim_server *s = bed_add_server(r->bed);
        rbed_start(r);
        made_hex(&c->message, v->hex);
        client_ask(c);
        assert_verdict(v, c);
        assert_int_equal(counter(r, v->stat), 1);
        assert_int_equal(resolver_stats(r->resolver)->queries, 1);
        assert_int_equal(resolver_stats(r->resolver)->forwarded, 0);
        bed_run_ms(r->bed, 10);
        assert_int_equal(s->stats.queries, 0);
        client_destroy(c);
    }
}

/* A bound of the listener was reached: the same, with SERVFAIL for the rest. */
static void test_refusing(void **state)
{
    for (size_t i = 0; i <= sizeof(verdict_cases) / sizeof(*verdict_cases);
         i++) {
        struct rbed *r = *state;
        struct client *c = client_create(r);
        const struct verdict_case fine = {
            "fine",
            "abcd 0100 0001 0000 0000 0000 0161 00 0001 0001",
            RESOLVER_ANSWERED,
            DNS_RCODE_SERVFAIL,
            true,
            0};
        bool is_fine = i == sizeof(verdict_cases) / sizeof(*verdict_cases);
        const struct verdict_case *v = is_fine ? &fine : &verdict_cases[i];
        if (r->resolver == NULL) {
            bed_add_nobody(r->bed);
            rbed_start(r);
        }
        made_hex(&c->message, v->hex);
        c->answer = malloc(DNS_UDP_MIN);
        c->len = resolver_refuse(r->resolver, made_span(&c->message), false,
                                 "too many", c->answer, DNS_UDP_MIN);
        c->verdict = c->len == 0 ? RESOLVER_DROPPED : RESOLVER_ANSWERED;
        assert_verdict(v, c);
        assert_int_equal(resolver_stats(r->resolver)->refused, is_fine);
        client_destroy(c);
    }
}

/* ---- what servers answer ---- */

static void test_answers_are_relayed(void **state)
{
    static const int kinds[] = {ZONE_PLAIN, ZONE_BIG, ZONE_HUGE, ZONE_NODATA,
                                ZONE_NXDOMAIN};
    struct rbed *r = *state;

    (void)bed_add_server(r->bed);
    rbed_start(r);
    for (unsigned i = 0; i < 40; i++) {
        int kind = kinds[i % 5];
        bool is_tcp = i / 5 % 2 == 1;
        struct client *c = client_ask_zone(r, kind, i, is_tcp);
        assert_int_equal(c->verdict, RESOLVER_PENDING);
        assert_int_equal(resolver_pending(r->resolver), 1);
        bed_run_ms(r->bed, 50);
        assert_int_equal(c->answered, 1);
        bool is_long = kind == ZONE_BIG || kind == ZONE_HUGE;
        assert_int_equal(client_judge(c),
                         is_long && !is_tcp ? ZONE_TRUNCATED : ZONE_RIGHT);
        assert_true(is_tcp || c->len <= r->bed->config.max_udp_size);
        client_destroy(c);
    }
    assert_int_equal(resolver_stats(r->resolver)->forwarded, 40);
    assert_int_equal(resolver_stats(r->resolver)->answered, 40);
    assert_int_equal(resolver_pending(r->resolver), 0);
}

/* Flags of the header, and DO, on the way there and back. */
static const struct flag_case {
    const char *title;
    unsigned asked;
    int asked_do; /* -1: no OPT */
    unsigned sent;
    unsigned said; /* by the server, besides QR */
    unsigned want;
} flag_cases[] = {
    {"plain", DNS_FLAG_RD, -1, DNS_FLAG_RD | DNS_FLAG_AD, DNS_FLAG_RA,
     DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA},
    {"CD goes there and back", DNS_FLAG_RD | DNS_FLAG_CD, 0,
     DNS_FLAG_RD | DNS_FLAG_CD | DNS_FLAG_AD, DNS_FLAG_RA,
     DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_CD | DNS_FLAG_RA},
    {"AD is not for who did not ask", DNS_FLAG_RD, 0, DNS_FLAG_RD | DNS_FLAG_AD,
     DNS_FLAG_RA | DNS_FLAG_AD, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA},
    {"AD for who set DO", DNS_FLAG_RD, 1, DNS_FLAG_RD | DNS_FLAG_AD,
     DNS_FLAG_RA | DNS_FLAG_AD,
     DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_FLAG_AD},
    {"AD for who set AD", DNS_FLAG_RD | DNS_FLAG_AD, -1,
     DNS_FLAG_RD | DNS_FLAG_AD, DNS_FLAG_RA | DNS_FLAG_AD,
     DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_FLAG_AD},
};

static void run_flag_case(struct rbed *r, const struct flag_case *f)
{
    static uint8_t right[ZONE_MESSAGE_MAX];
    struct client *c = client_create(r);
    struct dns_response answer;
    struct dns_query sent;

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    made_header(&c->message, 0xbeef, f->asked);
    made_question(&c->message, "WwW.Example", DNS_TYPE_A);
    if (f->asked_do >= 0) {
        made_opt(&c->message, 1232, f->asked_do ? "00008000" : "00000000", "");
    }
    client_ask(c);
    bed_run_ms(r->bed, 5);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(
        dns_query_parse(span_of(p->queries[0].message, p->queries[0].len),
                        &sent),
        DNS_QUERY_OK);
    assert_int_equal(sent.flags, f->sent);
    assert_true(sent.opt.is_present);
    assert_int_equal(sent.opt.has_do, f->asked_do == 1);
    size_t len = peer_right_answer(p, 0, right);
    dns_put16(right + 2, DNS_FLAG_QR | f->said);
    peer_send(p, 0, span_of(right, len));
    bed_run_ms(r->bed, 5);
    assert_int_equal(c->answered, 1);
    client_parse(c, &answer);
    assert_int_equal(answer.flags, f->want);
    assert_int_equal(answer.opt.is_present, f->asked_do >= 0);
    assert_memory_equal(c->answer + DNS_HEADER_LEN,
                        c->message.octets + DNS_HEADER_LEN, 17);
    client_destroy(c);
}

static void test_flags_are_translated(void **state)
{
    for (size_t i = 0; i < sizeof(flag_cases) / sizeof(*flag_cases); i++) {
        run_flag_case(rbed_renew(state, flag_cases[i].title), &flag_cases[i]);
    }
}

/* ---- what servers are sent ---- */

static void test_queries_are_padded(void **state)
{
    static const unsigned blocks[] = {0, 16, 128, 129, 468, 512};

    for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
        struct rbed *r = rbed_renew(state, "a padding block");
        r->bed->config.padding_block = blocks[i];
        struct peer *p = bed_add_peer(r->bed);
        rbed_start(r);
        for (unsigned j = 0; j < 5; j++) {
            struct client *c =
                client_ask_zone(r, ZONE_PLAIN, j * 100003u, false);
            bed_run_ms(r->bed, 2);
            assert_int_equal(p->query_count, j + 1);
            size_t len = p->queries[j].len;
            assert_int_equal(len % (blocks[i] == 0 ? len : blocks[i]), 0);
            /* Not padded: the client's octets, and an empty keepalive. */
            assert_true(blocks[i] != 0 || len == c->message.len + 4);
            peer_answer(p, j);
            bed_run_ms(r->bed, 2);
            assert_int_equal(client_judge(c), ZONE_RIGHT);
            client_destroy(c);
        }
    }
}

/* Records of the client's own go along, in a frame of any size. */
static void test_queries_with_records_of_their_own(void **state)
{
    static const size_t lens[] = {0, 1, 200, 400, 1000, 10000, 15900};
    struct rbed *r = *state;

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        struct client *c = client_create(r);
        c->query.is_tcp = true;
        made_header(&c->message, 0x1234, DNS_FLAG_RD);
        made_question(&c->message, "a.example", DNS_TYPE_A);
        made_record(&c->message, IN_ADDITIONAL, "00", 65280, lens[i]);
        client_ask(c);
        bed_run_ms(r->bed, 5);
        assert_int_equal(p->query_count, i + 1);
        assert_true(p->queries[i].len >= c->message.len);
        assert_int_equal(p->queries[i].len % 128, 0);
        peer_answer(p, i);
        bed_run_ms(r->bed, 5);
        assert_int_equal(c->answered, 1);
        client_destroy(c);
    }
}

/* The client went, or the query was cancelled, with such a frame. */
static void test_cancelling(void **state)
{
    struct rbed *r = *state;

    struct peer *p = bed_add_peer(r->bed);
    r->bed->config.padding_block = 468;
    rbed_start(r);
    struct client *c = client_ask_zone(r, ZONE_PLAIN, 1, false);
    bed_run_ms(r->bed, 5);
    assert_int_equal(resolver_pending(r->resolver), 1);
    client_cancel(c);
    assert_int_equal(resolver_pending(r->resolver), 0);
    assert_int_equal(upstream_pool_pending(r->bed->pool), 0);
    peer_answer(p, 0);
    bed_run_ms(r->bed, 5000);
    assert_int_equal(c->answered, 0);
    assert_int_equal(resolver_stats(r->resolver)->cancelled, 1);
    client_destroy(c);
}

/* ---- no answer ---- */

static void unreachable(struct rbed *r)
{
    bed_add_nobody(r->bed);
    sim_link_set(r->bed->world, bed_link(r->bed, 0), SIM_LINK_UNREACHABLE);
}

static void untrusted(struct rbed *r)
{
    bed_add_server(r->bed)->identity.certificate.is_expired = true;
}

static void stalled(struct rbed *r)
{
    (void)bed_add_peer(r->bed);
    sim_link_set(r->bed->world, bed_link(r->bed, 0), SIM_LINK_STALLED);
}

static void silent(struct rbed *r)
{
    (void)bed_add_peer(r->bed);
}

static const struct failure_case {
    const char *title;
    void (*prepare)(struct rbed *r);
    int ede;
    const char *text;
    uint64_t min_ms, max_ms; /* the loop counts whole milliseconds */
} failure_cases[] = {
    {"unreachable", unreachable, DNS_EDE_NETWORK, "network unreachable", 400,
     950},
    {"certificate expired", untrusted, DNS_EDE_NO_REACHABLE, "has expired", 500,
     950},
    {"stalled, till the deadline", stalled, DNS_EDE_NETWORK, "timed out", 3999,
     4003},
    {"silent, till the deadline", silent, DNS_EDE_NETWORK, "timed out", 3999,
     4003},
};

static void run_failure_case(struct rbed *r, const struct failure_case *f)
{
    struct dns_response answer;
    struct span value;
    size_t cursor = 0;

    f->prepare(r);
    rbed_start(r);
    struct client *c = client_ask_zone(r, ZONE_PLAIN, 1, false);
    bed_run_ms(r->bed, 4100);
    assert_int_equal(c->answered, 1);
    assert_in_range((c->answered_us - c->asked_us) / 1000, f->min_ms,
                    f->max_ms);
    client_parse(c, &answer);
    assert_int_equal(answer.rcode, DNS_RCODE_SERVFAIL);
    assert_int_equal(client_judge(c), ZONE_GAVE_UP);
    assert_true(dns_opt_next(&answer.opt, DNS_OPTION_EDE, &cursor, &value));
    assert_int_equal(dns_get16(value.ptr), f->ede);
    assert_true(value.len > 2 + strlen(f->text));
    assert_non_null(
        memmem(value.ptr + 2, value.len - 2, f->text, strlen(f->text)));
    assert_non_null(memmem(value.ptr + 2, value.len - 2, "s0.example", 10));
    bool is_late = f->min_ms >= 3999;
    assert_int_equal(resolver_stats(r->resolver)->timeouts, is_late);
    assert_int_equal(resolver_stats(r->resolver)->failures, !is_late);
    assert_int_equal(resolver_pending(r->resolver), 0);
    client_destroy(c);
}

static void test_failures_are_explained(void **state)
{
    for (size_t i = 0; i < sizeof(failure_cases) / sizeof(*failure_cases);
         i++) {
        run_failure_case(rbed_renew(state, failure_cases[i].title),
                         &failure_cases[i]);
    }
}

/* The longest explanation there can be, for the smallest answer there is. */
static void test_an_explanation_always_fits(void **state)
{
    struct rbed *r = *state;
    struct dns_response answer;

    r->bed->config.pool.strategy = CONFIG_ROUND_ROBIN;
    for (unsigned i = 0; i < UPSTREAM_SERVERS_MAX; i++) {
        bed_add_nobody(r->bed);
    }
    rbed_start(r);
    struct client *c = client_create(r);
    made_header(&c->message, 7, DNS_FLAG_RD);
    made_question(
        &c->message,
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
        DNS_TYPE_A);
    made_opt(&c->message, 512, "00000000", "");
    client_ask(c);
    bed_run_ms(r->bed, 1500);
    assert_int_equal(c->answered, 1);
    assert_in_range(c->len, 1, DNS_UDP_MIN);
    client_parse(c, &answer);
    assert_int_equal(answer.rcode, DNS_RCODE_SERVFAIL);
    client_destroy(c);
}

/* Extended errors of the server's own count in what is promised. */
static void test_the_servers_extended_errors_fit(void **state)
{
    struct rbed *r = *state;
    struct dns_response answer;
    static struct made reply;

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    struct client *c = client_create(r);
    c->query.is_tcp = true;
    made_header(&c->message, 9, DNS_FLAG_RD);
    made_question(&c->message, "a.example", DNS_TYPE_A);
    made_opt(&c->message, 512, "00008000", "000b 0000" /* keepalive */);
    client_ask(c);
    bed_run_ms(r->bed, 5);
    reply.len = 0;
    made_header(&reply, peer_id(p, 0), DNS_FLAG_QR | DNS_FLAG_RA);
    made_question(&reply, "a.example", DNS_TYPE_A);
    made_record(&reply, IN_ANSWER, "c00c", DNS_TYPE_A, 600);
    made_opt(&reply, 1232, "00008000",
             "000f 0002 0003 000f 0008 0012 414243444546 000f 0002 0016");
    peer_send(p, 0, made_span(&reply));
    bed_run_ms(r->bed, 5);
    assert_int_equal(c->answered, 1);
    client_parse(c, &answer);
    assert_int_equal(answer.rcode, DNS_RCODE_NOERROR);
    assert_int_equal(answer.answer_count, 1);
    size_t cursor = 0;
    struct span value;
    unsigned count = 0;
    while (dns_opt_next(&answer.opt, DNS_OPTION_EDE, &cursor, &value)) {
        count++;
    }
    assert_int_equal(count, 3);
    client_destroy(c);
}

/* So does an OPT of ours where the server has none. */
static void test_an_opt_of_ours_fits(void **state)
{
    struct rbed *r = *state;
    struct dns_response answer;
    static struct made reply;

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    struct client *c = client_create(r);
    c->query.is_tcp = true;
    made_header(&c->message, 9, DNS_FLAG_RD);
    made_question(&c->message, "a.example", DNS_TYPE_A);
    made_opt(&c->message, 512, "00008000", "000b 0000" /* keepalive */);
    client_ask(c);
    bed_run_ms(r->bed, 5);
    made_header(&reply, peer_id(p, 0), DNS_FLAG_QR | DNS_FLAG_RA);
    made_question(&reply, "a.example", DNS_TYPE_A);
    made_record(&reply, IN_ANSWER, "c00c", DNS_TYPE_A, 600);
    peer_send(p, 0, made_span(&reply));
    bed_run_ms(r->bed, 5);
    assert_int_equal(c->answered, 1);
    client_parse(c, &answer);
    assert_int_equal(answer.answer_count, 1);
    assert_int_equal(answer.opt.options.len, 6);
    client_destroy(c);
}

/* A server that could not read the question leaves it out: the client's answer
 * has it all the same. */
static void test_a_bare_error_gets_the_question_back(void **state)
{
    struct rbed *r = *state;
    struct dns_response answer;
    uint8_t bare[DNS_HEADER_LEN] = {0};

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    struct client *c = client_ask_zone(r, ZONE_PLAIN, 1, false);
    bed_run_ms(r->bed, 5);
    dns_put16(bare, peer_id(p, 0));
    dns_put16(bare + 2, DNS_FLAG_QR | DNS_FLAG_RA | DNS_RCODE_FORMERR);
    peer_send(p, 0, span_of(bare, sizeof(bare)));
    bed_run_ms(r->bed, 5);
    assert_int_equal(c->answered, 1);
    client_parse(c, &answer);
    assert_true(answer.has_question);
    assert_true(answer.rcode == DNS_RCODE_FORMERR ||
                answer.rcode == DNS_RCODE_SERVFAIL);
    client_destroy(c);
}

/* ---- the same question twice ---- */

static void test_the_same_question_is_asked_once(void **state)
{
    struct rbed *r = *state;
    struct client *clients[5];

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    for (unsigned i = 0; i < 5; i++) {
        clients[i] = client_ask_zone(r, ZONE_PLAIN, 1, i % 2 == 1);
        dns_put16(clients[i]->message.octets, 0x4001);
    }
    bed_run_ms(r->bed, 5);
    assert_int_equal(p->query_count, 1);
    assert_int_equal(resolver_pending(r->resolver), 5);
    client_cancel(clients[0]); /* who came first goes */
    peer_answer(p, 0);
    bed_run_ms(r->bed, 5);
    assert_int_equal(clients[0]->answered, 0);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(clients[i]->answered, 1);
        assert_int_equal(client_judge(clients[i]), ZONE_RIGHT);
    }
    assert_int_equal(resolver_stats(r->resolver)->coalesced, 4);
    for (unsigned i = 0; i < 5; i++) {
        client_destroy(clients[i]);
    }
}

/* What makes a question another one. */
static void test_other_questions_are_asked_on_their_own(void **state)
{
    static const struct {
        const char *name;
        unsigned flags, type;
        const char *opt_hex; /* NULL: none */
    } rows[] = {
        {"a.example", DNS_FLAG_RD, DNS_TYPE_A, NULL},
        {"b.example", DNS_FLAG_RD, DNS_TYPE_A, NULL},
        {"a.example", DNS_FLAG_RD, DNS_TYPE_AAAA, NULL},
        {"a.example", DNS_FLAG_RD | DNS_FLAG_CD, DNS_TYPE_A, NULL},
        {"a.example", DNS_FLAG_RD, DNS_TYPE_A, "00008000"},
        {"A.Example", DNS_FLAG_RD | DNS_FLAG_AD, DNS_TYPE_A, "00000000"},
    };
    enum { ROWS = sizeof(rows) / sizeof(*rows) };
    struct rbed *r = *state;
    struct client *clients[ROWS];

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    for (unsigned i = 0; i < ROWS; i++) {
        struct client *c = clients[i] = client_create(r);
        made_header(&c->message, i, rows[i].flags);
        made_question(&c->message, rows[i].name, rows[i].type);
        if (rows[i].opt_hex != NULL) {
            made_opt(&c->message, 1232, rows[i].opt_hex, "");
        }
        client_ask(c);
    }
    bed_run_ms(r->bed, 5);
    assert_int_equal(p->query_count, ROWS - 1); /* the last is the first */
    for (unsigned i = 0; i < ROWS - 1; i++) {
        peer_answer(p, i);
    }
    bed_run_ms(r->bed, 5);
    for (unsigned i = 0; i < ROWS; i++) {
        struct dns_response answer;
        assert_int_equal(clients[i]->answered, 1);
        client_parse(clients[i], &answer);
        assert_int_equal(answer.question.type, rows[i].type);
        client_destroy(clients[i]);
    }
}

/* The first one's answer ends the client of both. */
static void test_an_answer_may_cancel_who_waits_with_it(void **state)
{
    struct rbed *r = *state;

    struct peer *p = bed_add_peer(r->bed);
    rbed_start(r);
    struct client *first = client_ask_zone(r, ZONE_PLAIN, 1, true);
    struct client *second = client_ask_zone(r, ZONE_PLAIN, 1, true);
    first->cancels = second;
    bed_run_ms(r->bed, 5);
    peer_answer(p, 0);
    bed_run_ms(r->bed, 5);
    assert_int_equal(first->answered, 1);
    assert_int_equal(second->answered, 0);
    assert_int_equal(resolver_pending(r->resolver), 0);
    assert_int_equal(upstream_pool_pending(r->bed->pool), 0);
    client_destroy(first);
    client_destroy(second);
}

/* Longer than one TLS record can be, as any TCP client may send it. */
static void test_a_query_longer_than_a_record_of_tls(void **state)
{
    struct rbed *r = *state;
    struct dns_response answer;

    (void)bed_add_server(r->bed);
    rbed_start(r);
    struct client *c = client_create(r);
    c->query.is_tcp = true;
    made_header(&c->message, 0x1234, DNS_FLAG_RD);
    made_question(&c->message, "a.example", DNS_TYPE_A);
    made_record(&c->message, IN_ADDITIONAL, "00", 65280, PAST_TLS_RECORD);
    client_ask(c);
    bed_run_ms(r->bed, 100);
    assert_true(c->verdict == RESOLVER_ANSWERED || c->answered == 1);
    client_parse(c, &answer);
    assert_true(upstream_is_ready(r->bed->pool));
    assert_int_equal(upstream_pool_stats(r->bed->pool)->losses, 0);
    client_destroy(c);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rbed_setup, rbed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_servers_need_not_be_asked),
        TEST(test_refusing),
        TEST(test_answers_are_relayed),
        TEST(test_flags_are_translated),
        TEST(test_queries_are_padded),
        TEST(test_queries_with_records_of_their_own),
        TEST(test_cancelling),
        TEST(test_failures_are_explained),
        TEST(test_an_explanation_always_fits),
        TEST(test_the_servers_extended_errors_fit),
        TEST(test_an_opt_of_ours_fits),
        TEST(test_a_bare_error_gets_the_question_back),
        TEST(test_the_same_question_is_asked_once),
        TEST(test_other_questions_are_asked_on_their_own),
        TEST(test_an_answer_may_cancel_who_waits_with_it),
        TEST(test_a_query_longer_than_a_record_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
