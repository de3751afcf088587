/*
 * Lists of denied names: what a line means, the table, a million names.
 */
#include "fixture.h"

#include "base/err.h"
#include "dns/name.h"
#include "policy/deny.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sip key;

static bool holds(const struct deny *d, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_from_text(text, strlen(text), name);
    struct names_walk w;

    assert_true(len > 0);
    names_walk_init(&w, &key, name, (size_t)len);
    return deny_holds(d, &w);
}

static int add_line(struct deny *d, const char *line)
{
    return deny_line(d, &key, span_of(line, strlen(line)));
}

static const struct line_case {
    const char *line;
    int want;
    size_t count;     /* names added */
    const char *name; /* NULL, or denied */
} line_cases[] = {
    {"", 0, 0, NULL},
    {"# comment", 0, 0, NULL},
    {"! comment", 0, 0, NULL},
    {"[Adblock Plus 2.0]", 0, 0, NULL},
    {"ads.example", 0, 1, "ads.example"},
    {"ads.example.", 0, 1, "ads.example"},
    {"ADS.Example # why", 0, 1, "ads.example"},
    {"zip", 0, 1, "a.zip"},
    {"xn--mller-kva.example", 0, 1, "xn--mller-kva.example"},
    {"_x.example", 0, 1, "_x.example"},
    {"*.ads.example", 0, 1, "ads.example"},
    {"||ads.example^", 0, 1, "ads.example"},
    {"0.0.0.0 ads.example", 0, 1, "ads.example"},
    {"127.0.0.1\tads.example tracker.example # x", 0, 2, "tracker.example"},
    {"127.0.1.1 ads.example", 0, 1, "ads.example"},
    {":: ads.example", 0, 1, "ads.example"},
    {"::1 ads.example", 0, 1, "ads.example"},
    {"127.0.0.1 localhost", 0, 0, NULL},
    {"127.0.0.1 LOCALHOST localhost.localdomain local", 0, 0, NULL},
    {"255.255.255.255 broadcasthost", 0, 0, NULL},
    {"::1 ip6-localhost ip6-loopback", 0, 0, NULL},
    {"fe80::1%lo0 localhost", 0, 0, NULL},
    {"ff00::0 ip6-mcastprefix", 0, 0, NULL},
    {"0.0.0.0 0.0.0.0", 0, 0, NULL},
    /* not understood */
    {".", ERR_INVAL, 0, NULL},
    {"*", ERR_INVAL, 0, NULL},
    {"*.", ERR_INVAL, 0, NULL},
    {"||^", ERR_INVAL, 0, NULL},
    {"0.0.0.0", ERR_INVAL, 0, NULL},
    {"192.0.2.1 ads.example", ERR_INVAL, 0, NULL},
    {"::2 ads.example", ERR_INVAL, 0, NULL},
    {"192.0.2.1 localhost ads.example", ERR_INVAL, 0, NULL},
    {"ads.example tracker.example", ERR_INVAL, 0, NULL},
    {"||ads.example^$third-party", ERR_INVAL, 0, NULL},
    {"||ads.example^ x", ERR_INVAL, 0, NULL},
    {"@@||ads.example^", ERR_INVAL, 0, NULL},
    {"||ads.example/path^", ERR_INVAL, 0, NULL},
    {"ads.*.example", ERR_INVAL, 0, NULL},
    {"example.com##.ad", ERR_INVAL, 0, NULL},
    {"http://ads.example/", ERR_INVAL, 0, NULL},
    {"a..example", ERR_INVAL, 0, NULL},
    {"0.0.0.0 a..example ads.example", ERR_INVAL, 1, "ads.example"},
};

static void lines_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(line_cases) / sizeof(*line_cases); i++) {
        const struct line_case *c = &line_cases[i];
        struct deny d = {0};
        int err = add_line(&d, c->line);

        if (err != c->want || d.count != c->count ||
            (c->name != NULL && !holds(&d, c->name))) {
            fail_msg("\"%s\": %d, %zu names", c->line, err, d.count);
        }
        assert_false(holds(&d, "example"));
        deny_finish(&d);
    }
}

static void a_name_denies_what_is_below_it(void **state)
{
    struct deny d = {0};

    (void)state;
    assert_false(holds(&d, "ads.example"));
    assert_int_equal(add_line(&d, "ads.example"), 0);
    assert_int_equal(add_line(&d, "ADS.example"), 0);
    assert_int_equal(d.count, 1);
    assert_true(holds(&d, "ads.example"));
    assert_true(holds(&d, "a.b.c.AdS.eXample"));
    assert_false(holds(&d, "example"));
    assert_false(holds(&d, "bads.example"));
    assert_false(holds(&d, "ads.example.net"));
    assert_false(holds(&d, "."));
    deny_finish(&d);
}

/* A free slot ends every look; and the fuller, the longer it takes. */
static void the_table_is_never_full(void **state)
{
    struct deny d = {0};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "n%u.example", i);
        assert_int_equal(add_line(&d, text), 0);
        assert_int_equal(d.count, i + 1);
        assert_true(d.count <= d.cap / 4 * 3);
    }
    deny_finish(&d);
}

static void files_are_read_with_their_bad_lines(void **state)
{
    static const char text[] = "\xef\xbb\xbf# mark of some editors\r\n"
                               "a.example\r\n\r\nb b b\r\nc.example";
    char *path = make_text_file(text);
    struct deny d = {0};
    struct lines l;
    char why[64];

    (void)state;
    assert_int_equal(lines_open(&l, path, 4096, why, sizeof(why)), 0);
    assert_int_equal(deny_read(&d, &key, &l), 0);
    assert_int_equal(d.count, 2);
    assert_int_equal(l.bad_count, 1);
    assert_int_equal(l.bad_first, 4);
    assert_true(holds(&d, "a.example"));
    assert_true(holds(&d, "c.example"));
    lines_close(&l);
    drop_file(path);
    deny_finish(&d);
}

enum { MILLION = 1000000, LINE_LEN = 20, STEP = 97 };

static char *make_million(void)
{
    char *text = malloc((size_t)MILLION * LINE_LEN + 1);
    char *path;

    assert_non_null(text);
    for (size_t i = 0; i < MILLION; i++) {
        char *p = text + i * LINE_LEN;

        memcpy(p, "n000000.ads.example\n", LINE_LEN);
        for (size_t n = i, at = 6; n > 0; at--) {
            p[at] = (char)('0' + n % 10);
            n /= 10;
        }
    }
    path = make_file(text, (size_t)MILLION * LINE_LEN);
    free(text);
    return path;
}

/* Every one is found, none besides; and the memory is what was promised, with
 * the table before its last growth, of half the size, counted too. */
static void a_million_names(void **state)
{
    char *path = make_million();
    struct policy *p =
        make_policy(OPTIONS(TEXTS(deny_lists, deny_list_count, path)), NULL);
    struct policy_counts counts;

    (void)state;
    policy_counts(p, &counts);
    assert_int_equal(counts.denied_names, MILLION);
    assert_true(counts.memory_len > (size_t)MILLION * sizeof(uint64_t));
    assert_true(counts.memory_len / 2 * 3 < (size_t)40 << 20);
    for (unsigned i = 0; i < MILLION; i += STEP) {
        char text[64];

        (void)snprintf(text, sizeof(text), "www.n%06u.ads.example", i);
        assert_int_equal(judged(p, text, DNS_TYPE_A).rule, POLICY_DENIED);
        (void)snprintf(text, sizeof(text), "www.m%06u.ads.example", i);
        assert_int_equal(judged(p, text, DNS_TYPE_A).rule, POLICY_NONE);
    }
    policy_release(p);
    drop_file(path);
}

static int set_key(void **state)
{
    (void)state;
    sip_init(&key, hash_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_understood),
        cmocka_unit_test(a_name_denies_what_is_below_it),
        cmocka_unit_test(the_table_is_never_full),
        cmocka_unit_test(files_are_read_with_their_bad_lines),
        cmocka_unit_test(a_million_names),
    };
    return cmocka_run_group_tests_name("policy_deny", tests, set_key, NULL);
}
