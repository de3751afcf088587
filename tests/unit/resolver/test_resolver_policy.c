/*
 * What is answered without a server.
 */
#include "client.h"

#include "base/trace.h"
#include "dns/name.h"
#include "policy/policy.h"

#include "tests.h"

#include <string.h>

static char router[] = "router.lan A 192.0.2.1";
static char www[] = "www.lan CNAME router.lan";
static char ads[] = "ads.example";
static char *records[] = {router, www};
static char *denied[] = {ads};

/* A bed whose resolver has rules. */
static void start_with(struct rbed *r, struct policy_options *options)
{
    static const uint8_t key[16] = {1, 2, 3};
    char why[128];

    options->records = records;
    options->record_count = COUNT_OF(records);
    options->deny_names = denied;
    options->deny_name_count = COUNT_OF(denied);
    options->local_ttl_s = 60;
    assert_int_equal(policy_create(options, NULL, 0, key, true, &r->policy, why,
                                   sizeof(why)),
                     0);
    rbed_start(r);
}

static struct trace r_trace;

static unsigned ask(struct rbed *r, const char *name, uint16_t type,
                    struct dns_response *out)
{
    static const uint8_t header[12] = {0, 7, 1, 0, 0, 1};
    struct client *c = client_create(r);
    uint8_t *query = c->message.octets;
    int len = dns_name_from_text(name, strlen(name), query + sizeof(header));
    size_t at = sizeof(header) + (size_t)len;

    assert_true(len > 0);
    memcpy(query, header, sizeof(header));
    dns_put16(query + at, type);
    dns_put16(query + at + 2, DNS_CLASS_IN);
    c->message.len = at + 4;
    c->query.trace = &r_trace;
    client_ask(c);
    assert_int_equal(c->verdict, RESOLVER_ANSWERED);
    assert_int_equal(dns_response_parse(span_of(c->answer, c->len), out), 0);
    assert_int_equal(out->id, 7);
    out->question.name = NULL; /* inside of what is freed now */
    client_destroy(c);
    return out->rcode;
}

static void records_and_denials_ask_nobody(void **state)
{
    struct rbed *r = *state;
    struct policy_options options = {.hosts = NULL};
    struct dns_response answer;

    (void)bed_add_server(r->bed);
    start_with(r, &options);
    assert_int_equal(ask(r, "router.lan", DNS_TYPE_A, &answer), 0);
    assert_int_equal(answer.answer_count, 1);
    assert_int_equal(ask(r, "WWW.lan", DNS_TYPE_A, &answer), 0);
    assert_int_equal(answer.answer_count, 2);
    assert_int_equal(ask(r, "router.lan", DNS_TYPE_AAAA, &answer), 0);
    assert_int_equal(answer.answer_count, 0);
    assert_int_equal(answer.authority_count, 1);
    assert_int_equal(ask(r, "x.ads.example", DNS_TYPE_A, &answer),
                     DNS_RCODE_NXDOMAIN);
    trace_init(&r_trace, 0);
    assert_int_equal(ask(r, "x.onion", DNS_TYPE_A, &answer),
                     DNS_RCODE_NXDOMAIN);
    assert_int_equal(r_trace.count, 1);
    assert_string_equal(r_trace.steps[0].text,
                        "policy: answered here (special)");
    const struct resolver_stats *stats = resolver_stats(r->resolver);
    assert_int_equal(stats->rules[POLICY_LOCAL], 3);
    assert_int_equal(stats->rules[POLICY_DENIED], 1);
    assert_int_equal(stats->rules[POLICY_SPECIAL], 1);
    assert_int_equal(stats->forwarded, 0);
    assert_int_equal(bed_stats(r->bed)->requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_and_denials_ask_nobody,
                                        rbed_setup, rbed_teardown),
    };
    return cmocka_run_group_tests_name("resolver_policy", tests, NULL, NULL);
}
