/*
 * An address is looked for around the place of libyaml's error. It has to
 * stand alone, as an entry or a value: "[::1]:53" is no list, and its error is
 * explained in syntax.c.
 */
#include "config/flow.h"

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Never at the beginning of what YAML would not take as a word. */
enum { STAND_IN = 'x' };

static bool is_in_word(char c)
{
    static const char others[] = ":.%/@#_-";

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c != '\0' && strchr(others, c) != NULL);
}

static bool is_about_colons(const yaml_parser_t *parser)
{
    const char *problem = parser->problem;

    return problem != NULL &&
           (strcmp(problem, "did not find expected node content") == 0 ||
            strcmp(problem, "found unexpected ':'") == 0);
}

/* Is there nothing more of it before p and behind end? */
static bool is_alone(const char *text, const char *p, const char *end)
{
    char before = p == text ? '\n' : p[-1];
    const char *behind = end + strspn(end, " ");
    bool is_bracketed = before == '[' && *end == ']';

    return strchr("\n\r [{,", before) != NULL &&
           strchr(",]}\r\n#", *behind) != NULL &&
           (!is_bracketed || strchr(" ,]}\r\n", end[1]) != NULL);
}

/* The address, with a port or a name behind it or without, that p is in. */
static bool find_word(const struct source *s, const char *p, const char **out,
                      size_t *len)
{
    struct addr unused;
    const char *end = p;

    while (p > s->text && is_in_word(p[-1])) {
        p--;
    }
    while (is_in_word(*end)) {
        end++;
    }
    size_t all = (size_t)(end - p);
    size_t ip = strcspn(p, "@#/%");
    *out = p;
    *len = all;
    return addr_parse_ip(p, ip < all ? ip : all, &unused) == 0 &&
           is_alone(s->text, p, end);
}

/* Characters from the line's beginning to p. */
static unsigned column_of(const struct source *s, const char *p)
{
    unsigned column = 1;

    for (; p > s->text && p[-1] != '\n' && p[-1] != '\r'; p--) {
        column += ((unsigned char)p[-1] & 0xc0) != 0x80;
    }
    return column;
}

int flow_mend(struct flow *f, const struct source *s,
              const yaml_parser_t *parser)
{
    struct mark at = {(unsigned)parser->problem_mark.line + 1,
                      (unsigned)parser->problem_mark.column + 1, NULL};
    const char *p = is_about_colons(parser) ? source_at(s, at) : NULL;
    const char *word;
    size_t len;

    if (p == NULL || *p != ':' || f->count == FLOW_MAX ||
        !find_word(s, p, &word, &len)) {
        return ERR_NOTFOUND;
    }
    if (f->text == NULL) {
        f->text = strndup(s->text, s->len);
    }
    if (f->text == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < len; i++) {
        char *c = f->text + (word - s->text) + i;
        *c = *c == ':' ? STAND_IN : *c;
    }
    at.column = column_of(s, word);
    f->words[f->count].at = at;
    f->words[f->count].len = len;
    f->count++;
    return 0;
}

void flow_restore(const struct flow *f, const struct source *s, struct mark at,
                  char *value)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct mark *m = &f->words[i].at;
        if (m->line == at.line && m->column == at.column) {
            /* More may follow, on the next line; it stays as it is. */
            memcpy(value, source_at(s, at), f->words[i].len);
        }
    }
}

void flow_finish(struct flow *f)
{
    free(f->text);
    *f = (struct flow){.count = 0};
}
