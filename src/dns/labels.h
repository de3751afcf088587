/*
 * The one walk over labels that names and messages share. Private to dns.
 */
#ifndef DNS_LABELS_H
#define DNS_LABELS_H

#include "base/err.h"
#include "base/span.h"
#include "dns/wire.h"

#include <stddef.h>
#include <stdint.h>

enum { DNS_LABEL_MAX = 63, DNS_POINTER = 0xc0, DNS_POINTER_LEN = 2 };

/*
 * Octets of the labels at offset at of msg, without the root label or the
 * pointer that ends them: then msg.ptr[at + result], which is inside, is 0 or
 * at least DNS_POINTER. | ERR_DNS_SHORT | ERR_DNS_LABEL | ERR_DNS_NAME.
 */
static inline int dns_labels_len(struct span msg, size_t at)
{
    size_t left = at < msg.len ? msg.len - at : 0;
    size_t len = 0;

    while (len < left) {
        uint8_t octet = msg.ptr[at + len];
        if (octet == 0 || octet >= DNS_POINTER) {
            return (int)len;
        }
        if (octet > DNS_LABEL_MAX) {
            return ERR_DNS_LABEL;
        }
        len += 1u + octet;
        if (len >= DNS_NAME_MAX) {
            return ERR_DNS_NAME; /* the root label has no place any more */
        }
    }
    return ERR_DNS_SHORT;
}

/*
 * Offset that the pointer at offset at points to. It must lie before floor,
 * where the name began: a pointer into its own name never ends.
 * Returns it | ERR_DNS_SHORT | ERR_DNS_LOOP.
 */
static inline int dns_pointer_target(struct span msg, size_t at, size_t floor)
{
    unsigned target;

    if (msg.len - at < DNS_POINTER_LEN) {
        return ERR_DNS_SHORT;
    }
    target = dns_get16(msg.ptr + at) & 0x3fffu;
    return target < floor ? (int)target : ERR_DNS_LOOP;
}

#endif
