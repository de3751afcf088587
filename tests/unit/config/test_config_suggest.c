/*
 * Which word is near to which.
 */
#include "base/attr.h"
#include "config/suggest.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

static const char *const words[] = {
    "listen", "servers", "query_timeout", "retry_min", "retry_max",
    "port",   "name",    "warning",       "race",
};

static void test_offer(void **state)
{
    static const struct {
        const char *word, *want; /* NULL: none */
    } cases[] = {
        {"queryTimeout", "query_timeout"},
        {"query-timeout", "query_timeout"},
        {"QUERY_TIMEOUT", "query_timeout"},
        {"Query Timeout", "query_timeout"},
        {"query_timout", "query_timeout"},  /* one missing */
        {"qurey_timeout", "query_timeout"}, /* two swapped */
        {"query_timeoutss", "query_timeout"},
        {"query_timeoutsss", NULL},
        {"retry_mix", "retry_min"}, /* the earlier of two */
        {"retry_maxi", "retry_max"},
        {"warn", "warning"},
        {"prot", "port"},
        {"nm", NULL},
        {"x", NULL},
        {"", NULL},
        {"colour", NULL},
        {"race", "race"},
        {"a_word_that_is_longer_than_any_key_and_than_the_room_for_one", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct suggest s;
        suggest_init(&s, cases[i].word);
        for (size_t j = 0; j < COUNT_OF(words); j++) {
            suggest_offer(&s, words[j]);
        }
        const char *got = s.best == NULL ? "nothing" : s.best;
        const char *want = cases[i].want == NULL ? "nothing" : cases[i].want;
        if (strcmp(got, want) != 0) {
            fail_msg("%s: got %s, want %s", cases[i].word, got, want);
        }
    }
}

static void test_is_same(void **state)
{
    (void)state;
    assert_true(suggest_is_same("DNS_SERVERS", "dnsServers"));
    assert_false(suggest_is_same("dns_server", "dns_servers"));
    assert_false(suggest_is_same("", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_is_same),
    };

    return cmocka_run_group_tests_name("config_suggest", tests, NULL, NULL);
}
