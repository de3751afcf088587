/*
 * Values that are a word or a path: the control socket, the query log, the
 * user. What they name is made at the start, not here.
 */
#include "config/check.h"

#include "base/err.h"
#include "config/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

bool check_is_switch(struct check *c, const struct node *n, const char *path,
                     const char *what)
{
    static const char *const offs[] = {"no", "none",     "false", "never",
                                       "0",  "disabled", NULL};
    static const char *const truths[] = {"on",      "yes", "true",
                                         "enabled", "1",   NULL};

    if (is_one_of(n->text, offs) ||
        (strcasecmp(n->text, "off") == 0 && strcmp(n->text, "off") != 0)) {
        diag_error(c->d, n->at, path, "%s is not %s; did you mean off?",
                   n->text, what);
        return true;
    }
    if (is_one_of(n->text, truths)) {
        diag_error(c->d, n->at, path, "%s does not say where; %s is needed",
                   n->text, what);
        return true;
    }
    return false;
}

bool check_socket(struct check *c, const struct node *n, const char *path,
                  const char *resolved)
{
    struct stat st;
    const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (strlen(resolved) > max) {
        diag_error(c->d, n->at, path,
                   "\"%s\" is too long for a unix socket: at most %zu octets",
                   diag_quote(resolved).text, max);
        return false;
    }
    if (stat(resolved, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        diag_error(c->d, n->at, path, "%s is there and is not a socket",
                   diag_quote(resolved).text);
        return false;
    }
    return true;
}

/* Can lines be appended to it, or can it be made? A device or pipe may be open
 * already, with rights that are gone: opening it tells. */
static bool check_log(struct check *c, const struct node *n, const char *path,
                      const char *resolved)
{
    struct stat st;
    char *folder = check_folder_of(c, resolved);

    if (folder == NULL) {
        return false;
    }
    bool is_there = stat(resolved, &st) == 0;
    const char *asked = is_there ? resolved : folder;
    bool is_good = !is_there || !S_ISDIR(st.st_mode);
    bool is_file = !is_there || S_ISREG(st.st_mode);
    if (!is_good) {
        diag_error(c->d, n->at, path, "%s is a directory; a file is needed",
                   diag_quote(resolved).text);
    } else if (is_file && !check_is_to_come(c, n, path, folder) &&
               access(asked, is_there ? W_OK : W_OK | X_OK) != 0) {
        diag_error(c->d, n->at, path, "%s: %s", diag_quote(asked).text,
                   strerror(errno));
        is_good = false;
    }
    free(folder);
    return is_good;
}

/* A user of this machine. */
static bool check_existence(struct check *c, const struct node *n,
                            const char *path)
{
    struct config_user unused;
    int err = config_user_find(n->text, &unused);

    if (err == ERR_NOTFOUND) {
        diag_error(c->d, n->at, path, "there is no user '%s' on this machine",
                   n->text);
    } else if (err == ERR_INVAL) {
        diag_error(c->d, n->at, path, "%s is not a number that a user can have",
                   n->text);
    }
    return err == 0 || err == ERR_IO; /* shows at the start */
}

/* A name of useradd's kind, or a number. */
static bool check_user(struct check *c, const struct node *n, const char *path)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$";
    size_t len = strlen(n->text);
    struct diag_quote quote = diag_quote(n->text);

    if (strchr(n->text, ':') != NULL) {
        diag_error(c->d, n->at, path,
                   "\"%s\" is more than a user: the group is the user's own",
                   quote.text);
        return false;
    }
    if (len > 32 || *n->text == '-' || strspn(n->text, letters) != len) {
        diag_error(c->d, n->at, path, "\"%s\" is not a user's name or number",
                   quote.text);
        return false;
    }
    return check_existence(c, n, path);
}

static bool check_place(struct check *c, const struct key *key,
                        const struct node *n, const char *path, char **out)
{
    bool is_socket = key->kind == KEY_KIND_SOCKET;

    if (check_is_switch(c, n, path,
                        is_socket ? "off or a unix socket's path"
                                  : "off, stderr or a file")) {
        return false;
    }
    if (!is_socket && strcasecmp(n->text, "stdout") == 0) {
        diag_error(c->d, n->at, path,
                   "%s is not off, stderr or a file; did you mean stderr?",
                   n->text);
        return false;
    }
    char *resolved = check_resolve(c, n);
    if (resolved == NULL) {
        return false;
    }
    if (is_socket ? !check_socket(c, n, path, resolved)
                  : !check_log(c, n, path, resolved)) {
        free(resolved);
        return false;
    }
    *out = resolved;
    return true;
}

bool check_word(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out)
{
    static const char *const needed[] = {
        [KEY_KIND_SOCKET] = "off or a unix socket's path",
        [KEY_KIND_LOG] = "off, stderr or a file",
        [KEY_KIND_USER] = "a user's name or number",
    };
    char *value = NULL;

    if (!check_scalar(c, n, path, needed[key->kind]) ||
        !check_printable(c, n, path)) {
        return false;
    }
    bool is_off = strcmp(n->text, "off") == 0 && key->kind != KEY_KIND_USER;
    bool is_word = key->kind == KEY_KIND_USER ||
                   (key->kind == KEY_KIND_LOG && config_log_is_stderr(n->text));
    if (key->kind == KEY_KIND_USER && !check_user(c, n, path)) {
        return false;
    }
    if (is_word) {
        value = strdup(n->text);
        c->d->is_out_of_memory |= value == NULL;
    } else if (!is_off && !check_place(c, key, n, path, &value)) {
        return false;
    }
    free(*out); /* the default */
    *out = value;
    return true;
}
