/*
 * Reports and JSON. One table a struct names its members, and serves both
 * ways; assertions keep the tables as long as the structs.
 */
#include "admin/json_report.h"

#include "admin/json.h"
#include "base/err.h"
#include "base/histogram.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOLS_MAX = 1024, SERVERS_MAX = UPSTREAM_SERVERS_MAX };

enum kind { U64, U32, SIZE, FLAG, TEXT, CHARS };

struct field {
    const char *name;
    size_t at;
    enum kind kind;
    size_t len; /* of CHARS */
};

#define FIELD(type, member, kind) \
    { \
#        member, offsetof(struct type, member), (kind), 0 \
    }
#define NAMED(type, name, member, kind) \
    { \
        (name), offsetof(struct type, member), (kind), 0 \
    }
#define CHARS_FIELD(type, member) \
    { \
#        member, offsetof(struct type, member), CHARS, \
            sizeof(((struct type *)0)->member) \
    }

/* The struct is made of counters alone: so many, some of them in arrays or
 * structs with a table of their own. */
#define ASSERT_WHOLE(type, table, others) \
    _Static_assert(sizeof(struct type) == \
                       (COUNT_OF(table) + (others)) * sizeof(uint64_t), \
                   "each member of " #type " has a row")

static const struct field resolver_fields[] = {
#define R(member) FIELD(resolver_stats, member, U64)
    R(queries),      R(hits),        R(stale),         R(coalesced),
    R(followed),     R(refreshes),   R(not_recursive), R(rebindings),
    R(cookies_good), R(cookies_new), R(forwarded),     R(answered),
    R(timeouts),     R(failures),    R(refused),       R(cancelled),
    R(dropped),      R(formerr),     R(notimp),        R(badvers),
    R(meta),
#undef R
};
ASSERT_WHOLE(resolver_stats, resolver_fields, POLICY_RULES_TOTAL);

static const struct field listener_fields[] = {
#define L(member) FIELD(listener_stats, member, U64)
    L(udp_queries),
    L(udp_answers),
    L(udp_truncated),
    L(tcp_clients_accepted),
    L(tcp_clients_refused),
    L(tcp_clients_evicted),
    L(tcp_clients_idle_closed),
    L(tcp_clients_slow_closed),
    L(tcp_queries),
    L(tcp_answers),
    L(tcp_bad_frames),
    L(over_max_queries),
    L(tcp_paused),
#undef L
};
ASSERT_WHOLE(listener_stats, listener_fields,
             sizeof(struct guard_stats) / sizeof(uint64_t));

static const struct field guard_fields[] = {
#define G(member) FIELD(guard_stats, member, U64)
    G(not_allowed), G(over_rate), G(silent), G(answers_cut), G(answers_dropped),
#undef G
};
ASSERT_WHOLE(guard_stats, guard_fields, 0);

static const struct field cache_fields[] = {
#define C(member) FIELD(cache_stats, member, U64)
    C(entries), C(octets),    C(hits),      C(stale),
    C(misses),  C(refreshes), C(evictions),
#undef C
};
ASSERT_WHOLE(cache_stats, cache_fields, CACHE_OUTCOME_COUNT);

static const struct field policy_fields[] = {
#define P(member) FIELD(policy_counts, member, SIZE)
    P(local_names),
    P(denied_names),
    P(zones),
    P(memory_len),
#undef P
};
ASSERT_WHOLE(policy_counts, policy_fields, 0);

static const struct field pool_fields[] = {
    FIELD(admin_pool, zone, TEXT),
    FIELD(admin_pool, strategy, TEXT),
    NAMED(admin_pool, "plain", is_plain, FLAG),
};

static const struct field upstream_fields[] = {
#define U(member) FIELD(upstream_stats, member, U64)
    U(requests),      U(sent),       U(answers),    U(moved),
    U(extra),         U(hedged),     U(hedge_won),  U(hedge_denied),
    U(retried),       U(waited),     U(late),       U(dials),
    U(dial_failures), U(handshakes), U(resumed),    U(losses),
    U(closes),        U(suspects),   U(successors), U(protocol_errors),
    U(untrusted),     U(dropped),
#undef U
};
ASSERT_WHOLE(upstream_stats, upstream_fields, 0);

static const struct field server_fields[] = {
#define S(member, kind) FIELD(upstream_server_report, member, kind)
    CHARS_FIELD(upstream_server_report, label),
    S(state, TEXT),
    S(ready, U32),
    S(in_flight, U32),
    S(failures, U32),
    S(queries, U64),
    S(answers, U64),
    S(handshakes, U64),
    S(resumed, U64),
    S(p50_us, U32),
    S(p95_us, U32),
    S(p99_us, U32),
    S(average_us, U32),
    S(idle_limit_ms, U32),
    S(age_limit_ms, U32),
    S(query_limit, U32),
    S(tls_version, TEXT),
    S(tls_cipher, TEXT),
    CHARS_FIELD(upstream_server_report, why),
#undef S
};

static const struct field report_fields[] = {
#define A(member, kind) FIELD(admin_report, member, kind)
    A(version, TEXT),
    A(started_at_s, U64),
    A(uptime_ms, U64),
    A(workers, U32),
    NAMED(admin_report, "ready", is_ready, FLAG),
    NAMED(admin_report, "draining", is_draining, FLAG),
    A(tcp_clients, SIZE),
    A(pending, SIZE),
    A(cache_max, SIZE),
    A(dnstap_written, U64),
    A(dnstap_dropped, U64),
    A(reloads, U64),
    A(reloads_failed, U64),
    A(rss_len, U64),
    A(open_files, U32),
#undef A
};

/* Parts of a report that are objects of their own. */
static const struct group {
    const char *name;
    size_t at;
    const struct field *fields;
    size_t count;
} groups[] = {
#define PART(name, member, fields) \
    { \
        (name), offsetof(struct admin_report, member), (fields), \
            COUNT_OF(fields) \
    }
    PART("resolver", resolver, resolver_fields),
    PART("listener", listener, listener_fields),
    PART("guard", listener.guard, guard_fields),
    PART("cache", cache, cache_fields),
    PART("policy", policy, policy_fields),
#undef PART
};

/* ---- one member ---- */

static json_t *member_tree(const char *at, const struct field *f)
{
    const void *p = at + f->at;

    switch (f->kind) {
    case U64:
        return json_integer((json_int_t) * (const uint64_t *)p);
    case U32:
        return json_integer((json_int_t) * (const uint32_t *)p);
    case SIZE:
        return json_integer((json_int_t) * (const size_t *)p);
    case FLAG:
        return json_boolean(*(const bool *)p);
    case TEXT:
        return json_text(*(const char *const *)p);
    case CHARS:
        return json_text(p);
    }
    return NULL;
}

static void read_member(const json_t *o, const struct field *f, char *at)
{
    void *p = at + f->at;

    switch (f->kind) {
    case U64:
        *(uint64_t *)p = json_member_count(o, f->name);
        break;
    case U32:
        *(uint32_t *)p = (uint32_t)json_member_count(o, f->name);
        break;
    case SIZE:
        *(size_t *)p = (size_t)json_member_count(o, f->name);
        break;
    case FLAG:
        *(bool *)p = json_is_true(json_object_get(o, f->name));
        break;
    case TEXT:
        *(const char **)p = json_member_text(o, f->name);
        break;
    case CHARS:
        (void)snprintf(p, f->len, "%s", json_member_text(o, f->name));
        break;
    }
}

/* Add the members of the struct at `at` to o. Returns o, or NULL with o gone:
 * no memory. */
static json_t *add_members(json_t *o, const void *at, const struct field *f,
                           size_t count)
{
    for (size_t i = 0; i < count && o != NULL; i++) {
        if (json_object_set_new(o, f[i].name, member_tree(at, &f[i])) != 0) {
            json_decref(o);
            o = NULL;
        }
    }
    return o;
}

static void read_members(const json_t *o, const struct field *f, size_t count,
                         void *at)
{
    for (size_t i = 0; i < count; i++) {
        read_member(o, &f[i], at);
    }
}

/* ---- counters with names ---- */

typedef const char *name_fn(size_t i, char text[32]);

static const char *rule_name(size_t i, char text[32])
{
    (void)text;
    return policy_rule_name((enum policy_rule)i);
}

/* CACHE_KEPT_NEGATIVE is "kept_negative". */
static const char *outcome_name(size_t i, char text[32])
{
    static const char *const names[] = {
#define OUTCOME_NAME(name, text) #name,
        CACHE_OUTCOMES(OUTCOME_NAME)
#undef OUTCOME_NAME
    };
    const char *name = names[i] + strlen("CACHE_");
    size_t len = strlen(name);

    for (size_t k = 0; k <= len; k++) {
        text[k] = (char)tolower((unsigned char)name[k]);
    }
    return text;
}

static json_t *counters_tree(const uint64_t *values, size_t count,
                             name_fn *name)
{
    json_t *o = json_object();
    char text[32];

    for (size_t i = 0; i < count; i++) {
        (void)json_object_set_new(o, name(i, text),
                                  json_integer((json_int_t)values[i]));
    }
    return o;
}

static void read_counters(const json_t *o, name_fn *name, size_t count,
                          uint64_t *out)
{
    char text[32];

    for (size_t i = 0; i < count; i++) {
        out[i] = json_member_count(o, name(i, text));
    }
}

/* ---- histograms ---- */

static json_t *histogram_tree(const struct histogram *h)
{
    json_t *buckets = json_array();

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->buckets[i] > 0) {
            (void)json_array_append_new(
                buckets, json_pack("[I, I]", (json_int_t)histogram_upper(i),
                                   (json_int_t)h->buckets[i]));
        }
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "count",
                     (json_int_t)h->count, "sum_us", (json_int_t)h->sum,
                     "p50_us", (json_int_t)histogram_percentile(h, 500),
                     "p90_us", (json_int_t)histogram_percentile(h, 900),
                     "p95_us", (json_int_t)histogram_percentile(h, 950),
                     "p99_us", (json_int_t)histogram_percentile(h, 990),
                     "buckets", buckets);
}

static void read_histogram(const json_t *o, struct histogram *out)
{
    const json_t *buckets = json_object_get(o, "buckets");

    out->count = json_member_count(o, "count");
    out->sum = json_member_count(o, "sum_us");
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *pair = json_array_get(buckets, i);
        json_int_t upper = json_integer_value(json_array_get(pair, 0));
        json_int_t count = json_integer_value(json_array_get(pair, 1));
        if (upper > 0 && count > 0) {
            out->buckets[histogram_bucket((uint64_t)upper - 1)] +=
                (uint32_t)count;
        }
    }
}

/* ---- pools ---- */

static json_t *pool_tree(const struct admin_pool *p)
{
    json_t *o =
        add_members(json_object(), p, pool_fields, COUNT_OF(pool_fields));
    json_t *stats = add_members(json_object(), &p->stats, upstream_fields,
                                COUNT_OF(upstream_fields));
    json_t *servers = json_array();

    for (size_t i = 0; i < p->server_count; i++) {
        (void)json_array_append_new(
            servers, add_members(json_object(), &p->servers[i], server_fields,
                                 COUNT_OF(server_fields)));
    }
    (void)json_object_set_new(o, "stats", stats);
    (void)json_object_set_new(o, "servers", servers);
    return o;
}

/* At most max items of the member, an array; room for them in *out, zeroed. */
static int read_array(const json_t *o, const char *key, size_t max, size_t size,
                      size_t *count, void **out)
{
    size_t n = json_array_size(json_object_get(o, key));

    n = n > max ? max : n;
    *out = calloc(n > 0 ? n : 1, size);
    *count = *out == NULL ? 0 : n;
    return *out == NULL ? ERR_NOMEM : 0;
}

static int read_pool(const json_t *o, struct admin_pool *out)
{
    void *servers = NULL;
    int err = read_array(o, "servers", SERVERS_MAX, sizeof(*out->servers),
                         &out->server_count, &servers);

    out->servers = servers;
    read_members(o, pool_fields, COUNT_OF(pool_fields), out);
    read_members(json_object_get(o, "stats"), upstream_fields,
                 COUNT_OF(upstream_fields), &out->stats);
    for (size_t i = 0; i < out->server_count; i++) {
        read_members(json_array_get(json_object_get(o, "servers"), i),
                     server_fields, COUNT_OF(server_fields), &out->servers[i]);
    }
    return err;
}

static int read_pools(const json_t *o, struct admin_report *out)
{
    void *pools = NULL;
    int err = read_array(o, "pools", POOLS_MAX, sizeof(*out->pools),
                         &out->pool_count, &pools);

    out->pools = pools;
    for (size_t i = 0; i < out->pool_count && err == 0; i++) {
        err = read_pool(json_array_get(json_object_get(o, "pools"), i),
                        &out->pools[i]);
    }
    return err;
}

/* ---- the whole ---- */

static void add_groups(json_t *o, const struct admin_report *r)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        const struct group *g = &groups[i];
        (void)json_object_set_new(o, g->name,
                                  add_members(json_object(),
                                              (const char *)r + g->at,
                                              g->fields, g->count));
    }
    (void)json_object_set_new(
        json_object_get(o, "resolver"), "rules",
        counters_tree(r->resolver.rules, POLICY_RULES_TOTAL, rule_name));
    (void)json_object_set_new(
        json_object_get(o, "cache"), "outcomes",
        counters_tree(r->cache.outcomes, CACHE_OUTCOME_COUNT, outcome_name));
}

/* Memory that runs out leaves members out; Jansson takes NULL everywhere. */
json_t *json_report_tree(const struct admin_report *r)
{
    json_t *o =
        add_members(json_object(), r, report_fields, COUNT_OF(report_fields));
    json_t *pools = json_array();

    add_groups(o, r);
    (void)json_object_set_new(o, "latency", histogram_tree(&r->latency));
    for (size_t i = 0; i < r->pool_count; i++) {
        (void)json_array_append_new(pools, pool_tree(&r->pools[i]));
    }
    (void)json_object_set_new(o, "pools", pools);
    return o;
}

int json_report_write(const struct admin_report *r, struct buf *out)
{
    json_t *tree = json_report_tree(r);
    int err = tree == NULL ? ERR_NOMEM : json_write(tree, out);

    json_decref(tree);
    return err;
}

int json_report_read(struct span text, struct json_report *out)
{
    json_t *tree = json_read(text, NULL);
    struct admin_report *r = &out->report;

    *out = (struct json_report){.tree = tree};
    if (tree == NULL) {
        return ERR_INVAL;
    }
    read_members(tree, report_fields, COUNT_OF(report_fields), r);
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        read_members(json_object_get(tree, groups[i].name), groups[i].fields,
                     groups[i].count, (char *)r + groups[i].at);
    }
    read_counters(json_object_get(json_object_get(tree, "resolver"), "rules"),
                  rule_name, POLICY_RULES_TOTAL, r->resolver.rules);
    read_counters(json_object_get(json_object_get(tree, "cache"), "outcomes"),
                  outcome_name, CACHE_OUTCOME_COUNT, r->cache.outcomes);
    read_histogram(json_object_get(tree, "latency"), &r->latency);
    int err = read_pools(tree, r);
    if (err != 0) {
        json_report_finish(out);
    }
    return err;
}

void json_report_finish(struct json_report *r)
{
    for (size_t i = 0; i < r->report.pool_count; i++) {
        free(r->report.pools[i].servers);
    }
    free(r->report.pools);
    json_decref(r->tree);
    *r = (struct json_report){.tree = NULL};
}
