/*
 * The test bed of upstream and resolver.
 */
#include "bed.h"

#include "base/err.h"
#include "dns/build.h"
#include "dns/frame.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEED = 20,
    HANG_S = 60, /* a loop without end must not hang the suite */
    SETTLE_MS = 20
};

int bed_setup(void **state)
{
    struct bed *b = sim_alloc(sizeof(*b));

    alarm(HANG_S);
    log_setup(LOG_ERROR, LOG_TEXT);
    b->world = sim_world_create(SEED);
    assert_int_equal(net_loop_create(&b->loop), 0);
    assert_int_equal(net_loop_create(&b->peers_loop), 0);
    char why[64];
    assert_int_equal(tls_trust_load(NULL, NULL, &b->trust, why, sizeof(why)),
                     0);
    b->config = (struct config){
        .pool.servers = b->entries,
        .pool.strategy = CONFIG_FAILOVER,
        .pool.race_width = 2,
        .query_timeout_ms = 4000,
        .connect_timeout_ms = 2000,
        .answer_timeout_ms = 1500,
        .retry_min_ms = 250,
        .retry_max_ms = 30000,
        .connections_per_server = 2,
        .queries_per_connection = 1024,
        .padding_block = 128,
        .warm_for_ms = 600000,
        .max_udp_size = 1232,
        .tcp_idle_timeout_ms = 10000,
    };
    *state = b;
    return 0;
}

void bed_stop(struct bed *b)
{
    assert_int_equal(upstream_pool_pending(b->pool), 0);
    upstream_pool_destroy(b->pool);
    b->pool = NULL;
    assert_int_equal(sim_loop_open_count(b->loop), 0);
    assert_int_equal(wheel_next_ms(&b->loop->wheel), UINT64_MAX);
    assert_true(list_is_empty(&b->loop->deferred));
}

/* Requests of a test that failed may be on its stack, which is gone: nothing
 * but the world, of which there is one, can be cleaned up. */
static int abandon(struct bed *b)
{
    sim_world_destroy(b->world);
    fail_msg("a request is left over");
    return -1;
}

int bed_teardown(void **state)
{
    struct bed *b = *state;

    if (b->pool != NULL && upstream_pool_pending(b->pool) > 0) {
        return abandon(b);
    }
    if (b->pool != NULL) {
        bed_stop(b);
    }
    tls_trust_release(b->trust);
    for (unsigned i = 0; i < b->config.pool.server_count; i++) {
        sim_server_destroy(b->servers[i]);
        peer_destroy(b->peers[i]);
    }
    net_loop_destroy(b->loop);
    net_loop_destroy(b->peers_loop);
    sim_world_destroy(b->world);
    free(b);
    return 0;
}

struct bed *bed_renew(void **state, const char *title)
{
    print_message("# %s\n", title);
    (void)bed_teardown(state);
    (void)bed_setup(state);
    return *state;
}

/* ---- servers ---- */

static unsigned add_entry(struct bed *b)
{
    unsigned n = (unsigned)b->config.pool.server_count++;
    struct config_server *e = &b->entries[n];

    assert_true(n < BED_SERVERS_MAX);
    snprintf(b->names[n], BED_LABEL_LEN, "s%u.example", n);
    snprintf(b->labels[n], BED_LABEL_LEN, "192.0.2.%u:853#s%u.example", n + 1,
             n);
    *e = (struct config_server){
        .label = b->labels[n],
        .name = b->names[n],
        .addr = {.ip = {192, 0, 2, (uint8_t)(n + 1)}, .family = 4, .port = 853},
        .weight = 1,
    };
    return n;
}

struct sim_server *bed_add_server(struct bed *b)
{
    unsigned n = add_entry(b);

    b->servers[n] =
        sim_server_create(b->peers_loop, &b->entries[n].addr, b->names[n]);
    return b->servers[n];
}

struct sim_server *bed_add_far_server(struct bed *b)
{
    struct sim_server *s = bed_add_server(b);

    sim_link_delay(bed_link(b, (unsigned)b->config.pool.server_count - 1),
                   BED_PATH_US, 0);
    return s;
}

struct peer *bed_add_peer(struct bed *b)
{
    unsigned n = add_entry(b);

    b->peers[n] = peer_create(b->peers_loop, &b->entries[n].addr, b->names[n]);
    return b->peers[n];
}

void bed_add_nobody(struct bed *b)
{
    (void)add_entry(b);
}

void bed_refuse(struct bed *b, unsigned n, unsigned rcode)
{
    b->servers[n]->manners.refused = 100;
    b->servers[n]->manners.rcode = rcode;
}

size_t bed_conn_count(const struct bed *b, unsigned n)
{
    size_t count = 0;

    if (b->servers[n] != NULL) {
        LIST_EACH (node, &b->servers[n]->conns) {
            count++;
        }
    }
    return count;
}

struct sim_link *bed_link(struct bed *b, unsigned n)
{
    return sim_link(b->world, &b->entries[n].addr);
}

/* ---- time ---- */

void bed_run_us(struct bed *b, uint64_t us)
{
    sim_world_run_until(b->world, b->world->now_us + us);
}

void bed_run_ms(struct bed *b, uint64_t ms)
{
    bed_run_us(b, ms * 1000);
}

struct job {
    void (*fn)(void *arg);
    void *arg;
    bool is_done;
};

static void on_job(void *arg)
{
    struct job *job = arg;

    job->fn(job->arg);
    job->is_done = true;
}

void bed_do(struct bed *b, void (*fn)(void *arg), void *arg)
{
    struct job job = {fn, arg, false};

    assert_int_equal(net_loop_post(b->loop, on_job, &job), 0);
    while (!job.is_done) {
        assert_true(sim_world_step(b->world));
    }
}

/* ---- the pool ---- */

static void start_now(void *arg)
{
    struct bed *b = arg;

    assert_int_equal(upstream_pool_create(b->loop, &b->config, &b->config.pool,
                                          b->trust, &b->pool),
                     0);
}

void bed_start(struct bed *b)
{
    bed_do(b, start_now, b);
}

void bed_start_ready(struct bed *b)
{
    bed_start(b);
    bed_run_ms(b, SETTLE_MS);
}

/* ---- requests ---- */

static void on_done(struct upstream_request *req,
                    const struct upstream_result *result)
{
    struct ask *a = CONTAINER_OF(req, struct ask, req);

    a->done++;
    a->done_us = a->bed->world->now_us;
    a->err = result->err;
    if (result->err == 0) {
        a->rcode = result->response.rcode;
        a->answer_count = result->response.answer_count;
    }
}

static void prepare(struct bed *b, struct ask *a, int kind, uint64_t number)
{
    uint8_t query[BED_FRAME_MAX];
    struct dns_query parsed;

    memset(a, 0, sizeof(*a));
    a->bed = b;
    size_t len = zone_query(0, kind, number, DNS_TYPE_A, 0, query);
    struct span message = span_of(query, len);
    assert_int_equal(dns_query_parse(message, &parsed), DNS_QUERY_OK);
    const struct dns_upstream_options options = {.pad_block = 128,
                                                 .has_keepalive = true};
    int out = dns_build_upstream(message, &parsed, &options,
                                 a->frame + DNS_FRAME_HEAD,
                                 sizeof(a->frame) - DNS_FRAME_HEAD);
    assert_true(out > 0);
    dns_put16(a->frame, (unsigned)out);
    a->req.frame = a->frame;
    a->req.frame_len = DNS_FRAME_HEAD + (uint32_t)out;
    a->req.question = parsed.question;
    a->req.question.name = a->frame + DNS_FRAME_HEAD + DNS_HEADER_LEN;
    a->req.on_done = on_done;
}

struct batch {
    struct ask *asks;
    size_t count;
};

static void ask_now(void *arg)
{
    const struct batch *batch = arg;

    for (size_t i = 0; i < batch->count; i++) {
        struct ask *a = &batch->asks[i];
        a->asked_us = a->bed->world->now_us;
        upstream_ask(a->bed->pool, &a->req);
        assert_int_equal(a->done, 0); /* never from inside the call */
    }
}

void bed_ask_kind(struct bed *b, struct ask *a, int kind, uint64_t number)
{
    struct batch batch = {a, 1};

    prepare(b, a, kind, number);
    bed_do(b, ask_now, &batch);
}

void bed_ask(struct bed *b, struct ask *a, uint64_t number)
{
    bed_ask_kind(b, a, ZONE_PLAIN, number);
}

void bed_ask_many(struct bed *b, struct ask *asks, size_t count)
{
    struct batch batch = {asks, count};

    for (size_t i = 0; i < count; i++) {
        prepare(b, &asks[i], ZONE_PLAIN, i);
    }
    bed_do(b, ask_now, &batch);
}

static void cancel_now(void *arg)
{
    struct ask *a = arg;

    upstream_cancel(&a->req);
}

void bed_cancel(struct bed *b, struct ask *a)
{
    bed_do(b, cancel_now, a);
}

static void give_up_now(void *arg)
{
    struct ask *a = arg;

    upstream_give_up(&a->req);
    assert_int_equal(a->done, 1); /* from inside the call */
}

void bed_give_up(struct bed *b, struct ask *a)
{
    bed_do(b, give_up_now, a);
}

void bed_ask_killers(struct bed *b, struct ask *a, unsigned count)
{
    b->config.pool.strategy = CONFIG_ROUND_ROBIN;
    b->config.retry_min_ms = 5000;
    b->config.connections_per_server = 1;
    for (unsigned i = 0; i < count; i++) {
        bed_add_peer(b)->manner = PEER_HANG_UP;
        sim_link_delay(bed_link(b, i), 1000, 0);
    }
    bed_start(b);
    bed_ask(b, a, 1);
}

bool bed_wait(struct bed *b, const struct ask *a, uint64_t limit_ms)
{
    uint64_t until_us = b->world->now_us + limit_ms * 1000;

    while (a->done == 0 && b->world->now_us < until_us &&
           sim_world_step(b->world)) {
    }
    return a->done > 0;
}

unsigned bed_ask_in_turn(struct bed *b, unsigned count, uint64_t limit_ms)
{
    unsigned good = 0;

    for (unsigned i = 0; i < count; i++) {
        struct ask a;
        bed_ask(b, &a, 1000 + i);
        if (!bed_wait(b, &a, limit_ms)) {
            bed_cancel(b, &a);
            continue;
        }
        good += a.err == 0 && a.rcode == DNS_RCODE_NOERROR;
    }
    return good;
}

unsigned bed_ask_for(struct bed *b, uint64_t ms, uint64_t gap_ms)
{
    unsigned slow = 0;

    for (uint64_t i = 0; i < ms; i += gap_ms) {
        struct ask a;
        bed_ask(b, &a, b->world->now_us);
        uint64_t next_us = b->world->now_us + gap_ms * 1000;
        assert_true(bed_wait(b, &a, 1000));
        assert_answered(&a, DNS_RCODE_NOERROR);
        slow += ask_took_ms(&a) > 2 * BED_PATH_US / 1000 + 2;
        if (next_us > b->world->now_us) {
            bed_run_us(b, next_us - b->world->now_us);
        }
    }
    return slow;
}
