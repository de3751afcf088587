/*
 * A table of names, each with everything that the policy knows of it: a name
 * with local data, a zone, a suffix that is denied or special. One walk over a
 * question gives the hashes of all its suffixes; one look for a suffix then
 * answers for all rules at once.
 *
 * Hash: SipHash-1-3 over the labels from the root down, each padded to words
 * of 8 octets whose last one has the label's length on top (read backwards,
 * that is no other sequence of labels), ended on a copy of the state at every
 * label. So the hash of a suffix is on the way to that of the name, and
 * without the key nobody can make names that meet. Case is folded.
 */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include "base/attr.h"
#include "base/sip.h"
#include "dns/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAMES_LABELS_MAX = 127, /* 127 * 2 octets and the root */
    NAMES_DOMAIN_LABELS = 2,
    /* What the records of one name may take in an answer: a chain of CNAMEs
     * before them then still fits a message of 4096 octets. */
    NAMES_RECORDS_LEN_MAX = 2048,
};

/* What holds for a name and all below it. */
enum names_mark {
    NAMES_DENIED = 1,
    NAMES_EXCEPT = 2, /* never denied */
    NAMES_NOISE = 4,  /* a search suffix */
    NAMES_REBIND = 8, /* private addresses are believed */
    NAMES_ZONE_NX = 16,
    NAMES_NOISE_TLD = 32, /* of this one label alone */
    NAMES_ABOVE = 64,     /* this name alone: there are others below it */
};

/* One record of local data, RDATA in wire form without compression. */
struct names_record {
    struct names_record *next; /* in the order in which they came */
    uint32_t ttl_s;
    uint16_t type;
    uint16_t len;
    uint8_t data[];
};

struct names_node {
    uint64_t hash;
    struct names_record *records; /* local data; NULL: none */
    uint32_t zone;                /* its number, from 1 on; 0: it is none */
    uint16_t records_len;         /* octets, NAMES_RECORDS_LEN_MAX at most */
    uint8_t marks;                /* enum names_mark */
    uint8_t special;              /* row of special.c, from 1 on; 0: none */
    uint8_t labels;
    uint8_t len;    /* of name, with the root label */
    uint8_t name[]; /* wire name in lower case */
};

struct names_slot {
    uint64_t hash;
    struct names_node *node; /* NULL: free */
};

struct names {
    struct sip key;
    struct names_slot *slots;
    size_t cap; /* slots, a power of two, at most half of them used */
    size_t count;
    uint64_t depths; /* bit d: there is a name of d labels (63: or more) */
    struct names_chunk *chunks;
    size_t memory_len; /* octets allocated */
};

/* A name taken apart: its suffixes, and their hashes as far as they were
 * wanted. */
struct names_walk {
    const uint8_t *name; /* the caller's, in any case */
    size_t len;
    unsigned labels;
    unsigned hashed;  /* labels of the longest suffix with a hash */
    struct sip state; /* behind its labels */
    uint8_t at[NAMES_LABELS_MAX + 1];    /* of each label, from the left */
    uint64_t hash[NAMES_LABELS_MAX + 1]; /* of suffixes, by labels */
};

/* Where in the name its suffix of so many labels begins. */
static inline size_t names_suffix_at(const struct names_walk *w,
                                     unsigned labels)
{
    return w->at[w->labels - labels];
}

/* The bit of struct names' depths for so many labels. */
static inline uint64_t names_depth_bit(unsigned labels)
{
    return UINT64_C(1) << (labels < 63 ? labels : 63);
}

/* Take apart a wire name of len octets (1 to DNS_NAME_MAX, well-formed). */
void names_walk_init(struct names_walk *w, const struct sip *k,
                     const uint8_t *name, size_t len);

/* Have the hashes of all suffixes of at most so many labels (of w->labels). */
void names_walk_to(struct names_walk *w, unsigned labels);

/* Returns 0 | ERR_NOMEM. */
MUST_USE int names_init(struct names *t, const uint8_t hash_key[16]);
/* Accepts a zeroed one. */
void names_finish(struct names *t);

/* The node of the walk's suffix with so many labels, or NULL. */
const struct names_node *names_at(const struct names *t, struct names_walk *w,
                                  unsigned labels);

/* May longer suffixes have nodes, when that of so many labels has node? Most
 * names are below a domain that no rule is for, which shows at once. */
static inline bool names_may_go_on(const struct names_node *node,
                                   unsigned labels)
{
    return node != NULL || labels == 0 || labels > NAMES_DOMAIN_LABELS;
}

/* The node of a wire name, or NULL. */
const struct names_node *names_find(const struct names *t, const uint8_t *name,
                                    size_t len);

/* The node of the name that is only the i-th label of the walk (from the
 * left), or NULL. */
const struct names_node *
names_find_label(const struct names *t, const struct names_walk *w, unsigned i);

/* The node of a wire name, made if there is none; it stays where it is. Its
 * suffixes of up to NAMES_DOMAIN_LABELS labels have nodes then too.
 * Returns 0 | ERR_NOMEM. */
MUST_USE int names_add(struct names *t, const uint8_t *name, size_t len,
                       struct names_node **out);

/*
 * Add a record to a node, behind those that it has; one that is there already
 * is not added again. All of a type have the TTL of the first.
 * Returns 0 | ERR_NOMEM | ERR_LIMIT (NAMES_RECORDS_LEN_MAX) | ERR_CONFIG (a
 * CNAME beside other records: RFC 1034 section 3.6.2).
 */
MUST_USE int names_add_record(struct names *t, struct names_node *node,
                              uint16_t type, uint32_t ttl_s,
                              const uint8_t *data, size_t len);

/* The first record of this type from r on, or NULL; DNS_TYPE_ANY: any. */
const struct names_record *names_record_of(const struct names_record *r,
                                           uint16_t type);

/*
 * The text of a host's name (letters, digits, "-", "_" and octets above 127;
 * the final dot may be missing) to a wire name, in any case. Returns its length
 * | ERR_INVAL | ERR_DNS_NAME.
 */
MUST_USE int names_from_host(const char *text, size_t len,
                             uint8_t out[DNS_NAME_MAX]);

#endif
