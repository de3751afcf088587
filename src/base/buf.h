/*
 * A growing byte queue: octets are appended at the tail and consumed from the
 * head. Memory grows by doubling up to a bound, is kept while in use, and can
 * be given back with buf_shrink(). Never reads past what was appended.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* owned; NULL while nothing was appended */
    size_t head;   /* first octet not consumed */
    size_t tail;   /* one past the last octet appended */
    size_t cap;    /* octets allocated */
    size_t max;    /* cap never grows past this */
};

/* An empty buffer of at most max octets. Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Free the memory; b is empty afterwards and may be used again. */
void buf_finish(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

/* What is in the buffer; valid until the next call that is not const. */
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->data == NULL ? NULL : b->data + b->head,
                         b->tail - b->head};
}

/*
 * Make room for len more octets and return where they go, without adding
 * them: write, then buf_commit(). Content may move. NULL: out of memory, or
 * the bound would be passed.
 */
MUST_USE uint8_t *buf_reserve(struct buf *b, size_t len);

/* Count len octets, written where buf_reserve() pointed, as appended. */
static inline void buf_commit(struct buf *b, size_t len)
{
    b->tail += len;
}

/* Append a copy. Returns 0 | ERR_LIMIT (bound) | ERR_NOMEM; then unchanged. */
MUST_USE int buf_append(struct buf *b, struct span s);

/* Drop len octets from the head; len at most buf_len(). */
void buf_consume(struct buf *b, size_t len);

/* Drop everything, keep the memory. */
static inline void buf_clear(struct buf *b)
{
    b->head = 0;
    b->tail = 0;
}

/* Give memory above keep octets back, when the buffer is empty. */
void buf_shrink(struct buf *b, size_t keep);

#endif
