/*
 * A small pseudo-random generator (xoshiro256**) for choices that need not be
 * secret: jitter, ids inside an encrypted channel, sampling. Whoever needs one
 * seeds it from net (real entropy, or the simulation's seed).
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* Start from seed; any value will do, 0 too (splitmix64 spreads it). */
void rng_seed(struct rng *r, uint64_t seed);

/* The next 64 bits. */
uint64_t rng_next(struct rng *r);

/* Evenly spread in 0 .. bound - 1; 0 when bound is 0. */
uint32_t rng_below(struct rng *r, uint32_t bound);

/* value with up to percent % added or taken away, evenly spread. */
uint64_t rng_jitter(struct rng *r, uint64_t value, unsigned percent);

#endif
