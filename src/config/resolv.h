/*
 * The search line of a resolv.conf.
 */
#ifndef CONFIG_RESOLV_H
#define CONFIG_RESOLV_H

#include "base/attr.h"

/*
 * The domains of the file's last search or domain line, with blanks between
 * them, "" when there is none; the caller frees it. Nothing is checked; what
 * cannot be shown on a terminal is '?' in it.
 * Returns 0 | ERR_NOTFOUND (no such file) | ERR_CONFIG | ERR_NOMEM, errno is
 * that of the failure to read.
 */
MUST_USE int resolv_search(const char *file, char **out);

#endif
