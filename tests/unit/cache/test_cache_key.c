/*
 * Keys: equal for what is one question, different for what is not.
 */
#include "base/attr.h"
#include "cache/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t secret[SIPHASH_KEY_LEN] = "sixteen octets!";

static struct cache_key key_of(const char *question, size_t len, unsigned bits)
{
    struct cache_key k;

    cache_key_init(&k, secret, span_of(question, len),
                   (bits & CACHE_KEY_DO) != 0, (bits & CACHE_KEY_CD) != 0, 0);
    return k;
}

static void case_of_the_name_does_not_matter(void **state)
{
    struct cache_key a = key_of("\3wWw\2NL\0\0\1\0\1", 12, 0);
    struct cache_key b = key_of("\3www\2nl\0\0\1\0\1", 12, 0);

    (void)state;
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(a.len, 12);
    assert_memory_equal(a.question, "\3www\2nl\0\0\1\0\1", 12);
}

/* 0x41 is 'A' and would be 0x61 if it were part of the name. */
static void type_and_class_are_not_folded(void **state)
{
    struct cache_key k = key_of("\0\x41\x41\x5a\x5a", 5, 0);

    (void)state;
    assert_memory_equal(k.question, "\0\x41\x41\x5a\x5a", 5);
}

static void everything_else_matters(void **state)
{
    static const struct {
        const char *question;
        unsigned bits;
    } keys[] = {
        {"\1a\2nl\0\0\1\0\1", 0}, {"\1a\2nl\0\0\1\0\1", 1},
        {"\1a\2nl\0\0\1\0\1", 2}, {"\1a\2nl\0\0\1\0\1", 3},
        {"\1b\2nl\0\0\1\0\1", 0}, {"\1a\2nl\0\0\2\0\1", 0},
        {"\1a\2nl\0\1\1\0\1", 0}, {"\1a\2nl\0\0\1\0\3", 0},
        {"\2al\1n\0\0\1\0\1", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        for (size_t j = 0; j < i; j++) {
            struct cache_key a = key_of(keys[i].question, 10, keys[i].bits);
            struct cache_key b = key_of(keys[j].question, 10, keys[j].bits);
            assert_true(a.hash != b.hash);
        }
    }
}

static void hash_depends_on_the_secret(void **state)
{
    static const uint8_t other[SIPHASH_KEY_LEN] = "sixteen octets?";
    struct cache_key a = key_of("\1a\0\0\1\0\1", 7, 0);
    struct cache_key b;

    (void)state;
    cache_key_init(&b, other, span_of("\1a\0\0\1\0\1", 7), false, false, 0);
    assert_true(a.hash != b.hash);
}

static void longest_name(void **state)
{
    char question[DNS_NAME_MAX + 4];
    struct cache_key k;

    (void)state;
    memset(question, 'X', sizeof(question));
    k = key_of(question, sizeof(question), 3);
    assert_int_equal(k.len, 259);
    assert_int_equal(k.question[254], 'x');
    assert_int_equal(k.question[255], 'X');
    assert_int_equal(k.question[259], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_of_the_name_does_not_matter),
        cmocka_unit_test(type_and_class_are_not_folded),
        cmocka_unit_test(everything_else_matters),
        cmocka_unit_test(hash_depends_on_the_secret),
        cmocka_unit_test(longest_name),
    };
    return cmocka_run_group_tests_name("cache_key", tests, NULL, NULL);
}
