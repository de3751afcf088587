/*
 * The same objects as in a worker, made in the same order; the loop runs while
 * a query is on its way.
 */
#include "cli/stack.h"

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/load_with.h"
#include "dns/message.h"
#include "dns/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UDP_SIZE = 1232, TICK_MS = 1 };

static int open_pools(struct stack *s)
{
    const struct setup *setup = s->setup;
    int err = 0;

    s->pools = calloc(setup->pool_count, sizeof(struct upstream_pool *));
    if (s->pools == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < setup->pool_count && err == 0; i++) {
        if (setup->pools[i] != NULL) {
            err = upstream_pool_create(s->loop, setup->config, setup->pools[i],
                                       setup->trust, &s->pools[i]);
        }
    }
    return err;
}

static void on_tick(struct net_timer *t)
{
    struct stack *s = CONTAINER_OF(t, struct stack, tick);

    s->on_turn(s->arg);
    net_timer_start(t, TICK_MS);
}

static int bring_up(struct stack *s)
{
    int err = net_loop_create(&s->loop);

    if (err != 0) {
        return err;
    }
    net_timer_init(&s->tick, s->loop, on_tick);
    s->answer = malloc(DNS_MESSAGE_MAX);
    err = s->answer == NULL ? ERR_NOMEM : open_pools(s);
    if (err == 0) {
        const struct resolver_setup setup = {
            .config = s->setup->config,
            .policy = s->setup->policy,
            .pools = s->pools,
            .pool_count = s->setup->pool_count,
        };
        err = resolver_create(s->loop, &setup, NULL, &s->resolver);
    }
    return err;
}

int stack_open(struct stack *s, struct config *config)
{
    *s = (struct stack){.loop = NULL};
    config->warm_for_ms = 0; /* connections: what these queries need */
    log_setup(LOG_ERROR, LOG_TEXT);
    s->setup = load_setup(config);
    if (s->setup == NULL) {
        return CLI_BAD_CONFIG;
    }
    int err = bring_up(s);
    if (err != 0) {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
        return CLI_FAILURE;
    }
    return CLI_OK;
}

void stack_close(struct stack *s)
{
    resolver_destroy(s->resolver);
    for (size_t i = 0; s->pools != NULL && i < s->setup->pool_count; i++) {
        upstream_pool_destroy(s->pools[i]);
    }
    free(s->pools);
    net_loop_destroy(s->loop);
    load_setup_finish(s->setup);
    free(s->answer);
    *s = (struct stack){.loop = NULL};
}

/* ---- asking ---- */

/* Returns the length | ERR_INVAL. */
static int make_message(const struct stack_question *q,
                        uint8_t out[STACK_QUERY_MAX])
{
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_from_text(q->name, strlen(q->name), name);
    uint8_t *p = out;

    if (len < 0) {
        return ERR_INVAL;
    }
    memset(p, 0, STACK_QUERY_MAX);
    dns_put16(p + 2, DNS_FLAG_RD | DNS_FLAG_AD | (q->has_cd ? DNS_FLAG_CD : 0));
    p[5] = 1;  /* a question */
    p[11] = 1; /* an OPT */
    p += DNS_HEADER_LEN;
    memcpy(p, name, (size_t)len);
    dns_put16(p + len, q->type);
    dns_put16(p + len + 2, DNS_CLASS_IN);
    p += len + 4;
    dns_put16(p + 1, DNS_TYPE_OPT);
    dns_put16(p + 3, UDP_SIZE);
    p[7] = q->has_do ? 0x80 : 0;
    return (int)(p - out) + DNS_OPT_FIXED_LEN;
}

static void on_answer(struct resolver_query *asked)
{
    struct stack *s = CONTAINER_OF(asked, struct stack, asked);

    s->answer_len = resolver_write(asked, s->answer, DNS_MESSAGE_MAX);
    s->is_done = true;
    net_loop_stop(s->loop);
}

int stack_ask(struct stack *s, const struct stack_question *q)
{
    uint8_t message[STACK_QUERY_MAX];
    uint64_t began_us = net_now_us(s->loop);
    int len = make_message(q, message);

    if (len < 0) {
        return len;
    }
    net_random(s->loop, message, 2); /* the ID */
    trace_init(&s->trace, began_us);
    s->asked = (struct resolver_query){
        .on_answer = on_answer,
        .is_tcp = q->is_tcp,
        .trace = q->is_traced ? &s->trace : NULL,
    };
    s->answer_len = 0;
    s->is_done =
        resolver_ask(s->resolver, &s->asked, span_of(message, (size_t)len),
                     s->answer, DNS_MESSAGE_MAX,
                     &s->answer_len) != RESOLVER_PENDING;
    if (s->on_turn != NULL) {
        s->on_turn(s->arg); /* a socket may be gone at the first tick */
        net_timer_start(&s->tick, TICK_MS);
    }
    while (!s->is_done) {
        net_loop_run(s->loop);
    }
    net_timer_stop(&s->tick);
    s->took_us += net_now_us(s->loop) - began_us;
    return 0;
}

bool stack_has_failed(const struct stack *s)
{
    const struct resolver_stats *stats = resolver_stats(s->resolver);

    return stats->timeouts + stats->failures + stats->refused > 0;
}
