/*
 * Queues of segments. Room is made before it is needed, one whole segment at a
 * time: its entries are dropped, or moved to the end of the main queue. One
 * empty segment is always held back for those that move, so that this cannot
 * fail half-way.
 */
#include "cache/shard.h"

#include "base/err.h"

#include <assert.h>
#include <string.h>

enum {
    SMALL_PERCENT = 10,
    GHOST_SHARE = 32, /* of the quota, one part in so many is for ghosts */
    ROUNDS_MAX = 8    /* segments of the main queue that are emptied with regard
                          to their entries' hits, before one is without */
};

static struct cache_segment *segment_of(const struct cache_shard *s, int32_t n)
{
    return &s->arena->segments[n];
}

/* ---- segments ---- */

static void list_push(struct cache_shard *s, int32_t *first, int32_t n)
{
    segment_of(s, n)->next = *first;
    *first = n;
}

/* Segments that can be had without emptying one. */
static int32_t segments_available(const struct cache_shard *s)
{
    return s->free_count + s->quota - s->taken;
}

static int32_t segment_take(struct cache_shard *s)
{
    int32_t n = s->free_first;

    assert(segments_available(s) > 0);
    if (n == CACHE_SEGMENT_NONE) {
        s->taken++;
        return cache_arena_take(s->arena, 1);
    }
    s->free_first = segment_of(s, n)->next;
    s->free_count--;
    s->free_touched -= s->free_touched > 0 ? 1 : 0;
    return n;
}

static void segment_give(struct cache_shard *s, int32_t n)
{
    list_push(s, &s->free_first, n);
    s->free_count++;
    s->free_touched++;
}

static uint32_t queue_room(const struct cache_shard *s,
                           const struct cache_queue *q)
{
    return q->last == CACHE_SEGMENT_NONE ? 0 : s->arena->segment_len - q->used;
}

/* Begin a segment at the end of the queue. */
static void queue_extend(struct cache_shard *s, struct cache_queue *q)
{
    int32_t n = segment_take(s);

    segment_of(s, n)->next = CACHE_SEGMENT_NONE;
    if (q->last == CACHE_SEGMENT_NONE) {
        q->first = n;
    } else {
        segment_of(s, q->last)->used = q->used;
        segment_of(s, q->last)->next = n;
    }
    q->last = n;
    q->used = 0;
    q->count++;
}

/* Take the oldest segment out of the queue. */
static int32_t queue_shift(struct cache_shard *s, struct cache_queue *q)
{
    int32_t n = q->first;

    segment_of(s, q->last)->used = q->used;
    q->first = segment_of(s, n)->next;
    q->count--;
    if (q->first == CACHE_SEGMENT_NONE) {
        q->last = CACHE_SEGMENT_NONE;
        q->used = 0;
    }
    return n;
}

/* The next len octets of the queue's last segment, which has as many. */
static struct cache_entry *queue_carve(struct cache_shard *s,
                                       struct cache_queue *q, size_t len)
{
    uint8_t *p = cache_arena_at(s->arena, q->last) + q->used;

    assert(len <= queue_room(s, q));
    q->used += (uint32_t)len;
    return (struct cache_entry *)(void *)p;
}

/* ---- ghosts ---- */

static uint16_t ghost_of(uint32_t hash)
{
    return (uint16_t)(hash >> 16 | 1); /* 0: nobody's */
}

static void ghost_put(struct cache_shard *s, uint32_t hash)
{
    s->ghosts[hash & s->ghost_mask] = ghost_of(hash);
}

/* Was it dropped lately? Then it is forgotten that it was. */
static bool ghost_take(struct cache_shard *s, uint32_t hash)
{
    uint16_t *ghost = &s->ghosts[hash & s->ghost_mask];

    if (*ghost != ghost_of(hash)) {
        return false;
    }
    *ghost = 0;
    return true;
}

/* ---- making room ---- */

void cache_shard_remove(struct cache_shard *s, struct cache_entry *e)
{
    cache_index_remove(&s->index, e->hash, cache_arena_ref(s->arena, e));
    e->bits |= CACHE_ENTRY_DEAD;
    s->stats.entries--;
}

/* Move an entry to the end of the main queue. */
static void entry_move(struct cache_shard *s, const struct cache_entry *e)
{
    struct cache_queue *q = &s->queues[CACHE_MAIN];
    size_t room = cache_entry_room(cache_entry_len(e));
    struct cache_entry *to;

    if (queue_room(s, q) < room) {
        queue_extend(s, q);
    }
    to = queue_carve(s, q, room);
    memcpy(to, e, cache_entry_len(e));
    to->units = (uint16_t)(room / CACHE_UNIT);
    to->hits = (e->bits & CACHE_ENTRY_MAIN) != 0 ? e->hits - 1 : 0;
    to->bits |= CACHE_ENTRY_MAIN;
    cache_index_move(&s->index, e->hash, cache_arena_ref(s->arena, e),
                     cache_arena_ref(s->arena, to));
}

static bool entry_is_useful(const struct cache_shard *s,
                            const struct cache_entry *e, uint64_t now_ms)
{
    uint64_t keep_ms = cache_entry_is_failure(e) ? 0 : s->keep_ms;

    return e->hits > 0 &&
           cache_entry_age_ms(e, now_ms) < e->ttl_s * 1000ull + keep_ms;
}

static void segment_empty(struct cache_shard *s, int32_t n, uint64_t now_ms,
                          bool may_move)
{
    uint8_t *p = cache_arena_at(s->arena, n);
    const uint8_t *end = p + segment_of(s, n)->used;

    while (p < end) {
        struct cache_entry *e = (struct cache_entry *)(void *)p;

        p += (size_t)e->units * CACHE_UNIT;
        if ((e->bits & CACHE_ENTRY_DEAD) != 0) {
            continue;
        }
        if (may_move && entry_is_useful(s, e, now_ms)) {
            entry_move(s, e);
            continue;
        }
        if ((e->bits & CACHE_ENTRY_MAIN) == 0) {
            ghost_put(s, e->hash);
        }
        cache_shard_remove(s, e);
        s->stats.evictions++;
    }
    segment_give(s, n);
}

/* The queue whose turn it is to lose a segment. */
static struct cache_queue *queue_to_shorten(struct cache_shard *s)
{
    struct cache_queue *small = &s->queues[CACHE_SMALL];
    struct cache_queue *main = &s->queues[CACHE_MAIN];

    if (small->count > s->small_target || main->count == 0) {
        return small;
    }
    return main;
}

/* See to it that a segment can be taken, and one is left after that. */
static void room_make(struct cache_shard *s, uint64_t now_ms)
{
    int rounds = 0;

    while (segments_available(s) < 2) {
        struct cache_queue *q = queue_to_shorten(s);

        assert(q->count > 0);
        rounds += q == &s->queues[CACHE_MAIN] ? 1 : 0;
        segment_empty(s, queue_shift(s, q), now_ms, rounds <= ROUNDS_MAX);
    }
}

/* Room for an entry at the end of a queue. */
static struct cache_entry *queue_append(struct cache_shard *s, int which,
                                        size_t len, uint64_t now_ms)
{
    struct cache_queue *q = &s->queues[which];

    if (queue_room(s, q) < len) {
        room_make(s, now_ms);
        if (queue_room(s, q) < len) { /* entries that moved may have made it */
            queue_extend(s, q);
        }
    }
    return queue_carve(s, q, len);
}

/* ---- pages of the index ---- */

static uint32_t pages_per_segment(const struct cache_shard *s)
{
    return s->arena->segment_len / CACHE_PAGE_LEN;
}

/* Another segment for pages. Returns false when the index has its share. */
static bool index_extend(struct cache_shard *s, uint64_t now_ms)
{
    int32_t n = s->index_idle;

    if (n != CACHE_SEGMENT_NONE) {
        s->index_idle = segment_of(s, n)->next;
    } else {
        if (s->index_count >= s->quota / 3) {
            return false;
        }
        room_make(s, now_ms);
        n = segment_take(s);
    }
    list_push(s, &s->index_first, n);
    s->index_count++;
    s->page_next = 0;
    return true;
}

/* A page; NULL when the index has its share of the memory. */
static void *page_take(struct cache_shard *s, uint64_t now_ms)
{
    void *page = s->page_spare;

    if (page != NULL) {
        s->page_spare = NULL;
        return page;
    }
    if (s->page_next == pages_per_segment(s) && !index_extend(s, now_ms)) {
        return NULL;
    }
    page = cache_arena_at(s->arena, s->index_first) +
           (size_t)s->page_next * CACHE_PAGE_LEN;
    s->page_next++;
    return page;
}

/* Room in the index for one more. Returns 0 | ERR_NOMEM. */
static int index_make_room(struct cache_shard *s, uint32_t hash,
                           uint64_t now_ms)
{
    while (!cache_index_has_room(&s->index, hash)) {
        void *page = page_take(s, now_ms);

        if (page == NULL) {
            return ERR_NOMEM;
        }
        /* Taking it may have dropped entries: that may be enough. */
        if (cache_index_has_room(&s->index, hash) ||
            cache_index_split(&s->index, hash, page) != 0) {
            s->page_spare = page;
            return cache_index_has_room(&s->index, hash) ? 0 : ERR_NOMEM;
        }
    }
    return 0;
}

/* ---- the door ---- */

static void entry_begin(struct cache_entry *e, const struct cache_key *k,
                        uint8_t bits)
{
    e->hash = (uint32_t)k->hash;
    e->name_len = (uint8_t)(k->len - 4);
    e->key_bits = k->bits;
    e->bits = bits;
    e->hits = 0;
}

int cache_shard_put(struct cache_shard *s, const struct cache_key *k,
                    struct cache_entry *old, size_t len, bool is_proven,
                    uint64_t now_ms, struct cache_entry **out)
{
    uint32_t hash = (uint32_t)k->hash;
    size_t room = cache_entry_room(len);
    struct cache_entry *e = old;

    if (room > s->arena->segment_len) {
        return ERR_LIMIT;
    }
    if (old != NULL && room <= (size_t)old->units * CACHE_UNIT) {
        uint8_t hits = old->hits;
        entry_begin(e, k, old->bits & CACHE_ENTRY_MAIN);
        e->hits = hits;
        *out = e;
        return 0;
    }
    if (old != NULL) {
        is_proven |= (old->bits & CACHE_ENTRY_MAIN) != 0 || old->hits > 0;
        cache_shard_remove(s, old);
    }
    is_proven |= ghost_take(s, hash);
    if (index_make_room(s, hash, now_ms) != 0) {
        return ERR_NOMEM;
    }
    e = queue_append(s, is_proven ? CACHE_MAIN : CACHE_SMALL, room, now_ms);
    entry_begin(e, k, is_proven ? CACHE_ENTRY_MAIN : 0);
    e->units = (uint16_t)(room / CACHE_UNIT);
    cache_index_put(&s->index, hash, cache_arena_ref(s->arena, e));
    s->stats.entries++;
    *out = e;
    return 0;
}

static void segment_walk(struct cache_shard *s, int32_t n, uint32_t used,
                         cache_entry_fn *fn, void *arg)
{
    uint8_t *p = cache_arena_at(s->arena, n);
    const uint8_t *end = p + used;

    while (p < end) {
        struct cache_entry *e = (struct cache_entry *)(void *)p;

        p += (size_t)e->units * CACHE_UNIT;
        if ((e->bits & CACHE_ENTRY_DEAD) == 0) {
            fn(arg, s, e);
        }
    }
}

void cache_shard_walk(struct cache_shard *s, cache_entry_fn *fn, void *arg)
{
    for (int which = CACHE_QUEUES - 1; which >= 0; which--) {
        const struct cache_queue *q = &s->queues[which];

        for (int32_t n = q->first; n != CACHE_SEGMENT_NONE;
             n = segment_of(s, n)->next) {
            segment_walk(s, n, n == q->last ? q->used : segment_of(s, n)->used,
                         fn, arg);
        }
    }
}

/* Move a list of segments to the free ones. */
static void list_give(struct cache_shard *s, int32_t n)
{
    while (n != CACHE_SEGMENT_NONE) {
        int32_t next = segment_of(s, n)->next;

        cache_arena_clear(s->arena, n);
        segment_give(s, n);
        s->free_touched--;
        n = next;
    }
}

/* Pages of the index stay its own: somebody may be looking at them. */
static void index_retire(struct cache_shard *s)
{
    while (s->index_first != CACHE_SEGMENT_NONE) {
        int32_t n = s->index_first;

        s->index_first = segment_of(s, n)->next;
        cache_arena_clear(s->arena, n);
        list_push(s, &s->index_idle, n);
    }
    s->index_count = 0;
    s->page_next = pages_per_segment(s); /* none left */
    s->page_spare = NULL;
}

static void queues_begin(struct cache_shard *s)
{
    for (int which = 0; which < CACHE_QUEUES; which++) {
        s->queues[which] = (struct cache_queue){.first = CACHE_SEGMENT_NONE,
                                                .last = CACHE_SEGMENT_NONE};
    }
}

void cache_shard_clear(struct cache_shard *s)
{
    int32_t lists[] = {s->queues[CACHE_SMALL].first,
                       s->queues[CACHE_MAIN].first};

    queues_begin(s);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        list_give(s, lists[i]);
    }
    index_retire(s);
    s->stats.entries = 0;
    cache_index_reset(&s->index, page_take(s, 0));
}

/* A power of two of slots in the first segments of the shard. */
static void ghosts_init(struct cache_shard *s)
{
    int32_t count = 1;
    int32_t first;
    size_t slots;

    while (count * 2 <= s->quota / GHOST_SHARE) {
        count *= 2;
    }
    first = cache_arena_take(s->arena, count);
    s->taken += count;
    s->ghosts = (uint16_t *)(void *)cache_arena_at(s->arena, first);
    slots = (size_t)count * s->arena->segment_len / sizeof(*s->ghosts);
    s->ghost_mask = (uint32_t)(slots - 1);
}

int cache_shard_init(struct cache_shard *s, struct cache_arena *arena,
                     int32_t quota, uint64_t keep_ms)
{
    int err;

    assert(quota >= CACHE_QUOTA_MIN);
    *s = (struct cache_shard){
        .arena = arena,
        .quota = quota,
        .free_first = CACHE_SEGMENT_NONE,
        .index_first = CACHE_SEGMENT_NONE,
        .index_idle = CACHE_SEGMENT_NONE,
        .small_target = quota * SMALL_PERCENT / 100,
        .keep_ms = keep_ms,
    };
    if (s->small_target == 0) {
        s->small_target = 1;
    }
    queues_begin(s);
    index_retire(s);
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        return ERR_NOMEM;
    }
    ghosts_init(s);
    err = cache_index_init(&s->index, arena, page_take(s, 0));
    if (err != 0) {
        (void)pthread_mutex_destroy(&s->lock);
    }
    return err;
}

void cache_shard_finish(struct cache_shard *s)
{
    cache_index_finish(&s->index);
    (void)pthread_mutex_destroy(&s->lock);
}

size_t cache_shard_octets(const struct cache_shard *s)
{
    size_t segment_len = s->arena->segment_len;
    size_t len = (size_t)s->free_touched * segment_len;

    for (int which = 0; which < CACHE_QUEUES; which++) {
        const struct cache_queue *q = &s->queues[which];
        len +=
            q->count == 0 ? 0 : (size_t)(q->count - 1) * segment_len + q->used;
    }
    len += (size_t)(s->index_count - 1) * segment_len +
           (size_t)s->page_next * CACHE_PAGE_LEN + cache_index_len(&s->index);
    if (s->stats.evictions > 0) {
        len += ((size_t)s->ghost_mask + 1) * sizeof(*s->ghosts);
    }
    return len;
}
