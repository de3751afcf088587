/*
 * Server cookies. All that they say is in them, under a keyed hash: nothing is
 * kept for a client. Layout of the option: client cookie (8 octets), version
 * (1), reserved (3), timestamp (4), hash (8).
 */
#include "policy/cookie.h"

#include "base/siphash.h"
#include "dns/wire.h"
#include "policy/mapped.h"

#include <endian.h>
#include <string.h>

enum {
    VERSION = 1,
    AT_VERSION = 8,
    AT_TIME = 12,
    AT_HASH = 16,
    /* RFC 7873 section 4: a client cookie alone, or with 8 to 32 octets. */
    OPTION_MIN = 16,
    OPTION_MAX = 40,
    /* RFC 9018 section 4.3. */
    PAST_MAX_S = 3600,
    FUTURE_MAX_S = 300,
};

_Static_assert((int)COOKIE_SECRET_LEN == (int)SIPHASH_KEY_LEN,
               "the key of SipHash");

/* The hash of the first 16 octets of cookie and the address, as on the wire:
 * RFC 9018 section 4.4. */
static uint64_t hash_of(const uint8_t *cookie, const struct addr *client,
                        const uint8_t *secret)
{
    struct addr plain = policy_unmapped(client);
    uint8_t octets[AT_HASH + sizeof(plain.ip)];
    size_t ip_len = addr_ip_len(&plain);

    memcpy(octets, cookie, AT_HASH);
    memcpy(octets + AT_HASH, plain.ip, ip_len);
    return htole64(siphash_2_4(secret, octets, AT_HASH + ip_len));
}

/* RFC 1982: the clock of 32 bits goes round in 2106. */
static bool is_fresh(uint32_t made_at_s, uint32_t now_s)
{
    int32_t age_s = (int32_t)(now_s - made_at_s);

    return age_s >= -FUTURE_MAX_S && age_s <= PAST_MAX_S;
}

enum cookie_verdict cookie_judge(struct span option, const struct addr *client,
                                 const uint8_t secret[COOKIE_SECRET_LEN],
                                 uint32_t now_s)
{
    uint64_t hash;

    if (option.ptr == NULL) {
        return COOKIE_NONE;
    }
    if (option.len != COOKIE_CLIENT_LEN &&
        (option.len < OPTION_MIN || option.len > OPTION_MAX)) {
        return COOKIE_FORM;
    }
    if (option.len != COOKIE_LEN || option.ptr[AT_VERSION] != VERSION ||
        !is_fresh(dns_get32(option.ptr + AT_TIME), now_s)) {
        return COOKIE_NEW;
    }
    memcpy(&hash, option.ptr + AT_HASH, sizeof(hash));
    return hash == hash_of(option.ptr, client, secret) ? COOKIE_GOOD
                                                       : COOKIE_NEW;
}

void cookie_make(const uint8_t client_cookie[COOKIE_CLIENT_LEN],
                 const struct addr *client,
                 const uint8_t secret[COOKIE_SECRET_LEN], uint32_t now_s,
                 uint8_t out[COOKIE_LEN])
{
    uint64_t hash;

    memmove(out, client_cookie, COOKIE_CLIENT_LEN);
    dns_put32(out + AT_VERSION, (uint32_t)VERSION << 24); /* reserved is 0 */
    dns_put32(out + AT_TIME, now_s);
    hash = hash_of(out, client, secret);
    memcpy(out + AT_HASH, &hash, sizeof(hash));
}
