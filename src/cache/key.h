/*
 * The key of an entry: the question in lower case, and DO and CD. Its hash is
 * keyed: names come from strangers. Private to cache.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "base/siphash.h"
#include "base/span.h"
#include "dns/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum { CACHE_KEY_DO = 1, CACHE_KEY_CD = 2 };

struct cache_key {
    uint64_t hash;                          /* never 0 */
    uint16_t len;                           /* octets of the question */
    uint8_t bits;                           /* CACHE_KEY_* */
    uint8_t question[DNS_NAME_MAX + 4 + 1]; /* name in lower case, type, class
                                               as on the wire; then the bits,
                                               for the hash */
};

/* Make the key of a question as it is on the wire: 5 to 259 octets. hash: as
 * it was made before; 0: it is made now. */
void cache_key_init(struct cache_key *k,
                    const uint8_t hash_key[SIPHASH_KEY_LEN],
                    struct span question, bool has_do, bool has_cd,
                    uint64_t hash);

#endif
