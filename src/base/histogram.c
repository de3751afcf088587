/*
 * A value's bucket is the place of its highest bit, and the three bits below
 * it. Values under eight have a bucket each.
 */
#include "base/histogram.h"

#include <string.h>

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

unsigned histogram_bucket(uint64_t value)
{
    if (value < SUB) {
        return (unsigned)value;
    }
    unsigned high = 63U - (unsigned)__builtin_clzll(value);
    unsigned shift = high - HISTOGRAM_SUB_BITS;
    unsigned i = (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
    return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_upper(unsigned i)
{
    if (i < SUB) {
        return i + UINT64_C(1);
    }
    unsigned shift = (i >> HISTOGRAM_SUB_BITS) - 1;
    return ((uint64_t)(i & (SUB - 1)) + SUB + 1) << shift;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    h->buckets[histogram_bucket(value)]++;
}

void histogram_merge(struct histogram *a, const struct histogram *b)
{
    a->count += b->count;
    a->sum += b->sum;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        a->buckets[i] += b->buckets[i];
    }
}

uint64_t histogram_percentile(const struct histogram *h, unsigned permille)
{
    uint64_t total = 0;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += h->buckets[i];
    }
    uint64_t want = (total * permille + 999) / 1000;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && want > 0; i++) {
        seen += h->buckets[i];
        if (seen >= want) {
            return histogram_upper(i) - 1;
        }
    }
    return 0;
}

void histogram_decay(struct histogram *h)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        h->buckets[i] /= 2;
    }
}
