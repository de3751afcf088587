/*
 * DNS cookies towards clients (RFC 7873), in the form that servers can share
 * (RFC 9018: version 1, SipHash-2-4).
 */
#ifndef POLICY_COOKIE_H
#define POLICY_COOKIE_H

#include "base/addr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { COOKIE_CLIENT_LEN = 8, COOKIE_LEN = 24, COOKIE_SECRET_LEN = 16 };

enum cookie_verdict {
    COOKIE_NONE, /* the option is absent */
    COOKIE_FORM, /* its length is not one of RFC 7873's: FORMERR */
    COOKIE_NEW,  /* a client cookie alone, or a server cookie that is not ours
                     or too old: BADCOOKIE would be the answer under attack */
    COOKIE_GOOD, /* ours, and fresh: the address is not forged */
};

/* Judge the option's data (ptr NULL: absent). now_s: seconds since 1970. */
enum cookie_verdict cookie_judge(struct span option, const struct addr *client,
                                 const uint8_t secret[COOKIE_SECRET_LEN],
                                 uint32_t now_s);

/* The cookie to send: the client's 8 octets and ours. */
void cookie_make(const uint8_t client_cookie[COOKIE_CLIENT_LEN],
                 const struct addr *client,
                 const uint8_t secret[COOKIE_SECRET_LEN], uint32_t now_s,
                 uint8_t out[COOKIE_LEN]);

#endif
