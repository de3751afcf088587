/*
 * Percentiles without memory of single answers. Finding them is a walk over
 * the buckets, so it is done once for several answers.
 */
#include "upstream/latency.h"

#include <string.h>

static unsigned bucket_of(uint64_t us)
{
    if (us >> LATENCY_LOW_BITS == 0) {
        return 0;
    }
    if (us >> LATENCY_HIGH_BITS != 0) {
        return LATENCY_BUCKETS - 1;
    }
    unsigned power = 63u - (unsigned)__builtin_clzll(us);
    unsigned sub = (unsigned)(us >> (power - LATENCY_SUB_BITS)) &
                   ((1u << LATENCY_SUB_BITS) - 1);
    return 1 + ((power - LATENCY_LOW_BITS) << LATENCY_SUB_BITS) + sub;
}

/* The longest time that falls into it; of the last one, where it begins. */
static uint32_t bucket_end_us(unsigned bucket)
{
    if (bucket == 0) {
        return (1u << LATENCY_LOW_BITS) - 1;
    }
    unsigned power = LATENCY_LOW_BITS + ((bucket - 1) >> LATENCY_SUB_BITS);
    unsigned sub = (bucket - 1) & ((1u << LATENCY_SUB_BITS) - 1);
    uint32_t width = 1u << (power - LATENCY_SUB_BITS);
    return (1u << power) + (sub + 1) * width - 1;
}

static void find_percentiles(struct latency *l)
{
    const uint32_t rank[] = {(l->total * 50 + 99) / 100,
                             (l->total * 95 + 99) / 100,
                             (l->total * 99 + 99) / 100};
    uint32_t *const out[] = {&l->p50_us, &l->p95_us, &l->p99_us};
    uint32_t seen = 0;
    unsigned next = 0;

    l->fresh = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS && next < 3; i++) {
        seen += l->buckets[i];
        while (next < 3 && seen >= rank[next]) {
            *out[next++] = bucket_end_us(i);
        }
    }
}

/* What is odd is carried on to the next bucket, so that single answers far
 * out do not all vanish. */
static void halve(struct latency *l)
{
    unsigned carry = 0;

    l->total = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        unsigned n = l->buckets[i] + carry;
        carry = n & 1;
        l->buckets[i] = (uint16_t)(n / 2);
        l->total += n / 2;
    }
}

static void average_add(struct latency *l, uint64_t us)
{
    if (l->average_us == 0) {
        l->average_us = us + 1;
        return;
    }
    l->average_us = l->average_us - l->average_us / 8 + us / 8;
    l->average_us += l->average_us == 0;
}

void latency_add(struct latency *l, uint64_t took_us)
{
    uint32_t every = l->total / 4;

    average_add(l, took_us);
    l->buckets[bucket_of(took_us)]++;
    l->total++;
    l->fresh++;
    if (l->total >= LATENCY_FULL) {
        halve(l);
    }
    every = every < LATENCY_EVERY_MAX ? every : LATENCY_EVERY_MAX;
    if (l->total >= LATENCY_ENOUGH && l->fresh >= every) {
        find_percentiles(l);
    }
}

void latency_doubt(struct latency *l)
{
    while (l->total >= LATENCY_ENOUGH) {
        halve(l);
    }
    l->p50_us = 0;
    l->p95_us = 0;
    l->p99_us = 0;
}
