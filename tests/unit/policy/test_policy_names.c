/*
 * The table of names: hashes of suffixes, case, growth, records of one name.
 */
#include "fixture.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t wire(const char *text, uint8_t out[DNS_NAME_MAX])
{
    int len = dns_name_from_text(text, strlen(text), out);

    assert_true(len > 0);
    return (size_t)len;
}

static struct names_node *added(struct names *t, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    struct names_node *node = NULL;
    size_t len = wire(text, name);

    assert_int_equal(names_add(t, name, len, &node), 0);
    return node;
}

/* The hash of a suffix is that of the name alone, in any case, wherever its
 * labels lie: the words of eight octets must not show. */
static void suffixes_hash_as_names(void **state)
{
    struct sip key;
    struct rng r;

    (void)state;
    sip_init(&key, hash_key);
    rng_seed(&r, 11);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t name[DNS_NAME_MAX];
        struct names_walk w, part;
        size_t len = 0;

        while (len < 180 && rng_below(&r, 6) > 0) {
            size_t label = 1 + rng_below(&r, i % 63 + 1);

            name[len++] = (uint8_t)label;
            while (label-- > 0) {
                name[len++] = (uint8_t)rng_next(&r);
            }
        }
        name[len++] = 0;
        names_walk_init(&w, &key, name, len);
        names_walk_to(&w, w.labels);
        for (unsigned labels = 0; labels <= w.labels; labels++) {
            size_t part_len = len - names_suffix_at(&w, labels);
            uint8_t *copy = malloc(part_len);

            assert_non_null(copy);
            dns_name_lower(copy, name + len - part_len, part_len);
            names_walk_init(&part, &key, copy, part_len);
            names_walk_to(&part, part.labels);
            assert_int_equal(part.labels, labels);
            assert_int_equal(part.hash[labels], w.hash[labels]);
            free(copy);
        }
    }
}

/* A label alone is hashed as its octets are by the base's SipHash. */
static void a_label_hashes_as_its_octets(void **state)
{
    struct sip key;

    (void)state;
    sip_init(&key, hash_key);
    for (unsigned len = 1; len <= 63; len++) {
        uint8_t name[65];
        struct names_walk w;

        name[0] = (uint8_t)len;
        for (unsigned i = 1; i <= len; i++) {
            name[i] = (uint8_t)(i * 37 % 26 + 'a');
        }
        name[len + 1] = 0;
        names_walk_init(&w, &key, name, len + 2);
        names_walk_to(&w, w.labels);
        assert_true(w.hash[1] == siphash(hash_key, name + 1, len));
    }
}

/* In one go or in several, as far as asked and no further. */
static void suffixes_are_hashed_as_wanted(void **state)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len = wire("a.b.c.d.e", name);
    struct names_walk all, w;
    struct sip key;

    (void)state;
    sip_init(&key, hash_key);
    names_walk_init(&all, &key, name, len);
    names_walk_to(&all, all.labels);
    names_walk_init(&w, &key, name, len);
    for (unsigned labels = 0; labels <= all.labels; labels += 2) {
        names_walk_to(&w, labels);
        names_walk_to(&w, labels / 2);
        assert_int_equal(w.hashed, labels);
        for (unsigned i = 0; i <= labels; i++) {
            assert_true(w.hash[i] == all.hash[i]);
        }
    }
}

/* Names of one and two labels stand above every longer one. */
static void domains_are_there_with_their_names(void **state)
{
    uint8_t name[DNS_NAME_MAX];
    const struct names_node *node;
    struct names t;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    (void)added(&t, "a.b.c.example.net");
    assert_int_equal(t.count, 3);
    node = names_find(&t, name, wire("example.net", name));
    assert_non_null(node);
    assert_null(node->records);
    assert_non_null(names_find(&t, name, wire("net", name)));
    assert_null(names_find(&t, name, wire("c.example.net", name)));
    assert_null(names_find(&t, name, wire(".", name)));
    (void)added(&t, ".");
    (void)added(&t, "org");
    (void)added(&t, "example.com");
    assert_int_equal(t.count, 3 + 1 + 1 + 2);
    assert_true(names_may_go_on(NULL, 0));
    assert_false(names_may_go_on(NULL, 1));
    assert_false(names_may_go_on(NULL, 2));
    assert_true(names_may_go_on(NULL, 3));
    assert_true(names_may_go_on(node, 2));
    names_finish(&t);
}

/* Names that only an encoding of their own tells apart. */
static void like_names_have_other_hashes(void **state)
{
    static const char *const names[] = {
        ".",
        "a",
        "aa",
        "a.a",
        "a.a.a",
        "\\000",
        "a\\000",
        "\\000a",
        "\\000.\\000",
        "aaaaaaa",
        "aaaaaaaa",
        "aaaaaaaaa",
        "aaaaaaaa\\000",
        "aaaaaaaa.a",
        "a.aaaaaaaa",
        "aaaaaaa\\001.a",
        "[",
        "@",
        "{",
        "`",
        "\\193",
        "\\225",
    };
    enum { COUNT = sizeof(names) / sizeof(*names) };
    uint64_t hashes[COUNT];
    struct sip key;

    (void)state;
    sip_init(&key, hash_key);
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t name[DNS_NAME_MAX];
        struct names_walk w;
        size_t len = wire(names[i], name);

        names_walk_init(&w, &key, name, len);
        names_walk_to(&w, w.labels);
        hashes[i] = w.hash[w.labels];
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(hashes[i], hashes[j]);
        }
    }
}

static void another_key_gives_another_hash(void **state)
{
    uint8_t name[DNS_NAME_MAX];
    struct names_walk a, b;
    struct sip key;
    size_t len = wire("www.example.net", name);

    (void)state;
    for (size_t i = 0; i < sizeof(hash_key); i++) {
        uint8_t other[16];

        memcpy(other, hash_key, sizeof(other));
        sip_init(&key, hash_key);
        names_walk_init(&a, &key, name, len);
        names_walk_to(&a, a.labels);
        other[i] ^= 0x80;
        sip_init(&key, other);
        names_walk_init(&b, &key, name, len);
        names_walk_to(&b, b.labels);
        assert_int_not_equal(a.hash[3], b.hash[3]);
    }
}

static void finds_what_was_added(void **state)
{
    enum { COUNT = 2000 };
    struct names t;
    static struct names_node *nodes[COUNT];

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "Name%u.Sub%u.example", i, i % 10);
        nodes[i] = added(&t, text);
        assert_ptr_equal(added(&t, text), nodes[i]);
    }
    assert_int_equal(t.count, COUNT + 11); /* and their domains */
    for (unsigned i = 0; i < 2 * COUNT; i++) {
        char text[64];
        uint8_t name[DNS_NAME_MAX];

        (void)snprintf(text, sizeof(text), "nAME%u.sUB%u.EXAMPLE", i, i % 10);
        assert_ptr_equal(names_find(&t, name, wire(text, name)),
                         i < COUNT ? nodes[i] : NULL);
    }
    names_finish(&t);
}

static void names_of_any_depth_are_found(void **state)
{
    uint8_t name[DNS_NAME_MAX];
    struct names t;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    for (unsigned labels = 0; labels <= 127; labels++) {
        struct names_node *node = NULL;
        size_t len = 0;

        for (unsigned i = 0; i < labels; i++) {
            name[len++] = 1;
            name[len++] = 'a';
        }
        name[len++] = 0;
        assert_null(names_find(&t, name, len));
        assert_int_equal(names_add(&t, name, len, &node), 0);
        assert_int_equal(node->labels, labels);
        assert_ptr_equal(names_find(&t, name, len), node);
    }
    names_finish(&t);
}

static void records_stand_in_order_and_once(void **state)
{
    struct names t;
    struct names_node *node;
    const struct names_record *r;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    node = added(&t, "a");
    for (unsigned i = 0; i < 6; i++) {
        uint8_t data[4] = {192, 0, 2, (uint8_t)(i % 3)};

        assert_int_equal(
            names_add_record(&t, node, DNS_TYPE_A, 100 + i, data, 4), 0);
    }
    r = names_record_of(node->records, DNS_TYPE_ANY);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(r->data[3], i);
        assert_int_equal(r->ttl_s, 100); /* RFC 2181 section 5.2 */
        r = names_record_of(r->next, DNS_TYPE_A);
    }
    assert_null(r);
    assert_null(names_record_of(node->records, DNS_TYPE_AAAA));
    names_finish(&t);
}

static void records_of_a_name_are_bounded(void **state)
{
    static const uint8_t data[NAMES_RECORDS_LEN_MAX];
    struct names t;
    struct names_node *node;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    node = added(&t, "a");
    assert_int_equal(names_add_record(&t, node, DNS_TYPE_TXT, 1, data,
                                      NAMES_RECORDS_LEN_MAX - 11),
                     ERR_LIMIT);
    assert_int_equal(names_add_record(&t, node, DNS_TYPE_TXT, 1, data,
                                      NAMES_RECORDS_LEN_MAX - 12),
                     0);
    assert_int_equal(names_add_record(&t, node, DNS_TYPE_TXT, 1, data, 0),
                     ERR_LIMIT);
    names_finish(&t);
}

/* RFC 1034 section 3.6.2. */
static void cname_stands_alone(void **state)
{
    struct names t;
    struct names_node *node;

    (void)state;
    assert_int_equal(names_init(&t, hash_key), 0);
    node = added(&t, "a");
    assert_int_equal(
        names_add_record(&t, node, DNS_TYPE_CNAME, 1, (uint8_t[]){0}, 1), 0);
    assert_int_equal(
        names_add_record(&t, node, DNS_TYPE_CNAME, 1, (uint8_t[]){0}, 1), 0);
    assert_int_equal(
        names_add_record(&t, node, DNS_TYPE_A, 1, (uint8_t[4]){0}, 4),
        ERR_CONFIG);
    node = added(&t, "b");
    assert_int_equal(
        names_add_record(&t, node, DNS_TYPE_A, 1, (uint8_t[4]){0}, 4), 0);
    assert_int_equal(
        names_add_record(&t, node, DNS_TYPE_CNAME, 1, (uint8_t[]){0}, 1),
        ERR_CONFIG);
    names_finish(&t);
}

static void hosts_have_plain_names(void **state)
{
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        {"a", 3},
        {"a.b.", 5},
        {"A-1_x.example", 15},
        {"m\xc3\xbcller.example", 17},
        {"", ERR_INVAL},
        {".", ERR_INVAL},
        {"a b", ERR_INVAL},
        {"a..b", ERR_INVAL},
        {"a\\.b", ERR_INVAL},
        {"*.a", ERR_INVAL},
        {"a/b", ERR_INVAL},
        {"a,b", ERR_INVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t name[DNS_NAME_MAX];

        assert_int_equal(
            names_from_host(cases[i].text, strlen(cases[i].text), name),
            cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suffixes_hash_as_names),
        cmocka_unit_test(a_label_hashes_as_its_octets),
        cmocka_unit_test(suffixes_are_hashed_as_wanted),
        cmocka_unit_test(domains_are_there_with_their_names),
        cmocka_unit_test(like_names_have_other_hashes),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(finds_what_was_added),
        cmocka_unit_test(names_of_any_depth_are_found),
        cmocka_unit_test(records_stand_in_order_and_once),
        cmocka_unit_test(records_of_a_name_are_bounded),
        cmocka_unit_test(cname_stands_alone),
        cmocka_unit_test(hosts_have_plain_names),
    };
    return cmocka_run_group_tests_name("policy_names", tests, NULL, NULL);
}
