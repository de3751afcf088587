/*
 * Paths: relative to the configuration's folder, there, of the right kind and
 * readable. Nothing is opened, so a FIFO or a device cannot hold the check up.
 */
#include "config/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path as the program can use it; NULL: out of memory. */
static char *resolve(const char *file, const char *text)
{
    const char *slash = strrchr(file, '/');
    char *path = NULL;

    if (*text == '/' || slash == NULL) {
        return strdup(text);
    }
    if (asprintf(&path, "%.*s/%s", (int)(slash - file), file, text) < 0) {
        return NULL;
    }
    return path;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static void report_missing(struct check *c, const struct node *n,
                           const char *path, const char *resolved, int errnum)
{
    const char *hint = n->text[0] == '~'
                           ? "; ~ is not expanded here, write the whole path"
                           : "";

    diag_error(c->d, n->at, path, "%s: %s%s", diag_quote(resolved).text,
               strerror(errnum), hint);
}

/* A file that will be written anew: into its folder, then over it. */
static bool check_state(struct check *c, const struct node *n, const char *path,
                        const char *resolved)
{
    struct stat st;
    const char *slash = strrchr(resolved, '/');
    char *folder = slash == NULL ? strdup(".")
                   : slash == resolved
                       ? strdup("/")
                       : strndup(resolved, (size_t)(slash - resolved));

    if (folder == NULL) {
        c->d->is_out_of_memory = true;
        return false;
    }
    bool is_file = stat(resolved, &st) != 0 || S_ISREG(st.st_mode);
    bool is_good = is_file && access(folder, W_OK | X_OK) == 0;
    if (!is_file) {
        diag_error(c->d, n->at, path, "%s is not a file",
                   diag_quote(resolved).text);
    } else if (!is_good) {
        report_missing(c, n, path, folder, errno);
    }
    free(folder);
    return is_good;
}

/* Is resolved what key asks for? */
static bool check_kind(struct check *c, const struct key *key,
                       const struct node *n, const char *path,
                       const char *resolved)
{
    struct stat st;
    bool is_folder = key->kind == KEY_KIND_FOLDER;
    struct diag_quote quote = diag_quote(resolved);

    if (key->kind == KEY_KIND_STATE) {
        return check_state(c, n, path, resolved);
    }
    if (stat(resolved, &st) != 0) {
        report_missing(c, n, path, resolved, errno);
        return false;
    }
    if (is_folder && !S_ISDIR(st.st_mode)) {
        diag_error(c->d, n->at, path,
                   "%s is a file; did you mean ca_file, or its folder?",
                   quote.text);
        return false;
    }
    if (!is_folder && S_ISDIR(st.st_mode)) {
        /* A server has no ca_dir of its own. */
        diag_error(c->d, n->at, path, "%s is a directory%s", quote.text,
                   strchr(path, '.') == NULL ? "; did you mean ca_dir?"
                                             : "; a file is needed");
        return false;
    }
    if (access(resolved, is_folder ? R_OK | X_OK : R_OK) != 0) {
        report_missing(c, n, path, resolved, errno);
        return false;
    }
    return true;
}

bool check_file(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out)
{
    if (!check_scalar(c, n, path,
                      key->kind == KEY_KIND_FOLDER ? "a directory"
                                                   : "a file")) {
        return false;
    }
    if (has_control(n->text)) {
        diag_error(c->d, n->at, path, "\"%s\" has a control character in it",
                   diag_quote(n->text).text);
        return false;
    }
    char *resolved = resolve(c->file, n->text);
    if (resolved == NULL) {
        c->d->is_out_of_memory = true;
        return false;
    }
    if (!check_kind(c, key, n, path, resolved)) {
        free(resolved);
        return false;
    }
    *out = resolved;
    return true;
}
