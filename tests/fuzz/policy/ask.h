/*
 * What the targets of the policy share: an input as a file, and questions for
 * every word in it. Whatever is answered must be a message that the parser
 * takes, for the question that was asked.
 */
#ifndef TESTS_FUZZ_POLICY_ASK_H
#define TESTS_FUZZ_POLICY_ASK_H

#include "base/log.h"
#include "dns/name.h"
#include "policy/policy.h"

#include "../require.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint8_t hash_key[16] = {1, 2, 3};

/* A file of these octets, without a name but in the table of open ones. */
static inline int input_file(const uint8_t *octets, size_t len, char path[32])
{
    int file = memfd_create("input", 0);

    REQUIRE(file >= 0);
    REQUIRE(write(file, octets, len) == (ssize_t)len);
    (void)snprintf(path, 32, "/proc/self/fd/%d", file);
    log_set_level(LOG_ERROR);
    return file;
}

static inline struct policy *input_policy(const struct policy_options *o)
{
    static const struct policy_zone zones[] = {{"example", false}};
    char why[256];
    struct policy *p = NULL;

    REQUIRE(policy_create(o, zones, 1, hash_key, true, &p, why, sizeof(why)) ==
            0);
    return p;
}

/* The rule that judges the name. */
static inline enum policy_rule ask(const struct policy *p, const uint8_t *name,
                                   size_t len, uint16_t type)
{
    struct dns_question q = {name, (uint16_t)len, type, DNS_CLASS_IN};
    struct policy_verdict v;
    struct dns_response r;
    uint8_t out[4096];
    size_t out_len;

    policy_judge(p, &q, &v);
    REQUIRE(v.zone <= 1);
    if (v.rule == POLICY_NONE) {
        return v.rule;
    }
    out_len = policy_write(p, &q, &v, out, sizeof(out));
    REQUIRE(out_len <= sizeof(out));
    REQUIRE(dns_response_parse(span_of(out, out_len), &r) == 0);
    REQUIRE(r.has_question && dns_question_equal(&r.question, &q));
    REQUIRE(r.answer_count + r.authority_count > 0);
    return v.rule;
}

/* Ask for every word of the text that is a name, as it is read in text. */
static inline void ask_words(const struct policy *p, const uint8_t *text,
                             size_t len)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_PTR,
                                     DNS_TYPE_TXT, DNS_TYPE_ANY};
    size_t begin = 0;

    for (size_t at = 0; at <= len; at++) {
        uint8_t name[DNS_NAME_MAX];
        int name_len;

        if (at < len && text[at] > ' ') {
            continue;
        }
        name_len =
            dns_name_from_text((const char *)text + begin, at - begin, name);
        for (size_t i = 0; name_len > 0 && i < COUNT_OF(types); i++) {
            (void)ask(p, name, (size_t)name_len, types[i]);
        }
        begin = at + 1;
    }
}

#endif
