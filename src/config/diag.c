/*
 * Diagnostics: collect, sort by place, format as
 *
 *     file:line:column: key.path: what is wrong
 *     file:line:column: warning: key.path: what is odd
 *     environment VARIABLE: key.path: what is wrong
 *
 * Text of the file is quoted in messages that go to terminals and logs, so
 * control characters never leave this file unescaped.
 */
#include "config/diag.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag *d, const char *file)
{
    *d = (struct diag){.file = file};
}

void diag_finish(struct diag *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->items[i].text);
    }
    free(d->items);
    for (size_t i = 0; i < d->variable_count; i++) {
        free(d->variables[i]);
    }
    free(d->variables);
    *d = (struct diag){.file = d->file};
}

static bool make_room(struct diag *d)
{
    if (d->count < d->capacity) {
        return true;
    }
    size_t capacity = d->capacity == 0 ? 16 : d->capacity * 2;
    struct diag_item *items = realloc(d->items, capacity * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    d->items = items;
    d->capacity = capacity;
    return true;
}

const char *diag_variable(struct diag *d, const char *name, size_t len)
{
    char **variables =
        realloc(d->variables, (d->variable_count + 1) * sizeof(*variables));

    if (variables == NULL) {
        return NULL;
    }
    d->variables = variables;
    char *copy = strndup(name, len);
    if (copy != NULL) {
        variables[d->variable_count++] = copy;
    }
    return copy;
}

static void add(struct diag *d, bool is_error, struct mark at, const char *path,
                const char *fmt, va_list args)
{
    char *message = NULL;
    char *text = NULL;

    d->errors += is_error;
    if (d->count >= DIAG_MAX) {
        d->dropped++;
        return;
    }
    const char *colon = path == NULL || *path == '\0' ? "" : ": ";
    if (!make_room(d) || vasprintf(&message, fmt, args) < 0) {
        d->is_out_of_memory = true;
        return;
    }
    if (asprintf(&text, "%s%s%s", path == NULL ? "" : path, colon, message) <
        0) {
        d->is_out_of_memory = true;
    } else {
        d->items[d->count] = (struct diag_item){
            .at = at, .order = d->count, .is_error = is_error, .text = text};
        d->count++;
    }
    free(message);
}

void diag_error(struct diag *d, struct mark at, const char *path,
                const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(d, true, at, path, fmt, args);
    va_end(args);
}

void diag_warning(struct diag *d, struct mark at, const char *path,
                  const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(d, false, at, path, fmt, args);
    va_end(args);
}

/* Is there a control character at p: C0, DEL, or C1 in UTF-8? */
static bool is_control(const char *p)
{
    unsigned char c = (unsigned char)p[0];
    unsigned char next = (unsigned char)p[1];

    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

/* Write text with control characters as \xNN. */
static void print_escaped(FILE *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (!is_control(p)) {
            fputc(*p, out);
            continue;
        }
        if ((unsigned char)*p == 0xc2) {
            p++;
        }
        fprintf(out, "\\x%02x", (unsigned)(unsigned char)*p);
    }
}

/* One finished line, for the caller to free; NULL: out of memory. */
static char *format_item(const struct diag *d, const struct diag_item *item)
{
    char *line = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&line, &len);

    if (out == NULL) {
        return NULL;
    }
    if (item->at.variable != NULL) {
        fputs("environment ", out);
        print_escaped(out, item->at.variable);
    } else {
        print_escaped(out, d->file);
    }
    if (item->at.line > 0 && item->at.variable == NULL) {
        fprintf(out, ":%u:%u", item->at.line, item->at.column);
    }
    fputs(item->is_error ? ": " : ": warning: ", out);
    print_escaped(out, item->text);
    bool is_bad = ferror(out) != 0;
    if (fclose(out) != 0 || is_bad) {
        free(line);
        return NULL;
    }
    return line;
}

static int compare(const void *left, const void *right)
{
    const struct diag_item *a = left;
    const struct diag_item *b = right;

    if (a->at.variable != b->at.variable) {
        if (a->at.variable == NULL || b->at.variable == NULL) {
            return a->at.variable == NULL ? -1 : 1;
        }
        return strcmp(a->at.variable, b->at.variable);
    }
    if (a->at.line != b->at.line) {
        return a->at.line < b->at.line ? -1 : 1;
    }
    if (a->at.column != b->at.column) {
        return a->at.column < b->at.column ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* The last line, where there were more than the bound. */
static char *format_dropped(const struct diag *d)
{
    char *line = NULL;
    int len = asprintf(&line, "%s: %zu more like these are not shown", d->file,
                       d->dropped);

    return len < 0 ? NULL : line;
}

int diag_export(struct diag *d, struct config_diagnostics *out)
{
    struct config_diagnostics made = {.errors = d->errors};

    *out = (struct config_diagnostics){.count = 0};
    made.lines = calloc(d->count + 1, sizeof(*made.lines));
    made.is_warning = calloc(d->count + 1, sizeof(*made.is_warning));
    if (made.lines == NULL || made.is_warning == NULL || d->is_out_of_memory) {
        config_diagnostics_finish(&made);
        return ERR_NOMEM;
    }
    if (d->count > 0) {
        qsort(d->items, d->count, sizeof(*d->items), compare);
    }
    size_t total = d->count + (d->dropped > 0);
    for (size_t i = 0; i < total; i++) {
        char *line =
            i < d->count ? format_item(d, &d->items[i]) : format_dropped(d);
        if (line == NULL) {
            config_diagnostics_finish(&made);
            return ERR_NOMEM;
        }
        made.is_warning[made.count] = i < d->count && !d->items[i].is_error;
        made.lines[made.count++] = line;
    }
    *out = made;
    return 0;
}

void config_diagnostics_finish(struct config_diagnostics *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        free(d->lines[i]);
    }
    free(d->lines);
    free(d->is_warning);
    *d = (struct config_diagnostics){.count = 0};
}

struct diag_place diag_place(struct mark at)
{
    struct diag_place p;

    if (at.variable != NULL) {
        snprintf(p.text, sizeof(p.text), "in %s", diag_quote(at.variable).text);
    } else {
        snprintf(p.text, sizeof(p.text), "in line %u", at.line);
    }
    return p;
}

struct diag_quote diag_quote(const char *text)
{
    enum { SHOWN = DIAG_QUOTE_MAX - 8 };
    struct diag_quote q;
    size_t len = strlen(text);

    if (len < SHOWN) {
        snprintf(q.text, sizeof(q.text), "%s", text);
        return q;
    }
    len = SHOWN;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    snprintf(q.text, sizeof(q.text), "%.*s…", (int)len, text);
    return q;
}
