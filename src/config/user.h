/*
 * Users of this machine, as `user` names them: by /etc/passwd, or by number.
 */
#ifndef CONFIG_USER_H
#define CONFIG_USER_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdio.h>

struct config_user {
    unsigned uid;
    unsigned gid; /* the user's own; a number is both */
};

/* Returns 0 | ERR_NOTFOUND (no such user) | ERR_INVAL (a number that no user
 * can have) | ERR_IO (the list of users cannot be read). */
MUST_USE int config_user_find(const char *name, struct config_user *out);

/* The same for a name, in this list of users (passwd(5)). */
MUST_USE int config_user_find_in(FILE *list, const char *name,
                                 struct config_user *out);

/*
 * Is it certain that the user may not do this with path (R_OK, W_OK, X_OK, as
 * access(2)), by the permissions of path or of the folders that lead to it?
 * What an access list or another group might allow is not certain, nor is what
 * cannot be looked at.
 */
bool config_user_is_refused(const struct config_user *u, const char *path,
                            unsigned mode);

#endif
