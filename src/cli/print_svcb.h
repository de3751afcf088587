/*
 * The parameters of SVCB and HTTPS records (RFC 9460 sections 2.1, 14.3.2).
 */
#ifndef CLI_PRINT_SVCB_H
#define CLI_PRINT_SVCB_H

#include "base/span.h"

#include <stdbool.h>
#include <stdio.h>

/* Print them with spaces between them. False: they are not as they should be,
 * and what was printed means nothing. */
bool print_svcb_params(FILE *out, struct span params);

#endif
