/*
 * /etc/passwd alone is looked at: getpwnam(3) would load modules, which a
 * static program does not have.
 */
#include "config/user.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever is given to setuid(2) as this stays who he is. */
static bool is_an_id(unsigned long id)
{
    return id < UINT32_MAX;
}

static int find_number(const char *name, struct config_user *out)
{
    char *end = NULL;
    unsigned long number = strtoul(name, &end, 10);

    if (!is_an_id(number) || *end != '\0') {
        return ERR_INVAL;
    }
    *out = (struct config_user){(unsigned)number, (unsigned)number};
    return 0;
}

static int find_name(FILE *list, const char *name, struct config_user *out)
{
    const struct passwd *p;

    do {
        p = fgetpwent(list);
    } while (p != NULL && strcmp(p->pw_name, name) != 0);
    if (p == NULL) {
        return ERR_NOTFOUND;
    }
    *out = (struct config_user){p->pw_uid, p->pw_gid};
    return is_an_id(p->pw_uid) && is_an_id(p->pw_gid) ? 0 : ERR_INVAL;
}

int config_user_find(const char *name, struct config_user *out)
{
    if (*name != '\0' && strspn(name, "0123456789") == strlen(name)) {
        return find_number(name, out);
    }
    FILE *f = fopen("/etc/passwd", "re");
    if (f == NULL) {
        return ERR_IO;
    }
    int err = find_name(f, name, out);
    (void)fclose(f);
    return err;
}

static bool has(mode_t bits, unsigned mode)
{
    return (bits & mode) == mode;
}

/* Only the owner's bits are certain to be the user's. Of the others' an access
 * list may choose, but it gives nobody more than the group's bits, which are
 * its mask, or those of all. */
static bool is_refused(const struct config_user *u, const struct stat *st,
                       unsigned mode)
{
    if (st->st_uid == u->uid) {
        return !has(st->st_mode >> 6, mode);
    }
    return !has(st->st_mode >> 3, mode) && !has(st->st_mode, mode);
}

bool config_user_is_refused(const struct config_user *u, const char *path,
                            unsigned mode)
{
    char folder[PATH_MAX];
    struct stat st;

    if (u->uid == 0) {
        return false;
    }
    for (const char *slash = strchr(path, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path) + 1;
        if (len >= sizeof(folder)) {
            return false;
        }
        memcpy(folder, path, len);
        folder[len] = '\0';
        if (stat(folder, &st) == 0 && is_refused(u, &st, X_OK)) {
            return true;
        }
    }
    return stat(path, &st) == 0 && is_refused(u, &st, mode);
}
