/*
 * How often values of each size came: buckets that are eight to a power of
 * two, so that a percentile is true within 1/8. Fixed size, no allocation;
 * plain data that can be added up.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 3,
    HISTOGRAM_BUCKETS = 27 << HISTOGRAM_SUB_BITS, /* up to 2^27 and a bit */
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of value, and the least value above those of bucket i. */
unsigned histogram_bucket(uint64_t value);
uint64_t histogram_upper(unsigned i);

/* One more; values beyond the last bucket count there. */
void histogram_add(struct histogram *h, uint64_t value);

/* a becomes a + b. */
void histogram_merge(struct histogram *a, const struct histogram *b);

/* The value that permille of all do not exceed, by its bucket's upper end; 0
 * when there is none. */
uint64_t histogram_percentile(const struct histogram *h, unsigned permille);

/* Halve all counts: older values weigh less. */
void histogram_decay(struct histogram *h);

#endif
