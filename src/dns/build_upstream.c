/*
 * Queries towards a server. The length that each will have is known before an
 * octet is written; the client's records move as whole runs.
 */
#include "dns/build.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/put.h"

enum { ECS_ZERO_LEN = 4 };

/* RFC 7871 section 7.1.2: a source prefix of no bits. */
static const uint8_t ecs_zero[ECS_ZERO_LEN] = {0, 1, 0, 0};

/* The options of our OPT, laid out. */
struct options_plan {
    bool has_keepalive;
    bool has_ecs_zero;
    bool has_padding;
    size_t padding_len; /* octets in the option, without its head */
    size_t len;         /* octets of all */
};

/*
 * What goes into the OPT of a query that has len octets without options.
 * Padding comes last and fills a block, or what the longest message leaves
 * (RFC 8467 section 4.1). What does not fit the longest message is left out.
 */
static struct options_plan plan_options(size_t len,
                                        const struct dns_upstream_options *o)
{
    struct options_plan plan = {.has_keepalive = o->has_keepalive,
                                .has_ecs_zero = o->has_ecs_zero};
    size_t whole;

    plan.len += o->has_keepalive ? DNS_OPTION_HEAD_LEN : 0;
    plan.len += o->has_ecs_zero ? DNS_OPTION_HEAD_LEN + ECS_ZERO_LEN : 0;
    if (len + plan.len > DNS_MESSAGE_MAX) {
        plan = (struct options_plan){0};
    }
    len += plan.len + DNS_OPTION_HEAD_LEN;
    if (o->pad_block == 0 || len > DNS_MESSAGE_MAX) {
        return plan;
    }
    whole = (len + o->pad_block - 1) / o->pad_block * o->pad_block;
    whole = whole < DNS_MESSAGE_MAX ? whole : DNS_MESSAGE_MAX;
    plan.has_padding = true;
    plan.padding_len = whole - len;
    plan.len += DNS_OPTION_HEAD_LEN + plan.padding_len;
    return plan;
}

static void put_options(uint8_t *p, const struct options_plan *plan)
{
    if (plan->has_keepalive) {
        p = dns_put_option_head(p, DNS_OPTION_KEEPALIVE, 0);
    }
    if (plan->has_ecs_zero) {
        p = dns_put_option_head(p, DNS_OPTION_ECS, ECS_ZERO_LEN);
        p = dns_put(p, ecs_zero, ECS_ZERO_LEN);
    }
    if (plan->has_padding) {
        p = dns_put_option_head(p, DNS_OPTION_PADDING, plan->padding_len);
        memset(p, 0, plan->padding_len);
    }
}

/*
 * Octets of the TSIG record that ends the count records of msg from at on, 0
 * when another one does. Nothing may follow a TSIG (RFC 8945 section 5.1).
 */
static size_t last_tsig_len(struct span msg, size_t at, unsigned count)
{
    size_t len = 0;
    unsigned type = 0;

    for (unsigned i = 0; i < count; i++) {
        int name_len = dns_name_skip(msg, at);
        if (name_len < 0) {
            return 0; /* not a message that dns_query_parse() accepted */
        }
        type = dns_get16(msg.ptr + at + (size_t)name_len);
        len = (size_t)name_len + DNS_RECORD_FIXED_LEN;
        len += dns_get16(msg.ptr + at + len - 2);
        at += len;
    }
    return type == DNS_TYPE_TSIG ? len : 0;
}

/*
 * Write the client's own records behind header and question, which end at
 * *p. Returns the octets at the end that our OPT has to go before.
 */
static size_t put_extra(uint8_t **p, struct span msg, const struct dns_query *q,
                        const uint8_t *out)
{
    size_t at = (size_t)(*p - out);
    unsigned in_additional = dns_get16(msg.ptr + DNS_AT_ARCOUNT);

    *p = dns_put_records(*p, msg, at, &q->opt);
    if (in_additional == (q->opt.is_present ? 1 : 0)) {
        return 0; /* the last record is of another section */
    }
    return last_tsig_len(span_of(out, (size_t)(*p - out)), at, q->extra_count);
}

int dns_build_upstream(struct span msg, const struct dns_query *q,
                       const struct dns_upstream_options *options, uint8_t *out,
                       size_t cap)
{
    size_t head = DNS_HEADER_LEN + dns_question_len(&q->question);
    size_t bare = msg.len - q->opt.len + DNS_OPT_FIXED_LEN;
    struct options_plan plan = plan_options(bare, options);
    unsigned kept = DNS_OPCODE_MASK | DNS_FLAG_RD | DNS_FLAG_Z | DNS_FLAG_CD;
    uint8_t *p = out;

    if (bare > DNS_MESSAGE_MAX || bare + plan.len > cap) {
        return ERR_DNS_SPACE;
    }
    p = dns_put(p, msg.ptr, head);
    dns_put16(out, 0);
    dns_put16(out + DNS_AT_FLAGS, (q->flags & kept) | DNS_FLAG_AD);
    if (q->extra_count > 0) {
        size_t tail = put_extra(&p, msg, q, out);
        p -= tail;
        memmove(p + DNS_OPT_FIXED_LEN + plan.len, p, tail);
    }
    if (!q->opt.is_present) {
        dns_put16(out + DNS_AT_ARCOUNT, dns_get16(out + DNS_AT_ARCOUNT) + 1u);
    }
    p = dns_put_opt_head(p, DNS_UPSTREAM_UDP_SIZE, 0, q->opt.has_do, plan.len);
    put_options(p, &plan);
    return (int)(bare + plan.len);
}
