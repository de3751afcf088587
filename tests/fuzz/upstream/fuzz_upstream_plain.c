/*
 * What comes over plain UDP, and what leaves. The first octet chooses how our
 * query looks; the rest is a datagram that claims to answer it, and then once
 * more a query that is to be sent.
 */
#include "base/err.h"
#include "upstream/plain_internal.h"

#include "../require.h"

#include <string.h>

enum { ID = 0x1234, FLIPS = 4, CASE = 1, BARE = 2 };

/* "wWw.Example. A" with an OPT. */
static const uint8_t query[] =
    "\x00\x00\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01"
    "\x03wWw\x07"
    "Example\x00\x00\x01\x00\x01"
    "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

static const struct dns_question question = {
    .name = query + DNS_HEADER_LEN,
    .name_len = 13,
    .type = DNS_TYPE_A,
    .klass = DNS_CLASS_IN,
};

static struct plain_look look_of(uint8_t choice)
{
    struct plain_look look = {
        .id = ID,
        .has_case = (choice & CASE) != 0,
        .is_bare = (choice & BARE) != 0,
    };

    memset(look.flips, choice, FLIPS);
    return look;
}

/* Whatever is accepted repeats what was asked, in our own spelling. */
static void try_datagram(const struct plain_look *look, struct span datagram)
{
    uint8_t octets[PLAIN_DATAGRAM_MAX];
    struct dns_response r, again;
    struct span msg;

    if (plain_message_accept(look, &question, datagram, octets, &msg, &r) !=
        0) {
        return;
    }
    REQUIRE(msg.ptr == octets && msg.len <= datagram.len);
    REQUIRE(dns_response_parse(msg, &again) == 0);
    REQUIRE(again.id == ID && again.rcode == r.rcode);
    REQUIRE(again.answer_count == r.answer_count);
    if (!r.has_question) {
        REQUIRE(r.rcode == DNS_RCODE_FORMERR || r.rcode == DNS_RCODE_NOTIMP);
        return;
    }
    REQUIRE(dns_question_equal(&r.question, &question));
    REQUIRE(memcmp(r.question.name, question.name, question.name_len) == 0);
    if ((r.flags & DNS_FLAG_TC) != 0) {
        REQUIRE(msg.len == DNS_HEADER_LEN + dns_question_len(&question));
        REQUIRE(r.answer_count + r.authority_count + r.additional_count == 0);
    }
}

/* Our own query, sent back as an answer, is one; with one letter spelt in
 * another way it is not. */
static void try_echo(const struct plain_look *look)
{
    uint8_t echo[sizeof(query)], octets[PLAIN_DATAGRAM_MAX];
    struct dns_response r;
    struct span msg;
    size_t len = plain_message_write(look, span_of(query, sizeof(query) - 1),
                                     &question, echo);

    echo[2] |= 0x80;
    REQUIRE(plain_message_accept(look, &question, span_of(echo, len), octets,
                                 &msg, &r) == 0);
    REQUIRE(r.opt.is_present == !look->is_bare);
    echo[DNS_HEADER_LEN + 1] ^= 0x20;
    int err = plain_message_accept(look, &question, span_of(echo, len), octets,
                                   &msg, &r);
    REQUIRE((err != 0) == look->has_case);
}

/* Any query that could be ours stays the same but for ID, case and OPT. */
static void try_query(const struct plain_look *look, struct span in)
{
    struct dns_query before, after;
    uint8_t out[PLAIN_QUERY_MAX];

    if (in.len > sizeof(out) || dns_query_parse(in, &before) != DNS_QUERY_OK) {
        return;
    }
    size_t len = plain_message_write(look, in, &before.question, out);
    REQUIRE(len <= in.len);
    /* Records behind an OPT may point at what was behind it. */
    bool is_last = before.opt.at + before.opt.len == in.len;
    if (look->is_bare && before.opt.is_present && !is_last) {
        return;
    }
    REQUIRE(dns_query_parse(span_of(out, len), &after) == DNS_QUERY_OK);
    REQUIRE(after.id == ID && after.flags == before.flags);
    REQUIRE(after.extra_count == before.extra_count);
    REQUIRE(after.opt.is_present == (before.opt.is_present && !look->is_bare));
    REQUIRE(dns_question_equal(&before.question, &after.question));
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    uint8_t *copy = NULL;

    if (len == 0) {
        return 0;
    }
    const struct plain_look look = look_of(octets[0]);
    try_echo(&look);
    copy = malloc(len); /* where reading past the end is found */
    REQUIRE(copy != NULL);
    memcpy(copy, octets + 1, len - 1);
    try_datagram(&look, span_of(copy, len - 1));
    try_query(&look, span_of(copy, len - 1));
    free(copy);
    return 0;
}
