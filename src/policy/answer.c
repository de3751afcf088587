/*
 * Messages of answers made here. Every owner of a record is the question's
 * name, a suffix of it, or the target of a CNAME before it, so each is a
 * pointer of two octets (RFC 1035 section 4.1.4).
 */
#include "base/err.h"
#include "policy/inner.h"
#include "policy/special.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TYPE_HINFO = 13,
    FIXED_LEN = 12,       /* owner, type, class, TTL, length */
    CHAIN_MAX = 6,        /* CNAMEs followed: also what ends a loop */
    MINIMAL_TTL_S = 3600, /* RFC 8482 section 4.2: long enough to stop it being
                              asked again and again */
    QUESTION_MAX = DNS_NAME_MAX + 4,
    OUT_MIN = 4096,
};
_Static_assert(DNS_HEADER_LEN + QUESTION_MAX +
                       CHAIN_MAX * (FIXED_LEN + DNS_NAME_MAX) +
                       NAMES_RECORDS_LEN_MAX <=
                   OUT_MIN,
               "a chain and the records at its end fit");

struct answer {
    const struct policy *policy;
    const struct dns_question *question;
    uint8_t *out;
    size_t len, cap;
    unsigned flags; /* with the RCODE */
    unsigned answer_count, authority_count;
    unsigned klass; /* of records */
    uint32_t ttl_s; /* local_ttl_s */
};

static void begin(struct answer *a, const struct dns_question *q)
{
    memset(a->out, 0, DNS_HEADER_LEN);
    a->len = DNS_HEADER_LEN;
    memcpy(a->out + a->len, q->name, q->name_len);
    a->len += q->name_len;
    dns_put16(a->out + a->len, q->type);
    dns_put16(a->out + a->len + 2, q->klass);
    a->len += 4;
}

static size_t end(struct answer *a)
{
    dns_put16(a->out + 2, a->flags);
    dns_put16(a->out + 4, 1);
    dns_put16(a->out + 6, a->answer_count);
    dns_put16(a->out + 8, a->authority_count);
    return a->len;
}

/* A record whose owner stands at offset owner_at of the message. */
static void put_record(struct answer *a, size_t owner_at, unsigned type,
                       uint32_t ttl_s, const void *data, size_t len)
{
    uint8_t *p = a->out + a->len;

    assert(a->cap - a->len >= FIXED_LEN + len);
    dns_put16(p, 0xc000u | (unsigned)owner_at);
    dns_put16(p + 2, type);
    dns_put16(p + 4, a->klass);
    dns_put32(p + 6, ttl_s);
    dns_put16(p + 10, (unsigned)len);
    memcpy(p + FIXED_LEN, data, len);
    a->len += FIXED_LEN + len;
}

static void put_answer(struct answer *a, size_t owner_at, unsigned type,
                       uint32_t ttl_s, const void *data, size_t len)
{
    put_record(a, owner_at, type, ttl_s, data, len);
    a->answer_count++;
}

/* SOA of the zone whose name stands at owner_at, as RFC 6303 section 3 has it.
 * Its last number is the TTL of what is not there: RFC 2308 section 4. */
static void put_soa(struct answer *a, size_t owner_at)
{
    static const uint8_t fixed[] =
        "\11localhost\0\6nobody\7invalid\0"
        "\0\0\0\1\0\0\x0e\x10\0\0\x04\xb0\0\x09\x3a\x80";
    uint8_t data[sizeof(fixed) - 1 + 4]; /* without the NUL */

    memcpy(data, fixed, sizeof(fixed) - 1);
    dns_put32(data + sizeof(fixed) - 1, a->ttl_s);
    put_record(a, owner_at, DNS_TYPE_SOA, a->ttl_s, data, sizeof(data));
}

static bool has_names_below(const struct policy *p,
                            const struct dns_question *q)
{
    const struct names_node *node = names_find(&p->names, q->name, q->name_len);

    return node != NULL && (node->marks & NAMES_ABOVE) != 0;
}

/* Nothing, said by the zone of the suffix (of the question's name). Only its
 * SOA is something. NXDOMAIN would say it of all names below: RFC 8020. */
static void put_nothing(struct answer *a, unsigned rcode, size_t suffix_len)
{
    if (rcode == DNS_RCODE_NXDOMAIN &&
        has_names_below(a->policy, a->question)) {
        rcode = DNS_RCODE_NOERROR;
    }
    a->flags |= rcode;
    put_soa(a, DNS_HEADER_LEN + a->question->name_len - suffix_len);
    if (rcode == DNS_RCODE_NOERROR && a->question->type == DNS_TYPE_SOA &&
        suffix_len == a->question->name_len) {
        a->answer_count++;
    } else {
        a->authority_count++;
    }
}

static bool asks_for(const struct answer *a, uint16_t type)
{
    return a->question->type == type || a->question->type == DNS_TYPE_ANY;
}

/* The addresses, as far as they are asked for. */
static void put_addresses(struct answer *a, const uint8_t v4[4],
                          const uint8_t v6[16], size_t suffix_len)
{
    if (asks_for(a, DNS_TYPE_A)) {
        put_answer(a, DNS_HEADER_LEN, DNS_TYPE_A, a->ttl_s, v4, 4);
    }
    if (asks_for(a, DNS_TYPE_AAAA)) {
        put_answer(a, DNS_HEADER_LEN, DNS_TYPE_AAAA, a->ttl_s, v6, 16);
    }
    if (a->answer_count == 0) {
        put_nothing(a, DNS_RCODE_NOERROR, suffix_len);
    }
}

/* ---- what each rule says ---- */

/* The records of the type asked; returns whether there are any. */
static bool put_asked(struct answer *a, size_t owner_at,
                      const struct names_record *r)
{
    bool has_any = false;

    for (r = names_record_of(r, a->question->type); r != NULL;
         r = names_record_of(r->next, a->question->type)) {
        put_answer(a, owner_at, r->type, r->ttl_s, r->data, r->len);
        has_any = true;
    }
    return has_any;
}

static void put_local(struct answer *a, const struct names_node *node)
{
    size_t owner_at = DNS_HEADER_LEN;

    for (unsigned i = 0; i <= CHAIN_MAX; i++) {
        const struct names_record *cname;

        if (put_asked(a, owner_at, node->records)) {
            return;
        }
        cname = names_record_of(node->records, DNS_TYPE_CNAME);
        if (cname == NULL) {
            put_soa(a, owner_at);
            a->authority_count++;
            return;
        }
        if (i == CHAIN_MAX) {
            return;
        }
        put_answer(a, owner_at, DNS_TYPE_CNAME, cname->ttl_s, cname->data,
                   cname->len);
        owner_at = a->len - cname->len;
        node = names_find(&a->policy->names, cname->data, cname->len);
        if (node == NULL || node->records == NULL) {
            return;
        }
    }
}

static void put_denied(struct answer *a)
{
    static const uint8_t zeros[16];

    if (a->policy->deny_answer == POLICY_DENY_ZERO) {
        put_addresses(a, zeros, zeros, a->question->name_len);
    } else {
        put_nothing(a, DNS_RCODE_NXDOMAIN, a->question->name_len);
    }
}

static void put_loopback_name(struct answer *a, const struct names_node *node)
{
    static const uint8_t localhost[] = "\11localhost";

    if (node->len != a->question->name_len) {
        put_nothing(a, DNS_RCODE_NXDOMAIN, node->len);
    } else if (asks_for(a, DNS_TYPE_PTR)) {
        put_answer(a, DNS_HEADER_LEN, DNS_TYPE_PTR, a->ttl_s, localhost,
                   sizeof(localhost));
    } else {
        put_nothing(a, DNS_RCODE_NOERROR, node->len);
    }
}

static void put_special(struct answer *a, const struct names_node *node)
{
    static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
    static const uint8_t loopback_v6[16] = {[15] = 1};
    bool is_whole = node->len == a->question->name_len;

    if (a->klass != DNS_CLASS_IN) { /* their data is of IN */
        put_nothing(a, DNS_RCODE_NXDOMAIN, node->len);
        return;
    }
    switch (special_kind_of(node)) {
    case SPECIAL_NXDOMAIN:
        put_nothing(a, DNS_RCODE_NXDOMAIN, node->len);
        break;
    case SPECIAL_EMPTY:
        put_nothing(a, is_whole ? DNS_RCODE_NOERROR : DNS_RCODE_NXDOMAIN,
                    node->len);
        break;
    case SPECIAL_NODATA:
        put_nothing(a, DNS_RCODE_NOERROR, node->len);
        break;
    case SPECIAL_LOCALHOST:
        put_addresses(a, loopback_v4, loopback_v6, node->len);
        break;
    case SPECIAL_LOOPBACK:
        put_loopback_name(a, node);
        break;
    }
}

/* RFC 8482 section 4.2. */
static void put_minimal_any(struct answer *a)
{
    static const uint8_t hinfo[] = "\7RFC8482"; /* its NUL: no second string */

    put_answer(a, DNS_HEADER_LEN, TYPE_HINFO, MINIMAL_TTL_S, hinfo,
               sizeof(hinfo));
}

/* Is the answer the last word on its name, not one in the place of another's?
 */
static bool is_authoritative(enum policy_rule rule)
{
    return rule == POLICY_LOCAL || rule == POLICY_ZONE_NX ||
           rule == POLICY_SPECIAL;
}

size_t policy_write(const struct policy *p, const struct dns_question *question,
                    const struct policy_verdict *verdict, uint8_t *out,
                    size_t cap)
{
    const struct names_node *node = verdict->data;
    struct answer a = {
        .policy = p,
        .question = question,
        .out = out,
        .cap = cap,
        .flags = DNS_FLAG_QR | DNS_FLAG_RA,
        .klass = question->klass == CLASS_ANY ? DNS_CLASS_IN : question->klass,
        .ttl_s = p->local_ttl_s,
    };

    assert(cap >= OUT_MIN && verdict->rule != POLICY_NONE);
    a.flags |= is_authoritative(verdict->rule) ? DNS_FLAG_AA : 0u;
    begin(&a, question);
    switch (verdict->rule) {
    case POLICY_LOCAL:
        put_local(&a, node);
        break;
    case POLICY_DENIED:
        put_denied(&a);
        break;
    case POLICY_ZONE_NX:
    case POLICY_NOISE:
        put_nothing(&a, DNS_RCODE_NXDOMAIN, node->len);
        break;
    case POLICY_SPECIAL:
        put_special(&a, node);
        break;
    case POLICY_ANY:
        put_minimal_any(&a);
        break;
    case POLICY_NONE:
    case POLICY_RULES_TOTAL:
        break;
    }
    return end(&a);
}

/* ---- names with others below ---- */

static struct policy_verdict verdict_on(const struct policy *p,
                                        const uint8_t *name, size_t len)
{
    const struct dns_question q = {
        .name = name,
        .name_len = (uint16_t)len,
        .type = DNS_TYPE_A,
        .klass = DNS_CLASS_IN,
    };
    struct policy_verdict v;

    policy_judge(p, &q, &v);
    return v;
}

/* Is the node's name there because of what the node itself has? */
static bool is_there(const struct policy *p, const struct names_node *node)
{
    struct policy_verdict v = verdict_on(p, node->name, node->len);

    if (v.data != node) {
        return false;
    }
    return v.rule == POLICY_LOCAL || v.rule == POLICY_NONE ||
           (v.rule == POLICY_SPECIAL &&
            special_kind_of(node) != SPECIAL_NXDOMAIN);
}

/* Mark the names above this one that are answered here. Behind one that has
 * its mark all have theirs. */
static int mark_above(struct policy *p, const struct names_node *below)
{
    size_t at = 0;

    while (below->name[at] != 0) {
        struct names_node *node;
        size_t len;

        at += 1u + below->name[at];
        len = below->len - at;
        if (verdict_on(p, below->name + at, len).rule == POLICY_NONE) {
            continue;
        }
        if (names_add(&p->names, below->name + at, len, &node) != 0) {
            return ERR_NOMEM;
        }
        if ((node->marks & NAMES_ABOVE) != 0) {
            break;
        }
        node->marks |= NAMES_ABOVE;
    }
    return 0;
}

int answer_mark_above(struct policy *p)
{
    /* The table moves its slots while it grows. */
    const struct names_node **nodes =
        calloc(p->names.count, sizeof(const struct names_node *));
    size_t count = 0;
    int err = 0;

    if (nodes == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < p->names.cap; i++) {
        if (p->names.slots[i].node != NULL) {
            nodes[count++] = p->names.slots[i].node;
        }
    }
    for (size_t i = 0; i < count && err == 0; i++) {
        if (is_there(p, nodes[i])) {
            err = mark_above(p, nodes[i]);
        }
    }
    free(nodes);
    return err;
}
