/*
 * One kept answer in memory, in one run of octets: the struct, the offsets of
 * its TTLs, the question in lower case, the records, the extended errors.
 * Question and records lie as in a message, and the TTLs' offsets are those of
 * the message that would begin 12 octets before the question: an answer is
 * made without putting anything together. Private to cache.
 */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include "cache/arena.h"
#include "cache/key.h"
#include "dns/stored.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    CACHE_ENTRY_DEAD = 1,   /* not in the index: room that was left behind */
    CACHE_ENTRY_USED = 2,   /* answered somebody since it was stored */
    CACHE_ENTRY_ASKED = 4,  /* a refresh was wanted, at asked_s */
    CACHE_ENTRY_FAILED = 8, /* a refresh failed, at asked_s */
    CACHE_ENTRY_MAIN = 16,  /* lies in the main queue */
    CACHE_ENTRY_HITS_MAX = 3
};

struct cache_entry {
    int64_t stored_ms; /* of the cache's clock; before 0 if it was loaded */
    uint32_t ttl_s;
    uint32_t asked_s; /* see CACHE_ENTRY_ASKED, _FAILED */
    uint32_t hash;    /* the index's */
    uint16_t units;   /* room, in CACHE_UNIT octets */
    uint16_t flags;   /* as the server sent them */
    uint16_t answer_count, authority_count, additional_count; /* no OPT */
    uint16_t records_len;
    uint16_t options_len; /* extended errors */
    uint8_t name_len;
    uint8_t key_bits; /* CACHE_KEY_* */
    uint8_t rcode;
    uint8_t bits; /* CACHE_ENTRY_* */
    uint8_t hits; /* since it was put where it is, at most _HITS_MAX */
    uint8_t unused;
    uint16_t ttl_at[];
};

static inline unsigned cache_entry_records(const struct cache_entry *e)
{
    return (unsigned)e->answer_count + e->authority_count + e->additional_count;
}

static inline uint8_t *cache_entry_question(const struct cache_entry *e)
{
    return (uint8_t *)(e->ttl_at + cache_entry_records(e));
}

/* Octets of the whole, before rounding to units. */
static inline size_t cache_entry_size(unsigned records, size_t question_len,
                                      size_t records_len, size_t options_len)
{
    return offsetof(struct cache_entry, ttl_at) + 2 * (size_t)records +
           question_len + records_len + options_len;
}

static inline size_t cache_entry_len(const struct cache_entry *e)
{
    return cache_entry_size(cache_entry_records(e), e->name_len + 4u,
                            e->records_len, e->options_len);
}

/* Octets that len takes in units. */
static inline size_t cache_entry_room(size_t len)
{
    return (len + CACHE_UNIT - 1) / CACHE_UNIT * CACHE_UNIT;
}

static inline bool cache_entry_is(const struct cache_entry *e,
                                  const struct cache_key *k)
{
    return e->key_bits == k->bits && e->name_len + 4 == k->len &&
           memcmp(cache_entry_question(e), k->question, k->len) == 0;
}

static inline bool cache_entry_is_failure(const struct cache_entry *e)
{
    return e->rcode == DNS_RCODE_SERVFAIL;
}

/* Since it was stored. Another worker's clock may have been ahead: then 0. */
static inline uint64_t cache_entry_age_ms(const struct cache_entry *e,
                                          uint64_t now_ms)
{
    int64_t age_ms = (int64_t)now_ms - e->stored_ms;

    return age_ms > 0 ? (uint64_t)age_ms : 0;
}

static inline struct dns_stored cache_entry_view(const struct cache_entry *e)
{
    const uint8_t *question = cache_entry_question(e);
    size_t head = DNS_HEADER_LEN + e->name_len + 4u;

    return (struct dns_stored){
        .message = span_of(question - DNS_HEADER_LEN, head + e->records_len),
        .options = span_of(question - DNS_HEADER_LEN + head + e->records_len,
                           e->options_len),
        .ttl_at = e->ttl_at,
        .question_len = (uint16_t)(e->name_len + 4),
        .flags = e->flags,
        .rcode = e->rcode,
        .answer_count = e->answer_count,
        .authority_count = e->authority_count,
        .additional_count = e->additional_count,
    };
}

#endif
