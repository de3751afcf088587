/*
 * The last hour: what a step had, the ring, the places of servers, the JSON.
 */
#include "admin/history.h"
#include "admin/history_json.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct history h;
static struct made_report m;
static uint64_t wall_s;

static int set_up(void **state)
{
    (void)state;
    history_init(&h);
    make_report(&m);
    wall_s = 1700000000;
    return 0;
}

static void step(void)
{
    m.report.uptime_ms += HISTORY_STEP_MS;
    history_add(&h, &m.report, wall_s += 10);
}

static void first_report_is_the_base(void **state)
{
    (void)state;
    m.report.listener.udp_queries = 1000;
    history_add(&h, &m.report, wall_s);
    assert_int_equal(h.count, 0);
    m.report.listener.udp_queries += 5;
    m.report.listener.tcp_queries += 2;
    m.report.resolver.hits += 4;
    m.report.resolver.rules[POLICY_DENIED] += 1;
    m.report.resolver.rules[POLICY_NONE] += 9;
    m.report.resolver.timeouts += 1;
    histogram_add(&m.report.latency, 2000);
    step();
    assert_int_equal(h.count, 1);
    const struct history_sample *s = history_at(&h, 0);
    assert_int_equal(s->step_ms, HISTORY_STEP_MS);
    assert_int_equal(s->queries, 7);
    assert_int_equal(s->fresh, 4);
    assert_int_equal(s->local, 1);
    assert_int_equal(s->failures, 1);
    assert_in_range(s->p50_us, 2000, 2250);
    assert_int_equal(
        s->states[history_place(&h, ".", "192.0.2.2:853#b.example")], 'd');
    step(); /* nothing since */
    assert_int_equal(history_at(&h, 1)->queries, 0);
    assert_int_equal(history_at(&h, 1)->p50_us, 0);
}

/* A worker's part may be missing in one report. */
static void counters_that_go_back_count_as_nothing(void **state)
{
    (void)state;
    m.report.listener.udp_queries = 1000;
    history_add(&h, &m.report, wall_s);
    m.report.listener.udp_queries = 10;
    step();
    assert_int_equal(history_at(&h, 0)->queries, 0);
    m.report.uptime_ms -= 1; /* no step at all */
    history_add(&h, &m.report, wall_s);
    assert_int_equal(h.count, 1);
}

static void ring_forgets_the_oldest(void **state)
{
    (void)state;
    history_add(&h, &m.report, wall_s);
    for (int i = 1; i <= HISTORY_SAMPLES + 10; i++) {
        m.report.listener.udp_queries += (unsigned)i;
        step();
    }
    assert_int_equal(h.count, HISTORY_SAMPLES);
    for (size_t i = 0; i < h.count; i++) {
        assert_int_equal(history_at(&h, i)->queries, 11 + i);
    }
}

static void places_are_used_again_when_forgotten(void **state)
{
    char label[32];

    (void)state;
    history_add(&h, &m.report, wall_s);
    m.pools[0].server_count = 1;
    m.report.pool_count = 1;
    for (int i = 0; i < HISTORY_SERVERS + 1; i++) {
        snprintf(label, sizeof(label), "server %d", i);
        make_server(&m.servers[0], label, "up");
        step();
    }
    assert_int_equal(h.server_count, HISTORY_SERVERS);
    assert_int_equal(history_place(&h, ".", label), HISTORY_SERVERS);
    assert_int_equal(history_place(&h, ".", "server 0"), 0);
    for (int i = 0; i <= HISTORY_SAMPLES - HISTORY_SERVERS; i++) {
        step();
    }
    assert_int_equal(history_place(&h, ".", label), 0);
    assert_int_equal(history_place(&h, ".", "server 0"), HISTORY_SERVERS);
    assert_int_equal(history_place(&h, "x.", label), HISTORY_SERVERS);
}

static const char *json(struct http_text *out)
{
    http_text_init(out);
    history_json_write(&m.report, &h, wall_s, out);
    http_text_append(out, span_of("", 1));
    assert_int_equal(out->err, 0);
    return (const char *)buf_span(&out->buf).ptr;
}

static void has(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        fail_msg("no %s in %s", part, text);
    }
}

static void json_has_columns(void **state)
{
    struct http_text out;

    (void)state;
    has(json(&out), "\"history\":{\"at\":[],\"qps\":[],");
    http_text_finish(&out);
    history_add(&h, &m.report, wall_s);
    m.report.listener.udp_queries += 15;
    m.report.resolver.hits += 5;
    step();
    m.report.uptime_ms += 500; /* too short to be told */
    has(json(&out), "\"at\":[1700000010],\"qps\":[1.5],\"failures_per_s\":[0],"
                    "\"hit_percent\":[33.333],\"p50_ms\":[null],");
    http_text_finish(&out);
    m.report.uptime_ms += 500;
    wall_s++;
    const char *text = json(&out);
    has(text, "\"at\":[1700000010,1700000011],\"qps\":[1.5,0],");
    has(text, "\"hit_percent\":[33.333,null],");
    has(text, "\"server\":\"192.0.2.1:853#a.example\",\"state\":\"up\"");
    has(text, "\"states\":\"dd\"");
    has(text, "\"p50_ms\":12.345,");
    http_text_finish(&out);
}

static void json_strings_stay_strings(void **state)
{
    struct http_text out;

    (void)state;
    strcpy(m.servers[0].why, "a \"b\" \\ </script>\n\x80");
    has(json(&out), "\"why\":\"a \\\"b\\\" \\\\ </script>??\"");
    http_text_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_report_is_the_base, set_up),
        cmocka_unit_test_setup(counters_that_go_back_count_as_nothing, set_up),
        cmocka_unit_test_setup(ring_forgets_the_oldest, set_up),
        cmocka_unit_test_setup(places_are_used_again_when_forgotten, set_up),
        cmocka_unit_test_setup(json_has_columns, set_up),
        cmocka_unit_test_setup(json_strings_stay_strings, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
