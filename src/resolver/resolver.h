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
#include "base/span.h"
#include "config/config.h"
#include "dns/build.h"
#include "net/loop.h"
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

/* Embedded by the listener, which sets the first group; needs no other
 * initialisation. */
struct resolver_query {
    resolver_answer_fn *on_answer;
    bool is_tcp;

    /* the resolver's */
    struct resolver *resolver;
    struct flight *flight; /* what it waits for; NULL: it is being told */
    struct list node;      /* in the flight's waiters */
    const struct upstream_result *result; /* inside on_answer only */
    bool is_kept;                         /* result is in the cache */
    struct dns_asker asker;
    uint8_t question[DNS_NAME_MAX + 4]; /* as the client spelt it */
};

/* What all workers' resolvers share: the cache, and who asks what. */
struct resolver_shared;

/*
 * worker_count: resolvers that will use it. seed: 16 octets that nobody can
 * guess. Returns 0 | ERR_NOMEM.
 */
MUST_USE int resolver_shared_create(const struct config *config,
                                    unsigned worker_count,
                                    const uint8_t seed[16],
                                    struct resolver_shared **out);

/* All resolvers that use it must be gone. Accepts NULL. */
void resolver_shared_destroy(struct resolver_shared *s);

/* The cache; NULL: off. */
struct cache *resolver_shared_cache(const struct resolver_shared *s);

/* config, pool and shared are borrowed and must outlive the resolver. shared
 * may be NULL: no cache, no other worker. */
MUST_USE int resolver_create(struct net_loop *loop, const struct config *config,
                             struct upstream_pool *pool,
                             struct resolver_shared *shared,
                             struct resolver **out);

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
    uint64_t forwarded;     /* questions given to the pool */
    uint64_t answered;      /* questions that a server answered */
    uint64_t timeouts;      /* SERVFAIL because the deadline came */
    uint64_t failures;      /* SERVFAIL because no server could be reached */
    uint64_t refused;       /* SERVFAIL because of a bound */
    uint64_t cancelled;
    uint64_t dropped, formerr, notimp, badvers, meta; /* by dns_verdict */
};

const struct resolver_stats *resolver_stats(const struct resolver *r);

/* Queries pending now. */
size_t resolver_pending(const struct resolver *r);

#endif
