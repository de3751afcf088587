/*
 * The configuration of commands that ask servers themselves.
 */
#ifndef CLI_LOAD_WITH_H
#define CLI_LOAD_WITH_H

#include "base/attr.h"
#include "cli/cli.h"
#include "server/setup.h"

#include <stddef.h>

/*
 * Load what args names, as `dotstub run` would, with these servers in place of
 * the file's if count is not 0 (then the default file may be missing); what
 * they are on the command line, for messages. Complains on standard error.
 * Returns CLI_OK | CLI_BAD_CONFIG | CLI_USAGE (the servers) | CLI_FAILURE.
 */
MUST_USE int load_with_servers(const struct cli_args *args,
                               char *const *servers, size_t count,
                               const char *what, struct config **out);

/*
 * Start the cryptography and make a setup. Takes config. NULL: it could not be
 * made, and the log says why.
 */
MUST_USE struct setup *load_setup(struct config *config);

/* Accepts NULL. */
void load_setup_finish(struct setup *s);

#endif
