/*
 * The order in which rules speak, each rule's reach, and what is said when a
 * policy cannot be made.
 */
#include "fixture.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One name, known to ever fewer rules. */
static void rules_speak_in_order(void **state)
{
    static const char *const zones[] = {"zone.test", "!gone.example",
                                        "deep.search.example", NULL};
    char *hosts = make_text_file("192.0.2.1 host.zone.test\n");
    char *list = make_text_file("zone.test\nfine.example\n");
    struct policy *p = make_policy(
        OPTIONS(.has_minimal_any = true, TEXTS(hosts, hosts_count, hosts),
                TEXTS(records, record_count, "rec.zone.test A 192.0.2.2"),
                TEXTS(deny_lists, deny_list_count, list),
                TEXTS(deny_names, deny_name_count, "bad.example"),
                TEXTS(deny_except, deny_except_count, "good.zone.test",
                      "ok.bad.example"),
                TEXTS(search_noise, search_noise_count, "search.example"),
                TEXTS(search_noise_tlds, search_noise_tld_count, "com",
                      "ORG.")),
        zones);

    (void)state;
    assert_string_equal(answer(p, "host.zone.test", DNS_TYPE_A),
                        "local NOERROR aa host.zone.test. 60 A 192.0.2.1");
    assert_string_equal(answer(p, "rec.zone.test", DNS_TYPE_ANY),
                        "local NOERROR aa rec.zone.test. 60 A 192.0.2.2");
    assert_string_equal(answer(p, "other.zone.test", DNS_TYPE_A),
                        "denied NXDOMAIN | other.zone.test. 60 SOA");
    assert_string_equal(answer(p, "good.zone.test", DNS_TYPE_A), "none 1");
    assert_string_equal(answer(p, "a.good.zone.test", DNS_TYPE_ANY), "none 1");
    assert_string_equal(answer(p, "a.test", DNS_TYPE_A),
                        "special NXDOMAIN aa | test. 60 SOA");
    assert_string_equal(answer(p, "a.bad.example", DNS_TYPE_A),
                        "denied NXDOMAIN | a.bad.example. 60 SOA");
    assert_string_equal(answer(p, "ok.bad.example", DNS_TYPE_A), "none 0");
    assert_string_equal(answer(p, "a.gone.example", DNS_TYPE_A),
                        "zone_nx NXDOMAIN aa | gone.example. 60 SOA");
    assert_string_equal(answer(p, "a.com.search.example", DNS_TYPE_A),
                        "noise NXDOMAIN | search.example. 60 SOA");
    assert_string_equal(answer(p, "a.example", DNS_TYPE_ANY),
                        "any NOERROR a.example. 3600 HINFO "
                        "075246433834383200");
    assert_string_equal(answer(p, "a.example", DNS_TYPE_A), "none 0");
    policy_release(p);
    drop_file(hosts);
    drop_file(list);
}

static void the_longest_zone_wins(void **state)
{
    static const char *const zones[] = {
        "example.net",    "a.b.example.net",   ".",
        "b.example.net.", "!no.b.example.net", NULL};
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"example.net", "none 1"},
        {"EXAMPLE.net", "none 1"},
        {"x.example.net", "none 1"},
        {"xexample.net", "none 3"},
        {"b.example.net", "none 4"},
        {"y.x.b.example.net", "none 4"},
        {"a.b.example.net", "none 2"},
        {"x.A.b.example.net", "none 2"},
        {"xa.b.example.net", "none 4"},
        {"no.b.example.net", "zone_nx NXDOMAIN aa | no.b.example.net. 60 SOA"},
        {"net", "none 3"},
        {".", "none 3"},
    };
    struct policy *p = make_policy(OPTIONS(), zones);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(answer(p, cases[i].name, DNS_TYPE_A),
                            cases[i].want);
    }
    /* a DS at the zone's own name goes to the zone too: split DNS has no
     * parent that knows it */
    assert_string_equal(answer(p, "b.example.net", TYPE_DS), "none 4");
    policy_release(p);
}

/* ndots:5 in a pod: search default.svc.cluster.local svc.cluster.local
 * cluster.local. */
static void kubernetes_noise(void **state)
{
    static const char *const zones[] = {"cluster.local",
                                        "com.mesh.svc.cluster.local", NULL};
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"www.example.com.default.svc.cluster.local",
         "noise NXDOMAIN | default.svc.cluster.local. 60 SOA"},
        {"example.com.svc.cluster.local",
         "noise NXDOMAIN | svc.cluster.local. 60 SOA"},
        {"EXAMPLE.Com.cluster.local", "noise NXDOMAIN | cluster.local. 60 SOA"},
        /* what may be real */
        {"kubernetes.default.svc.cluster.local", "none 1"},
        {"com.default.svc.cluster.local", "none 1"},
        {"com.svc.cluster.local", "none 1"},
        {"example.net.svc.cluster.local", "none 1"},
        {"xcom.example.svc.cluster.local", "none 1"},
        {"default.svc.cluster.local", "none 1"},
        {"cluster.local", "none 1"},
        /* a zone below the suffix knows better */
        {"a.com.mesh.svc.cluster.local", "none 2"},
        {"www.example.com", "none 0"},
    };
    struct policy *p = make_policy(
        OPTIONS(TEXTS(search_noise, search_noise_count,
                      "default.svc.cluster.local", "svc.cluster.local",
                      "cluster.local"),
                TEXTS(search_noise_tlds, search_noise_tld_count, "com", "org")),
        zones);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(answer(p, cases[i].name, DNS_TYPE_A),
                            cases[i].want);
    }
    policy_release(p);
}

static void denied_names_may_have_no_address(void **state)
{
    struct policy *p = make_policy(
        OPTIONS(.deny_answer = POLICY_DENY_ZERO,
                TEXTS(deny_names, deny_name_count, "*.ads.example")),
        NULL);

    (void)state;
    assert_string_equal(answer(p, "ads.example", DNS_TYPE_A),
                        "denied NOERROR ads.example. 60 A 0.0.0.0");
    assert_string_equal(answer(p, "a.ads.example", DNS_TYPE_AAAA),
                        "denied NOERROR a.ads.example. 60 AAAA ::");
    assert_string_equal(answer(p, "a.ads.example", DNS_TYPE_ANY),
                        "denied NOERROR a.ads.example. 60 A 0.0.0.0 "
                        "a.ads.example. 60 AAAA ::");
    assert_string_equal(answer(p, "ads.example", 65),
                        "denied NOERROR | ads.example. 60 SOA");
    policy_release(p);
}

/* All but what is excepted: a list of what is allowed. */
static void the_root_may_be_denied(void **state)
{
    struct policy *p = make_policy(
        OPTIONS(TEXTS(deny_names, deny_name_count, "."),
                TEXTS(deny_except, deny_except_count, "example.net")),
        NULL);

    (void)state;
    assert_string_equal(answer(p, "www.example.net", DNS_TYPE_A), "none 0");
    assert_string_equal(answer(p, "example.org", DNS_TYPE_A),
                        "denied NXDOMAIN | example.org. 60 SOA");
    policy_release(p);
}

static void minimal_any_is_for_the_default_pool(void **state)
{
    static const char *const zones[] = {".", "example.net", NULL};
    struct policy *with = make_policy(OPTIONS(.has_minimal_any = true), zones);
    struct policy *without = make_policy(OPTIONS(), NULL);

    (void)state;
    assert_int_equal(judged(with, "a.example", DNS_TYPE_ANY).rule, POLICY_ANY);
    assert_int_equal(judged(with, "a.example", DNS_TYPE_A).rule, POLICY_NONE);
    assert_int_equal(judged(with, "example.net", DNS_TYPE_ANY).rule,
                     POLICY_NONE);
    assert_int_equal(judged(without, "a.example", DNS_TYPE_ANY).rule,
                     POLICY_NONE);
    policy_release(with);
    policy_release(without);
}

static void other_classes_know_zones_alone(void **state)
{
    static const char *const zones[] = {"example.net", "!gone.example", NULL};
    struct policy *p =
        make_policy(OPTIONS(TEXTS(records, record_count, "a.lan A 192.0.2.1"),
                            TEXTS(deny_names, deny_name_count, "bad.example")),
                    zones);

    (void)state;
    assert_string_equal(answer_of(p, "a.lan", DNS_TYPE_A, DNS_CLASS_CH),
                        "none 0");
    assert_string_equal(answer_of(p, "bad.example", DNS_TYPE_A, DNS_CLASS_CH),
                        "none 0");
    assert_string_equal(answer_of(p, "version.bind", 16, DNS_CLASS_CH),
                        "none 0");
    assert_string_equal(answer_of(p, "a.example.net", 16, DNS_CLASS_CH),
                        "none 1");
    assert_string_equal(answer_of(p, "gone.example", 16, DNS_CLASS_CH),
                        "zone_nx NXDOMAIN aa | gone.example. 60 SOA");
    /* a special name tells as much in them */
    assert_string_equal(answer_of(p, "x.onion", 16, DNS_CLASS_CH),
                        "special NXDOMAIN aa | onion. 60 SOA");
    assert_string_equal(answer_of(p, "localhost", DNS_TYPE_A, DNS_CLASS_CH),
                        "special NXDOMAIN aa | localhost. 60 SOA");
    /* class ANY holds class IN */
    assert_string_equal(answer_of(p, "a.lan", DNS_TYPE_A, CLASS_ANY),
                        "local NOERROR aa a.lan. 60 A 192.0.2.1");
    assert_string_equal(answer_of(p, "x.onion", DNS_TYPE_A, CLASS_ANY),
                        "special NXDOMAIN aa | onion. 60 SOA");
    policy_release(p);
}

static void errors_are_explained(void **state)
{
    char *list = make_text_file("listed.example\nboth.example\n");
    struct policy *p =
        make_policy(OPTIONS(TEXTS(deny_lists, deny_list_count, list),
                            TEXTS(deny_names, deny_name_count, "named.example",
                                  "both.example")),
                    NULL);
    struct policy_verdict v;
    const char *text = "";

    (void)state;
    v = judged(p, "listed.example", DNS_TYPE_A);
    assert_int_equal(policy_ede(&v, &text), DNS_EDE_BLOCKED);
    assert_string_equal(text, "denied by a list");
    v = judged(p, "a.named.example", DNS_TYPE_A);
    assert_int_equal(policy_ede(&v, &text), 17);
    assert_string_equal(text, "denied by name");
    v = judged(p, "both.example", DNS_TYPE_A);
    assert_int_equal(policy_ede(&v, &text), 17);
    v = judged(p, "a.test", DNS_TYPE_A);
    assert_int_equal(policy_ede(&v, &text), DNS_EDE_NONE);
    assert_null(text);
    v = judged(p, "a.example", DNS_TYPE_A);
    assert_int_equal(policy_ede(&v, &text), DNS_EDE_NONE);
    policy_release(p);
    drop_file(list);
}

static void every_rule_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(policy_rule_name(POLICY_NONE), "none");
    assert_string_equal(policy_rule_name(POLICY_DENIED), "denied");
    assert_string_equal(policy_rule_name(POLICY_ANY), "any");
    assert_string_equal(policy_rule_name(POLICY_RULES_TOTAL), "?");
}

/* ---- what cannot be made ---- */

static void what_is_wrong_is_told(void **state)
{
    static const char *const bad_zone[] = {"a..b", NULL};
    static const char *const twice[] = {"a.b", "!A.B.", NULL};
    const char *why;

    (void)state;
    assert_int_equal(fail_policy(OPTIONS(), bad_zone, &why), ERR_CONFIG);
    assert_string_equal(why, "zone: \"a..b\" is not a name");
    assert_int_equal(fail_policy(OPTIONS(), twice, &why), ERR_CONFIG);
    assert_string_equal(why, "zone: \"A.B.\" is there twice");
    assert_int_equal(
        fail_policy(OPTIONS(TEXTS(deny_names, deny_name_count, "")), NULL,
                    &why),
        ERR_CONFIG);
    assert_string_equal(why, "deny_names: \"\" is not a name");
    assert_int_equal(
        fail_policy(
            OPTIONS(TEXTS(search_noise_tlds, search_noise_tld_count, "co.uk")),
            NULL, &why),
        ERR_CONFIG);
    assert_string_equal(why, "search_noise_tlds: \"co.uk\" is not a top-level "
                             "domain");
    assert_int_equal(
        fail_policy(OPTIONS(TEXTS(search_noise, search_noise_count, ".")), NULL,
                    &why),
        ERR_CONFIG);
    assert_string_equal(why, "search_noise: \".\" is not a search suffix");
    assert_int_equal(fail_policy(OPTIONS(TEXTS(deny_lists, deny_list_count,
                                               "/nonexistent/list")),
                                 NULL, &why),
                     ERR_NOTFOUND);
    assert_string_equal(why, "/nonexistent/list: No such file or directory");
    assert_int_equal(
        fail_policy(OPTIONS(TEXTS(hosts, hosts_count, "/")), NULL, &why),
        ERR_CONFIG);
    assert_string_equal(why, "/: is not a regular file");
}

static void a_missing_file_is_passed_over_when_not_strict(void **state)
{
    char *list = make_text_file("ads.example\n");
    const struct policy_options *o =
        OPTIONS(TEXTS(deny_lists, deny_list_count, "/nonexistent/list", list),
                TEXTS(hosts, hosts_count, "/nonexistent/hosts"));
    struct policy *p = NULL;
    char why[64];

    (void)state;
    assert_int_equal(
        policy_create(o, NULL, 0, hash_key, false, &p, why, sizeof(why)), 0);
    assert_int_equal(judged(p, "ads.example", DNS_TYPE_A).rule, POLICY_DENIED);
    policy_release(p);
    drop_file(list);
}

/* ---- the rest ---- */

static void note_file(void *arg, const char *path)
{
    char *noted = arg;

    (void)strcat(strcat(noted, path), ";");
}

static void files_are_named(void **state)
{
    char noted[64] = "";

    (void)state;
    policy_each_file(OPTIONS(TEXTS(hosts, hosts_count, "/a", "/b"),
                             TEXTS(deny_lists, deny_list_count, "/c")),
                     note_file, noted);
    assert_string_equal(noted, "/a;/b;/c;");
}

static void what_was_read_is_counted(void **state)
{
    static const char *const zones[] = {"a.example", "b.example", NULL};
    char *list = make_text_file("x.example\ny.example\nX.example\n");
    struct policy_counts empty, full;
    struct policy *p = make_policy(OPTIONS(), NULL);

    (void)state;
    policy_counts(p, &empty);
    policy_release(p);
    assert_int_equal(empty.local_names, 0);
    assert_int_equal(empty.denied_names, 0);
    assert_int_equal(empty.zones, 0);
    assert_true(empty.memory_len > 0 && empty.memory_len < 65536);
    p = make_policy(OPTIONS(TEXTS(deny_lists, deny_list_count, list),
                            TEXTS(deny_names, deny_name_count, "z.example"),
                            TEXTS(records, record_count, "a.lan A 192.0.2.1")),
                    zones);
    policy_counts(p, &full);
    assert_int_equal(full.local_names, 2); /* and its reverse name */
    assert_int_equal(full.denied_names, 3);
    assert_int_equal(full.zones, 2);
    assert_true(full.memory_len > empty.memory_len);
    policy_release(p);
    drop_file(list);
}

static void owners_come_and_go(void **state)
{
    struct policy *p = make_policy(OPTIONS(), NULL);

    (void)state;
    assert_ptr_equal(policy_retain(p), p);
    policy_release(p);
    assert_int_equal(judged(p, "a.test", DNS_TYPE_A).rule, POLICY_SPECIAL);
    policy_release(p);
    policy_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_speak_in_order),
        cmocka_unit_test(the_longest_zone_wins),
        cmocka_unit_test(kubernetes_noise),
        cmocka_unit_test(denied_names_may_have_no_address),
        cmocka_unit_test(the_root_may_be_denied),
        cmocka_unit_test(minimal_any_is_for_the_default_pool),
        cmocka_unit_test(other_classes_know_zones_alone),
        cmocka_unit_test(errors_are_explained),
        cmocka_unit_test(every_rule_has_a_name),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_missing_file_is_passed_over_when_not_strict),
        cmocka_unit_test(files_are_named),
        cmocka_unit_test(what_was_read_is_counted),
        cmocka_unit_test(owners_come_and_go),
    };
    return cmocka_run_group_tests_name("policy_policy", tests, NULL, NULL);
}
