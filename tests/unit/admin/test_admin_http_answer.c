/*
 * Answers without a connection: whose name is believed, what is not there.
 */
#include "admin/http_answer.h"
#include "admin/page.h"
#include "base/err.h"
#include "report.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
    static const struct {
        const char *host;
        bool is_ours;
    } cases[] = {
        {"127.0.0.1", true},
        {"192.0.2.1:9053", true},
        {"[::1]", true},
        {"[2001:db8::1]:9053", true},
        {"localhost", true},
        {"LocalHost:80", true},
        {"localhost.", true},
        {"dotstub.monitoring.svc.cluster.local:9053", true},
        {"box.home.arpa", true},
        {"ns1.example.net:9053", true}, /* this machine */
        {"NS1.example.net.", true},
        {"ns1.example.net.evil.example", false},
        {"evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"localhost.evil.example", false},
        {"evil.example:9053", false},
        {"[evil.example]", false},
        {"[::1].evil.example", false},
        {"[::1", false},
        {"127.0.0.1:9053:1", false},
        {"127.0.0.1:x", false},
        {"", false},
        {":9053", false},
        {".lan", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (http_host_is_ours(cases[i].host, "ns1.example.net") !=
            cases[i].is_ours) {
            fail_msg("'%s' should%s be ours", cases[i].host,
                     cases[i].is_ours ? "" : " not");
        }
    }
}

/* None of these looks at the source. */
static void refused_without_a_report(void **state)
{
    static const struct {
        struct http_request request;
        unsigned status;
    } cases[] = {
        {{"POST", "/metrics", NULL}, 405},
        {{"get", "/metrics", NULL}, 405},
        {{"GET", "/metrics", "evil.example"}, 403},
        {{"GET", "/metric", NULL}, 404},
        {{"GET", "", "localhost"}, 404},
        {{"HEAD", "/metrics/", NULL}, 404},
    };
    struct http_answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        http_answer_make(&cases[i].request, NULL, "", &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_true(buf_len(&answer.body.buf) > 0);
        http_text_finish(&answer.body);
    }
}

static void page_shows_words_as_words(void **state)
{
    struct made_report m;
    struct http_text out;

    (void)state;
    make_report(&m);
    strcpy(m.servers[1].why, "<script>alert('&\"')</script>");
    http_text_init(&out);
    page_write(&m.report, &out);
    http_text_append(&out, span_of("", 1));
    const char *text = (const char *)buf_span(&out.buf).ptr;
    assert_int_equal(out.err, 0);
    assert_non_null(strstr(
        text, "<td>&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"));
    assert_null(strstr(text, "alert('"));
    assert_null(strstr(text, "@p"));
    assert_non_null(strstr(page_csp(), "script-src 'sha256-"));
    http_text_finish(&out);
}

/* ---- with a source ---- */

struct fake {
    struct net_loop *loop;
    struct http_source *source;
    struct made_report made;
    bool hangs;
    int err;
    unsigned asked;
};

static int gather(void *arg, admin_report_fn *fn, void *fn_arg)
{
    struct fake *f = arg;

    f->asked++;
    if (f->err == 0 && !f->hangs) {
        fn(fn_arg, &f->made.report);
    }
    return f->err;
}

/* In the other thread: as long as there is something to ask. */
static void *ask(void *arg)
{
    static const struct http_request requests[] = {
        {"GET", "/healthz", NULL},
        {"GET", "/readyz", "localhost"},
        {"GET", "/metrics", NULL},
        {"GET", "/", NULL},
        {"GET", "/api/history.json", NULL}};
    static unsigned status[5];
    struct fake *f = arg;

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct http_answer answer;
        http_answer_make(&requests[i], f->source, "", &answer);
        status[i] = answer.body.err == 0 ? answer.status : 0;
        http_text_finish(&answer.body);
    }
    net_loop_stop(f->loop);
    return status;
}

static const unsigned *ask_all(struct fake *f)
{
    const struct admin_hooks hooks = {.arg = f, .gather = gather};
    pthread_t thread;
    void *status;

    make_report(&f->made);
    assert_int_equal(net_loop_create(&f->loop), 0);
    assert_int_equal(http_source_create(f->loop, &hooks, &f->source), 0);
    assert_int_equal(pthread_create(&thread, NULL, ask, f), 0);
    net_loop_run(f->loop);
    assert_int_equal(pthread_join(thread, &status), 0);
    http_source_destroy(f->source);
    net_loop_destroy(f->loop);
    return status;
}

/* A machine that stands still lets a report grow too old to be told: then it
 * is tried again. */
static void answers_of_a_report(void **state)
{
    unsigned good = 0;

    (void)state;
    for (int attempt = 0; good < 5 && attempt < 10; attempt++) {
        struct fake f = {.asked = 0};
        const unsigned *status = ask_all(&f);
        good = 0;
        for (size_t i = 0; i < 5; i++) {
            good += status[i] == 200;
        }
        assert_in_range(f.asked, 1, 5); /* one report may do for all */
    }
    assert_int_equal(good, 5);
}

/* What does not answer is waited for once, not again by each request. */
static void loop_that_hangs(void **state)
{
    struct fake f = {.hangs = true};

    (void)state;
    const unsigned *status = ask_all(&f);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(status[i], 503);
    }
    assert_int_equal(f.asked, 1);
}

static void no_memory_for_a_report(void **state)
{
    struct fake f = {.err = ERR_NOMEM};

    (void)state;
    const unsigned *status = ask_all(&f);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(status[i], 503);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(refused_without_a_report),
        cmocka_unit_test(page_shows_words_as_words),
        cmocka_unit_test(answers_of_a_report),
        cmocka_unit_test(loop_that_hangs),
        cmocka_unit_test(no_memory_for_a_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
