/*
 * SipHash-1-3, a keyed hash for tables whose keys strangers choose: without
 * the key nobody can find keys that meet (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF"). One compression round, three at the end. It is not
 * a signature.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_LEN = 16 };

/* The hash of len octets, which may be at any address, under key. The same on
 * every machine. */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *octets,
                 size_t len);

#endif
