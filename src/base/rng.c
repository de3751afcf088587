/*
 * xoshiro256** 1.0 (Blackman and Vigna), seeded through splitmix64. Not for
 * secrets: whoever sees a few outputs knows the rest.
 */
#include "base/rng.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++) {
        r->s[i] = splitmix(&seed);
    }
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotl(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
    uint64_t product;

    if (bound == 0) {
        return 0;
    }
    /* Multiply and take the upper half (Lemire, 2019); the few products of
     * the uneven rest are thrown again. */
    do {
        product = (rng_next(r) >> 32) * bound;
    } while ((uint32_t)product < -bound % bound);
    return (uint32_t)(product >> 32);
}

uint64_t rng_jitter(struct rng *r, uint64_t value, unsigned percent)
{
    uint64_t reach;

    if (percent > 100) {
        percent = 100;
    }
    reach = value / 100 * percent + value % 100 * percent / 100;
    if (reach == 0 || value > UINT64_MAX / 4) {
        return value; /* "never" stays never */
    }
    return value - reach + rng_next(r) % (2 * reach + 1);
}
