/*
 * Keys. The type and the class are octets that must not be folded: HTTPS is
 * type 65, which is 'A'.
 */
#include "cache/key.h"

#include "dns/name.h"

#include <assert.h>
#include <string.h>

void cache_key_init(struct cache_key *k,
                    const uint8_t hash_key[SIPHASH_KEY_LEN],
                    struct span question, bool has_do, bool has_cd,
                    uint64_t hash)
{
    size_t name_len = question.len - 4;

    assert(question.len >= 5 && question.len <= DNS_NAME_MAX + 4);
    dns_name_lower(k->question, question.ptr, name_len);
    memcpy(k->question + name_len, question.ptr + name_len, 4);
    k->len = (uint16_t)question.len;
    k->bits =
        (uint8_t)((has_do ? CACHE_KEY_DO : 0) | (has_cd ? CACHE_KEY_CD : 0));
    k->question[k->len] = k->bits;
    if (hash == 0) {
        hash = siphash(hash_key, k->question, question.len + 1);
    }
    k->hash = hash != 0 ? hash : 1;
}
