/*
 * What people do that is not YAML, and the words for it. libyaml's texts are
 * matched as it writes them; one that is not known is passed on as it is.
 */
#include "config/syntax.h"

#include <string.h>

/* Which of libyaml's two places shows the cause. */
enum place { PLACE_PROBLEM, PLACE_CONTEXT };

static const struct rule {
    const char *problem; /* its beginning */
    const char *context; /* its beginning; NULL: any */
    enum place place;
    const char *words;
} rules[] = {
    {"mapping values are not allowed", NULL, PLACE_PROBLEM,
     "':' where no key is expected; is the line above complete and indented "
     "the same? A value with ': ' in it needs quotes"},
    {"could not find expected ':'", NULL, PLACE_CONTEXT,
     "neither a key (no ':' follows) nor a list item (no '- ' before it)"},
    {"did not find expected ',' or ']'", NULL, PLACE_CONTEXT,
     "the list that begins with '[' here has no ']' where it should end"},
    {"did not find expected ',' or '}'", NULL, PLACE_CONTEXT,
     "the mapping that begins with '{' here has no '}' where it should end"},
    {"found unexpected end of stream", "while scanning a quoted scalar",
     PLACE_CONTEXT, "the quote that begins here is never closed"},
    {"found unexpected document indicator", "while scanning a quoted scalar",
     PLACE_CONTEXT, "the quote that begins here is never closed"},
    {"found unknown escape character", NULL, PLACE_PROBLEM,
     "a backslash in double quotes begins an escape; use single quotes"},
    {"block sequence entries are not allowed", NULL, PLACE_PROBLEM,
     "a list begins on the line after its key: put '- ' there"},
    {"found a tab character", NULL, PLACE_PROBLEM,
     "tab in the indentation; YAML indents with spaces only"},
    {"did not find expected alphabetic", "while scanning an anchor",
     PLACE_CONTEXT, "'&' begins a YAML anchor; put the value in quotes"},
    {"did not find expected comment or line break",
     "while scanning a block scalar", PLACE_CONTEXT,
     "'>' and '|' begin a block of text in YAML; put the value in quotes"},
    {"found undefined tag handle", NULL, PLACE_PROBLEM,
     "YAML tags (!word) are not used here; leave it out"},
    {"did not find expected <document start>", NULL, PLACE_PROBLEM,
     "text after the end of the document"},
    {"did not find expected node content", NULL, PLACE_PROBLEM,
     "a value is missing here, or it begins with a character that YAML keeps "
     "for itself: put it in quotes"},
};

static struct mark mark_of(const struct source *s, yaml_mark_t m)
{
    return (struct mark){(unsigned)m.line + 1, (unsigned)m.column + 1,
                         s->variable};
}

static bool has_prefix(const char *text, const char *prefix)
{
    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The text at m; "" where there is none. */
static const char *text_at(const struct source *s, struct mark m)
{
    const char *text = source_at(s, m);

    return text == NULL ? "" : text;
}

/* Only blanks before m in its line? */
static bool is_first_in_line(const struct source *s, struct mark m)
{
    const char *line = text_at(s, (struct mark){m.line, 1, NULL});

    return strspn(line, " ") + 1 >= m.column;
}

/* Octets of "[v6]" at p, 0 when it is something else. */
static size_t bracketed_len(const char *p)
{
    static const char inside[] = "0123456789abcdefABCDEF:.";
    size_t len = strspn(p + 1, inside);
    const char *colon = memchr(p + 1, ':', len);

    if (p[1 + len] == '%') {
        len += strcspn(p + 1 + len, "] \r\n");
    }
    if (colon == NULL || p[1 + len] != ']') {
        return 0;
    }
    return len + 2;
}

/* "- [::1]:53" without quotes is a list in YAML, and then an error. */
static bool explain_brackets(const struct source *s, struct mark at,
                             struct diag *d)
{
    const char *line = text_at(s, (struct mark){at.line, 1, NULL});
    size_t line_len = strcspn(line, "\r\n");
    const char *p = memchr(line, '[', line_len);

    for (; p != NULL;
         p = memchr(p + 1, '[', line_len - (size_t)(p + 1 - line))) {
        size_t len = bracketed_len(p);
        bool is_quoted = p > line && (p[-1] == '"' || p[-1] == '\'');
        if (len == 0 || is_quoted) {
            continue;
        }
        len += strcspn(p + len, " ,\"'\r\n");
        diag_error(
            d, (struct mark){at.line, (unsigned)(p - line) + 1, at.variable},
            NULL,
            "an address in brackets needs quotes in YAML; did you mean "
            "\"%.*s\"?",
            len > 80 ? 80 : (int)len, p);
        return true;
    }
    return false;
}

/* A character that begins no YAML word. */
static void explain_character(const struct source *s, struct mark at,
                              struct diag *d)
{
    char c = text_at(s, at)[0];

    if (c == '\t') {
        diag_error(d, at, NULL,
                   "tab where YAML expects a space; use spaces only");
    } else {
        diag_error(d, at, NULL,
                   "a value cannot begin with '%c' in YAML; put it in quotes",
                   c);
    }
}

/* Octets of the word at p, at most as many as a message shows. */
static int word_len(const char *p)
{
    size_t len = strcspn(p, " ,\"'[]{}\t\r\n");

    return len > 80 ? 80 : (int)len;
}

/* "*" for all addresses, "*.example" for all below a name. */
static void explain_star(const yaml_parser_t *parser, const struct source *s,
                         struct diag *d)
{
    struct mark at = mark_of(s, parser->context_mark);
    const char *text = text_at(s, at);

    if (has_prefix(text, "*.") && word_len(text) > 2) {
        diag_error(d, at, NULL,
                   "'*' begins a YAML alias; write %.*s: a name stands for all "
                   "below it too",
                   word_len(text) - 2, text + 2);
    } else {
        diag_error(d, at, NULL,
                   "'*' begins a YAML alias; for all addresses of this machine "
                   "write 0.0.0.0 and \"::\"");
    }
}

/* Inside brackets a word cannot begin with ':'. */
static bool explain_colon(const yaml_parser_t *parser, const struct source *s,
                          struct mark at, struct diag *d)
{
    const char *text = text_at(s, at);

    int len = word_len(text);

    if (*text != ':' || len < 2 ||
        !has_prefix(parser->problem, "did not find expected node content")) {
        return false;
    }
    len -= len > 2 && text[len - 1] == ':'; /* of a key */
    diag_error(d, at, NULL,
               "a word that begins with ':' needs quotes in YAML; did you mean "
               "\"%.*s\"?",
               len, text);
    return true;
}

/* A line that fits none of the open levels, or text behind a value. */
static void explain_misfit(const yaml_parser_t *parser, const struct source *s,
                           struct mark at, struct diag *d)
{
    const char *where = has_prefix(parser->problem, "did not find expected '-'")
                            ? "list"
                            : "mapping";

    if (!is_first_in_line(s, at)) {
        diag_error(d, at, NULL,
                   "text that does not belong to the value before it; put the "
                   "whole value in quotes");
        return;
    }
    diag_error(d, at, NULL,
               "this line does not fit the %s that begins in line %u; is it "
               "indented like the lines above%s?",
               where, (unsigned)parser->context_mark.line + 1,
               *where == 'l' ? ", and does it begin with '- '" : "");
}

/* The end of the file, where a list or mapping is still open. */
static bool explain_end(const yaml_parser_t *parser, const struct source *s,
                        struct mark at, struct diag *d)
{
    if (*text_at(s, at) != '\0' ||
        !has_prefix(parser->context, "while parsing a flow")) {
        return false;
    }
    diag_error(d, at, NULL,
               "the %s ends inside a list or mapping; is a ']' or '}' "
               "missing?",
               s->variable == NULL ? "file" : "value");
    return true;
}

static bool explain_by_rule(const yaml_parser_t *parser, const struct source *s,
                            struct diag *d)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        const struct rule *r = &rules[i];
        if (!has_prefix(parser->problem, r->problem) ||
            (r->context != NULL && !has_prefix(parser->context, r->context))) {
            continue;
        }
        struct mark at =
            mark_of(s, r->place == PLACE_PROBLEM ? parser->problem_mark
                                                 : parser->context_mark);
        diag_error(d, at, NULL, "%s", r->words);
        return true;
    }
    return false;
}

void syntax_explain(const yaml_parser_t *parser, const struct source *s,
                    struct diag *d)
{
    struct mark at = mark_of(s, parser->problem_mark);
    const char *problem = parser->problem;

    if (parser->error == YAML_READER_ERROR || problem == NULL) {
        diag_error(d, (struct mark){1, 1, s->variable}, NULL,
                   "cannot be read as YAML%s%s", problem == NULL ? "" : ": ",
                   problem == NULL ? "" : problem);
    } else if (explain_brackets(s, at, d) || explain_end(parser, s, at, d) ||
               explain_colon(parser, s, at, d)) {
        return;
    } else if (has_prefix(problem, "did not find expected alphabetic") &&
               has_prefix(parser->context, "while scanning an alias")) {
        explain_star(parser, s, d);
    } else if (has_prefix(problem, "found character that cannot start")) {
        explain_character(s, at, d);
    } else if (has_prefix(problem, "did not find expected key") ||
               has_prefix(problem, "did not find expected '-'")) {
        explain_misfit(parser, s, at, d);
    } else if (!explain_by_rule(parser, s, d)) {
        diag_error(d, at, NULL, "not YAML: %s", problem);
    }
}
