/*
 * The cache in a file, from one run to the next. What goes wrong with the file
 * costs a warning and an empty cache, never a start.
 */
#ifndef SERVER_PERSIST_H
#define SERVER_PERSIST_H

#include "cache/cache.h"

#include <stdint.h>

/* Fill c from path. wall_s: seconds since 1970; boot_ms: the cache's clock. */
void persist_load(struct cache *c, const char *path, uint64_t wall_s,
                  uint64_t boot_ms);

/* Write c to path: whole, or not at all (a new file takes its place). */
void persist_save(struct cache *c, const char *path, uint64_t wall_s,
                  uint64_t boot_ms);

#endif
