/*
 * What one configuration stands for, made whole before any worker sees it: the
 * configuration, what policy makes of it and of its files, the trust anchors,
 * the servers of each zone. It never changes; a reload makes another one. Made,
 * given to workers and destroyed by the main thread.
 */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#include "base/attr.h"
#include "config/config.h"
#include "dnstap/dnstap.h"
#include "policy/policy.h"
#include "tls/trust.h"

#include <stddef.h>
#include <stdint.h>

/* A configuration, shared by setups that differ in their files alone. */
struct setup_config {
    unsigned refs;
    struct config *config;
    struct addr *asked; /* config->listen as it was read: ports may be 0 */
};

/* Another one who uses it. */
struct setup_config *setup_config_retain(struct setup_config *s);

/* The last one frees it. Accepts NULL. */
void setup_config_release(struct setup_config *s);

struct setup {
    struct setup_config *shared;
    struct config *config; /* shared->config */
    struct policy *policy;
    struct tls_trust *trust; /* NULL: no server needs it */
    struct dnstap *tap;      /* NULL: off; see tap_open() */
    /* Of the default pool, then of each zone (NULL: it has no servers): either
     * in config or in read. */
    const struct config_pool **pools;
    struct config_pool *read; /* from resolv.conf; empty where it is not */
    size_t pool_count;
};

/*
 * Takes config, on failure too. hash_key: 16 octets that nobody can guess.
 * is_strict: at start, every file must be there; afterwards one that is
 * missing costs a warning.
 * Returns 0 | ERR_NOMEM | ERR_NOTFOUND | ERR_CONFIG | ERR_IO | ERR_TLS_SETUP
 * (logged).
 */
MUST_USE int setup_create(struct config *config, const uint8_t hash_key[16],
                          bool is_strict, struct setup **out);

/* The same configuration, its files read again. before is not changed. */
MUST_USE int setup_create_again(const struct setup *before,
                                const uint8_t hash_key[16], struct setup **out);

/* Nobody may use it any more. Accepts NULL. */
void setup_destroy(struct setup *s);

/* Call fn with each file whose content is in s (watch them). */
void setup_each_file(const struct config *config,
                     void (*fn)(void *arg, const char *path), void *arg);

#endif
