/*
 * How fast a client may ask, and how often it may be told the same: token
 * buckets by client prefix, in tables of fixed size (clients choose their
 * addresses, so the hash is keyed and the oldest bucket of a full place gives
 * way). One table belongs to one worker, and counts what that worker sees.
 *
 * A bucket is 16 octets: 64 KiB for 4096 clients, 128 KiB for 8192 kinds of
 * answers. A client that was forgotten starts anew, with a full bucket. The
 * clock may stand still or go back: nothing is gained meanwhile.
 */
#ifndef POLICY_RATE_H
#define POLICY_RATE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_PREFIX_V4 = 32, /* one bucket for an address … */
    RATE_PREFIX_V6 = 64, /* … and for what one customer is given */
    RESPONSE_PREFIX_V4 = 24,
    RESPONSE_PREFIX_V6 = 56,
};

struct rate;

/* per_s queries a second, burst at once. Returns 0 | ERR_NOMEM. */
MUST_USE int rate_create(unsigned per_s, unsigned burst,
                         const uint8_t hash_key[16], struct rate **out);
/* Accepts NULL. */
void rate_destroy(struct rate *r);

/* One query of client. false: it is over its rate. */
bool rate_take(struct rate *r, const struct addr *client, uint64_t now_ms);

enum response_verdict {
    RESPONSE_SEND,
    RESPONSE_CUT,  /* send TC=1 and no records: a real client asks over TCP */
    RESPONSE_DROP, /* send nothing */
};

struct response_rate;

/*
 * per_s like answers a second for a prefix, of which at most a second's worth
 * is saved up; what goes on asking is not answered until it was quieter for
 * up to 15 s. Every slip-th answer over the limit is cut instead of dropped (0:
 * none; 1: all). Returns 0 | ERR_NOMEM.
 */
MUST_USE int response_rate_create(unsigned per_s, unsigned slip,
                                  const uint8_t hash_key[16],
                                  struct response_rate **out);
/* Accepts NULL. */
void response_rate_destroy(struct response_rate *r);

/* An answer (a whole message of ours) is about to be sent to client over UDP.
 * Alike are: answers to the same name, type and class; all NXDOMAIN below the
 * same parent; all errors. */
enum response_verdict response_rate_take(struct response_rate *r,
                                         const struct addr *client,
                                         struct span answer, uint64_t now_ms);

#endif
