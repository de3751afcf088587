/*
 * The resolver's bed, and its clients.
 */
#include "client.h"

#include "tests.h"

#include <stdlib.h>
#include <string.h>

/* ---- bed ---- */

int rbed_setup(void **state)
{
    struct rbed *r = sim_alloc(sizeof(*r));

    (void)bed_setup((void **)&r->bed);
    r->bed->config.max_queries = 64;
    *state = r;
    return 0;
}

static void create(void *arg)
{
    struct rbed *r = arg;

    const struct resolver_setup setup = {
        .config = &r->bed->config,
        .policy = r->policy,
        .pools = &r->bed->pool,
        .pool_count = 1,
    };
    assert_int_equal(resolver_create(r->bed->loop, &setup, NULL, &r->resolver),
                     0);
}

void rbed_start(struct rbed *r)
{
    bed_start_ready(r->bed);
    bed_do(r->bed, create, r);
}

int rbed_teardown(void **state)
{
    struct rbed *r = *state;

    if (r->resolver != NULL && resolver_pending(r->resolver) == 0) {
        resolver_destroy(r->resolver);
    }
    policy_release(r->policy);
    int err = bed_teardown((void **)&r->bed);
    free(r);
    return err;
}

struct rbed *rbed_renew(void **state, const char *title)
{
    print_message("# %s\n", title);
    (void)rbed_teardown(state);
    (void)rbed_setup(state);
    return *state;
}

/* ---- clients ---- */

struct client *client_create(struct rbed *r)
{
    struct client *c = sim_alloc(sizeof(*c));
    c->r = r;
    return c;
}

void client_destroy(struct client *c)
{
    free(c->answer);
    free(c);
}

/* The room is as small as was promised: AddressSanitizer sees any octet more.
 */
static void on_answer(struct resolver_query *q)
{
    struct client *c = CONTAINER_OF(q, struct client, query);
    size_t max = resolver_answer_max(q);

    c->answered++;
    c->answered_us = c->r->bed->world->now_us;
    assert_in_range(max, DNS_UDP_MIN, DNS_MESSAGE_MAX);
    free(c->answer);
    c->answer = malloc(max);
    c->len = resolver_write(q, c->answer, max);
    assert_in_range(c->len, DNS_HEADER_LEN, max);
    if (c->cancels != NULL) {
        resolver_cancel(&c->cancels->query);
    }
}

static void ask_now(void *arg)
{
    struct client *c = arg;
    uint8_t *out = malloc(DNS_UDP_MIN);
    uint8_t *message = heap_copy(made_span(&c->message));

    c->query.on_answer = on_answer;
    c->asked_us = c->r->bed->world->now_us;
    c->verdict = resolver_ask(c->r->resolver, &c->query,
                              span_of(message, c->message.len), out,
                              DNS_UDP_MIN, &c->len);
    free(message); /* it was borrowed for the call */
    assert_int_equal(c->answered, 0);
    if (c->verdict == RESOLVER_ANSWERED) {
        assert_in_range(c->len, DNS_HEADER_LEN, DNS_UDP_MIN);
        c->answer = out;
    } else {
        free(out);
    }
}

void client_ask(struct client *c)
{
    bed_do(c->r->bed, ask_now, c);
}

struct client *client_ask_zone(struct rbed *r, int kind, uint64_t number,
                               bool is_tcp)
{
    struct client *c = client_create(r);

    c->query.is_tcp = is_tcp;
    c->message.len = zone_query((uint16_t)(0x4000 + number), kind, number,
                                DNS_TYPE_A, 1232, c->message.octets);
    client_ask(c);
    return c;
}

static void cancel_now(void *arg)
{
    struct client *c = arg;
    resolver_cancel(&c->query);
}

void client_cancel(struct client *c)
{
    bed_do(c->r->bed, cancel_now, c);
}

void client_parse(const struct client *c, struct dns_response *out)
{
    assert_non_null(c->answer);
    assert_int_equal(dns_response_parse(span_of(c->answer, c->len), out), 0);
    assert_int_equal(out->id, dns_get16(c->message.octets));
    assert_true((out->flags & DNS_FLAG_QR) != 0);
    assert_true((out->flags & DNS_FLAG_RA) != 0);
}

enum zone_verdict client_judge(const struct client *c)
{
    const char *why = NULL;

    enum zone_verdict verdict =
        zone_judge(made_span(&c->message), span_of(c->answer, c->len), &why);
    if (verdict == ZONE_WRONG) {
        print_error("%s\n", why);
    }
    return verdict;
}
