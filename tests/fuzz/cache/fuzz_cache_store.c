/*
 * Any message of a server. An input is a choice octet and the message. What is
 * kept must be given as dns_build_answer() gives the message itself, octet by
 * octet, but for the TTLs, which must be within their bounds.
 */
#include "cache/cache.h"
#include "dns/stored.h"
#include "dns/ttl.h"

#include "../require.h"

#include <string.h>

static const struct cache_options options = {
    .max_len = 4 << 20,
    .shards = 1,
    .hash_key = "sixteen octets!",
    .min_ttl_s = 3,
    .max_ttl_s = 1000,
    .max_negative_ttl_s = 100,
    .failure_ttl_s = 5,
    .stale_s = 50,
};

static uint8_t want[DNS_MESSAGE_MAX];
static uint8_t got[DNS_MESSAGE_MAX];
static uint16_t ttl_at[DNS_MESSAGE_MAX / 11];

static struct dns_asker make_asker(const struct dns_response *r, uint8_t choice)
{
    return (struct dns_asker){
        .question = r->question.name,
        .question_len = (uint16_t)dns_question_len(&r->question),
        .id = 0x1234,
        .flags = (uint16_t)(((choice & 1) != 0 ? DNS_FLAG_AD : 0) |
                            ((choice & 2) != 0 ? DNS_FLAG_CD : 0)),
        .limit = (choice & 4) != 0 ? DNS_MESSAGE_MAX : 1232,
        .has_opt = (choice & 8) != 0,
        .has_do = (choice & 24) == 24,
    };
}

/* The TTLs of both are made the same, if they are right. */
static void compare(struct span message, const struct dns_response *r,
                    const struct dns_asker *a, size_t len)
{
    const struct dns_extra extra = {
        .ede = r->rcode == DNS_RCODE_SERVFAIL &&
                       dns_stored_options(&r->opt, NULL) == 0
                   ? DNS_EDE_CACHED_ERROR
                   : DNS_EDE_NONE,
        .udp_size = 1232,
    };
    struct dns_ttl ttl;

    REQUIRE(dns_build_answer(a, message, r, &extra, want, sizeof(want)) ==
            (int)len);
    want[2] &= (uint8_t) ~(DNS_FLAG_AA >> 8); /* what is kept has none */
    if ((got[2] & 2) == 0) {
        dns_ttl_survey(message, r, &ttl);
        dns_ttl_offsets(message, r, ttl_at);
        for (unsigned i = 0; i < ttl.count; i++) {
            uint32_t ttl_s = dns_get32(got + ttl_at[i]);
            REQUIRE(ttl_s <= options.max_ttl_s);
            REQUIRE(r->rcode == DNS_RCODE_SERVFAIL || ttl_s > 0);
            dns_put32(want + ttl_at[i], ttl_s);
        }
    }
    REQUIRE(memcmp(want, got, len) == 0);
}

static void try_store(struct cache *c, struct span message, uint8_t choice)
{
    const struct dns_extra extra = {.ede = DNS_EDE_NONE, .udp_size = 1232};
    struct dns_response r;
    struct dns_asker a;
    struct cache_ask q;
    struct cache_hit hit;
    enum cache_outcome outcome;
    int len;

    if (dns_response_parse(message, &r) != 0 || !r.has_question) {
        return;
    }
    a = make_asker(&r, choice);
    outcome = cache_store(c, &r.question, a.has_do, (choice & 2) != 0, message,
                          &r, 1000);
    q = (struct cache_ask){.asker = &a, .extra = &extra, .now_ms = 1500};
    len = cache_answer(c, &q, got, sizeof(got), &hit);
    REQUIRE((len > 0) == (outcome <= CACHE_KEPT_FAILURE));
    if (len > 0) {
        compare(message, &r, &a, (size_t)len);
    }
    /* Later it is stale or gone, and never anything else. */
    q.now_ms = 1500000;
    q.allow_stale = true;
    len = cache_answer(c, &q, got, sizeof(got), &hit);
    REQUIRE(len == 0);
    REQUIRE(cache_flush_name(c, span_of(r.question.name, r.question.name_len),
                             r.question.type,
                             false) == (outcome <= CACHE_KEPT_FAILURE ? 1 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static struct cache *c;

    if (len == 0) {
        return 0;
    }
    if (c == NULL) {
        REQUIRE(cache_create(&options, &c) == 0);
    }
    try_store(c, span_of(octets + 1, len - 1), octets[0]);
    return 0;
}
