/*
 * Policies from options, questions to them, and answers as text. The text has
 * all of a record but its class, which is checked, and a SOA's data, which are
 * always the same but for their last number.
 */
#include "fixture.h"

#include "base/addr.h"
#include "base/err.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const uint8_t hash_key[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

enum { ZONES_MAX = 64 };

static size_t read_zones(const char *const *names, struct policy_zone *out)
{
    size_t count = 0;

    for (; names != NULL && names[count] != NULL; count++) {
        const char *name = names[count];

        assert_true(count < ZONES_MAX);
        out[count].is_nxdomain = *name == '!';
        out[count].name = *name == '!' ? name + 1 : name;
    }
    return count;
}

struct policy *make_policy(const struct policy_options *o,
                           const char *const *zones)
{
    struct policy_zone read[ZONES_MAX];
    size_t count = read_zones(zones, read);
    char why[256] = "";
    struct policy *p = NULL;
    int err =
        policy_create(o, read, count, hash_key, true, &p, why, sizeof(why));

    if (err != 0) {
        fail_msg("%s: %s", err_name(err), why);
    }
    return p;
}

int fail_policy(const struct policy_options *o, const char *const *zones,
                const char **why)
{
    static char text[256];
    struct policy_zone read[ZONES_MAX];
    size_t count = read_zones(zones, read);
    struct policy *p = NULL;
    int err;

    text[0] = '\0';
    err = policy_create(o, read, count, hash_key, true, &p, text, sizeof(text));
    assert_int_not_equal(err, 0);
    assert_null(p);
    *why = text;
    return err;
}

char *make_file(const void *octets, size_t len)
{
    char *path = strdup("/tmp/test_policy_XXXXXX");
    int file;

    assert_non_null(path);
    file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, octets, len), len);
    assert_int_equal(close(file), 0);
    return path;
}

char *make_text_file(const char *text)
{
    return make_file(text, strlen(text));
}

void drop_file(char *path)
{
    assert_int_equal(unlink(path), 0);
    free(path);
}

struct asked make_question(const char *name, uint16_t type, uint16_t klass)
{
    uint8_t wire[DNS_NAME_MAX];
    int len = dns_name_from_text(name, strlen(name), wire);
    struct asked a = {{.type = type, .klass = klass}, NULL};

    assert_true(len > 0);
    a.octets = malloc((size_t)len);
    assert_non_null(a.octets);
    memcpy(a.octets, wire, (size_t)len);
    a.question.name = a.octets;
    a.question.name_len = (uint16_t)len;
    return a;
}

struct policy_verdict judged(const struct policy *p, const char *name,
                             uint16_t type)
{
    struct asked a = make_question(name, type, DNS_CLASS_IN);
    struct policy_verdict v;

    policy_judge(p, &a.question, &v);
    free(a.octets);
    return v;
}

/* ---- answers as text ---- */

static char text[ANSWER_TEXT_MAX];

PRINTF_LIKE(1, 2)
static void say(const char *fmt, ...)
{
    size_t len = strlen(text);
    va_list args;
    int more;

    va_start(args, fmt);
    more = vsnprintf(text + len, sizeof(text) - len, fmt, args);
    va_end(args);
    assert_true(more >= 0 && len + (size_t)more < sizeof(text));
}

static void say_name(struct span msg, size_t at)
{
    uint8_t name[DNS_NAME_MAX];
    char name_text[DNS_NAME_TEXT_MAX];
    int len = dns_name_read(msg, at, name);

    assert_true(len > 0);
    say(" %s", dns_name_to_text(span_of(name, (size_t)len), name_text));
}

static void say_address(const uint8_t *ip, uint8_t family)
{
    struct addr a = {.family = family};
    char ip_text[ADDR_TEXT_MAX];

    memcpy(a.ip, ip, family == 4 ? 4 : 16);
    say(" %s", addr_ip_text(&a, ip_text));
}

/* The seven fields of a SOA; the times must be RFC 6303's. */
static void require_soa(const uint8_t *data, size_t len, uint32_t ttl)
{
    static const uint8_t names[] = "\11localhost\0\6nobody\7invalid";

    assert_int_equal(len, sizeof(names) + 20);
    assert_memory_equal(data, names, sizeof(names));
    data += sizeof(names);
    assert_int_equal(dns_get32(data), 1);
    assert_int_equal(dns_get32(data + 4), 3600);
    assert_int_equal(dns_get32(data + 8), 1200);
    assert_int_equal(dns_get32(data + 12), 604800);
    assert_int_equal(dns_get32(data + 16), ttl);
}

static void say_data(struct span msg, size_t at, size_t len, uint16_t type,
                     uint32_t ttl)
{
    const uint8_t *data = msg.ptr + at;

    switch (type) {
    case DNS_TYPE_A:
        assert_int_equal(len, 4);
        say_address(data, 4);
        break;
    case DNS_TYPE_AAAA:
        assert_int_equal(len, 16);
        say_address(data, 6);
        break;
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
        assert_int_equal(dns_name_skip(msg, at), len);
        say_name(msg, at);
        break;
    case DNS_TYPE_SOA:
        require_soa(data, len, ttl);
        break;
    default:
        say(" ");
        for (size_t i = 0; i < len; i++) {
            say("%02x", data[i]);
        }
    }
}

static size_t say_records(struct span msg, size_t at, unsigned count,
                          uint16_t klass)
{
    while (count-- > 0) {
        char type[16];
        int len = dns_name_skip(msg, at);
        const uint8_t *fixed;
        size_t data_len;

        assert_true(len > 0);
        say_name(msg, at);
        at += (size_t)len;
        fixed = msg.ptr + at;
        data_len = dns_get16(fixed + 8);
        assert_int_equal(dns_get16(fixed + 2), klass);
        say(" %u %s", dns_get32(fixed + 4),
            dns_type_text(dns_get16(fixed), type));
        at += 10;
        say_data(msg, at, data_len, dns_get16(fixed), dns_get32(fixed + 4));
        at += data_len;
    }
    return at;
}

static void say_answer(const struct policy *p, const struct dns_question *q,
                       const struct policy_verdict *v)
{
    uint8_t out[4096];
    size_t len = policy_write(p, q, v, out, sizeof(out));
    struct span msg = span_of(out, len);
    struct dns_response r;
    char rcode[16];
    size_t at;

    assert_int_equal(dns_response_parse(msg, &r), 0);
    assert_int_equal(r.id, 0);
    assert_int_equal(r.flags & ~(DNS_FLAG_AA | DNS_RCODE_MASK),
                     DNS_FLAG_QR | DNS_FLAG_RA);
    assert_false(r.opt.is_present);
    assert_true(r.has_question);
    assert_int_equal(r.question.name_len, q->name_len);
    assert_memory_equal(r.question.name, q->name, q->name_len);
    assert_int_equal(r.question.type, q->type);
    assert_int_equal(r.question.klass, q->klass);
    assert_int_equal(r.additional_count, 0);
    say(" %s%s", dns_rcode_text(r.rcode, rcode),
        (r.flags & DNS_FLAG_AA) != 0 ? " aa" : "");
    at = DNS_HEADER_LEN + dns_question_len(q);
    at = say_records(msg, at, r.answer_count,
                     q->klass == CLASS_ANY ? DNS_CLASS_IN : q->klass);
    if (r.authority_count > 0) {
        say(" |");
        (void)say_records(msg, at, r.authority_count,
                          q->klass == CLASS_ANY ? DNS_CLASS_IN : q->klass);
    }
}

const char *answer_of(const struct policy *p, const char *name, uint16_t type,
                      uint16_t klass)
{
    struct asked a = make_question(name, type, klass);
    struct policy_verdict v;

    policy_judge(p, &a.question, &v);
    text[0] = '\0';
    say("%s", policy_rule_name(v.rule));
    if (v.rule == POLICY_NONE) {
        say(" %u", v.zone);
    } else {
        say_answer(p, &a.question, &v);
    }
    free(a.octets);
    return text;
}

const char *answer(const struct policy *p, const char *name, uint16_t type)
{
    return answer_of(p, name, type, DNS_CLASS_IN);
}
