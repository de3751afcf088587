/*
 * What is kept, and for how long. Judging an answer needs no lock; only
 * putting it in does. TTLs are put within their bounds once, here, so that a
 * hit has nothing but its age to take off.
 */
#include "cache/cache.h"

#include "base/err.h"
#include "cache/internal.h"
#include "dns/stored.h"
#include "dns/ttl.h"

#include <assert.h>
#include <string.h>

enum { ECS_SCOPE_AT = 3, ECS_LEN_MIN = 4 };

/* What is to be done with a candidate. */
struct verdict {
    enum cache_outcome outcome;
    uint32_t ttl_s;     /* of the whole */
    uint32_t ttl_min_s; /* bounds of each record's TTL */
    uint32_t ttl_max_s;
};

const char *cache_outcome_text(enum cache_outcome outcome)
{
    static const char *const texts[] = {
#define CACHE_OUTCOME_TEXT(name, text) text,
        CACHE_OUTCOMES(CACHE_OUTCOME_TEXT)
#undef CACHE_OUTCOME_TEXT
    };

    return texts[outcome];
}

/* ---- judging ---- */

/* RFC 7871 section 7.3.1: an answer with a scope is for that scope. A broken
 * option says nothing: better not. */
static bool is_scoped(const struct dns_opt *o)
{
    size_t cursor = 0;
    struct span value;

    if (o->options.len == 0 ||
        !dns_opt_next(o, DNS_OPTION_ECS, &cursor, &value)) {
        return false;
    }
    return value.len < ECS_LEN_MIN || value.ptr[ECS_SCOPE_AT] != 0;
}

static uint32_t within(uint32_t value, uint32_t min, uint32_t max)
{
    value = value < min ? min : value;
    return value > max ? max : value;
}

static struct verdict judge_failure(const struct cache_options *o)
{
    return (struct verdict){
        .outcome = o->failure_ttl_s > 0 ? CACHE_KEPT_FAILURE : CACHE_NOT_RCODE,
        .ttl_s = o->failure_ttl_s,
        .ttl_max_s = o->failure_ttl_s,
    };
}

/* RFC 2308 sections 2.2, 3 and 5. A referral (NS, no SOA) is no answer. */
static struct verdict judge_negative(const struct cache_options *o,
                                     const struct dns_ttl *ttl)
{
    uint32_t ttl_s = ttl->least_s;

    if (!ttl->has_soa) {
        return (struct verdict){.outcome = CACHE_NOT_SOA};
    }
    if (ttl->negative_s < ttl_s) {
        ttl_s = ttl->negative_s;
    }
    if (ttl_s == 0 || o->max_negative_ttl_s == 0) {
        return (struct verdict){.outcome = CACHE_NOT_TTL};
    }
    ttl_s = within(ttl_s, o->min_ttl_s, o->max_ttl_s);
    ttl_s = within(ttl_s, 0, o->max_negative_ttl_s);
    /* Section 5: the SOA is given with the TTL of the whole. */
    return (struct verdict){
        .outcome = CACHE_KEPT_NEGATIVE,
        .ttl_s = ttl_s,
        .ttl_min_s = within(o->min_ttl_s, 0, ttl_s),
        .ttl_max_s = ttl_s,
    };
}

static struct verdict judge_answer(const struct cache_options *o,
                                   const struct cache_candidate *k)
{
    struct dns_ttl ttl;
    uint32_t ttl_s;

    dns_ttl_survey(k->message, k->r, &ttl);
    if (k->r->rcode == DNS_RCODE_NXDOMAIN || !ttl.has_asked) {
        return judge_negative(o, &ttl);
    }
    ttl_s = within(ttl.least_s, o->min_ttl_s, o->max_ttl_s);
    if (ttl.least_s == 0 || ttl_s == 0) {
        return (struct verdict){.outcome = CACHE_NOT_TTL};
    }
    return (struct verdict){
        .outcome = CACHE_KEPT,
        .ttl_s = ttl_s,
        .ttl_min_s = o->min_ttl_s,
        .ttl_max_s = o->max_ttl_s,
    };
}

static struct verdict judge(const struct cache_options *o,
                            const struct cache_candidate *k)
{
    const struct dns_response *r = k->r;

    if (!r->has_question || !dns_question_equal(&r->question, k->q)) {
        return (struct verdict){.outcome = CACHE_NOT_QUESTION};
    }
    if ((r->flags & DNS_FLAG_TC) != 0) {
        return (struct verdict){.outcome = CACHE_NOT_TRUNCATED};
    }
    if (is_scoped(&r->opt)) {
        return (struct verdict){.outcome = CACHE_NOT_SCOPED};
    }
    switch (r->rcode) {
    case DNS_RCODE_NOERROR:
    case DNS_RCODE_NXDOMAIN:
        return judge_answer(o, k);
    case DNS_RCODE_SERVFAIL:
        return judge_failure(o);
    default:
        return (struct verdict){.outcome = CACHE_NOT_RCODE};
    }
}

/* ---- putting in ---- */

/* The octets that an entry has beside its fixed part. */
struct parts {
    unsigned records; /* count */
    size_t records_len;
    size_t options_len;
};

static struct parts measure(const struct cache_candidate *k)
{
    const struct dns_response *r = k->r;
    size_t head = DNS_HEADER_LEN + dns_question_len(&r->question);

    return (struct parts){
        .records = (unsigned)r->answer_count + r->authority_count +
                   r->additional_count - (r->opt.is_present ? 1 : 0),
        .records_len = k->message.len - head - r->opt.len,
        .options_len = dns_stored_options(&r->opt, NULL),
    };
}

static uint8_t *copy(uint8_t *p, const uint8_t *from, size_t len)
{
    if (len > 0) {
        memcpy(p, from, len);
    }
    return p + len;
}

/* Question, records and extended errors. */
static void fill_octets(struct cache_entry *e, const struct cache_key *key,
                        const struct cache_candidate *k)
{
    const struct dns_opt *opt = &k->r->opt;
    const uint8_t *from = k->message.ptr;
    size_t head = DNS_HEADER_LEN + key->len;
    size_t end = opt->is_present ? opt->at : k->message.len;
    size_t after = opt->is_present ? opt->at + opt->len : end;
    uint8_t *p = cache_entry_question(e);

    p = copy(p, key->question, key->len);
    p = copy(p, from + head, end - head);
    p = copy(p, from + after, k->message.len - after);
    (void)dns_stored_options(opt, p);
}

static void fill_ttls(struct cache_entry *e, const struct cache_candidate *k,
                      const struct verdict *v)
{
    uint8_t *message = cache_entry_question(e) - DNS_HEADER_LEN;

    dns_ttl_offsets(k->message, k->r, e->ttl_at);
    for (unsigned i = 0; i < cache_entry_records(e); i++) {
        uint8_t *p = message + e->ttl_at[i];
        dns_put32(p, within(dns_ttl_read(p), v->ttl_min_s, v->ttl_max_s));
    }
}

static uint64_t candidate_age_ms(const struct cache_candidate *k,
                                 const struct verdict *v)
{
    return k->is_past ? v->ttl_s * 1000ull : k->age_ms;
}

static void fill(struct cache_entry *e, const struct cache_key *key,
                 const struct cache_candidate *k, const struct parts *parts,
                 const struct verdict *v)
{
    const struct dns_response *r = k->r;

    e->stored_ms = (int64_t)k->now_ms - (int64_t)candidate_age_ms(k, v);
    e->ttl_s = v->ttl_s;
    e->asked_s = 0;
    /* What is kept is not authoritative: RFC 1035 section 4.1.1. */
    e->flags = r->flags & (uint16_t)~DNS_FLAG_AA;
    e->rcode = (uint8_t)r->rcode;
    e->answer_count = r->answer_count;
    e->authority_count = r->authority_count;
    e->additional_count =
        (uint16_t)(r->additional_count - (r->opt.is_present ? 1 : 0));
    e->records_len = (uint16_t)parts->records_len;
    e->options_len = (uint16_t)parts->options_len;
    fill_octets(e, key, k);
    fill_ttls(e, k, v);
}

static enum cache_outcome put(struct cache_shard *s,
                              const struct cache_key *key,
                              const struct cache_candidate *k,
                              struct cache_entry *old, const struct verdict *v)
{
    struct parts parts = measure(k);
    size_t len = cache_entry_size(parts.records, key->len, parts.records_len,
                                  parts.options_len);
    struct cache_entry *e;
    int err = cache_shard_put(s, key, old, len, k->is_proven, k->now_ms, &e);

    if (err == 0) {
        fill(e, key, k, &parts, v);
        return v->outcome;
    }
    if (err == ERR_LIMIT && old != NULL) {
        cache_shard_remove(s, old);
    }
    return err == ERR_LIMIT ? CACHE_NOT_LEN : CACHE_NOT_ROOM;
}

/* Can it still be given, fresh or stale? */
static bool is_good(const struct cache *c, const struct cache_entry *e,
                    uint64_t now_ms)
{
    uint64_t keep_s = (uint64_t)e->ttl_s + c->options.stale_s;

    return !cache_entry_is_failure(e) &&
           cache_entry_age_ms(e, now_ms) < keep_s * 1000;
}

/* An error came: what was good stays, and nobody asks for it for a while. */
static void note_failure(struct cache_entry *e, uint64_t now_ms)
{
    e->bits |= CACHE_ENTRY_FAILED;
    e->asked_s = (uint32_t)(now_ms / 1000);
}

/* Of a candidate out of a file: nothing newer is there, and it can still be
 * given. */
static bool is_worth_loading(const struct cache *c,
                             const struct cache_entry *old,
                             const struct cache_candidate *k,
                             const struct verdict *v)
{
    uint64_t keep_s = (uint64_t)v->ttl_s + c->options.stale_s;

    return old == NULL && v->outcome != CACHE_KEPT_FAILURE &&
           candidate_age_ms(k, v) < keep_s * 1000;
}

/* Do what the verdict says; the lock is held. */
static enum cache_outcome apply(struct cache *c, struct cache_shard *s,
                                const struct cache_key *key,
                                const struct cache_candidate *k,
                                const struct verdict *v)
{
    struct cache_entry *old = cache_shard_find(s, key);

    if (k->is_loaded && !is_worth_loading(c, old, k, v)) {
        return CACHE_NOT_NEWER;
    }
    switch (v->outcome) {
    case CACHE_KEPT_FAILURE:
    case CACHE_NOT_RCODE:
        if (old != NULL && is_good(c, old, k->now_ms)) {
            note_failure(old, k->now_ms);
            return CACHE_KEPT_OLDER;
        }
        if (v->outcome == CACHE_NOT_RCODE) {
            return v->outcome;
        }
        return put(s, key, k, old, v);
    case CACHE_KEPT:
    case CACHE_KEPT_NEGATIVE:
        return put(s, key, k, old, v);
    case CACHE_NOT_TTL:
    case CACHE_NOT_SOA:
        if (old != NULL) {
            cache_shard_remove(s, old); /* the world has changed */
        }
        return v->outcome;
    default:
        return v->outcome;
    }
}

static void make_key(const struct cache *c, const struct cache_candidate *k,
                     struct cache_key *out)
{
    uint8_t question[DNS_NAME_MAX + 4];
    size_t name_len = k->q->name_len;

    memcpy(question, k->q->name, name_len);
    dns_put16(question + name_len, k->q->type);
    dns_put16(question + name_len + 2, k->q->klass);
    cache_key_init(out, c->options.hash_key, span_of(question, name_len + 4),
                   k->has_do, k->has_cd, 0);
}

enum cache_outcome cache_take(struct cache *c, const struct cache_candidate *k)
{
    struct verdict v = judge(&c->options, k);
    struct cache_key key;
    struct cache_shard *s;
    enum cache_outcome outcome;

    make_key(c, k, &key);
    s = cache_shard_of(c, key.hash);
    (void)pthread_mutex_lock(&s->lock);
    outcome = apply(c, s, &key, k, &v);
    s->stats.outcomes[outcome]++;
    (void)pthread_mutex_unlock(&s->lock);
    return outcome;
}

enum cache_outcome cache_store(struct cache *c, const struct dns_question *q,
                               bool has_do, bool has_cd, struct span message,
                               const struct dns_response *r, uint64_t now_ms)
{
    const struct cache_candidate candidate = {
        .q = q,
        .has_do = has_do,
        .has_cd = has_cd,
        .message = message,
        .r = r,
        .now_ms = now_ms,
    };

    return cache_take(c, &candidate);
}

enum cache_outcome cache_store_failure(struct cache *c,
                                       const struct dns_question *q,
                                       bool has_do, bool has_cd, int ede,
                                       const char *ede_text, uint64_t now_ms)
{
    uint8_t question[DNS_NAME_MAX + 4];
    uint8_t message[DNS_UDP_MIN];
    const struct dns_extra extra = {.ede = ede, .ede_text = ede_text};
    struct dns_asker a = {
        .question = question,
        .question_len = (uint16_t)dns_question_len(q),
        .has_opt = true,
    };
    struct dns_response r;
    int len;

    memcpy(question, q->name, q->name_len);
    dns_put16(question + q->name_len, q->type);
    dns_put16(question + q->name_len + 2, q->klass);
    len = dns_build_error(&a, DNS_RCODE_SERVFAIL, &extra, message,
                          sizeof(message));
    assert(len > 0); /* as many octets always suffice */
    if (dns_response_parse(span_of(message, (size_t)len), &r) != 0) {
        return CACHE_NOT_QUESTION; /* the name of q is none */
    }
    return cache_store(c, q, has_do, has_cd, span_of(message, (size_t)len), &r,
                       now_ms);
}
