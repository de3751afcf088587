/*
 * /etc/passwd alone is looked at: getpwnam(3) would load modules, which a
 * static program does not have. It is read here, because to some C libraries
 * the number 4294967296 is root's.
 */
#include "config/user.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
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

/* A field of digits, up to a colon. Returns what is behind it; NULL: it is no
 * such field. A number that is too high stays so. */
static const char *read_id(const char *field, unsigned *out)
{
    size_t digits = strspn(field, "0123456789");
    unsigned long number = strtoul(field, NULL, 10);

    *out = is_an_id(number) ? (unsigned)number : UINT32_MAX;
    return digits > 0 && field[digits] == ':' ? field + digits + 1 : NULL;
}

/* The user of a line, if it is of that name. */
static int read_line(const char *line, const char *name,
                     struct config_user *out)
{
    struct config_user user;
    size_t len = strlen(name);

    line += strspn(line, " \t");
    if (*line == '#' || strncmp(line, name, len) != 0 || line[len] != ':') {
        return ERR_NOTFOUND;
    }
    const char *field = strchr(line + len + 1, ':');
    field = field == NULL ? NULL : read_id(field + 1, &user.uid);
    field = field == NULL ? NULL : read_id(field, &user.gid);
    if (field == NULL || !is_an_id(user.uid) || !is_an_id(user.gid)) {
        return ERR_INVAL;
    }
    *out = user;
    return 0;
}

int config_user_find_in(FILE *list, const char *name, struct config_user *out)
{
    char *line = NULL;
    size_t size = 0;
    int err = ERR_NOTFOUND;

    if (*name == '\0' || strchr(name, ':') != NULL) {
        return err;
    }
    while (err == ERR_NOTFOUND && getline(&line, &size, list) >= 0) {
        err = read_line(line, name, out);
    }
    free(line);
    return err == ERR_NOTFOUND && ferror(list) ? ERR_IO : err;
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
    int err = config_user_find_in(f, name, out);
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
