/*
 * What the user of `user` may do with the files that the program writes: it
 * has become that user when it writes them.
 */
#include "config/check.h"

#include "config/user.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *check_folder_of(struct check *c, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));

    c->d->is_out_of_memory |= folder == NULL;
    return folder;
}

static const struct draft_value *given(const struct check *c, enum key_id id)
{
    const struct draft_value *v = &c->draft->values[id];

    return v->is_given && !v->is_bad && v->path != NULL ? v : NULL;
}

static void report(struct check *c, enum key_id id, const char *path)
{
    diag_error(c->d, c->draft->values[id].at, keys_table[id].name,
               "%s cannot be written by user %s", diag_quote(path).text,
               c->draft->values[KEY_user].path);
}

/* The cache's file is replaced by a new one, so its folder matters. */
static void check_cache_file(struct check *c, const struct config_user *user)
{
    const struct draft_value *v = given(c, KEY_cache_file);
    char *folder = v == NULL ? NULL : check_folder_of(c, v->path);

    if (folder != NULL && config_user_is_refused(user, folder, W_OK | X_OK)) {
        report(c, KEY_cache_file, folder);
    }
    free(folder);
}

/* One that is not there is made at the start, for that user. What is no file
 * is opened once. */
static void check_query_log(struct check *c, const struct config_user *user)
{
    const struct draft_value *v = given(c, KEY_query_log);
    struct stat st;

    if (v != NULL && !config_log_is_stderr(v->path) &&
        stat(v->path, &st) == 0 && S_ISREG(st.st_mode) &&
        config_user_is_refused(user, v->path, W_OK)) {
        report(c, KEY_query_log, v->path);
    }
}

void check_user_files(struct check *c)
{
    const struct draft_value *v = given(c, KEY_user);
    struct config_user user;

    /* Without root it stays who it is, and that was checked. */
    if (v == NULL || geteuid() != 0 || config_user_find(v->path, &user) != 0) {
        return;
    }
    check_cache_file(c, &user);
    check_query_log(c, &user);
}
