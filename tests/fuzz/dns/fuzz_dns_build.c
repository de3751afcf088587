/*
 * Building. An input is a choice octet, the length of a query in two octets,
 * the query, and a server's message without its question: that is put in from
 * the query, as a server does. Whatever is built must be read again, and say
 * to each side what it is owed.
 */
#include "base/err.h"
#include "dns/build.h"

#include "../require.h"

#include <string.h>

static uint8_t out[DNS_MESSAGE_MAX];

/* What a choice octet means. */
struct choice {
    bool is_tcp, has_small_cap, has_ede, has_text, is_without_question;
    bool has_options; /* ours: cookie, keepalive, client subnet */
    unsigned pad_block;
};

static struct choice choose(uint8_t octet)
{
    static const unsigned blocks[] = {0, 1, 128, 468};

    return (struct choice){
        .is_tcp = (octet & 1) != 0,
        .has_small_cap = (octet & 2) != 0,
        .has_ede = (octet & 4) != 0,
        .has_text = (octet & 8) != 0,
        .is_without_question = (octet & 16) != 0,
        .pad_block = blocks[octet >> 5 & 3],
        .has_options = (octet & 128) != 0,
    };
}

static struct dns_extra make_extra(const struct choice *c)
{
    static const uint8_t cookie[DNS_COOKIE_LEN] = {1, 2, 3};
    static const char text[] = "dot.example.net: timed out; d\xc3\xb6t.example";

    return (struct dns_extra){
        .ede = c->has_ede ? DNS_EDE_NETWORK : DNS_EDE_NONE,
        .ede_text = c->has_text ? text : NULL,
        .udp_size = 1232,
        .keepalive = 100,
        .cookie = c->has_options ? cookie : NULL,
    };
}

/* What we asked for, then padding, all of it zero. */
static void require_options(const struct dns_opt *o, const struct choice *c)
{
    static const uint8_t ours[] = {0, 11, 0, 0, 0, 8, 0, 4, 0, 1, 0, 0};
    struct span value = {NULL, 0};
    size_t cursor = 0;

    if (c->has_options && o->options.len > 0) {
        REQUIRE(o->options.len >= sizeof(ours));
        REQUIRE(memcmp(o->options.ptr, ours, sizeof(ours)) == 0);
        cursor = sizeof(ours);
    }
    if (dns_opt_next(o, DNS_OPTION_PADDING, &cursor, &value)) {
        for (size_t i = 0; i < value.len; i++) {
            REQUIRE(value.ptr[i] == 0);
        }
    }
    REQUIRE(cursor == o->options.len);
}

static void try_upstream(struct span msg, const struct dns_query *q,
                         const struct choice *c)
{
    size_t cap = c->has_small_cap ? DNS_UPSTREAM_PLAIN_MAX : sizeof(out);
    const struct dns_upstream_options options = {
        .pad_block = c->pad_block,
        .has_keepalive = c->has_options,
        .has_ecs_zero = c->has_options,
    };
    int len = dns_build_upstream(msg, q, &options, out, cap);
    struct dns_query got;

    if (len < 0) {
        REQUIRE(len == ERR_DNS_SPACE);
        REQUIRE(q->extra_count > 0 || c->pad_block > 128);
        return;
    }
    REQUIRE((size_t)len <= cap);
    REQUIRE(dns_query_parse(span_of(out, (size_t)len), &got) == DNS_QUERY_OK);
    REQUIRE(got.id == 0);
    REQUIRE(got.flags == ((q->flags & 0x0150) | DNS_FLAG_AD));
    REQUIRE(got.opt.is_present && got.opt.has_do == q->opt.has_do);
    REQUIRE(got.extra_count == q->extra_count);
    REQUIRE(dns_question_len(&got.question) == dns_question_len(&q->question));
    REQUIRE(memcmp(got.question.name, q->question.name,
                   dns_question_len(&q->question)) == 0);
    require_options(&got.opt, c);
    REQUIRE((size_t)len <= msg.len + DNS_UPSTREAM_OPT_MAX + c->pad_block);
    if (c->pad_block > 0 && len < DNS_MESSAGE_MAX - 16) {
        REQUIRE((size_t)len % c->pad_block == 0);
    }
}

/* What holds of everything that goes to a client. */
static struct dns_response require_answer(const struct dns_asker *a, int len)
{
    struct dns_response got;

    REQUIRE(len >= DNS_HEADER_LEN && len <= a->limit);
    REQUIRE(dns_response_parse(span_of(out, (size_t)len), &got) == 0);
    REQUIRE(got.id == a->id);
    REQUIRE(got.has_question == (a->question_len > 0));
    if (got.has_question) {
        REQUIRE(dns_question_len(&got.question) == a->question_len);
        REQUIRE(memcmp(got.question.name, a->question, a->question_len) == 0);
    }
    REQUIRE(((got.flags ^ a->flags) &
             (DNS_OPCODE_MASK | DNS_FLAG_RD | DNS_FLAG_CD)) == 0);
    REQUIRE(got.opt.is_present == a->has_opt);
    REQUIRE(got.opt.has_do == (a->has_opt && a->has_do));
    return got;
}

/* Cut what is in out. */
static void try_cut(const struct dns_asker *a, int len, unsigned rcode)
{
    size_t cut = dns_cut_answer(out, (size_t)len);
    size_t most = DNS_HEADER_LEN + (size_t)a->question_len;
    struct dns_response got = require_answer(a, (int)cut);

    most += a->has_opt ? DNS_OPT_FIXED_LEN + 4 + DNS_COOKIE_LEN : 0;
    REQUIRE(cut <= (size_t)len && cut <= most);
    REQUIRE((got.flags & DNS_FLAG_TC) != 0 && got.rcode == rcode);
    REQUIRE(got.answer_count + got.authority_count == 0);
    REQUIRE(got.additional_count == (a->has_opt ? 1 : 0));
    REQUIRE(dns_cut_answer(out, cut) == cut);
}

static void try_answer(const struct dns_asker *a, struct span msg,
                       const struct choice *c)
{
    struct dns_extra extra = make_extra(c);
    size_t cap = c->has_small_cap ? 600 : sizeof(out);
    struct dns_response r, got;
    int len;

    if (dns_response_parse(msg, &r) != 0) {
        return;
    }
    len = dns_build_answer(a, msg, &r, &extra, out, cap);
    if (len < 0) {
        REQUIRE(len == ERR_DNS_SPACE && cap < a->limit);
        return;
    }
    REQUIRE((size_t)len <= cap);
    got = require_answer(a, len);
    REQUIRE(got.rcode == (r.rcode > 15 ? DNS_RCODE_SERVFAIL : r.rcode));
    if ((got.flags & DNS_FLAG_TC) != 0) {
        REQUIRE(got.answer_count + got.authority_count == 0);
        REQUIRE(got.additional_count == (a->has_opt ? 1 : 0));
        try_cut(a, len, got.rcode);
        return;
    }
    REQUIRE(got.answer_count == r.answer_count);
    REQUIRE(got.authority_count == r.authority_count);
    REQUIRE(got.additional_count - got.opt.is_present ==
            r.additional_count - r.opt.is_present);
    try_cut(a, len, got.rcode);
}

/* The server's message: header, the question asked, and what is left. */
static void try_server(const struct dns_query *q, struct span rest,
                       const struct choice *c)
{
    size_t asked = c->is_without_question ? 0 : dns_question_len(&q->question);
    size_t len = rest.len + asked;
    uint8_t *msg;
    struct dns_asker a;

    if (rest.len < DNS_HEADER_LEN) {
        return;
    }
    msg = malloc(len);
    REQUIRE(msg != NULL);
    memcpy(msg, rest.ptr, DNS_HEADER_LEN);
    memcpy(msg + DNS_HEADER_LEN, q->question.name, asked);
    memcpy(msg + DNS_HEADER_LEN + asked, rest.ptr + DNS_HEADER_LEN,
           rest.len - DNS_HEADER_LEN);
    msg[2] |= 0x80;
    dns_put16(msg + 4, asked > 0 ? 1 : 0);
    dns_asker_init(&a, q, q->question.name, c->is_tcp, 1232);
    try_answer(&a, span_of(msg, len), c);
    free(msg);
}

static void try_error(const struct dns_query *q, const struct choice *c)
{
    struct dns_extra extra = make_extra(c);
    struct dns_response got;
    struct dns_asker a;
    int len;

    dns_asker_init(&a, q, q->question.name, c->is_tcp, 1232);
    len = dns_build_error(&a, DNS_RCODE_BADVERS, &extra, out, DNS_UDP_MIN);
    REQUIRE(len <= DNS_UDP_MIN);
    got = require_answer(&a, len);
    REQUIRE(got.rcode == (a.has_opt ? DNS_RCODE_BADVERS : DNS_RCODE_SERVFAIL));
    try_cut(&a, len, got.rcode);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct choice c;
    struct dns_query q;
    struct span msg;
    enum dns_verdict verdict;
    size_t query_len;

    if (len < 3) {
        return 0;
    }
    c = choose(octets[0]);
    query_len = dns_get16(octets + 1);
    if (query_len > len - 3) {
        query_len = len - 3;
    }
    msg = span_of(octets + 3, query_len);
    verdict = dns_query_parse(msg, &q);
    if (verdict == DNS_QUERY_DROP) {
        return 0;
    }
    try_error(&q, &c);
    if (verdict == DNS_QUERY_OK) {
        try_upstream(msg, &q, &c);
        try_server(&q, span_of(octets + 3 + query_len, len - 3 - query_len),
                   &c);
    }
    return 0;
}
