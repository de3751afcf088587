/*
 * What the cache costs, without anything around it: nanoseconds a hit for hot
 * sets of three sizes, one at a time and looking ahead over a batch as a
 * listener does; nanoseconds a store, and octets of memory a name.
 *
 *     cache_bench [threads]
 *
 * Names are hit in random order, so that neither the processor's caches nor
 * its prefetchers see a pattern that DNS would not show them.
 */
#include "base/rng.h"
#include "cache/cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    HITS = 1 << 20, /* in a round */
    ROUNDS = 7,     /* the best of them counts: others use the machine too */
    THREADS_MAX = 16,
    MESSAGE_MAX = 128,
    BATCH = 32, /* questions at hand at one time, with looking ahead */
};

/* A question on the wire: n0000000.bench-names.net A, with another number. */
enum { DIGITS = 7, QUESTION_LEN = 30 };
static const uint8_t pattern[QUESTION_LEN + 1] =
    "\10n0000000\13bench-names\3net\0\0\1\0\1";

/* Made anew each time, as from a packet: an array of them would cost a miss
 * of the processor's caches that is not the cache's. */
static void make_question(unsigned n, uint8_t out[QUESTION_LEN])
{
    memcpy(out, pattern, QUESTION_LEN);
    for (unsigned i = DIGITS; i > 0; i--) {
        out[1 + i] = (uint8_t)('0' + n % 10);
        n /= 10;
    }
}

/* Of this thread's time on a processor. */
static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t resident_len(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%*u %zu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The answer of a server: one A record. */
static size_t make_answer(unsigned n, uint8_t out[MESSAGE_MAX])
{
    static const uint8_t head[] = {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                     14,   16, 0, 4, 192, 0, 2, 1};

    memcpy(out, head, sizeof(head));
    make_question(n, out + sizeof(head));
    memcpy(out + sizeof(head) + QUESTION_LEN, record, sizeof(record));
    return sizeof(head) + QUESTION_LEN + sizeof(record);
}

static void store(struct cache *c, unsigned n)
{
    uint8_t message[MESSAGE_MAX];
    size_t len = make_answer(n, message);
    struct dns_response r;

    if (dns_response_parse(span_of(message, len), &r) != 0 ||
        cache_store(c, &r.question, false, false, span_of(message, len), &r,
                    1000) != CACHE_KEPT) {
        (void)fprintf(stderr, "cache_bench: name %u was not kept\n", n);
        exit(1);
    }
}

struct hitting {
    struct cache *cache; /* NULL: do all but that */
    unsigned count;
    bool looks_ahead;
    struct rng rng;
    double ns;
};

/* Questions at hand. */
struct batch {
    uint8_t questions[BATCH][QUESTION_LEN];
    uint64_t hashes[BATCH]; /* 0: not looked for yet */
};

static void batch_make(struct batch *b, struct hitting *h)
{
    for (unsigned i = 0; i < BATCH; i++) {
        make_question(rng_below(&h->rng, h->count), b->questions[i]);
        b->hashes[i] = 0;
    }
    __asm__ volatile("" : : "r"(b) : "memory");
}

static void batch_look_ahead(struct batch *b, const struct cache *c)
{
    for (unsigned i = 0; i < BATCH; i++) {
        b->hashes[i] = cache_look_ahead(
            c, span_of(b->questions[i], QUESTION_LEN), false, false);
    }
    for (unsigned i = 0; i < BATCH; i++) {
        cache_look_ahead_more(c, b->hashes[i]);
    }
}

/* Returns the hits. */
static unsigned batch_answer(const struct batch *b, struct cache *c)
{
    const struct dns_extra extra = {.ede = DNS_EDE_NONE, .udp_size = 1232};
    uint8_t out[DNS_UDP_MIN];
    struct dns_asker a = {
        .question_len = QUESTION_LEN,
        .flags = DNS_FLAG_RD,
        .limit = 1232,
        .has_opt = true,
    };
    struct cache_ask ask = {.asker = &a, .extra = &extra, .now_ms = 2000};
    struct cache_hit got;
    unsigned found = 0;

    for (unsigned i = 0; i < BATCH; i++) {
        a.question = b->questions[i];
        ask.hash = b->hashes[i];
        found += cache_answer(c, &ask, out, sizeof(out), &got) > 0;
    }
    return found;
}

static double hit_round(struct hitting *h)
{
    uint64_t began_ns = now_ns();
    struct batch b;
    unsigned found = 0;

    for (unsigned i = 0; i < HITS; i += BATCH) {
        batch_make(&b, h);
        if (h->cache == NULL) {
            found += BATCH;
            continue;
        }
        if (h->looks_ahead) {
            batch_look_ahead(&b, h->cache);
        }
        found += batch_answer(&b, h->cache);
    }
    if (found != HITS) {
        (void)fprintf(stderr, "cache_bench: %u misses\n", HITS - found);
    }
    return (double)(now_ns() - began_ns) / HITS;
}

static void *hit(void *arg)
{
    struct hitting *h = arg;

    for (int round = 0; round < ROUNDS; round++) {
        double ns = hit_round(h);
        h->ns = round == 0 || ns < h->ns ? ns : h->ns;
    }
    return NULL;
}

static double hit_cost_ns(struct cache *c, unsigned count, unsigned threads,
                          bool looks_ahead)
{
    pthread_t ids[THREADS_MAX];
    struct hitting h[THREADS_MAX];
    double sum = 0;

    for (unsigned i = 0; i < threads; i++) {
        h[i] = (struct hitting){
            .cache = c, .count = count, .looks_ahead = looks_ahead};
        rng_seed(&h[i].rng, i);
        if (pthread_create(&ids[i], NULL, hit, &h[i]) != 0) {
            exit(1);
        }
    }
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
        sum += h[i].ns;
    }
    return sum / threads;
}

static void measure(unsigned count, unsigned threads)
{
    const struct cache_options options = {
        .max_len = (size_t)256 << 20,
        .hash_key = "sixteen octets!",
        .max_ttl_s = 86400,
        .max_negative_ttl_s = 3600,
        .failure_ttl_s = 5,
        .stale_s = 86400,
    };
    struct cache_stats stats;
    struct cache *c;
    size_t before = resident_len();
    uint64_t began_ns = now_ns();
    double store_ns, hit_ns, ahead_ns, other_ns, taken;

    if (cache_create(&options, &c) != 0) {
        exit(1);
    }
    for (unsigned i = 0; i < count; i++) {
        store(c, i);
    }
    store_ns = (double)(now_ns() - began_ns) / count;
    taken = (double)(resident_len() - before);
    other_ns = hit_cost_ns(NULL, count, 1, false);
    hit_ns = hit_cost_ns(c, count, threads, false) - other_ns;
    ahead_ns = hit_cost_ns(c, count, threads, true) - other_ns;
    cache_stats(c, &stats);
    printf("%8u names: %6.1f ns a hit, looking ahead %6.1f; %6.1f ns a store; "
           "octets a name: %.1f by RSS, %.1f by own count\n",
           count, hit_ns, ahead_ns, store_ns, taken / count,
           (double)stats.octets / count);
    cache_release(c);
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {1000, 100000, 1000000};
    unsigned long threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;

    if (threads == 0 || threads > THREADS_MAX) {
        (void)fprintf(stderr, "usage: cache_bench [threads]\n");
        return 64;
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        measure(counts[i], (unsigned)threads);
    }
    return 0;
}
