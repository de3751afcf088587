/*
 * From a draft without faults to the configuration, through libcyaml's schema.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "base/attr.h"
#include "config/check.h"
#include "config/config.h"

#include <stddef.h>

/*
 * Write draft as YAML that leaves nothing to understand: every key there,
 * times in ms, sizes in octets, every server a mapping. *out is the caller's
 * to free. Returns 0 | ERR_NOMEM.
 */
MUST_USE int normal_write(const struct draft *draft, char **out, size_t *len);

/*
 * Load what normal_write() wrote.
 * Returns 0 | ERR_NOMEM | ERR_CONFIG (in d; the schema and the writer differ).
 */
MUST_USE int load_normal(const char *text, size_t len, struct config **out,
                         struct diag *d);

#endif
