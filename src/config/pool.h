/*
 * What servers of any source have in common.
 */
#ifndef CONFIG_POOL_H
#define CONFIG_POOL_H

#include "base/attr.h"
#include "config/config.h"

/* Make the label of s from what else is in it. Returns 0 | ERR_NOMEM. */
MUST_USE int pool_label(struct config_server *s);

#endif
