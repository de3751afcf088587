/*
 * A growing byte queue. Invariant: head <= tail <= cap <= max; when the queue
 * runs empty both ends return to the front, so that a queue that is drained
 * now and then never moves its content.
 */
#include "base/buf.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAP = 256 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_finish(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

/* The capacity to allocate for need octets: doubled, but within the bound. */
static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap == 0 ? BUF_FIRST_CAP : b->cap;

    while (cap < need && cap <= b->max / 2) {
        cap *= 2;
    }
    if (cap < need || cap > b->max) {
        cap = b->max;
    }
    return cap;
}

static void move_to_front(struct buf *b)
{
    size_t len = buf_len(b);

    if (b->head > 0 && len > 0) {
        memmove(b->data, b->data + b->head, len);
    }
    b->head = 0;
    b->tail = len;
}

/* Make room for len octets behind tail: 0 | ERR_LIMIT | ERR_NOMEM. */
static int make_room(struct buf *b, size_t len)
{
    size_t need;

    if (b->data != NULL && b->cap - b->tail >= len) {
        return 0;
    }
    if (len > b->max - buf_len(b)) {
        return ERR_LIMIT;
    }
    need = buf_len(b) + len;
    /* Moving is cheaper than growing only while little is left to move:
     * otherwise a nearly full queue would be moved on each append. */
    if (b->data == NULL || need > b->cap ||
        (buf_len(b) > b->cap / 2 && b->cap < b->max)) {
        size_t cap = grown_cap(b, need > b->cap ? need : b->cap + 1);
        uint8_t *data = malloc(cap == 0 ? 1 : cap);

        if (data == NULL) {
            return ERR_NOMEM;
        }
        if (b->data != NULL) {
            memcpy(data, b->data + b->head, buf_len(b));
        }
        free(b->data);
        b->data = data;
        b->cap = cap;
        b->tail = buf_len(b);
        b->head = 0;
    } else {
        move_to_front(b);
    }
    return 0;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    return make_room(b, len) == 0 ? b->data + b->tail : NULL;
}

int buf_append(struct buf *b, struct span s)
{
    int err;

    if (s.len == 0) {
        return 0;
    }
    err = make_room(b, s.len);
    if (err != 0) {
        return err;
    }
    memcpy(b->data + b->tail, s.ptr, s.len);
    b->tail += s.len;
    return 0;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->head += len;
    if (b->head == b->tail) {
        buf_clear(b);
    }
}

void buf_shrink(struct buf *b, size_t keep)
{
    if (buf_len(b) == 0 && b->cap > keep) {
        buf_finish(b);
    }
}
