/*
 * Ranges of addresses, "10.0.0.0/8", and what is written in their place.
 */
#include "config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The address before the '/', where it is one. */
static bool has_address(const char *text, struct addr *out)
{
    return addr_parse_ip(text, strcspn(text, "/"), out) == 0;
}

bool check_looks_like_range(const char *text)
{
    struct addr unused;

    return strchr(text, '/') != NULL || has_address(text, &unused);
}

/* Clear what is below the prefix. */
static void mask(struct addr *a, unsigned prefix_len)
{
    for (unsigned i = 0; i < addr_ip_len(a); i++) {
        unsigned kept = prefix_len < 8 * i        ? 0
                        : prefix_len >= 8 * i + 8 ? 8
                                                  : prefix_len - 8 * i;
        a->ip[i] = (uint8_t)(a->ip[i] & (0xff00u >> kept));
    }
}

/* The word that was meant; "": none. */
static const char *range_word(const char *text)
{
    static const struct {
        const char *word, *meant;
    } rows[] = {
        {"any", "any"},
        {"all", "any"},
        {"everyone", "any"},
        {"*", "any"},
        {"private", "private"},
        {"local", "private"},
        {"default", "private"},
        {"lan", "private"},
        {"localhost", "127.0.0.0/8"},
        {"loopback", "127.0.0.0/8"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcasecmp(rows[i].word, text) == 0) {
            return rows[i].meant;
        }
    }
    return "";
}

static void report(struct check *c, const struct node *n, const char *path)
{
    struct diag_quote quote = diag_quote(n->text);
    const char *slash = strchr(n->text, '/');
    char ip[ADDR_TEXT_MAX];
    char *end = NULL;
    struct addr a;

    if (!has_address(n->text, &a) || slash == NULL) {
        const char *word = range_word(n->text);
        diag_error(
            c->d, n->at, path,
            "\"%s\" is not a range of addresses such as 10.0.0.0/8%s%s%s",
            quote.text, *word == '\0' ? "" : "; did you mean ", word,
            *word == '\0' ? "" : "?");
        return;
    }
    unsigned bits = a.family == 4 ? 32 : 128;
    unsigned long len = strtoul(slash + 1, &end, 10);
    bool is_number = strspn(slash + 1, "0123456789") > 0 && *end == '\0';
    if (!is_number || len > bits) {
        diag_error(c->d, n->at, path,
                   "\"%s\": /%s is not the length of a prefix (0 to %u)",
                   quote.text, diag_quote(slash + 1).text, bits);
        return;
    }
    a.scope_id = 0;
    mask(&a, (unsigned)len);
    diag_error(c->d, n->at, path,
               "\"%s\" has bits behind its prefix; did you mean %s/%lu?",
               quote.text, addr_ip_text(&a, ip), len);
}

bool check_range(struct check *c, const struct node *n, const char *path,
                 struct cidr *out)
{
    if (cidr_parse(n->text, strlen(n->text), out) == 0) {
        return true;
    }
    report(c, n, path);
    return false;
}
