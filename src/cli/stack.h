/*
 * What answers a client's query, all but the listeners, in this process: a
 * setup, its pools and a resolver on a loop of their own.
 */
#ifndef CLI_STACK_H
#define CLI_STACK_H

#include "base/attr.h"
#include "base/trace.h"
#include "config/config.h"
#include "resolver/resolver.h"
#include "server/setup.h"
#include "upstream/upstream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STACK_QUERY_MAX = 12 + 255 + 4 + 11 };

struct stack {
    struct net_loop *loop;
    struct setup *setup;
    struct upstream_pool **pools; /* as setup->pools */
    struct resolver *resolver;
    struct resolver_query asked;
    struct trace trace;
    uint8_t *answer; /* DNS_MESSAGE_MAX octets */
    size_t answer_len;
    uint64_t took_us; /* all asking */
    bool is_done;
    void (*on_turn)(void *arg); /* when it has asked, and every millisecond
                                   or so until it is answered; or NULL */
    void *arg;
    struct net_timer tick;
};

/* A question, and how it is asked. */
struct stack_question {
    const char *name;
    uint16_t type;
    bool has_do, has_cd, is_tcp, is_traced;
};

/* Takes config. Connections are made for queries alone. Complains on standard
 * error. Returns an exit code of cli.h; to be closed in any case. */
MUST_USE int stack_open(struct stack *s, struct config *config);
void stack_close(struct stack *s);

/* Ask, and wait for the answer: answer_len octets, 0 for none. Returns 0 |
 * ERR_INVAL (this is no name). */
MUST_USE int stack_ask(struct stack *s, const struct stack_question *q);

/* Did a query end without any server's answer? */
bool stack_has_failed(const struct stack *s);

#endif
