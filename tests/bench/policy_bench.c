/*
 * What the policy costs, without anything around it: nanoseconds a name when
 * nothing is configured and with a list of a million denied names, and what
 * reading that list takes.
 *
 *     policy_bench
 *
 * Names come in random order, so that the table of denied names is read where
 * the processor's caches do not have it.
 */
#include "base/rng.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    DENIED = 1000000,
    NAMES = 1 << 18, /* in a round */
    ROUNDS = 9,      /* the best of them counts: others use the machine too */
    DIGITS = 7,
    NAME_LEN = 34,
};

/* www.n0000000.bench-names.example */
static const uint8_t pattern[NAME_LEN + 1] =
    "\3www\10n0000000\13bench-names\7example";

static const uint8_t hash_key[16] = {1, 2, 3};

static void put_number(uint8_t *digits, unsigned n)
{
    for (unsigned i = DIGITS; i > 0; i--) {
        digits[i - 1] = (uint8_t)('0' + n % 10);
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

static long peak_kib(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Half of the names that are asked for. */
static void write_list(FILE *file)
{
    for (unsigned i = 0; i < DENIED; i++) {
        (void)fprintf(file, "n%07u.bench-names.example\n", i);
    }
}

static struct policy *make_policy(char *list)
{
    struct policy_options o = {
        .local_ttl_s = 60,
        .deny_lists = &list,
        .deny_list_count = list == NULL ? 0 : 1,
    };
    char why[256] = "";
    struct policy *p;

    if (policy_create(&o, NULL, 0, hash_key, true, &p, why, sizeof(why)) != 0) {
        (void)fprintf(stderr, "policy_bench: %s\n", why);
        exit(1);
    }
    return p;
}

/* Nanoseconds a round of names takes, made or (p NULL) only written. */
static uint64_t round_ns(const struct policy *p, struct rng *r,
                         unsigned *denied)
{
    uint64_t begin = now_ns();

    for (unsigned i = 0; i < NAMES; i++) {
        uint8_t name[NAME_LEN];
        struct dns_question q = {name, NAME_LEN, DNS_TYPE_A, DNS_CLASS_IN};
        struct policy_verdict v = {.rule = POLICY_NONE};

        memcpy(name, pattern, NAME_LEN);
        put_number(name + 6, rng_below(r, 2 * DENIED));
        if (p != NULL) {
            policy_judge(p, &q, &v);
        }
        *denied += v.rule == POLICY_DENIED ? 1 : name[12] == 'x';
    }
    return now_ns() - begin;
}

static double best_ns(const struct policy *p, unsigned *denied)
{
    uint64_t best = UINT64_MAX;
    struct rng r;

    rng_seed(&r, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t ns = round_ns(p, &r, denied);

        best = ns < best ? ns : best;
    }
    return (double)best / NAMES;
}

static void report(const char *title, char *list)
{
    uint64_t begin = now_ns();
    long before_kib = peak_kib();
    struct policy *p = make_policy(list);
    uint64_t made_ns = now_ns() - begin;
    long peak = peak_kib() - before_kib;
    unsigned denied = 0;
    double empty_ns = best_ns(NULL, &denied);
    double ns = best_ns(p, &denied) - empty_ns;
    struct policy_counts counts;

    policy_counts(p, &counts);
    (void)printf("%-22s %7.0f ns a name, made in %4.0f ms, %6.1f MiB, "
                 "%6.1f MiB at the most (%u denied)\n",
                 title, ns, (double)made_ns / 1e6,
                 (double)counts.memory_len / (1 << 20), (double)peak / 1024,
                 denied);
    policy_release(p);
}

int main(void)
{
    char path[] = "/tmp/policy_bench_XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        perror(path);
        return 1;
    }
    write_list(file);
    (void)fclose(file);
    report("nothing configured", NULL);
    report("a million names denied", path);
    (void)unlink(path);
    return 0;
}
