/*
 * The life of one query: read it, answer it here or ask the pool, and make the
 * answer that its client gets. Knows no socket: listeners give it octets and
 * ask it for octets.
 *
 * The listener embeds a struct resolver_query in what it keeps of a query in
 * flight (its way back to the client), and calls resolver_ask(). Either the
 * answer is written at once, or on_answer is called later, exactly once, and
 * writes it with resolver_write().
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "base/attr.h"
#include "base/histogram.h"
#include "base/span.h"
#include "base/trace.h"
#include "config/config.h"
#include "dns/build.h"
#include "net/loop.h"
#include "policy/cookie.h"
#include "policy/policy.h"
#include "upstream/upstream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resolver;
struct resolver_query;

enum resolver_verdict {
    RESOLVER_ANSWERED, /* the answer is in out; the query is done */
    RESOLVER_PENDING,  /* on_answer will be called */
    RESOLVER_DROPPED,  /* no answer is due (not a query); the query is done */
};

/* The answer is there: call resolver_write() from inside, at most once. The
 * query is done when this returns; it may be freed in it, after the write. */
typedef void resolver_answer_fn(struct resolver_query *q);

/* Where an answer came from. */
enum resolver_source {
    RESOLVER_FROM_NOBODY, /* refused, malformed, over a bound */
    RESOLVER_FROM_LOCAL,  /* a rule of policy */
    RESOLVER_FROM_CACHE,
    RESOLVER_FROM_STALE,   /* the cache, past its time */
    RESOLVER_FROM_SERVERS, /* or from nobody, since none answered */
};

/* Embedded by the listener, which sets the first group; needs no other
 * initialisation. */
struct resolver_query {
    resolver_answer_fn *on_answer;
    bool is_tcp;
    struct addr client;  /* only where resolver_wants_client() */
    struct trace *trace; /* NULL: not traced */

    /* the resolver's */
    struct resolver *resolver;
    struct upstream_pool *pool;  /* that was asked; NULL: none is left */
    bool allows_stale;           /* the zone does */
    uint32_t stale_cut_s;        /* see struct cache_ask */
    enum resolver_source source; /* once it was answered, or written */
    struct flight *flight;       /* what it waits for; NULL: it is being told */
    uint64_t asked_us;
    struct list node;                     /* in the flight's waiters */
    const struct upstream_result *result; /* inside on_answer only */
    bool is_kept;                         /* result is in the cache */
    uint64_t hash;   /* in the cache, inside resolver_ask(); 0: not known */
    bool has_cookie; /* to be sent back */
    bool is_proved;  /* its address is not forged: a good cookie came */
    uint8_t cookie[COOKIE_LEN];
    struct dns_asker asker;
    uint8_t question[DNS_NAME_MAX + 4]; /* as the client spelt it */
};

/* What all workers' resolvers share: the cache, and who asks what. */
struct resolver_shared;

enum { RESOLVER_SEED_LEN = 32 };

/*
 * worker_count: resolvers that will use it. seed: octets that nobody can guess.
 * Returns 0 | ERR_NOMEM.
 */
MUST_USE int resolver_shared_create(const struct config *config,
                                    unsigned worker_count,
                                    const uint8_t seed[RESOLVER_SEED_LEN],
                                    struct resolver_shared **out);

/* All resolvers that use it must be gone. Accepts NULL. */
void resolver_shared_destroy(struct resolver_shared *s);

/*
 * Where config asks for another cache (size, rules), make it, with the answers
 * of the one before; resolvers take it with resolver_reconfigure(). The one
 * before lives until resolver_shared_settle(), when no resolver uses it any
 * more. Returns 0 | ERR_NOMEM (nothing was changed).
 */
MUST_USE int resolver_shared_reconfigure(struct resolver_shared *s,
                                         const struct config *config,
                                         uint64_t now_ms);
void resolver_shared_settle(struct resolver_shared *s);

/* The cache; NULL: off. */
struct cache *resolver_shared_cache(const struct resolver_shared *s);

/* What a resolver works with. All is borrowed, until it is replaced by
 * resolver_reconfigure() or the resolver is gone. */
struct resolver_setup {
    const struct config *config;
    struct policy *policy; /* NULL: nothing is answered here, no zones */
    /* Of the default pool, then of each zone (NULL: it has no servers). */
    struct upstream_pool *const *pools;
    size_t pool_count; /* 1 + config->zone_count */
};

/* shared is borrowed and must outlive the resolver; it may be NULL: no cache,
 * no other worker. Returns 0 | ERR_NOMEM. */
MUST_USE int resolver_create(struct net_loop *loop,
                             const struct resolver_setup *setup,
                             struct resolver_shared *shared,
                             struct resolver **out);

/*
 * Go on with another setup. Questions on their way end as they began: their
 * pools must live on until upstream_pool_pending() is 0. Returns 0 | ERR_NOMEM
 * (nothing was changed).
 */
MUST_USE int resolver_reconfigure(struct resolver *r,
                                  const struct resolver_setup *setup);

/* See to it that resolver_reconfigure() for so many pools does not fail.
 * Returns 0 | ERR_NOMEM. */
MUST_USE int resolver_reserve(struct resolver *r, size_t pool_count);

/* Must resolver_query.client be set? */
bool resolver_wants_client(const struct resolver *r);

/* No query may be pending. To be called when the loop runs no more. Accepts
 * NULL. */
void resolver_destroy(struct resolver *r);

/*
 * Take a client's message (borrowed for the call). RESOLVER_ANSWERED: *len
 * octets of answer are in out, which has room for cap octets (at least 512).
 */
enum resolver_verdict resolver_ask(struct resolver *r, struct resolver_query *q,
                                   struct span msg, uint8_t *out, size_t cap,
                                   size_t *len);

/*
 * The same in two steps, for a listener with many messages at hand: read each
 * with resolver_look_ahead(), which has its answer fetched from memory; call
 * resolver_look_ahead_more() for each; then ask for each, before the loop turns
 * on. What was read points into the message.
 */
struct resolver_ahead {
    struct span msg;
    struct dns_query parsed;
    enum dns_verdict verdict;
    uint64_t hash; /* of the question in the cache; 0: it is not looked for */
};
void resolver_look_ahead(const struct resolver *r, struct span msg,
                         struct resolver_ahead *out);
void resolver_look_ahead_more(const struct resolver *r,
                              const struct resolver_ahead *ahead);
enum resolver_verdict resolver_ask_ahead(struct resolver *r,
                                         struct resolver_query *q,
                                         const struct resolver_ahead *ahead,
                                         uint8_t *out, size_t cap, size_t *len);

/*
 * Answer without asking anybody, because a bound of the listener was reached:
 * SERVFAIL with an extended error and this text. Returns the octets written to
 * out (cap at least 512); 0: no answer is due.
 */
size_t resolver_refuse(struct resolver *r, struct span msg, bool is_tcp,
                       const char *text, uint8_t *out, size_t cap);

/*
 * Write the answer of a pending query, from inside on_answer. cap: at least
 * resolver_answer_max(q). Returns the octets written, at least 12.
 */
size_t resolver_write(struct resolver_query *q, uint8_t *out, size_t cap);

/* Upper bound of what resolver_write() will write; from inside on_answer. */
size_t resolver_answer_max(const struct resolver_query *q);

/* The client is gone: on_answer will not be called. Only while pending. */
void resolver_cancel(struct resolver_query *q);

struct resolver_stats {
    uint64_t queries;       /* messages given to resolver_ask() */
    uint64_t hits;          /* answered from the cache, fresh */
    uint64_t stale;         /* answered from the cache, past its TTL */
    uint64_t coalesced;     /* waited for the same question's answer */
    uint64_t followed;      /* questions that another worker asked */
    uint64_t refreshes;     /* questions asked for the cache alone */
    uint64_t not_recursive; /* REFUSED: not in the cache, RD=0 */
    uint64_t rules[POLICY_RULES_TOTAL]; /* answered here, by rule */
    uint64_t rebindings;                /* answers that were not believed */
    uint64_t cookies_good, cookies_new;
    uint64_t forwarded; /* questions given to the pool */
    uint64_t answered;  /* questions that a server answered */
    uint64_t timeouts;  /* SERVFAIL because the deadline came */
    uint64_t failures;  /* SERVFAIL because no server could be reached */
    uint64_t refused;   /* SERVFAIL because of a bound */
    uint64_t cancelled;
    uint64_t dropped, formerr, notimp, badvers, meta; /* by dns_verdict */
};

const struct resolver_stats *resolver_stats(const struct resolver *r);

/* Microseconds from a query to its answer, of those that waited for one. */
const struct histogram *resolver_latency(const struct resolver *r);

/* Queries pending now. */
size_t resolver_pending(const struct resolver *r);

#endif
