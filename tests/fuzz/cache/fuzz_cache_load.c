/*
 * A saved cache. The input is taken as a stream as it is; and as the records
 * of a stream whose hashes are right, cut into chunks of so many octets as its
 * first octet says. What was loaded must survive being saved and loaded again.
 */
#include "cache/cache.h"

#include "../require.h"

#include <string.h>

enum {
    HEADER_LEN = 32,
    CHUNK_HEAD_LEN = 16,
    INPUT_MAX = 1 << 16,
    STREAM_MAX = 1 << 20,
    NOW_MS = 100000,
    WALL_S = 5000
};

static const struct cache_options options = {
    .max_len = 1 << 20,
    .shards = 2,
    .hash_key = "sixteen octets!",
    .max_ttl_s = 1000,
    .max_negative_ttl_s = 100,
    .failure_ttl_s = 5,
    .stale_s = 1000,
};

struct stream {
    uint8_t octets[STREAM_MAX];
    size_t len;
};

static struct stream made, saved;

static void put64(uint8_t *p, uint64_t value)
{
    dns_put32(p, (uint32_t)(value >> 32));
    dns_put32(p + 4, (uint32_t)value);
}

static uint64_t hash_of(uint64_t n, const uint8_t *octets, size_t len)
{
    uint8_t key[SIPHASH_KEY_LEN];

    put64(key, n);
    put64(key + 8, len);
    return siphash(key, octets, len);
}

static void put_header(struct stream *s)
{
    memcpy(s->octets, "dotstub\0\0\0\0\2\0\0\0\0", 16);
    put64(s->octets + 16, WALL_S);
    put64(s->octets + 24, hash_of(0, s->octets, 24));
    s->len = HEADER_LEN;
}

static void put_chunk(struct stream *s, uint64_t n, const uint8_t *octets,
                      size_t len)
{
    uint8_t *p = s->octets + s->len;

    dns_put32(p, (uint32_t)len);
    dns_put32(p + 4, 0);
    put64(p + 8, hash_of(n, octets, len));
    if (len > 0) {
        memcpy(p + CHUNK_HEAD_LEN, octets, len);
    }
    s->len += CHUNK_HEAD_LEN + len;
}

static void make_stream(const uint8_t *octets, size_t len, size_t chunk_len)
{
    uint64_t n = 1;

    put_header(&made);
    while (len > 0) {
        size_t part = len < chunk_len ? len : chunk_len;
        put_chunk(&made, n++, octets, part);
        octets += part;
        len -= part;
    }
    put_chunk(&made, n, octets, 0);
}

static int sink(void *arg, struct span octets)
{
    struct stream *s = arg;

    REQUIRE(octets.len <= sizeof(s->octets) - s->len);
    memcpy(s->octets + s->len, octets.ptr, octets.len);
    s->len += octets.len;
    return 0;
}

static int source(void *arg, uint64_t at, uint8_t *out, size_t cap)
{
    const struct span *s = arg;
    size_t len = s->len - at < cap ? s->len - at : cap;

    REQUIRE(at <= s->len);
    if (len > 0) {
        memcpy(out, s->ptr + at, len);
    }
    return (int)len;
}

static int load(struct cache *c, const uint8_t *octets, size_t len,
                size_t *count)
{
    struct span stream = span_of(octets, len);

    return cache_load(c, source, &stream, WALL_S, NOW_MS, count);
}

static void save_and_load_again(struct cache *c, struct cache *other)
{
    struct cache_stats before, after;
    size_t count;

    saved.len = 0;
    REQUIRE(cache_save(c, WALL_S, NOW_MS, sink, &saved) == 0);
    cache_stats(c, &before);
    REQUIRE(load(other, saved.octets, saved.len, &count) == 0);
    cache_stats(other, &after);
    REQUIRE(count == before.entries);
    REQUIRE(after.entries == before.entries || after.evictions > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct cache *c, *other;
    size_t count;

    if (len == 0 || len > INPUT_MAX) {
        return 0;
    }
    REQUIRE(cache_create(&options, &c) == 0);
    REQUIRE(cache_create(&options, &other) == 0);
    (void)load(c, octets, len, NULL);
    make_stream(octets + 1, len - 1,
                octets[0] == 0 ? INPUT_MAX : 16 + (size_t)octets[0]);
    REQUIRE(load(c, made.octets, made.len, &count) == 0);
    save_and_load_again(c, other);
    cache_release(c);
    cache_release(other);
    return 0;
}
