/*
 * Where the dotstub that runs can be asked: what `listen` and `control` of its
 * configuration say. Commands that ask it need these two keys and no other, and
 * must work when the file has become bad under it.
 */
#ifndef CONFIG_DOOR_H
#define CONFIG_DOOR_H

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct config_door {
    struct addr *listen; /* owned */
    size_t listen_count; /* 0: it is there, and none of it is understood, or
                            the file cannot be read */
    char *control;       /* owned; NULL: off, or not understood */
    bool is_control_bad; /* it is there and cannot be understood, or the file
                            cannot be read */
    bool is_nowhere;     /* the file cannot be read, and nothing else says where
                            to ask: that is an error in d */
};

/*
 * Read the two keys of file ("-": standard input) and of the environment
 * (NULL-ended). One that is not there has its default. Whatever else the file
 * holds is not looked at; where its syntax is broken the two are looked for
 * beside the fault. What is wrong is a warning in d, which is initialised by
 * the call, finished by the caller.
 * Returns 0 | ERR_NOMEM (out is empty).
 */
MUST_USE int config_door_load(const char *file, char *const *environment,
                              struct config_door *out,
                              struct config_diagnostics *d);

/* Accepts a zeroed one. */
void config_door_finish(struct config_door *door);

#endif
