/*
 * Where dnstap messages go, and what they say of who sends them. A receiver
 * need not be there yet: it is looked for again and again.
 */
#include "config/check.h"

#include "config/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 255 };

static const char needed[] = "off, unix:/PATH, tcp://ADDRESS:PORT or a file";

static bool is_url_of(const char *text, const char *const *schemes)
{
    for (; *schemes != NULL; schemes++) {
        if (strncmp(text, *schemes, strlen(*schemes)) == 0) {
            return true;
        }
    }
    return false;
}

/* An address without what says so, or another program's notation. */
static bool is_foreign(struct check *c, const struct node *n, const char *path)
{
    static const char *const others[] = {"tls://",  "udp://", "http://",
                                         "file://", "tcp:",   NULL};
    struct config_tap tap;
    struct stat st;
    char url[64];

    (void)snprintf(url, sizeof(url), "tcp://%s", n->text);
    char *at = strchr(url, '@');
    if (at != NULL) {
        *at = ':';
    }
    if (strlen(n->text) < 50 && config_tap_parse(url, &tap) == 0) {
        diag_error(c->d, n->at, path, "\"%s\" is not %s; did you mean %s?",
                   diag_quote(n->text).text, needed, url);
        return true;
    }
    if (is_url_of(n->text, others)) {
        diag_error(c->d, n->at, path, "\"%s\" is not %s",
                   diag_quote(n->text).text, needed);
        return true;
    }
    if (stat(n->text, &st) == 0 && S_ISSOCK(st.st_mode)) {
        diag_error(c->d, n->at, path, "%s is a socket; did you mean unix:%s?",
                   diag_quote(n->text).text, diag_quote(n->text).text);
        return true;
    }
    return false;
}

/* The same place in the notation that is kept. NULL: no memory. */
static char *rewrite(const struct config_tap *tap)
{
    char text[ADDR_TEXT_MAX];
    char *out = NULL;
    int n = tap->kind == CONFIG_TAP_TCP
                ? asprintf(&out, "tcp://%s", addr_text(&tap->addr, text))
                : asprintf(&out, "unix:%s", tap->path);

    return n < 0 ? NULL : out;
}

static bool check_place(struct check *c, const struct node *n, const char *path,
                        char **out)
{
    static const struct key file = {.name = "dnstap", .kind = KEY_KIND_STATE};
    struct config_tap tap;

    if (config_tap_parse(n->text, &tap) != 0) {
        diag_error(c->d, n->at, path, "\"%s\" is not %s",
                   diag_quote(n->text).text, needed);
        return false;
    }
    if (tap.kind == CONFIG_TAP_FILE) {
        return !is_foreign(c, n, path) && check_file(c, &file, n, path, out);
    }
    if (tap.kind == CONFIG_TAP_UNIX && !check_socket(c, n, path, tap.path)) {
        return false;
    }
    if (tap.kind == CONFIG_TAP_TCP && !host_is_loopback(&tap.addr)) {
        diag_warning(c->d, n->at, path,
                     "what clients ask leaves this machine in clear text");
    }
    *out = rewrite(&tap);
    c->d->is_out_of_memory |= *out == NULL;
    return *out != NULL;
}

bool check_tap(struct check *c, const struct node *n, const char *path,
               char **out)
{
    char *place = NULL;

    if (!check_scalar(c, n, path, needed) || !check_printable(c, n, path)) {
        return false;
    }
    bool is_off = strcmp(n->text, "off") == 0;
    if (!is_off && (check_is_switch(c, n, path, needed) ||
                    !check_place(c, n, path, &place))) {
        return false;
    }
    free(*out);
    *out = place;
    return true;
}

bool check_any_text(struct check *c, const struct node *n, const char *path,
                    char **out)
{
    if (!check_scalar(c, n, path, "a text") || !check_printable(c, n, path)) {
        return false;
    }
    if (strlen(n->text) > TEXT_MAX) {
        diag_error(c->d, n->at, path, "is longer than %d octets", TEXT_MAX);
        return false;
    }
    free(*out);
    *out = strdup(n->text);
    c->d->is_out_of_memory |= *out == NULL;
    return *out != NULL;
}
