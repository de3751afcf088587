/*
 * Paths: relative to the configuration's folder, there, of the right kind and
 * readable. Only regular files are opened, so a FIFO or a device cannot hold
 * the check up.
 */
#include "config/check.h"

#include "base/err.h"
#include "tls/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *check_resolve(struct check *c, const struct node *n)
{
    /* What the environment says has nothing to do with the file. */
    const char *slash = n->at.variable == NULL ? strrchr(c->file, '/') : NULL;
    const char *text = n->text;
    char *path = NULL;

    if (*text == '/' || slash == NULL) {
        path = strdup(text);
    } else if (asprintf(&path, "%.*s/%s", (int)(slash - c->file), c->file,
                        text) < 0) {
        path = NULL;
    }
    c->d->is_out_of_memory |= path == NULL;
    return path;
}

bool check_printable(struct check *c, const struct node *n, const char *path)
{
    for (const char *p = n->text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            diag_error(c->d, n->at, path,
                       "\"%s\" has a control character in it",
                       diag_quote(n->text).text);
            return false;
        }
    }
    return true;
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

/* config/systemd has StateDirectory and LogsDirectory. */
bool check_is_to_come(struct check *c, const struct node *n, const char *path,
                      const char *folder)
{
    static const char *const folders[] = {"/var/lib/dotstub",
                                          "/var/log/dotstub"};
    struct stat st;

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (strcmp(folder, folders[i]) == 0 && stat(folder, &st) != 0 &&
            errno == ENOENT) {
            diag_warning(c->d, n->at, path,
                         "%s is not there yet; the systemd unit makes it when "
                         "it starts",
                         folder);
            return true;
        }
    }
    return false;
}

/* Is there a certificate in the file? */
static bool check_certificates(struct check *c, const struct node *n,
                               const char *path, const char *resolved)
{
    struct stat st;
    struct tls_trust *trust = NULL;

    /* Reading a device might never end; the start says what it thinks. */
    if (stat(resolved, &st) != 0 || !S_ISREG(st.st_mode) ||
        tls_global_init() != 0) {
        return true;
    }
    int err = tls_trust_load(resolved, NULL, &trust, NULL, 0);
    tls_trust_release(trust);
    c->d->is_out_of_memory |= err == ERR_NOMEM;
    if (err == ERR_TLS_SETUP) {
        diag_error(c->d, n->at, path,
                   "%s holds no certificate that can be read (PEM is a text "
                   "with -----BEGIN CERTIFICATE-----)",
                   diag_quote(resolved).text);
    }
    return err == 0 || err == ERR_NOTFOUND; /* it cannot be opened just now */
}

/* A file that will be written anew: into its folder, then over it. */
static bool check_state(struct check *c, const struct node *n, const char *path,
                        const char *resolved)
{
    struct stat st;
    char *folder = check_folder_of(c, resolved);

    if (folder == NULL) {
        return false;
    }
    bool is_file = stat(resolved, &st) != 0 || S_ISREG(st.st_mode);
    bool is_good = is_file && (check_is_to_come(c, n, path, folder) ||
                               access(folder, W_OK | X_OK) == 0);
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
        if (errno == ENOENT && key->kind == KEY_KIND_LATER) {
            diag_warning(c->d, n->at, path, "%s is not there yet", quote.text);
            return true;
        }
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
                   strcmp(path, "ca_file") == 0 ? "; did you mean ca_dir?"
                                                : "; a file is needed");
        return false;
    }
    if (access(resolved, is_folder ? R_OK | X_OK : R_OK) != 0) {
        report_missing(c, n, path, resolved, errno);
        return false;
    }
    return strcmp(key->name, "ca_file") != 0 ||
           check_certificates(c, n, path, resolved);
}

bool check_file(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out)
{
    if (!check_scalar(c, n, path,
                      key->kind == KEY_KIND_FOLDER ? "a directory"
                                                   : "a file")) {
        return false;
    }
    if (!check_printable(c, n, path)) {
        return false;
    }
    char *resolved = check_resolve(c, n);
    if (resolved == NULL) {
        return false;
    }
    if (!check_kind(c, key, n, path, resolved)) {
        free(resolved);
        return false;
    }
    *out = resolved;
    return true;
}
