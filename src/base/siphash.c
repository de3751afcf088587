/*
 * SipHash-c-d. Four words of state take in one word of the message after the
 * other; the last word has the length in its highest octet.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotated(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline uint64_t word_at(const uint8_t *octets)
{
    uint64_t word;

    memcpy(&word, octets, sizeof(word));
    return le64toh(word);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotated(s->v1, 13) ^ s->v0;
    s->v3 = rotated(s->v3, 16) ^ s->v2;
    s->v0 = rotated(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotated(s->v3, 21) ^ s->v0;
    s->v1 = rotated(s->v1, 17) ^ s->v2;
    s->v2 = rotated(s->v2, 32);
}

static inline void sip_rounds(struct sip *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        sip_round(s);
    }
}

static inline void sip_take(struct sip *s, uint64_t word, int c_rounds)
{
    s->v3 ^= word;
    sip_rounds(s, c_rounds);
    s->v0 ^= word;
}

/* The rounds are constants where it is called: the loops unroll. */
static inline uint64_t sip_hash(const uint8_t *key, const uint8_t *p,
                                size_t len, int c_rounds, int d_rounds)
{
    uint64_t k0 = word_at(key);
    uint64_t k1 = word_at(key + 8);
    struct sip s = {
        k0 ^ 0x736f6d6570736575,
        k1 ^ 0x646f72616e646f6d,
        k0 ^ 0x6c7967656e657261,
        k1 ^ 0x7465646279746573,
    };
    uint64_t last = (uint64_t)len << 56;

    for (size_t i = 0; i < len / 8; i++) {
        sip_take(&s, word_at(p), c_rounds);
        p += 8;
    }
    for (size_t i = 0; i < len % 8; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    sip_take(&s, last, c_rounds);
    s.v2 ^= 0xff;
    sip_rounds(&s, d_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *octets,
                 size_t len)
{
    return sip_hash(key, octets, len, 1, 3);
}

uint64_t siphash_2_4(const uint8_t key[SIPHASH_KEY_LEN], const void *octets,
                     size_t len)
{
    return sip_hash(key, octets, len, 2, 4);
}
