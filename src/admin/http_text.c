/*
 * Text that grows.
 */
#include "admin/http_text.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void http_text_init(struct http_text *t)
{
    buf_init(&t->buf, HTTP_TEXT_MAX);
    t->err = 0;
}

void http_text_finish(struct http_text *t)
{
    buf_finish(&t->buf);
}

void http_text_append(struct http_text *t, struct span octets)
{
    if (t->err == 0) {
        t->err = buf_append(&t->buf, octets);
    }
}

static void append(struct http_text *t, const char *octets, size_t len)
{
    http_text_append(t, span_of(octets, len));
}

void http_text_add(struct http_text *t, const char *format, ...)
{
    char few[512];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(few, sizeof(few), format, args);
    va_end(args);
    if (len < 0 || t->err != 0) {
        t->err = ERR_LIMIT;
        return;
    }
    if ((size_t)len < sizeof(few)) {
        append(t, few, (size_t)len);
        return;
    }
    uint8_t *place = buf_reserve(&t->buf, (size_t)len + 1);
    if (place == NULL) {
        t->err = ERR_NOMEM;
        return;
    }
    va_start(args, format);
    (void)vsnprintf((char *)place, (size_t)len + 1, format, args);
    va_end(args);
    buf_commit(&t->buf, (size_t)len);
}

static void add_decimal(struct http_text *t, uint64_t n, uint64_t unit,
                        int digits)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64, n / unit,
                       digits, n % unit);

    while (text[len - 1] == '0') {
        len--;
    }
    if (text[len - 1] == '.') {
        len--;
    }
    append(t, text, (size_t)len);
}

void http_text_milli(struct http_text *t, uint64_t n)
{
    add_decimal(t, n, 1000, 3);
}

void http_text_micro(struct http_text *t, uint64_t n)
{
    add_decimal(t, n, 1000000, 6);
}

/* What stands for an octet. */
struct escape {
    char octet;
    const char *text;
};

static void add_escaped(struct http_text *t, const char *words,
                        const struct escape *escapes, size_t count)
{
    for (const char *p = words; *p != '\0'; p++) {
        const char *text = NULL;
        for (size_t i = 0; i < count && text == NULL; i++) {
            text = *p == escapes[i].octet ? escapes[i].text : NULL;
        }
        if (text != NULL) {
            append(t, text, strlen(text));
        } else {
            append(t, *p < ' ' || *p > '~' ? "?" : p, 1);
        }
    }
}

void http_text_words(struct http_text *t, const char *words)
{
    add_escaped(t, words, NULL, 0);
}

void http_text_html(struct http_text *t, const char *words)
{
    static const struct escape escapes[] = {{'&', "&amp;"},
                                            {'<', "&lt;"},
                                            {'>', "&gt;"},
                                            {'"', "&quot;"},
                                            {'\'', "&#39;"}};

    add_escaped(t, words, escapes, COUNT_OF(escapes));
}

void http_text_json(struct http_text *t, const char *words)
{
    static const struct escape escapes[] = {{'"', "\\\""}, {'\\', "\\\\"}};

    add_escaped(t, words, escapes, COUNT_OF(escapes));
}

void http_text_label(struct http_text *t, const char *words)
{
    http_text_json(t, words); /* the same rules, for printable ASCII */
}
