/*
 * The pieces of SipHash, for hashes that are fed as they go: siphash.c has the
 * whole function. Rounds are constants where these are called, and unroll.
 */
#ifndef BASE_SIP_H
#define BASE_SIP_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Four words of state, which take in one word of a message after the other. */
struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t sip_rotated(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

/* Eight octets at any address, the first one lowest. */
static inline uint64_t sip_word_at(const uint8_t *octets)
{
    uint64_t word;

    memcpy(&word, octets, sizeof(word));
    return le64toh(word);
}

static inline void sip_rounds(struct sip *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = sip_rotated(s->v1, 13) ^ s->v0;
        s->v3 = sip_rotated(s->v3, 16) ^ s->v2;
        s->v0 = sip_rotated(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v3 = sip_rotated(s->v3, 21) ^ s->v0;
        s->v1 = sip_rotated(s->v1, 17) ^ s->v2;
        s->v2 = sip_rotated(s->v2, 32);
    }
}

/* Begin under a key of 16 octets. */
static inline void sip_init(struct sip *s, const uint8_t *key)
{
    uint64_t k0 = sip_word_at(key);
    uint64_t k1 = sip_word_at(key + 8);

    *s = (struct sip){
        k0 ^ 0x736f6d6570736575,
        k1 ^ 0x646f72616e646f6d,
        k0 ^ 0x6c7967656e657261,
        k1 ^ 0x7465646279746573,
    };
}

static inline void sip_take(struct sip *s, uint64_t word, int c_rounds)
{
    s->v3 ^= word;
    sip_rounds(s, c_rounds);
    s->v0 ^= word;
}

/* The hash so far; the state can go on. */
static inline uint64_t sip_end(struct sip s, int d_rounds)
{
    s.v2 ^= 0xff;
    sip_rounds(&s, d_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
