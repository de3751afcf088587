/*
 * What holds of every configuration and of all that is said about it.
 */
#ifndef TESTS_FUZZ_CONFIG_REQUIRE_CONFIG_H
#define TESTS_FUZZ_CONFIG_REQUIRE_CONFIG_H

#include "config/config.h"

/* The outcome of loading: err, and c and d, which are finished. */
void require_outcome(int err, struct config *c, struct config_diagnostics *d);

/* plain_may_be: servers in clear text may be in it. */
void require_pool(const struct config_pool *p, bool plain_may_be);

#endif
