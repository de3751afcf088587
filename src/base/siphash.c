/*
 * SipHash-c-d: the last word of a message has the length in its highest octet.
 */
#include "base/siphash.h"

#include "base/sip.h"

/* The rounds are constants where it is called: the loops unroll. */
static inline uint64_t sip_hash(const uint8_t *key, const uint8_t *p,
                                size_t len, int c_rounds, int d_rounds)
{
    struct sip s;
    uint64_t last = (uint64_t)len << 56;

    sip_init(&s, key);
    for (size_t i = 0; i < len / 8; i++) {
        sip_take(&s, sip_word_at(p), c_rounds);
        p += 8;
    }
    for (size_t i = 0; i < len % 8; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    sip_take(&s, last, c_rounds);
    return sip_end(s, d_rounds);
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
