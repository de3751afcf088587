/*
 * How many connections each address has: a small hash table with open
 * addressing. Clients choose their addresses, so the hash is keyed with a
 * secret. IPv6 counts by /64, what one customer is given; link-local addresses
 * count one by one, as all of a link share a prefix.
 */
#ifndef LISTENER_PEERS_H
#define LISTENER_PEERS_H

#include "base/addr.h"
#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* What counts as one peer; compared as a whole. */
struct peer_key {
    uint64_t high, low;
};

struct peer_slot {
    struct peer_key key;
    unsigned count; /* 0: the slot is free */
};

struct peer_table {
    struct peer_slot *slots; /* owned; NULL while nothing was added */
    size_t slot_count;       /* a power of two, or 0 */
    size_t used;
    uint64_t secret[2];
};

/* Allocates nothing. secret: octets that clients cannot guess. */
void peers_init(struct peer_table *t, const uint64_t secret[2]);

/* Free the memory; t is empty afterwards. */
void peers_finish(struct peer_table *t);

/* The key that an address counts under; its port does not matter. */
struct peer_key peers_key(const struct addr *a);

/* Connections of key now. */
unsigned peers_count(const struct peer_table *t, const struct peer_key *key);

/* One more. Returns 0 | ERR_NOMEM. */
MUST_USE int peers_add(struct peer_table *t, const struct peer_key *key);

/* One less of a key that has some. */
void peers_remove(struct peer_table *t, const struct peer_key *key);

#endif
