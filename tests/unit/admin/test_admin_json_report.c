/*
 * Reports as JSON: nothing is lost on the way, and what is missing or of
 * another kind does no harm.
 */
#include "admin/json_report.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Each counter another value. */
static void count_up(void *counters, size_t len, uint64_t first)
{
    uint64_t *p = counters;

    for (size_t i = 0; i < len / sizeof(*p); i++) {
        p[i] = first + i;
    }
}

static void fill(struct admin_report *r, struct admin_pool *pool,
                 struct upstream_server_report *server)
{
    *r = (struct admin_report){.version = "1.2.3",
                               .started_at_s = 5,
                               .uptime_ms = 6,
                               .workers = 2,
                               .is_ready = true,
                               .tcp_clients = 7,
                               .pending = 8,
                               .cache_max = 9,
                               .policy = {1, 2, 3, 4},
                               .pools = pool,
                               .pool_count = 1,
                               .reloads = 10,
                               .reloads_failed = 11,
                               .rss_len = 12,
                               .open_files = 13};
    count_up(&r->resolver, sizeof(r->resolver), 100);
    count_up(&r->listener, sizeof(r->listener), 200);
    count_up(&r->cache, sizeof(r->cache), 300);
    histogram_add(&r->latency, 0);
    histogram_add(&r->latency, 1234);
    histogram_add(&r->latency, UINT64_C(1) << 40);
    *server = (struct upstream_server_report){.label = "192.0.2.1:853#x",
                                              .state = "up",
                                              .ready = 1,
                                              .in_flight = 2,
                                              .failures = 3,
                                              .queries = UINT64_C(1) << 40,
                                              .p50_us = 4,
                                              .p99_us = 5,
                                              .tls_version = "TLSv1.3",
                                              .tls_cipher = "c",
                                              .why = "b\x01\xff"};
    *pool = (struct admin_pool){.zone = ".",
                                .strategy = "race",
                                .is_plain = true,
                                .servers = server,
                                .server_count = 1};
    count_up(&pool->stats, sizeof(pool->stats), 400);
}

static void survives_the_way(void **state)
{
    struct admin_report in;
    struct admin_pool pool;
    struct upstream_server_report server;
    struct json_report out;
    struct buf text;

    (void)state;
    fill(&in, &pool, &server);
    buf_init(&text, 1 << 20);
    assert_int_equal(json_report_write(&in, &text), 0);
    assert_null(memchr(text.data, '\n', buf_len(&text)));
    assert_int_equal(json_report_read(buf_span(&text), &out), 0);
    buf_finish(&text);

    const struct admin_report *r = &out.report;
    assert_string_equal(r->version, "1.2.3");
    assert_true(r->is_ready);
    assert_false(r->is_draining);
    assert_memory_equal(&r->resolver, &in.resolver, sizeof(in.resolver));
    assert_memory_equal(&r->listener, &in.listener, sizeof(in.listener));
    assert_memory_equal(&r->cache, &in.cache, sizeof(in.cache));
    assert_memory_equal(&r->policy, &in.policy, sizeof(in.policy));
    assert_memory_equal(&r->latency, &in.latency, sizeof(in.latency));
    assert_int_equal(r->open_files, 13);
    assert_int_equal(r->rss_len, 12);
    assert_int_equal(r->reloads_failed, 11);
    assert_int_equal(r->pool_count, 1);
    assert_string_equal(r->pools[0].strategy, "race");
    assert_true(r->pools[0].is_plain);
    assert_memory_equal(&r->pools[0].stats, &pool.stats, sizeof(pool.stats));
    const struct upstream_server_report *s = &r->pools[0].servers[0];
    assert_string_equal(s->label, server.label);
    assert_string_equal(s->tls_version, "TLSv1.3");
    assert_true(s->queries == server.queries);
    assert_int_equal(s->p99_us, 5);
    assert_string_equal(s->why, "b\x01?"); /* no octet that is not UTF-8 */
    json_report_finish(&out);
    json_report_finish(&out);
}

static void strange_reports(void **state)
{
    static const char *const cases[] = {
        "{}",
        "{\"version\":5,\"resolver\":[],\"latency\":7,\"pools\":{}}",
        "{\"pools\":[1,{\"servers\":[null,{}]}],\"workers\":-1}",
        ("{\"latency\":{\"buckets\":[[],[0,1],[1],[-5,-5],[1e99,1],"
         "[9223372036854775807,9223372036854775807]]}}"),
        "{\"resolver\":{\"rules\":{\"local\":\"x\"}},\"uptime_ms\":1e300}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_report r;

        assert_int_equal(
            json_report_read(span_of(cases[i], strlen(cases[i])), &r), 0);
        assert_string_equal(r.report.version, "");
        assert_int_equal(r.report.workers, 0);
        assert_int_equal(r.report.resolver.queries, 0);
        for (size_t k = 0; k < r.report.pool_count; k++) {
            assert_string_equal(r.report.pools[k].zone, "");
        }
        json_report_finish(&r);
    }
}

static void not_reports(void **state)
{
    static const char *const cases[] = {"", "[]", "1", "{", "{}}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_report r;

        assert_int_equal(
            json_report_read(span_of(cases[i], strlen(cases[i])), &r),
            ERR_INVAL);
        json_report_finish(&r);
    }
}

static void too_long_for_its_buffer(void **state)
{
    struct admin_report in;
    struct admin_pool pool;
    struct upstream_server_report server;
    struct buf text;

    (void)state;
    fill(&in, &pool, &server);
    buf_init(&text, 100);
    assert_int_equal(json_report_write(&in, &text), ERR_LIMIT);
    assert_int_equal(buf_len(&text), 0);
    buf_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_the_way),
        cmocka_unit_test(strange_reports),
        cmocka_unit_test(not_reports),
        cmocka_unit_test(too_long_for_its_buffer),
    };

    return cmocka_run_group_tests_name("admin_json_report", tests, NULL, NULL);
}
