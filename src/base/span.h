/*
 * A borrowed run of octets. Passing one by value never takes ownership.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;         /* octets */
};

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/* The part of s from offset on; empty when offset is at or past the end. */
static inline struct span span_from(struct span s, size_t offset)
{
    if (offset >= s.len) {
        return (struct span){NULL, 0};
    }
    return (struct span){s.ptr + offset, s.len - offset};
}

#endif
