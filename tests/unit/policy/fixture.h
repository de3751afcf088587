/*
 * Policies for the tests of the room, questions put to them, and their answers
 * as text. A mistake in a test fails it.
 */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include "policy/names.h"
#include "policy/policy.h"

#include <stddef.h>
#include <stdint.h>

enum { TYPE_DS = 43, CLASS_ANY = 255, ANSWER_TEXT_MAX = 32768 };

/* What every test may have in its options without naming it. */
#define OPTIONS(...) \
    &(const struct policy_options) \
    { \
        .local_ttl_s = 60, __VA_ARGS__ \
    }

/* Members of an option that is a list of texts. */
#define TEXTS(member, count_member, ...) \
    .member = (char **)(const char *const[]){__VA_ARGS__}, \
    .count_member = \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

extern const uint8_t hash_key[16];

/* zones: names, ended by NULL; "!name" has no servers. NULL: none. */
struct policy *make_policy(const struct policy_options *o,
                           const char *const *zones);

/* The policy cannot be made; returns its error, and what is said in *why
 * (static). */
int fail_policy(const struct policy_options *o, const char *const *zones,
                const char **why);

/* A file of these octets; its path is in the caller's hands until drop_file().
 */
char *make_file(const void *octets, size_t len);
char *make_text_file(const char *text);
void drop_file(char *path);

/* A question for this name, in memory of exactly its length. */
struct asked {
    struct dns_question question;
    uint8_t *octets; /* free() it */
};
struct asked make_question(const char *name, uint16_t type, uint16_t klass);

/* The verdict on a question of class IN. */
struct policy_verdict judged(const struct policy *p, const char *name,
                             uint16_t type);

/*
 * Judge and answer: "none 2" (to the servers of zone 2), or the rule, the
 * RCODE, "aa", records, and "|" with the authority's:
 *     local NOERROR aa a.lan. 60 A 192.0.2.1
 *     special NXDOMAIN aa | test. 60 SOA
 * The text is static.
 */
const char *answer_of(const struct policy *p, const char *name, uint16_t type,
                      uint16_t klass);

/* The same for class IN. */
const char *answer(const struct policy *p, const char *name, uint16_t type);

#endif
