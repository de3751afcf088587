/*
 * Pins of public keys (RFC 7858 section 4.2), and the forms of other programs.
 */
#include "config/check.h"

#include "tls/client.h"

#include <stdio.h>
#include <string.h>

/* Forms of pins that other programs use. */
static void report_pin(struct check *c, const struct node *n, const char *path)
{
    struct tls_pin unused;
    char guess[64];
    struct diag_quote quote = diag_quote(n->text);

    snprintf(guess, sizeof(guess), "sha256/%.50s", n->text);
    if (strlen(n->text) == 44 && tls_pin_parse(guess, &unused) == 0) {
        diag_error(c->d, n->at, path,
                   "\"%s\" does not name its hash; did you mean %s?",
                   quote.text, guess);
    } else if (strlen(n->text) >= 64 &&
               strspn(n->text, "0123456789abcdefABCDEF:") == strlen(n->text)) {
        diag_error(c->d, n->at, path,
                   "\"%s\" is hexadecimal; a pin is sha256/ and 44 characters "
                   "of base64",
                   quote.text);
    } else {
        diag_error(c->d, n->at, path,
                   "\"%s\" is not a pin: sha256/ and 44 characters of base64 "
                   "(the SHA-256 of the server's public key)",
                   quote.text);
    }
}

static bool add_pin(struct check *c, const struct node *n, const char *path,
                    struct draft_server *s)
{
    struct tls_pin unused;

    if (!check_scalar(c, n, path, "a pin")) {
        return false;
    }
    if (tls_pin_parse(n->text, &unused) != 0) {
        report_pin(c, n, path);
        return false;
    }
    if (s->pin_count == CHECK_PINS_MAX) {
        diag_error(c->d, n->at, path, "more than %d pins", CHECK_PINS_MAX);
        return false;
    }
    s->pins[s->pin_count++] = n->text;
    return true;
}

bool check_pins(struct check *c, const struct node *n, const char *path,
                struct draft_server *s)
{
    char sub[DIAG_PATH_MAX + 24];
    bool is_good = true;
    size_t i = 0;

    if (n->kind != NODE_LIST) {
        return add_pin(c, n, path, s);
    }
    if (n->first == NULL) {
        diag_error(c->d, n->at, path,
                   "the list is empty; a pin, or no key `pins`, is needed");
        return false;
    }
    for (const struct node *item = n->first; item != NULL; item = item->next) {
        snprintf(sub, sizeof(sub), "%s[%zu]", path, i++);
        is_good &= add_pin(c, item, sub, s);
    }
    return is_good;
}
