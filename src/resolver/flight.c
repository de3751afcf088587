/*
 * Flights from start to end. Start reading at flight_start() and
 * flight_finish(): a flight is finished there and nowhere else.
 *
 * While waiters are told, their list is moved aside and the flight is in no
 * table: a waiter may be cancelled, and the same question asked anew, from
 * inside of it.
 */
#include "resolver/flight.h"

#include "base/err.h"
#include "base/siphash.h"
#include "cache/cache.h"
#include "dns/frame.h"
#include "dns/name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

void flights_init(struct resolver *r)
{
    for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
        list_init(&r->buckets[i]);
    }
    slab_init(&r->flights, sizeof(struct flight),
              (size_t)r->config->max_queries + FLIGHT_REFRESH_MAX);
}

static uint64_t hash_of(const uint8_t key[SIPHASH_KEY_LEN],
                        const struct dns_question *q)
{
    uint8_t lower[DNS_NAME_MAX + 4];

    dns_name_lower(lower, q->name, q->name_len);
    memcpy(lower + q->name_len, q->name + q->name_len, 4);
    return siphash(key, lower, dns_question_len(q));
}

void flight_key_init(const struct resolver *r, const struct dns_query *q,
                     struct flight_key *out)
{
    *out = (struct flight_key){
        .question = q->question,
        .hash = hash_of(r->hash_key, &q->question),
        .has_do = q->opt.has_do,
        .has_cd = (q->flags & DNS_FLAG_CD) != 0,
    };
}

static bool key_equal(const struct flight_key *a, const struct flight_key *b)
{
    return a->hash == b->hash && a->has_do == b->has_do &&
           a->has_cd == b->has_cd &&
           dns_question_equal(&a->question, &b->question);
}

struct flight *flight_find(struct resolver *r, const struct flight_key *key)
{
    LIST_EACH (node, &r->buckets[key->hash % FLIGHT_BUCKETS]) {
        struct flight *f = CONTAINER_OF(node, struct flight, node);
        if (key_equal(&f->key, key)) {
            return f;
        }
    }
    return NULL;
}

/* ---- the end ---- */

static void flight_leave_table(struct flight *f)
{
    struct resolver *r = f->resolver;

    list_remove(&f->node);
    net_timer_stop(&f->deadline);
    net_timer_stop(&f->stale);
    if (f->is_refresh) {
        f->is_refresh = false;
        r->refreshes--;
    }
}

static void flight_free(struct flight *f)
{
    if (f->big_frame != NULL) {
        f->resolver->big_len -= f->big_len;
        free(f->big_frame);
    }
    slab_give(&f->resolver->flights, f);
}

/* Tell the other workers, with the answer or (empty) that there is none. */
void flight_tell(struct flight *f, struct span message)
{
    if (f->is_leading) {
        f->is_leading = false;
        board_finish(f->resolver->seat, &f->key.question, f->key.has_do,
                     f->key.has_cd, f->key.hash, message);
    }
}

/* They belong to no flight from the first one's turn on: each may be
 * cancelled by what another one does with its answer. */
static void tell_waiters(struct resolver *r, struct list *waiters,
                         const struct upstream_result *result, bool is_kept)
{
    uint64_t now_us = list_is_empty(waiters) ? 0 : net_now_us(r->loop);

    LIST_EACH (node, waiters) {
        struct resolver_query *q =
            CONTAINER_OF(node, struct resolver_query, node);
        q->flight = NULL;
        histogram_add(&r->latency, now_us - q->asked_us);
    }
    while (!list_is_empty(waiters)) {
        struct resolver_query *q =
            LIST_FIRST(waiters, struct resolver_query, node);
        list_remove(&q->node);
        q->result = result;
        q->is_kept = is_kept;
        r->pending--;
        q->on_answer(q);
    }
}

static void flight_finish(struct flight *f,
                          const struct upstream_result *result, bool is_kept)
{
    struct resolver *r = f->resolver;
    struct list waiters;

    list_init(&waiters);
    list_splice(&waiters, &f->waiters);
    flight_leave_table(f);
    flight_tell(f, result->message);
    tell_waiters(r, &waiters, result, is_kept);
    flight_free(f);
}

/* Keep what is worth keeping. Returns whether it is an answer that is there
 * now. */
static bool flight_store(struct flight *f, const struct upstream_result *result)
{
    struct resolver *r = f->resolver;
    const struct dns_response *response = &result->response;
    uint64_t now_ms = net_boot_ms(r->loop);

    if (r->cache == NULL || !f->is_shared || !f->zone.is_cached) {
        return false;
    }
    if (result->err == 0 && response->has_question) {
        enum cache_outcome outcome =
            cache_store(r->cache, &f->key.question, f->key.has_do,
                        f->key.has_cd, result->message, response, now_ms);
        return outcome == CACHE_KEPT || outcome == CACHE_KEPT_NEGATIVE;
    }
    /* A failure without its question, or servers that are there and none of
     * which answers this: RFC 9520 section 3.2. That none can be reached says
     * nothing of the name, and may end at once. */
    if (result->err == 0 || upstream_is_ready(f->zone.pool)) {
        (void)cache_store_failure(
            r->cache, &f->key.question, f->key.has_do, f->key.has_cd,
            result->err == 0 ? DNS_EDE_NONE : DNS_EDE_NETWORK, NULL, now_ms);
    }
    return false;
}

/* REFUSED, with the reason, in place of an answer that is not believed. */
static void flight_refuse(const struct flight *f, uint8_t out[DNS_UDP_MIN],
                          struct upstream_result *result)
{
    const struct dns_asker asker = {
        .question = f->key.question.name,
        .question_len = (uint16_t)dns_question_len(&f->key.question),
        .flags = DNS_FLAG_RD,
        .limit = DNS_UDP_MIN,
        .has_opt = true,
    };
    const struct dns_extra extra = {
        .ede = DNS_EDE_BLOCKED,
        .ede_text = "a private address for a public name (rebind_protection)",
    };
    int len =
        dns_build_error(&asker, DNS_RCODE_REFUSED, &extra, out, DNS_UDP_MIN);

    assert(len > 0);
    result->message = span_of(out, (size_t)len);
    result->err = dns_response_parse(result->message, &result->response);
    f->resolver->stats.rebindings++;
}

static bool flight_is_rebinding(const struct flight *f,
                                const struct upstream_result *result)
{
    const struct policy *policy = f->resolver->policy;

    return policy != NULL && f->zone.is_default && result->err == 0 &&
           policy_is_rebinding(policy, &f->key.question, result->message,
                               &result->response);
}

static void trace_result(const struct flight *f,
                         const struct upstream_result *result)
{
    char rcode[16];

    if (result->err == 0) {
        TRACE(f->trace, net_now_us(f->resolver->loop),
              "answer: %s, %zu octets, %u records",
              dns_rcode_text(result->response.rcode, rcode),
              result->message.len, result->response.answer_count);
    } else {
        TRACE(f->trace, net_now_us(f->resolver->loop), "no answer");
    }
}

/* Nobody vouches for what a plain server says of its own check: AD counts only
 * over a secure channel (RFC 4035 section 4.9.3). */
static struct upstream_result flight_judge(const struct flight *f,
                                           const struct upstream_result *result)
{
    struct upstream_result judged = *result;

    if (f->zone.is_plain) {
        judged.response.flags &= (uint16_t)~DNS_FLAG_AD;
    }
    return judged;
}

static void on_done(struct upstream_request *req,
                    const struct upstream_result *answer)
{
    struct flight *f = CONTAINER_OF(req, struct flight, request);
    struct resolver *r = f->resolver;
    const struct upstream_result judged = flight_judge(f, answer);
    const struct upstream_result *result = &judged;

    if (result->err == 0) {
        r->stats.answered++;
    } else if (net_timer_is_active(&f->deadline)) {
        r->stats.failures++;
    } else {
        r->stats.timeouts++;
    }
    trace_result(f, result);
    if (flight_is_rebinding(f, result)) {
        uint8_t message[DNS_UDP_MIN];
        struct upstream_result refused = {.err = 0};
        flight_refuse(f, message, &refused);
        flight_finish(f, &refused, false);
        return;
    }
    flight_finish(f, result, flight_store(f, result));
}

static void on_deadline(struct net_timer *t)
{
    struct flight *f = CONTAINER_OF(t, struct flight, deadline);

    if (!f->is_following) {
        upstream_give_up(&f->request); /* ends in on_done() */
        return;
    }
    const struct upstream_result none = {.err = ERR_NET_TIMEOUT};
    f->resolver->stats.timeouts++;
    trace_result(f, &none);
    flight_finish(f, &none, false);
}

/* Nobody wants it any more. */
void flight_cancel(struct flight *f)
{
    const struct upstream_result none = {.err = ERR_NET_OTHER};

    assert(list_is_empty(&f->waiters));
    if (!f->is_following) {
        upstream_cancel(&f->request);
    }
    flight_finish(f, &none, false);
}

void flights_finish(struct resolver *r)
{
    for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
        LIST_EACH (node, &r->buckets[i]) {
            flight_cancel(CONTAINER_OF(node, struct flight, node));
        }
    }
    slab_finish(&r->flights);
}

/* ---- the beginning ---- */

/* Write what goes to the server: in f when it is a question and no more. */
static int flight_write_frame(struct flight *f, struct span msg,
                              const struct dns_query *parsed)
{
    const struct config *config = f->resolver->config;
    const struct dns_upstream_options options = {
        .pad_block = f->zone.is_plain ? 0 : config->padding_block,
        .has_keepalive = !f->zone.is_plain,
        .has_ecs_zero = config->sends_ecs_zero,
    };
    uint8_t *frame = f->frame;
    size_t cap = sizeof(f->frame);

    f->big_frame = NULL;
    if (parsed->extra_count > 0 || options.pad_block > 128) {
        cap =
            DNS_FRAME_HEAD + msg.len + DNS_UPSTREAM_OPT_MAX + options.pad_block;
        if (f->resolver->big_len + cap > FLIGHT_BIG_MAX) {
            return ERR_LIMIT;
        }
        frame = malloc(cap);
        if (frame == NULL) {
            return ERR_NOMEM;
        }
        f->big_frame = frame;
        f->big_len = cap;
    }
    int len = dns_build_upstream(msg, parsed, &options, frame + DNS_FRAME_HEAD,
                                 cap - DNS_FRAME_HEAD);
    if (len < 0) {
        free(f->big_frame);
        return len;
    }
    f->resolver->big_len += f->big_frame != NULL ? f->big_len : 0;
    dns_put16(frame, (unsigned)len);
    f->request.frame = frame;
    f->request.frame_len = DNS_FRAME_HEAD + (uint32_t)len;
    f->request.question = parsed->question;
    f->request.question.name = frame + DNS_FRAME_HEAD + DNS_HEADER_LEN;
    return 0;
}

static void flight_ask(struct flight *f)
{
    f->is_following = false;
    f->resolver->stats.forwarded++;
    upstream_ask(f->zone.pool, &f->request);
}

/* Ask, unless another worker is at it. */
static void flight_depart(struct flight *f)
{
    struct board_seat *seat = f->resolver->seat;

    if (f->zone.pool == NULL) {
        return; /* it has no servers any more: its deadline is now */
    }
    if (seat != NULL && f->is_shared) {
        enum board_role role = board_ask(seat, &f->key.question, f->key.has_do,
                                         f->key.has_cd, f->key.hash);
        f->is_leading = role == BOARD_LEADS;
        f->is_following = role == BOARD_FOLLOWS;
    }
    if (f->is_following) {
        TRACE(f->trace, net_now_us(f->resolver->loop),
              "another worker is asking this");
        f->resolver->stats.followed++;
    } else {
        flight_ask(f);
    }
}

static void on_stale(struct net_timer *t);

int flight_start(struct resolver *r, struct span msg,
                 const struct dns_query *parsed, const struct flight_key *key,
                 const struct resolver_zone *zone, bool is_shared,
                 struct trace *trace, struct flight **out)
{
    struct flight *f = slab_take(&r->flights);

    if (f == NULL) {
        return ERR_LIMIT;
    }
    f->resolver = r;
    f->zone = *zone;
    int err = flight_write_frame(f, msg, parsed);
    if (err != 0) {
        slab_give(&r->flights, f);
        return err;
    }
    f->key = *key;
    f->key.question = f->request.question;
    f->request.on_done = on_done;
    f->trace = trace;
    f->request.trace = trace;
    f->is_shared = is_shared;
    f->is_refresh = false;
    f->is_late = false;
    f->is_leading = false;
    f->is_following = false;
    list_init(&f->node);
    list_init(&f->waiters);
    if (is_shared) {
        list_push_back(&r->buckets[key->hash % FLIGHT_BUCKETS], &f->node);
    }
    net_timer_init(&f->deadline, r->loop, on_deadline);
    net_timer_init(&f->stale, r->loop, on_stale);
    net_timer_start(&f->deadline, r->config->query_timeout_ms);
    flight_depart(f);
    *out = f;
    return 0;
}

/* ---- waiters ---- */

void flight_join(struct flight *f, struct resolver_query *q)
{
    q->flight = f;
    q->asked_us = net_now_us(f->resolver->loop);
    f->resolver->pending++;
    list_push_back(&f->waiters, &q->node);
}

void flight_leave(struct flight *f, struct resolver_query *q)
{
    list_remove(&q->node);
    q->resolver->pending--;
    if (f != NULL && q->trace != NULL && f->trace == q->trace) {
        f->trace = NULL;
        f->request.trace = NULL;
    }
    if (f != NULL && list_is_empty(&f->waiters) && !f->is_refresh) {
        flight_cancel(f);
    }
}

bool flight_make_refresh(struct flight *f)
{
    struct resolver *r = f->resolver;

    if (r->refreshes == FLIGHT_REFRESH_MAX) {
        flight_cancel(f);
        return false;
    }
    f->is_refresh = true;
    r->refreshes++;
    r->stats.refreshes++;
    return true;
}

/* No server answered for so long that a stale answer is better than none: give
 * it to who waits, and go on for the cache. RFC 8767 section 5. */
static void on_stale(struct net_timer *t)
{
    struct flight *f = CONTAINER_OF(t, struct flight, stale);
    struct resolver *r = f->resolver;
    const struct upstream_result none = {.err = ERR_NET_TIMEOUT};
    struct list waiters;

    f->is_late = true;
    list_init(&waiters);
    list_splice(&waiters, &f->waiters);
    if (!f->is_refresh) {
        (void)flight_make_refresh(f);
    }
    tell_waiters(r, &waiters, &none, false); /* f may be gone */
}

void flight_expect_stale(struct flight *f)
{
    if (f->is_shared && !net_timer_is_active(&f->stale)) {
        net_timer_start(&f->stale, f->resolver->config->stale_answer_after_ms);
    }
}

/* ---- letters of other workers ---- */

void flight_on_letter(void *arg, const struct dns_question *question,
                      bool has_do, bool has_cd, struct span message)
{
    struct resolver *r = arg;
    struct upstream_result result = {.message = message};
    const struct flight_key key = {
        .question = *question,
        .hash = hash_of(r->hash_key, question),
        .has_do = has_do,
        .has_cd = has_cd,
    };
    struct flight *f = flight_find(r, &key);

    if (f == NULL || !f->is_following) {
        return; /* it ended before */
    }
    if (message.len == 0 ||
        dns_response_parse(message, &result.response) != 0) {
        flight_depart(f); /* the leader got none: ask, or follow the next */
        return;
    }
    r->stats.answered++;
    result = flight_judge(f, &result);
    trace_result(f, &result);
    flight_finish(f, &result, false);
}
