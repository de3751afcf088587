/*
 * Messages, questions and a cache for the tests of cache. The cache's clock is
 * a number. A mistake in a test aborts.
 */
#ifndef TESTS_CACHE_FIXTURE_H
#define TESTS_CACHE_FIXTURE_H

#include "base/attr.h"
#include "base/err.h"
#include "cache/cache.h"

#include "../dns/make.h"

/* Default options of the tests. */
static const struct cache_options usual = {
    .max_len = 1 << 20,
    .hash_key = "sixteen octets!",
    .min_ttl_s = 0,
    .max_ttl_s = 86400,
    .max_negative_ttl_s = 3600,
    .failure_ttl_s = 5,
    .stale_s = 86400,
};

static struct cache *cache;
static struct made in;  /* a server's message */
static struct made out; /* what a client got */
static struct dns_response got;
static struct cache_hit hit;

MAYBE_UNUSED static void begin_cache(const struct cache_options *options)
{
    int err;

    cache_release(cache);
    cache = NULL;
    err = cache_create(options, &cache);
    assert(err == 0);
    (void)err;
}

MAYBE_UNUSED static int end_cache(void **state)
{
    (void)state;
    cache_release(cache);
    cache = NULL;
    return 0;
}

/* ---- a server's message ---- */

MAYBE_UNUSED static void answer(const char *name, unsigned type, unsigned flags)
{
    made_header(&in, 0x1111, DNS_FLAG_QR | DNS_FLAG_RA | flags);
    made_question(&in, name, type);
}

MAYBE_UNUSED static void add(enum made_section section, const char *owner_hex,
                             unsigned type, uint32_t ttl_s,
                             const char *rdata_hex)
{
    size_t at;

    made_count(&in, section);
    made_hex(&in, owner_hex);
    made_u16(&in, type);
    made_u16(&in, DNS_CLASS_IN);
    dns_put32(in.octets + in.len, ttl_s);
    in.len += 4;
    at = in.len;
    made_u16(&in, 0);
    made_hex(&in, rdata_hex);
    dns_put16(in.octets + at, (unsigned)(in.len - at - 2));
}

MAYBE_UNUSED static void add_a(uint32_t ttl_s)
{
    add(IN_ANSWER, "c00c", DNS_TYPE_A, ttl_s, "c0000201");
}

MAYBE_UNUSED static void add_soa(uint32_t ttl_s, uint32_t minimum_s)
{
    add(IN_AUTHORITY, "c00c", DNS_TYPE_SOA, ttl_s,
        "c00c 00 00000001 00000e10 00000384 00093a80 00000000");
    dns_put32(in.octets + in.len - 4, minimum_s);
}

/* Store `in`, as the answer to its own question. */
MAYBE_UNUSED static enum cache_outcome store_for(bool has_do, bool has_cd,
                                                 uint64_t now_ms)
{
    uint8_t *exact = heap_copy(made_span(&in));
    struct span message = span_of(exact, in.len);
    struct dns_response r;
    enum cache_outcome outcome;
    int err = dns_response_parse(message, &r);

    assert(err == 0 && r.has_question);
    (void)err;
    outcome =
        cache_store(cache, &r.question, has_do, has_cd, message, &r, now_ms);
    free(exact);
    return outcome;
}

MAYBE_UNUSED static enum cache_outcome store(uint64_t now_ms)
{
    return store_for(false, false, now_ms);
}

/* Store a plain A record for a name. */
MAYBE_UNUSED static enum cache_outcome store_a(const char *name, uint32_t ttl_s,
                                               uint64_t now_ms)
{
    answer(name, DNS_TYPE_A, 0);
    add_a(ttl_s);
    return store(now_ms);
}

/* ---- a client ---- */

static uint8_t asked[DNS_NAME_MAX + 4];

MAYBE_UNUSED static struct dns_asker asker_of(const char *name, unsigned type,
                                              unsigned flags)
{
    int len = dns_name_from_text(name, strlen(name), asked);

    assert(len > 0);
    dns_put16(asked + len, type);
    dns_put16(asked + len + 2, DNS_CLASS_IN);
    return (struct dns_asker){
        .question = asked,
        .question_len = (uint16_t)(len + 4),
        .id = 0x2222,
        .flags = (uint16_t)(DNS_FLAG_RD | flags),
        .limit = 1232,
        .has_opt = true,
    };
}

static const struct dns_extra no_extra = {.ede = DNS_EDE_NONE,
                                          .udp_size = 1232};

/* Terms that most have. */
MAYBE_UNUSED static struct cache_ask ask_of(const struct dns_asker *a,
                                            uint64_t now_ms)
{
    return (struct cache_ask){
        .asker = a, .extra = &no_extra, .now_ms = now_ms, .may_refresh = true};
}

/* Ask; a hit is in `out`, and read in `got`. Returns what cache_answer() did.*/
MAYBE_UNUSED static int ask_as(const struct dns_asker *a, uint64_t now_ms,
                               bool allow_stale)
{
    struct cache_ask q = ask_of(a, now_ms);
    q.allow_stale = allow_stale;
    int len = cache_answer(cache, &q, out.octets, DNS_MESSAGE_MAX, &hit);

    out.len = len > 0 ? (size_t)len : 0;
    if (len > 0) {
        int err = dns_response_parse(made_span(&out), &got);
        assert(err == 0);
        (void)err;
    }
    return len;
}

MAYBE_UNUSED static enum cache_state ask(const char *name, unsigned type,
                                         uint64_t now_ms)
{
    struct dns_asker a = asker_of(name, type, 0);

    (void)ask_as(&a, now_ms, false);
    return hit.state;
}

MAYBE_UNUSED static enum cache_state ask_stale(const char *name, unsigned type,
                                               uint64_t now_ms)
{
    struct dns_asker a = asker_of(name, type, 0);

    (void)ask_as(&a, now_ms, true);
    return hit.state;
}

/* The TTL of the first record of `out`, whose owner is a pointer. */
MAYBE_UNUSED static uint32_t first_ttl_s(void)
{
    return dns_get32(out.octets + DNS_HEADER_LEN +
                     dns_question_len(&got.question) + 6);
}

/* The first extended error of `out`, or DNS_EDE_NONE. */
MAYBE_UNUSED static int first_ede(void)
{
    size_t cursor = 0;
    struct span value;

    if (got.opt.options.len == 0 ||
        !dns_opt_next(&got.opt, DNS_OPTION_EDE, &cursor, &value)) {
        return DNS_EDE_NONE;
    }
    return dns_get16(value.ptr);
}

MAYBE_UNUSED static struct cache_stats stats(void)
{
    struct cache_stats s;

    cache_stats(cache, &s);
    return s;
}

#endif
