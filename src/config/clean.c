/*
 * The characters of a file, checked before YAML sees them: libyaml names
 * neither the character nor the column, and stops at the first.
 */
#include "config/source.h"

#include "base/err.h"

#include <stdint.h>
#include <string.h>

/* Not a character: past the last of Unicode. */
enum { BAD_OCTET = 0x7fffffff };

/* Walks the text a character at a time and knows where it is. */
struct cursor {
    unsigned char *p;
    const unsigned char *end;
    struct mark at;
    bool is_indent; /* only blanks so far in this line */
};

/* How many octets the character starting with lead has; 0: none can. */
static size_t char_len(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* The character at p (RFC 3629), or BAD_OCTET; *len octets of it. */
static uint32_t decode(const unsigned char *p, const unsigned char *end,
                       size_t *len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = char_len(*p);

    *len = 1;
    if (count == 1) {
        return *p;
    }
    if (count == 0 || (size_t)(end - p) < count) {
        return BAD_OCTET;
    }
    uint32_t c = *p & (0xffu >> (count + 1));
    for (size_t i = 1; i < count; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return BAD_OCTET;
        }
        c = (c << 6) | (p[i] & 0x3fu);
    }
    if (c < least[count] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return BAD_OCTET;
    }
    *len = count;
    return c;
}

/* A name for characters that look like nothing or like a blank. */
static const char *invisible_name(uint32_t c)
{
    switch (c) {
    case 0x85:
        return "a next-line character (U+0085)";
    case 0xa0:
        return "a no-break space (U+00A0)";
    case 0x200b:
        return "a zero width space (U+200B)";
    case 0x2028:
        return "a line separator (U+2028)";
    case 0x2029:
        return "a paragraph separator (U+2029)";
    case 0xfeff:
        return "a byte order mark (U+FEFF) inside the text";
    default:
        return NULL;
    }
}

static void check_char(const struct cursor *c, uint32_t value, struct diag *d)
{
    const char *name = invisible_name(value);

    if (value == BAD_OCTET) {
        diag_error(d, c->at, NULL, "octet 0x%02x is not UTF-8%s",
                   (unsigned)*c->p,
                   c->at.variable == NULL ? "; save the file as UTF-8" : "");
    } else if (value == 0) {
        diag_error(d, c->at, NULL, "NUL octet; this is not a text file");
    } else if (name != NULL) {
        diag_error(d, c->at, NULL,
                   "%s, which cannot be seen; write a plain space, or "
                   "nothing, in its place",
                   name);
    } else if ((value < 0x20 && value != '\t') || value == 0x7f ||
               (value > 0x7f && value < 0xa0) || value == 0xfffe ||
               value == 0xffff) {
        diag_error(d, c->at, NULL, "control character U+%04X", (unsigned)value);
    }
}

/* Nothing but blanks and a comment from p to the end of its line? */
static bool is_blank_line(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p == end || *p == '#' || *p == '\n' || *p == '\r';
}

/* Tabs before the first character of a line; the rest of it is checked once
 * for the line. */
static void check_tab(struct cursor *c, struct diag *d)
{
    if (!c->is_indent) {
        return;
    }
    if (is_blank_line(c->p, c->end)) {
        *c->p = ' ';
        return;
    }
    diag_error(d, c->at, NULL,
               "tab in the indentation; YAML indents with spaces only");
    c->is_indent = false;
}

static void step(struct cursor *c, struct diag *d)
{
    size_t len;
    uint32_t value = decode(c->p, c->end, &len);
    bool is_crlf = value == '\r' && c->p + 1 < c->end && c->p[1] == '\n';

    if (value == '\n' || value == '\r') {
        c->p += is_crlf ? 2 : 1;
        c->at = (struct mark){c->at.line + 1, 1, c->at.variable};
        c->is_indent = true;
        return;
    }
    if (value == '\t') {
        check_tab(c, d);
    } else {
        check_char(c, value, d);
        c->is_indent = c->is_indent && value == ' ';
    }
    c->p += len;
    c->at.column++;
}

/* UTF-16 and UTF-32, by byte order mark or by the zero of an ASCII letter. */
static bool is_wide(const struct source *s)
{
    const unsigned char *p = (const unsigned char *)s->text;

    if (s->len < 2) {
        return false;
    }
    return (p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff) ||
           (p[0] == 0) != (p[1] == 0);
}

int source_clean(struct source *s, struct diag *d)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t errors = d->errors;

    if (is_wide(s)) {
        diag_error(d, (struct mark){1, 1, s->variable}, NULL,
                   "this is UTF-16 or UTF-32; save the file as UTF-8");
        return ERR_CONFIG;
    }
    if (strncmp(s->text, bom, 3) == 0) {
        memmove(s->text, s->text + 3, s->len - 3 + 1);
        s->len -= 3;
    }
    struct cursor c = {
        .p = (unsigned char *)s->text,
        .end = (const unsigned char *)s->text + s->len,
        .at = {1, 1, s->variable},
        .is_indent = true,
    };
    while (c.p < c.end) {
        step(&c, d);
    }
    return d->errors > errors ? ERR_CONFIG : 0;
}
