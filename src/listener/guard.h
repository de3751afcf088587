/*
 * Who is served, and how often: what a worker asks before it takes a query, and
 * before it sends an answer over UDP.
 *
 * A client that config->allow does not have gets no connection over TCP. Over
 * UDP it gets REFUSED with extended error 18 (Prohibited), as Unbound and BIND
 * answer, so that whoever set it up sees why; but only some a second for all of
 * them, since the address may be forged, and silence beyond.
 *
 * A client over config->rate_limit is not answered over UDP. Over TCP, where
 * its address is proved and its place in tcp_max_clients taken anyway, each
 * query gets REFUSED, so that it fails at once instead of waiting. The limit
 * holds for all clients, those on loopback and those with a good cookie too.
 *
 * config->response_rate_limit is for answers over UDP. A client whose cookie is
 * good has proved its address, so nobody else can be flooded through it: it is
 * exempt (RFC 7873 section 5.2.5).
 *
 * One worker owns a guard and counts what it sees itself: a client whose
 * queries come from many ports is served by all workers, and may have the rate
 * at each. With no limit set, a query costs one look into the ranges of allow
 * and nothing is kept.
 */
#ifndef LISTENER_GUARD_H
#define LISTENER_GUARD_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* REFUSED to clients that are not allowed, a second, over UDP, to all. */
enum { GUARD_REFUSALS_PER_S = 8 };

struct guard;

/*
 * From config's allow (none: access_default()), rate_limit, rate_burst,
 * response_rate_limit, response_rate_slip and max_udp_size, which are copied.
 * hash_key: octets that clients cannot guess. Returns 0 | ERR_NOMEM.
 */
MUST_USE int guard_create(const struct config *config,
                          const uint8_t hash_key[16], struct guard **out);
/* Accepts NULL. */
void guard_destroy(struct guard *g);

/* May client connect over TCP? */
bool guard_admits_connection(struct guard *g, const struct addr *client);

enum guard_verdict {
    GUARD_ADMIT,
    GUARD_NOT_ALLOWED, /* send what guard_write_refusal() writes */
    GUARD_OVER_RATE,   /* the same */
    GUARD_DROP,        /* say nothing */
};

/* A query of client has come; it counts against its rate if it is admitted.
 * Over TCP each query is asked about, since allow may have changed. */
enum guard_verdict guard_judge(struct guard *g, const struct addr *client,
                               bool is_tcp, uint64_t now_ms);

/*
 * REFUSED to query for verdict NOT_ALLOWED or OVER_RATE, with the reason as
 * extended error. Returns the octets written (cap: at least 512), 0 when query
 * is not one that is ever answered.
 */
size_t guard_write_refusal(const struct guard *g, enum guard_verdict verdict,
                           struct span query, bool is_tcp, uint8_t *out,
                           size_t cap);

/* Is guard_filter_answer() to be asked at all? */
bool guard_has_answer_limit(const struct guard *g);

/*
 * An answer, len octets at msg, is about to be sent over UDP. is_proved: the
 * query had a good cookie. Returns len, or less: it was cut in place to say
 * TC=1, or 0: it must not be sent.
 */
size_t guard_filter_answer(struct guard *g, const struct addr *client,
                           bool is_proved, uint8_t *msg, size_t len,
                           uint64_t now_ms);

struct guard_stats {
    uint64_t not_allowed;     /* queries and connections */
    uint64_t over_rate;       /* queries */
    uint64_t silent;          /* queries of these two that got no answer */
    uint64_t answers_cut;     /* by response_rate_limit, sent with TC=1 */
    uint64_t answers_dropped; /* by response_rate_limit, not sent */
};

const struct guard_stats *guard_stats(const struct guard *g);

/* a becomes a + b. */
void guard_stats_add(struct guard_stats *a, const struct guard_stats *b);

#endif
