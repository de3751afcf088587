/*
 * A resolver on the bed of upstream, without cache and without other workers,
 * and clients that ask it.
 */
#ifndef TESTS_RESOLVER_CLIENT_H
#define TESTS_RESOLVER_CLIENT_H

#include "../dns/make.h"
#include "bed.h"
#include "resolver/resolver.h"
#include "sim/zone.h"

struct rbed {
    struct bed *bed;
    struct resolver *resolver;
    struct policy *policy; /* NULL, or made before rbed_start() */
};

/* One client's query. */
struct client {
    struct resolver_query query;
    struct rbed *r;
    struct made message;
    enum resolver_verdict verdict;
    unsigned answered; /* times */
    uint64_t asked_us, answered_us;
    struct client *cancels; /* another, from inside the answer */
    uint8_t *answer;        /* owned */
    size_t len;
};

/* cmocka's setup and teardown: *state is a struct rbed. */
int rbed_setup(void **state);
int rbed_teardown(void **state);

/* A fresh one for the next row of a table. */
struct rbed *rbed_renew(void **state, const char *title);

/* Create the pool, with its connections, and the resolver. */
void rbed_start(struct rbed *r);

struct client *client_create(struct rbed *r);
void client_destroy(struct client *c);

/* Ask c->message. The room for answers is as small as the resolver says that
 * it may be. */
void client_ask(struct client *c);

/* A new client asks for a name of the zone. */
struct client *client_ask_zone(struct rbed *r, int kind, uint64_t number,
                               bool is_tcp);

void client_cancel(struct client *c);

/* Parse the answer, which must be one to c's query. */
void client_parse(const struct client *c, struct dns_response *out);

enum zone_verdict client_judge(const struct client *c);

#endif
