/*
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
 *
 * SipHash-1-3, one compression round and three at the end, is the keyed hash
 * for tables whose keys strangers choose: without the key nobody can find keys
 * that meet. It is not a signature. SipHash-2-4 is what protocols ask for.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_LEN = 16 };

/* SipHash-1-3 of len octets, which may be at any address, under key. The same
 * on every machine. */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *octets,
                 size_t len);

/* The same with SipHash-2-4. On the wire its lowest octet comes first. */
uint64_t siphash_2_4(const uint8_t key[SIPHASH_KEY_LEN], const void *octets,
                     size_t len);

#endif
