/*
 * How long a server takes to answer: a moving average, and percentiles of the
 * latest answers from a histogram whose buckets are a sixteenth of a power of
 * two wide. Old answers fade: when the histogram is full, all is halved.
 */
#ifndef UPSTREAM_LATENCY_H
#define UPSTREAM_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LATENCY_LOW_BITS = 7,   /* below 128 microseconds all is one … */
    LATENCY_HIGH_BITS = 26, /* … and from 67 s on */
    LATENCY_SUB_BITS = 4,
    LATENCY_BUCKETS =
        ((LATENCY_HIGH_BITS - LATENCY_LOW_BITS) << LATENCY_SUB_BITS) + 2,
    LATENCY_FULL = 1024,   /* then it is halved */
    LATENCY_ENOUGH = 16,   /* fewer give no percentiles */
    LATENCY_EVERY_MAX = 32 /* answers until the percentiles are found anew */
};

/* Zeroed memory knows nothing. */
struct latency {
    uint64_t average_us;             /* moving; 0: not known */
    uint32_t p50_us, p95_us, p99_us; /* upper ends of buckets; 0: not known */
    uint32_t total;                  /* in buckets */
    uint32_t fresh; /* answers since the percentiles were found */
    uint16_t buckets[LATENCY_BUCKETS];
};

/* Count an answer that took so long. */
void latency_add(struct latency *l, uint64_t took_us);

/* Make what is known count for less against what comes now: the path is
 * another one. The average stays until it is measured again. */
void latency_doubt(struct latency *l);

/* Are there percentiles? */
static inline bool latency_is_known(const struct latency *l)
{
    return l->p95_us != 0;
}

#endif
