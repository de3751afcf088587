/*
 * Prometheus' text: the right numbers under the right names, and nothing that
 * its readers refuse.
 */
#include "admin/metrics.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The text, with a NUL; finish it. */
static const char *text_of(const struct admin_report *r, struct http_text *out)
{
    http_text_init(out);
    metrics_write(r, out);
    http_text_append(out, span_of("", 1));
    assert_int_equal(out->err, 0);
    return (const char *)buf_span(&out->buf).ptr;
}

static void has_line(const char *text, const char *line)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("no line '%s'", line);
    }
}

static void numbers_are_under_their_names(void **state)
{
    struct made_report m;
    struct http_text out;

    (void)state;
    make_report(&m);
    m.report.listener.udp_queries = 7;
    m.report.listener.tcp_queries = UINT64_MAX;
    m.report.resolver.rules[POLICY_DENIED] = 3;
    m.pools[1].stats.handshakes = 10;
    m.pools[1].stats.resumed = 4;
    m.report.rss_len = 4096;
    const char *text = text_of(&m.report, &out);
    has_line(text, "dotstub_queries_total{transport=\"udp\"} 7");
    has_line(text,
             "dotstub_queries_total{transport=\"tcp\"} 18446744073709551615");
    has_line(text, "dotstub_rule_answers_total{rule=\"denied\"} 3");
    has_line(text, "dotstub_upstream_handshakes_total{zone=\"corp.example.\","
                   "result=\"full\"} 6");
    has_line(text, "dotstub_upstream_handshakes_total{zone=\"corp.example.\","
                   "result=\"resumed\"} 4");
    has_line(text, "dotstub_server_connections{zone=\".\","
                   "server=\"192.0.2.1:853#a.example\"} 2");
    has_line(text, "dotstub_server_latency_seconds{zone=\".\",server=\"192.0.2."
                   "1:853#a.example\",percentile=\"50\"} 0.012345");
    has_line(text, "dotstub_server_state{zone=\".\",server=\"192.0.2.2:853#b."
                   "example\",state=\"down\"} 1");
    has_line(text, "dotstub_server_state{zone=\".\",server=\"192.0.2.2:853#b."
                   "example\",state=\"up\"} 0");
    has_line(text, "dotstub_build_info{version=\"1.2.3\"} 1");
    has_line(text, "process_resident_memory_bytes 4096");
    has_line(text, "process_start_time_seconds 1700000000");
    http_text_finish(&out);
}

static void buckets_add_up(void **state)
{
    struct made_report m;
    struct http_text out;

    (void)state;
    make_report(&m);
    histogram_add(&m.report.latency, 1);
    histogram_add(&m.report.latency, 127);
    histogram_add(&m.report.latency, 128);
    histogram_add(&m.report.latency, 1500);
    histogram_add(&m.report.latency, 60 * 1000 * 1000);
    const char *text = text_of(&m.report, &out);
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"0.000128\"} 2");
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"0.000256\"} 3");
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"0.001024\"} 3");
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"0.002048\"} 4");
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"4.194304\"} 4");
    has_line(text, "dotstub_query_duration_seconds_bucket{le=\"+Inf\"} 5");
    has_line(text, "dotstub_query_duration_seconds_count 5");
    has_line(text, "dotstub_query_duration_seconds_sum 60.001756");
    http_text_finish(&out);
}

/* A label may come from a file that somebody else wrote. */
static void labels_stay_labels(void **state)
{
    struct made_report m;
    struct http_text out;

    (void)state;
    make_report(&m);
    m.pools[0].zone = "a\"} 1\nevil 2\\";
    make_server(&m.servers[0], "caf\xc3\xa9\t", "up");
    const char *text = text_of(&m.report, &out);
    assert_null(strstr(text, "\nevil"));
    has_line(text, "dotstub_server_connections{zone=\"a\\\"} 1?evil 2\\\\\","
                   "server=\"caf???\"} 0");
    http_text_finish(&out);
}

/* A series must not come twice, or the whole page is refused. */
static void same_label_comes_once(void **state)
{
    struct made_report m;
    struct http_text out;

    (void)state;
    make_report(&m);
    make_server(&m.servers[1], m.servers[0].label, "down");
    const char *text = text_of(&m.report, &out);
    const char *first = strstr(text, "dotstub_server_connections{");
    assert_non_null(first);
    const char *second = strstr(first + 1, "dotstub_server_connections{");
    assert_non_null(second);
    assert_null(strstr(second + 1, "dotstub_server_connections{"));
    http_text_finish(&out);
}

static void no_pools(void **state)
{
    struct admin_report empty = {.version = ""};
    struct http_text out;

    (void)state;
    has_line(text_of(&empty, &out), "dotstub_ready 0");
    http_text_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_under_their_names),
        cmocka_unit_test(buckets_add_up),
        cmocka_unit_test(labels_stay_labels),
        cmocka_unit_test(same_label_comes_once),
        cmocka_unit_test(no_pools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
