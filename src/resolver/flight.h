/*
 * A flight: one question on its way to the servers, and all who wait for its
 * answer. Identical questions share a flight, whatever transport they came by;
 * a flight without waiters refreshes the cache. Private to the resolver.
 *
 * A flight ends exactly once: an answer, its deadline, or nobody left who
 * wants it. What its answer is worth keeping is in the cache before the first
 * waiter hears of it.
 */
#ifndef RESOLVER_FLIGHT_H
#define RESOLVER_FLIGHT_H

#include "base/histogram.h"
#include "base/slab.h"
#include "resolver/board.h"
#include "resolver/resolver.h"

enum {
    RESOLVER_JUDGED = 2048,           /* a power of two */
    FLIGHT_BUCKETS = 1024,            /* a power of two */
    FLIGHT_BIG_MAX = 4 * 1024 * 1024, /* octets in frames of their own */
    FLIGHT_REFRESH_MAX = 256          /* flights without waiters, at one time */
};

/* Who answers for a zone, and what may be done with the answers. */
struct resolver_zone {
    struct upstream_pool *pool; /* NULL: nobody, policy answers */
    bool is_cached;
    bool is_plain; /* in clear text: never padded */
    bool allows_stale;
    uint32_t stale_cut_s; /* see struct cache_ask */
    bool is_default;      /* not a zone: rebind protection holds */
};

/* What makes two questions the same. */
struct flight_key {
    struct dns_question question;
    uint64_t hash;
    bool has_do, has_cd;
};

struct flight {
    struct list node;    /* in its bucket; alone: never shared */
    struct list waiters; /* struct resolver_query */
    struct resolver *resolver;
    struct upstream_request request;
    struct resolver_zone zone;
    struct flight_key key; /* question: inside the frame */
    struct trace *trace;   /* NULL: not traced */
    struct net_timer deadline;
    struct net_timer stale; /* from then on a stale answer is better */
    bool is_shared;         /* may be joined, and cached */
    bool is_refresh;        /* wanted without waiters */
    bool is_late;    /* stale came: who joins now gets a stale answer at once */
    bool is_leading; /* on the board: other workers may wait for it */
    bool is_following; /* another worker asks; request is not under way */
    size_t big_len;
    uint8_t *big_frame; /* of big_len octets, owned; NULL: frame is used */
    uint8_t frame[2 + DNS_UPSTREAM_PLAIN_MAX];
};

struct resolver {
    struct net_loop *loop;
    const struct config *config;
    struct policy *policy;            /* borrowed; NULL: none */
    struct resolver_zone *zones;      /* owned; as verdicts count them */
    struct resolver_zone *spare;      /* for others; owned, or NULL */
    uint64_t judged[RESOLVER_JUDGED]; /* hashes of questions that no rule of
                                         policy knows, and no zone */
    size_t zone_count, spare_count;
    struct resolver_shared *shared; /* NULL: no cache, no other worker */
    struct cache *cache;            /* NULL: off */
    struct board_seat *seat;        /* NULL: no other worker */
    struct slab flights;
    struct list buckets[FLIGHT_BUCKETS];
    uint8_t hash_key[16];
    uint8_t cookie_secret[COOKIE_SECRET_LEN];
    uint8_t *scratch; /* DNS_MESSAGE_MAX octets, for answers of policy */
    size_t pending;   /* queries that wait */
    size_t refreshes; /* flights without waiters */
    size_t big_len;   /* octets in frames of their own */
    struct resolver_stats stats;
    struct histogram latency;
};

void flights_init(struct resolver *r);

/* Ends all flights; no query may wait. */
void flights_finish(struct resolver *r);

/* The key of a client's query. */
void flight_key_init(const struct resolver *r, const struct dns_query *q,
                     struct flight_key *out);

/* The flight of this question, if there is one; NULL: none. */
struct flight *flight_find(struct resolver *r, const struct flight_key *key);

/*
 * Start a flight for the query parsed from msg. is_shared: others may join.
 * trace: of who asks, or NULL; used until the flight tells its waiters.
 * Returns 0 | ERR_NOMEM | ERR_LIMIT | ERR_DNS_SPACE.
 */
MUST_USE int flight_start(struct resolver *r, struct span msg,
                          const struct dns_query *parsed,
                          const struct flight_key *key,
                          const struct resolver_zone *zone, bool is_shared,
                          struct trace *trace, struct flight **out);

/* q waits for f's answer. */
void flight_join(struct flight *f, struct resolver_query *q);

/* q waits no longer; a flight that nobody wants ends. */
void flight_leave(struct flight *f, struct resolver_query *q);

/* End one that nobody waits for. */
void flight_cancel(struct flight *f);

/* The zones have changed: see rezone.c. */
void flights_rezone(struct resolver *r);

/* A stale answer is there if no server answers soon. */
void flight_expect_stale(struct flight *f);

/* Nobody needs to wait: it goes on for the cache alone. false: it ended,
 * because there are enough of these. */
bool flight_make_refresh(struct flight *f);

/* Tell the workers that follow f what it got (empty: nothing), once. */
void flight_tell(struct flight *f, struct span message);

/* What another worker got for a flight that follows it (see board.h). */
void flight_on_letter(void *arg, const struct dns_question *question,
                      bool has_do, bool has_cd, struct span message);

#endif
